"""Boosted trees of XGBoost."""

from __future__ import annotations

from collections.abc import Mapping

from scipy.stats import loguniform
from sklearn.base import BaseEstimator

from models.learning.family import Family
from models.learning.options import FitOptions


def make_xgboost(parameters: Mapping, options: FitOptions, seed: int) -> BaseEstimator:
    """Return the unfitted classifier, as `models.learning.family.Family` describes."""
    from xgboost import XGBClassifier

    return XGBClassifier(
        **parameters, n_jobs=options.threads, random_state=seed, tree_method="hist"
    )


FAMILY = Family(
    "xgboost",
    make_xgboost,
    (
        {
            "learning_rate": loguniform(1e-2, 3e-1),
            "max_depth": [1, 2, 3, 4, 6],
            "n_estimators": [50, 100, 200, 400],
        },
    ),
)
