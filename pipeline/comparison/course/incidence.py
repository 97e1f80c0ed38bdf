"""Events per person-time: rates, their ratio, and repeated events of a patient.

Groups that were watched for different times are not compared by shares of patients with an event.

References
----------
.. [1] Garwood F. Fiducial limits for the Poisson distribution. Biometrika 1936;28:437-442.
.. [2] Przyborowski J, Wilenski H. Homogeneity of results in testing samples from Poisson series.
   Biometrika 1940;31:313-323 (conditional test; limits by Clopper and Pearson).
.. [3] Lin DY, Wei LJ, Yang I, Ying Z. Semiparametric regression for the mean and rate functions of
   recurrent events. J R Stat Soc B 2000;62:711-730.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from pipeline.core.errors import VertebromicsError

EVENTS_PER_COEFFICIENT = 5
"""Events that an adjusted ratio needs for each of its coefficients."""


class Rate(NamedTuple):
    """Events per unit of person-time with limits."""

    events: float
    time: float
    value: float
    low: float
    high: float


class RateRatio(NamedTuple):
    """Ratio of two rates, of the first to the second, with limits and P."""

    value: float
    low: float
    high: float
    p: float
    method: str


def person_time(followed: np.ndarray, first_event: np.ndarray) -> np.ndarray:
    """Return how long each patient could have a first event: until it happened, or to the end.

    Parameters
    ----------
    followed : numpy.ndarray of shape (n_patients,)
        Time from the operation to the last follow-up (or to death).
    first_event : numpy.ndarray of shape (n_patients,)
        Time of the first event of the kind; NaN where there was none.

    Raises
    ------
    VertebromicsError
        If a time is missing or not above zero, or an event came after the end of follow-up.
    """
    followed, first_event = (np.asarray(each, dtype=float) for each in (followed, first_event))
    if not (followed > 0).all() or (first_event <= 0).any():
        raise VertebromicsError(
            "Times must be known and above zero",
            found=f"{int((~(followed > 0)).sum() + (first_event <= 0).sum())} others",
            remedy="write the time from the operation to the last follow-up for every patient",
            code="times-not-positive",
        )
    late = first_event > followed
    if late.any():
        raise VertebromicsError(
            "An event must not come after the end of follow-up",
            found=f"{int(late.sum())} later, the first at row {int(np.flatnonzero(late)[0]) + 1}",
            remedy="correct the event's time, or the time of the last follow-up",
            code="event-after-follow-up",
        )
    return np.fmin(followed, first_event)


def rate(events: float, time: float, confidence: float = 0.95) -> Rate:
    """Return events per person-time with Garwood's exact limits [1]_.

    Examples
    --------
    >>> [round(float(each), 4) for each in rate(17, 220 * 2.1)[2:]]
    [0.0368, 0.0214, 0.0589]
    """
    if not time > 0:
        raise VertebromicsError(
            "Person-time must be above zero", found=time, code="person-time-not-positive"
        )
    outside = (1 - confidence) / 2
    low = stats.chi2.ppf(outside, 2 * events) / 2 if events else 0.0
    high = stats.chi2.isf(outside, 2 * events + 2) / 2
    return Rate(events, time, events / time, float(low) / time, float(high) / time)


def rate_ratio(
    events: tuple[int, int], times: tuple[float, float], confidence: float = 0.95
) -> RateRatio:
    """Return the ratio of two rates, exact given the number of all events [2]_.

    Parameters
    ----------
    events : tuple of int
        Events of both groups.
    times : tuple of float
        Their person-time, in one unit.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    RateRatio
        The first rate divided by the second; NaN without any event, infinite where the second
        group had none. P is that of the two-sided binomial test (as R's `poisson.test`).

    Examples
    --------
    >>> found = rate_ratio((1, 17), (31 * 1.1, 220 * 2.1))
    >>> [round(each, 2) for each in found[:3]]
    [0.8, 0.02, 5.09]
    """
    method = "conditional exact"
    if not (times[0] > 0 and times[1] > 0):
        raise VertebromicsError(
            "Person-time must be above zero", found=min(times), code="person-time-not-positive"
        )
    n = int(sum(events))
    if n == 0:
        return RateRatio(math.nan, 0.0, math.inf, 1.0, method)
    expected = times[0] / (times[0] + times[1])
    found = stats.binomtest(int(events[0]), n, expected)
    limits = found.proportion_ci(confidence, "exact")
    odds = [p / (1 - p) * times[1] / times[0] if p < 1 else math.inf for p in limits]
    value = events[0] / times[0] / (events[1] / times[1]) if events[1] else math.inf
    return RateRatio(float(value), float(odds[0]), float(odds[1]), float(found.pvalue), method)


def repeated_rate(events: np.ndarray, times: np.ndarray, confidence: float = 0.95) -> Rate:
    """Return the rate of events that a patient may have several times, patients as clusters [3]_.

    Parameters
    ----------
    events, times : numpy.ndarray of shape (n_patients,)
        Number of events and time of follow-up of each patient.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.
    """
    events, times = (np.asarray(each, dtype=float) for each in (events, times))
    total, time = float(events.sum()), float(times.sum())
    value = total / time
    if total == 0:
        return rate(0, time, confidence)
    half = stats.norm.ppf((1 + confidence) / 2) * _log_rate_error(events, times)
    return Rate(total, time, value, value * math.exp(-half), value * math.exp(half))


def repeated_rate_ratio(
    events: tuple[np.ndarray, np.ndarray],
    times: tuple[np.ndarray, np.ndarray],
    confidence: float = 0.95,
) -> RateRatio:
    """Return the ratio of rates of repeated events, with a variance robust to patients [3]_.

    It equals a Poisson regression of the counts on the group with log time as offset and the
    sandwich variance. Without an event in a group there is no such ratio.
    """
    method = "Poisson regression, variance robust to patients"
    totals = [float(np.sum(each)) for each in events]
    if min(totals) == 0:
        return RateRatio(math.nan, math.nan, math.nan, math.nan, method)
    rates = [total / float(np.sum(time)) for total, time in zip(totals, times, strict=True)]
    errors = [
        _log_rate_error(np.asarray(n, dtype=float), np.asarray(time, dtype=float))
        for n, time in zip(events, times, strict=True)
    ]
    error = math.hypot(*errors)
    value = rates[0] / rates[1]
    half = float(stats.norm.ppf((1 + confidence) / 2)) * error
    p = float(2 * stats.norm.sf(abs(math.log(value)) / error))
    return RateRatio(value, value * math.exp(-half), value * math.exp(half), p, method)


def adjusted_rate_ratio(
    events: np.ndarray,
    times: np.ndarray,
    second: np.ndarray,
    covariates: np.ndarray,
    confidence: float = 0.95,
) -> RateRatio:
    """Return a ratio of rates adjusted for other variables: Poisson regression, robust variance.

    Parameters
    ----------
    events, times : numpy.ndarray of shape (n_patients,)
        Number of events and person-time of each patient.
    second : numpy.ndarray of bool, shape (n_patients,)
        Whether a patient is of the group whose rate is the numerator.
    covariates : numpy.ndarray of shape (n_patients, n_covariates)
        Numbers; patients with a missing one are left out.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    RateRatio
        NaN where a group has no event, or there are fewer than five events for each coefficient.
    """
    method = "Poisson regression, variance robust to patients, adjusted"
    none = RateRatio(math.nan, math.nan, math.nan, math.nan, method)
    known = ~np.isnan(covariates).any(axis=1)
    events, times, second = (np.asarray(each)[known] for each in (events, times, second))
    design = np.column_stack([np.ones(len(events)), second.astype(float), covariates[known]])
    least = min(events[second].sum(), events[~second].sum()) if len(events) else 0
    coefficients = design.shape[1] - 1
    if (
        least == 0
        or events.sum() < EVENTS_PER_COEFFICIENT * coefficients
        or np.linalg.matrix_rank(design) < design.shape[1]
    ):
        return none
    import statsmodels.api as sm

    design[:, 2:] -= design[:, 2:].mean(axis=0)
    model = sm.GLM(events, design, family=sm.families.Poisson(), offset=np.log(times))
    fit = model.fit(cov_type="HC0")
    value, error = float(fit.params[1]), float(fit.bse[1])
    half = float(stats.norm.ppf((1 + confidence) / 2)) * error
    ratio, low, high = (math.exp(each) for each in (value, value - half, value + half))
    return RateRatio(ratio, low, high, float(fit.pvalues[1]), method)


def _log_rate_error(events: np.ndarray, times: np.ndarray) -> float:
    """Return the robust standard error of the logarithm of a rate."""
    value = events.sum() / times.sum()
    return float(np.sqrt(((events - value * times) ** 2).sum()) / events.sum())
