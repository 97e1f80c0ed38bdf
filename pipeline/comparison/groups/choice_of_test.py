"""Which test compares a variable, by rules that never see the P value of a comparison.

A rule looks at what the groups look like (normal or not, equal spread or not, how many units a
cell is expected to hold), and says so in words. Whoever wants another test names it beforehand.

References
----------
.. [1] Shapiro SS, Wilk MB. An analysis of variance test for normality. Biometrika 1965;52:591-611.
.. [2] Lilliefors HW. On the Kolmogorov-Smirnov test for normality with mean and variance unknown.
   J Am Stat Assoc 1967;62:399-402.
.. [3] Cochran WG. Some methods for strengthening the common chi-square tests. Biometrics
   1954;10:417-451.
.. [4] Sun Z, Xu Y. Medical Statistics (Yixue Tongjixue). People's Medical Publishing House:
   the rule of n >= 40 and expected counts of 1 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from pipeline.comparison.groups.summaries import varies

NORMALITY_TESTS = {"shapiro": "Shapiro-Wilk", "lilliefors": "Kolmogorov-Smirnov (Lilliefors)"}

SMALL_CELLS = {
    "cochran": "Cochran: Fisher's exact test where an expected count is below 1, or more than a "
    "fifth of them below 5",
    "textbook": "two by two: n >= 40 and all expected counts >= 5 Pearson, n >= 40 and 1 <= "
    "expected < 5 Yates, otherwise Fisher; larger tables: Cochran",
}

ALPHA = 0.05
"""Below it, a test of normality or of equal spread counts as found."""

LARGEST_SHAPIRO = 5000
"""Values above which Shapiro and Wilk's P is not accurate (scipy's documentation)."""

FEWEST_NORMAL = 3
"""Fewer values show nothing about their distribution."""


class Choice(NamedTuple):
    """A test and why it is the one."""

    test: str
    reason: str


def choose_for_counts(counts: np.ndarray, rule: str = "cochran") -> Choice:
    """Choose the test of a table of counts by its expected counts.

    Parameters
    ----------
    counts : numpy.ndarray of shape (n_levels, n_groups)
        Numbers of units; levels and groups without any are left out.
    rule : {'cochran', 'textbook'}
        `SMALL_CELLS` says what each does [3]_ [4]_.

    Examples
    --------
    >>> choose_for_counts(np.array([[14, 6], [217, 31]]), "textbook").test
    'yates'
    """
    counts = np.asarray(counts, dtype=float)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape, default=0) < 2:
        return Choice("pearson", "nothing to compare")
    expected = stats.contingency.expected_freq(counts)
    least, below = expected.min(), (expected < 5).mean()
    n = int(counts.sum())
    seen = f"least expected count {least:.2g}"
    if rule == "textbook" and counts.shape == (2, 2):
        if n < 40 or least < 1:
            return Choice("fisher", f"n = {n}, {seen}")
        return Choice("yates" if least < 5 else "pearson", f"n = {n}, {seen}")
    if least < 1 or below > 0.2:
        return Choice("fisher", f"{seen}; {below:.0%} of the cells below 5")
    return Choice("pearson", seen)


def choose_for_numbers(samples: Sequence[np.ndarray], normality: str = "shapiro") -> Choice:
    """Choose the test of numbers by normality in every group, then by Levene's test.

    Parameters
    ----------
    samples : sequence of numpy.ndarray, each of shape (n_units,)
        Values of each group, missing ones left out. Of one group, all that is chosen is how it is
        described: by its mean (anova) or by ranks (kruskal).
    normality : {'shapiro', 'lilliefors'}
        Test of normality [1]_ [2]_; above 5,000 values in a group the second is taken.

    Returns
    -------
    Choice
        Ranks where a group is not normal, or too small to tell. Otherwise means: pooled variance
        where Levene's test on the mean, as SPSS does it, has P >= 0.05, and Welch's where not.
    """
    two = len(samples) == 2
    ranks = "mann-whitney" if two else "kruskal"
    samples = [np.asarray(values, dtype=float) for values in samples]
    if min(map(len, samples), default=0) < FEWEST_NORMAL:
        return Choice(ranks, f"a group of fewer than {FEWEST_NORMAL} values")
    if not all(varies(values) for values in samples):
        return Choice(ranks, "a group whose values do not vary")
    name = "lilliefors" if max(map(len, samples)) > LARGEST_SHAPIRO else normality
    least = min(normality_p(values, name) for values in samples)
    seen = f"{NORMALITY_TESTS[name]}, least P of a group {p_text(least)}"
    if least < ALPHA:
        return Choice(ranks, f"not normal ({seen})")
    if len(samples) == 1:
        return Choice("anova", f"normal ({seen})")
    levene = float(stats.levene(*samples, center="mean").pvalue)
    equal = levene >= ALPHA
    test = ("pooled-t" if equal else "welch-t") if two else ("anova" if equal else "welch-anova")
    words = "equal" if equal else "unequal"
    return Choice(test, f"normal ({seen}); {words} spread (Levene on the mean, P {p_text(levene)})")


def normality_p(values: np.ndarray, test: str = "shapiro") -> float:
    """Return the P value of a test of normality; at least three values that vary."""
    if test == "shapiro":
        return float(stats.shapiro(values).pvalue)
    from statsmodels.stats.diagnostic import lilliefors  # statsmodels takes a second to import

    with np.errstate(all="ignore"):
        return float(lilliefors(values, dist="norm", pvalmethod="approx")[1])


def p_text(value: float) -> str:
    """Return a P value as a reason names it."""
    return "< .001" if value < 0.001 else f"{value:.3f}"
