"""Removal of columns that others say already: by variance inflation, one after another."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.transformers.filters import Selector
from models.transformers.frames import numbers_of

UNEXPLAINED = 1e-10
"""Share of a column's variance below which the others are taken to say all of it."""


class CollinearityFilter(Selector):
    """Remove the column of the largest variance inflation factor until all are small enough.

    The factor of a column is 1 / (1 - R2) of its linear regression, with intercept, on all others
    that are left [1]_. After each removal all factors are computed anew, so that of two columns
    that say the same one stays. Of equal factors the later column goes. The outcome plays no part.

    Parameters
    ----------
    largest : float or None
        A column whose factor is above it goes; None keeps every column.

    Attributes
    ----------
    factors_ : ndarray of shape (n_columns,)
        Factor of each column: among those that are left, or when it was removed; infinite where
        the others say all of it, NaN of a constant column, which stays.
    removed_ : list of str
        Columns that were removed, in this order.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns are kept.

    References
    ----------
    .. [1] Marquardt DW. Generalized inverses, ridge regression, biased linear estimation, and
       nonlinear estimation. Technometrics 1970;12:591-612.
    """

    def __init__(self, largest: float | None = 10.0) -> None:
        self.largest = largest

    def fit(self, X: pd.DataFrame, y: object = None) -> CollinearityFilter:
        """Learn from `X` (n_rows, n_columns, without missing values); `y` is ignored."""
        values = numbers_of(self, X, reset=True)
        names = [str(name) for name in getattr(X, "columns", range(values.shape[1]))]
        varies = np.ptp(values, axis=0) > 0 if len(values) else np.zeros(len(names), dtype=bool)
        left = list(np.flatnonzero(varies))
        self.factors_ = np.full(len(names), np.nan)
        self.support_ = np.ones(len(names), dtype=bool)
        self.removed_: list[str] = []
        while left:
            self.factors_[left] = inflation(values[:, left])
            if self.largest is None or self.factors_[left].max() <= self.largest:
                break
            # Reversed, so that of equal ones the last is found first.
            worst = max(reversed(left), key=lambda column: self.factors_[column])
            left.remove(worst)
            self.support_[worst] = False
            self.removed_.append(names[worst])
        return self


def inflation(values: np.ndarray) -> np.ndarray:
    """Return the variance inflation factor of every column, infinite where others say all of it.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Without missing values; every column varies.
    """
    centred = values - values.mean(axis=0)
    centred = centred / np.sqrt((centred**2).mean(axis=0))
    correlation = centred.T @ centred / len(centred)
    if np.linalg.eigvalsh(correlation)[0] > UNEXPLAINED:
        return np.diag(np.linalg.inv(correlation)).copy()
    factors = np.ones(values.shape[1])
    for column in range(values.shape[1]):
        others = np.delete(centred, column, axis=1)
        fitted = others @ np.linalg.lstsq(others, centred[:, column], rcond=None)[0]
        rest = float(((centred[:, column] - fitted) ** 2).mean())
        factors[column] = np.inf if rest < UNEXPLAINED else 1 / rest
    return factors
