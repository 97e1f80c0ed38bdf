"""Values made ready for a model: imputation, encoding, scaling, oversampling.

Each step learns from the training rows it is fitted to and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from models.columns import Predictor
from models.frames import numbers_of
from pipeline.core.errors import StudyError

TUKEY_FENCE = 1.5
"""Interquartile ranges beyond the quartiles at which a value counts as an outlier."""

CONSTANT_TOLERANCE = 1e-12
"""A column that strays from its mean by less than this share of it counts as constant."""


class MedianImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Replace missing numbers by the training rows' median.

    scikit-learn's SimpleImputer does the same but refuses a table without columns, which a strict
    filter before it may well produce.

    Attributes
    ----------
    medians_ : ndarray of shape (n_features,)
        0 where no training row has a value.
    """

    def fit(self, X: pd.DataFrame, y: object = None) -> MedianImputer:
        """Learn the medians of `X`; `y` is ignored."""
        values = numbers_of(self, X, reset=True, missing=True)
        self.medians_ = pd.DataFrame(values).median(axis=0).fillna(0.0).to_numpy()
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return `X` without missing values."""
        check_is_fitted(self)
        values = numbers_of(self, X, reset=False, missing=True)
        return _like(X, np.where(np.isnan(values), self.medians_, values))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class ClinicalEncoder(TransformerMixin, BaseEstimator):
    """Impute clinical predictors and write their levels as 0/1 columns.

    Numbers: the training rows' median. Levels: the most frequent one (of equals, the first of the
    dictionary), then one column ``<predictor>=<level>`` per level but the first, the reference.

    Parameters
    ----------
    predictors : sequence of Predictor
        What the columns are; those that `X` does not hold are ignored.

    Attributes
    ----------
    fill_ : dict
        Value that replaces a missing one, by column.
    """

    def __init__(self, predictors: Sequence[Predictor] = ()) -> None:
        self.predictors = predictors

    def fit(self, X: pd.DataFrame, y: object = None) -> ClinicalEncoder:
        """Learn the fill values of `X`; `y` is ignored."""
        validate_data(self, X, skip_check_array=True)
        self.fill_ = {}
        for predictor in self._present(X):
            known = X[predictor.column].dropna()
            if predictor.is_numeric:
                self.fill_[predictor.column] = float(known.median()) if len(known) else 0.0
            else:
                counts = known.value_counts().reindex(predictor.levels, fill_value=0)
                self.fill_[predictor.column] = counts.idxmax()
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return float64 columns without missing values.

        Raises
        ------
        StudyError
            If a level is not in the dictionary.
        """
        check_is_fitted(self)
        validate_data(self, X, skip_check_array=True, reset=False)
        encoded = {}
        for predictor in self._present(X):
            values = X[predictor.column]
            values = values.where(values.notna(), self.fill_[predictor.column])
            if predictor.is_numeric:
                encoded[predictor.column] = values.to_numpy(np.float64)
                continue
            unknown = sorted(set(values).difference(predictor.levels))
            if unknown:
                raise StudyError(
                    "Every level must stand in the dictionary",
                    found=", ".join(map(str, unknown)),
                    where=f"clinical table, column {predictor.column}",
                    remedy=f"its levels are {' | '.join(predictor.levels)}",
                )
            for level, name in zip(predictor.levels[1:], predictor.encoded, strict=True):
                encoded[name] = (values == level).to_numpy(np.float64)
        return pd.DataFrame(encoded, index=X.index)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the encoded columns."""
        check_is_fitted(self)
        present = [p for p in self.predictors if p.column in self.fill_]
        return np.asarray([name for p in present for name in p.encoded], dtype=object)

    def _present(self, X: pd.DataFrame) -> list[Predictor]:
        return [predictor for predictor in self.predictors if predictor.column in X.columns]


class AdaptiveScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardise each column by what its distribution allows.

    z-score (mean 0, SD 1) where the absolute skewness, the kurtosis and the share of outliers are
    small; otherwise median 0 and interquartile range 1. A skewed column whose quartiles coincide
    has no IQR and is z-scored after all; a constant column becomes 0.

    Parameters
    ----------
    max_abs_skewness : float
        z-score below it.
    max_kurtosis : float
        z-score below it; Pearson's kurtosis, 3 for the normal distribution.
    max_outlier_share : float
        z-score up to it; share of rows beyond Tukey's fences (1.5 IQR).
    unscaled : sequence of str
        Columns that stay as they are, such as 0/1 codes of levels.

    Attributes
    ----------
    method_ : ndarray of str, shape (n_features,)
        ``z-score``, ``robust``, ``constant`` or ``unscaled``.
    center_, scale_ : ndarray of shape (n_features,)
        A value x becomes (x - center) / scale.
    """

    def __init__(
        self,
        max_abs_skewness: float = 2.0,
        max_kurtosis: float = 7.0,
        max_outlier_share: float = 0.10,
        unscaled: Sequence[str] = (),
    ) -> None:
        self.max_abs_skewness = max_abs_skewness
        self.max_kurtosis = max_kurtosis
        self.max_outlier_share = max_outlier_share
        self.unscaled = unscaled

    def fit(self, X: pd.DataFrame, y: object = None) -> AdaptiveScaler:
        """Learn from `X` (n_rows, n_features, without missing values); `y` is ignored."""
        values = numbers_of(self, X, reset=True)
        names = getattr(self, "feature_names_in_", np.arange(values.shape[1]).astype(str))
        width = values.shape[1]
        self.method_ = np.full(width, "constant", dtype=object)
        self.center_ = values.mean(axis=0)
        self.scale_ = np.ones(width)

        stray = np.abs(values - self.center_).max(axis=0)
        varies = stray > CONSTANT_TOLERANCE * np.abs(self.center_)
        if varies.any():
            scaled = values[:, varies]
            low, median, high = np.percentile(scaled, [25, 50, 75], axis=0)
            iqr = high - low
            outside = (scaled < low - TUKEY_FENCE * iqr) | (scaled > high + TUKEY_FENCE * iqr)
            bell = (
                (np.abs(stats.skew(scaled, axis=0)) < self.max_abs_skewness)
                & (stats.kurtosis(scaled, axis=0, fisher=False) < self.max_kurtosis)
                & (outside.mean(axis=0) <= self.max_outlier_share)
            )
            robust = ~bell & (iqr > 0)
            self.method_[varies] = np.where(robust, "robust", "z-score")
            self.center_[varies] = np.where(robust, median, scaled.mean(axis=0))
            self.scale_[varies] = np.where(robust, iqr, scaled.std(axis=0))

        raw = np.isin(names, list(self.unscaled))
        self.method_[raw], self.center_[raw], self.scale_[raw] = "unscaled", 0.0, 1.0
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the standardised columns."""
        check_is_fitted(self)
        values = numbers_of(self, X, reset=False)
        scaled = (values - self.center_) / self.scale_
        # A column without variation in training says nothing about a row that differs.
        scaled[:, self.method_ == "constant"] = 0.0
        return _like(X, scaled)


def _like(X: pd.DataFrame | np.ndarray, values: np.ndarray) -> pd.DataFrame | np.ndarray:
    if isinstance(X, pd.DataFrame):
        return pd.DataFrame(values, index=X.index, columns=X.columns)
    return values
