"""Damaged tables and configurations end in one clear error, or read as another reader reads them.

tests/fuzz/tables.py holds the originals, the other readers and the judge; it runs in a process of
its own with little memory, whose death is a failure of the file at hand.
"""

from __future__ import annotations

import pytest

from pipeline.core.errors import StudyError
from tests.fuzz import tables
from tests.fuzz.driver import check, run
from tests.fuzz.tables import Judge, broken, originals

MODULE = "tests.fuzz.tables"
FEW, MANY = 195, 5200


def test_some_damaged_tables(repository):
    tried = run(MODULE, FEW, repository)
    assert len(tried) == FEW
    assert {one["name"] for one in tried.values()} == {one.name for one in originals()}
    check(MODULE, tried)


@pytest.mark.slow
def test_five_thousand_damaged_tables(repository):
    tried = run(MODULE, MANY, repository)
    assert len(tried) == MANY
    check(MODULE, tried)


# --- the judge itself ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return Judge(tmp_path_factory.mktemp("fuzz")), {one.name: one for one in originals()}


def test_the_same_numbers_do_the_same_damage(judge):
    for one in judge[1].values():
        assert broken(one, 5) == broken(one, 5)


@pytest.mark.parametrize("name", ["csv", "xlsx-shared", "parquet-checked", "csv-gz"])
def test_another_cell_than_that_of_another_reader_is_a_failure(judge, monkeypatch, name):
    judge, made = judge
    assert judge.verdict(made[name], made[name].content) == "accepted"

    def one_cell_wrong(path):
        sheet = read(path)
        sheet.iloc[2, 1] = "7"
        return sheet

    read = tables.read_sheet
    monkeypatch.setattr(tables, "read_sheet", one_cell_wrong)
    assert "read otherwise" in judge.verdict(made[name], made[name].content)


def test_a_lost_row_is_a_failure(judge, monkeypatch):
    judge, made = judge
    read = tables.read_sheet
    monkeypatch.setattr(tables, "read_sheet", lambda path: read(path).iloc[:-1])
    assert "24 x 6 cells" in judge.verdict(made["xlsx"], made["xlsx"].content)


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (KeyError("x"), "FAILURE: KeyError in place of a clear error"),
        (MemoryError(), "FAILURE: MemoryError in place of a clear error"),
        (StudyError("A table must be good"), "refused: A table must be good."),
    ],
)
def test_what_is_no_clear_error_is_a_failure(judge, monkeypatch, raised, words):
    judge, made = judge

    def read(path):
        raise raised

    monkeypatch.setattr(tables, "read_sheet", read)
    assert judge.verdict(made["csv"], made["csv"].content).startswith(words)
