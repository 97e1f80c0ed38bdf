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
    "pipeline/study_of_run.py": "freezes it for the rules",
    "pipeline/running/stage_options.py": "lists for a rule what its stage reads",
    "pipeline/running/triggers.py": "writes for a rule the options that it lists",
}
"""Module whose task is the configuration as a whole -> what it does with it."""

REMAINING: tuple[str, ...] = (
    "models/regress_study.py regress_study",
    "models/regression/study_cohort.py study_cohort",
    "pipeline/describe_course.py _scales_and_events",
    "pipeline/describe_course.py course",
    "pipeline/describe_groups.py compare",
    "pipeline/extraction/parameter_sets/robust_costs.py how_perturbed",
    "pipeline/extraction/parameter_sets/robust_costs.py measured_by_studies",
    "pipeline/extraction/parameter_sets/robust_costs.py of",
    "pipeline/join.py _implausible",
    "pipeline/join.py _write_perturbed",
    "pipeline/join.py analysis_table",
    "pipeline/join.py describe",
    "pipeline/preflight.py compare",
    "pipeline/reporting/judged_rows.py judged_rows",
    "pipeline/reporting/reading_results.py _imaging",
    "pipeline/reporting/reading_results.py _learning",
    "pipeline/reporting/reading_results.py _modelling",
    "pipeline/reporting/reading_results.py _of_features",
    "pipeline/reporting/results.py Results",
    "pipeline/reporting/results.py compares",
    "pipeline/reporting/results.py has_features",
    "pipeline/reporting/results.py has_images",
    "pipeline/reporting/results.py has_models",
    "pipeline/reporting/results.py regresses",
    "pipeline/reporting/validation_kind.py validation_text",
    "pipeline/reproducibility.py levels_of",
    "pipeline/running/trace.py _depends_on",
    "pipeline/running/trace.py _features_entry",
    "pipeline/running/trace.py _parameters",
    "pipeline/running/trace.py _registered",
    "pipeline/running/trace.py _row",
    "pipeline/running/trace.py _trace",
    "pipeline/running/trace.py _verification",
    "pipeline/running/trace.py trace_case",
    "pipeline/settings.py page_of",
    "pipeline/study/analyses/analysis.py results_of",
    "pipeline/study/analyses/analysis.py runs",
    "pipeline/study/analyses/outcomes.py check_groups",
    "pipeline/study/analyses/outcomes.py check_plan",
    "pipeline/study/analyses/outcomes.py has_course",
    "pipeline/study/analyses/prediction.py added_value_options",
    "pipeline/study/analyses/prediction.py control_options",
    "pipeline/study/clinical_checks.py check_formulas",
    "pipeline/study/clinical_checks.py check_groups",
    "pipeline/study/clinical_checks.py check_split_column",
    "pipeline/study/draft/whats_wrong.py lines_to_paste",
    "pipeline/study/flow/patient_flow.py _screen_clinical",
    "pipeline/study/flow/patient_flow.py build_flow",
    "pipeline/study/flow/patient_flow.py follow_formulas",
    "pipeline/study/flow/patient_flow.py screen",
    "pipeline/study/flow/patient_flow.py units_by_tables",
    "pipeline/study/flow/warnings_of_few.py warn_if_too_few",
    "pipeline/study/modelling_checks.py check_harmonisation",
    "pipeline/study/modelling_checks.py check_no_hold_out",
    "pipeline/study/modelling_checks.py check_primary",
    "pipeline/study/modelling_checks.py check_published_order",
    "pipeline/study/modelling_checks.py check_repeated_models",
    "pipeline/study/perturbed_masks.py check_perturbations",
    "pipeline/study/perturbed_masks.py cost_of",
    "pipeline/study/perturbed_masks.py perturbed_reader",
    "pipeline/study/perturbed_masks.py perturbs",
    "pipeline/study/site_checks.py _check_covariates",
    "pipeline/study/site_checks.py _check_rows",
    "pipeline/study/site_checks.py _warn_of_outcome",
    "pipeline/study/site_checks.py check_site",
    "pipeline/study/study_groups.py groups_of_study",
    "pipeline/tables/cases.py read_cases_of_sites",
    "pipeline/tables/clinical/clinical_source.py _beside_features",
    "pipeline/tables/clinical/clinical_source.py _dictionary_of_sheets",
    "pipeline/tables/clinical/clinical_source.py _named_columns",
    "pipeline/tables/clinical/clinical_source.py _with_dictionary",
    "pipeline/tables/clinical/clinical_source.py clinical_tables",
    "pipeline/tables/clinical/clinical_source.py used_columns",
    "pipeline/tables/features/feature_columns.py of",
    "pipeline/tables/features/site_features.py ready_columns",
    "pipeline/tables/features/site_features.py ready_keys",
    "pipeline/tables/features/site_features.py ready_table",
    "pipeline/tables/features/site_features.py ready_tables",
    "pipeline/tables/pairs.py check_ids_meet",
    "pipeline/tables/pairs.py check_together",
    "pipeline/tables/schemas/catalogue.py places_of",
    "pipeline/tables/schemas/pages.py study_page",
    "pipeline/tables/schemas/pages.py write_study_page",
    "pipeline/tables/sites.py dictionary_with_site",
    "pipeline/tables/sites.py feature_files",
    "pipeline/tables/sites.py feature_readers",
    "pipeline/tables/sites.py has",
    "pipeline/tables/sites.py has_sites",
    "pipeline/tables/sites.py sites_of",
    "pipeline/tables/sites.py spellings_of",
    "pipeline/validate.py _check_convention",
    "pipeline/validate.py _check_readers",
    "pipeline/validate.py _check_tables",
    "pipeline/validate.py _read_ready",
    "pipeline/validate.py _read_tables",
    "pipeline/validate.py _tell_perturbations",
    "pipeline/validate.py check_ablated",
    "pipeline/validate.py validate_study",
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
