"""Training and test rows, and the folds of the training rows; a patient is never divided.

Without a hold-out (``design: none``) every row is a training row.

Nothing is learned here: the outcome only balances the parts.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from models.learning.folds import NO_FOLD, assign_folds
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table, write_table
from pipeline.core.sections import taken
from pipeline.core.seeds import derive_seed
from pipeline.study.study import open_study
from pipeline.tables.schemas.analysis import Analysis, Split
from pipeline.tables.split_designs import FROM_COLUMN, holds_out, parts_from_column
from pipeline.tables.split_options import Split as SplitSection

logger = logging.getLogger("vertebromics")


def holdout_parts(table: pd.DataFrame, test_fraction: float, seed: int) -> np.ndarray:
    """Hold out patients at random, stratified by outcome.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per unit: ``patient_id, outcome``. A patient with any event counts as an event.
    test_fraction : float
        Share of patients to hold out (rounded up, as scikit-learn does).
    seed : int
        Seed of the draw.

    Returns
    -------
    ndarray of str, shape (n_rows,)
        ``train`` or ``test``.

    Raises
    ------
    StudyError
        If either part would lack an outcome.
    """
    # Sorted, so that the order of the table's rows does not change who is held out.
    patients = table.groupby("patient_id")["outcome"].max().sort_index()
    try:
        _, test = train_test_split(
            patients.index.to_numpy(),
            test_size=test_fraction,
            stratify=patients.to_numpy(),
            random_state=seed,
        )
    except ValueError as error:
        raise StudyError(
            "The cohort must be large enough to hold out patients of both outcomes",
            found=f"{int(patients.sum())} patients with and {int((patients == 0).sum())} without "
            f"event; {error}",
            where="config key split.test_fraction",
            remedy="change the fraction, or add patients",
            code="hold-out-too-small",
        ) from None
    return np.where(table["patient_id"].isin(test), "test", "train")


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """What the stage reads."""

    seed: int
    split: SplitSection = taken(SplitSection)


def split_table(table: pd.DataFrame, options: SplitSection, seed: int) -> pd.DataFrame:
    """Split an analysis table as the study's configuration says.

    Parameters
    ----------
    table : pandas.DataFrame
        Analysis table, one row per unit.
    options : Split
        The section ``split`` of the configuration.
    seed : int
        Seed of the study.

    Returns
    -------
    pandas.DataFrame
        ``unit_id, patient_id, outcome, part, fold``, rows as in `table`; fold -1 in the test part.
    """
    if options.design in FROM_COLUMN:
        parts = parts_from_column(table, options)
    elif not holds_out(options.design):
        parts = np.full(len(table), "train", dtype=object)
    else:
        parts = holdout_parts(table, options.test_fraction, derive_seed(seed, "split"))
    split = table[["unit_id", "patient_id", "outcome"]].assign(part=parts, fold=NO_FOLD)
    split["outcome"] = split["outcome"].astype(int)
    for part in ("train", "test") if holds_out(options.design) else ("train",):
        if split.loc[split["part"] == part, "outcome"].nunique() != 2:
            raise StudyError(
                f"The {part} part must hold both outcomes",
                found=f"{int((split['part'] == part).sum())} units",
                where="config key split",
                code="split-part-without-outcome",
            )
    train = split["part"] == "train"
    split.loc[train, "fold"] = assign_folds(split[train], options.folds, derive_seed(seed, "folds"))
    return split


def main(options: argparse.Namespace) -> None:
    """Read the analysis table, split it, write the split."""
    how = open_study(options.study).options(SplitOptions)
    split = split_table(read_table(options.analysis, Analysis), how.split, how.seed)
    write_table(split, options.out, Split, csv=True)
    outcome = read_json(options.info)["outcome"]
    for part, rows in split.groupby("part"):
        logger.info(
            "%s: %d units, %d with %s", part, len(rows), rows["outcome"].sum(), outcome["label"]
        )


if __name__ == "__main__":
    arguments = command.parser("models.split", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument("--analysis", required=True, type=Path, help="analysis.parquet")
    arguments.add_argument("--info", required=True, type=Path, help="analysis.json")
    arguments.add_argument("--out", required=True, type=Path, help="split.parquet to write")
    command.run(main, arguments)
