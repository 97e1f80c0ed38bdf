"""Areas under ROC curves: DeLong's variance, interval and paired test.

Own code, since no kept Python library offers it; see the tests for the published values it meets.

References
----------
.. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated
   receiver operating characteristic curves: a nonparametric approach. Biometrics
   1988;44:837-845.
.. [2] Sun X, Xu W. Fast implementation of DeLong's algorithm for comparing the areas under
   correlated receiver operating characteristic curves. IEEE Signal Process Lett
   2014;21:1389-1393.
.. [3] Pepe MS. The Statistical Evaluation of Medical Tests for Classification and Prediction.
   Oxford University Press 2003, section 5.2 (interval on the logit scale).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from models.scoring.intervals import UNDEFINED, Interval
from pipeline.core.errors import VertebromicsError

#: Rounding leaves about this much of a variance that is zero; below it, it counts as zero.
_VARIANCE_FLOOR = 1e-15

#: Scale on which the interval of one AUROC is symmetric.
Scale = Literal["logit", "plain"]


class PairedTest(NamedTuple):
    """Difference of two AUROCs on the same units.

    Attributes
    ----------
    difference : float
        AUROC of the first minus AUROC of the second.
    low, high : float
        Wald interval of the difference, cut at -1 and 1; NaN where it is not estimable.
    p_value : float
        Two-sided P value of a difference of zero; NaN where it is not estimable.
    """

    difference: float
    low: float
    high: float
    p_value: float


def delong_covariance(outcome: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUROCs of several models on the same units, and their covariance [1]_.

    By midranks [2]_, so that time and memory grow with n log n and ties count half.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise; at least two of each.
    scores : numpy.ndarray
        Shape (k, n), one row per model.

    Returns
    -------
    auroc : numpy.ndarray
        Shape (k,).
    covariance : numpy.ndarray
        Shape (k, k).

    Raises
    ------
    VertebromicsError
        If there are fewer than two events or non-events: a variance needs two.
    """
    outcome = np.asarray(outcome)
    scores = np.atleast_2d(np.asarray(scores, float))
    events, others = int((outcome == 1).sum()), int((outcome == 0).sum())
    if min(events, others) < 2:
        raise VertebromicsError(
            "DeLong's variance needs at least two events and two non-events",
            found=f"{events} events, {others} non-events",
            code="delong-too-few",
        )
    placed = [placements(outcome, score) for score in scores]
    of_events = np.array([pair[0] for pair in placed])
    of_others = np.array([pair[1] for pair in placed])
    covariance = np.cov(of_events).reshape(len(scores), -1) / events
    covariance = covariance + np.cov(of_others).reshape(len(scores), -1) / others
    return of_events.mean(axis=1), covariance


def auroc_interval(
    auroc: float, variance: float, confidence: float, scale: Scale = "logit"
) -> Interval:
    """Return the interval of one AUROC, symmetric on the logit scale [3]_.

    On the logit scale it stays inside (0, 1) and covers better near 1 and with few events than
    AUROC +- z SE, which most published intervals are. Where every pair is ranked right (or wrong)
    the estimated variance is zero, which says nothing about the next patient: the interval is
    undefined.

    Parameters
    ----------
    auroc : float
        Estimate.
    variance : float
        Its variance, from `delong_covariance`.
    confidence : float
        Level, such as 0.95.
    scale : {'logit', 'plain'}
        Scale on which the interval is symmetric; ``plain`` is AUROC +- z SE, cut at 0 and 1, as
        the R package pROC and SAS print it.
    """
    if not 0 < auroc < 1 or variance <= _VARIANCE_FLOOR:
        return UNDEFINED
    if scale == "plain":
        half = _z(confidence) * math.sqrt(variance)
        return Interval(max(0.0, auroc - half), min(1.0, auroc + half))
    half = _z(confidence) * math.sqrt(variance) / (auroc * (1 - auroc))
    center = logit(auroc)
    return Interval(float(expit(center - half)), float(expit(center + half)))


def paired_test(
    outcome: np.ndarray, first: np.ndarray, second: np.ndarray, confidence: float
) -> PairedTest:
    """Compare the AUROCs of two models on the same units [1]_.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    first, second : numpy.ndarray
        Shape (n,), the two models' scores.
    confidence : float
        Level of the interval.

    Returns
    -------
    PairedTest
        A difference whose estimated variance is zero has no interval and no test: two perfect
        models, two that rank every pair alike, one perfect and one perfectly wrong. As with one
        AUROC, no variance among these units says nothing about the next patients.
    """
    areas, covariance = delong_covariance(outcome, np.array([first, second]))
    difference = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return wald_test(difference, variance, confidence)


def wald_test(difference: float, variance: float, confidence: float) -> PairedTest:
    """Test a difference against zero by its variance, as `paired_test` describes.

    Parameters
    ----------
    difference : float
        Estimate.
    variance : float
        Its variance; NaN where it could not be estimated.
    confidence : float
        Level of the interval.
    """
    if math.isnan(difference) or math.isnan(variance):
        return PairedTest(difference, math.nan, math.nan, math.nan)
    if variance <= _VARIANCE_FLOOR:
        # Rounding leaves a little of a difference that is none.
        alike = abs(difference) <= math.sqrt(_VARIANCE_FLOOR)
        return PairedTest(0.0 if alike else difference, math.nan, math.nan, math.nan)
    error = math.sqrt(variance)
    half = _z(confidence) * error
    p_value = float(2 * stats.norm.sf(abs(difference) / error))
    # AUROCs lie between 0 and 1, so that no difference is larger than 1.
    low, high = max(-1.0, difference - half), min(1.0, difference + half)
    return PairedTest(difference, low, high, p_value)


def placements(outcome: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each event the share of non-events ranked below it, and the converse.

    The converse is, for each non-event, the share of events ranked above it. Ties count half.
    """
    is_event = outcome == 1
    events, others = score[is_event], score[~is_event]
    together = stats.rankdata(score)
    below = (together[is_event] - stats.rankdata(events)) / len(others)
    above = 1 - (together[~is_event] - stats.rankdata(others)) / len(events)
    return below, above


def _z(confidence: float) -> float:
    return float(stats.norm.ppf(0.5 + confidence / 2))
