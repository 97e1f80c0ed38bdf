"""Tests that compare groups: of counts, of values, and of published counts, means and deviations.

Each test has a short name, by which a dictionary or a command asks for it, and a full one, which is
printed. All are two-sided. Statistic, degrees of freedom and P are scipy's own; what scipy lacks
(Fisher's exact test of larger tables, the trend test, an analysis of variance from means) is here.

References
----------
.. [1] Agresti A. Categorical Data Analysis. 3rd ed. Wiley 2013: section 3.4.1 (trend).
.. [2] Welch BL. On the comparison of several mean values. Biometrika 1951;38:330-336.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.comparison.groups.fisher_exact import MAX_PATHS, fisher_p
from pipeline.comparison.groups.summaries import varies
from pipeline.core.errors import VertebromicsError

COUNT_TESTS = {
    "pearson": "Pearson chi-square, no continuity correction",
    "yates": "Chi-square with Yates' continuity correction",
    "fisher": "Fisher's exact test",
    "likelihood-ratio": "Likelihood-ratio chi-square",
    "trend": "Linear-by-linear association, (N-1)r²",
}
"""Full names of tests of counts."""

NUMBER_TESTS = {
    "pooled-t": "Student t, pooled variance",
    "welch-t": "Welch t",
    "mann-whitney": "Mann-Whitney U (Wilcoxon rank-sum)",
    "anova": "One-way analysis of variance",
    "welch-anova": "Welch's analysis of variance",
    "kruskal": "Kruskal-Wallis",
}
"""Full names of tests of numbers."""

TEST_NAMES = COUNT_TESTS | NUMBER_TESTS

OF_TWO_GROUPS = ("pooled-t", "welch-t", "mann-whitney")
"""Tests that compare two groups and no more."""

BY_MEANS = ("pooled-t", "welch-t", "anova", "welch-anova")
"""Tests of means: their variables are described by mean and standard deviation."""


@dataclass(frozen=True)
class GroupTest:
    """Result of one comparison of groups.

    Attributes
    ----------
    test : str
        Short name, a key of `TEST_NAMES` (clustered tests have names of their own).
    name : str
        In full, as a table prints it.
    statistic : float
        NaN where the test cannot be done: a group without a value, or values that do not vary by
        more than rounding.
    df : float
        Degrees of freedom; of a ratio of variances, those of the numerator. NaN where there are
        none, as for ranks and exact tests.
    df2 : float
        Degrees of freedom of the denominator, NaN elsewhere.
    p : float
        Two-sided.
    note : str
        What a reader must know beside it.
    """

    test: str
    name: str
    statistic: float = np.nan
    df: float = np.nan
    df2: float = np.nan
    p: float = np.nan
    note: str = ""


def fits(test: str, *, numbers: bool, levels: int, groups: int) -> bool:
    """Return whether a test can compare a column.

    Parameters
    ----------
    test : str
        A key of `TEST_NAMES`.
    numbers : bool
        Whether the column holds numbers.
    levels : int
        Different values of the column.
    groups : int
        Groups that are compared.
    """
    if test in COUNT_TESTS:
        return test != "yates" or (levels == 2 and groups == 2)
    return numbers and (groups == 2 or test not in OF_TWO_GROUPS)


def count_test(
    counts: np.ndarray,
    test: str,
    *,
    level_scores: Sequence[float] | None = None,
    group_scores: Sequence[float] | None = None,
    max_paths: int = MAX_PATHS,
) -> GroupTest:
    """Compare the shares of levels between groups.

    Parameters
    ----------
    counts : numpy.ndarray of shape (n_levels, n_groups)
        Numbers of units; levels and groups without any are left out.
    test : str
        A key of `COUNT_TESTS`.
    level_scores, group_scores : sequence of float, optional
        Numbers of the levels and groups for the trend, in their order; 0, 1, 2, ... by default.
    max_paths : int
        Work that Fisher's exact test may take (`pipeline.comparison.groups.fisher_exact.fisher_p`).

    Raises
    ------
    VertebromicsError
        If the test is not one of counts, or `yates` is asked of more than two levels or groups.

    Notes
    -----
    The statistic of Fisher's test is the sample odds ratio of a table of two by two (scipy's, the
    odds of the first level in the first group against those in the second), and of a larger one the
    probability of the observed table.

    Examples
    --------
    >>> pfo = np.array([[25, 27], [452 - 25, 117 - 27]])
    >>> found = count_test(pfo, "pearson")
    >>> round(found.statistic, 2), found.df
    (34.46, 1.0)
    """
    if test not in COUNT_TESTS:
        raise VertebromicsError(
            f"A test of counts must be one of {', '.join(COUNT_TESTS)}",
            found=test,
            code="test-of-counts-unknown",
        )
    counts = np.asarray(counts, dtype=float)
    levels, groups = counts.sum(axis=1) > 0, counts.sum(axis=0) > 0
    rows, columns = (
        np.arange(size, dtype=float) if scores is None else np.asarray(scores, dtype=float)
        for size, scores in zip(counts.shape, (level_scores, group_scores), strict=True)
    )
    counts, rows, columns = counts[levels][:, groups], rows[levels], columns[groups]
    name = COUNT_TESTS[test]
    if min(counts.shape, default=0) < 2:
        return GroupTest(test, name)
    if test == "yates" and counts.shape != (2, 2):
        raise VertebromicsError(
            "Yates' correction must have a table of two by two",
            found=f"{counts.shape[0]} levels in {counts.shape[1]} groups",
            remedy="name `pearson` or `fisher` for this variable",
            code="yates-not-two-by-two",
        )
    if test == "fisher":
        return _fisher(counts, name, max_paths)
    if test == "trend":
        return _trend(counts, rows, columns)
    kind = "log-likelihood" if test == "likelihood-ratio" else "pearson"
    found = stats.chi2_contingency(counts, correction=test == "yates", lambda_=kind)
    return GroupTest(test, name, float(found.statistic), float(found.dof), p=float(found.pvalue))


def _fisher(counts: np.ndarray, name: str, max_paths: int) -> GroupTest:
    if counts.shape == (2, 2):
        found = stats.fisher_exact(counts)
        return GroupTest("fisher", name, float(found.statistic), p=float(found.pvalue))
    probability, p = fisher_p(counts, max_paths)
    return GroupTest("fisher", f"{name} (Freeman-Halton)", probability, p=p)


def _trend(counts: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> GroupTest:
    """Return (N-1)r² of the scores with its chi-square of one degree of freedom [1]_."""
    n = counts.sum()
    x, y = rows[:, None] + 0 * counts, columns[None, :] + 0 * counts
    x, y = x - (counts * x).sum() / n, y - (counts * y).sum() / n
    spread = (counts * x * x).sum() * (counts * y * y).sum()
    if spread == 0:
        return GroupTest("trend", COUNT_TESTS["trend"])
    statistic = float((n - 1) * (counts * x * y).sum() ** 2 / spread)
    p = float(stats.chi2.sf(statistic, 1))
    return GroupTest("trend", COUNT_TESTS["trend"], statistic, 1.0, p=p)


def number_test(samples: Sequence[np.ndarray], test: str) -> GroupTest:
    """Compare the values of groups.

    Parameters
    ----------
    samples : sequence of numpy.ndarray, each of shape (n_units,)
        The values of each group; missing ones are left out, and groups without any too.
    test : str
        A key of `NUMBER_TESTS`. t and U are those of the first group against the second.

    Raises
    ------
    VertebromicsError
        If the test is not one of numbers, or compares two groups only and there are others.

    Notes
    -----
    Mann-Whitney is scipy's default: exact where a group has at most eight values and none are tied,
    and the normal approximation with correction for ties and continuity otherwise.
    """
    if test not in NUMBER_TESTS:
        raise VertebromicsError(
            f"A test of numbers must be one of {', '.join(NUMBER_TESTS)}",
            found=test,
            code="test-of-numbers-unknown",
        )
    samples = [np.asarray(values, dtype=float) for values in samples]
    _check_groups(test, len(samples))
    samples = [values[~np.isnan(values)] for values in samples]
    by_means, name = test in BY_MEANS, NUMBER_TESTS[test]
    if test in OF_TWO_GROUPS or test == "welch-anova":
        possible = all(len(values) > (1 if by_means else 0) for values in samples)
    else:
        samples = [values for values in samples if len(values)]
        possible = len(samples) > 1 and sum(map(len, samples)) > len(samples)
    if not possible or not varies(np.concatenate(samples)):
        return GroupTest(test, name)
    if by_means:
        sizes, means, deviations = _summaries(samples)
        if (deviations[sizes > 1] == 0).all() or (test == "welch-anova" and not deviations.all()):
            return GroupTest(test, name)
    if test == "welch-anova":
        return summary_test(sizes, means, deviations, test)
    df = df2 = np.nan
    note = ""
    if test == "mann-whitney":
        found = stats.mannwhitneyu(*samples, alternative="two-sided")
        every = np.concatenate(samples)
        exact = min(map(len, samples)) <= 8 and len(np.unique(every)) == len(every)
        note = "exact" if exact else "normal approximation, corrected for ties and continuity"
    elif test == "kruskal":
        found, df = stats.kruskal(*samples), len(samples) - 1
    elif test == "anova":
        found, df, df2 = stats.f_oneway(*samples), len(samples) - 1, sizes.sum() - len(samples)
    else:
        found = stats.ttest_ind(*samples, equal_var=test == "pooled-t")
        df = found.df
    statistic, p = float(found.statistic), float(found.pvalue)
    return GroupTest(test, name, statistic, float(df), float(df2), p, note)


def _summaries(samples: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return size, mean and standard deviation (0 of a single value) of each sample."""
    sizes = np.array([len(values) for values in samples])
    means = np.array([values.mean() for values in samples])
    # A constant column has no deviation, whatever its mean is rounded to.
    deviations = [values.std(ddof=1) if np.ptp(values) else 0.0 for values in samples]
    return sizes, means, np.array(deviations)


def summary_test(
    sizes: Sequence[float] | np.ndarray,
    means: Sequence[float] | np.ndarray,
    deviations: Sequence[float] | np.ndarray,
    test: str,
) -> GroupTest:
    """Compare published means by their standard deviations and numbers of units.

    Parameters
    ----------
    sizes, means, deviations : sequence of shape (n_groups,)
        Units, mean and standard deviation of each group.
    test : str
        One of `BY_MEANS`.

    Raises
    ------
    VertebromicsError
        If the test needs values, not their means.

    Examples
    --------
    >>> age = summary_test([452, 117], [72.23, 69.19], [9.08, 8.56], "pooled-t")
    >>> round(age.statistic, 2), age.df
    (3.27, 567.0)
    """
    if test not in BY_MEANS:
        raise VertebromicsError(
            f"A test of published means must be one of {', '.join(BY_MEANS)}",
            found=test,
            remedy="ranks cannot be had from means: hand in the values",
            code="test-of-means-unknown",
        )
    n, m, s = (np.asarray(each, dtype=float) for each in (sizes, means, deviations))
    _check_groups(test, len(n))
    name = NUMBER_TESTS[test]
    if (n < 2).any() or not (s > 0).any():
        return GroupTest(test, name)
    if test in ("pooled-t", "welch-t"):
        equal = test == "pooled-t"
        found = stats.ttest_ind_from_stats(m[0], s[0], n[0], m[1], s[1], n[1], equal_var=equal)
        squares = s**2 / n
        df = n.sum() - 2 if equal else squares.sum() ** 2 / (squares**2 / (n - 1)).sum()
        return GroupTest(test, name, float(found.statistic), float(df), p=float(found.pvalue))
    df = len(n) - 1.0
    if test == "anova":
        df2 = n.sum() - len(n)
        between = (n * (m - (n * m).sum() / n.sum()) ** 2).sum() / df
        f = between / (((n - 1) * s**2).sum() / df2)
    else:
        weights = n / s**2
        centre = (weights * m).sum() / weights.sum()
        spread = ((1 - weights / weights.sum()) ** 2 / (n - 1)).sum()
        between = (weights * (m - centre) ** 2).sum() / df
        f = between / (1 + 2 * (len(n) - 2) / (len(n) ** 2 - 1) * spread)
        df2 = (len(n) ** 2 - 1) / (3 * spread)
    return GroupTest(test, name, float(f), df, float(df2), float(stats.f.sf(f, df, df2)))


def _check_groups(test: str, groups: int) -> None:
    if groups < 2 or (test in OF_TWO_GROUPS and groups != 2):
        raise VertebromicsError(
            f"The test {test} must have {'two' if test in OF_TWO_GROUPS else 'at least two'} "
            "groups",
            found=groups,
            remedy="name `anova` or `kruskal` for more than two groups",
            code="test-of-other-groups",
        )
