"""Logistic regression, with a lasso or a ridge penalty."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import loguniform
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from models.learning.family import Family
from models.learning.options import FitOptions
from pipeline.core.errors import StudyError

LIBLINEAR_INTERCEPT = 100.0
"""Scaling of the intercept in liblinear, by which its penalty is divided."""

_L1_RATIO = {"l1": 1.0, "l2": 0.0}


def make_lr(parameters: Mapping, options: FitOptions, seed: int) -> BaseEstimator:
    """Return the unfitted classifier, as `models.learning.family.Family` describes."""
    penalty = parameters.get("penalty", "l2")
    if penalty not in _L1_RATIO:
        raise StudyError(
            "The penalty of lr is l1 or l2",
            found=penalty,
            where="config key search.spaces.lr",
            code="lr-penalty-unknown",
        )
    return LogisticRegression(
        C=parameters.get("C", 1.0),
        l1_ratio=_L1_RATIO[penalty],
        # Robust scaling leaves far tails. On them saga stops short of the optimum without a word;
        # liblinear does not, but penalises the intercept, of which this scaling leaves nothing.
        solver="newton-cholesky" if penalty == "l2" else "liblinear",
        intercept_scaling=1.0 if penalty == "l2" else LIBLINEAR_INTERCEPT,
        max_iter=1000,
        tol=1e-6,
        random_state=seed,
    )


def weights_of_lr(estimator: BaseEstimator) -> tuple[float, np.ndarray] | None:
    """Return intercept and weights; None where nothing was selected."""
    if not isinstance(estimator, LogisticRegression):
        return None
    return float(estimator.intercept_[0]), estimator.coef_[0]


FAMILY = Family(
    "lr",
    make_lr,
    ({"penalty": ["l1", "l2"], "C": loguniform(1e-2, 1e1)},),
    weights_of=weights_of_lr,
)
