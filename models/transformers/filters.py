"""Feature filters, each learned on the training rows it is fitted to.

All take and give DataFrames, so that a feature keeps its name from the scanner to the report.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin, f_classif
from sklearn.utils import ClassifierTags, Tags, column_or_1d
from sklearn.utils.validation import check_is_fitted

from models.transformers.columns import Predictor
from models.transformers.frames import NamedColumns, numbers_of
from models.transformers.univariate import adjusted_p, chi_square_p, event_rows, rank_sum_p
from pipeline.core.errors import StudyError

RANK_SUM = "rank-sum"
CHI_SQUARE = "chi-square"
MRMR_SCHEMES = ("fcq", "rfcq")


class Selector(SelectorMixin, BaseEstimator):
    """A filter that may keep nothing; scikit-learn's warns then, our chains write a note."""

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Reduce X to the kept features."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No features were selected")
            return super().transform(X)

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.support_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)
        return tags


class WilcoxonFilter(Selector):
    """Keep the features whose distribution differs between the outcomes (rank-sum test).

    The two-sided Wilcoxon rank-sum (Mann-Whitney) test with tie and continuity correction, its
    P value from the normal approximation at every sample size, so that folds compare.

    Parameters
    ----------
    p : float or None
        A feature with a P value below it is kept; None keeps every feature.
    correction : {'none', 'fdr'}
        ``fdr`` adjusts the P values by Benjamini and Hochberg's procedure [1]_ first, so that `p`
        bounds the expected share of false ones among the kept. Radiomic features are correlated
        positively for the most part, which the procedure allows.

    Attributes
    ----------
    p_values_ : ndarray of shape (n_features,)
        Unadjusted; NaN for a constant feature, which a `p` drops.
    adjusted_ : ndarray of shape (n_features,)
        What is compared with `p`: `p_values_`, or their adjusted values.
    support_ : ndarray of bool, shape (n_features,)
        Which features are kept.

    References
    ----------
    .. [1] Benjamini Y, Hochberg Y. Controlling the false discovery rate: a practical and powerful
       approach to multiple testing. J R Stat Soc B 1995;57:289-300.
    """

    def __init__(self, p: float | None = 0.10, correction: str = "none") -> None:
        self.p = p
        self.correction = correction

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> WilcoxonFilter:
        """Test every column of `X` (n_rows, n_features, without missing values) against `y`."""
        values = numbers_of(self, X, reset=True)
        self.p_values_ = rank_sum_p(values, event_rows(column_or_1d(y)))
        self.adjusted_ = adjusted_p(self.p_values_, self.correction)
        self.support_ = _below(self.adjusted_, self.p)
        return self


class MRMRFilter(Selector):
    """Keep the features of minimum redundancy and maximum relevance (mrmr-selection).

    Greedy forward selection [1]_: at each step the feature with the highest quotient of its
    relevance and its mean absolute Pearson correlation with the features chosen so far joins them.
    Of equal quotients the first column wins.

    Parameters
    ----------
    k : int or None
        Features to keep; fewer where fewer have any relevance. None keeps every feature, unranked.
    scheme : {'fcq', 'rfcq'}
        Relevance is the F statistic against the outcome, or the importance in a random forest of
        100 trees, five deep, with a seed of its own; the schemes FCQ and RFCQ of [2]_.

    Attributes
    ----------
    relevance_ : ndarray of shape (n_features,)
        F statistic, or importance in the forest.
    rank_ : ndarray of shape (n_features,)
        1 for the feature chosen first; NaN for those not chosen, and without `k`.
    support_ : ndarray of bool, shape (n_features,)
        Which features are kept. They are handed on in the columns' order.

    References
    ----------
    .. [1] Ding C, Peng H. Minimum redundancy feature selection from microarray gene expression
       data. J Bioinform Comput Biol 2005;3:185-205.
    .. [2] Zhao Z, Anand R, Wang M. Maximum relevance and minimum redundancy feature selection
       methods for a marketing machine learning platform. IEEE DSAA 2019:442-452.
    """

    def __init__(self, k: int | None = 20, scheme: str = "fcq") -> None:
        self.k = k
        self.scheme = scheme

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> MRMRFilter:
        """Choose among the columns of `X` (n_rows, n_features, without missing values)."""
        if self.scheme not in MRMR_SCHEMES:
            raise StudyError(
                f"The scheme of mRMR is one of {', '.join(MRMR_SCHEMES)}",
                found=self.scheme,
                where="config key selection.mrmr.scheme",
                remedy="write one of them",
                code="mrmr-scheme-unknown",
            )
        values = numbers_of(self, X, reset=True)
        events = event_rows(column_or_1d(y))
        self.relevance_, order = mrmr_order(values, events, self.k or 0, self.scheme)
        self.rank_ = np.full(values.shape[1], np.nan)
        self.rank_[order] = np.arange(1, len(order) + 1)
        self.support_ = np.isfinite(self.rank_) | (self.k is None)
        return self


class ClinicalFilter(NamedColumns, Selector):
    """Keep the clinical predictors that are associated with the outcome, one at a time.

    Levels are tested by Pearson's chi-square without Yates' correction, numbers (continuous and
    ordinal) by the rank-sum test; each over the rows in which the predictor is known.

    Parameters
    ----------
    predictors : sequence of Predictor
        What the columns are.
    p : float or None
        A predictor with a P value below it is kept; None keeps every predictor.

    Attributes
    ----------
    p_values_ : ndarray of shape (n_predictors,)
        NaN where no test is possible (one level, or one outcome among the known), which a `p`
        drops.
    tests_ : list of {'chi-square', 'rank-sum'}
        The test of each predictor.
    support_ : ndarray of bool, shape (n_predictors,)
        Which predictors are kept.
    """

    def __init__(self, predictors: Sequence[Predictor] = (), p: float | None = 0.10) -> None:
        self.predictors = predictors
        self.p = p

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> ClinicalFilter:
        """Test every column of `X`, raw as the clinical table holds it, against `y`."""
        self._check_table(X, reset=True)
        events = event_rows(column_or_1d(y))
        kinds = {predictor.column: predictor for predictor in self.predictors}
        self.tests_ = [RANK_SUM if kinds[c].is_numeric else CHI_SQUARE for c in X.columns]
        p_values = []
        for column, test in zip(X.columns, self.tests_, strict=True):
            known = X[column].notna().to_numpy()
            values = X[column].to_numpy()[known]
            if test == RANK_SUM:
                number = values.astype(np.float64)[:, None]
                p_values.append(rank_sum_p(number, events[known])[0])
            else:
                p_values.append(chi_square_p(values, events[known]))
        self.p_values_ = np.asarray(p_values, dtype=np.float64)
        self.support_ = _below(self.p_values_, self.p)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Reduce X to the kept predictors."""
        check_is_fitted(self)
        self._check_table(X, reset=False)
        return super().transform(X)


def _below(p_values: np.ndarray, limit: float | None) -> np.ndarray:
    # No P value is below any limit; without a limit nothing is asked.
    return np.ones(len(p_values), dtype=bool) if limit is None else p_values < limit


def mrmr_order(
    values: np.ndarray, events: np.ndarray, k: int, scheme: str = "fcq"
) -> tuple[np.ndarray, np.ndarray]:
    """Relevance of all columns and the order in which mRMR chooses among them.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Without missing values.
    events : ndarray of bool, shape (n_rows,)
        Rows with the event.
    k : int
        Features to choose at most; 0 measures the relevance only.
    scheme : {'fcq', 'rfcq'}
        As in `MRMRFilter`.

    Returns
    -------
    relevance : ndarray of shape (n_features,)
        F statistic or importance, 0 for a constant column.
    order : ndarray of int, shape (n_chosen,)
        Indices of the chosen columns, the first being the most relevant.
    """
    varies = np.ptp(values, axis=0) > 0 if len(values) else np.zeros(values.shape[1], dtype=bool)
    relevance = np.zeros(values.shape[1])
    candidates = np.flatnonzero(varies)
    if len(candidates) == 0:
        return relevance, candidates
    with warnings.catch_warnings():
        # mrmr-selection switches off all warnings of the process when it is imported.
        from mrmr.pandas import mrmr_classif, random_forest_classif

    frame = pd.DataFrame(values[:, candidates], columns=range(len(candidates)))
    outcome = pd.Series(events.astype(int))
    if scheme == "rfcq":
        relevance[candidates] = random_forest_classif(frame, outcome)
    else:
        relevance[candidates] = np.nan_to_num(f_classif(frame.to_numpy(), events)[0], nan=0.0)
    if k == 0:
        return relevance, candidates[:0]
    correlation = np.atleast_2d(np.corrcoef(values[:, candidates], rowvar=False))

    # The library's own F test and correlation go column by column through pandas; handed to it as
    # functions, the same statistics of all columns at once spare most of its time.
    def relevance_of(X: pd.DataFrame, y: pd.Series) -> pd.Series:
        return pd.Series(relevance[candidates], index=X.columns)

    def pearson(target_column: int, features: list[int], X: pd.DataFrame) -> pd.Series:
        return pd.Series(correlation[features, target_column], index=features)

    chosen = mrmr_classif(
        frame,
        outcome,
        K=k,
        relevance=relevance_of,
        redundancy=pearson,
        n_jobs=1,
        show_progress=False,
    )
    return relevance, candidates[np.asarray(chosen, dtype=int)]
