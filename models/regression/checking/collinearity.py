"""How much predictors say the same: variance inflation, generalised for terms of several columns.

References
----------
.. [1] Fox J, Monette G. Generalized collinearity diagnostics. J Am Stat Assoc 1992;87:178-183.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.regression.fitting.logistic import Fit
from models.regression.fitting.terms import term_slices


def variance_inflation(fit: Fit) -> pd.DataFrame:
    """Return the (generalised) variance inflation factor of every term [1]_.

    The intercept is part of the model, so that a factor does not depend on where a scale begins.

    Returns
    -------
    pandas.DataFrame
        ``predictor, df, vif`` (of the design: that of a linear regression on the same columns)``,
        vif_per_df`` (`vif` to the power of 1 / (2 df): comparable between terms, and the square
        root of a VIF)``, vif_of_fit`` (from the covariance of the coefficients, which weighs rows
        as the logistic model does)``. All 1 for a single column.
    """
    columns = fit.design[:, 1:]
    of_design = np.atleast_2d(np.corrcoef(columns, rowvar=False))
    covariance = fit.maximum.covariance[1:, 1:]
    error = np.sqrt(np.diag(covariance))
    of_fit = covariance / np.outer(error, error)
    rows = []
    for name, where in term_slices(fit.terms).items():
        own = np.arange(where.start - 1, where.stop - 1)
        vif = _generalised(of_design, own)
        rows.append([name, len(own), vif, vif ** (0.5 / len(own)), _generalised(of_fit, own)])
    names = ["predictor", "df", "vif", "vif_per_df", "vif_of_fit"]
    return pd.DataFrame(rows, columns=names)


def _generalised(correlation: np.ndarray, own: np.ndarray) -> float:
    others = np.setdiff1d(np.arange(len(correlation)), own)

    def logdet(part: np.ndarray) -> float:
        return float(np.linalg.slogdet(correlation[np.ix_(part, part)])[1]) if len(part) else 0.0

    whole = np.arange(len(correlation))
    return float(np.exp(logdet(own) + logdet(others) - logdet(whole)))
