"""The inner folds of a search: seen through their own selection, and what is fitted to them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from models.learning.estimators import device_of, family_of
from models.learning.one_fit import FitRows, fit_rows, prepare_rows
from models.modes.rows import FoldData
from pipeline.core.errors import DivergedError, FitError
from pipeline.core.files import json_hash
from pipeline.core.seeds import derive_seed
from pipeline.running.fingerprint import code_fingerprint
from pipeline.running.provenance import versions

SCORES = {"roc_auc": roc_auc_score}
"""What a search maximises, by the option ``search.scoring``."""


@dataclass(frozen=True)
class FoldFits:
    """What all fits of a search share; worker processes hold one each.

    Attributes
    ----------
    model : str
        Name of the family.
    config : mapping
        Resolved configuration.
    folds : list of FoldData
        The inner folds.
    seeds : list of int
        Seed of each fold's fits, the same for all parameters.
    rows : list of FitRows
        Rows of each fold to learn from: split and oversampled once for the whole search.
    """

    model: str
    config: Mapping
    folds: list[FoldData]
    seeds: list[int]
    rows: list[FitRows]

    @classmethod
    def prepare(cls, model: str, folds: list[FoldData], config: Mapping, seed: int) -> FoldFits:
        """Prepare the rows of all folds.

        Raises
        ------
        FitError
            If a side of a fold lacks an outcome.
        """
        _check_outcomes(folds)
        seeds = [derive_seed(seed, model, "fold", fold.fold) for fold in folds]
        rows = [
            prepare_rows(model, fold.Z_train, fold.y_train, fold.groups_train, config, own)
            for fold, own in zip(folds, seeds, strict=True)
        ]
        return cls(model, config, folds, seeds, rows)

    @property
    def key(self) -> str:
        """What the result of a fit depends on besides its fold and parameters, as a hash."""
        tables = hashlib.sha256()
        for fold, rows in zip(self.folds, self.rows, strict=True):
            for array in (rows.Z, rows.y, *rows.given, rows.Z_watch, rows.y_watch):
                tables.update(b"none" if array is None else _bytes(array))
            tables.update(_bytes(fold.Z_valid) + _bytes(fold.y_valid))
        facts = family_of(self.model).facts
        of_family = ("threads",) if facts.options is None else (facts.name, "threads")
        return json_hash(
            {
                "data": tables.hexdigest(),
                "model": self.model,
                "options": [self.config[name] for name in of_family],
                "device": device_of(self.model, self.config["device"]),
                "seeds": self.seeds,
                "code": code_fingerprint("models.learning.search"),
                "versions": versions().astype(str).to_dict("list"),
            }
        )


def _bytes(array: np.ndarray) -> bytes:
    values = array.astype(str).tolist() if array.dtype == object else array.tolist()
    return repr((array.shape, values)).encode()


def fit_fold(task: FoldFits, what: tuple[int, dict]) -> dict:
    """Fit a parameter set to one fold: its AUROC (None where it failed), how it ended, notes."""
    number, parameters = what
    fold = task.folds[number]
    try:
        fit = fit_rows(
            task.model,
            parameters,
            task.rows[number],
            task.config,
            task.seeds[number],
            ranking=True,
        )
        score = SCORES[task.config["search"]["scoring"]]
        auc = float(score(fold.y_valid, fit.ranking(fold.Z_valid)))
    except DivergedError as error:
        note = f"A parameter set failed: {error}"
        return {"auc": None, "ending": "diverged", "notes": [note]}
    return {"auc": auc, "ending": fit.ending, "notes": fit.notes}


def predict_fold(task: FoldFits, what: tuple[int, dict]) -> tuple[np.ndarray, list[str]]:
    """Return a fold's validation probabilities with the best parameters, and the fit's notes."""
    number, parameters = what
    rows, seed = task.rows[number], task.seeds[number]
    fit = fit_rows(task.model, parameters, rows, task.config, seed)
    return fit.probability(task.folds[number].Z_valid), fit.notes


def _check_outcomes(folds: list[FoldData]) -> None:
    for fold in folds:
        for part, outcome in (("training", fold.y_train), ("validation", fold.y_valid)):
            if len(np.unique(outcome)) != 2:
                raise FitError(
                    f"The {part} rows of every fold must hold both outcomes",
                    found=f"{int(outcome.sum())} events among {len(outcome)} rows",
                    where=f"fold {fold.fold}",
                    remedy="use fewer folds (config key split.folds)",
                )
