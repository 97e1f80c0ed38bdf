"""Learning curve: how good the procedure is when it learns from fewer patients.

The training patients are dealt to five parts by outcome, anew in each repeat. One part judges; from
the others growing shares are drawn, each holding the smaller ones, and the whole procedure
(selection, search, fit) is run on each. A curve that still rises says that more patients would
help; one that is flat says that they would not, with these features. The test part plays no role.

References
----------
.. [1] Figueroa RL, Zeng-Treitler Q, Kandula S, Ngo LH. Predicting sample size required for
   classification performance. BMC Med Inform Decis Mak 2012;12:8.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from models.learning.folds import assign_folds
from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure, search_note
from models.repetitions.repeated_stage import Asked, Found, RepeatedStage
from models.scoring import metrics
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.sections import taken
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers
from pipeline.running.workers.resuming import map_kept
from pipeline.study.sections.judging import LearningCurve as Shares
from pipeline.tables.schemas.prediction.learning_curve import LearningCurve

logger = logging.getLogger("vertebromics")

PARTS = 5
"""Parts to which the training patients are dealt; one of them judges."""


@dataclass(frozen=True, kw_only=True)
class CurveOptions(ProcedureOptions):
    """What the stage reads: that of the procedure, and the shares that it is run on."""

    learning_curve: Shares = taken(Shares)


class Task(NamedTuple):
    """One fit: rows to learn from and to judge on, as positions, and its seed."""

    repeat: int
    share: float
    learned: np.ndarray
    judged: np.ndarray
    seed: int


def tasks_of(training: pd.DataFrame, asked: Shares, seed: int, model: str) -> list[Task]:
    """Deal the training patients to shares and judging parts, in every repeat.

    Parameters
    ----------
    training : pandas.DataFrame
        ``patient_id, outcome``, one row per unit.
    asked : LearningCurve
        The section `learning_curve`: which shares, and how often.
    seed : int
        Seed of the study.
    model : str
        Name of the family, for the seeds of its fits.

    Returns
    -------
    list of Task
        By repeat and share. A share counts patients, as many of each outcome as the whole has; the
        patients of a smaller one are among those of a larger one.

    Raises
    ------
    FitError
        If a part would lack an outcome.
    """
    tasks = []
    patients = training["patient_id"].to_numpy()
    event = training.groupby("patient_id")["outcome"].max()
    for repeat in range(asked.repeats):
        drawn = derive_seed(seed, "learning_curve", repeat)
        judging = assign_folds(training, PARTS, drawn) == 0
        rest = event.drop(np.unique(patients[judging]))
        rng = np.random.default_rng(drawn)
        order = [rng.permutation(sorted(rest.index[rest == value])) for value in (0, 1)]
        for share in sorted(asked.shares):
            chosen = [one for each in order for one in each[: math.ceil(share * len(each))]]
            learned = np.flatnonzero(np.isin(patients, chosen))
            own = derive_seed(seed, "learning_curve", model, repeat)
            tasks.append(Task(repeat, share, learned, np.flatnonzero(judging), own))
    return tasks


def run_task(shared: tuple[Procedure, pd.DataFrame], task: Task) -> dict[str, Any] | str:
    """Run the procedure on one share; where it holds too few patients, return why not.

    Returns
    -------
    dict or str
        ``auroc, auroc_own`` (of the rows judged on, and of those learned from), ``brier,
        brier_own, fits``.
    """
    procedure, training = shared
    learned = training.iloc[task.learned].reset_index(drop=True)
    try:
        run = procedure.run(learned, task.seed)
    except FitError as error:
        return error.rule
    found: dict[str, Any] = {"fits": run.fits}
    for end, rows in (("", training.iloc[task.judged]), ("_own", learned)):
        outcome = rows["outcome"].to_numpy(int)
        risk = run.fitted.predict(rows.reset_index(drop=True))
        found[f"auroc{end}"] = metrics.auroc(outcome, risk)
        found[f"brier{end}"] = metrics.brier(outcome, risk)
    return found


def learning_curve(
    procedure: Procedure,
    training: pd.DataFrame,
    asked: Shares,
    workers: int = 1,
    journal: Journal | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Run the procedure on growing shares of the training patients.

    Parameters
    ----------
    procedure : Procedure
        What every share repeats.
    training : pandas.DataFrame
        Training rows of the analysis table.
    asked : LearningCurve
        The section `learning_curve`: which shares, and how often.
    workers : int
        Processes; the result does not depend on it.
    journal : Journal, optional
        Open journal of finished fits, from which a curve that was killed goes on.

    Returns
    -------
    table : pandas.DataFrame
        One row per repeat and share, with the columns of `LearningCurve`.
    facts : dict
        ``model, shares, repeats, parts, search, fits, seconds, search_note``.

    Raises
    ------
    FitError
        If a judging part would lack an outcome.
    """
    started = time.monotonic()
    options, model = procedure.options, procedure.model
    tasks = tasks_of(training, asked, options.seed, model)
    with Workers(workers, (procedure, training), options.threads) as pool:
        results = map_kept(
            pool,
            run_task,
            tasks,
            [f"{task.repeat}-{task.share:g}" for task in tasks],
            journal,
            stage=f"learning curve {model}",
            describe=_described,
            pack=lambda result: {"refused": result} if isinstance(result, str) else result,
            unpack=lambda kept: kept.get("refused", kept),
        )
    rows = []
    for task, result in zip(tasks, results, strict=True):
        own = training.iloc[task.learned]
        row = {
            "model": model,
            "repeat": task.repeat,
            "share": task.share,
            "patients": own["patient_id"].nunique(),
            "events": int(own["outcome"].sum()),
            "note": result if isinstance(result, str) else "",
        }
        rows.append(row | ({} if isinstance(result, str) else result))
    types = types_of(LearningCurve)
    table = pd.DataFrame(rows).reindex(columns=list(types)).astype(types)
    facts = {
        "model": model,
        "shares": sorted(asked.shares),
        "repeats": asked.repeats,
        "parts": PARTS,
        "search": procedure.search,
        "fits": sum(result["fits"] for result in results if isinstance(result, dict)),
        "seconds": round(time.monotonic() - started, 1),
        "search_note": search_note(procedure.search, options.search, "share"),
    }
    return table, facts


def _described(task: Task, result: dict[str, Any] | str) -> str:
    if isinstance(result, str):
        return f"{task.share:g} left out"
    return f"AUROC {result['auroc']:.3f} from {task.share:.0%} of the patients"


def _repeat(asked: Asked) -> Found | str:
    """Draw the model's learning curve."""
    table, facts = learning_curve(
        asked.procedure, asked.training, asked.how.learning_curve, asked.workers, asked.journal
    )
    if table["auroc"].isna().all():
        return f"No share could be fitted: {table['note'].iloc[0]}"
    return (table,), facts


STAGE = RepeatedStage(
    "models.learning_curve", CurveOptions, "learning_curve", {"out": LearningCurve}, _repeat
)

main = STAGE.run


if __name__ == "__main__":
    command.run(main, STAGE.parser(__doc__))
