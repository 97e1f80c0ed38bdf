"""When two engines' features of one region count as equal."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Largest relative difference of features that count as equal: far below what a reader's hand, a
#: reconstruction or a rounded HU does, far above the rounding of sums taken in another order.
EQUALITY_LIMIT = 1e-6

#: Values nearer to zero than this are compared as if they were this far from it, in the feature's
#: own unit: the mean of a wavelet's high band is zero but for rounding, and the rounding has no
#: digits to compare. With `EQUALITY_LIMIT`, two such values may differ by 1e-12.
ZERO_FLOOR = 1e-6


def relative_differences(found: pd.Series, expected: pd.Series) -> pd.Series:
    """Return how far each feature is from its expected value, relative to that value.

    Parameters
    ----------
    found, expected : pandas.Series of float64
        Values by feature, the same features in the same order.

    Returns
    -------
    pandas.Series of float64
        ``|found - expected| / max(|expected|, ZERO_FLOOR)``: 0 where both are NaN or the same
        infinity, infinite where one of them is.

    Raises
    ------
    ValueError
        If the features differ in name or order.
    """
    if list(found.index) != list(expected.index):
        raise ValueError("Only the same features in the same order can be compared")
    a, b = (series.to_numpy(dtype=float) for series in (found, expected))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        difference = np.abs(a - b) / np.maximum(np.abs(b), ZERO_FLOOR)
    difference[~np.isfinite(difference)] = np.inf
    difference[same] = 0.0
    return pd.Series(difference, index=expected.index)
