"""A selection chain and a classifier fitted together, which predict any row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from models.learning.one_fit import Fit, Wanted, fit_all, fit_estimator, prepare_rows
from models.learning.options import RefitOptions
from models.modes.mode import learning_rows
from models.modes.rows import LearningRows
from models.transformers.chain import signature_of
from models.transformers.columns import Columns


@dataclass(frozen=True)
class FittedModel:
    """A selection chain and a classifier, fitted to the same training rows.

    Attributes
    ----------
    model : str
        Name of the family.
    columns : Columns
        Candidates that the chain chose from.
    rows : LearningRows
        Fitted selection chain, and the rows that the classifier learned from, seen through it.
    fit : Fit
        Fitted classifier.
    notes : list of str
        What has to be said about both.
    """

    model: str
    columns: Columns
    rows: LearningRows
    fit: Fit
    notes: list[str]

    @property
    def chain(self) -> Pipeline:
        """Fitted selection chain."""
        return self.rows.chain

    @property
    def signature(self) -> list[str]:
        """Columns that the classifier sees."""
        return signature_of(self.chain)

    def oversampled(self, oversampling: str) -> dict[str, bool | str | None]:
        """Return whether oversampling added rows to learn from: ``added``, and else ``why_not``."""
        if oversampling == "none":
            return {"added": False, "why_not": None}
        why_not = self.rows.why_not or self.fit.why_not
        if not self.signature:
            why_not = "the selection kept no column"
        return {"added": why_not is None, "why_not": why_not}

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        """Return the probability of the event, shape (n_rows,), for rows of an analysis table."""
        return self.fit.probability(self.chain.transform(self.columns.take(table)).to_numpy())


def refit(
    model: str,
    columns: Columns,
    training: pd.DataFrame,
    parameters: Mapping,
    options: RefitOptions,
    seed: int,
) -> FittedModel:
    """Fit selection and classifier to training rows with fixed parameters.

    Parameters
    ----------
    model : str
        Name of the family.
    columns : Columns
        Candidates.
    training : pandas.DataFrame
        Training rows of the analysis table: ``unit_id, patient_id, outcome`` and the candidates.
    parameters : mapping
        Parameters of the family, as ``model.json`` holds them.
    options : RefitOptions
        What is read of a study.
    seed : int
        Seed of this fit.

    Returns
    -------
    FittedModel
        Predicts rows of any analysis table with the same columns.
    """
    rows = learning_rows(columns, training, options)
    return _fit_to(rows, model, columns, parameters, options, seed)


def refit_classifier(
    fitted: FittedModel, parameters: Mapping, options: RefitOptions, seeds: Sequence[int]
) -> list[FittedModel]:
    """Fit the classifier again, with other seeds, to the rows that the selection gave.

    The selection draws nothing, so that this equals `refit` with each seed, and spares its work.

    Parameters
    ----------
    fitted : FittedModel
        From `refit` with the same options.
    parameters, options
        As for `refit`.
    seeds : sequence of int
        Of the fits, which are made together where the family can.
    """
    rows, model = fitted.rows, fitted.model
    wanted = [
        Wanted(parameters, prepare_rows(model, rows.Z, rows.y, rows.groups, options, seed), seed)
        for seed in seeds
    ]
    return [
        FittedModel(model, fitted.columns, rows, fit, rows.notes + fit.notes)
        for fit in fit_all(model, wanted, options)
    ]


def _fit_to(
    rows: LearningRows,
    model: str,
    columns: Columns,
    parameters: Mapping,
    options: RefitOptions,
    seed: int,
) -> FittedModel:
    fit = fit_estimator(model, parameters, rows.Z, rows.y, rows.groups, options, seed)
    return FittedModel(model, columns, rows, fit, rows.notes + fit.notes)
