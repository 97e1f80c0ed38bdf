"""The updates of a model side by side: with intervals, and how many patients each needs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from models.scoring import metrics
from models.scoring.development_sample_size import largest_r2, minimum_sample_size
from models.scoring.intervals import patient_resamples
from models.scoring.performance import Sample
from models.validation.recalibration import (
    INTERCEPT,
    METHODS,
    SLOPE,
    Recalibration,
    clipped,
    closed_test,
    recalibrate,
)
from models.validation.refitting import NOTE, refit_row
from models.validation.validation_sample_size import (
    needed_for_auroc,
    needed_for_ratio,
    needed_for_slope,
)
from pipeline.core.errors import StudyError
from pipeline.core.table_schema import types_of
from pipeline.tables.schemas.prediction.validation import Updates

REFIT = "refit"
"""The fourth way: a new model, which is developed and no longer validated."""

EXPECTED_R2 = 0.15
"""Share of the largest possible R2 that a refit is planned with, as `evaluation.expected_r2`."""

RESAMPLES = 200
"""Resamples of patients, at most, for the optimism of an update."""

COLUMNS = types_of(Updates)
"""Columns of the table of updates."""


def updates_of(sample: Sample) -> dict[str, Recalibration | StudyError]:
    """Return every update that the rows allow, and why not where they do not.

    Parameters
    ----------
    sample : Sample
        Rows that the model was not fitted to.
    """
    found: dict[str, Recalibration | StudyError] = {}
    for method in METHODS:
        try:
            found[method] = recalibrate(sample.outcome, sample.probability, sample.patients, method)
        except StudyError as error:
            found[method] = error
    return found


def update_table(
    model: str,
    sample: Sample,
    *,
    confidence: float,
    n_resamples: int,
    seed: int,
    parameters: int | None = None,
    design: np.ndarray | None = None,
) -> pd.DataFrame:
    """Set the updates of a model side by side.

    Parameters
    ----------
    model : str
        Its name.
    sample : Sample
        Rows that it was not fitted to.
    confidence : float
        Level of the intervals.
    n_resamples : int
        Resamples of patients; `RESAMPLES` of them are used at most.
    seed : int
        Seed of the resamples.
    parameters : int, optional
        Coefficients of the model but for the intercept; without it a refit has no number needed.
    design : numpy.ndarray, optional
        Shape (n, p), the rows as a linear model's classifier sees them; without it there is no
        refit.

    Returns
    -------
    pandas.DataFrame
        One row per method, and one for a refit, with the columns of `COLUMNS`. ``p_value`` is of
        the likelihood-ratio test against intercept and slope; ``suggested`` follows the closed
        test. ``brier`` is of the rows that the update was estimated on, ``brier_corrected`` less
        the optimism of resamples. ``needed`` counts patients for O/E (intercept), for O/E and the
        slope (both), or for development (refit).
    """
    found = updates_of(sample)
    patients = len(np.unique(sample.patients))
    prevalence = float(sample.outcome.mean())
    lp = np.log(clipped(sample.probability) / (1 - clipped(sample.probability)))
    needed = _needed(sample, lp, prevalence, parameters)
    chosen, p_values = None, {}
    if all(isinstance(each, Recalibration) for each in found.values()):
        chosen, tests = closed_test(found)
        p_values = {test["narrower"]: test["p_value"] for test in tests}
    rows = []
    for method, update in found.items():
        row = {"model": model, "method": method, "needed": needed[method], "patients": patients}
        if isinstance(update, Recalibration):
            (low, high), (slope_low, slope_high) = update.limits(confidence)
            risk = update.risk(sample.probability)
            row |= {
                "intercept": update.intercept,
                "intercept_low": low,
                "intercept_high": high,
                "slope": update.slope,
                "slope_low": slope_low,
                "slope_high": slope_high,
                "brier": metrics.brier(sample.outcome, risk),
                "log_likelihood": update.log_likelihood,
                "p_value": p_values.get(method, math.nan),
                "suggested": None if chosen is None else method == chosen,
                "note": "",
            }
            row["brier_corrected"] = row["brier"] - _optimism(sample, method, n_resamples, seed)
        else:
            row["note"] = f"not done: {update}"
        rows.append(row)
    row = {"model": model, "method": REFIT, "needed": needed[REFIT], "patients": patients}
    how = {"n_resamples": min(n_resamples, RESAMPLES), "seed": seed}
    again = {"note": NOTE} if design is None else refit_row(sample, design, **how)
    rows.append(row | again)
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(COLUMNS)


def _needed(
    sample: Sample, lp: np.ndarray, prevalence: float, parameters: int | None
) -> dict[str, int | None]:
    """Return the patients that each way needs; None where that cannot be said."""
    ratio, slope = needed_for_ratio(prevalence), needed_for_slope(lp)
    both = None if slope is None else max(ratio, slope)
    area = needed_for_auroc(metrics.auroc(sample.outcome, sample.probability), prevalence)
    judged = None if both is None or area is None else max(both, area)
    refit = None
    if parameters:
        r2 = EXPECTED_R2 * largest_r2(prevalence)
        refit = minimum_sample_size(parameters, prevalence, r2)["needed"]
    return {METHODS[0]: judged, INTERCEPT: ratio, SLOPE: both, REFIT: refit}


def _optimism(sample: Sample, method: str, n_resamples: int, seed: int) -> float:
    """Return how much lower the Brier score is on the rows that an update was estimated on."""
    if method == METHODS[0]:
        return 0.0
    weights = patient_resamples(
        sample.patients, sample.outcome, min(n_resamples, RESAMPLES), seed, stratified=False
    )
    gains = []
    for times in weights:
        rows = np.repeat(np.arange(len(sample.outcome)), times)
        try:
            update = recalibrate(
                sample.outcome[rows], sample.probability[rows], np.arange(len(rows)), method
            )
        except StudyError:
            continue
        risk = update.risk(sample.probability)
        own = metrics.brier(sample.outcome[rows], risk[rows])
        gains.append(own - metrics.brier(sample.outcome, risk))
    return float(np.mean(gains)) if gains else math.nan
