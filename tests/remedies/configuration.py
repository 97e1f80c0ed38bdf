"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

import argparse
import functools
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pipeline.extraction
from intake.handover.pairing.mask_paths import pattern_of
from models.judge import judge
from models.learning.family_registry import family_of
from models.learning.spaces import read_values
from models.repetitions.outer_fits import outer_fits, read_outer_fits
from models.transformers.ccc_filter import CCCFilter
from models.transformers.columns import LEVEL
from models.transformers.filters import MRMRFilter
from models.transformers.imputation import Imputer
from models.transformers.preparation import AdaptiveScaler
from pipeline.core.errors import VertebromicsError
from pipeline.extraction import load_crop
from pipeline.extraction.kernels import kernels
from pipeline.running.run import study_folder
from pipeline.study.config import load_config, resolve_config
from pipeline.study.new_study import write_templates
from pipeline.study.option_numbers import config_number, number_within
from pipeline.tables.schemas.prediction.nested import Nested, NestedPredictions
from pipeline.tables.split_designs import parts_from_column
from pipeline.tables.values.formula import Formula
from tests.models import test_judge, test_no_hold_out
from tests.models.transformers import test_filters
from tests.pipeline.extraction import test_engine_fast
from tests.pipeline.study.test_config import MODELLED
from tests.pipeline.tables import test_formula, test_split_designs
from tests.pipeline.test_validate import Files
from tests.remedies import (
    Remedy,
    clinical_studies,
    configuration_choices,
    configuration_options,
    example_images,
    maps,
    perturbations,
    refused,
    rules,
    says,
)
from tests.remedies.configuration_options import MASKS
from tests.support.clinical_study import clinical_study, write_clinical
from tests.support.filled import filled
from tests.support.stages import cohort_of, groups_of

SECTION = "Configuration"
REMEDIES: dict[str, Remedy] = {
    **rules.REMEDIES,
    **clinical_studies.REMEDIES,
    **configuration_choices.REMEDIES,
    **configuration_options.REMEDIES,
    **example_images.REMEDIES,
    **perturbations.REMEDIES,
}


def missing_file(folder: Path) -> None:
    name, right = "A configuration file that does not exist", folder / "right.yaml"
    right.write_text("study: s\nfeatures: {A: a.csv}\n")
    refused(SECTION, name, lambda: load_config([folder / "rihgt.yaml"]), "correct its path")
    load_config([right])


def name_for_the_runner(folder: Path) -> None:
    path = folder / "s.yaml"
    for bad in ("a/b", ".a", "a b", '"a\\nb"'):
        path.write_text(f"study: {bad}\n")
        refused(
            SECTION, "The same, handed to the runner", lambda: study_folder([path], []),
            "such as `study: pain-2025`",
        )  # fmt: skip
        path.write_text("study: pain-2025\n")
        assert study_folder([path], []) == Path("results/pain-2025")


def without_dictionary(name: str, options: dict, folder: Path) -> None:
    given = MODELLED | options | {"dictionary": None}
    refused(SECTION, name, lambda: resolve_config(given), "vertebromics new NAME` writes a temp")
    written = {path.name: path for path in write_templates("NAME", folder / "NAME")}
    resolve_config(given | {"dictionary": str(written["dictionary.csv"])})


REMEDIES |= {
    "A configuration file that does not exist": missing_file,
    "The same, handed to the runner": name_for_the_runner,
    **{
        name: functools.partial(without_dictionary, name, options)
        for name, options in {
            "A study of masks with a clinical table without dictionary": MASKS,
            "Named predictors without dictionary": {"predictors": ["age"]},
        }.items()
    },
}

#: Formula, what the remedy says, and the formula after it.
FORMULAS = {
    "A formula of an unknown column": [("ages > 50", "perhaps `age` is meant", "age > 50")],
    "A formula that is no condition": [
        ("age = 50", "write == for equality", "age == 50"),
        ("VAS day 3 > 4", "between backticks", "`VAS day 3` > 4"),
        ("age > 50 && bmi > 20", "use and, or, not", "age > 50 and bmi > 20"),
    ],
    "A truth value in a formula": [
        ("sex == True", "in quotes as the table writes it", "sex == 'F'"),
        ("age == None", r"a missing value is isnull\(column\)", "isnull(age)"),
    ],
    "Code in a formula": [
        ("age ** 2 > 4", r"use .*\+ - \* /", "age * age > 4"),
        ("age[0] > 4", "use and, or, not", "age > 4"),
    ],
    "Text compared with a number": [
        ("age == 'x'", "compare numbers with numbers", "age == 50"),
        ("age == '50'", "compare numbers with numbers", "age == 50"),
    ],
    "A formula that could never be true": [
        ("sex == 'f'", "perhaps `F` is meant", "sex == 'F'"),
        ("pfo in (1, 2)", "levels: 0, 1", "pfo in (1, 0)"),
    ],
    "A formula of thousands of characters": [
        ("age > 1 or " * 300 + "age > 1", "make a column of the table", "bmi > 20"),
    ],
    "A formula of hundreds of signs or parentheses": [
        ("not " * 400 + "age > 1", "leave out signs and parentheses", "age > 1"),
        ("age" + " + 1" * 300 + " > 2", "make a column of the table", "bmi > 2"),
    ],
    "A number of hundreds of digits in a formula": [
        (f"age > {'9' * 400}", "write the number that is meant", "age > 99"),
    ],
}  # fmt: skip


def formula(name: str, _: Path) -> None:
    def evaluate(text: str) -> None:
        Formula(text, "config key outcome.formula").evaluate(
            test_formula.TABLE, levels={"sex": ["F", "M"], "pfo": ["0", "1"]}
        )

    for bad, remedy, good in FORMULAS[name]:
        refused(SECTION, name, lambda bad=bad: evaluate(bad), remedy)
        evaluate(good)


REMEDIES |= {name: functools.partial(formula, name) for name in FORMULAS}


# --- Functions that refuse what a configuration would have refused before them -----------------


def whole_table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    return rng.normal(size=(30, 3)), np.arange(30) % 2


def crop(engine: str) -> object:
    image, mask = test_engine_fast.ct_and_mask()
    return load_crop(image, mask, test_engine_fast.parameters(), engine=engine)


def vary(parameter: str) -> object:
    spaces = {"tabnet": {parameter: [4]}} if parameter else {"tabnet": {}}
    return family_of("tabnet").search_phases(spaces)


def within_levels(levels: list[str | None] | None) -> object:
    readings = test_filters.readings(np.random.default_rng(12))
    table = readings if levels is None else readings.assign(**{LEVEL: levels})
    return CCCFilter(("A", "B"), test_filters.NAMES, "A", within_level=True).fit(table)


def judged(**options: object) -> object:
    return judge(test_judge.drawn(), ["risk"], **{"resamples": 100} | options)


def typed(option: str, text: str) -> float:
    key = {"confidence": "confidence", "threshold": "threshold", "resamples": "bootstrap"}[option]
    return config_number(f"evaluation.{key}")(text)


def processes(text: str) -> float:
    return number_within({"type": "integer", "minimum": 1})(text)


def split_by_time(values: list) -> object:
    return parts_from_column(test_split_designs.units(values), test_split_designs.TEMPORAL)


#: A function, arguments that it refuses, what the remedy says, and the arguments after it.
CALLS: dict[str, Sequence[tuple[Callable, object, str, Sequence[object]]]] = {
    "A search range without a lower and a higher end": [
        (lambda value: read_values(value, "k"), bad,
         r"a list of values, \{uniform: \[low, high\]\} or \{log_uniform: \[low, high\]\}",
         [[1, 2], {"uniform": [2, 3]}, {"log_uniform": [0.1, 3]}])
        for bad in ({"uniform": [3, 2]}, {"log_uniform": [0, 1]})
    ],
    "A searched parameter without a value": [
        (lambda value: read_values(value, "k"), [], "list its values", [[1]]),
        (lambda value: family_of("lr").search_phases({"lr": value}), {"C": []},
         "or remove it to keep the default", [{}]),
    ],
    "A parameter that the model does not search": [
        (vary, "depth", "remove it", [""]),
        (vary, "learningrate", "perhaps `learning_rate` is meant", ["learning_rate"]),
    ],
    "An unknown method of imputation": [
        (lambda method: Imputer(method).fit(pd.DataFrame({"a": [1.0, 2.0]})), "mice",
         "write one of them", ["median", "mean", "knn", "iterative"]),
    ],
    "An unknown scheme of mRMR": [
        (lambda scheme: MRMRFilter(2, scheme).fit(*whole_table()), "miq", "write one of them",
         ["fcq", "rfcq"]),
    ],
    "An unknown rule of the scaling": [
        (lambda method: AdaptiveScaler(method=method).fit(whole_table()[0]), "minmax",
         "write one of them", ["adaptive", "zscore"]),
    ],
    "An engine that does not exist": [
        (crop, "pyradiomix", "write one of them", ["fast", "pyradiomics"]),
    ],
    "`selection.ccc.within_level` without every level": [
        (within_levels, bad, "state the levels in column `level`", [["L1", "L2"] * 30])
        for bad in (None, ["L1"] * 59 + [None])
    ],
    "Intake: a pattern with other fields": [
        (pattern_of, bad,
         r"such as '\{patient\}_\{level\}_\{reader\}' or '\{reader\}/\{patient\}/\{level\}'",
         ["{patient}_{level}_{reader}", "{reader}/{patient}/{level}"])
        for bad in ("{patient}_{who}", "{level}{level}", "x")
    ],
    "A number on a command line that a configuration would refuse "
    "(`--confidence 95`, `--threshold nan`, `--resamples -5`)": [
        (lambda text: typed("confidence", text), "95", r"write 95 % as 0\.95", ["0.95"]),
        (lambda text: typed("confidence", text), "0,95", r"write 95 % as 0\.95", ["0.95"]),
        (lambda text: typed("threshold", text), "nan", "write such a number", ["0.5"]),
        (lambda text: typed("resamples", text), "-5", "write such a number", ["100"]),
    ],
    "Less than one process on a command line": [
        (processes, "0", "write such a number", ["1"]),
    ],
    "The same in a call of the function": [
        (lambda options: judged(**options), {"confidence": 95}, r"write 95 % as 0\.95",
         [{"confidence": 0.95}]),
        (lambda options: judged(**options), {"threshold": float("nan")}, "write such a number",
         [{"threshold": 0.5}]),
    ],
    "`models.judge`: a decision curve from high to low": [
        (lambda options: judged(**options), {"decision_curve": (0.5, 0.2)},
         "the lower end first", [{"decision_curve": (0.2, 0.5)}]),
    ],
    "A temporal split by dates or words": [
        (split_by_time, ["2020-01-31", "2020-02-01"], "continuous or ordinal.*never dates",
         [[-30.0, -29.0]]),
    ],
}  # fmt: skip


def call(name: str, _: Path) -> None:
    for door, bad, remedy, goods in CALLS[name]:
        refused(
            SECTION, name, lambda door=door, bad=bad: door(bad), remedy,
            (VertebromicsError, argparse.ArgumentTypeError),
        )  # fmt: skip
        for good in goods:
            door(good)


REMEDIES |= {name: functools.partial(call, name) for name in CALLS}


# --- Kernels -----------------------------------------------------------------------------------


def kernels_that_do_not_fit(name: str, spoil: Callable[[pytest.MonkeyPatch], None], _: Path):
    """The remedy builds them (as this checkout's are built); the other one needs none."""
    kernels.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        spoil(patch)
        refused(SECTION, name, lambda: crop("fast"), "make install.*`?engine: pyradiomics")
        assert crop("pyradiomics").engine == "pyradiomics"
    kernels.cache_clear()
    assert crop("fast").engine == "fast"


def no_kernels(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(pipeline.extraction, "_kernels", raising=False)
    patch.setitem(sys.modules, "pipeline.extraction._kernels", None)


def other_kernels(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(kernels(), "SOURCES_HASH", "0123456789abcdef")
    kernels.cache_clear()


REMEDIES |= {
    name: functools.partial(kernels_that_do_not_fit, name, spoil)
    for name, spoil in {
        "A checkout whose kernels were not built": no_kernels,
        "Kernels that were built before the last change of their C sources": other_kernels,
    }.items()
}

# --- Options against the tables ----------------------------------------------------------------

BY_SITE = {"design": "by_site", "column": "part"}

#: Options that the tables refuse, what the remedy says, and the options after it.
AGAINST_TABLES = {
    "A site to hold out that nobody belongs to": (
        {"split": BY_SITE | {"test_sites": ["tset"]}}, "choose among test, train",
        [{"split": BY_SITE | {"test_sites": ["test"]}}],
    ),
    "A feature to ablate that nobody has": (
        {"ablation": {"features": ["agee"]}}, "perhaps `age` is meant",
        [{"ablation": {"features": ["age"]}}],
    ),
    "`preflight.treated_level` names no clinical column": (
        {"preflight": {"treated_level": "where"}},
        "name the column as the data dictionary does, or write null",
        [{"preflight": {"treated_level": good}} for good in ("sex", None)],
    ),
    "`evaluation.subgroups` names a column that no table has": (
        {"evaluation": {"subgroups": {"smoker": []}}},
        "name one of level, manufacturer, scanner",
        [{"evaluation": {"subgroups": good}} for good in ({"level": []}, {"kernel": []}, {})],
    ),
    "`evaluation.subgroups` cuts a column of words": (
        {"evaluation": {"subgroups": {"sex": [1.0]}}},
        r"write `sex: \[\]`",
        [{"evaluation": {"subgroups": {"sex": []}}}],
    ),
    "Cuts of `evaluation.subgroups` that do not rise": (
        {"evaluation": {"subgroups": {"age": [70, 60]}}},
        r"write `age: \[60",
        [{"evaluation": {"subgroups": {"age": [60, 70]}}}],
    ),
}  # fmt: skip


def against_tables(name: str, folder: Path) -> None:
    bad, remedy, goods = AGAINST_TABLES[name]
    files = Files(folder)
    refused(SECTION, name, lambda: files.study(**bad), remedy)
    for good in goods:
        files.study(**good)


def too_few_patients(folder: Path) -> None:
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    asked = {
        "outcome": {"name": "pain", "formula": "vas >= 8"},
        "models": ["rf"],
        "ablation": {"models": []},
        "split": {"folds": 2},
        "optimism": {"models": []},
    }
    logging.getLogger().addHandler(handler)
    try:
        Files(folder).study(**asked, nested={"models": ["rf"], "folds": 6})
        says("\n".join(said), r"rf will drop out \(nested\)", r"write `nested: \{folds: 2\}`")
        said.clear()
        Files(folder).study(**asked, nested={"models": ["rf"], "folds": 2})
    finally:
        logging.getLogger().removeHandler(handler)
    assert not [one for one in said if "drop out" in one]


REMEDIES |= {name: functools.partial(against_tables, name) for name in AGAINST_TABLES}

# --- Groups to compare --------------------------------------------------------------------------

#: Options of a clinical study that are refused, what the remedy says, and those after it.
GROUPS = {
    "Neither masks nor features, for a prediction": (
        {"analyses": ["prediction"]}, r"write `analyses: \[outcomes\]`",
        {"analyses": ["outcomes"]},
    ),
    "Groups to compare without a clinical table or its dictionary": (
        {"dictionary": None}, "give its path; `vertebromics new NAME` writes templates", {},
    ),
    "A regression without an outcome": (
        {"analyses": ["regression"]}, r"`outcome: \{name: pain, formula: vas >= 4\}`",
        {"outcome": {"name": "pain", "formula": "vas >= 4"}},
    ),
    "Groups to compare that nothing defines": (
        {"outcomes": {"by": None}}, r"`outcomes: \{by: fracture\}`; or define the outcome",
        {"outcomes": {"by": "fracture"}},
    ),
    "`outcomes.by` names no column of the dictionary": (
        {"outcomes": {"by": "fractur"}}, "perhaps `fracture` is meant",
        {"outcomes": {"by": "fracture"}},
    ),
    "`outcomes.by` names a column of numbers": (
        {"outcomes": {"by": "age"}}, "of the type binary or categorical with its levels",
        {"outcomes": {"by": "fracture"}},
    ),
}  # fmt: skip


def groups(name: str, folder: Path) -> None:
    write_clinical(folder)
    bad, remedy, good = GROUPS[name]
    refused(SECTION, name, lambda: clinical_study(folder, **bad), remedy)
    assert len(groups_of(clinical_study(folder, **good))[0].rows)


def groups_of_one_value(folder: Path) -> None:
    table = write_clinical(folder)
    table.assign(sex="male").to_csv(folder / "clinical.csv", index=False)
    name, by = "`outcomes.by` names a column of one value", {"outcomes": {"by": "sex"}}
    refused(SECTION, name, lambda: clinical_study(folder, **by), "name another column")
    assert len(groups_of(clinical_study(folder))[0].rows)


def nothing_to_compare(folder: Path) -> None:
    write_clinical(folder)
    path = folder / "dictionary.csv"
    whole = path.read_text()
    path.write_text(whole.replace("predictor", "other").replace("outcome", "other"))
    name = "Groups to compare, and no column to compare them by"
    refused(SECTION, name, lambda: groups_of(clinical_study(folder)), "write `predictor` into")
    path.write_text(whole)
    assert len(groups_of(clinical_study(folder))[0].rows)


def no_predictor(folder: Path) -> None:
    write_clinical(folder)
    asked = {"analyses": ["regression"], "outcome": {"name": "pain", "formula": "vas >= 4"}}
    name = "`regression` names a column that is no predictor of the study"
    bad = clinical_study(folder, **asked, regression={"splines": {"aeg": 3}})
    refused(SECTION, name, lambda: cohort_of(bad), "perhaps `age` is meant")
    cohort_of(clinical_study(folder, **asked, regression={"splines": {"age": 3}}))


REMEDIES |= {name: functools.partial(groups, name) for name in GROUPS}
REMEDIES["`regression` names a column that is no predictor of the study"] = no_predictor
REMEDIES["`outcomes.by` names a column of one value"] = groups_of_one_value
REMEDIES["Groups to compare, and no column to compare them by"] = nothing_to_compare
REMEDIES["Too few patients for a model in one of its stages"] = too_few_patients


def outer_folds_by_hand(folder: Path) -> None:
    rows, table, predictions = test_no_hold_out.judged_rows()
    filled(Nested, table).to_parquet(folder / "table.parquet")
    filled(NestedPredictions, predictions).to_parquet(folder / "predictions.parquet")
    paths = {"nested": folder / "table.parquet"}
    predicted = {"nested_predictions": folder / "predictions.parquet"}
    name = "Without a hold-out: a stage by hand without the outer folds"
    bare = {"model": "lr", "nested": None, "nested_predictions": None}

    def read(**options: Path) -> list:
        return read_outer_fits(argparse.Namespace(**bare | options), rows, 1)

    refused(SECTION, name, lambda: read(**paths), "nested/MODEL.parquet and nested/MODEL_pred")
    assert len(read(**paths, **predicted)) == 2


def outer_folds_of_others(_: Path) -> None:
    rows, table, predictions = test_no_hold_out.judged_rows()
    name = "Without a hold-out: outer folds of another study"
    more = pd.concat([rows, rows.assign(unit_id="new")], ignore_index=True)
    refused(
        SECTION, name, lambda: outer_fits("lr", more, table, predictions, 1), "run the stage nested"
    )
    assert len(outer_fits("lr", rows, table, predictions, 1)) == 2


REMEDIES["Without a hold-out: a stage by hand without the outer folds"] = outer_folds_by_hand
REMEDIES["Without a hold-out: outer folds of another study"] = outer_folds_of_others

REMEDIES |= maps.REMEDIES
