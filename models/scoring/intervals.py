"""Intervals where DeLong does not apply: Wilson for shares, resampling of patients for the rest.

References
----------
.. [1] Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat
   Assoc 1927;22:209-212.
.. [2] Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman & Hall 1993, chapter 13.
.. [3] Field CA, Welsh AH. Bootstrapping clustered data. J R Stat Soc B 2007;69:369-390.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

#: Largest share of resamples in which a metric may be undefined (no predicted event, say) for its
#: interval to be taken from the others; beyond it the interval would describe a chosen subset.
MAX_UNDEFINED_SHARE = 0.05


_MOST_DIGITS = 15
"""Decimals beyond which a number has none."""


class Interval(NamedTuple):
    """Lower and upper limit; both NaN where the interval is undefined."""

    low: float
    high: float


UNDEFINED = Interval(math.nan, math.nan)


class Estimate(NamedTuple):
    """A metric with its interval.

    Attributes
    ----------
    value : float
        NaN where the metric is undefined; `method` then says why.
    low, high : float
        Limits; NaN where there is no honest interval.
    method : str
        How the limits were obtained, or why there are none.
    """

    value: float
    low: float
    high: float
    method: str

    @classmethod
    def undefined(cls, reason: str) -> Estimate:
        """Return an estimate without value, for a stated reason."""
        return cls(math.nan, math.nan, math.nan, f"undefined: {reason}")


def printed(value: float, digits: int) -> str:
    """Return a share with some decimals, and more of them where rounding would make it 0 or 1.

    >>> printed(0.8126, 3), printed(0.99996, 3), printed(1.0, 3)
    ('0.813', '0.99996', '1.000')
    """
    text = f"{value:.{digits}f}"
    while float(text) in (0.0, 1.0) and float(text) != value and digits < _MOST_DIGITS:
        digits += 1
        text = f"{value:.{digits}f}"
    return text


def wilson_interval(count: int, total: int, confidence: float) -> Interval:
    """Return Wilson's score interval of ``count / total`` [1]_, undefined for a total of zero."""
    if total == 0:
        return UNDEFINED
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(count, total, alpha=1 - confidence, method="wilson")
    return Interval(float(low), float(high))


def percentile_interval(values: np.ndarray, confidence: float) -> Interval:
    """Return the percentile interval [2]_ of a metric over resamples.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (n_resamples,); NaN where the metric was undefined in a resample.
    confidence : float
        Level, such as 0.95.

    Returns
    -------
    Interval
        Undefined where more than `MAX_UNDEFINED_SHARE` of the values are, and where all are equal:
        a metric that resampling cannot move (a perfect classification) has no honest interval.
    """
    values = np.asarray(values, float)
    defined = values[~np.isnan(values)]
    if len(defined) < (1 - MAX_UNDEFINED_SHARE) * len(values) or np.ptp(defined) == 0:
        return UNDEFINED
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(float(low), float(high))


def pointwise_limits(curves: np.ndarray, confidence: float) -> np.ndarray:
    """Return the percentile limits of a resampled curve at each of its points.

    Parameters
    ----------
    curves : numpy.ndarray
        Shape (n_resamples, n_points).
    confidence : float
        Level at each point alone.

    Returns
    -------
    numpy.ndarray
        Shape (n_points, 2), each as `percentile_interval` gives it.
    """
    return np.array([percentile_interval(point, confidence) for point in curves.T]).reshape(-1, 2)


def patient_resamples(
    patients: np.ndarray,
    outcome: np.ndarray,
    n_resamples: int,
    seed: int,
    *,
    stratified: bool = True,
) -> np.ndarray:
    """Draw patients with replacement; a patient's units come along together [3]_.

    Parameters
    ----------
    patients : numpy.ndarray
        Shape (n,), the patient of each unit.
    outcome : numpy.ndarray
        Shape (n,), 0 or 1.
    n_resamples : int
        Number of resamples.
    seed : int
        Seed of the draws.
    stratified : bool, optional
        Draw patients with and without an event apart, so that each resample has as many of both
        as the sample, as DeLong's variance assumes for an AUROC. False for what varies with the
        share of events (precision, Brier score, observed over expected): at a fixed share its
        interval would be too narrow, for the negative predictive value by a third.

    Returns
    -------
    numpy.ndarray
        Shape (n_resamples, n), how often each unit is in each resample.
    """
    names, unit_patient = np.unique(np.asarray(patients), return_inverse=True)
    has_event = np.zeros(len(names), dtype=bool)
    np.logical_or.at(has_event, unit_patient, np.asarray(outcome) == 1)
    strata = [has_event, ~has_event] if stratified else [np.ones(len(names), dtype=bool)]
    rng = np.random.default_rng(seed)
    counts = np.zeros((n_resamples, len(names)), dtype=np.int64)
    for stratum in strata:
        size = int(stratum.sum())
        if size:
            counts[:, stratum] = rng.multinomial(size, np.full(size, 1 / size), size=n_resamples)
    return counts[:, unit_patient]


def has_clusters(patients: np.ndarray) -> bool:
    """Tell whether any patient has several units, which are then not independent."""
    patients = np.asarray(patients)
    return len(np.unique(patients)) < len(patients)
