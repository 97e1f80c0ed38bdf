"""docs/bad_inputs.md is true: each row's test exists, and the program still says the message."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from pipeline.core.errors import StudyError
from pipeline.study.options.bad_inputs import (
    IN_THE_LINE,
    Row,
    bad_inputs_page,
    read_sections,
    rows_of,
)
from pipeline.study.options.error_codes import may_be, remedies_of, said_in, texts_of
from tests.support.refusals import refusal

REPOSITORY = Path(__file__).resolve().parents[2]
SECTIONS = (
    *("DICOM", "Volumes", "Masks", "Tables", "Configuration", "Parameter files"),
    *("Too few patients for a model", "Frozen models", "Altered files of frozen models"),
    *("Shared results", "Commands", "Machine", "Steps run by hand, or after an update"),
    *("Demo and proofs", "Calls in Python"),
)

#: Rows whose remedy no test can apply: this number only falls. A new row needs its remedy in
#: tests/remedies; of calls in Python it is the reader's own code.
NOT_TRIED = 2

#: Rows with a code for which only the running program knows a remedy (a value near the one that was
#: written, the list that fits): this number only falls.
SILENT = 83

ROWS = rows_of(read_sections(REPOSITORY))


def texts_in(path: Path) -> list[str]:
    """Return the strings of a module; what an f-string or a sum inserts is `...`."""

    def text(node: ast.AST) -> str:
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else ""
        if isinstance(node, ast.JoinedStr):
            return "".join(text(part) or "..." for part in node.values)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return (text(node.left) or "...") + (text(node.right) or "...")
        return ""

    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [said for said in map(text, ast.walk(tree)) if said]


@functools.cache
def program() -> str:
    """Return the strings of the program, each in lines of its own."""
    files = [
        path
        for folder in ("pipeline", "segmentation", "models", "deployment", "intake")
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
    ]
    schemas = sorted((REPOSITORY / "pipeline" / "schemas").glob("*.yaml"))
    said = [said for path in files for said in texts_in(path)]
    return "\n".join([*said, *(path.read_text(encoding="utf-8") for path in schemas)])


def is_said(message: str, by: str) -> bool:
    """Return whether a line of `by` holds `message`, whose `...` stand for anything in it."""
    return re.search(".*".join(map(re.escape, message.split("..."))), by) is not None


@functools.cache
def functions_of(path: Path) -> tuple[str, set[str]]:
    """Return the text of a file of tests, and the names of the functions in it."""
    text = path.read_text(encoding="utf-8")
    nodes = ast.walk(ast.parse(text))
    return text, {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def test_there_are_enough_rows_and_no_two_are_the_same():
    errors = [row for row in ROWS if row.severity == "error"]
    assert len(errors) >= 600
    inputs = [(row.section, row.bad_input.lower()) for row in ROWS]
    assert sorted(set(inputs)) == sorted(inputs)


def test_every_kind_of_input_has_its_section():
    assert {row.section for row in ROWS} == set(SECTIONS)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.section}: {row.bad_input}" for row in ROWS])
def test_row(row):
    name, _, function = row.test.partition("::")
    function, _, case = function.removesuffix("]").partition("[")
    path = REPOSITORY / name
    assert path.is_file(), f"no such file of tests: {name}"
    text, defined = functions_of(path)
    assert function.split("::")[-1] in defined, f"no such test: {row.test}"
    assert case in text, f"no such case: {row.test}"
    said = any(may_be(row.message, text) for text in texts_of(row.code))
    assert said or is_said(row.message, program()), f"nothing in the program says: {row.message}"


def test_the_severity_is_that_of_the_code():
    told = {}
    for one in said_in():
        told.setdefault(one.code, set()).add(one.severity)
    # Empty is a severity that the program decides as it runs.
    wrong = [row for row in ROWS if row.code and not {row.severity, ""} & told[row.code]]
    assert wrong == []


def test_every_row_says_what_to_do_or_who_says_it():
    silent = [row.code for row in ROWS if not row.remedy and row.code]
    assert len(silent) <= SILENT, silent


def test_remedies_that_no_test_applies_get_fewer():
    calls = {one["section"] for one in read_sections(REPOSITORY) if one.get("kind") == "python"}
    assert calls == {"Calls in Python"}
    untried = [row.code for row in ROWS if not row.tried and row.section not in calls]
    assert len(untried) <= NOT_TRIED, untried


def test_a_row_says_why_no_test_applies_its_remedy():
    """Else: apply it in tests/remedies, or write `why_not_tried` beside `tried: false`."""
    assert [row for row in ROWS if row.tried == bool(row.why_not_tried)] == []
    given = sections(code="gantry-tilt", tried=False)
    assert [row.why_not_tried for row in rows_of(given)] == [""]
    given[0]["why_not_tried"] = "it needs a gantry"
    assert [row.why_not_tried for row in rows_of(given)] == ["it needs a gantry"]
    given[0]["rows"][0]["tried"] = True
    assert [row.why_not_tried for row in rows_of(given)] == [""]


def test_a_message_that_nobody_says_is_noticed():
    assert is_said("A CT must have at least ... slices", program())
    assert not is_said("A CT must have at most ... slices", program())


def sections(**row: object) -> list[dict]:
    return [{"section": "DICOM", "rows": [{"input": "one", "test": "t", **row}]}]


def test_a_row_takes_its_words_from_the_code():
    assert rows_of(sections(code="gantry-tilt")) == [
        Row(
            *("DICOM", "one", "gantry-tilt", "error"),
            "Slices must be stacked at a right angle (no gantry tilt)",
            *("t", remedies_of("gantry-tilt", "")[0]),
        )
    ]


def test_a_row_of_no_code_or_of_several_sentences_says_what_is_meant():
    with refusal("row-without-code", StudyError, match="Found: no-such-code"):
        rows_of(sections(code="no-such-code"))
    with refusal("row-without-message", StudyError, match=r"with the start of one: .* / "):
        rows_of(sections(code="mask-empty"))
    (row,) = rows_of(sections(code="mask-empty", message="A mask must not be empty"))
    assert row.message == "A mask must not be empty"


def test_the_page_shows_every_row():
    page = bad_inputs_page()
    assert sum(line.startswith("| ") for line in page.splitlines()) == len(ROWS) + len(SECTIONS)
    assert "the option `on_bad_case` decides" in page
    assert f"| {IN_THE_LINE} |" in page
