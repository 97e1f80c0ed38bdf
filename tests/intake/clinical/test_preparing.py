"""Sheets of a hospital: header, numbers of patients, wrong pairings, visits, what is left out."""

from __future__ import annotations

import datetime

import openpyxl
import pandas as pd
import pytest

from intake.clinical.arguments import asked_of
from intake.clinical.check_words import kept_columns
from intake.clinical.days import day_of_text, read_days
from intake.clinical.headers import find_header
from intake.clinical.joining import windows_of
from intake.clinical.lines import (
    CELL,
    COMMENT,
    HIDDEN,
    LEFT_OUT,
    MERGED,
    NOT_READ,
    UNMATCHED,
)
from intake.clinical.naming import column_name
from intake.clinical.sheets import read_sheets
from intake.pseudonymous_study import _arguments
from pipeline.core.errors import StudyError
from pipeline.study.draft.columns import Given, guess
from tests.support.clinical_ward import Ward, reasons, values
from tests.support.refusals import refusal

NUMBERS = ["31", "42", "53", "64", "75", "86"]


# --- the header ---


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([["Register", ""], ["ID", "Age"], ["7", "70"]], ("ID", "Age")),
        ([["ID", "Age"], ["7", "70"]], ("ID", "Age")),
        ([["ID", "VAS", "VAS"], ["", "pre", "d 3"], ["7", "5", "2"]], ("ID", "VAS pre", "VAS d 3")),
        ([["ID", "VAS", ""], ["", "pre", "d 3"], ["7", "5", "2"]], ("ID", "VAS pre", "VAS d 3")),
        ([["Export", "2021-05-04", ""], ["ID", "Size", "Weight"], ["", "cm", "(kg)"],
          ["7", "160", "5"]],
         ("ID", "Size (cm)", "Weight (kg)")),
        ([["ID", "DM", "Fx"], ["", "0/1", "level"], ["7", "1", "L1"]],
         ("ID", "DM 0/1", "Fx level")),
        ([["Who", "", "Labor"], ["ID", "Age", "CRP"], ["7", "70", "5"]], ("ID", "Age", "CRP")),
        ([["ID", "sex", "site"], ["a", "m", "x"], ["b", "f", "x"]], ("ID", "sex", "site")),
    ],
)  # fmt: skip
def test_the_header_is_found(tmp_path, rows, names):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([one or None for one in row])
    book.save(tmp_path / "x.xlsx")
    (sheet,) = read_sheets(tmp_path / "x.xlsx")
    assert tuple(one.name for one in sheet.columns) == names


def test_a_header_repeated_below_a_page_is_no_row(tmp_path):
    (tmp_path / "x.csv").write_text("ID,Age\n7,70\nID,Age\n8,71\n")
    (sheet,) = read_sheets(tmp_path / "x.csv")
    assert list(sheet.cells.index) == [2, 4]


@pytest.mark.parametrize(
    "records", [[], [(1, ["a title alone"])], [(1, ["1", "2"]), (2, ["3", "4"])]]
)
def test_a_sheet_without_a_header_is_refused(records):
    with refusal("clinical-sheet-without-header", StudyError):
        find_header(records, "x")


def test_old_workbooks_and_empty_ones_are_refused(tmp_path):
    (tmp_path / "x.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    with refusal("clinical-sheet-of-unknown-kind", StudyError):
        read_sheets(tmp_path / "x.xls")
    openpyxl.Workbook().save(tmp_path / "x.xlsx")
    with refusal("clinical-sheet-without-table", StudyError):
        read_sheets(tmp_path / "x.xlsx")


def test_worksheets_are_joined_and_a_legend_is_left_out(ward):
    with pd.ExcelWriter(ward.root / "x.xlsx") as book:
        ward.rows(**{"VAS prä-OP": NUMBERS}).to_excel(book, sheet_name="Aufnahme", index=False)
        later = pd.DataFrame({"MRN": [p.id for p in ward.persons], "VAS": range(6)})
        later.to_excel(book, sheet_name="Verlauf", index=False)
        pd.DataFrame({"k.A.": ["keine Angabe", "x"]}).to_excel(book, sheet_name="L", index=False)
    made = ward.take(ward.root / "x.xlsx")
    assert set(made.columns) == {"geschlecht", "age", "vas_prae_op", "vas"}
    assert values(made, "vas") == list("012345")
    assert made.columns["vas"].context == ("Verlauf", "x")
    assert [(line.sheet, line.why) for line in made.lines if line.what == NOT_READ] == [
        ("x.xlsx, worksheet L", "no table: no header above rows of values")
    ]


def test_what_excel_hides_and_comments_are_named(ward):
    path = ward.write(ward.rows(BMI=NUMBERS, Kreatinin=NUMBERS), "x.xlsx")
    book = openpyxl.load_workbook(path)
    page = book.active
    page.row_dimensions[4].hidden = True
    page.column_dimensions["G"].hidden = True
    page["F3"].comment = openpyxl.comments.Comment("falsch, war 44", "Canarhuber")
    later = book.create_sheet("Reserve")
    later.append(["MRN", "BMI"])
    later.append([ward.persons[0].id, "99"])
    later.sheet_state = "hidden"
    book.create_sheet("leer").sheet_state = "hidden"
    book.save(path)
    made = ward.take(path)
    assert values(made, "bmi") == NUMBERS
    told = {
        (line.what, line.sheet, line.row, line.column, line.text)
        for line in made.lines
        if line.what in (HIDDEN, COMMENT, NOT_READ)
    }
    assert told == {
        (NOT_READ, "x.xlsx, worksheet Reserve", "", "", ""),
        (HIDDEN, "x.xlsx", 4, "", ""),
        (HIDDEN, "x.xlsx", "", "Kreatinin", ""),
        (COMMENT, "x.xlsx", 3, "BMI", "falsch, war 44"),
    }


def test_a_workbook_whose_worksheets_are_hidden_says_so(ward):
    path = ward.write(ward.rows(BMI=NUMBERS), "x.xlsx")
    book = openpyxl.load_workbook(path)
    book.create_sheet("leer")
    book.worksheets[0].sheet_state = "hidden"
    book.active = 1
    book.save(path)
    with refusal("clinical-sheet-without-table", StudyError, match="hidden worksheets") as caught:
        ward.take(path)
    assert "Unhide" in caught.value.remedy


def test_a_sheet_that_is_not_there_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "no.xlsx"):
        with refusal("clinical-sheet-missing", StudyError):
            read_sheets(path)


def test_a_sheet_on_its_side_is_refused_without_a_name(ward):
    table = ward.rows(BMI=NUMBERS)
    table[["Name", "MRN", "BMI"]].T.to_csv(ward.root / "side.csv", header=False)
    with refusal("clinical-sheet-several-patients-a-row", StudyError) as told:
        ward.take(ward.root / "side.csv")
    assert "Transpose" in told.value.remedy
    assert "Canar" not in str(told.value)


def test_a_header_of_words_that_yaml_takes_for_truth_values(ward):
    made = ward.table(ward.rows(No=list("123456"), **{"M/F": list("mfffmf")}))
    assert "no" not in made.columns
    assert values(made, "m_f") == ["male", *["female"] * 3, "male", "female"]


# --- dates ---


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-03-12 00:00:00", "20240312"), ("12.3.24", "20240312"), ("12.03.2024", "20240312"),
        ("20240312", "20240312"), ("12. März 2024", "20240312"), ("Mar 12, 2024", "20240312"),
        ("2024年3月12日", "20240312"), ("31.02.2024", None), ("offen", None),
    ],
)  # fmt: skip
def test_dates_of_all_notations(text, day):
    assert day_of_text(text) == day


def test_the_day_or_the_month_comes_first_where_a_cell_proves_it():
    assert read_days(pd.Series(["03/04/2024", "13/04/2024"]), "x").days[0] == "20240403"
    assert read_days(pd.Series(["03/04/2024", "04/13/2024"]), "x").days[0] == "20240304"
    assert read_days(pd.Series(["45363", "45364"]), "OP-Datum").days.tolist() == [
        "20240312",
        "20240313",
    ]
    assert read_days(pd.Series(["5", "7"]), "VAS") is None


def test_dates_become_days_and_what_is_none_is_listed(ward):
    later = ["2020-02-11", "11.02.2020", "2020-02-12", "nie", "30.02.2020", None]
    made = ward.table(ward.rows(Kontrolle=later))
    assert values(made, "kontrolle_days") == ["30", "30", "31", None, None, None]
    assert reasons(made, CELL) == ["no day that can be read: left blank"]
    assert made.surgery == {one.id: "20200112" for one in ward.persons}
    assert {"20200112", "20200211"} <= {one.value for one in made.identity}


def test_dates_without_a_day_of_the_operation_are_left_out_until_one_is_named(ward):
    table = ward.rows(Kontrolle=["2020-02-11"] * 6).rename(columns={"OP-Datum": "Tag X"})
    made = ward.table(table)
    assert "kontrolle_days" not in made.columns
    assert "dates, and no day of the operation is known to count days from" in reasons(
        made, LEFT_OUT
    )
    made = ward.table(table, operation="Tag X")
    assert values(made, "kontrolle_days") == ["30"] * 6
    with refusal(
        "clinical-sheet-column-missing", StudyError, match="--operation-date must be a column"
    ):
        ward.table(table, operation="Tag Y")


def test_dates_that_can_be_read_two_ways_are_left_out(ward):
    made = ward.table(ward.rows(Kontrolle=["03/04/2020"] * 6))
    assert "kontrolle_days" not in made.columns
    assert "dates that can be read two ways (03/04/2024): write 2024-04-03" in reasons(
        made, LEFT_OUT
    )


def test_an_age_is_made_of_the_birth_date_where_there_is_none(ward):
    made = ward.table(ward.rows())
    born = [datetime.date.fromisoformat(one.birth) for one in ward.persons]
    day = datetime.date(2020, 1, 12)
    told = [str(day.year - b.year - ((day.month, day.day) < (b.month, b.day))) for b in born]
    assert values(made, "age") == told
    assert "age" not in ward.table(ward.rows(Alter=["80"] * 6)).columns


# --- what is left out ---


@pytest.mark.parametrize(
    ("header", "cells", "why"),
    [
        ("Telefon", ["0711 1"] * 6, "addresses"),
        ("Fallnummer", list("123456"), "hospital numbers"),
        ("Notiz", [f"PHI-CANARY text number {n} of somebody here" for n in range(6)], "free text"),
        ("Notiz", ["x" * 90, *"ababa"], "free text"),
        ("Operateur", ["Dr. Canarhuber", "Dr. Canarmann"] * 3, "names"),
        ("Nr intern", [f"73000{n}" for n in range(6)], "numbers of patients"),
        ("Gruppe", ["A", "B", "A", "Canarawitz", "B", "A"], "of its values hold a name"),
        ("leer", [None] * 5 + ["k.A."], "no value in any row"),
    ],
)  # fmt: skip
def test_what_identifies_is_left_out(ward, header, cells, why):
    made = ward.table(ward.rows(**{header: cells, "BMI": NUMBERS}))
    assert set(made.columns) == {"geschlecht", "age", "bmi"}
    (line,) = [one for one in made.lines if one.what == LEFT_OUT and one.column == header]
    assert why in line.why


def test_a_column_that_was_taken_for_text_is_kept_on_demand(ward):
    cells = [f"grade {n} of the score" for n in range(6)]
    asks = ward.table(ward.rows(Note=cells))
    (told,) = (one for one in reasons(asks, LEFT_OUT) if "free text" in one)
    keep = kept_columns([told.split()[-1].strip(")").replace("COLUMN", "note")])
    assert "note" not in asks.columns
    assert values(ward.table(ward.rows(Note=cells), keep=keep), "note") == cells


def test_words_in_a_column_of_numbers_are_left_blank(ward):
    cells = ["4", "5", "6", "7", "Tochter anrufen", "k.A."]
    made = ward.table(ward.rows(VAS=cells))
    assert values(made, "vas") == ["4", "5", "6", "7", None, "k.A."]
    assert reasons(made, CELL) == ["words in a column of numbers: left blank"]


# --- spellings and units ---


@pytest.mark.parametrize(
    ("header", "cells", "told"),
    [
        ("DM", ["ja", "Ja", "JA", "nein", "Nein", "ja"], ["ja", "ja", "ja", "nein", "nein", "ja"]),
        ("DM", ["ja", "j", "ja", "n", "nein", "nein"], ["ja", "ja", "ja", "nein", "nein", "nein"]),
        ("Gewicht", ["70 kg", "71", "72kg", "73,5 kg", "?", "1"],
         ["70", "71", "72", "73,5", "?", "1"]),
        ("VAS", ["5/10", "4", "3/10", "-", "2", "1"], ["5", "4", "3", "-", "2", "1"]),
        ("Level", ["LWK1", "Th12", "D12", "BWK 11", "L2", "ab"],
         ["L1", "T12", "T12", "T11", "L2", "ab"]),
        ("Level", ["L1, LWK2", "Th12", *["L1"] * 4], ["L1, L2", "T12", *["L1"] * 4]),
        ("Dauer", ["3 d", "4 w", "5 d", "6 d", "7 d", "8 d"],
         ["3 d", "4 w", "5 d", "6 d", "7 d", "8 d"]),
    ],
)  # fmt: skip
def test_cells_are_written_in_one_way(ward, header, cells, told):
    made = ward.table(ward.rows(**{header: cells}))
    assert values(made, column_name(header, set())) == told


def test_numbers_with_their_unit_in_every_cell_are_no_free_text(tmp_path):
    ward = Ward(tmp_path, count=24)
    made = ward.table(ward.rows(Gewicht=[f"{52 + n},5 kg" for n in range(24)]))
    assert values(made, "gewicht")[:2] == ["52,5", "53,5"]
    assert made.columns["gewicht"].unit == "kg"


def test_a_unit_that_other_cells_cannot_have_stays(ward):
    made = ward.table(ward.rows(Size=["162", "170", "1,62 m", "158", "165", "171"]))
    assert values(made, "size")[2] == "1,62 m"


def test_a_mark_alone_is_an_answer(ward):
    made = ward.table(ward.rows(DM=["x", None, "x", None, None, None]))
    assert values(made, "dm") == ["x", None, "x", None, None, None]


# --- rows of one patient ---


def test_rows_that_repeat_or_complete_one_another_are_one(ward):
    table = ward.rows(BMI=NUMBERS, VAS=["1"] * 6)
    more = table[:2].assign(VAS=[None, "1.0"])
    made = ward.table(pd.concat([table, more, table[3:4], table[4:5].assign(OP2=["7"])]))
    assert values(made, "vas") == ["1"] * 6
    assert [(line.row, line.why, line.text) for line in made.lines if line.what == MERGED] == [
        (8, "a further row of the patient of row 2; says nothing else of what the study takes: "
            "taken as one row", ward.persons[0].id),
        (9, "row 3 once more, entered twice: taken once", ward.persons[1].id),
        (10, "row 5 once more, entered twice: taken once", ward.persons[3].id),
        (11, "a further row of the patient of row 6; fills 1 blank cells of it and contradicts "
             "none: taken as one row", ward.persons[4].id),
    ]  # fmt: skip


def test_the_same_visit_entered_twice_is_named(ward):
    long = pd.concat([ward.rows(Visite=[v] * 6, VAS=NUMBERS) for v in ("prä-OP", "Tag 3")])
    made = ward.table(pd.concat([long, long[7:8]], ignore_index=True), visits="Visite")
    assert reasons(made, MERGED) == ["row 9 once more, entered twice: taken once"]


# --- of which time a value is ---


def draft(made):
    return {
        name: guess(Given(name, one.header, pd.Series(one.values), one.context, visit=one.visit))
        for name, one in made.columns.items()
    }


@pytest.mark.parametrize(
    ("name", "header", "timing"),
    [
        ("suivi.csv", "poids", "postoperative"),
        ("Nachsorge 2021.csv", "Gewicht", "postoperative"),
        ("follow_up.csv", "BMI", "postoperative"),
        ("Nachsorge.csv", "Nikotin", "postoperative"),
        ("Nachsorge.csv", "Frakturhöhe", "postoperative"),
        ("Nachsorge.csv", "Gewicht prä-OP", "preoperative"),  # it says so itself
        ("Baseline.csv", "Zementmenge", "intraoperative"),  # what it is makes it later
        ("Register.csv", "Gewicht", "preoperative"),
    ],
)
def test_no_quantity_is_known_earlier_than_its_sheet_says(ward, name, header, timing):
    cells = ["L1", "L2", "T12"] * 2 if header.startswith("Fraktur") else ["61", "72.5", "83"] * 2
    made = draft(ward.take(ward.write(ward.rows(**{header: cells}), name)))
    one = made[column_name(header, set())]
    assert one.timing == timing
    assert (one.role == "predictor") == (timing != "postoperative")
    assert bool(one.disputed) == (timing == "postoperative")
    assert one.supposed == (name == "Register.csv")
    assert made["geschlecht"].timing == "preoperative"


def test_the_name_of_the_only_worksheet_says_the_time(ward):
    ward.rows(Gewicht=NUMBERS).to_excel(ward.root / "x.xlsx", sheet_name="Verlauf", index=False)
    assert draft(ward.take(ward.root / "x.xlsx"))["gewicht"].timing == "postoperative"


def test_a_visit_whose_name_says_no_time_leaves_it_open(ward):
    long = pd.concat(
        [ward.rows(Visite=[v] * 6, Gewicht=[str(n + at) for n in range(61, 67)])
         for at, v in enumerate(("V1", "V2"))]
    )  # fmt: skip
    made = draft(ward.table(long, visits="Visite"))
    assert [made[f"gewicht_v{n}"].timing for n in (1, 2)] == ["", ""]
    assert [made[f"gewicht_v{n}"].role for n in (1, 2)] == ["other"] * 2


def test_the_days_of_a_visit_say_its_time(ward):
    dates = ["2020-01-11"] * 6, ["2020-02-10"] * 6
    long = pd.concat(
        [ward.rows(Datum=day, Gewicht=[str(n + at) for n in range(61, 67)])
         for at, day in enumerate(dates)]
    )  # fmt: skip
    made = draft(ward.table(long, visits="Datum", windows=windows_of(["a=-9..0", "b=20..45"])))
    assert (made["gewicht_a"].timing, made["gewicht_b"].timing) == ("preoperative", "postoperative")


def test_columns_of_one_name_leave_their_time_open(ward):
    ward.rows(G=NUMBERS, H=NUMBERS[::-1]).rename(columns={"G": "Gewicht", "H": "Gewicht"}).to_excel(
        ward.root / "x.xlsx", index=False
    )
    made = draft(ward.take(ward.root / "x.xlsx"))
    assert [one.timing for name, one in made.items() if name.startswith("gewicht")] == ["", ""]


def test_a_blank_of_the_baseline_is_not_filled_from_the_follow_up(ward):
    first = ward.write(ward.rows(Gewicht=[*NUMBERS[:5], None]), "Baseline.csv")
    later = ward.write(ward.rows(Gewicht=NUMBERS), "Nachsorge.csv")
    for paths in ((first, later), (later, first)):
        made = ward.take(*paths)
        assert values(made, "gewicht_preop") == [*NUMBERS[:5], None]
        assert values(made, "gewicht_postop") == NUMBERS
        assert values(made, "geschlecht")[5] == "female"


def test_what_the_baseline_says_as_a_whole_is_the_baselines(ward):
    later = ward.write(ward.rows(Gewicht=[*NUMBERS[:5], None]), "Nachsorge.csv")
    made = ward.take(later, ward.write(ward.rows(Gewicht=NUMBERS), "Baseline.csv"))
    assert values(made, "gewicht") == NUMBERS
    assert draft(made)["gewicht"].timing == "preoperative"


def test_rows_that_contradict_are_refused_by_column_and_row(ward):
    table = ward.rows(BMI=NUMBERS)
    with refusal("visits-disagree", StudyError) as caught:
        ward.table(pd.concat([table, table[:1].assign(BMI="99")]))
    assert "1 patients whose rows differ in BMI" in str(caught.value)
    assert "rows 2 and 8" in str(caught.value) or "rows 2, 8" in str(caught.value)
    assert "keep one of the rows" in caught.value.remedy


def test_a_row_for_each_visit_becomes_columns_by_a_rule(ward):
    first, second = (
        ward.rows(Visite=[visit] * 6, VAS=[str(n + add) for n in range(6)], BMI=NUMBERS)
        for visit, add in (("prä-OP", 4), ("Tag 30", 0))
    )
    long = pd.concat([first, second], ignore_index=True)
    with refusal("visits-disagree", StudyError) as caught:
        ward.table(long)
    assert "add --visits 'Visite'" in caught.value.remedy
    made = ward.table(long, visits="Visite")
    assert values(made, "vas_prae_op") == [str(n + 4) for n in range(6)]
    assert values(made, "vas_tag_30") == [str(n) for n in range(6)]
    assert values(made, "bmi") == NUMBERS
    assert "visite" not in made.columns
    with refusal("clinical-sheet-column-missing", StudyError, match="--visits must be a column"):
        ward.table(long, visits="Besuch")


def test_visits_by_their_date_need_days(ward):
    tables = [
        ward.rows(Datum=[f"2020-{day}"] * 6, VAS=[value] * 6)
        for day, value in (("01-15", "5"), ("02-10", "2"), ("08-30", "1"))
    ]
    long = pd.concat(tables, ignore_index=True)
    with refusal("visits-disagree", StudyError) as caught:
        ward.table(long)
    assert "--visits 'Datum'" in caught.value.remedy
    with refusal("visit-days-missing", StudyError):
        ward.table(long, visits="Datum")
    made = ward.table(long, visits="Datum", windows=windows_of(["day3=2..5", "day30=20..45"]))
    assert (values(made, "vas_day3"), values(made, "vas_day30")) == (["5"] * 6, ["2"] * 6)
    assert reasons(made, UNMATCHED) == ["its visit is none of the rule's"] * 6


@pytest.mark.parametrize("text", ["day3", "day3=5..2", "3=1..2"])
def test_a_window_that_is_none_is_refused(text):
    with refusal("visit-invalid", StudyError):
        windows_of([text])


def test_windows_that_overlap_are_refused():
    with refusal("visits-overlap", StudyError):
        windows_of(["a=1..5", "b=5..9"])


def test_a_column_of_two_sheets_is_one_where_they_agree(ward):
    one, two = ward.rows(BMI=NUMBERS, VAS=NUMBERS), ward.rows(BMI=NUMBERS, VAS=["1"] * 6)
    made = ward.table(one, two)
    assert values(made, "bmi") == NUMBERS
    assert (values(made, "vas_1"), values(made, "vas_2")) == (NUMBERS, ["1"] * 6)


def test_options_of_a_sheet_need_the_sheet():
    options = _arguments().parse_args(["a", "b", "--out", "c", "--visits", "x"])
    with refusal("clinical-sheet-option-alone", StudyError):
        asked_of(options)
    assert asked_of(_arguments().parse_args(["a", "b", "--out", "c"])) is None
