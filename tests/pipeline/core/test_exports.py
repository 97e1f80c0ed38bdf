"""Tables that people open in a spreadsheet hold no formula, and read back as they were."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.files import csv_text, escaped, unescaped, write_csv
from pipeline.tables.files.sheets import read_sheet

REPOSITORY = Path(__file__).resolve().parents[3]

#: Who may write CSV by itself: what no person opens, or holds no text of others.
OWN = {
    "pipeline/core/files.py": "the function itself",
    "pipeline/running/triggers.py": "lines that are hashed, not written",
    "pipeline/study/new_study.py": "templates of this project's own words",
    "intake/handover/pages/hospital_report.py": "escapes each cell",
    "intake/identity/containers.py": "text that is searched, not written",
}


@given(st.text() | st.text("'=+-@\t\r\n1a(. ", max_size=8))
def test_what_is_escaped_comes_back(text):
    written = escaped(text)
    assert unescaped(written) == text
    assert written in (text, f"'{text}")
    if text[:1] in ("=", "@", "\t", "\r"):
        assert written == f"'{text}"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-focal", "-1+2", "-2+cmd()", "\t=1", "\uff1d1+1",
     "-1 =A1", "-A1", "+(1)", "- focal", "-1*2", '-1 "x"', "'=1"],
)  # fmt: skip
def test_what_a_spreadsheet_would_compute_gets_an_apostrophe(text):
    assert escaped(text) == f"'{text}"


@pytest.mark.parametrize(
    "value",
    ["-1.5", "+2", "-1e-5", "-0.02 (-0.10 to 0.05)", "-", "--", "+", "a=b", "", "L1", "don't",
     "-3%", -1.5, None, 7, True],
)  # fmt: skip
def test_numbers_and_plain_words_stay_as_they_are(value):
    assert escaped(value) is value


def test_a_table_without_formulas_is_written_as_before(tmp_path):
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(20, 3)), columns=["x", "y", "z"])
    table["n"], table["ok"] = range(20), [True, False] * 10
    table["word"] = [None if n % 3 else f"a, b{n}" for n in range(20)]
    table["kind"] = pd.Categorical(["u", "v"] * 10)
    table["day"] = pd.Timestamp("2025-03-01")
    table["whole"] = pd.array([1, None] * 10, dtype="Int64")
    for index in (False, True):
        expected = table.to_csv(index=index, lineterminator="\n")
        assert csv_text(table, index=index) == expected
    write_csv(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == table.to_csv(index=False)


def test_hostile_names_and_cells_come_back_through_the_projects_reader(tmp_path):
    cells = ["=1+1", "-focal", "'=quoted", "+x", "@y", "''-z", "it's", "-1.5"]
    table = pd.DataFrame({"=id": cells, "@b": cells[::-1]}, index=pd.Index(cells, name="-i"))
    write_csv(table, tmp_path / "t.csv", index=True)
    sheet = read_sheet(tmp_path / "t.csv")
    assert sheet.columns.tolist() == ["-i", "=id", "@b"]
    assert sheet["-i"].tolist() == sheet["=id"].tolist() == sheet["@b"].tolist()[::-1] == cells


def test_every_csv_is_written_by_the_function_that_escapes():
    found = set()
    for folder in ("pipeline", "segmentation", "models", "deployment", "intake", "proofs"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                called = (
                    node.func.attr
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                    else ""
                )
                writes = called in ("to_csv", "to_excel", "savetxt") or (
                    called in ("writer", "DictWriter") and ast.unparse(node.func.value) == "csv"
                )
                if writes:
                    found.add(str(path.relative_to(REPOSITORY)))
    assert found == set(OWN)
