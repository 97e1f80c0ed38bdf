"""What columns of predictions are worth: a study's own measures, of any rows with an outcome."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.scoring.comparisons import compare_models
from models.scoring.delong import Scale
from models.scoring.evaluation import evaluate
from models.scoring.intervals import Estimate
from models.scoring.performance import Sample, auroc_estimate
from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.study.option_numbers import checked_number, config_number, number_within
from pipeline.study.options.words import schema_of
from pipeline.study.sections.judging import Evaluation

SCORE = "of a score, which is no probability"

APPARENT = "apparent: of rows that it was fitted to"

#: Numbers that may be typed, and the option of a configuration that bounds them.
BOUNDED_BY = {
    "threshold": "evaluation.threshold",
    "confidence": "evaluation.confidence",
    "resamples": "evaluation.bootstrap",
    "seed": "seed",
}


def judge(
    rows: pd.DataFrame,
    probabilities: Sequence[str] = (),
    scores: Sequence[str] = (),
    *,
    threshold: float = 0.5,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 2025,
    decision_curve: tuple[float, float] = (0.0, 0.95),
    scale: Scale = "logit",
    fitted_here: bool = False,
) -> dict[str, pd.DataFrame]:
    """Measure given predictions as the stage evaluate measures a study's own.

    Parameters
    ----------
    rows : pandas.DataFrame
        One row per unit: ``patient_id``, ``outcome`` (1 for an event and 0 otherwise), and the
        named columns as float64 without missing values. A patient with several rows makes the
        intervals clustered.
    probabilities : sequence of str
        Columns of predicted probabilities.
    scores : sequence of str
        Columns of numbers that are no probabilities, high where an event is likely: they are
        judged by their AUROC alone.
    threshold : float
        Lowest probability that counts as positive.
    confidence : float
        Level of every interval.
    resamples : int
        Resamples of patients where no closed form exists.
    seed : int
        Seed of the resamples.
    decision_curve : tuple of float
        Range of threshold probabilities.
    scale : {'logit', 'plain'}
        Scale on which the interval of an AUROC is symmetric (`scoring.delong.auroc_interval`).
    fitted_here : bool
        Whether the models that made the probabilities were fitted to these very rows. The
        Hosmer-Lemeshow test then loses two degrees of freedom, and every method says that the
        figure is apparent: better than on other patients, by how much is not known here.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``metrics`` and ``comparisons`` of all columns, and of probabilities the other tables of
        `models.scoring.evaluation.evaluate`, with the same columns.

    Raises
    ------
    StudyError
        If a probability is not from 0 to 1, nothing is to be judged, or a number is out of the
        bounds that a configuration has for it.
    """
    numbers = {"threshold": threshold, "confidence": confidence}
    numbers |= {"resamples": resamples, "seed": seed}
    for name, value in numbers.items():
        checked_number(value, schema_of(BOUNDED_BY[name]), f"option --{name}")
    _check_range(decision_curve)
    columns = [*probabilities, *scores]
    if not columns or len(set(columns)) < len(columns):
        raise StudyError(
            "What is to be judged must be named once",
            found=listing(columns) if columns else "no column",
            where="options --probabilities, --scores",
            remedy="name each column of predictions once, under one of the two options",
            code="judged-column-repeated",
        )
    for name in probabilities:
        outside = rows.loc[~rows[name].between(0, 1), name]
        if len(outside):
            raise StudyError(
                "A probability must be from 0 to 1",
                found=f"{len(outside)} others, first {outside.iloc[0]:g}",
                where=f"column {name}",
                remedy=f"--scores {name} judges its AUROC alone",
                code="probability-out-of-bounds",
            )
    tables = {}
    if probabilities:
        evaluation = Evaluation(
            confidence=confidence, bootstrap=resamples, decision_curve=list(decision_curve)
        )
        keys = rows[["patient_id", "outcome"]].assign(unit_id=np.arange(len(rows)), part="test")
        given = {name: keys.assign(probability=rows[name]) for name in probabilities}
        info = {"threshold": threshold, "cv_auc": None}
        infos = dict.fromkeys(probabilities, info)
        tables = evaluate(given, infos, evaluation, seed, fitted_here=fitted_here)
    samples = {
        name: sample_of(rows, name, threshold if name in probabilities else math.nan)
        for name in columns
    }
    areas = {name: auroc_estimate(sample, confidence, scale) for name, sample in samples.items()}
    metrics = tables.get("metrics", pd.DataFrame())
    if not metrics.empty:
        metrics = metrics[metrics["metric"] != "auroc"]
    discrimination = pd.DataFrame(
        [[name, "test", "auroc", *_told(area, name in scores)] for name, area in areas.items()],
        columns=["model", "part", "metric", *Estimate._fields],
    )
    order = {name: at for at, name in enumerate(columns)}
    measured = pd.concat([discrimination, metrics], ignore_index=True).sort_values(
        "model", key=lambda models: models.map(order), kind="stable", ignore_index=True
    )
    if fitted_here:
        own = measured["model"].isin(probabilities)
        measured.loc[own, "method"] = measured.loc[own, "method"] + f"; {APPARENT}"
    tables["metrics"] = measured
    compared = compare_models(samples, confidence=confidence)
    decisions = tables.get("comparisons")
    if decisions is not None:
        own = [name for name in decisions if name not in compared or name.startswith("model_")]
        compared = compared.merge(decisions[own], on=["model_a", "model_b"], how="left")
    tables["comparisons"] = compared
    return tables


def sample_of(rows: pd.DataFrame, name: str, threshold: float) -> Sample:
    """Return the rows of one column of predictions, as measures take them."""
    outcome, patients = rows["outcome"].to_numpy(int), rows["patient_id"].to_numpy()
    return Sample(outcome, rows[name].to_numpy(float), patients, threshold)


def _check_range(decision_curve: tuple[float, float]) -> None:
    """Raise `StudyError` unless threshold probabilities rise within their bounds."""
    where, items = "option --decision-curve", schema_of("evaluation.decision_curve")["items"]
    for value in decision_curve:
        checked_number(value, items, where)
    low, high = decision_curve
    if low >= high:
        raise StudyError(
            "The range of the decision curve must rise",
            found=f"{low:g} to {high:g}",
            where=where,
            remedy="name the lower end first, such as --decision-curve 0.0 0.95",
            code="decision-curve-range",
        )


def _told(area: Estimate, is_score: bool) -> Estimate:
    return area._replace(method=f"{area.method}; {SCORE}") if is_score else area


def number_argument(
    arguments: argparse.ArgumentParser, name: str, default: float, text: str
) -> None:
    """Add the option of a number that a configuration bounds.

    Parameters
    ----------
    arguments : argparse.ArgumentParser
        Takes the option.
    name : str
        One of `BOUNDED_BY`.
    default : float
        What it is where nobody says it.
    text : str
        What it is, for the help.
    """
    arguments.add_argument(
        f"--{name}",
        type=config_number(BOUNDED_BY[name]),
        default=default,
        help=f"{text} (default: {default})",
    )


def judging_arguments(arguments: argparse.ArgumentParser, resampled: str, printed: str) -> None:
    """Add the options that `judging_options` reads.

    Parameters
    ----------
    arguments : argparse.ArgumentParser
        Takes the options.
    resampled : str
        What resamples are made for.
    printed : str
        Who prints intervals on the plain scale.
    """
    number_argument(arguments, "confidence", 0.95, "level of every interval")
    number_argument(arguments, "resamples", 1000, resampled)
    number_argument(arguments, "seed", 2025, "seed of the resamples")
    arguments.add_argument(
        "--decision-curve",
        nargs=2,
        type=number_within(schema_of("evaluation.decision_curve")["items"]),
        default=[0.0, 0.95],
        metavar=("LOW", "HIGH"),
        help="range of threshold probabilities (default: 0.0 0.95)",
    )
    arguments.add_argument(
        "--interval",
        choices=["logit", "plain"],
        default="logit",
        help=f"scale of an AUROC's interval; plain is AUROC +- z SE, as {printed} it",
    )


def judging_options(options: argparse.Namespace) -> dict:
    """Return what the command line says of intervals and curves, as `judge` takes it."""
    return {
        "confidence": options.confidence,
        "resamples": options.resamples,
        "seed": options.seed,
        "decision_curve": tuple(options.decision_curve),
    }
