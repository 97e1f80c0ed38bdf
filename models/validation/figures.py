"""What a validation tells of a model's risks beyond the metrics of every evaluation.

The intercept of the calibration line that is fitted with the slope, as R's rms::val.prob prints it
(the other, calibration-in-the-large, has the slope fixed at 1), and how far risks are from the
smoothed curve: on average (ICI, Eavg), at the median (E50), the 90th percentile (E90) and at most
(Emax) [1]_.

References
----------
.. [1] Austin PC, Steyerberg EW. The Integrated Calibration Index (ICI) and related metrics for
   quantifying the calibration of logistic regression models. Stat Med 2019;38:4051-4065.
"""

from __future__ import annotations

import math

import numpy as np

from models.scoring.calibration import MIN_UNITS_CURVE, smooth
from models.scoring.intervals import Estimate, patient_resamples, percentile_interval
from models.scoring.performance import Sample
from models.validation.recalibration import SLOPE, recalibrate
from pipeline.core.errors import StudyError

DISTANCES = ("e50", "e90", "emax")
"""Distances of risks from the smoothed curve, beside their mean, the ICI."""

JOINT_INTERCEPT = "joint_intercept"

FEWEST_EVENTS = 10
"""Events, and non-events, of a group below which its figures would mislead."""


def distances(outcome: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Return the median, 90th percentile and largest distance of risks from the smoothed curve.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted risks.

    Returns
    -------
    dict of str to float
        By `DISTANCES`; NaN below `MIN_UNITS_CURVE` rows.
    """
    probability = np.asarray(probability, float)
    if len(probability) < MIN_UNITS_CURVE:
        return dict.fromkeys(DISTANCES, math.nan)
    predicted, observed = smooth(np.asarray(outcome, float), probability)
    apart = np.abs(observed[np.searchsorted(predicted, probability)] - probability)
    middle, high = np.quantile(apart, [0.5, 0.9])
    return dict(zip(DISTANCES, (float(middle), float(high), float(apart.max())), strict=True))


def validation_estimates(
    sample: Sample, *, confidence: float, n_resamples: int, seed: int
) -> dict[str, Estimate]:
    """Return the figures of a validation that no other evaluation has, with their intervals.

    Parameters
    ----------
    sample : Sample
        Rows that the model was not fitted to.
    confidence : float
        Level of the intervals.
    n_resamples : int
        Resamples of patients, for the distances.
    seed : int
        Seed of the resamples.

    Returns
    -------
    dict of str to Estimate
        ``joint_intercept, e50, e90, emax``.
    """
    found = {JOINT_INTERCEPT: _joint_intercept(sample, confidence)}
    values = distances(sample.outcome, sample.probability)
    weights = patient_resamples(
        sample.patients, sample.outcome, n_resamples, seed, stratified=False
    )
    over = [
        distances(np.repeat(sample.outcome, times), np.repeat(sample.probability, times))
        for times in weights
    ]
    for name in DISTANCES:
        if math.isnan(values[name]):
            found[name] = Estimate.undefined(f"fewer than {MIN_UNITS_CURVE} rows")
            continue
        limits = percentile_interval(np.array([each[name] for each in over]), confidence)
        method = f"percentiles over {n_resamples} resamples of patients"
        if math.isnan(limits.low):
            method = f"no interval: constant, or often undefined, over {n_resamples} resamples"
        found[name] = Estimate(values[name], *limits, method)
    return found


def _joint_intercept(sample: Sample, confidence: float) -> Estimate:
    try:
        line = recalibrate(sample.outcome, sample.probability, sample.patients, SLOPE)
    except StudyError as error:
        return Estimate.undefined(str(error.found))
    limits, _ = line.limits(confidence)
    return Estimate(line.intercept, *limits, "Wald, fitted with the slope")
