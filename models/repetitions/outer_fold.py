"""An outer fold: the whole procedure run without it, and judged on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from models.learning.folds import outer_seed
from models.learning.procedure import Procedure, ProcedureRun
from models.scoring import metrics


class OuterFold(NamedTuple):
    """What an outer fold gave.

    Attributes
    ----------
    run : ProcedureRun
        Of all other rows.
    judged : pandas.DataFrame
        The rows held out.
    outcome, probability : ndarray of shape (n_held_out,)
        What happened to them, and what was predicted.
    row : dict
        ``repeat, fold, n, events, auroc, brier``.
    """

    run: ProcedureRun
    judged: pd.DataFrame
    outcome: np.ndarray
    probability: np.ndarray
    row: dict


def run_without(
    procedure: Procedure, training: pd.DataFrame, task: tuple[int, int, np.ndarray]
) -> OuterFold:
    """Run a procedure without an outer fold and judge it there.

    Parameters
    ----------
    procedure : Procedure
        What is run.
    training : pandas.DataFrame
        Training rows of the analysis table.
    task : tuple
        One of `models.learning.folds.outer_folds`: repeat, fold, and which rows are held out.

    Raises
    ------
    FitError
        If the model cannot be fitted to the other rows.
    """
    repeat, fold, held_out = task
    seed = outer_seed(procedure.options.seed, procedure.model, repeat, fold)
    run = procedure.run(training[~held_out].reset_index(drop=True), seed)
    judged = training[held_out]
    outcome, probability = judged["outcome"].to_numpy(int), run.fitted.predict(judged)
    row = {
        "repeat": repeat,
        "fold": fold,
        "n": len(judged),
        "events": int(outcome.sum()),
        "auroc": float(metrics.auroc(outcome, probability)),
        "brier": float(metrics.brier(outcome, probability)),
    }
    return OuterFold(run, judged, outcome, probability, row)
