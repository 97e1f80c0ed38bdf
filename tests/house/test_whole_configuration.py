"""A function takes the section or the values that it needs, and not the whole configuration.

What takes it all depends on all of it: nobody sees which options decide, it cannot be called
without a study, and to reuse it a caller has to make up a configuration.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("pipeline", "segmentation", "models", "deployment", "intake", "demo", "proofs")
PACKAGES += ("benchmarks", "snakemake_logger_plugin_vertebromics")

NAMES = frozenset({"config", "configuration", "resolved"})
"""Parameters and attributes that are called so, and are no path, hold a whole configuration."""

TYPES = frozenset({"Study", "Options"})
"""Classes that hold one, as annotations name them; `Options` is that of `study_options`."""

OTHER_OPTIONS = frozenset({"models/regress.py", "models/regression/analysis.py"})
"""Modules with a class `Options` of their own."""

COMPOSING = {
    "pipeline/study/config.py": "resolves a configuration",
    "pipeline/study/config_checks.py": "holds options of all sections to one another",
    "pipeline/study/options/acceptance.py": "holds a configuration to its classes",
    "pipeline/study/study.py": "holds it, and makes of it what a stage reads",
    "pipeline/study/modelling_checks.py": "holds options of a prediction to one another",
    "pipeline/study/analyses/prediction.py": "lists for a rule what its stage reads",
    "pipeline/study_of_run.py": "freezes it for the rules",
    "pipeline/validate.py": "checks a study's tables by it, before it is frozen",
    "pipeline/running/stage_options.py": "lists for a rule what its stage reads",
    "pipeline/running/triggers.py": "writes for a rule the options that it lists",
}
"""Module whose task is the configuration as a whole -> what it does with it."""

REMAINING: tuple[str, ...] = (
    "pipeline/reporting/results.py Results",
    "pipeline/study/analyses/analysis.py results_of",
    "pipeline/study/analyses/outcomes.py check_groups",
    "pipeline/study/analyses/outcomes.py has_course",
)
"""Functions that still take it; none is added."""


def whole(annotation: ast.expr | None, name: str, path: str) -> bool:
    text = "" if annotation is None else ast.unparse(annotation).strip("'\"")
    parts = {part.strip() for part in text.split("|")}
    if parts & TYPES and not ("Options" in parts and path in OTHER_OPTIONS):
        return True
    return name in NAMES and text.partition("[")[0].strip() not in ("Path", "str | Path")


def takers(tree: ast.AST, path: str) -> Iterator[str]:
    """Yield the functions, and the classes with an attribute, that take a whole configuration."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            given = node.args
            every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            name = getattr(node, "name", "lambda")
            if any(whole(each.annotation, each.arg, path) for each in every):
                yield f"{path} {name}"
        elif isinstance(node, ast.ClassDef):
            held = [line for line in node.body if isinstance(line, ast.AnnAssign)]
            if any(whole(line.annotation, ast.unparse(line.target), path) for line in held):
                yield f"{path} {node.name}"


def copies(tree: ast.AST, path: str) -> Iterator[str]:
    """Yield the places that copy a whole configuration, to change it or to make one up."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            copying = called in ("copy.deepcopy", "deepcopy", "copy.copy", "merge", "dict")
            if copying and any(isinstance(a, ast.Name) and a.id in NAMES for a in node.args):
                yield f"{path}:{node.lineno}"
        elif isinstance(node, ast.Dict):
            merged = [v for k, v in zip(node.keys, node.values, strict=True) if k is None]
            if any(isinstance(value, ast.Name) and value.id in NAMES for value in merged):
                yield f"{path}:{node.lineno}"


def modules(repository: Path) -> Iterator[tuple[str, ast.AST]]:
    for package in PACKAGES:
        for file in sorted((repository / package).rglob("*.py")):
            path = file.relative_to(repository).as_posix()
            yield path, ast.parse(file.read_text(encoding="utf-8"))


def test_only_what_is_listed_takes_the_whole_configuration(repository: Path) -> None:
    """A new one fails here; so does one that is listed and takes it no more."""
    found = {each for path, tree in modules(repository) for each in takers(tree, path)}
    composing = {each for each in found if each.partition(" ")[0] in COMPOSING}
    assert sorted(found - composing) == sorted(REMAINING)
    assert {each.partition(" ")[0] for each in composing} == set(COMPOSING)


def test_only_what_composes_a_configuration_copies_one(repository: Path) -> None:
    """Elsewhere a changed number is `dataclasses.replace`, or an argument."""
    found = {each for path, tree in modules(repository) for each in copies(tree, path)}
    assert {each.partition(":")[0] for each in found} <= set(COMPOSING)


def test_what_takes_or_copies_a_whole_configuration_is_found() -> None:
    text = """
class Setting:
    config: Mapping

def a(config: Mapping) -> None: ...
def b(study: Study | None, seed: int) -> None: ...
def c(config: Path, split: Split) -> None: ...
def d(options: Options) -> None: ...
copy.deepcopy(config)
{**config, "seed": 1}
{**section, "seed": 1}
"""
    tree = ast.parse(text)
    assert list(takers(tree, "x.py")) == ["x.py Setting", "x.py a", "x.py b", "x.py d"]
    assert "models/regress.py d" not in list(takers(tree, "models/regress.py"))
    assert [each.partition(":")[2] for each in copies(tree, "x.py")] == ["9", "10"]
