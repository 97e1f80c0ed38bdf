"""Support vector machine, its probabilities by Platt's method."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import loguniform
from sklearn.base import BaseEstimator
from sklearn.svm import SVC

from models.learning.family import Family
from models.learning.options import FitOptions
from models.learning.platt import PlattSVC


def make_svm(parameters: Mapping, options: FitOptions, seed: int) -> BaseEstimator:
    """Return the unfitted classifier, as `models.learning.family.Family` describes."""
    return PlattSVC(**parameters, seed=seed)


def make_svm_ranking(parameters: Mapping, options: FitOptions, seed: int) -> BaseEstimator:
    """Return a classifier of the same ranks: the sigmoid is monotone, and costs five machines."""
    return SVC(**parameters)


def weights_of_svm(estimator: BaseEstimator) -> tuple[float, np.ndarray] | None:
    """Return intercept and weights of a linear kernel, the sigmoid worked in; None of another."""
    if not isinstance(estimator, PlattSVC) or estimator.kernel != "linear":
        return None
    machine, slope = estimator.machine_, estimator.slope_
    return slope * float(machine.intercept_[0]) + estimator.intercept_, slope * machine.coef_[0]


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
    weights_of=weights_of_svm,
)
