"""What docstrings say is true: their examples run, and their parameters are those of the code.

numpydoc's own validation would bring Sphinx and its eighteen packages for one comparison of names,
and asks for a section of parameters where one sentence says all.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("pipeline", "segmentation", "models", "deployment", "intake", "demo")

MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))

_SECTION = re.compile(r"^(\S.*)\n-+\n", re.MULTILINE)
_NAMES = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: :.*)?$", re.MULTILINE)


def described(docstring: str, section: str) -> list[str] | None:
    """Return the names that a section of a numpydoc docstring describes, None without section."""
    parts = _SECTION.split(docstring)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if section not in sections:
        return None
    return [
        name.strip("* ") for names in _NAMES.findall(sections[section]) for name in names.split(",")
    ]


def taken(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the names that a function takes, without `self` and `cls`."""
    of = function.args
    every = [*of.posonlyargs, *of.args]
    every += [of.vararg] if of.vararg else []
    every += of.kwonlyargs
    every += [of.kwarg] if of.kwarg else []
    return [each.arg for each in every if each.arg not in ("self", "cls")]


def documented(tree: ast.AST) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield name, described and taken parameters of what has a section of parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = taken(node)
        elif isinstance(node, ast.ClassDef):
            made = [
                each
                for each in node.body
                if isinstance(each, ast.FunctionDef) and each.name == "__init__"
            ]
            if not made:
                continue  # of a dataclass the attributes are described
            names = taken(made[0])
        else:
            continue
        told = described(ast.get_docstring(node) or "", "Parameters")
        if told is not None:
            yield node.name, told, names


def differing(source: str) -> list[str]:
    """Return what describes other parameters than it takes, in whatever order."""
    return [
        f"{name}: describes {', '.join(told) or 'nothing'}; takes {', '.join(names) or 'nothing'}"
        for name, told, names in documented(ast.parse(source))
        if sorted(told) != sorted(names)
    ]


def test_parameters_are_described_as_they_are_taken():
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in MODULES
        if (found := differing(path.read_text(encoding="utf-8")))
    }
    assert not wrong


@pytest.mark.parametrize(
    ("taken_names", "found"),
    [
        ("a, b", False),
        ("b, a", False),
        ("a", True),
        ("a, b, c", True),
        ("self, a, *, b", False),
    ],
)
def test_a_description_of_something_else_is_found(taken_names, found):
    source = f'''
def total({taken_names}):
    """Add.

    Parameters
    ----------
    a, b : float
        Numbers.

    Returns
    -------
    float
    """
'''
    assert bool(differing(source)) == found


SKIPPED = {"pipeline/extraction/engine.py"}
"""Whose example reads a CT that a reader of the documentation has."""

WITH_EXAMPLES = [path for path in MODULES if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_run(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    ran = result.attempted - getattr(result, "skipped", 0)  # Python 3.13 counts the skipped, too
    assert bool(ran) == (str(path.relative_to(ROOT)) not in SKIPPED)
    assert not result.failed
