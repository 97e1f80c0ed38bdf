"""Random forest."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier

from models.learning.family import Family
from models.learning.options import FitOptions


def make_rf(parameters: Mapping, options: FitOptions, seed: int) -> BaseEstimator:
    """Return the unfitted classifier, as `models.learning.family.Family` describes."""
    return RandomForestClassifier(**parameters, n_jobs=options.threads, random_state=seed)


FAMILY = Family(
    "rf",
    make_rf,
    (
        {
            "max_depth": [2, 3, 4, 6, 8, None],
            "n_estimators": [100, 200, 300],
            "min_samples_leaf": [1, 2, 5, 10, 20],
        },
    ),
    further=("max_features",),
)
