"""docs/bad_inputs.md is true: each row's test exists, and the program still says the message."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SECTIONS = (
    *("DICOM", "Volumes", "Masks", "Tables", "Configuration", "Parameter files"),
    *("Frozen models", "Machine"),
)
HEADERS = [[what, "severity and message (start)", "test"] for what in ("bad input", "fault")]


class Row(NamedTuple):
    section: str
    bad_input: str
    severity: str
    message: str
    test: str


def cells_of(line: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def read_rows(text: str) -> list[Row]:
    rows, section = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:].strip()
        elif line.startswith("|") and not line.startswith("|--") and cells_of(line) not in HEADERS:
            cells = cells_of(line)
            assert len(cells) == 3, f"three cells, please: {line}"
            said = re.fullmatch(r"(error|warning): (.+)", cells[1])
            assert said, f"write `error: message` or `warning: message`: {line}"
            rows.append(Row(section, cells[0], *said.groups(), cells[2].strip("`")))
    return rows


ROWS = read_rows((REPOSITORY / "docs" / "bad_inputs.md").read_text(encoding="utf-8"))


def texts_of(path: Path) -> list[str]:
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
    said = [said for path in files for said in texts_of(path)]
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
    assert len(errors) >= 60
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
    assert is_said(row.message, program()), f"nothing in the program says: {row.message}"


def test_a_message_that_nobody_says_is_noticed():
    assert is_said("A CT must have at least ... slices", program())
    assert not is_said("A CT must have at most ... slices", program())
    with pytest.raises(AssertionError, match="three cells"):
        read_rows("| one | error: two |")
    with pytest.raises(AssertionError, match="write `error: message`"):
        read_rows("| one | two | three |")
