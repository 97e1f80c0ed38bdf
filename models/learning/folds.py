"""Folds of the training rows; a patient is never divided."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from pipeline.core.errors import FitError
from pipeline.core.seeds import derive_seed

NO_FOLD = -1
"""Fold of a test row."""


def assign_folds(training: pd.DataFrame, n_folds: int, seed: int) -> np.ndarray:
    """Deal training rows to folds, stratified by outcome, a patient's rows together.

    Parameters
    ----------
    training : pandas.DataFrame
        One row per unit: ``patient_id, outcome``.
    n_folds : int
        Number of folds.
    seed : int
        Seed of the draw.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        Fold, from 0, in which a row is validated.

    Raises
    ------
    FitError
        If a fold would lack an outcome.
    """
    outcome = training["outcome"].to_numpy(dtype=int)
    groups = training["patient_id"].to_numpy()
    fewest = min(len(np.unique(groups[outcome == value])) for value in (0, 1))
    folds = np.full(len(training), NO_FOLD)
    if fewest >= n_folds:
        # Sorted by patient first, so that the order of the rows does not change the folds.
        order = np.argsort(groups, kind="stable")
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        for fold, (_, valid) in enumerate(splitter.split(order, outcome[order], groups[order])):
            folds[order[valid]] = fold
    complete = all(len(np.unique(outcome[folds == fold])) == 2 for fold in range(n_folds))
    if fewest < n_folds or not complete:
        raise FitError(
            "Every fold must hold patients of both outcomes",
            found=f"{fewest} training patients of the rarer outcome for {n_folds} folds",
            where="config key split.folds",
            remedy="use fewer folds or a larger training part",
            code="fold-without-both-outcomes",
        )
    return folds


def outer_folds(
    training: pd.DataFrame, n_folds: int, repeats: int, seed: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Deal the training rows to outer folds, several times over.

    Parameters
    ----------
    training : pandas.DataFrame
        ``patient_id, outcome``, one row per unit.
    n_folds, repeats : int
        Outer folds, and how often they are dealt anew.
    seed : int
        Seed of the study.

    Yields
    ------
    repeat, fold : int
        Both from 0.
    held_out : ndarray of bool, shape (n_rows,)
        Rows that the fold judges on; a patient's rows are together.
    """
    for repeat in range(repeats):
        folds = assign_folds(training, n_folds, derive_seed(seed, "nested", repeat))
        for fold in range(n_folds):
            yield repeat, fold, folds == fold


def outer_seed(seed: int, model: str, repeat: int, fold: int) -> int:
    """Return the seed of all that one outer fold draws for a model.

    Parameters
    ----------
    seed : int
        Seed of the study.
    model : str
        Name of the family.
    repeat, fold : int
        As `outer_folds` numbers them.
    """
    return derive_seed(seed, "nested", model, repeat, fold)
