"""What people read speaks of held-out patients: "test rows" are a programmer's word."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "segmentation", "models", "deployment", "intake", "proofs", "demo")
FORBIDDEN = re.compile(r"\btest\s+rows?\b", re.IGNORECASE)

#: Keys of a table's columns, which files keep.
KEYS = {"test rows"}


def literals(source: str) -> list[str]:
    """Return the texts of a module that are neither docstrings nor parts of another text."""
    tree = ast.parse(source)
    silent = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }  # docstrings of modules, classes, functions and constants
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent
    ]


def test_a_text_across_lines_is_found_and_a_docstring_is_not():
    source = (
        'def a():\n    """On test rows."""\n    return ("on the test "\n        f"rows of {a}")\n'
    )
    assert [text for text in literals(source) if FORBIDDEN.search(text)] == ["on the test rows of "]


def texts_of(package: str) -> list[tuple[str, str]]:
    return [
        (str(path.relative_to(ROOT)), text)
        for path in sorted((ROOT / package).rglob("*.py"))
        for text in literals(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_text_of_the_program_speaks_of_test_rows(package):
    texts = texts_of(package)
    assert texts
    found = [(path, text) for path, text in texts if FORBIDDEN.search(text) and text not in KEYS]
    assert found == []


@pytest.mark.parametrize("folder", ["", "docs", "config"])
def test_no_page_speaks_of_test_rows(folder):
    pages = [
        path
        for path in sorted((ROOT / folder).glob("*"))
        if path.suffix in (".md", ".yaml", ".json") and path.name != "CHANGELOG.md"
    ]
    assert pages
    assert [path.name for path in pages if FORBIDDEN.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("folder", ["pipeline", "segmentation", "models", "deployment"])
def test_no_template_or_checklist_speaks_of_test_rows(folder):
    files = [
        path
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".j2", ".yaml", ".rst", ".smk")
    ]
    assert files
    said = [
        line
        for path in files
        for line in path.read_text("utf-8").splitlines()
        if FORBIDDEN.search(line)
    ]
    assert said == []
