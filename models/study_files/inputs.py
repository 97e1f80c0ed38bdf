"""Read what the stages of modelling share: analysis table, its candidates, the split."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from models.transformers.columns import Columns
from models.transformers.perturbed import PerturbedRows
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table
from pipeline.tables.schemas.analysis import Analysis, Split
from pipeline.tables.schemas.features.perturbations import PerturbedUnits


def input_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options of a stage that reads the study, its analysis table and its split."""
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument("--analysis", required=True, type=Path, help="analysis.parquet")
    arguments.add_argument("--info", required=True, type=Path, help="analysis.json")
    arguments.add_argument("--split", required=True, type=Path, help="split.parquet")


def read_inputs(analysis: Path, info: Path, split: Path) -> tuple[Columns, pd.DataFrame]:
    """Read an analysis table with its candidates and its split.

    Parameters
    ----------
    analysis, info, split : path
        ``analysis.parquet``, ``analysis.json`` and ``split.parquet`` of one study. Where the second
        names a table of perturbed extractions, it lies beside the first.

    Returns
    -------
    columns : Columns
        Candidates.
    table : pandas.DataFrame
        The analysis table with the split's ``part`` and ``fold``.

    Raises
    ------
    StudyError
        If analysis table and split do not hold the same units.
    """
    table, parts = read_table(analysis, Analysis), read_table(split, Split)
    differ = set(table["unit_id"]).symmetric_difference(parts["unit_id"])
    if differ or table["unit_id"].duplicated().any() or len(table) != len(parts):
        raise StudyError(
            "Analysis table and split must hold the same units, each once",
            found=f"{len(table)} and {len(parts)} rows, {len(differ)} units in one only",
            where=str(split.name),
            remedy="run the stage split again",
            code="split-of-other-units",
        )
    facts = read_json(info)
    columns = Columns.from_info(facts)
    if facts.get("perturbed"):
        rows = read_table(analysis.with_name(facts["perturbed"]), PerturbedUnits)
        columns = replace(columns, perturbed=PerturbedRows(rows))
    table = table.drop(columns=["part", "fold"], errors="ignore")
    added = parts.set_index("unit_id")[["part", "fold"]].loc[table["unit_id"]]
    # Thousands of columns: one concatenation instead of two insertions.
    added = added.set_axis(table.index, axis=0)
    return columns, pd.concat([table, added], axis=1)


def training_rows(table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the training rows of a split table, and the fold of each."""
    training = table[table["part"] == "train"].reset_index(drop=True)
    return training, training["fold"].to_numpy(dtype=int)
