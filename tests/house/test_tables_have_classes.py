"""Stages write and read tables with their class, so that a study has no table without one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("pipeline", "segmentation", "models", "deployment")

#: Calls that know no class: they read whatever table a store's entry or a person names.
ANY_TABLE = {
    ("pipeline/core/keeping/remaking.py", "read_table"),
    ("pipeline/extraction/parameter_sets/compare.py", "read_table"),
    ("pipeline/extraction/parameter_sets/compare.py", "write_table"),
}

#: Tables that have no class yet: this list only gets shorter.
NOT_YET = {
    ("deployment/predict.py", "write_table"),
}

#: Function -> which argument is the class of the table.
SCHEMA_AT = {"read_table": 1, "write_table": 2, "write_result": 3}


def calls_without(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = SCHEMA_AT.get(node.func.id)
            named = any(keyword.arg == "schema" for keyword in node.keywords)
            if place is not None and len(node.args) <= place and not named:
                yield node.func.id, node.lineno


def modules(repository: Path) -> list[Path]:
    found = (path for name in PACKAGES for path in (repository / name).rglob("*.py"))
    return sorted(path for path in found if path != repository / "pipeline/core/files.py")


def test_every_table_is_written_and_read_by_its_class(repository: Path) -> None:
    """Else: write a class into pipeline/tables/schemas, name it here, list it in the catalogue."""
    silent = {}
    for path in modules(repository):
        name = path.relative_to(repository).as_posix()
        for called, line in calls_without(path):
            silent.setdefault((name, called), []).append(line)
    assert silent.keys() - ANY_TABLE - NOT_YET == set(), silent
    assert silent.keys() >= ANY_TABLE | NOT_YET


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("read_table(path)", 1),
        ("read_table(path, Ingest)", 0),
        ("write_table(table, path, csv=True)", 1),
        ("write_table(table, path, Ingest, csv=True)", 0),
        ("write_table(table, path, schema=Ingest)", 0),
        ("write_result(table, path, mode, leaks=False)", 1),
    ],
)
def test_a_call_without_a_class_is_noticed(code: str, found: int, tmp_path: Path) -> None:
    (tmp_path / "stage.py").write_text(code, encoding="utf-8")
    assert len(list(calls_without(tmp_path / "stage.py"))) == found
