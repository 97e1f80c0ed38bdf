"""Randomised search of a model's parameters over the inner folds."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import ParameterSampler

from models.estimators import Family, family_of
from models.fitting import fit_estimator
from models.rows import FoldData
from pipeline.core.command import progress
from pipeline.core.errors import StudyError, VertebromicsError
from pipeline.core.seeds import derive_seed

DIGITS = 4
"""Significant digits of a drawn parameter: enough to search, few enough to print."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    parameters : dict
        Best parameter set.
    table : pandas.DataFrame
        ``iteration, parameters, mean_auc, sd_auc``, one row per parameter set; NaN where a fit
        failed.
    out_of_fold : ndarray of shape (n_rows,)
        Probability of each training row from the fold that did not learn from it, with the best
        parameters; NaN for a row of no fold, which only ``mode: as_published`` has.
    fits : int
        Classifiers fitted.
    notes : list of str
        Sentences for model.json.
    """

    parameters: dict
    table: pd.DataFrame
    out_of_fold: np.ndarray
    fits: int
    notes: list[str]

    @property
    def best(self) -> pd.Series:
        """Row of `table` with the best mean AUROC, the first of equals."""
        return self.table.loc[self.table["mean_auc"].idxmax()]


def search_model(
    model: str, folds: list[FoldData], n_rows: int, config: Mapping, seed: int
) -> SearchResult:
    """Search a family's parameters by their mean AUROC over the inner folds.

    A family with several phases (TabNet: architecture, then training) searches them one after
    another and shares the iterations among them. A parameter set is drawn once at most. A set with
    which a network diverges counts as failed and cannot win.

    Parameters
    ----------
    model : str
        Name of the family.
    folds : list of FoldData
        From `models.mode.transform_folds`.
    n_rows : int
        Rows of the training table.
    config : mapping
        Resolved configuration.
    seed : int
        Seed of the search.

    Returns
    -------
    SearchResult
        Best parameters, every set's result, out-of-fold predictions.

    Raises
    ------
    StudyError
        If a fold lacks an outcome.
    VertebromicsError
        If no parameter set could be fitted.
    """
    for fold in folds:
        for part, outcome in (("training", fold.y_train), ("validation", fold.y_valid)):
            if len(np.unique(outcome)) != 2:
                raise StudyError(
                    f"The {part} rows of every fold must hold both outcomes",
                    found=f"{int(outcome.sum())} events among {len(outcome)} rows",
                    where=f"fold {fold.fold}",
                    remedy="use fewer folds (config key split.folds)",
                )
    family = family_of(model)
    phases = plan_search(family, config)
    planned = sum(count for _, count in phases)
    rows, predictions, notes = [], [], []
    best, best_auc, started = {}, -np.inf, time.monotonic()
    for number, (space, count) in enumerate(phases):
        fixed = dict(best)
        for drawn in draw_parameters(space, count, derive_seed(seed, model, "draw", number)):
            parameters = fixed | drawn
            aucs, probability = np.full(len(folds), np.nan), np.full(n_rows, np.nan)
            try:
                for index, fold in enumerate(folds):
                    fit = fit_estimator(
                        model,
                        parameters,
                        fold.Z_train,
                        fold.y_train,
                        fold.groups_train,
                        config,
                        derive_seed(seed, model, "fold", fold.fold),
                    )
                    notes += fit.notes
                    predicted = fit.probability(fold.Z_valid)
                    probability[fold.valid] = predicted[: len(fold.valid)]
                    aucs[index] = roc_auc_score(fold.y_valid, predicted)
            except StudyError:
                raise
            except VertebromicsError as error:
                notes.append(f"A parameter set failed: {error}")
                aucs[:] = np.nan
            mean = float(aucs.mean())
            rows.append(
                {
                    "iteration": len(rows),
                    "parameters": json.dumps(parameters),
                    "mean_auc": mean,
                    "sd_auc": float(aucs.std(ddof=1)) if len(aucs) > 1 else np.nan,
                }
            )
            predictions.append(probability)
            if mean > best_auc:
                best, best_auc = parameters, mean
            _log(f"search {model}", len(rows), planned, f"AUROC {mean:.3f}", started)
    if best_auc == -np.inf:
        raise VertebromicsError(
            "At least one parameter set must be fitted",
            found=f"none of {len(rows)}",
            where=f"model {model}",
            remedy="narrow its space with config key search.spaces",
        )
    table = pd.DataFrame(rows)
    winner = int(table["mean_auc"].idxmax())
    fits = len(rows) * len(folds)
    return SearchResult(best, table, predictions[winner], fits, list(dict.fromkeys(notes)))


def plan_search(family: Family, config: Mapping) -> list[tuple[dict, int]]:
    """Return the phases of a family's search, each with the number of parameter sets to draw.

    The iterations are shared evenly, the first phases taking the remainder; a phase whose space
    holds fewer sets draws all of them.
    """
    phases = family.search_phases(config)
    iterations = config["search"]["iterations"]
    share, rest = divmod(iterations, len(phases))
    plan = []
    for number, space in enumerate(phases):
        count = share + (number < rest)
        if all(isinstance(values, list) for values in space.values()):
            count = min(count, int(np.prod([len(values) for values in space.values()])))
        if count:
            plan.append((space, count))
    return plan


def draw_parameters(space: Mapping, count: int, seed: int) -> list[dict]:
    """Draw up to `count` different parameter sets from a space, as JSON values.

    Parameters
    ----------
    space : mapping
        {parameter: list of values, or scipy distribution}; an empty one gives one empty set.
    count : int
        Sets to draw.
    seed : int
        Seed of the draw.
    """
    if not space:
        return [{}]
    sets = {}
    for drawn in ParameterSampler(dict(space), count, random_state=seed):
        values = {name: _plain(drawn[name]) for name in space}
        sets.setdefault(json.dumps(values), values)
    return list(sets.values())


def _plain(value: object) -> object:
    """Return a drawn value as JSON can hold it, a drawn float with few digits."""
    value = value.item() if isinstance(value, np.generic) else value
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _log(stage: str, done: int, total: int, name: str, started: float) -> None:
    left = (time.monotonic() - started) / done * (total - done)
    progress(stage, done, total, f"{name}, {left:.0f} s left")
