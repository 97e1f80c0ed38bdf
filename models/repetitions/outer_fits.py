"""The outer folds of a nested cross-validation again: who was held out, and with which parameters.

Without test rows, ablation and sensitivity analyses are judged on the rows that the outer folds
held out. Each fold's model is fitted again as nested cross-validation fitted it, with the
parameters that this fold found itself: those of the final model have seen every row.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.learning.folds import outer_seed
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table
from pipeline.tables.schemas.prediction.nested import Nested, NestedPredictions

NOT_JUDGED = "Nested cross-validation could not judge it, and the study has no held-out patients."


def outer_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options that a stage needs in a study without test rows."""
    arguments.add_argument("--nested", type=Path, help="the model's nested/MODEL.parquet")
    arguments.add_argument(
        "--nested-predictions", type=Path, help="the model's nested/MODEL_predictions.parquet"
    )


@dataclass(frozen=True)
class OuterFit:
    """One outer fold of the first repeat.

    Attributes
    ----------
    held_out : numpy.ndarray
        Shape (n_rows,), whether the fold holds a row out.
    parameters : dict
        What the search outside the fold chose.
    seed : int
        Seed of all that the fold draws.
    """

    held_out: np.ndarray
    parameters: Mapping
    seed: int


def read_outer_fits(options: argparse.Namespace, rows: pd.DataFrame, seed: int) -> list[OuterFit]:
    """Return the outer folds that the options of a stage name.

    Parameters
    ----------
    options : argparse.Namespace
        ``model``, and those of `outer_arguments`.
    rows, seed
        As for `outer_fits`.

    Raises
    ------
    StudyError
        If the options are not given.
    """
    if options.nested is None or options.nested_predictions is None:
        raise StudyError(
            "A study without held-out patients is judged on the outer folds of nested "
            "cross-validation",
            found="no --nested, or no --nested-predictions",
            where=f"--model {options.model}",
            remedy="give both: nested/MODEL.parquet and nested/MODEL_predictions.parquet",
            code="nested-results-missing",
        )
    tables = (
        read_table(options.nested, Nested),
        read_table(options.nested_predictions, NestedPredictions),
    )
    return outer_fits(options.model, rows, *tables, seed)


def outer_fits(
    model: str, rows: pd.DataFrame, table: pd.DataFrame, predictions: pd.DataFrame, seed: int
) -> list[OuterFit]:
    """Return the outer folds of the first repeat of a model's nested cross-validation.

    Parameters
    ----------
    model : str
        Name of the family.
    rows : pandas.DataFrame
        ``unit_id`` of the training rows.
    table, predictions : pandas.DataFrame
        What `models.nested` wrote of the model: ``repeat, fold, parameters`` and ``unit_id, repeat,
        fold``.
    seed : int
        Seed of the study.

    Returns
    -------
    list of OuterFit
        Empty where nested cross-validation could not judge the model.

    Raises
    ------
    StudyError
        If it judged other rows.
    """
    first = predictions[predictions["repeat"] == 0].set_index("unit_id")["fold"]
    if first.empty:
        return []
    if set(first.index) != set(rows["unit_id"]):
        raise StudyError(
            "Nested cross-validation must have judged the rows of the study",
            found=f"{len(first)} rows, of which the study has "
            f"{len(set(first.index) & set(rows['unit_id']))}",
            where=f"nested/{model}_predictions.parquet",
            remedy="run the stage nested again",
            code="nested-rows-missing",
        )
    dealt = first[rows["unit_id"]].to_numpy(int)
    of_fold = table[table["repeat"] == 0].set_index("fold")["parameters"]
    return [
        OuterFit(dealt == fold, json.loads(of_fold[fold]), outer_seed(seed, model, 0, int(fold)))
        for fold in np.unique(dealt)
    ]


def folds_of(fits: list[OuterFit]) -> np.ndarray:
    """Return the outer fold of every row, shape (1, n_rows): one repeat."""
    return np.argmax([fit.held_out for fit in fits], axis=0)[None]
