"""The whole procedure on resamples of the training patients, frozen: how far a risk would move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from models.freezing.frozen_procedure import Frozen, write_procedure
from models.learning.procedure import Procedure
from models.repetitions.optimism_resamples import resample_of
from models.scoring.intervals import patient_resamples
from models.scoring.recalibration import fit_recalibration
from pipeline.core.errors import FitError, StudyError
from pipeline.core.seeds import derive_seed
from pipeline.running.workers.parallel import Workers

MAX_LEFT_OUT = 0.2
"""Largest share of resamples on which the procedure may fail to run."""


class Refit(NamedTuple):
    """A frozen refit: the procedure's members, and its own recalibration."""

    frozen: Frozen
    recalibration: dict


def refit_often(
    procedure: Procedure, training: pd.DataFrame, count: int, seed: int, workers: int = 1
) -> list[Refit]:
    """Run the whole procedure on resamples of patients, and freeze each fit.

    Selection, search, fit and recalibration are repeated; each resample draws as many patients as
    there are, with replacement.

    Parameters
    ----------
    procedure : Procedure
        What every resample repeats; it must search, since the recalibration is learned from the
        search's out-of-fold predictions.
    training : pandas.DataFrame
        Training rows of the analysis table.
    count : int
        Resamples.
    seed : int
        Seed of all draws.
    workers : int
        Processes; the result does not depend on it.

    Raises
    ------
    StudyError
        If the procedure cannot run on more than a fifth of the resamples.
    """
    drawn = patient_resamples(
        training["patient_id"].to_numpy(),
        training["outcome"].to_numpy(int),
        count,
        derive_seed(seed, "freeze", "resamples"),
        stratified=False,
    )
    tasks = [(times, derive_seed(seed, "freeze", number)) for number, times in enumerate(drawn)]
    with Workers(workers, (procedure, training), procedure.options.threads) as pool:
        found = pool.map(_refit, tasks, stage="freeze", describe=_described)
    done = [each for each in found if isinstance(each, _Fitted)]
    if len(found) - len(done) > MAX_LEFT_OUT * count:
        refused = next(each for each in found if isinstance(each, str))
        raise StudyError(
            "Nearly every resample of the training patients must allow the procedure to run",
            found=f"{len(found) - len(done)} of {count} do not, the first because of: {refused}",
            where="option --refits",
            remedy="freeze without refits, or a model of fewer folds (split.folds)",
            code="resamples-too-few",
        )
    return [_named(each, f"refit{number}") for number, each in enumerate(done)]


class _Fitted(NamedTuple):
    """What a process hands back: plain members, which need no library to be read."""

    facts: dict
    arrays: dict[str, np.ndarray]
    trees: dict[str, bytes]
    recalibration: dict


def _refit(shared: tuple[Procedure, pd.DataFrame], task: tuple[np.ndarray, int]) -> _Fitted | str:
    (procedure, training), (times, seed) = shared, task
    rows = resample_of(training, times)
    try:
        run = procedure.run(rows, seed)
    except FitError as error:
        return error.rule
    frozen = write_procedure(run.fitted, "refit")
    site = procedure.columns.site
    if site is not None and set(rows[site]) != set(training[site]):
        return "no row of a site"
    own = run.search.out_of_fold
    found = fit_recalibration(rows["outcome"].to_numpy(int), own)
    return _Fitted(frozen.facts, frozen.arrays, frozen.trees, found.facts)


def _named(fitted: _Fitted, name: str) -> Refit:
    """Give the members of a refit its own name."""

    def renamed(members: dict) -> dict:
        return {
            member.replace("/refit.", f"/{name}.", 1): value for member, value in members.items()
        }

    arrays, trees = renamed(fitted.arrays), renamed(fitted.trees)
    return Refit(Frozen.read(fitted.facts, name, arrays, trees), fitted.recalibration)


def _described(task: tuple[np.ndarray, int], result: _Fitted | str) -> str:
    return "left out" if isinstance(result, str) else result.facts["classifier"]["kind"]
