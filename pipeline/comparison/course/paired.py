"""Scales measured again in the same patients: before and after, several times, between groups.

Of two groups, the values afterwards are compared given those before (analysis of covariance), which
is more precise than a difference of changes and does not reward a group that began worse; changes
stand beside it.

References
----------
.. [1] Vickers AJ, Altman DG. Analysing controlled trials with baseline and follow up measurements.
   BMJ 2001;323:1123-1124.
.. [2] Hollander M, Wolfe DA, Chicken E. Nonparametric Statistical Methods. 3rd ed. Wiley 2014:
   sections 3.1 to 3.3 (signed ranks, Walsh averages), 7.1 (Friedman).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.comparison.groups.choice_of_test import (
    ALPHA,
    FEWEST_NORMAL,
    Choice,
    normality_p,
    p_text,
)
from pipeline.comparison.groups.effects import EXACT_RANKS, Effect
from pipeline.comparison.groups.group_tests import GroupTest
from pipeline.core.errors import VertebromicsError

PAIRED_TESTS = {
    "paired-t": "Paired t",
    "wilcoxon": "Wilcoxon signed-rank",
    "friedman": "Friedman",
}


@dataclass(frozen=True)
class Scale:
    """A scale of pain or function.

    Attributes
    ----------
    label, unit : str
        Its name, and what one step is (``points``, ``%``).
    low, high : float
        Least and largest value that it can have: the same name may mean 0 to 50 or 0 to 100.
    mcid : float or None
        Least change that matters to a patient (minimal clinically important difference).
    low_is_good : bool
        Whether a fall is an improvement, as of pain and disability.
    """

    label: str
    unit: str
    low: float
    high: float
    mcid: float | None = None
    low_is_good: bool = True

    def check(self, values: np.ndarray, where: str) -> None:
        """Raise `VertebromicsError` if a value lies outside the scale."""
        values = np.asarray(values, dtype=float)
        outside = values[(values < self.low) | (values > self.high)]
        if len(outside):
            raise VertebromicsError(
                "A value of a scale must lie within its range",
                found=f"{len(outside)} values, such as {outside[0]:g}; {self.label} is from "
                f"{self.low:g} to {self.high:g} {self.unit}",
                where=where,
                remedy="correct the values, or the range of the scale (ODI is 0 to 50 points, or 0 "
                "to 100%)",
                code="scale-out-of-range",
            )

    def improvement(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return by how much values became better."""
        return (before - after) if self.low_is_good else (after - before)


def choose_paired(before: np.ndarray, after: np.ndarray) -> Choice:
    """Choose by the normality of the differences (Shapiro-Wilk), which never sees their mean."""
    difference = after - before
    if len(difference) < FEWEST_NORMAL or np.ptp(difference) == 0:
        return Choice("wilcoxon", "too few different values to tell")
    p = normality_p(difference, "shapiro" if len(difference) <= 5000 else "lilliefors")
    normal = p >= ALPHA
    seen = f"differences {'' if normal else 'not '}normal (P {p_text(p)})"
    return Choice("paired-t" if normal else "wilcoxon", seen)


def paired_test(before: np.ndarray, after: np.ndarray, test: str) -> GroupTest:
    """Compare two measurements of the same patients.

    Parameters
    ----------
    before, after : numpy.ndarray of shape (n_patients,)
        Pairs; those with a missing value are left out.
    test : {'paired-t', 'wilcoxon'}
        scipy's `ttest_rel` of after against before, and `wilcoxon` (pairs without a difference are
        left out; exact where there are few and no ties).

    Raises
    ------
    VertebromicsError
        If the test is another.
    """
    if test not in ("paired-t", "wilcoxon"):
        raise VertebromicsError(
            "A paired test must be paired-t or wilcoxon", found=test, code="paired-test-unknown"
        )
    before, after = complete_pairs(before, after)
    name, difference = PAIRED_TESTS[test], after - before
    if len(difference) < 2 or (test == "paired-t" and np.ptp(difference) == 0):
        return GroupTest(test, name)
    if not difference.any():
        return GroupTest(test, name)
    if test == "paired-t":
        found = stats.ttest_rel(after, before)
        return GroupTest(test, name, float(found.statistic), float(found.df), p=float(found.pvalue))
    found = stats.wilcoxon(after, before)
    zeros = int((difference == 0).sum())
    note = f"{zeros} pairs without a difference left out" if zeros else ""
    return GroupTest(test, name, float(found.statistic), p=float(found.pvalue), note=note)


def complete_pairs(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs in which neither value is missing."""
    before, after = (np.asarray(values, dtype=float) for values in (before, after))
    known = ~(np.isnan(before) | np.isnan(after))
    return before[known], after[known]


def mean_change(before: np.ndarray, after: np.ndarray, confidence: float = 0.95) -> Effect:
    """Return the mean of after - before with the limits of the paired t test."""
    before, after = complete_pairs(before, after)
    difference = after - before
    if len(difference) < 2:
        return Effect("mean change", *([float(difference[0])] if len(difference) else []))
    value, error = (
        float(difference.mean()),
        float(difference.std(ddof=1)) / math.sqrt(len(difference)),
    )
    half = float(stats.t.ppf((1 + confidence) / 2, len(difference) - 1)) * error
    return Effect("mean change", value, value - half, value + half)


def median_change(before: np.ndarray, after: np.ndarray, confidence: float = 0.95) -> Effect:
    """Return the Hodges-Lehmann median of changes: of all means of two of them [2]_.

    Its limits are the means that the signed-rank test would just not refute: by the exact
    distribution up to 50 pairs, by the normal approximation above.
    """
    name = "Hodges-Lehmann change"
    before, after = complete_pairs(before, after)
    difference, n = after - before, len(before)
    if n < 1:
        return Effect(name)
    first, second = np.triu_indices(n)
    walsh = np.sort((difference[first] + difference[second]) / 2)
    outside, most = (1 - confidence) / 2, n * (n + 1) // 2
    if n <= EXACT_RANKS:
        below = int(np.searchsorted(_signed_rank_distribution(n), outside, side="right"))
    else:
        spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        below = max(round(n * (n + 1) / 4 + stats.norm.ppf(outside) * spread), 0)
    value = float(np.median(walsh))
    if below < 1:  # too few pairs for limits at this level
        return Effect(name, value)
    return Effect(name, value, float(walsh[below - 1]), float(walsh[most - below]))


@cache
def _signed_rank_distribution(n: int) -> np.ndarray:
    """Return P(V <= v) of Wilcoxon's signed-rank sum for v = 0, 1, ..., n (n + 1) / 2."""
    ways = np.zeros(n * (n + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, n + 1):
        ways[rank:] = ways[rank:] + ways[: len(ways) - rank]
    return np.cumsum(ways) / 2.0**n


def friedman(values: np.ndarray) -> GroupTest:
    """Compare three or more measurements of the same patients by ranks.

    Parameters
    ----------
    values : numpy.ndarray of shape (n_patients, n_times)
        Patients with a missing value are left out.

    Returns
    -------
    GroupTest
        scipy's `friedmanchisquare`; the note holds Kendall's W (0 no agreement, 1 full).
    """
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values).any(axis=1)]
    patients, times = values.shape
    if times < 3:
        raise VertebromicsError(
            "Friedman's test must have at least three measurements",
            found=times,
            remedy="compare two by paired-t or wilcoxon",
            code="friedman-too-few-times",
        )
    name = PAIRED_TESTS["friedman"]
    if patients < 2 or (np.ptp(values, axis=1) == 0).all():
        return GroupTest("friedman", name)
    found = stats.friedmanchisquare(*values.T)
    w = found.statistic / (patients * (times - 1))
    note = f"Kendall's W {w:.3f}, {patients} patients measured every time"
    return GroupTest(
        "friedman", name, float(found.statistic), times - 1.0, p=float(found.pvalue), note=note
    )


def ancova(
    before: np.ndarray,
    after: np.ndarray,
    group: np.ndarray,
    covariates: np.ndarray | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare groups after, given the values before [1]_.

    Parameters
    ----------
    before, after : numpy.ndarray of shape (n_patients,)
        Values; pairs with a missing one are left out.
    group : numpy.ndarray of int, shape (n_patients,)
        Number of a patient's group, 0 for the reference, -1 for none.
    covariates : numpy.ndarray of shape (n_patients, n_covariates), optional
        Numbers for which the difference is adjusted too; patients with a missing one are left out.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        A row for each group but the reference: ``group, difference, low, high, t, df, p,
        slope, slope_p, interaction_p, n``. The difference is that of the adjusted means;
        `slope` is what one point before means afterwards; a small `interaction_p` says that it
        differs between the groups, so that one difference does not tell all. Empty where the
        patients are too few.
    """
    before, after, group = (np.asarray(each) for each in (before, after, group))
    others = np.zeros((len(before), 0)) if covariates is None else np.asarray(covariates, float)
    known = ~(np.isnan(before) | np.isnan(after) | np.isnan(others).any(axis=1)) & (group >= 0)
    before, after, group = before[known].astype(float), after[known].astype(float), group[known]
    numbers = sorted(set(group.tolist()))
    rows: list[dict] = []
    if len(numbers) > 1 and len(after) > 2 * len(numbers) and np.ptp(before) > 0:
        dummies = np.column_stack([group == number for number in numbers[1:]]).astype(float)
        design = np.column_stack([np.ones(len(after)), before, dummies, others[known]])
        fit = _least_squares(design, after)
        crossed = np.column_stack([design, dummies * (before - before.mean())[:, None]])
        interaction = _extra_p(design, crossed, after)
        if fit is not None:
            coefficients, errors, df = fit
            half = stats.t.ppf((1 + confidence) / 2, df) * errors
            t = coefficients / errors
            p = 2 * stats.t.sf(np.abs(t), df)
            for at, number in enumerate(numbers[1:], 2):
                limits = coefficients[at] - half[at], coefficients[at] + half[at]
                values = (number, coefficients[at], *limits, t[at], df, p[at])
                rows.append(dict(zip(_ANCOVA, values, strict=False)))
                rows[-1] |= {"slope": coefficients[1], "slope_p": p[1]}
                rows[-1] |= {"interaction_p": interaction, "n": len(after)}
    return pd.DataFrame(rows, columns=_ANCOVA)


_ANCOVA = ["group", "difference", "low", "high", "t", "df", "p", "slope", "slope_p"]
_ANCOVA += ["interaction_p", "n"]


def _least_squares(
    design: np.ndarray, outcome: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Return coefficients, their standard errors and the degrees of freedom."""
    df = len(outcome) - design.shape[1]
    if df < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    coefficients = np.linalg.lstsq(design, outcome, rcond=None)[0]
    variance = float(((outcome - design @ coefficients) ** 2).sum()) / df
    if variance == 0:
        return None
    errors = np.sqrt(variance * np.diag(np.linalg.inv(design.T @ design)))
    return coefficients, errors, df


def _extra_p(small: np.ndarray, large: np.ndarray, outcome: np.ndarray) -> float:
    """Return the P value of the columns that a larger design has beyond a smaller one."""
    sums = []
    for design in (small, large):
        fitted = design @ np.linalg.lstsq(design, outcome, rcond=None)[0]
        sums.append(float(((outcome - fitted) ** 2).sum()))
    extra, df = large.shape[1] - small.shape[1], len(outcome) - large.shape[1]
    if df < 1 or sums[1] == 0 or np.linalg.matrix_rank(large) < large.shape[1]:
        return math.nan
    return float(stats.f.sf((sums[0] - sums[1]) / extra / (sums[1] / df), extra, df))


def reached(before: np.ndarray, after: np.ndarray, scale: Scale) -> tuple[int, int]:
    """Return how many patients improved by the least change that matters, and of how many.

    Raises
    ------
    VertebromicsError
        If the scale has none configured.
    """
    if scale.mcid is None:
        raise VertebromicsError(
            "The share of patients who improved must have a least change that matters",
            found=f"no mcid for {scale.label}",
            remedy="write `mcid` for the scale, with its source",
            code="improvement-without-mcid",
        )
    before, after = complete_pairs(before, after)
    # A difference of two decimals is not exact: 5.3 - 3.3 falls short of 2 by 4e-16.
    better = scale.improvement(before, after) >= scale.mcid - 1e-9 * (scale.high - scale.low)
    return int(better.sum()), len(better)


def over_time(
    table: pd.DataFrame, columns: Sequence[str], scale: Scale, confidence: float = 0.95
) -> pd.DataFrame:
    """Describe a scale at every time, and compare each later time with the first.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per patient; `columns` are float64.
    columns : sequence of str
        The scale's columns from the first time to the last.
    scale : Scale
        Its unit, range, direction and smallest difference that matters.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        A row for each time: ``time, n, mean, sd, median, q1, q3, pairs, test, statistic, df,
        p_value, reason, effect, change, change_low, change_high, reached, reached_of``.
    """
    first, rows = table[columns[0]].to_numpy(dtype=float), []
    for name in columns:
        values = table[name].to_numpy(dtype=float)
        scale.check(values, f"column {name}")
        known = values[~np.isnan(values)]
        row: dict = {"time": name, "n": len(known)}
        if len(known):
            q1, median, q3 = np.percentile(known, [25, 50, 75])
            sd = float(known.std(ddof=1)) if len(known) > 1 else math.nan
            row |= {"mean": float(known.mean()), "sd": sd, "median": median, "q1": q1, "q3": q3}
        if name != columns[0]:
            before, after = complete_pairs(first, values)
            choice = choose_paired(before, after)
            found = paired_test(before, after, choice.test)
            means = choice.test == "paired-t"
            shift = (mean_change if means else median_change)(before, after, confidence)
            row |= {"pairs": len(before), "test": found.test, "statistic": found.statistic}
            row |= {"df": found.df, "p_value": found.p, "reason": choice.reason}
            names = ("effect", "change", "change_low", "change_high")
            row |= dict(zip(names, shift, strict=True))
            if scale.mcid is not None:
                row["reached"], row["reached_of"] = reached(before, after, scale)
        rows.append(row)
    order = ["time", "n", "mean", "sd", "median", "q1", "q3", "pairs", "test", "statistic", "df"]
    order += ["p_value", "reason", "effect", "change", "change_low", "change_high"]
    return pd.DataFrame(rows, columns=[*order, "reached", "reached_of"])
