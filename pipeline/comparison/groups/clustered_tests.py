"""Comparison of two groups of units where those of one patient are not independent.

References
----------
.. [1] Boos DD. On generalized score tests. Am Stat 1992;46:327-333.
.. [2] Liang KY, Zeger SL. Longitudinal data analysis using generalized linear models. Biometrika
   1986;73:13-22.
.. [3] Rosner B, Glynn RJ, Lee M-LT. Extension of the rank sum test for clustered data: two-group
   comparisons with group membership defined at the subunit level. Biometrics 2006;62:1251-1259.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats


def clustered_score_test(
    columns: np.ndarray, in_group: np.ndarray, patients: np.ndarray
) -> tuple[float, float]:
    """Test that a variable and a group have nothing to do with each other, patient by patient.

    The generalised score test [1]_ of a logistic regression of the group on the columns, with
    independence as working correlation [2]_. What is tested is the sum over units of (group - its
    mean) x (column - its mean); its variance is that of the patients' own sums, whatever the
    dependence inside a patient and whether the group varies there or not. With midranks as the one
    column the sum is that of the rank-sum test [3]_, with a column per level but one those of
    Pearson's chi-square test.

    Parameters
    ----------
    columns : numpy.ndarray of shape (n_units, n_columns)
        The variable, without missing values.
    in_group : numpy.ndarray of bool, shape (n_units,)
        Whether a unit is of the second of two groups.
    patients : numpy.ndarray of shape (n_units,)
        The patient of each unit.

    Returns
    -------
    statistic, p : float
        Chi-square with as many degrees of freedom as columns; NaN where a group is empty, a column
        does not vary, or too few patients leave the variance without full rank.
    """
    group = np.asarray(in_group, dtype=float)
    if columns.shape[1] == 0 or len(np.unique(group)) < 2:
        return np.nan, np.nan
    # To unit scale, so that the rank does not depend on the units of measurement.
    centred, spread = columns - columns.mean(axis=0), columns.std(axis=0)
    if (spread == 0).any():
        return np.nan, np.nan
    products = (group - group.mean())[:, None] * centred / spread
    sums = pd.DataFrame(products).groupby(np.asarray(patients)).sum().to_numpy()
    variance, total = sums.T @ sums, sums.sum(axis=0)
    if np.linalg.matrix_rank(variance) < columns.shape[1]:
        return np.nan, np.nan
    statistic = float(total @ np.linalg.solve(variance, total))
    return statistic, float(stats.chi2.sf(statistic, columns.shape[1]))
