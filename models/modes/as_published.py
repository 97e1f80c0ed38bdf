"""The order of `mode: as_published`, which leaks: selection on everyone, oversampling before folds.

The published study standardised and selected radiomic features on all patients, then divided them
7:3, chose clinical predictors and oversampled on the training set, and searched over folds of the
oversampled rows. The outcomes of the test rows thus chose the features, and synthetic relatives of
a validation row lie among the rows that its fold learns from: both the test rows and the search
flatter the model, even where nothing can be predicted. The order is here so that a result in it can
be set beside the same data's result without leakage (`models.modes.rigorous`).
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from models.modes.order_options import OrderOptions
from models.modes.rows import FoldData, LearningRows
from models.transformers.chain import chain_notes, selection_chain, signature_of
from models.transformers.chain_options import ChainOptions
from models.transformers.columns import LEVEL, Columns
from models.transformers.frames import numbers_of
from models.transformers.oversampling import SYNTHETIC, patients_of, resample_rows
from pipeline.core.command import progress
from pipeline.core.seeds import derive_seed

ASSUMPTIONS = {
    "standardisation": "Every reader's features are standardised separately, over all patients, "
    "before the readers are compared. That takes an offset or a difference of scale between "
    "readers out of the CCC, which then comes out higher than on raw values.",
    "a missing reading": "A patient without a reading counts in neither its standardisation nor "
    "its CCC; afterwards missing values are imputed from all patients.",
    "everyone": "All patients and all outcomes of the analysis table serve the selection of "
    "radiomic features, the held-out ones too.",
    "clinical predictors": "Chosen, imputed and scaled on the training part, once, before the "
    "folds of the search.",
    "oversampling": "ADASYN and Tomek links are applied once, to the whole training part, before "
    "the folds of the search; every fit of the study sees the same synthetic patients.",
    "folds of the search": "Real patients keep the fold of the split; synthetic ones are dealt "
    "evenly among the folds and count when a fold is scored.",
    "early stopping": "The patients that TabNet's early stopping watches are taken from the "
    "oversampled training patients, 8:2, so that synthetic ones are among them.",
    "probabilities of a support vector machine": "Platt's sigmoid is learned by five folds of the "
    "oversampled patients, as the libraries do, so that its risks are too extreme.",
    "threshold": "A probability of 0.5 calls an event: the libraries' default.",
    "out-of-fold predictions": "Real training patients that Tomek links removed have none.",
}
"""What the published study leaves open about its order, and what is done here."""


class KnownValuesScaler(TransformerMixin, BaseEstimator):
    """Scale columns over the rows in which each is known; what is missing stays missing.

    The column of vertebral levels, which the CCC within levels needs, passes as it is.

    Parameters
    ----------
    scaler : transformer
        Learns and applies the scale of columns without missing values.

    Attributes
    ----------
    scalers_ : list of (list of str, transformer)
        Fitted copies of `scaler`, one for the columns that are known in the same rows. A column
        that is never known has none.
    """

    def __init__(self, scaler: BaseEstimator) -> None:
        self.scaler = scaler

    @property
    def method(self) -> str:
        """How `scaler` scales."""
        return self.scaler.method

    def fit(self, X: pd.DataFrame, y: object = None) -> KnownValuesScaler:
        """Learn from `X` (n_rows, n_features); `y` is ignored."""
        self.names_out_ = X.columns.to_numpy(object)
        values = X.drop(columns=LEVEL, errors="ignore")
        missing = np.isnan(numbers_of(self, values, reset=True, missing=True))
        patterns, of_column = np.unique(missing, axis=1, return_inverse=True)
        self.scalers_ = []
        for number, unknown in enumerate(patterns.T):
            names = list(values.columns[of_column.ravel() == number])
            if not unknown.all():
                self.scalers_.append((names, clone(self.scaler).fit(X.loc[~unknown, names])))
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the scaled columns."""
        check_is_fitted(self)
        numbers_of(self, X.drop(columns=LEVEL, errors="ignore"), reset=False, missing=True)
        parts = [X[[LEVEL]]] if LEVEL in X else []
        parts += [
            # What stands in for a missing value on the way does not matter.
            scaler.transform(X[names].fillna(0.0)).where(X[names].notna())
            for names, scaler in self.scalers_
        ]
        return pd.concat(parts, axis=1).reindex(columns=X.columns)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of all columns."""
        check_is_fitted(self)
        return self.names_out_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def published_chain(columns: Columns, options: ChainOptions) -> Pipeline:
    """Build a selection chain whose radiomic block has learned from everyone.

    Radiomics: scaling, each reader apart, CCC between readers on scaled values, imputation,
    Wilcoxon rank-sum, mRMR; all of it learned here, from every patient. Clinical: as in
    `models.transformers.chain.selection_chain`, learned from the rows that the chain is fitted to.

    Parameters
    ----------
    columns : Columns
        Candidates, with everyone's rows.
    options : ChainOptions
        What is read of a study.

    Returns
    -------
    sklearn.pipeline.Pipeline
        ``fit`` learns the clinical block alone.
    """
    chain = selection_chain(columns, options)
    blocks = chain["blocks"]
    blocks.transformers = [
        (name, _on_everyone(block, columns, names) if name == "radiomics" else block, names)
        for name, block, names in blocks.transformers
    ]
    return chain


def _on_everyone(radiomics: Pipeline, columns: Columns, names: list[str]) -> FrozenEstimator:
    steps = [(name, step) for name, step in radiomics.steps if name != "scale"]
    scale = radiomics.named_steps.get("scale")
    if scale is not None:
        steps.insert(0, ("scale", KnownValuesScaler(scale)))
    everyone = columns.everyone
    X, y = columns.take(everyone)[names], everyone["outcome"].to_numpy(dtype=int)
    return FrozenEstimator(Pipeline(steps).set_output(transform="pandas").fit(X, y))


def published_rows(columns: Columns, training: pd.DataFrame, options: OrderOptions) -> LearningRows:
    """Select on everyone, then oversample the training rows, once.

    The parameters are those of `models.modes.mode.learning_rows`.
    """
    rows, _ = _resampled(columns, training, options)
    return rows


def published_folds(
    columns: Columns, training: pd.DataFrame, folds: np.ndarray, options: OrderOptions
) -> list[FoldData]:
    """Deal rows that were selected on everyone and oversampled to the folds of the search.

    The parameters are those of `models.modes.mode.transform_folds`.
    """
    started = time.monotonic()
    rows, origin = _resampled(columns, training, options)
    numbers, synthetic = np.unique(folds), np.flatnonzero(origin == SYNTHETIC)
    own = np.where(origin == SYNTHETIC, -1, folds[origin])
    drawn = np.random.default_rng(derive_seed(options.seed, "as published", "folds"))
    own[drawn.permutation(synthetic)] = numbers[np.arange(len(synthetic)) % len(numbers)]
    seen = []
    for fold in numbers:
        train = np.flatnonzero(own != fold)
        # Real rows first: they alone have a place in the training table.
        real = np.flatnonzero((own == fold) & (origin != SYNTHETIC))
        valid = np.concatenate([real, np.flatnonzero((own == fold) & (origin == SYNTHETIC))])
        seen.append(
            FoldData(
                int(fold),
                rows.Z[train],
                rows.y[train],
                rows.groups[train],
                rows.Z[valid],
                rows.y[valid],
                origin[real],
                signature_of(rows.chain),
                rows.notes,
            )
        )
    progress("select", 1, 1, f"on everyone, {time.monotonic() - started:.0f} s")
    return seen


def _resampled(
    columns: Columns, training: pd.DataFrame, options: OrderOptions
) -> tuple[LearningRows, np.ndarray]:
    """Return the rows to learn from, and the training row that each of them is, or `SYNTHETIC`."""
    X, y = columns.take(training), training["outcome"].to_numpy(dtype=int)
    chain = published_chain(columns, options).fit(X, y)
    Z, notes = chain.transform(X).to_numpy(), chain_notes(chain)
    origin, why_not = np.arange(len(y)), None
    method = options.oversampling
    if method != "none" and Z.shape[1]:
        seed = derive_seed(options.seed, "as published", "oversampling")
        drawn = resample_rows(Z, y, seed, method)
        Z, y, origin, why_not = drawn.X, drawn.y, drawn.origin, drawn.why_not
        notes += [drawn.note] if drawn.note else []
    groups = patients_of(training["patient_id"].to_numpy(), origin)
    return LearningRows(chain, Z, y, groups, notes, why_not), origin
