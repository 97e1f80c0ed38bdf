"""Filter by agreement of readers, or of perturbed extractions: hands on one value per feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from models.transformers.columns import LEVEL, MEAN_OF_READERS
from models.transformers.frames import NamedColumns
from models.transformers.perturbed import PerturbedRows
from pipeline.comparison.agreement.concordance import lowest_pair
from pipeline.comparison.agreement.repeated import lower_limit, spread
from pipeline.core.errors import StudyError
from pipeline.tables.readers import latest_label

CCC_BOUNDS = ("estimate", "lower")

ROBUSTNESS = ("readers", "perturbations", "both")
"""What features have to agree between: readers, perturbed extractions of one mask, or both."""


class CCCFilter(NamedColumns, TransformerMixin, BaseEstimator):
    """Keep the features on which the readers agree, and hand on one value per feature.

    X carries both readings, in columns ``<reader>:<feature>``. Agreement is Lin's concordance
    correlation coefficient [1]_ on raw values over the rows fitted to; raw, since a z-score per
    reader would remove the very shift between readers that it is to see. With more than two
    readers every pair has to agree, so that the lowest pair decides
    (`pipeline.comparison.agreement.concordance.lowest_pair`, which describes a study's features
    too). A feature without two values, or constant, has no CCC and is dropped. Without a threshold,
    and with one reader, every feature passes (`skipped_`) that has a value to hand on.

    With `robustness` of ``perturbations`` or ``both``, a feature has to agree between perturbed
    extractions of one mask, by ICC(1,1) over the rows fitted to
    (`pipeline.comparison.agreement.repeated`), which are looked up by the index of X.

    Parameters
    ----------
    readers : sequence of str
        Readers, prefixes of the columns.
    features : sequence of str
        Features without reader, in the order in which they are handed on.
    model_reader : str or None
        Reader whose values are handed on, or ``'mean'`` of all readers.
    threshold : float or None
        Lowest CCC to keep a feature; None switches the filter off, the CCC is measured still.
    corrected : sequence of str
        Readers with corrected masks: X carries their latest features too, in columns
        ``<reader>.latest:<feature>``, which are handed on instead of the originals'.
    bound : {'estimate', 'lower'}
        Whether the estimate or the lower limit of its interval has to reach the threshold. The
        limit also asks how sure the estimate is: with few patients a chance agreement passes less.
    confidence : float
        Level of the two-sided interval.
    within_level : bool
        Whether agreement is measured within vertebral levels (column `LEVEL` of `columns`, of X).
        Over all levels, what differs between them, size first of all, counts as agreement.
    robustness : {'readers', 'perturbations', 'both'}
        Which agreement a feature has to pass.
    perturbed : PerturbedRows or None
        Perturbed extractions; needed unless `robustness` is ``readers``.
    perturbations : mapping or None
        Their ``threshold, bound, confidence, resamples``, the section of this name.
    seed : int
        Of the bootstrap of patients.

    Attributes
    ----------
    ccc_ : pandas.Series
        Lowest CCC over the pairs of readers by feature; NaN where undefined or with one reader.
    ccc_low_ : pandas.Series
        Lowest lower limit over the pairs.
    icc_, icc_low_ : pandas.Series
        ICC of perturbed extractions and its lower limit, by feature; NaN where undefined, or where
        it is not asked for.
    kept_ : list of str
        Features handed on.
    skipped_ : bool
        Whether nothing was filtered by readers: there is one only, no threshold, or they are not
        asked.
    unperturbed_ : bool
        Whether nothing was filtered by perturbations: they are not asked for, or no threshold.

    References
    ----------
    .. [1] Lin LI. A concordance correlation coefficient to evaluate reproducibility.
       Biometrics 1989;45:255-268.
    """

    def __init__(
        self,
        readers: Sequence[str] = (),
        features: Sequence[str] = (),
        model_reader: str | None = None,
        threshold: float | None = 0.85,
        corrected: Sequence[str] = (),
        bound: str = "estimate",
        confidence: float = 0.95,
        within_level: bool = False,
        robustness: str = "readers",
        perturbed: PerturbedRows | None = None,
        perturbations: Mapping | None = None,
        seed: int = 0,
    ) -> None:
        self.readers = readers
        self.features = features
        self.model_reader = model_reader
        self.threshold = threshold
        self.corrected = corrected
        self.bound = bound
        self.confidence = confidence
        self.within_level = within_level
        self.robustness = robustness
        self.perturbed = perturbed
        self.perturbations = perturbations
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: object = None) -> CCCFilter:
        """Measure the agreement over the rows of `X`; `y` is ignored."""
        self._check_table(X, reset=True)
        if self.bound not in CCC_BOUNDS:
            raise StudyError(
                "The CCC filter looks at the estimate or at its lower limit",
                found=self.bound,
                where="config key selection.ccc.bound",
                code="ccc-bound-unknown",
            )
        if self.robustness not in ROBUSTNESS:
            raise StudyError(
                f"Robustness is one of {', '.join(ROBUSTNESS)}",
                found=self.robustness,
                where="config key selection.robustness",
                remedy="write one of them",
                code="robustness-unknown",
            )
        features = list(self.features)
        readings = {reader: self._reading(X, reader) for reader in self.readers}
        self.ccc_ = self.ccc_low_ = pd.Series(np.nan, index=features)
        if len(readings) > 1:
            lowest = lowest_pair(list(readings.values()), self.confidence, self._levels(X))
            self.ccc_ = pd.Series(lowest.ccc, index=features)
            self.ccc_low_ = pd.Series(lowest.lowest_low, index=features)
        self.skipped_ = (
            len(readings) < 2 or self.threshold is None or self.robustness == "perturbations"
        )
        passed = self._robust(X)
        if self.skipped_:
            observed = self._handed_on(X).notna().any()
            self.kept_ = [f for f in features if observed[f] and passed[f]]
            return self
        judged = self.ccc_ if self.bound == "estimate" else self.ccc_low_
        self.kept_ = [f for f in features if judged[f] >= self.threshold and passed[f]]
        return self

    def _robust(self, X: pd.DataFrame) -> pd.Series:
        """Measure the agreement of perturbed extractions; return which features reach the limit."""
        features = list(self.features)
        self.icc_ = self.icc_low_ = pd.Series(np.nan, index=features)
        everything = pd.Series(True, index=features)
        self.unperturbed_ = self.robustness == "readers"
        if self.unperturbed_:
            return everything
        if self.perturbed is None or self.perturbations is None:
            raise StudyError(
                "A filter by perturbations needs perturbed extractions",
                found=f"robustness: {self.robustness}",
                where="config key selection.robustness",
                remedy="set perturbations.repetitions, and run the study from its images",
                code="perturbed-rows-missing",
            )
        limits = self.perturbations
        measured, patients = self.perturbed.take(list(X.index), features)
        self.icc_ = pd.Series(spread(measured).icc, index=features)
        low = lower_limit(measured, patients, limits["confidence"], limits["resamples"], self.seed)
        self.icc_low_ = pd.Series(low, index=features)
        self.unperturbed_ = limits["threshold"] is None
        if self.unperturbed_:
            return everything
        judged = self.icc_ if limits["bound"] == "estimate" else self.icc_low_
        return judged >= limits["threshold"]

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the kept features of the model's reader, named without reader."""
        check_is_fitted(self)
        self._check_table(X, reset=False)
        return self._handed_on(X)[self.kept_]

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the features handed on."""
        check_is_fitted(self)
        return np.asarray(self.kept_, dtype=object)

    def _reading(self, X: pd.DataFrame, reader: str) -> np.ndarray:
        return X[[f"{reader}:{feature}" for feature in self.features]].to_numpy(np.float64)

    def _levels(self, X: pd.DataFrame) -> np.ndarray | None:
        if not self.within_level:
            return None
        known = X[LEVEL].notna() if LEVEL in X else pd.Series(False, index=X.index)
        if not known.all():
            raise StudyError(
                "Agreement within levels needs the vertebral level of every training patient",
                found=f"{int((~known).sum())} of {len(X)} rows without a level",
                where="config key selection.ccc.within_level",
                remedy="state the levels in column `level` of the masks' or the features' table",
                code="ccc-level-unknown",
            )
        return X[LEVEL].to_numpy(dtype=str)

    def _handed_on(self, X: pd.DataFrame) -> pd.DataFrame:
        seen = {r: latest_label(r) if r in self.corrected else r for r in self.readers}
        if len(self.readers) > 1 and self.model_reader == MEAN_OF_READERS:
            values = np.mean([self._reading(X, reader) for reader in seen.values()], axis=0)
        else:
            only = self.readers[0] if len(self.readers) == 1 else self.model_reader
            values = self._reading(X, seen[str(only)])
        return pd.DataFrame(values, index=X.index, columns=list(self.features))
