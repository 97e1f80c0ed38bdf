"""Replacement of missing numbers, learned from the training rows it is fitted to."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from models.transformers.frames import like, numbers_of
from pipeline.core.errors import StudyError

IMPUTATIONS = {
    "median": "the median of the training patients",
    "mean": "the mean of the training patients",
    "knn": "the mean of the nearest training patients",
    "iterative": "a Bayesian ridge regression on the columns most correlated with it",
}
"""What replaces a missing number, by the name of the method."""

NEAREST_COLUMNS = 10
"""Columns that each regression of the method iterative sees: of more than a thousand correlated
features all would cost hours and add nothing."""


class Imputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Replace missing numbers by one of scikit-learn's imputers.

    These refuse a table without columns, which a strict filter before them may well produce. A
    column without any value in training becomes 0.

    Parameters
    ----------
    method : {'median', 'mean', 'knn', 'iterative'}
        ``knn``: mean of the nearest rows [1]_, whose distances are taken over z-scores, since
        columns have different units. ``iterative``: round-robin Bayesian ridge regressions, each on
        the `NEAREST_COLUMNS` drawn by their correlation [2]_; the draw has a seed of its own.
    neighbours : int
        Rows that ``knn`` averages.

    Attributes
    ----------
    imputer_ : estimator or None
        scikit-learn's fitted imputer; None for a table without columns.
    center_, scale_ : ndarray of shape (n_features,)
        It sees (x - center) / scale: z-scores for ``knn`` and ``iterative``, else the values.
    converged_ : bool
        Whether ``iterative`` came to rest.

    References
    ----------
    .. [1] Troyanskaya O, et al. Missing value estimation methods for DNA microarrays.
       Bioinformatics 2001;17:520-525.
    .. [2] van Buuren S, Groothuis-Oudshoorn K. mice: multivariate imputation by chained equations
       in R. J Stat Softw 2011;45(3).
    """

    def __init__(self, method: str = "median", neighbours: int = 5) -> None:
        self.method = method
        self.neighbours = neighbours

    def fit(self, X: pd.DataFrame, y: object = None) -> Imputer:
        """Learn from `X` (n_rows, n_features); `y` is ignored."""
        if self.method not in IMPUTATIONS:
            raise StudyError(
                f"Missing numbers are imputed by one of {', '.join(IMPUTATIONS)}",
                found=self.method,
                where="config key imputation.method",
                remedy="write one of them",
                code="imputation-unknown",
            )
        values = numbers_of(self, X, reset=True, missing=True)
        width = values.shape[1]
        self.center_, self.scale_ = np.zeros(width), np.ones(width)
        if self.method in ("knn", "iterative"):
            known = pd.DataFrame(values)
            self.center_ = known.mean().fillna(0.0).to_numpy()
            spread = known.std(ddof=0).fillna(0.0).to_numpy()
            self.scale_ = np.where(spread > 0, spread, 1.0)
        self.converged_ = True
        self.imputer_: Any = None
        if width:
            self.imputer_ = self._imputer(width)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", ConvergenceWarning)
                self.imputer_.fit((values - self.center_) / self.scale_)
            self.converged_ = not any(w.category is ConvergenceWarning for w in caught)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return `X` without missing values; known ones stay as they are."""
        check_is_fitted(self)
        values = numbers_of(self, X, reset=False, missing=True)
        missing = np.isnan(values)
        if missing.any():
            filled = self.imputer_.transform((values - self.center_) / self.scale_)
            values = np.where(missing, filled * self.scale_ + self.center_, values)
        return like(X, values)

    def _imputer(self, width: int) -> BaseEstimator:
        if self.method == "knn":
            return KNNImputer(n_neighbors=self.neighbours, keep_empty_features=True)
        if self.method == "iterative":
            # scikit-learn offers it behind this import.
            from sklearn.experimental import enable_iterative_imputer  # noqa: F401
            from sklearn.impute import IterativeImputer

            nearest = NEAREST_COLUMNS if width > NEAREST_COLUMNS else None
            return IterativeImputer(
                n_nearest_features=nearest,
                skip_complete=True,
                keep_empty_features=True,
                random_state=0,
            )
        return SimpleImputer(strategy=self.method, keep_empty_features=True)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
