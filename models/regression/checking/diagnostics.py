"""Whether numbers act along a straight line, and which rows move the coefficients.

References
----------
.. [1] Harrell FE. Regression Modeling Strategies. 2nd ed. Springer 2015, section 2.4.
.. [2] Pregibon D. Logistic regression diagnostics. Ann Stat 1981;9:705-724.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit

from models.regression.fitting.logistic import Fit, fit_logistic, wald_test
from models.regression.fitting.terms import term_slices
from pipeline.core.errors import FitError

#: Knots of the spline that looks for a bend, and rows that are listed.
KNOTS, LISTED = 4, 10


def linearity(fit: Fit, rows: pd.DataFrame) -> pd.DataFrame:
    """Test for each straight line whether a spline of four knots bends it [1]_.

    A description: to keep the line where the test finds nothing, and to bend it otherwise, would be
    one more selection on the same rows.

    Returns
    -------
    pandas.DataFrame
        ``predictor, wald, df, p_value, note``.
    """
    found = []
    for at, term in enumerate(fit.terms):
        if term.is_factor or term.knots:
            continue
        terms = list(fit.terms)
        terms[at] = replace(term, n_knots=KNOTS)
        try:
            bent = fit_logistic(rows, fit.outcome, terms)
        except FitError as error:
            found.append([term.name, math.nan, 0, math.nan, error.rule])
            continue
        where = term_slices(bent.terms)[term.name]
        bends = slice(where.start + 1, where.stop)
        test = wald_test(bent.maximum.coefficients, bent.maximum.covariance, bends)
        found.append([term.name, *test, ""])
    return pd.DataFrame(found, columns=["predictor", "wald", "df", "p_value", "note"])


def influence(fit: Fit, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that move the coefficients most, by one step without each of them [2]_.

    Returns
    -------
    pandas.DataFrame
        At most `LISTED` rows: ``row, cook, leverage, residual, largest_shift, column``.
    """
    design, covariance = fit.design, fit.maximum.covariance
    risk = expit(design @ fit.maximum.coefficients)
    weights = risk * (1 - risk)
    leverage = weights * np.einsum("ij,jk,ik->i", design, covariance, design)
    pearson = (fit.outcome - risk) / np.sqrt(weights)
    standardised = pearson / np.sqrt(1 - leverage)
    cook = standardised**2 * leverage / (1 - leverage) / design.shape[1]
    shifts = (design @ covariance) * ((fit.outcome - risk) / (1 - leverage))[:, None]
    shifts = shifts / np.sqrt(np.diag(covariance))
    worst = np.abs(shifts[:, 1:]).argmax(axis=1) + 1
    order = np.argsort(-cook, kind="stable")[:LISTED]
    names = ["", *fit.names]
    return pd.DataFrame(
        {
            "row": rows.index.to_numpy()[order],
            "cook": cook[order],
            "leverage": leverage[order],
            "residual": standardised[order],
            "largest_shift": shifts[order, worst[order]],
            "column": [names[at] for at in worst[order]],
        }
    )
