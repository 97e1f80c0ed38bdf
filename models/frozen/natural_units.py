"""A sum over scaled columns, written as a sum over the columns themselves."""

from __future__ import annotations

import numpy as np


def natural_units(
    intercept: float,
    weights: np.ndarray,
    center: np.ndarray,
    scale: np.ndarray,
    constant: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Return intercept and coefficients that give the same sum on unscaled values.

    Parameters
    ----------
    intercept : float
        Of the sum over scaled columns.
    weights : ndarray of shape (n_columns,)
        Of the scaled columns, which are (x - `center`) / `scale`.
    center, scale : ndarray of shape (n_columns,)
        Of each column.
    constant : ndarray of bool, shape (n_columns,)
        Columns that are 0 whatever their value.

    Returns
    -------
    intercept : float
    coefficients : ndarray of shape (n_columns,)
    """
    coefficients = np.where(constant, 0.0, weights / scale)
    return float(intercept - coefficients @ center), coefficients
