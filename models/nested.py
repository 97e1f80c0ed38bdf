"""Nested cross-validation: how well the whole procedure does on patients it never saw.

Selection, search and fit are repeated in every outer fold, on its training rows alone. The figures
describe the procedure, not one model: the model that is kept is the same procedure fitted to all
training rows. The test part plays no role; in a study without one, every row is a training row, and
these figures are its primary analysis.
"""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from models.learning.folds import outer_folds
from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure, search_note
from models.repetitions.outer_fold import run_without
from models.repetitions.repeated_stage import Asked, Found, RepeatedStage
from pipeline.core import command
from pipeline.core.sections import taken
from pipeline.core.table_schema import types_of
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers
from pipeline.running.workers.resuming import map_kept
from pipeline.study.sections.judging import Nested as Repeated
from pipeline.tables.schemas.prediction.nested import Nested, NestedPredictions

logger = logging.getLogger("vertebromics")

COLUMNS = types_of(Nested)

PREDICTIONS = types_of(NestedPredictions)


@dataclass(frozen=True, kw_only=True)
class NestedOptions(ProcedureOptions):
    """What the stage reads: that of the procedure, and how often it is repeated."""

    nested: Repeated = taken(Repeated)


class Judged(NamedTuple):
    """What one outer fold gave.

    Attributes
    ----------
    row : dict
        Its row of the table.
    fits : int
        Classifiers fitted.
    notes : list of str
        What has to be said.
    rows : list of int
        Positions of the rows held out.
    probability : list of float
        What the fold's model predicts of them.
    threshold : float
        The fold's own threshold.
    """

    row: dict
    fits: int
    notes: list[str]
    rows: list[int]
    probability: list[float]
    threshold: float


def cross_validate(
    procedure: Procedure,
    training: pd.DataFrame,
    repeated: Repeated,
    workers: int = 1,
    journal: Journal | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Judge a family's whole procedure by repeated nested cross-validation.

    Parameters
    ----------
    procedure : Procedure
        What every outer fold repeats.
    training : pandas.DataFrame
        Training rows of the analysis table.
    repeated : Nested
        The section `nested`, which says how often.
    workers : int
        Processes over which the outer folds are spread; the result does not depend on it.
    journal : Journal, optional
        Open journal of finished outer folds, from which a validation that was killed goes on.

    Returns
    -------
    table : pandas.DataFrame
        One row per repeat and outer fold: ``model, repeat, fold, n, events, auroc, brier,
        parameters`` (JSON)``, signature`` ('|'-joined).
    predictions : pandas.DataFrame
        One row per training row and repeat, with the columns of `PREDICTIONS`.
    facts : dict
        ``auroc`` and ``brier`` (means over the folds), ``auroc_sd`` over the folds, ``auroc_low,
        auroc_high`` (lowest and highest mean of a repeat), ``folds, repeats, search, fits,
        seconds, notes``.

    Raises
    ------
    FitError
        If the model cannot be fitted in an outer fold, as where an inner one lacks an outcome.
    """
    model, options, started = procedure.model, procedure.options, time.monotonic()
    outer = list(outer_folds(training, repeated.folds, repeated.repeats, options.seed))
    with Workers(workers, (procedure, training), options.threads) as pool:
        judged = map_kept(
            pool,
            _judge,
            outer,
            [f"repeat {repeat}, fold {fold}" for repeat, fold, _ in outer],
            journal,
            stage=f"nested {model}",
            describe=_described,
            pack=_packed,
            unpack=_unpacked,
        )
    fits = sum(each.fits for each in judged)
    notes = [note for each in judged for note in each.notes]
    table = pd.DataFrame([each.row for each in judged], columns=list(COLUMNS)).astype(COLUMNS)
    means = table.groupby("repeat")["auroc"].mean()
    spread = float(table["auroc"].std(ddof=1))
    facts = {
        "model": model,
        "auroc": float(table["auroc"].mean()),
        "auroc_sd": None if math.isnan(spread) else spread,
        "auroc_low": float(means.min()),
        "auroc_high": float(means.max()),
        "brier": float(table["brier"].mean()),
        "folds": repeated.folds,
        "repeats": repeated.repeats,
        "search": procedure.search,
        "fits": fits,
        "seconds": round(time.monotonic() - started, 1),
        "search_note": search_note(procedure.search, options.search, "outer fold"),
        "notes": list(dict.fromkeys(notes)),
    }
    return table, _predictions(training, judged), facts


def _predictions(training: pd.DataFrame, judged: list[Judged]) -> pd.DataFrame:
    """Return what the outer folds predict of the rows that they held out."""
    parts = []
    for each in judged:
        own = training.iloc[each.rows][["unit_id", "patient_id", "outcome"]]
        where = {name: each.row[name] for name in ("repeat", "fold")}
        told = {"probability": each.probability, "threshold": each.threshold}
        parts.append(own.assign(**where, **told))
    return pd.concat(parts, ignore_index=True)[list(PREDICTIONS)].astype(PREDICTIONS)


def _judge(shared: tuple[Procedure, pd.DataFrame], task: tuple[int, int, np.ndarray]) -> Judged:
    """Run the procedure without an outer fold and judge it there."""
    (procedure, training), (*_, held_out) = shared, task
    found = run_without(procedure, training, task)
    run = found.run
    row = {
        "model": procedure.model,
        **found.row,
        "parameters": json.dumps(run.parameters),
        "signature": "|".join(run.fitted.signature),
    }
    return Judged(
        row,
        run.fits,
        run.notes,
        np.flatnonzero(held_out).tolist(),
        found.probability.tolist(),
        run.threshold,
    )


def _described(task: tuple[int, int, np.ndarray], judged: Judged) -> str:
    return f"AUROC {judged.row['auroc']:.3f}"


def _packed(judged: Judged) -> dict:
    return judged._asdict()


def _unpacked(kept: dict) -> Judged:
    return Judged(**kept)


def planned_fits(procedure: Procedure, repeated: Repeated) -> int:
    """Return how many classifiers a nested cross-validation fits at most."""
    return repeated.folds * repeated.repeats * procedure.planned_fits


def _repeat(asked: Asked) -> Found:
    """Cross-validate the procedure."""
    procedure, how = asked.procedure, asked.how.nested
    logger.info("nested %s: at most %d fits", procedure.model, planned_fits(procedure, how))
    table, predictions, facts = cross_validate(
        procedure, asked.training, how, asked.workers, asked.journal
    )
    return (table, predictions), facts


STAGE = RepeatedStage(
    "models.nested",
    NestedOptions,
    "nested",
    {"out": Nested, "predictions": NestedPredictions},
    _repeat,
    reads_model=False,
)

main = STAGE.run


if __name__ == "__main__":
    command.run(main, STAGE.parser(__doc__))
