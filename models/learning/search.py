"""Randomised search of a model's parameters over the inner folds."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.learning.family_registry import Family, family_of
from models.learning.fold_fits import FoldFits, fit_folds, predict_parts, together
from models.learning.notes import counted_notes
from models.learning.options import SearchOptions
from models.learning.spaces import draw_parameters, plan_phases
from models.modes.rows import FoldData
from pipeline.core.command import progress
from pipeline.core.errors import FitError
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers
from pipeline.study.sections.fitting import Search as SearchSection
from pipeline.tables.schemas.prediction.training import Search

logger = logging.getLogger("vertebromics")

ENDINGS = ("early_stopped", "reached_limit", "diverged")
"""How a training by epochs ends: by early stopping, at the largest number of epochs, nowhere."""

COLUMNS = types_of(Search)


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    parameters : dict
        Best parameter set.
    table : pandas.DataFrame
        One row per parameter set: ``iteration, phase, parameters`` (JSON)``, mean_auc, sd_auc``
        (NaN where a fit failed) and how its ``fits`` ended: ``early_stopped, reached_limit`` (null
        for families that are not trained by epochs)``, diverged``.
    out_of_fold : ndarray of shape (n_rows,)
        Probability of each training row from the fold that did not learn from it, with the best
        parameters; NaN for a row of no fold, which only ``mode: as_published`` has.
    fits : int
        Classifiers fitted, those of `out_of_fold` among them.
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

    @property
    def endings(self) -> dict[str, int]:
        """How many fits of the search ended in which way; empty without training by epochs."""
        if self.table["early_stopped"].isna().all():
            return {}
        return {name: int(self.table[name].sum()) for name in ENDINGS}


def plan_search(family: Family, search: SearchSection) -> list[tuple[dict, int]]:
    """Return the phases of a family's search, each with the number of parameter sets to draw."""
    return plan_phases(family.search_phases(search.spaces), search.iterations)


def search_model(
    model: str,
    folds: list[FoldData],
    n_rows: int,
    options: SearchOptions,
    seed: int,
    *,
    workers: int = 1,
    journal: Path | None = None,
) -> SearchResult:
    """Search a family's parameters by their mean AUROC over the inner folds.

    A family with several phases (TabNet: architecture, then training) searches them one after
    another, each with all iterations. A parameter set is drawn once at most. A set with which a
    network diverges counts as failed and cannot win. What the search fits is good for ranks only;
    the best set is fitted to the folds once more, for the out-of-fold probabilities.

    Parameters
    ----------
    model : str
        Name of the family.
    folds : list of FoldData
        From `models.modes.mode.transform_folds`.
    n_rows : int
        Rows of the training table.
    options : SearchOptions
        What is read of a study.
    seed : int
        Seed of the search.
    workers : int
        Processes that share the fits; the result does not depend on their number.
    journal : path, optional
        File that keeps finished fits, so that a search that was killed goes on from there. It is
        left to the caller, who removes it once the result is safe.

    Returns
    -------
    SearchResult
        Best parameters, every set's result, out-of-fold predictions.

    Raises
    ------
    FitError
        If a fold lacks an outcome, or no parameter set could be fitted.
    """
    task = FoldFits.prepare(model, folds, options, seed)
    phases = plan_search(family_of(model), options.search)
    rows, notes, best = [], [], {}
    with (
        Workers(workers, task, options.threads) as pool,
        Journal(journal, task.key if journal else "") as kept,
    ):
        log = _Log(f"search {model}", sum(count for _, count in phases), len(folds))
        for phase, (space, count) in enumerate(phases, start=1):
            drawn = draw_parameters(space, count, derive_seed(seed, model, "draw", phase - 1))
            sets = [best | parameters for parameters in drawn]
            for parameters, results in zip(sets, _try(sets, task, pool, kept, log), strict=True):
                rows.append(_row(len(rows), phase, parameters, results))
                notes += [note for result in results for note in result["notes"]]
            best = _best_of(rows, model)
        fits = [(fold, best) for fold in range(len(folds))]
        parts = together(model, options, fits, workers)
        predicted = pool.map(predict_parts, [[fits[n] for n in part] for part in parts])
        fitted = [each for part in predicted for each in part]
    out_of_fold = _joined(folds, fitted, n_rows)
    notes += [note for _, said in fitted for note in said]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    fits = (len(rows) + 1) * len(folds)
    found = SearchResult(best, table, out_of_fold, fits, counted_notes(notes, fits))
    if found.endings:
        stopped, limit, diverged = found.endings.values()
        found.notes.append(
            f"Of {stopped + limit + diverged} fits of the search {stopped} ended by their early "
            f"stopping, {limit} at the largest number of epochs, and {diverged} diverged."
        )
    return found


def predict_folds(
    model: str,
    folds: list[FoldData],
    n_rows: int,
    parameters: Mapping,
    options: SearchOptions,
    seed: int,
) -> np.ndarray:
    """Predict each training row from the fold that did not learn from it, with given parameters.

    With what a search found, its folds and its seed, these are its out-of-fold predictions.

    Parameters
    ----------
    model, folds, n_rows, options, seed
        As for `search_model`.
    parameters : mapping
        Parameters of the family.

    Returns
    -------
    ndarray of shape (n_rows,)
        Probabilities; NaN for a row of no fold.

    Raises
    ------
    FitError
        If a fold lacks an outcome, or a classifier could not be fitted.
    """
    task = FoldFits.prepare(model, folds, options, seed)
    fitted = predict_parts(task, [(number, dict(parameters)) for number in range(len(folds))])
    return _joined(folds, fitted, n_rows)


def _joined(
    folds: list[FoldData], fitted: list[tuple[np.ndarray, list[str]]], n_rows: int
) -> np.ndarray:
    """Put the folds' predictions in the places of their rows."""
    out_of_fold = np.full(n_rows, np.nan)
    for fold, (probability, _) in zip(folds, fitted, strict=True):
        out_of_fold[fold.valid] = probability[: len(fold.valid)]
    return out_of_fold


def _try(
    sets: list[dict], task: FoldFits, pool: Workers, journal: Journal, log: _Log
) -> list[list[dict]]:
    """Fit each parameter set to each fold, as far as the journal does not know; one list a set."""
    n_folds = log.n_folds
    fits = [(fold, parameters) for parameters in sets for fold in range(n_folds)]
    names = [json.dumps(fit, sort_keys=True) for fit in fits]
    missing = [n for n, name in enumerate(names) if name not in journal.results]
    log.known(len(fits) - len(missing))
    grouped = together(task.model, task.options, [fits[number] for number in missing], pool.count)
    parts = [[missing[position] for position in group] for group in grouped]

    def keep(position: int, results: list[dict]) -> None:
        for number, result in zip(parts[position], results, strict=True):
            journal.add(names[number], result)
            start = number - number % n_folds
            of_set = [journal.results.get(name) for name in names[start : start + n_folds]]
            log.fitted(of_set if all(of_set) else None)

    pool.map(fit_folds, [[fits[number] for number in part] for part in parts], on_result=keep)
    results = [journal.results[name] for name in names]
    return [results[start : start + n_folds] for start in range(0, len(results), n_folds)]


def _row(iteration: int, phase: int, parameters: dict, results: list[dict]) -> dict:
    """Return a parameter set's row of the table."""
    aucs = np.array([np.nan if each["auc"] is None else each["auc"] for each in results])
    endings = [each["ending"] for each in results]
    by_epochs = any(ending in ENDINGS[:2] for ending in endings)
    counts = {name: endings.count(name) if by_epochs else None for name in ENDINGS[:2]}
    return {
        "iteration": iteration,
        "phase": phase,
        "parameters": json.dumps(parameters),
        "mean_auc": float(aucs.mean()),
        "sd_auc": float(aucs.std(ddof=1)) if len(aucs) > 1 else np.nan,
        "fits": len(results),
        **counts,
        "diverged": endings.count("diverged"),
    }


def _best_of(rows: list[dict], model: str) -> dict:
    """Return the parameters with the best mean AUROC so far, the first of equals."""
    finite = [row for row in rows if np.isfinite(row["mean_auc"])]
    if not finite:
        raise FitError(
            "At least one parameter set must be fitted",
            found=f"none of {len(rows)}",
            where=f"model {model}",
            remedy="narrow its space with config key search.spaces",
            code="no-parameters-fitted",
        )
    return json.loads(max(finite, key=lambda row: row["mean_auc"])["parameters"])


class _Log:
    """Progress of a search: a line for each finished parameter set, with the time left."""

    def __init__(self, stage: str, n_sets: int, n_folds: int) -> None:
        self.stage = stage
        self.n_sets = n_sets
        self.n_folds = n_folds
        self.done = self.own = self.sets = 0
        self.started = time.monotonic()

    def known(self, fits: int) -> None:
        """Count fits that the journal held."""
        if fits:
            logger.info("%s: %d fits of an interrupted run are kept", self.stage, fits)
        self.done += fits
        self.sets = self.done // self.n_folds

    def fitted(self, of_set: list[dict] | None) -> None:
        """Count one fit; `of_set` holds the results of its parameter set where that is done."""
        self.done += 1
        self.own += 1
        if of_set is None:
            return
        self.sets += 1
        left = self.n_sets * self.n_folds - self.done
        seconds = (time.monotonic() - self.started) / self.own * left
        mean = np.mean([np.nan if each["auc"] is None else each["auc"] for each in of_set])
        progress(self.stage, self.sets, self.n_sets, f"AUROC {mean:.3f}, {seconds:.0f} s left")
