"""Whose a row of a clinical sheet is: by number, by name and birth date, or nobody's."""

from __future__ import annotations

import pandas as pd
import pytest

from intake.clinical.lines import (
    BY_PERSON,
    CONFIRM_BY,
    DOUBT,
    NEAR,
    REFUSED,
    TO_CONFIRM,
    UNMATCHED,
)
from pipeline.core.errors import StudyError
from tests.intake.clinical.test_preparing import NUMBERS
from tests.support.clinical_ward import Ward, person, reasons, values
from tests.support.refusals import refusal

# --- numbers of patients ---


@pytest.mark.parametrize(
    "spelled",
    [
        lambda n, one: one.id,
        lambda n, one: one.id.lstrip("0"),
        lambda n, one: f" {int(one.id)}.0 ",
        lambda n, one: f"RX9{n:05d}",
        lambda n, one: f"rx 9{n:05d}",
        lambda n, one: f"PID {int(one.id)}" if n % 2 else one.id,
    ],
)
def test_patients_are_found_by_their_numbers_however_written(ward, spelled):
    table = ward.rows(BMI=NUMBERS).assign(MRN=[spelled(n, p) for n, p in enumerate(ward.persons)])
    made = ward.table(table)
    assert values(made, "bmi") == NUMBERS
    assert made.patients == {one.id for one in ward.persons}


def test_a_sheet_without_numbers_of_patients_is_refused_until_one_is_named(ward):
    table = ward.rows(BMI=NUMBERS).drop(columns=["MRN", "Geburtsdatum"])
    with refusal("clinical-sheet-without-ids", StudyError) as caught:
        ward.table(table)
    assert "at best" in str(caught.value) or "no column" in str(caught.value)
    with refusal(
        "clinical-sheet-column-missing", StudyError, match="--clinical-key must be a column"
    ):
        ward.table(ward.rows(), key="Case")
    few = pd.concat([ward.rows()[:1], *[ward.rows().assign(MRN=f"99{n}00") for n in range(9)]])
    few = few.drop(columns="Geburtsdatum")
    with refusal("clinical-sheet-without-ids", StudyError, match="which names 1 of 6 patients"):
        ward.table(few)
    assert ward.table(few[:1], key="mrn").patients == {ward.persons[0].id}


# --- patients by name and birth date ---


def by_name(ward, table, pairs=None):
    """Take in a sheet without numbers; return rows to confirm, rows not paired, what is made."""
    made = ward.table(table.drop(columns="MRN"), pairs=pairs)
    asked = {line.row: line.text for line in made.lines if line.what == TO_CONFIRM}
    near = {line.row: line.why for line in made.lines if line.what == NEAR}
    return made, asked, near


def test_rows_without_numbers_are_proposed_and_taken_when_confirmed_alone(ward):
    table = ward.rows(BMI=NUMBERS)
    table.loc[1, "Name"] = "dr. ilsebtta CANARBWITZ"
    everybody = {n + 2: one.id for n, one in enumerate(ward.persons)}
    made, asked, near = by_name(ward, table)
    assert (asked, near) == (everybody, {})
    assert not made.columns
    assert not made.patients
    assert reasons(made, CONFIRM_BY) == [f"add --pairs-by-name {made.to_confirm}"]
    assert made.to_confirm.startswith("6-")
    made, asked, near = by_name(ward, table, made.to_confirm)
    assert (asked, near, made.to_confirm) == ({}, {}, "")
    assert not reasons(made, CONFIRM_BY)
    assert values(made, "bmi") == NUMBERS
    assert len(reasons(made, BY_PERSON)) == 6
    assert "name" not in made.columns


def test_numbers_of_another_kind_leave_the_names_and_each_visit_to_be_confirmed(ward):
    visits = [ward.rows(Visite=[one] * 6, VAS=[f"{at + n}" for n in range(6)])
              for at, one in enumerate(("prä-OP", "Tag 3", "Tag 30"))]  # fmt: skip
    table = pd.concat(visits, ignore_index=True).assign(MRN=[f"F88{n:03d}" for n in range(18)])
    asks = ward.table(table, visits="Visite")
    made = ward.table(table, visits="Visite", pairs=asks.to_confirm)
    assert values(made, "vas_tag_30") == list("234567")
    assert "name" not in made.columns


def test_a_row_without_a_number_beside_numbered_ones_is_proposed(ward):
    table = ward.rows(BMI=NUMBERS)
    table.loc[2, "MRN"] = None
    made = ward.table(table)
    assert ward.persons[2].id not in made.columns["bmi"].values
    assert [line.text for line in made.lines if line.what == TO_CONFIRM] == [ward.persons[2].id]
    assert values(ward.table(table, pairs=made.to_confirm), "bmi") == NUMBERS


@pytest.mark.parametrize(
    ("name", "birth", "why"),
    [
        ("Canarbwitz, Ilsebtta", "12.11.1936", ""),
        ("Canarbwitz, Ilsebtta", "11.12.1936", "day and month exchanged"),
        ("Canarbwitz, Ilsebtta", "11.03.1956", "this name and another birth date"),
        ("Canarhuber, Ilsebtta", "1936-11-12", "shares a part of the name"),
        ("Canarbwitz, Walpurga", "1936-11-12", "shares a part of the name"),
        ("Canarbwits, Ilsebtta", "1936-11-12", "shares a part of the name"),
        ("Canarbwitz", "1936-11-12", "neither a patient's number"),
        ("Canarbwitz, Ilsebtta", None, "neither a patient's number"),
        ("Canarbwitz, Ilsebtta", "1936", "neither a patient's number"),
        ("Canarmeier, Walpurga", "1936-11-12", "no patient of the handover has this name"),
    ],
)
def test_what_fits_nobody_for_certain_is_not_proposed(tmp_path, name, birth, why):
    persons = [person(n) for n in range(6)]
    persons[1] = person(1, birth="19361112")
    ward = Ward(tmp_path, persons=persons)
    table = ward.rows(BMI=NUMBERS).astype(object)
    table.loc[1, "Name"], table.loc[1, "Geburtsdatum"] = name, birth
    word = by_name(ward, table)[0].to_confirm
    made, _, near = by_name(ward, table, word)
    assert (list(near), len(made.patients)) == (([3], 5) if why else ([], 6))
    assert why in near.get(3, "")
    assert (persons[1].id in made.patients) == (not why)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"name": "Canarbwitz^Brunhilla", "birth": "19361112"}, "twins?"),
        ({"name": "Canarbwitz^Ilsebtta", "birth": "19361112"}, "2 patients have this name"),
        ({"name": "Canarbwitz^Ilsebtta", "birth": "19361211"}, "day and month exchanged"),
    ],
)
def test_two_patients_who_are_alike_are_not_proposed(tmp_path, other, why):
    persons = [person(n) for n in range(6)]
    persons[1], persons[4] = person(1, birth="19361112", sex="F"), person(4, sex="F", **other)
    ward = Ward(tmp_path, persons=persons)
    word = by_name(ward, ward.rows(BMI=NUMBERS))[0].to_confirm
    made, _, near = by_name(ward, ward.rows(BMI=NUMBERS), word)
    assert set(near) == {3, 6}
    assert all(why in one for one in near.values())
    assert len(made.patients) == 4


def test_rows_of_nobody_and_patients_without_a_row_are_listed(ward):
    table = ward.rows(BMI=NUMBERS)
    table.loc[5, "MRN"] = "00999999"
    table.loc[4, "MRN"] = "7.3E+06"
    table.loc[6] = ["Mittelwert", None, None, None, None, "50"]
    made = ward.table(table)
    assert reasons(made, UNMATCHED) == [
        "Excel rounded the number: format the column as text and type it again",
        "no patient of the handover has this number",
        "a row that sums up the others",
    ]
    assert {line.text for line in made.lines if line.what == "patient without a row"} == {
        ward.persons[4].id, ward.persons[5].id,
    }  # fmt: skip


def test_numbers_of_two_patients_in_one_row_are_refused(ward):
    table = ward.rows(BMI=NUMBERS).assign(
        **{"Accession No": [f"RX9{n:05d}" for n in (0, 1, 3, 2, 4, 5)]}
    )
    made = ward.table(table)
    assert reasons(made, REFUSED) == ["its numbers are those of two patients"] * 2
    assert len(made.patients) == 4


def test_a_patient_whose_mask_was_not_matched_has_no_row(ward):
    ward.matched.rows.pop()
    made = ward.table(ward.rows(BMI=NUMBERS))
    assert "no mask that was matched" in reasons(made, UNMATCHED)[0]


# --- wrong pairings ---


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("Geburtsdatum", "05.06.1922", "birth date"),
        ("Geburtsdatum", "1922", "year of birth"),
        ("Geschlecht", "männlich", "sex"),
        ("Alter", "41", "age"),
        ("Name", "Canarhuber, Walpurga", "name"),
        ("Name", "Canarbwitz, Walpurga", "given name"),
    ],
)
def test_a_row_that_contradicts_the_headers_is_refused(ward, column, value, told):
    table = ward.rows(BMI=NUMBERS, Alter=[str(2020 - int(p.birth[:4])) for p in ward.persons])
    table.loc[1, column] = value
    if column == "Name":
        table = table.drop(columns="Geburtsdatum") if value.endswith("huber, Walpurga") else table
    made = ward.table(table)
    (why,) = reasons(made, REFUSED)
    assert told in why
    assert ward.persons[1].id not in made.patients
    assert made.columns["bmi"].values.get(ward.persons[1].id) is None


@pytest.mark.parametrize(
    "name",
    ["CANARBWITZ Ilsebtta", "Dr. Ilsebtta Canarbwitz", "Canarbwitz", "Canarbwitz, I.",
     "Canarbwits, Ilsebtta", "ilsebtta  canarbwitz"],
)  # fmt: skip
def test_spellings_of_a_name_raise_no_question(ward, name):
    table = ward.rows(BMI=NUMBERS)
    table.loc[1, "Name"] = name
    made = ward.table(table)
    assert not reasons(made, REFUSED) + reasons(made, DOUBT)


def test_a_new_surname_with_the_same_birth_date_is_a_doubt(ward):
    table = ward.rows(BMI=NUMBERS)
    table.loc[1, "Name"] = "Canarhuber, Ilsebtta"
    made = ward.table(table)
    assert reasons(made, DOUBT) == [
        "another surname than the images have, with the same birth date"
    ]
    assert len(made.patients) == 6


def test_twins_are_told_apart_by_their_given_names(tmp_path):
    twins = [
        person(1, name="Canarmeier^Walpurga", birth="19400203", sex="F"),
        person(2, name="Canarmeier^Edeltrauda", birth="19400203", sex="F"),
        *[person(n) for n in range(3, 8)],
    ]
    ward = Ward(tmp_path, persons=twins)
    assert not reasons(ward.table(ward.rows()), REFUSED)
    table = ward.rows()
    table.loc[[0, 1], "MRN"] = table.loc[[1, 0], "MRN"].to_numpy()
    assert (
        reasons(ward.table(table), REFUSED)
        == ["the given name differs from that of the images"] * 2
    )


def test_fifty_confusions_and_no_question_about_right_rows(tmp_path):
    """Swap the numbers of 25 pairs among 200 people, a third of them named alike."""
    surnames = [f"Canar{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10 % 10]}berg" for n in range(60)]
    given = ["Ilsetta", "Walpurga", "Brunhilla", "Ottokarl", "Lothario", "Edeltrauda", "Fridolina"]
    persons = [
        person(
            0, id=f"{4000017 + 37 * n}", name=f"{surnames[n % 60]}^{given[(n // 60) % 7]}",
            birth=f"{1930 + n % 30}{1 + n % 12:02d}{1 + n % 28:02d}", sex="MF"[n % 2],
        )
        for n in range(200)
    ]  # fmt: skip
    ward = Ward(tmp_path, persons=persons)
    table = ward.rows()
    swapped = list(range(0, 200, 4))
    ids = table["MRN"].to_numpy().copy()
    for one, two in zip(swapped[::2], swapped[1::2], strict=True):
        ids[one], ids[two] = ids[two], ids[one]
    made = ward.table(table.assign(MRN=ids))
    refused = {line.row for line in made.lines if line.what == REFUSED}
    assert refused == {n + 2 for n in swapped}
    assert not reasons(made, DOUBT)


def test_rows_are_counted_by_what_they_were_compared(ward):
    made = ward.table(ward.rows())
    assert made.compared == {"person": 6}
    bare = ward.rows().drop(columns=["Name", "Geburtsdatum"])
    bare.loc[0, "Geschlecht"] = None
    assert ward.table(bare).compared == {"age or sex": 5, "": 1}


def test_days_on_the_wrong_side_of_the_operation_are_doubts(ward):
    table = ward.rows(Kontrolle=["2020-02-11", "2019-11-02", *["2020-02-12"] * 4])
    table.loc[3, "OP-Datum"] = "2016-01-12"
    made = ward.table(table)
    told = [(line.row, line.why) for line in made.lines if line.what == DOUBT]
    assert told == [
        (5, "the operation lies more than a year from every scan of the patient"),
        (3, "a day after the operation lies before it"),
    ]


def test_codes_of_the_sex_are_learned_from_the_headers(tmp_path):
    ward = Ward(tmp_path, count=24)
    codes = [{"M": "1", "F": "2"}[one.sex] for one in ward.persons]
    codes[3] = "1"
    made = ward.table(ward.rows().assign(Geschlecht=codes))
    assert reasons(made, REFUSED) == ["the sex differs from that of the images"]


def test_a_sheet_that_contradicts_most_images_is_refused_whole(ward):
    table = ward.rows()
    table["MRN"] = table["MRN"].to_numpy()[[1, 2, 3, 4, 5, 0]]
    with refusal("clinical-sheet-contradicts-images", StudyError, match="6 of 6 rows contradict"):
        ward.table(table)
