"""Support vector machine, its probabilities by Platt's method."""

from __future__ import annotations

from collections.abc import Mapping

from scipy.stats import loguniform
from sklearn.base import BaseEstimator
from sklearn.svm import SVC

from models.learning.family import Family
from models.learning.platt import PlattSVC


def make_svm(parameters: Mapping, config: Mapping, seed: int) -> BaseEstimator:
    """Return the unfitted classifier, as `models.learning.family.Family` describes."""
    return PlattSVC(**parameters, seed=seed)


def make_svm_ranking(parameters: Mapping, config: Mapping, seed: int) -> BaseEstimator:
    """Return a classifier of the same ranks: the sigmoid is monotone, and costs five machines."""
    return SVC(**parameters)


FAMILY = Family(
    "svm",
    make_svm,
    (
        {
            "kernel": ["linear", "rbf"],
            "C": loguniform(1e-2, 1e1),
            "gamma": loguniform(1e-4, 1e0),
        },
    ),
    takes_folds=True,
    make_ranking=make_svm_ranking,
)
