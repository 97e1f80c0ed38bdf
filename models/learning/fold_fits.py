"""The inner folds of a search: seen through their own selection, and what is fitted to them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from models.learning.family_registry import device_of, family_of
from models.learning.one_fit import FitRows, Wanted, fit_all, fit_many, prepare_rows
from models.learning.options import FitOptions, SearchOptions
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
    options : SearchOptions
        What is read of a study.
    folds : list of FoldData
        The inner folds.
    seeds : list of int
        Seed of each fold's fits, the same for all parameters.
    rows : list of FitRows
        Rows of each fold to learn from: split and oversampled once for the whole search.
    """

    model: str
    options: SearchOptions
    folds: list[FoldData]
    seeds: list[int]
    rows: list[FitRows]

    @classmethod
    def prepare(
        cls, model: str, folds: list[FoldData], options: SearchOptions, seed: int
    ) -> FoldFits:
        """Prepare the rows of all folds.

        Raises
        ------
        FitError
            If a side of a fold lacks an outcome.
        """
        _check_outcomes(folds)
        seeds = [derive_seed(seed, model, "fold", fold.fold) for fold in folds]
        rows = [
            prepare_rows(model, fold.Z_train, fold.y_train, fold.groups_train, options, own)
            for fold, own in zip(folds, seeds, strict=True)
        ]
        return cls(model, options, folds, seeds, rows)

    @property
    def key(self) -> str:
        """What the result of a fit depends on besides its fold and parameters, as a hash."""
        tables = hashlib.sha256()
        for fold, rows in zip(self.folds, self.rows, strict=True):
            for array in (rows.Z, rows.y, *rows.given, rows.Z_watch, rows.y_watch):
                tables.update(b"none" if array is None else _bytes(array))
            tables.update(_bytes(fold.Z_valid) + _bytes(fold.y_valid))
        facts = family_of(self.model).facts
        own = [] if facts.options is None else [asdict(getattr(self.options, facts.name))]
        return json_hash(
            {
                "data": tables.hexdigest(),
                "model": self.model,
                "options": [*own, self.options.threads],
                "device": device_of(self.model, self.options),
                "seeds": self.seeds,
                "code": code_fingerprint("models.learning.search"),
                "versions": versions().astype(str).to_dict("list"),
            }
        )


def _bytes(array: np.ndarray) -> bytes:
    values = array.astype(str).tolist() if array.dtype == object else array.tolist()
    return repr((array.shape, values)).encode()


FoldFit = tuple[int, dict]
"""A fit of a search: the number of its fold, and its parameters."""


def together(
    model: str, options: FitOptions, fits: Sequence[FoldFit], workers: int
) -> list[list[int]]:
    """Group the fits of a search into tasks: networks of one shape and batch size are one.

    The groups change no result, only how long it takes: a stack is as large as a cache holds, and
    smaller where processes would have nothing to do.

    Parameters
    ----------
    model : str
        Name of the family.
    options : SearchOptions
        What is read of a study.
    fits : sequence of FoldFit
        In the order of the search.
    workers : int
        Processes that share the tasks.

    Returns
    -------
    list of list of int
        Positions in `fits`, each in one task.
    """
    family = family_of(model)
    if family.stack_of is None:
        return [[number] for number in range(len(fits))]
    alike: dict[tuple, list[int]] = {}
    sizes = {}
    for number, (_, parameters) in enumerate(fits):
        key, sizes[number] = family.stack_of(family.make(parameters, options, 0))
        alike.setdefault(key, []).append(number)
    most = math.ceil(len(fits) / workers)
    tasks = []
    for numbers in alike.values():
        # Equal parts: a remainder of one network would cost nearly as much as a whole stack.
        parts = math.ceil(len(numbers) / min(sizes[numbers[0]], most))
        tasks += [part.tolist() for part in np.array_split(numbers, parts)]
    return tasks


def fit_folds(task: FoldFits, fits: Sequence[FoldFit]) -> list[dict]:
    """Fit parameter sets to folds: AUROC (None where it failed), how it ended, notes of each."""
    score = SCORES[task.options.search.scoring]
    fitted = fit_many(task.model, _wanted(task, fits), task.options, ranking=True)
    found = []
    for (number, _), fit in zip(fits, fitted, strict=True):
        if isinstance(fit, DivergedError):
            note = f"A parameter set failed: {fit}"
            found.append({"auc": None, "ending": "diverged", "notes": [note]})
            continue
        fold = task.folds[number]
        auc = float(score(fold.y_valid, fit.ranking(fold.Z_valid)))
        found.append({"auc": auc, "ending": fit.ending, "notes": fit.notes})
    return found


def predict_parts(task: FoldFits, fits: Sequence[FoldFit]) -> list[tuple[np.ndarray, list[str]]]:
    """Return the validation probabilities of folds with given parameters, and the fits' notes."""
    fitted = fit_all(task.model, _wanted(task, fits), task.options)
    return [
        (fit.probability(task.folds[number].Z_valid), fit.notes)
        for (number, _), fit in zip(fits, fitted, strict=True)
    ]


def _wanted(task: FoldFits, fits: Sequence[FoldFit]) -> list[Wanted]:
    return [Wanted(values, task.rows[number], task.seeds[number]) for number, values in fits]


def _check_outcomes(folds: list[FoldData]) -> None:
    for fold in folds:
        for part, outcome in (("training", fold.y_train), ("validation", fold.y_valid)):
            if len(np.unique(outcome)) != 2:
                raise FitError(
                    f"The {part} rows of every fold must hold both outcomes",
                    found=f"{int(outcome.sum())} events among {len(outcome)} rows",
                    where=f"fold {fold.fold}",
                    remedy="use fewer folds (config key split.folds)",
                    code="fold-without-both-outcomes",
                )
