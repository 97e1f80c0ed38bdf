"""Rows that are no patients, and patients with two spellings of one id."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems
from pipeline.core.written.spellings import ids_spelled_twice, plain_id
from pipeline.tables.columns import write_ids
from pipeline.tables.id_checks import check_rows_of_patients, is_summary
from pipeline.tables.pairs import check_ids_spelled
from tests.support.refusals import refusal
from tests.support.small_tables import DICTIONARY, small_study, small_tables

PAIRS = ["p001", "P-001", "P1", "P0001", "p_1", "P01"]


@pytest.mark.parametrize("other", PAIRS)
def test_one_id_in_two_spellings_is_refused_within_a_table(tmp_path, other):
    features, clinical = small_tables()
    for table in (features["A"], clinical):
        table.loc[5, "patient_id"] = other
    with refusal("ids-spelled-alike", StudyError) as caught:
        small_study(tmp_path, features, clinical, DICTIONARY)
    assert "P001" in caught.value.found
    assert "1 pairs" in caught.value.found


def test_the_pair_may_stand_in_two_tables(tmp_path):
    features, clinical = small_tables(readers="AB")
    features["B"].loc[0, "patient_id"] = "p001"
    with refusal("ids-spelled-alike", StudyError) as caught:
        small_study(tmp_path, features, clinical, DICTIONARY)
    assert caught.value.found == "1 pairs: P001 (clinical) and p001 (features)"
    clinical.loc[1, "patient_id"] = "P02"
    features["B"].loc[0, "patient_id"] = "P001"
    with refusal("ids-spelled-alike", StudyError):
        small_study(tmp_path, features, clinical, DICTIONARY)


def test_two_rows_of_a_person_in_two_spellings(tmp_path):
    features, clinical = small_tables()
    patients = [f"{'Pp'[n % 2]}{n // 2 + 1:03d}" for n in range(60)]
    cases = [f"C{n:03d}" for n in range(60)]
    table = features["A"].assign(patient_id=patients, case_id=cases)
    clinical = clinical.assign(patient_id=patients, case_id=cases)
    with refusal("ids-spelled-alike", StudyError) as caught:
        small_study(tmp_path, {"A": table}, clinical, DICTIONARY, unit="case")
    assert caught.value.found.startswith("30 pairs: P001 and p001, ")
    assert "and 22 more" in caught.value.found
    # The remedy: one way in every table.
    lower = {"patient_id": [each.upper() for each in patients]}
    small_study(tmp_path, {"A": table.assign(**lower)}, clinical.assign(**lower), DICTIONARY,
                unit="case")  # fmt: skip


def test_a_case_has_one_spelling_too():
    cases = pd.DataFrame({"patient_id": ["P1", "P2"], "case_id": ["P1-L1", "p1-l1"]})
    with refusal("ids-spelled-alike", StudyError, match="the column case_id"):
        check_ids_spelled(cases=cases)
    check_ids_spelled(cases=cases.iloc[:1], clinical=None)


def test_ids_that_are_different_stay_so():
    ids = ["1-23", "12-3", "123", "P1-1", "P11", "A10", "A1", "0", "10", "100"]
    assert ids_spelled_twice({"a": ids}) == []


@given(st.integers(0, 10**6), st.integers(0, 4), st.sampled_from(["", "-", "_", " "]))
def test_padding_case_and_signs_make_one_id(number, zeros, sign):
    assert plain_id(f"P{sign}{'0' * zeros}{number}") == plain_id(f"p{number}")


@given(st.lists(st.integers(0, 10**5), unique=True, min_size=2, max_size=20))
def test_different_numbers_are_different_ids(numbers):
    assert ids_spelled_twice({"t": [f"P{number:06d}" for number in numbers]}) == []


@pytest.mark.parametrize(
    "rows", [["mean", "std"], ["Mean", "SD", "N"], ["Total"], ["Std. Dev"], ["n=60"], ["25%"]]
)
def test_summary_rows_are_no_patients(tmp_path, rows):
    features, clinical = small_tables()
    table = features["A"].assign(Target=clinical["pain"]).set_index("patient_id")
    for row in rows:
        table.loc[row] = table.mean()
    with refusal("row-of-no-patient", StudyError) as caught:
        small_study(tmp_path, {"A": table.reset_index()}, formula="Target == 1")
    assert caught.value.found == ", ".join(rows)
    numbers = ", ".join(str(62 + at) for at in range(len(rows)))
    assert f"row{'s' * (len(rows) > 1)} {numbers}, column patient_id" in caught.value.where
    small_study(tmp_path, {"A": table.iloc[:60].reset_index()}, formula="Target == 1")


def test_a_summary_in_the_clinical_table_and_a_row_without_an_id(tmp_path):
    features, clinical = small_tables()
    below = pd.DataFrame({"patient_id": ["average"], "age": [60], "pain": [0]})
    with refusal("row-of-no-patient", StudyError):
        small_study(tmp_path, features, pd.concat([clinical, below]), DICTIONARY)
    below["patient_id"] = None
    with refusal("cell-blank", StudyError):
        small_study(tmp_path, features, pd.concat([clinical, below]), DICTIONARY)
    table = features["A"].copy()
    table.loc[60] = table.mean(numeric_only=True)
    with refusal("cell-not-allowed", StudyError) as caught:
        small_study(tmp_path, {"A": table}, clinical, DICTIONARY)
    assert "totals below a table are no patient" in str(caught.value)


def test_the_mean_of_ids_that_are_numbers_is_a_summary():
    sheet = pd.DataFrame({"patient_id": [*map(str, range(1, 31)), "15.5"]}, dtype=object)
    with refusal("row-of-no-patient", StudyError) as caught:
        write_ids(sheet, "t.csv")
    assert caught.value.found == "15.5"


@pytest.mark.parametrize(
    "ids", [list("ABCDEFGHIJKLMNOPQ"), ["Q1", "Q2", "Q3", "Q4"], ["1.5", "2.5", "3"], ["P01", "M"]]
)
def test_ids_that_only_look_short_are_patients(ids):
    problems = Problems("ids")
    check_rows_of_patients(pd.Series(ids, name="patient_id"), "t.csv", problems)
    assert not problems
    assert not is_summary("P-total")


@pytest.mark.parametrize("word", ["MW", "Mw.", "MW±SD", "gesamt n", "Alle"])
def test_german_summaries_are_no_patients(word):
    problems = Problems("a table")
    ids = pd.Series([f"P{n:03d}" for n in range(30)] + [word], name="patient_id")
    check_rows_of_patients(ids, "a table", problems)
    assert problems.errors
