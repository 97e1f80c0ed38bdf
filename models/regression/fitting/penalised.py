"""Ridge and lasso beside the fit: coefficients drawn to zero by a penalty that folds choose.

References
----------
.. [1] Van Calster B, van Smeden M, De Cock B, Steyerberg EW. Regression shrinkage methods for
   clinical prediction models do not guarantee improved performance. Stat Methods Med Res
   2020;29:3166-3178.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from models.regression.fitting.logistic import Fit
from pipeline.core.seeds import derive_seed

FOLDS = 10
STRENGTHS = np.logspace(-3, 3, 25)
"""Inverse strengths among which the folds choose, for columns of variance 1."""

PENALTIES = {"ridge": 0.0, "lasso": 1.0}
"""Name -> share of the absolute values in the penalty."""


def penalised(fit: Fit, patients: np.ndarray, seed: int) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return ridge and lasso coefficients of the columns of a fit.

    Columns are standardised, the penalty is the one with the smallest cross-validated deviance over
    ten folds of patients, and coefficients are given on the scale of the table again. They have no
    P values. With few events the chosen strength is itself unsure [1]_.

    Parameters
    ----------
    fit : Fit
        Whose design is used.
    patients : numpy.ndarray
        Shape (n,), patient of each row, whose rows share a fold.
    seed : int
        Of the folds.

    Returns
    -------
    table : pandas.DataFrame
        ``column, ridge, lasso``, the intercept first; empty with fewer than `FOLDS` events, or as
        many patients of either outcome.
    strengths : dict
        ``ridge, lasso``: the inverse strength C that was chosen.
    """
    columns, outcome = fit.design[:, 1:], fit.outcome.astype(int)
    fewest = min(len(np.unique(np.asarray(patients)[outcome == value])) for value in (0, 1))
    if fewest < FOLDS:
        return pd.DataFrame(columns=["column", *PENALTIES]), {}
    scale = StandardScaler().fit(columns)
    Z = scale.transform(columns)
    own = derive_seed(seed, "regress", "penalised")
    dealt = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=own)
    folds = list(dealt.split(Z, outcome, patients))
    found, strengths = {"column": ["(intercept)", *fit.names]}, {}
    for name, share in PENALTIES.items():
        model = LogisticRegressionCV(
            Cs=STRENGTHS,
            cv=folds,
            l1_ratios=(share,),
            solver="lbfgs" if share == 0 else "saga",
            scoring="neg_log_loss",
            max_iter=5000,
            tol=1e-6,
            random_state=own,
            use_legacy_attributes=False,
        ).fit(Z, outcome)
        b = model.coef_[0] / scale.scale_
        found[name] = [float(model.intercept_[0] - b @ scale.mean_), *b]
        strengths[name] = float(np.squeeze(model.C_))
    return pd.DataFrame(found), strengths
