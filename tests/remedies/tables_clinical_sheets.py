"""Remedies of what the intake refuses, or leaves out, of a hospital's clinical sheet."""

from __future__ import annotations

import re
from pathlib import Path

import openpyxl
import pandas as pd

from intake.clinical.arguments import asked_of
from intake.clinical.joining import windows_of
from intake.clinical.lines import CELL, CONFIRM_BY, LEFT_OUT, REFUSED
from intake.clinical.sheets import read_sheets
from intake.clinical.writing import check_unedited
from intake.handover.people.linkage import Linkage
from intake.pseudonymous_study import _arguments
from tests.remedies import Remedy, refused, rule_of, says
from tests.support.clinical_ward import Ward, reasons, values

SECTION = "Tables"


def not_there(folder: Path) -> None:
    name = "Clinical sheet: a file that is not there"
    refused(SECTION, name, lambda: read_sheets(folder / "no.csv"), "correct the path behind")
    Ward(folder).write(Ward(folder).rows(), "yes.csv")
    assert len(read_sheets(folder / "yes.csv")) == 1


def on_its_side(folder: Path) -> None:
    name = "Clinical sheet: patients in columns"
    ward = Ward(folder)
    table = ward.rows(BMI=[str(n) for n in range(31, 37)])
    table[["Name", "MRN", "BMI"]].T.to_csv(folder / "side.csv", header=False)
    refused(SECTION, name, lambda: ward.take(folder / "side.csv"), "swap rows and columns")
    assert len(ward.table(table).patients) == 6


def no_names(folder: Path) -> None:
    name = "Clinical sheet: no row of names above its patients"
    path = folder / "x.csv"
    path.write_text("7,70\n8,71\n")
    refused(SECTION, name, lambda: read_sheets(path), "write a name above each column")
    path.write_text("MRN,Age\n7,70\n8,71\n")
    assert [one.name for one in read_sheets(path)[0].columns] == ["MRN", "Age"]


def old_workbook(folder: Path) -> None:
    name = "Clinical sheet: a workbook of Excel 97-2003"
    (folder / "x.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    refused(SECTION, name, lambda: read_sheets(folder / "x.xls"), "save it as .xlsx")
    pd.DataFrame({"MRN": [7, 8]}).assign(Age=70).to_excel(folder / "x.xlsx", index=False)
    assert len(read_sheets(folder / "x.xlsx")) == 1


def no_table(folder: Path) -> None:
    name = "Clinical sheet: a workbook without a table"
    openpyxl.Workbook().save(folder / "wrong.xlsx")
    refused(SECTION, name, lambda: read_sheets(folder / "wrong.xlsx"), "name the right file")
    old_workbook(folder)


def no_numbers(folder: Path) -> None:
    name = "Clinical sheet: no column of the patients' numbers"
    ward = Ward(folder)
    table = ward.rows(BMI=["30"] * 6)
    bare = table.drop(columns=["MRN", "Geburtsdatum"])
    refused(SECTION, name, lambda: ward.table(bare), "add such a column to the sheet")
    assert len(ward.table(table).patients) == 6
    named = table.drop(columns="MRN")  # whole names and birth dates: proposed, to be confirmed
    asks = ward.table(named)
    assert len(asks.proposed) == 6
    assert len(ward.table(named, pairs=asks.to_confirm).patients) == 6
    few = pd.concat([table[:1], *[table.assign(MRN=f"99{n}00") for n in range(9)]])
    few = few.drop(columns="Geburtsdatum")
    refused(SECTION, name, lambda: ward.table(few), "name the column by --clinical-key")
    assert len(ward.table(few, key="MRN").patients) == 1


def no_such_column(folder: Path) -> None:
    name = "Clinical sheet: an option names a column that it has not"
    ward = Ward(folder)
    for option in ("key", "operation", "visits"):
        told = refused(
            SECTION,
            name,
            lambda option=option: ward.table(ward.rows(), **{option: "Datum X"}),
            "take one of its columns: MRN, Name, .*OP-Datum",
        )
        right = {"key": "MRN", "operation": "OP-Datum", "visits": "Geschlecht"}[option]
        assert right in told.remedy
        assert len(ward.table(ward.rows(), **{option: right}).patients) == 6


def sorted_apart(folder: Path) -> None:
    name = "Clinical sheet: most rows contradict the headers of the images"
    ward = Ward(folder)
    table = ward.rows()
    shifted = table.assign(MRN=table["MRN"].to_numpy()[[1, 2, 3, 4, 5, 0]])
    refused(SECTION, name, lambda: ward.table(shifted), "sorted without the others.*correct")
    assert len(ward.table(table).patients) == 6


def other_person(folder: Path) -> None:
    name = "Clinical sheet: a row whose name, birth date, age or sex contradicts the headers"
    ward = Ward(folder)
    table = ward.rows()
    swapped = table.assign(MRN=table["MRN"].to_numpy()[[1, 0, 2, 3, 4, 5]])
    made = ward.table(swapped)
    says(" ".join(reasons(made, REFUSED)), rule_of(SECTION, name))
    assert len(made.patients) == 4
    assert not reasons(ward.table(table), REFUSED)


def two_numbers(folder: Path) -> None:
    name = "Clinical sheet: a row with the numbers of two patients"
    ward = Ward(folder)
    right = [f"RX9{n:05d}" for n in range(6)]
    table = ward.rows(**{"Accession No": [right[1], right[0], *right[2:]]})
    assert reasons(ward.table(table), REFUSED) == [rule_of(SECTION, name).replace("\\", "")] * 2
    assert not reasons(ward.table(table.assign(**{"Accession No": right})), REFUSED)


def several_rows(folder: Path) -> None:
    name = "Clinical sheet: rows of one patient contradict each other"
    ward = Ward(folder)
    first = ward.rows(Visite=["prä-OP"] * 6, VAS=["7"] * 6)
    long = pd.concat([first, first.assign(Visite="Tag 3", VAS="2")], ignore_index=True)
    told = refused(SECTION, name, lambda: ward.table(long), "--visits 'Visite'.*keep one of the")
    column = re.search("--visits '(.*?)'", told.remedy)[1]
    assert values(ward.table(long, visits=column), "vas_tag_3") == ["2"] * 6
    assert values(ward.table(first), "vas") == ["7"] * 6


def visits_by_date(folder: Path) -> None:
    name = "Clinical sheet: visits told apart by dates, and no days for each"
    ward = Ward(folder)
    first = ward.rows(Datum=["2020-01-15"] * 6, VAS=["7"] * 6)
    long = pd.concat([first, first.assign(Datum="2020-02-11", VAS="2")], ignore_index=True)
    told = refused(SECTION, name, lambda: ward.table(long, visits="Datum"), "--visit day3=2..5")
    windows = windows_of(re.findall(r"--visit (\S+)", told.remedy))
    assert values(ward.table(long, visits="Datum", windows=windows), "vas_day30") == ["2"] * 6


def no_window(folder: Path) -> None:
    name = "Clinical sheet: --visit without days"
    told = refused(SECTION, name, lambda: windows_of(["day3"]), "such as --visit day3=2..5")
    assert windows_of(re.findall(r"--visit (\S+)", told.remedy)) == {
        "day3": (2, 5),
        "day30": (20, 45),
    }


def overlapping(folder: Path) -> None:
    name = "Clinical sheet: the days of two visits overlap"
    told = refused(SECTION, name, lambda: windows_of(["a=1..5", "b=5..9"]), "one behind the other")
    assert len(windows_of(re.findall(r"\w+=\S+", told.remedy))) == 2


def edited(folder: Path) -> None:
    name = "Clinical sheet: the clinical table was edited by hand"
    (folder / "clinical.csv").write_text("patient_id\n")
    refused(SECTION, name, lambda: check_unedited(folder, Linkage()), "move this file away")
    (folder / "clinical.csv").rename(folder / "mine.csv")
    check_unedited(folder, Linkage())


def without_sheet(folder: Path) -> None:
    name = "Clinical sheet: its options without a sheet"
    told = ["a", "b", "--out", "c", "--visits", "x"]
    refused(SECTION, name, lambda: asked_of(_arguments().parse_args(told)), "add --clinical SHEET")
    assert asked_of(_arguments().parse_args([*told, "--clinical", "s.xlsx"])).visits == "x"


def other_rows(folder: Path) -> None:
    name = "Clinical sheet: rows by name and birth date were confirmed, and others are proposed now"
    ward = Ward(folder)
    table = ward.rows(BMI=[str(n) for n in range(31, 37)]).drop(columns="MRN")
    word = ward.table(table[:3]).to_confirm
    told = refused(
        SECTION, name, lambda: ward.table(table[1:4], pairs=word),
        "look at these rows in the sheet.*write --pairs-by-name 3-",
    )  # fmt: skip
    now = re.search(r"--pairs-by-name (\S+)", told.remedy)[1]
    assert len(ward.table(table[1:4], pairs=now).patients) == 3
    numbered = ward.rows(BMI=[str(n) for n in range(31, 37)])
    refused(SECTION, name, lambda: ward.table(numbered, pairs=now), "leave --pairs-by-name out")
    assert len(ward.table(numbered).patients) == 6


def unknown_word(folder: Path) -> None:
    name = "Clinical sheet: a confirmation that the last intake did not print"
    ward = Ward(folder)
    table = ward.rows(BMI=[str(n) for n in range(31, 37)]).drop(columns="MRN")
    refused(
        SECTION, name, lambda: ward.table(table, pairs="6-k7fq"),
        "run the same command without --pairs-by-name.*add the line that it prints",
    )  # fmt: skip
    (line,) = reasons(ward.table(table), CONFIRM_BY)
    assert len(ward.table(table, pairs=line.split()[-1]).patients) == 6


def two_ways(folder: Path) -> None:
    name = "Clinical sheet: dates that can be read two ways"
    ward = Ward(folder)
    made = ward.table(ward.rows(Kontrolle=["03/04/2020"] * 6))
    says(" ".join(reasons(made, LEFT_OUT)), rule_of(SECTION, name), "write 2024-04-03")
    made = ward.table(ward.rows(Kontrolle=["2020-04-03"] * 6))
    assert values(made, "kontrolle_days") == ["82"] * 6


def text(folder: Path) -> None:
    name = "Clinical sheet: a column of free text"
    ward = Ward(folder)
    table = ward.rows(Note=[f"grade {n} of the score" for n in range(6)])
    says(" ".join(reasons(ward.table(table), LEFT_OUT)), rule_of(SECTION, name), "--keep-column")
    (told,) = (one for one in reasons(ward.table(table), LEFT_OUT) if "--keep-column" in one)
    word = re.search(r"--keep-column COLUMN=(\w{4})", told)[1]
    assert "note" in ward.table(table, keep={"Note": (word,)}).columns


def other_texts(folder: Path) -> None:
    name = "Clinical sheet: a column of text is kept, and has other texts than those looked at"
    ward = Ward(folder)
    table = ward.rows(Note=[f"grade {n} of the score" for n in range(6)])
    ward.table(table)
    told = refused(
        SECTION, name, lambda: ward.table(table, keep={"Note": ("2222",)}),
        "look at the column again; if it names nobody, write .* in place of 2222",
    )  # fmt: skip
    word = re.search(r"write (\w{4}) in place", told.remedy)[1]
    assert "note" in ward.table(table, keep={"Note": (word,)}).columns


def named_in_a_cell(folder: Path) -> None:
    name = "Clinical sheet: a value that names a patient"
    ward = Ward(folder)
    cells = ["A", "B", "A", "Canarawitz", "B", "A"]
    told = " ".join(reasons(ward.table(ward.rows(Group=cells)), LEFT_OUT))
    says(told, rule_of(SECTION, name), "write codes such as A, B in their place")
    made = ward.table(ward.rows(Group=["C" if one[1:] else one for one in cells]))
    assert values(made, "group") == ["A", "B", "A", "C", "B", "A"]


def words_among_numbers(folder: Path) -> None:
    name = "Clinical sheet: words in a column of numbers"
    ward = Ward(folder)
    made = ward.table(ward.rows(VAS=["4", "5", "6", "7", "phone daughter", "3"]))
    says(" ".join(reasons(made, CELL)), rule_of(SECTION, name))
    assert values(made, "vas")[4] is None  # a fact: the cell is listed, the patient stays


REMEDIES: dict[str, Remedy] = {
    "Clinical sheet: a file that is not there": not_there,
    "Clinical sheet: patients in columns": on_its_side,
    "Clinical sheet: no row of names above its patients": no_names,
    "Clinical sheet: a workbook of Excel 97-2003": old_workbook,
    "Clinical sheet: a workbook without a table": no_table,
    "Clinical sheet: no column of the patients' numbers": no_numbers,
    "Clinical sheet: an option names a column that it has not": no_such_column,
    "Clinical sheet: most rows contradict the headers of the images": sorted_apart,
    "Clinical sheet: a row whose name, birth date, age or sex contradicts the headers": (
        other_person
    ),
    "Clinical sheet: a row with the numbers of two patients": two_numbers,
    "Clinical sheet: rows of one patient contradict each other": several_rows,
    "Clinical sheet: visits told apart by dates, and no days for each": visits_by_date,
    "Clinical sheet: --visit without days": no_window,
    "Clinical sheet: the days of two visits overlap": overlapping,
    "Clinical sheet: the clinical table was edited by hand": edited,
    "Clinical sheet: rows by name and birth date were confirmed, and others are proposed now": (
        other_rows
    ),
    "Clinical sheet: a confirmation that the last intake did not print": unknown_word,
    "Clinical sheet: a column of text is kept, and has other texts than those looked at": (
        other_texts
    ),
    "Clinical sheet: its options without a sheet": without_sheet,
    "Clinical sheet: dates that can be read two ways": two_ways,
    "Clinical sheet: a column of free text": text,
    "Clinical sheet: a value that names a patient": named_in_a_cell,
    "Clinical sheet: words in a column of numbers": words_among_numbers,
}
