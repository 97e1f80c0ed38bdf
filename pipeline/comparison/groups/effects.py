"""How far two groups differ, with an interval: differences, ratios, standardised differences.

Every effect is of the second group against the first, so that the first is the reference.

References
----------
.. [1] Newcombe RG. Interval estimation for the difference between independent proportions:
   comparison of eleven methods. Stat Med 1998;17:873-890 (method 10).
.. [2] Hodges JL, Lehmann EL. Estimates of location based on rank tests. Ann Math Stat
   1963;34:598-611; limits by Moses, as in Hollander M, Wolfe DA, Chicken E. Nonparametric
   Statistical Methods. 3rd ed. Wiley 2014: section 4.3.
.. [3] Hedges LV, Olkin I. Statistical Methods for Meta-Analysis. Academic Press 1985.
.. [4] Yang D, Dalton JE. A unified approach to measuring the effect size between two groups using
   SAS. SAS Global Forum 2012: paper 335.
.. [5] Katz D, et al. Obtaining confidence intervals for the risk ratio in cohort studies.
   Biometrics 1978;34:469-474.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from pipeline.comparison.groups.summaries import varies

EXACT_RANKS = 50
"""Values of a group up to which limits of a shift come from the exact distribution (as in R)."""

LARGEST_PRODUCT = 20_000_000
"""Pairs of values whose differences are held in memory at once (160 MB)."""


class Effect(NamedTuple):
    """An estimate with its limits; NaN where there is none."""

    name: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan


def difference_of_means(
    first: np.ndarray, second: np.ndarray, *, pooled: bool, confidence: float = 0.95
) -> Effect:
    """Return the difference of two means with the limits of Student's or Welch's t.

    Examples
    --------
    >>> found = difference_of_means(np.array([1.0, 2, 3]), np.array([2.0, 3, 4]), pooled=True)
    >>> found.value, round(found.low, 3)
    (1.0, -1.267)
    """
    name = "difference of means"
    if min(len(first), len(second)) < 2:
        return Effect(name)
    if not varies(first) and not varies(second):
        return Effect(name, float(second.mean() - first.mean()))
    found = stats.ttest_ind(second, first, equal_var=pooled)
    low, high = found.confidence_interval(confidence)
    return Effect(name, float(second.mean() - first.mean()), float(low), float(high))


def hodges_lehmann(first: np.ndarray, second: np.ndarray, confidence: float = 0.95) -> Effect:
    """Return the median of all differences of a value of the second group and one of the first.

    Its limits are two of these differences, those that the rank-sum test would just not refute
    [2]_: by its exact distribution in groups of at most 50 values, by its normal approximation in
    larger ones.
    """
    name = "Hodges-Lehmann shift"
    n1, n2 = len(first), len(second)
    if min(n1, n2) < 1:
        return Effect(name)
    outside = (1 - confidence) / 2
    if max(n1, n2) <= EXACT_RANKS:
        cumulative = _rank_sum_distribution(*sorted((n1, n2)))
        below = int(np.searchsorted(cumulative, outside, side="right"))
    else:
        spread = math.sqrt(n1 * n2 * (n1 + n2 + 1) / 12)
        below = max(round(n1 * n2 / 2 + stats.norm.ppf(outside) * spread), 0)
    middle = [(n1 * n2 - 1) // 2, n1 * n2 // 2]
    ranks = [*middle, max(below - 1, 0), n1 * n2 - max(below, 1)]
    a, b, low, high = _ordered_differences(first, second, ranks)
    if below < 1:  # too few values for limits at this level
        return Effect(name, (a + b) / 2)
    return Effect(name, (a + b) / 2, low, high)


@cache
def _rank_sum_distribution(n1: int, n2: int) -> np.ndarray:
    """Return P(U <= u) of Mann and Whitney's U for u = 0, 1, ..., n1 n2, without ties."""
    ways = np.zeros(n1 * n2 + 1, dtype=object)
    ways[0] = 1
    for at in range(1, n1 + 1):  # the Gaussian binomial coefficient, in whole numbers
        step = n2 + at
        if step <= n1 * n2:
            ways[step:] = ways[step:] - ways[: len(ways) - step]
        for start in range(at, len(ways)):
            ways[start] += ways[start - at]
    total = math.comb(n1 + n2, n1)
    return np.array([int(each) / total for each in np.cumsum(ways)])


def _ordered_differences(first: np.ndarray, second: np.ndarray, ranks: list[int]) -> list[float]:
    """Return the differences of all pairs at places of their order (0 is the least)."""
    if len(first) * len(second) <= LARGEST_PRODUCT:
        differences = np.subtract.outer(second, first).ravel()
        differences.partition(sorted(set(ranks)))
        return [float(differences[rank]) for rank in ranks]
    first, second = np.sort(first), np.sort(second)
    return [_difference_at(first, second, rank) for rank in ranks]


def _difference_at(first: np.ndarray, second: np.ndarray, rank: int) -> float:
    """Return one ordered difference of sorted values by halving an interval that holds it."""
    low, high = second[0] - first[-1], second[-1] - first[0]
    while (middle := low + (high - low) / 2) not in (low, high):
        above = np.searchsorted(first, second - middle, side="left")
        if (len(first) - above).sum() > rank:
            high = middle
        else:
            low = middle
    return float(high)


def difference_of_shares(
    events: tuple[int, int], totals: tuple[int, int], confidence: float = 0.95
) -> Effect:
    """Return the difference of two shares with Newcombe's limits from Wilson's [1]_.

    Examples
    --------
    >>> found = difference_of_shares((48, 56), (80, 70))
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    name = "difference of shares"
    if min(totals) < 1:
        return Effect(name)
    shares = [part / whole for part, whole in zip(events, totals, strict=True)]
    limits = [
        stats.binomtest(int(part), int(whole)).proportion_ci(confidence, "wilson")
        for part, whole in zip(events, totals, strict=True)
    ]
    difference = shares[1] - shares[0]
    low = difference - math.hypot(shares[1] - limits[1].low, limits[0].high - shares[0])
    high = difference + math.hypot(limits[1].high - shares[1], shares[0] - limits[0].low)
    return Effect(name, difference, low, high)


def odds_ratio(
    events: tuple[int, int], totals: tuple[int, int], confidence: float = 0.95
) -> Effect:
    """Return the odds ratio with Woolf's limits; with an empty cell the conditional exact one."""
    a, b = events
    c, d = totals[0] - a, totals[1] - b
    if min(totals) < 1 or a + b == 0 or c + d == 0:
        return Effect("odds ratio")
    if min(a, b, c, d) == 0:
        found = stats.contingency.odds_ratio([[int(b), int(d)], [int(a), int(c)]])
        low, high = found.confidence_interval(confidence)
        return Effect(
            "odds ratio (conditional, exact)", float(found.statistic), float(low), float(high)
        )
    value, error = b * c / (a * d), math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return _on_log_scale("odds ratio", value, error, confidence)


def risk_ratio(
    events: tuple[int, int], totals: tuple[int, int], confidence: float = 0.95
) -> Effect:
    """Return the ratio of two shares with the limits of Katz [5]_; none with an empty cell."""
    (a, b), (n, m) = events, totals
    if min(a, b) == 0:
        return Effect("risk ratio")
    error = math.sqrt(max(1 / a - 1 / n + 1 / b - 1 / m, 0.0))
    return _on_log_scale("risk ratio", (b / m) / (a / n), error, confidence)


def _on_log_scale(name: str, value: float, error: float, confidence: float) -> Effect:
    half = stats.norm.ppf((1 + confidence) / 2) * error
    return Effect(name, value, value * math.exp(-half), value * math.exp(half))


def standardised_difference(
    first: np.ndarray, second: np.ndarray, confidence: float = 0.95
) -> Effect:
    """Return the difference of means in units of the two groups' mean standard deviation [3]_."""
    if min(len(first), len(second)) < 2:
        return Effect("standardised difference")
    spread = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    if not varies(first) and not varies(second):
        return Effect("standardised difference")
    value = float(second.mean() - first.mean()) / spread
    return _standardised(value, len(first), len(second), confidence)


def standardised_difference_of_levels(counts: np.ndarray, confidence: float = 0.95) -> Effect:
    """Return Yang and Dalton's standardised difference of two groups' shares of levels [4]_.

    Parameters
    ----------
    counts : numpy.ndarray of shape (n_levels, 2)
        Numbers of units. With two levels the sign is that of the last level's difference; with
        more there is no direction, and the value is not negative.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.
    """
    name = "standardised difference"
    counts = np.asarray(counts, dtype=float)
    counts = counts[counts.sum(axis=1) > 0]
    totals = counts.sum(axis=0)
    if len(counts) < 2 or (totals == 0).any():
        return Effect(name)
    shares = (counts / totals)[1:]
    difference = shares[:, 1] - shares[:, 0]
    covariance = np.asarray(sum(np.diag(p) - np.outer(p, p) for p in shares.T)) / 2
    if np.linalg.matrix_rank(covariance) < len(covariance):
        return Effect(name)
    value = math.sqrt(max(float(difference @ np.linalg.solve(covariance, difference)), 0.0))
    if len(difference) == 1:
        value = math.copysign(value, difference[0]) if value else 0.0
    return _standardised(value, totals[0], totals[1], confidence)


def _standardised(value: float, n1: float, n2: float, confidence: float) -> Effect:
    error = math.sqrt((n1 + n2) / (n1 * n2) + value**2 / (2 * (n1 + n2)))
    half = float(stats.norm.ppf((1 + confidence) / 2)) * error
    return Effect("standardised difference", value, value - half, value + half)
