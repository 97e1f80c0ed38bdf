"""Missing values by outcome: what is missing more often where the event happened is no accident."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from models.scoring.intervals import has_clusters
from models.study_files.inputs import read_inputs
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.core.files import write_table
from pipeline.core.table_schema import types_of
from pipeline.tables.readers import latest_label
from pipeline.tables.schemas.prediction.missingness import Missingness

COLUMNS = types_of(Missingness)


def missingness(columns: Columns, table: pd.DataFrame) -> pd.DataFrame:
    """Count missing values of every candidate, in rows with and without the event.

    Parameters
    ----------
    columns : Columns
        Candidates. The radiomic features of a reader are one line: rows in which any is missing.
    table : pandas.DataFrame
        Analysis table, training and test rows.

    Returns
    -------
    pandas.DataFrame
        One row per clinical predictor, then per reader: ``predictor, label, n, missing, events,
        events_missing, non_events, non_events_missing, p_value``: Fisher's exact test of missing
        against outcome, NaN where nothing or everything is missing, and where patients have
        several rows, of which the test would take each for another patient.
    """
    event = table["outcome"].to_numpy(dtype=int) == 1
    lines = [(p.column, p.label, table[p.column].isna().to_numpy()) for p in columns.predictors]
    for reader in columns.readers if columns.features else ():
        names = [f"{_seen_label(columns, reader)}:{feature}" for feature in columns.features]
        gap = table[names].isna().any(axis=1).to_numpy()
        lines.append((f"{reader}:", f"Radiomic features, reader {reader}", gap))
    rows = []
    for name, label, gap in lines:
        of_events, of_others = int(gap[event].sum()), int(gap[~event].sum())
        sizes = int(event.sum()), int((~event).sum())
        missing = of_events + of_others
        p_value = np.nan
        if 0 < missing < len(table) and not has_clusters(table["patient_id"].to_numpy()):
            counts = [[of_events, sizes[0] - of_events], [of_others, sizes[1] - of_others]]
            p_value = float(stats.fisher_exact(counts).pvalue)
        shares = [sizes[0], of_events, sizes[1], of_others, p_value]
        rows.append([name, label, len(table), missing, *shares])
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def complete_rows(columns: Columns, table: pd.DataFrame) -> np.ndarray:
    """Tell which rows have every value that a model of `columns` may see, shape (n_rows,)."""
    seen = (columns.model_reader,) if columns.model_reader in columns.readers else columns.readers
    labels = [_seen_label(columns, reader) for reader in seen]
    names = [f"{label}:{feature}" for label in labels for feature in columns.features]
    return table[names + columns.clinical].notna().all(axis=1).to_numpy()


def _seen_label(columns: Columns, reader: str) -> str:
    """Return the prefix of the columns of `reader` that models see: those of the latest masks."""
    return latest_label(reader) if reader in columns.corrected else reader


def main(options: argparse.Namespace) -> None:
    """Read the analysis table, write how its missing values part by outcome."""
    columns, table = read_inputs(options.analysis, options.info, options.split)
    write_table(missingness(columns, table), options.out, Missingness, csv=True)


if __name__ == "__main__":
    arguments = command.parser("models.missingness", __doc__)
    arguments.add_argument("--analysis", required=True, type=Path, help="analysis.parquet")
    arguments.add_argument("--info", required=True, type=Path, help="analysis.json")
    arguments.add_argument("--split", required=True, type=Path, help="split.parquet")
    arguments.add_argument("--out", required=True, type=Path, help="table to write, .parquet")
    command.run(main, arguments)
