"""Spearman's rank correlation with its confidence interval.

References
----------
.. [1] Bonett DG, Wright TA. Sample size requirements for estimating Pearson, Kendall and Spearman
   correlations. Psychometrika 2000;65:23-28.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri


def spearman_interval(
    x: ArrayLike, y: ArrayLike, confidence: float = 0.95
) -> tuple[int, float, float, float]:
    """Return Spearman's coefficient of two samples with its confidence limits.

    The interval is symmetric on Fisher's z scale with the variance (1 + rho^2 / 2) / (n - 3) [1]_.

    Parameters
    ----------
    x, y : array-like of shape (n,)
        Paired values; a pair with a missing value is left out. Ties share their mean rank.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    n : int
        Pairs.
    rho, low, high : float
        All NaN with fewer than three pairs or where one sample does not vary; the limits are NaN
        with fewer than four pairs and where rho is 1 or -1, which leaves no spread to estimate.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, found {confidence}")
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"Both samples must have one shape (n,), found {x.shape} and {y.shape}")
    both = np.isfinite(x) & np.isfinite(y)
    n = int(both.sum())
    if n < 3 or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return n, np.nan, np.nan, np.nan
    rho = float(np.corrcoef(mean_ranks(x[both]), mean_ranks(y[both]))[0, 1].clip(-1, 1))
    if n < 4 or abs(rho) > 1 - 1e-12:
        return n, rho, np.nan, np.nan
    half_width = ndtri(0.5 + confidence / 2) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    z = np.arctanh(rho)
    return n, rho, float(np.tanh(z - half_width)), float(np.tanh(z + half_width))


def mean_ranks(values: ArrayLike) -> np.ndarray:
    """Return the ranks of values from 1; equal ones share the mean of theirs.

    Parameters
    ----------
    values : array-like of shape (n,)
        None of them missing.

    Returns
    -------
    numpy.ndarray of shape (n,)
        As ``scipy.stats.rankdata`` returns it, whose import takes longer than all of a study's
        coefficients.
    """
    _, places, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]
