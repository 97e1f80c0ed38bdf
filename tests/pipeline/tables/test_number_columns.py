"""Columns of numbers: what their notation was read as is said, and what is none is refused."""

import logging

import pandas as pd
import pytest

from models.judging.predictions import read_predictions
from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems
from pipeline.study.described_columns import read_units
from pipeline.tables.number_columns import column_of_numbers
from tests.support.refusals import refusal


def test_a_notation_is_said_once_a_kind(caplog):
    values = pd.Series(["0,5", None, "0,75", "1"], index=[3, 4, 5, 6], name="risk")
    problems = Problems("a table")
    with caplog.at_level(logging.INFO):
        found = column_of_numbers(values, "t.csv", problems)
    problems.raise_if_any()
    assert found.dropna().tolist() == [0.5, 0.75, 1.0]
    assert found.isna().tolist() == [False, True, False, False]
    assert [record.getMessage() for record in caplog.records] == [
        "t.csv, column risk: 0,5 is read as 0.5"
    ]


def test_a_word_is_refused_with_its_cell():
    problems = Problems("a table")
    column_of_numbers(pd.Series(["1", "old"], index=[2, 3], name="age"), "t.csv", problems)
    with refusal(
        "value-not-a-number",
        StudyError,
        match="A value of age must be a number. Found: old. In: t.csv, row 3",
    ):
        problems.raise_if_any()


@pytest.mark.parametrize("written", ["0,5", "0.5"])
def test_predictions_that_are_judged_say_how_they_were_read(tmp_path, caplog, written):
    path = tmp_path / "given.csv"
    pd.DataFrame({"dead": [1, 0], "risk": [written, written]}).to_csv(path, index=False)
    with caplog.at_level(logging.INFO):
        rows, _ = read_predictions(path, "dead", ["risk"])
    assert rows["risk"].tolist() == [0.5, 0.5]
    assert ("is read as 0.5" in caplog.text) == (written == "0,5")


@pytest.mark.parametrize("written", ["0,5", "0.5"])
def test_a_table_without_a_dictionary_says_how_it_was_read(tmp_path, caplog, written):
    path = tmp_path / "given.csv"
    cells = [written, *(written.replace("5", str(digit)) for digit in range(1, 5))]
    pd.DataFrame({"creatinine": cells}).to_csv(path, index=False)
    with caplog.at_level(logging.INFO):
        units = read_units(path)
    assert units.table["creatinine"].tolist() == [0.5, 0.1, 0.2, 0.3, 0.4]
    assert ("is read as 0.5" in caplog.text) == (written == "0,5")
