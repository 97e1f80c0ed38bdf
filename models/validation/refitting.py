"""The fourth update: a linear model's columns fitted anew to the patients of a validation.

What the model made of its predictors stays (imputation, scaling, encoding, the columns chosen);
their coefficients are new, by maximum likelihood. It is another model, and has to be validated on
further patients; with as few patients as most validations have, it is often worse than an update.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit

from models.regression.fitting.newton import Maximum, maximise
from models.regression.fitting.separation import is_separated
from models.scoring import metrics
from models.scoring.intervals import patient_resamples
from models.scoring.performance import Sample
from pipeline.core.errors import FitError

NOTE = "another model, which has to be validated again"


def refit_row(sample: Sample, design: np.ndarray, *, n_resamples: int, seed: int) -> dict:
    """Return what the table of updates says of a refit.

    Parameters
    ----------
    sample : Sample
        Rows that the model was not fitted to.
    design : numpy.ndarray
        Shape (n, p), the rows as the model's classifier sees them.
    n_resamples : int
        Resamples of patients, for the optimism.
    seed : int
        Seed of the resamples.

    Returns
    -------
    dict
        ``brier, brier_corrected`` (less the optimism)``, log_likelihood, note``; where it cannot be
        fitted the note alone.
    """
    design = design[:, np.ptp(design, axis=0) > 0]
    columns = np.column_stack([np.ones(len(design)), design])
    try:
        fit = _fitted(columns, sample.outcome)
    except FitError as error:
        return {"note": f"not done: {error.found}"}
    risk = expit(columns @ fit.coefficients)
    brier = metrics.brier(sample.outcome, risk)
    weights = patient_resamples(
        sample.patients, sample.outcome, n_resamples, seed, stratified=False
    )
    gains = []
    for times in weights:
        rows = np.repeat(np.arange(len(columns)), times)
        try:
            again = _fitted(columns[rows], sample.outcome[rows])
        except FitError:
            continue
        risks = expit(columns @ again.coefficients)
        own = metrics.brier(sample.outcome[rows], risks[rows])
        gains.append(own - metrics.brier(sample.outcome, risks))
    # Of resamples that cannot be fitted nobody knows how much they flatter.
    known = len(gains) >= len(weights) / 2
    lost = "" if known else "; most resamples could not be fitted, so that its optimism is unknown"
    return {
        "brier": brier,
        "brier_corrected": brier - float(np.mean(gains)) if known else math.nan,
        "log_likelihood": fit.loglik,
        "note": f"{NOTE}; {design.shape[1]} coefficients{lost}",
    }


def _fitted(columns: np.ndarray, outcome: np.ndarray) -> Maximum:
    """Return the maximum of the likelihood, refusing rows that have none."""
    found = None
    if len(np.unique(outcome)) < 2:
        found = "all rows have one outcome"
    elif np.linalg.matrix_rank(columns) < columns.shape[1]:
        found = "predictors depend on one another in these rows"
    elif is_separated(columns, outcome):
        found = "predictors separate the outcomes in these rows"
    if found:
        raise FitError(
            "A refit needs rows on which each coefficient has an estimate",
            found=found,
            remedy="update intercept and slope, or add patients",
            code="refit-inestimable",
        )
    return maximise(columns, np.asarray(outcome, float))
