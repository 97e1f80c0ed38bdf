"""Values made ready for a model: encoding and scaling.

Each step learns from the training rows it is fitted to and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from models.transformers.columns import Predictor
from models.transformers.frames import NamedColumns, like, numbers_of
from pipeline.core.errors import StudyError

TUKEY_FENCE = 1.5
"""Interquartile ranges beyond the quartiles at which a value counts as an outlier."""

Z_SCORE_LIMIT = 3.0
"""Standard deviations off the mean beyond which the rule zscore calls a value an outlier."""

MAD_TO_SD = 0.6745
"""Median absolute deviation of a normal distribution, in standard deviations."""

MODIFIED_Z_SCORE_LIMIT = 3.5
"""Modified z-score beyond which the rule mad calls a value an outlier."""

SCALING_CHOICES = {
    "method": ("adaptive", "zscore", "robust", "none"),
    "kurtosis": ("pearson", "fisher"),
    "outliers": ("tukey", "zscore", "mad"),
}

CONSTANT_TOLERANCE = 1e-12
"""A column that strays from its mean by less than this share of it counts as constant."""


class ClinicalEncoder(NamedColumns, TransformerMixin, BaseEstimator):
    """Write clinical predictors as numbers: levels as 0/1 columns, numbers as they are.

    Levels: a missing one becomes the training rows' most frequent (of equals, the first of the
    dictionary), then one column ``<predictor>=<level>`` per level but the first, the reference.
    Missing numbers stay missing.

    Parameters
    ----------
    predictors : sequence of Predictor
        What the columns are; those that `X` does not hold are ignored.
    indicators : bool
        Whether a predictor with a missing value among the training rows gets a 0/1 column more,
        `Predictor.indicator`, that tells where it is missing.

    Attributes
    ----------
    fill_ : dict
        Level that replaces a missing one, by column; None for numbers.
    indicated_ : list of str
        Columns that have an indicator.
    """

    def __init__(self, predictors: Sequence[Predictor] = (), indicators: bool = False) -> None:
        self.predictors = predictors
        self.indicators = indicators

    def fit(self, X: pd.DataFrame, y: object = None) -> ClinicalEncoder:
        """Learn the levels that fill, and where values are missing; `y` is ignored."""
        self._check_table(X, reset=True)
        self.fill_: dict = {}
        self.indicated_: list = []
        for predictor in self._present(X):
            known = X[predictor.column].dropna()
            self.fill_[predictor.column] = None
            if not predictor.is_numeric:
                counts = known.value_counts().reindex(predictor.levels, fill_value=0)
                self.fill_[predictor.column] = counts.idxmax()
            if self.indicators and len(known) < len(X):
                self.indicated_.append(predictor.column)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return float64 columns; of numbers, values may be missing.

        Raises
        ------
        StudyError
            If a level is not in the dictionary.
        """
        check_is_fitted(self)
        self._check_table(X, reset=False)
        encoded = {}
        for predictor in self._present(X):
            values = X[predictor.column]
            if predictor.is_numeric:
                encoded[predictor.column] = values.to_numpy(np.float64)
            else:
                encoded |= self._levels(values, predictor)
            if predictor.column in self.indicated_:
                encoded[predictor.indicator] = values.isna().to_numpy(np.float64)
        return pd.DataFrame(encoded, index=X.index)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the encoded columns."""
        check_is_fitted(self)
        names: list[str] = []
        for predictor in self.predictors:
            if predictor.column in self.fill_:
                names += predictor.encoded
                names += [predictor.indicator] * (predictor.column in self.indicated_)
        return np.asarray(names, dtype=object)

    def _levels(self, values: pd.Series, predictor: Predictor) -> dict[str, np.ndarray]:
        values = values.where(values.notna(), self.fill_[predictor.column])
        unknown = sorted(set(values).difference(predictor.levels))
        if unknown:
            raise StudyError(
                "Every level must stand in the dictionary",
                found=", ".join(map(str, unknown)),
                where=f"clinical table, column {predictor.column}",
                remedy=f"its levels are {' | '.join(predictor.levels)}",
                code="level-undescribed",
            )
        return {
            name: (values == level).to_numpy(np.float64)
            for level, name in zip(predictor.levels[1:], predictor.encoded, strict=True)
        }

    def _present(self, X: pd.DataFrame) -> list[Predictor]:
        return [predictor for predictor in self.predictors if predictor.column in X.columns]


class AdaptiveScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardise each column by what its distribution allows.

    z-score (mean 0, SD 1) where the absolute skewness, the kurtosis and the share of outliers are
    small; otherwise median 0 and interquartile range 1. A skewed column whose quartiles coincide
    has no IQR and is z-scored after all; a constant column becomes 0.

    Parameters
    ----------
    method : {'adaptive', 'zscore', 'robust', 'none'}
        ``adaptive`` chooses by the limits below; the others do the same with every column.
    max_abs_skewness : float
        z-score below it.
    max_kurtosis : float
        z-score below it.
    kurtosis : {'pearson', 'fisher'}
        What `max_kurtosis` limits: Pearson's kurtosis, 3 for the normal distribution, or Fisher's
        excess over it, 0 for the normal distribution.
    max_outlier_share : float
        z-score up to it; share of rows that `outliers` calls so.
    outliers : {'tukey', 'zscore', 'mad'}
        Beyond Tukey's fences, 1.5 IQR outside the quartiles [1]_; more than 3 SD off the mean; or
        a modified z-score, 0.6745 times the distance from the median over the median absolute
        deviation, of more than 3.5 [2]_.
    unscaled : sequence of str
        Columns that stay as they are, such as 0/1 codes of levels.

    Attributes
    ----------
    method_ : ndarray of str, shape (n_features,)
        ``z-score``, ``robust``, ``constant`` or ``unscaled``.
    center_, scale_ : ndarray of shape (n_features,)
        A value x becomes (x - center) / scale.

    References
    ----------
    .. [1] Tukey JW. Exploratory Data Analysis. Addison-Wesley 1977.
    .. [2] Iglewicz B, Hoaglin DC. How to Detect and Handle Outliers. ASQC Quality Press 1993.
    """

    def __init__(
        self,
        method: str = "adaptive",
        max_abs_skewness: float = 2.0,
        max_kurtosis: float = 7.0,
        kurtosis: str = "pearson",
        max_outlier_share: float = 0.10,
        outliers: str = "tukey",
        unscaled: Sequence[str] = (),
    ) -> None:
        self.method = method
        self.max_abs_skewness = max_abs_skewness
        self.max_kurtosis = max_kurtosis
        self.kurtosis = kurtosis
        self.max_outlier_share = max_outlier_share
        self.outliers = outliers
        self.unscaled = unscaled

    def fit(self, X: pd.DataFrame, y: object = None) -> AdaptiveScaler:
        """Learn from `X` (n_rows, n_features, without missing values); `y` is ignored."""
        self._check_options()
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
            robust = ~self._bell_shaped(scaled) & (iqr > 0)
            self.method_[varies] = np.where(robust, "robust", "z-score")
            self.center_[varies] = np.where(robust, median, scaled.mean(axis=0))
            self.scale_[varies] = np.where(robust, iqr, scaled.std(axis=0))

        raw = np.isin(names, list(self.unscaled)) | (self.method == "none")
        self.method_[raw], self.center_[raw], self.scale_[raw] = "unscaled", 0.0, 1.0
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the standardised columns."""
        check_is_fitted(self)
        values = numbers_of(self, X, reset=False)
        scaled = (values - self.center_) / self.scale_
        # A column without variation in training says nothing about a row that differs.
        scaled[:, self.method_ == "constant"] = 0.0
        return like(X, scaled)

    def _check_options(self) -> None:
        for option, allowed in SCALING_CHOICES.items():
            if getattr(self, option) not in allowed:
                raise StudyError(
                    f"The option {option} of the scaling is one of {', '.join(allowed)}",
                    found=getattr(self, option),
                    where=f"config key scaling.{option}",
                    remedy="write one of them",
                    code="scaling-option-unknown",
                )

    def _bell_shaped(self, values: np.ndarray) -> np.ndarray:
        """Return which columns are to be z-scored, by the method or by their distribution."""
        if self.method != "adaptive":
            return np.full(values.shape[1], self.method == "zscore")
        kurtosis = stats.kurtosis(values, axis=0, fisher=self.kurtosis == "fisher")
        return (
            (np.abs(stats.skew(values, axis=0)) < self.max_abs_skewness)
            & (kurtosis < self.max_kurtosis)
            & (outlying(values, self.outliers).mean(axis=0) <= self.max_outlier_share)
        )


def outlying(values: np.ndarray, rule: str) -> np.ndarray:
    """Return which values a rule calls outliers of their column.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Without missing values.
    rule : {'tukey', 'zscore', 'mad'}
        As in `AdaptiveScaler`. Where most values are the same, so that the rule has no scale,
        every other value is an outlier.

    Returns
    -------
    ndarray of bool, shape (n_rows, n_features)
    """
    if rule == "tukey":
        low, high = np.percentile(values, [25, 75], axis=0)
        fence = TUKEY_FENCE * (high - low)
        return (values < low - fence) | (values > high + fence)
    if rule == "zscore":
        distance = np.abs(values - values.mean(axis=0))
        return distance > Z_SCORE_LIMIT * values.std(axis=0)
    distance = np.abs(values - np.median(values, axis=0))
    return MAD_TO_SD * distance > MODIFIED_Z_SCORE_LIMIT * np.median(distance, axis=0)
