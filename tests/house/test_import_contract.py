"""The one direction of data flow: stages exchange files, shared ground imports no stage."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path


def test_import_contract_holds(repository):
    command = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([command], cwd=repository, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def imported(path: Path) -> set[str]:
    """Return the names that a module imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def rooms_of(modules: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the rooms that each room reads, but for those above and below it in the tree."""
    rooms: dict[str, set[str]] = {}
    for module, names in modules.items():
        room = module.rpartition(".")[0]
        for other in {name.rpartition(".")[0] for name in names if name in modules}:
            if not f"{other}.".startswith(f"{room}.") and not f"{room}.".startswith(f"{other}."):
                rooms.setdefault(room, set()).add(other)
    return rooms


def circle_of(rooms: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Return rooms that read one another in a circle, empty where there is none."""
    try:
        tuple(TopologicalSorter(rooms).static_order())
    except CycleError as error:
        return tuple(error.args[1])
    return ()


def test_no_rooms_read_one_another_in_a_circle(repository):
    modules = {
        ".".join(path.relative_to(repository).with_suffix("").parts): imported(path)
        for package in ("pipeline", "segmentation", "models", "deployment", "intake")
        for path in (repository / package).rglob("*.py")
    }
    rooms = rooms_of(modules)
    assert len(rooms) > 40
    assert not circle_of(rooms)
    assert circle_of(rooms | {"pipeline.core": {"pipeline.study.options"}})
