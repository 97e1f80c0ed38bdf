"""Remedies of what makes no validation (docs/bad_inputs.md, section Tables)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from models.frozen.model import load_frozen
from models.frozen.updates import write_updated
from models.judge import _arguments, main
from models.regression.publishing.model_file import model_from
from models.validation.recalibration import INTERCEPT, SLOPE, recalibrate
from models.validation.validate_model import check_risks
from models.validation.validation_sample_size import needed_for_ratio
from tests.models.validation.test_validation import POINTS, drawn
from tests.remedies import Remedy, refused
from tests.support.frozen_study import write_frozen_models

SECTION = "Tables"


def _options(folder: Path, words: Sequence[str]) -> argparse.Namespace:
    sample = drawn(80, -0.4)
    path = folder / "table.csv"
    pd.DataFrame(
        {
            "pain": sample.outcome,
            "risk": sample.probability,
            "site": np.where(np.arange(80) % 2, "north", "south"),
            "age": np.arange(80),
        }
    ).to_csv(path, index=False)
    given = [str(path), "--outcome", "pain", "--resamples", "100", "--out-dir", str(folder / "out")]
    return _arguments().parse_args([*given, *words])


def judged(name: str, bad: str, remedy: str, good: str) -> Remedy:
    """Return a remedy: the words of a command that is refused, and those of one that is not."""

    def apply(folder: Path) -> None:
        refused(SECTION, name, lambda: main(_options(folder, bad.split())), remedy)
        main(_options(folder, good.split()))

    return apply


def updated(name: str, method: str, remedy: str, spoil: Callable, mended: str) -> Remedy:
    """Return a remedy of rows on which an update has no estimate."""

    def apply(_: Path) -> None:
        sample = drawn(80)
        outcome, probability = spoil(sample.outcome, sample.probability)
        given = outcome, probability, sample.patients
        refused(SECTION, name, lambda: recalibrate(*given, method), remedy)
        if mended == INTERCEPT:
            recalibrate(*given, INTERCEPT)
        else:
            recalibrate(sample.outcome, sample.probability, sample.patients, method)

    return apply


def points_without_risks(folder: Path) -> None:
    name = "Judge: a validation of a model of points without a risk axis"
    anchors = [{"points": 10, "risk": 0.1}, {"points": 40, "risk": 0.5}]
    model = model_from(POINTS, "p")
    refused(SECTION, name, lambda: check_risks(model, folder / "m.yaml"), "two anchors")
    check_risks(model_from(POINTS | {"anchors": anchors}, "p"), folder / "m.yaml")


def size_without_events(_: Path) -> None:
    name = "A sample size of a validation without events"
    refused(SECTION, name, lambda: needed_for_ratio(0.0), "name the event as the table writes it")
    assert needed_for_ratio(0.2) > 0


def frozen_table(folder: Path) -> None:
    words = "Judge: a table for a frozen model with a word for a number"
    blank = "Judge: a table in which hardly any row has what a frozen model needs"
    path = write_frozen_models(folder)["lr"]
    model = load_frozen(path)
    analysis = pd.read_parquet(folder / "study" / "tables" / "analysis.parquet")
    table = model.inputs(analysis).assign(pain=analysis["outcome"].astype(int)).astype(object)
    number = next(one.name for one in model.predictors if one.used and not one.levels)
    needed = next(one.name for one in model.predictors if one.required)
    given = ["--outcome", "pain", "--model", str(path), "--out-dir", str(folder / "out")]
    options = _arguments().parse_args([str(folder / "table.csv"), *given, "--resamples", "100"])

    def judged_with(column: str, value: object, rows: slice) -> None:
        spoiled = table.copy()
        spoiled.loc[rows, column] = value
        spoiled.to_csv(folder / "table.csv", index=False)
        main(options)

    refused(SECTION, words, lambda: judged_with(number, "large", slice(3, 3)), "")
    refused(SECTION, blank, lambda: judged_with(needed, None, slice(0, None)), "fill in the pred")
    judged_with(number, table.loc[4, number], slice(3, 3))


def wrong_way(folder: Path) -> None:
    name = "A frozen model whose risks go the wrong way in the patients of a validation"
    path = write_frozen_models(folder)["lr"]
    told = {"validation": "temporal", "rows": 90, "events": 30, "intercept": 0.1}

    def update(method: str, slope: float) -> str:
        return write_updated(path, folder / "new.vbm", method=method, slope=slope, **told)

    refused(SECTION, name, lambda: update(SLOPE, -0.1), "update by the intercept alone")
    assert update(INTERCEPT, 1.0)


RISK = "--probabilities risk"
_CASES = {
    "Judge: subgroups, and no kind of validation stated": (
        f"{RISK} --by site", "add --validation, one of geographical, internal, temporal",
        f"{RISK} --by site --validation temporal",
    ),
    "Judge: a validation on the rows of the fit": (
        f"{RISK} --validation internal --fitted-here", "leave one of the two out",
        f"{RISK} --validation internal",
    ),
    "Judge: a validation of a score": (
        "--scores risk --validation internal", "a column of predicted probabilities",
        f"{RISK} --validation internal",
    ),
    "Judge: a column of subgroups that the table does not have": (
        f"{RISK} --validation internal --by sites", "perhaps `site` is meant",
        f"{RISK} --validation internal --by site",
    ),
    "Judge: a column of subgroups with one value, or with many": (
        f"{RISK} --validation internal --by age", "name another column",
        f"{RISK} --validation internal --by site",
    ),
}  # fmt: skip

REMEDIES: dict[str, Remedy] = {
    **{name: judged(name, *case) for name, case in _CASES.items()},
    "Judge: a validation of a model of points without a risk axis": points_without_risks,
    "A sample size of a validation without events": size_without_events,
    "Judge: a table for a frozen model with a word for a number": frozen_table,
    "Judge: a table in which hardly any row has what a frozen model needs": frozen_table,
    "A frozen model whose risks go the wrong way in the patients of a validation": wrong_way,
    "A validation whose rows have one outcome": updated(
        "A validation whose rows have one outcome", INTERCEPT, "patients of both outcomes",
        lambda outcome, risk: (np.zeros_like(outcome), risk), "both",
    ),
    "A validation whose risks are all equal, or separate the outcomes": updated(
        "A validation whose risks are all equal, or separate the outcomes", SLOPE,
        "update by the intercept alone", lambda outcome, risk: (outcome, np.full_like(risk, 0.3)),
        INTERCEPT,
    ),
}  # fmt: skip
