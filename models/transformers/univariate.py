"""Tests of one column against a binary outcome, and their P values corrected for their number."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.core.errors import FitError, StudyError

CORRECTIONS = ("none", "fdr")


def event_rows(y: np.ndarray) -> np.ndarray:
    """Return which rows of a binary outcome are events, refusing an outcome with one class."""
    classes = np.unique(y)
    if len(classes) != 2:
        raise FitError(
            "A training part must hold both outcomes",
            found=f"{len(y)} rows with {len(classes)} distinct outcome(s)",
            remedy="use fewer folds, a larger training part or more patients",
            code="training-one-outcome",
        )
    return np.asarray(y) == classes[1]


def rank_sum_p(values: np.ndarray, events: np.ndarray) -> np.ndarray:
    """Two-sided P value of the Wilcoxon rank-sum test per column.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Without missing values.
    events : ndarray of bool, shape (n_rows,)
        Rows with the event.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN for a constant column or where one group is empty.
    """
    if values.shape[1] == 0 or events.all() or not events.any():
        return np.full(values.shape[1], np.nan)
    p_values = np.full(values.shape[1], np.nan)
    varies = np.ptp(values, axis=0) > 0
    if varies.any():
        test = stats.mannwhitneyu(
            values[np.ix_(events, varies)],
            values[np.ix_(~events, varies)],
            alternative="two-sided",
            method="asymptotic",
            axis=0,
        )
        p_values[varies] = test.pvalue
    return p_values


def adjusted_p(p_values: np.ndarray, correction: str) -> np.ndarray:
    """Return P values corrected for their number, NaN where they are.

    Parameters
    ----------
    p_values : ndarray of shape (n_features,)
        NaN where no test was possible; such a feature does not count.
    correction : {'none', 'fdr'}
        As in `WilcoxonFilter`.
    """
    if correction not in CORRECTIONS:
        raise StudyError(
            "P values are corrected by none or fdr",
            found=correction,
            where="config key selection.wilcoxon.correction",
            code="correction-unknown",
        )
    known = np.isfinite(p_values)
    if correction == "none" or not known.any():
        return p_values
    adjusted = np.full(len(p_values), np.nan)
    adjusted[known] = stats.false_discovery_control(p_values[known], method="bh")
    return adjusted


def chi_square_p(levels: np.ndarray, events: np.ndarray) -> float:
    """P value of Pearson's chi-square test without Yates' correction.

    Parameters
    ----------
    levels : ndarray of shape (n_rows,)
        Level of each row, without missing values.
    events : ndarray of bool, shape (n_rows,)
        Rows with the event.

    Returns
    -------
    float
        NaN where fewer than two levels or one outcome only occur.
    """
    row, names = pd.factorize(np.asarray(levels, dtype=object), sort=True)
    table = np.zeros((len(names), 2), dtype=int)
    np.add.at(table, (row, np.asarray(events, dtype=int)), 1)
    if len(names) < 2 or not table.any(axis=0).all():
        return float("nan")
    return float(stats.chi2_contingency(table, correction=False).pvalue)
