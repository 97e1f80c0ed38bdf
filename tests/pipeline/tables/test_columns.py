"""What tables call their columns, and how their ids are written."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import StudyError
from pipeline.tables.columns import (
    analysis_name,
    likely_patient,
    name_columns,
    naming_remedy,
    table_name,
    write_ids,
)
from pipeline.tables.id_checks import SHORT_SUMMARIES, SUMMARIES
from tests.support.refusals import refusal

# A letter in front keeps drawn ids from being dates.
ids = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,12}", fullmatch=True).filter(
    lambda text: re.sub("[_-]", "", text).lower() not in SUMMARIES | SHORT_SUMMARIES
)


def sheet(*values: str | None) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": list(values)}, dtype=object)


def written(*values: str | None) -> list[str | None]:
    return write_ids(sheet(*values), "t.csv")["patient_id"].tolist()


@settings(max_examples=60)
@given(st.lists(ids, min_size=1, unique=True))
def test_well_formed_ids_stay_as_they_are(values):
    assert written(*values) == values


@settings(max_examples=60)
@given(st.lists(st.integers(0, 999), min_size=1, unique=True))
def test_ids_that_were_read_as_numbers_become_whole_ones(values):
    floats = [f"{value}.0" for value in values]
    assert written(*floats) == [str(value) for value in values]
    assert written(*written(*floats)) == written(*floats)


def test_signs_within_ids():
    assert written("case 01.nii", None, "a/b-2", "HN 3 ") == ["case_01_nii", None, "a_b-2", "HN_3"]
    # Beside other ids a point is no decimal one, and leading zeros count.
    assert written("12.0", "12b") == ["12_0", "12b"]
    assert written("007", "7") == ["007", "7"]


def test_what_may_be_a_name_is_left_to_be_refused():
    assert written("PHI CANARY", "x 1") == ["PHI CANARY", "x_1"]


@pytest.mark.parametrize("date", ["1950-03-28", "28.03.1950", "1950/03/28", "28 03 1950"])
def test_dates_in_any_writing_are_refused_and_not_shown(date):
    with refusal("ids-are-dates-or-uids", StudyError) as told:
        written("P1", date)
    assert date not in str(told.value)


def test_columns_are_named_and_joined():
    table = pd.DataFrame({"ID": ["a", "b"], "roi": ["1", None], "x": ["3", "4"]}, dtype=object)
    named = name_columns(table, {"patient_id": "PID|ID", "case_id": ["ID", "roi"]}, "t.csv")
    assert named.to_dict("list") == {
        "patient_id": ["a", "b"],
        "case_id": ["a-1", "b-"],
        "x": ["3", "4"],
    }
    # Another table of the study has the project's names already.
    other = pd.DataFrame({"patient_id": ["a"], "y": ["1"]}, dtype=object)
    assert name_columns(other, {"patient_id": "ID"}, "t.csv") is other


def test_the_remedy_keeps_what_another_table_is_called():
    columns = ["Patient ID", "age"]
    assert "`columns: {patient_id: 'Patient ID'}`" in naming_remedy("patient_id", columns)
    remedy = naming_remedy("patient_id", columns, {"patient_id": "pid"})
    assert "`columns: {patient_id: 'pid|Patient ID'}`" in remedy
    assert "<your column>" in naming_remedy("case_id", ["age"])
    assert likely_patient(["age", "sex"]) is None


@pytest.mark.parametrize("name", ["age", "level", "outcome", "unit_id", "levels", "x_"])
def test_names_inside_the_project_lead_back(name):
    assert table_name(analysis_name(name)) == name
    assert analysis_name(analysis_name(name)) == analysis_name(name)
