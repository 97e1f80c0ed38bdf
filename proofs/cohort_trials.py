"""One simulated cohort, run through the production path and held against the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from demo.population import (
    PUBLISHED_EVENTS,
    PUBLISHED_PATIENTS,
    STAND_IN,
    Drawn,
    Population,
    draw_population,
)
from models.learning.procedure import Procedure, ProcedureRun
from models.nested import NestedOptions, cross_validate
from models.scoring import calibration, metrics
from models.scoring.performance import Sample, auroc_estimate, point_values
from models.split import split_table
from models.study_files.inputs import training_rows
from models.train import fit_model
from models.transformers.chain import selection_table
from models.transformers.columns import Columns
from pipeline.core.seeds import derive_seed

FRESH_PATIENTS = 20_000
"""New patients on whom a model's true figures are taken: 2,400 events, AUROC to about 0.005."""

UNRELATED = 0.5
"""A selected feature that correlates less than this with every planted one is a false one."""

_CHUNK = 4_000
STEPS = ("ccc", "univariate", "mrmr")


def run_cohort(
    options: NestedOptions,
    seed: int,
    models: Sequence[str],
    nested: Sequence[str] = (),
    *,
    fresh_patients: int = FRESH_PATIENTS,
    features: tuple[str, ...] | None = None,
) -> dict:
    """Draw a population and a cohort of it, run the study's stages, and judge them by the truth.

    Parameters
    ----------
    options : NestedOptions
        What is read of a study.
    seed : int
        Seed of the population, of the cohort and of the study.
    models : sequence of str
        Families to train.
    nested : sequence of str
        Families whose whole procedure is cross-validated too.
    fresh_patients : int
        New patients of the same population on whom the truth is measured.
    features : tuple of str, optional
        Names of the features; the 1,223 of the published extraction by default.

    Returns
    -------
    dict
        JSON values: ``seed``, ``best`` (AUROC of the true log odds on the fresh patients),
        ``models`` (rows of `judge`), ``steps`` and ``selection`` (rows of `found`).
    """
    population = draw_population(seed, features=features)
    drawn = population.draw(PUBLISHED_PATIENTS, seed, events=PUBLISHED_EVENTS)
    options = replace(options, seed=derive_seed(seed, "study"))
    table, info = drawn.tables.analysis()
    columns = Columns.from_info(info)
    split = split_table(table, options.split, options.seed)
    table = pd.concat([table, split[["part", "fold"]]], axis=1)
    training, folds = training_rows(table)
    runs = {model: fit_model(model, columns, training, folds, options) for model in models}

    truth = {model: [] for model in models}
    outcome, log_odds = [], []
    for fresh in fresh_cohorts(population, seed, fresh_patients):
        rows, _ = fresh.tables.analysis()
        outcome.append(fresh.tables.outcome)
        log_odds.append(fresh.log_odds)
        for model, run in runs.items():
            truth[model].append(run.fitted.predict(rows))
    outcome, confidence = np.concatenate(outcome), options.evaluation.confidence
    rows = []
    for model, run in runs.items():
        row = judge(run, table, outcome, np.concatenate(truth[model]), confidence)
        row["nested_auroc"] = None
        if model in nested:
            procedure = Procedure(model, columns, options, options.nested.search)
            row["nested_auroc"] = cross_validate(procedure, training, options.nested)[2]["auroc"]
        rows.append({"seed": seed, "model": model, **row})
    steps, selection = found(next(iter(runs.values())), columns, population, drawn)
    return {
        "seed": seed,
        "best": float(metrics.auroc(outcome, np.concatenate(log_odds))),
        "models": rows,
        "steps": [{"seed": seed, **row} for row in steps],
        "selection": [{"seed": seed, **row} for row in selection],
    }


def fresh_cohorts(population: Population, seed: int, n_patients: int) -> Iterator[Drawn]:
    """Draw new patients in parts that fit into memory."""
    for part, start in enumerate(range(0, n_patients, _CHUNK)):
        yield population.draw(min(_CHUNK, n_patients - start), derive_seed(seed, "fresh", part))


def judge(
    run: ProcedureRun,
    table: pd.DataFrame,
    outcome: np.ndarray,
    probability: np.ndarray,
    confidence: float,
) -> dict:
    """Set a model's figures as a study would report them beside the true ones.

    Parameters
    ----------
    run : ProcedureRun
        The trained model.
    table : pandas.DataFrame
        Analysis table with ``part``.
    outcome, probability : ndarray of shape (n_fresh,)
        Fresh patients, and what the model predicts for them.
    confidence : float
        Level of the intervals.

    Returns
    -------
    dict
        ``true_auroc, test_auroc, test_low, test_high, covered`` (whether DeLong's interval holds
        the true AUROC)``, cv_auroc`` (the search's best mean)``, apparent_auroc`` (training rows),
        and by part ``test_`` and ``true_``: ``calibration_slope, calibration_intercept, oe_ratio``;
        null where undefined.
    """
    test, training = (table[table["part"] == part] for part in ("test", "train"))
    sample = Sample(
        outcome=test["outcome"].to_numpy(dtype=int),
        probability=run.fitted.predict(test),
        patients=test["patient_id"].to_numpy(),
        threshold=run.threshold,
    )
    estimate = auroc_estimate(sample, confidence)
    true = float(metrics.auroc(outcome, probability))
    own = training["outcome"].to_numpy(dtype=int)
    figures = {
        "true_auroc": true,
        "test_auroc": estimate.value,
        "test_low": estimate.low,
        "test_high": estimate.high,
        "covered": bool(estimate.low <= true <= estimate.high),
        "cv_auroc": float(run.search.best["mean_auc"]),
        "apparent_auroc": float(metrics.auroc(own, run.fitted.predict(training))),
    }
    values = point_values(sample)
    names = ("calibration_slope", "calibration_intercept", "oe_ratio")
    figures |= {f"test_{name}": values[name] for name in names}
    large = {
        "calibration_slope": calibration.calibration_slope(outcome, probability, confidence),
        "calibration_intercept": calibration.calibration_intercept(
            outcome, probability, confidence
        ),
        "oe_ratio": calibration.observed_expected_ratio(outcome, probability, confidence),
    }
    figures |= {f"true_{name}": estimate.value for name, estimate in large.items()}
    return {
        name: value if isinstance(value, bool) or np.isfinite(value) else None
        for name, value in figures.items()
    }


def found(
    run: ProcedureRun, columns: Columns, population: Population, drawn: Drawn
) -> tuple[list[dict], list[dict]]:
    """Tell which planted predictors each step kept, and what else stands in the signature.

    Parameters
    ----------
    run : ProcedureRun
        A trained model; the selection is that of all training rows.
    columns : Columns
        Candidates.
    population : Population
        The truth.
    drawn : Drawn
        The cohort.

    Returns
    -------
    steps : list of dict
        One row per planted feature and step: ``feature, step, itself`` (kept)``, block`` (it or a
        feature that may stand in for it)``.
    selection : list of dict
        One row per selected candidate: ``feature, kind`` (planted, stand-in, related or unrelated;
        clinical ones planted or unrelated)``, block, correlation`` (largest with a planted one).
    """
    table = selection_table(run.fitted.chain, columns).set_index("feature")
    rows, steps = table[table["block"] == "radiomics"], []
    for entry in drawn.tables.truth["radiomics"]:
        for step in STEPS:
            kept = rows[f"kept_{step}"].fillna(False).astype(bool)
            steps.append(
                {
                    "feature": entry["feature"],
                    "step": step,
                    "itself": bool(kept[entry["feature"]]),
                    "block": bool(kept[entry["block"]].any()),
                }
            )
    likeness = np.max([np.abs(population.correlation(i)) for i in population.planted], axis=0)
    likeness = pd.Series(likeness, index=population.names)
    planted, selection = set(drawn.tables.planted_features), []
    for name, row in table[table["selected"]].iterrows():
        if row["block"] == "clinical":
            known = name in drawn.tables.planted_clinical
            kind, nearest = ("planted" if known else "unrelated"), None
        else:
            nearest = float(likeness[name])
            kind = "planted" if name in planted else _kind(nearest)
        selection.append(
            {"feature": name, "block": row["block"], "kind": kind, "correlation": nearest}
        )
    return steps, selection


def _kind(correlation: float) -> str:
    if correlation >= STAND_IN:
        return "stand-in"
    return "related" if correlation >= UNRELATED else "unrelated"
