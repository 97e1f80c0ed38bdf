"""Lay the features of mixed voxels out as the analysis table is, for the stage that fits them.

Cases and units are those of the join; that their true features come out as they stand in the
analysis table is looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core import command
from pipeline.core.files import read_table, write_table
from pipeline.join import aggregate, by_reader, wide_features
from pipeline.study.flow.patient_flow import FlowOptions, build_flow
from pipeline.study.study import open_study
from pipeline.tables.readers import latest_label
from pipeline.tables.schemas.analysis import Analysis
from pipeline.tables.schemas.features.controls import ControlFeatures, ControlRows
from pipeline.tables.schemas.features.extraction import Extraction
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.images.preflight import Preflight


def rows_of_units(
    features: pd.DataFrame, units: pd.Series, how: str | None, columns: Sequence[str]
) -> pd.DataFrame:
    """Return one row per unit of the features of its cases, as the join makes it.

    Parameters
    ----------
    features : pandas.DataFrame
        ``case_id, reader`` and features, of the cases wanted and others.
    units : pandas.Series
        Unit of each case of the analysis, indexed by case, in the order of the join.
    how : {'mean', 'median', 'first'} or None
        How several cases become one row.
    columns : sequence of str
        ``<reader>:<feature>`` columns of the analysis table.

    Returns
    -------
    pandas.DataFrame
        Indexed by unit, sorted, with `columns`.
    """
    originals, latest = by_reader(features)
    labels = {column.partition(":")[0] for column in columns}
    latest = {name: table for name, table in latest.items() if latest_label(name) in labels}
    return aggregate(wide_features(originals, units.index, latest), units, how)[list(columns)]


def control_rows(
    controls: pd.DataFrame,
    features: pd.DataFrame,
    analysis: pd.DataFrame,
    units: pd.Series,
    how: str | None,
) -> pd.DataFrame:
    """Return the rows of every kind and draw.

    Parameters
    ----------
    controls : pandas.DataFrame
        `control_features.parquet` of all batches.
    features, analysis : pandas.DataFrame
        `features.parquet` and `analysis.parquet`.
    units, how
        As for `rows_of_units`.

    Returns
    -------
    pandas.DataFrame
        `control_rows.parquet`: ``kind, draw, unit_id`` and the columns of the analysis table.

    Raises
    ------
    RuntimeError
        If the true features of these cases are not those of the analysis table.
    """
    columns = [column for column in analysis if ":" in column]
    order = pd.Index(analysis["unit_id"], name="unit_id")
    again = rows_of_units(features, units, how, columns).reindex(order)
    if not np.array_equal(again.to_numpy(), analysis[columns].to_numpy(float), equal_nan=True):
        raise RuntimeError("true features come out otherwise than in the analysis table")
    parts = []
    for (kind, draw), drawn in controls.groupby(["kind", "draw"], sort=True):
        rows = rows_of_units(drawn.drop(columns=["kind", "draw"]), units, how, columns)
        rows = rows.reindex(order).reset_index()
        front = pd.DataFrame({"kind": kind, "draw": int(draw)}, index=rows.index)
        parts.append(pd.concat([front, rows], axis=1))
    return pd.concat(parts, ignore_index=True)


def main(options: argparse.Namespace) -> None:
    """Read the controls of all batches, and write their rows."""
    study = open_study(options.study)
    batches = study.batch_files(options.batches, "control_features.parquet")
    flow, _ = build_flow(
        study.tables,
        study.options(FlowOptions),
        preflight=read_table(options.preflight, Preflight),
        extraction=read_table(options.extraction, Extraction),
    )
    rows = control_rows(
        pd.concat([read_table(path, ControlFeatures) for path in batches], ignore_index=True),
        read_table(options.features, Features),
        read_table(options.analysis, Analysis),
        flow.members.set_index("case_id")["unit_id"],
        study.config["aggregation"],
    )
    write_table(rows, options.out, ControlRows)


if __name__ == "__main__":
    arguments = command.parser("pipeline.control_rows", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument("--batches", required=True, type=Path, help="folder of all batches")
    for each in ("preflight", "extraction", "features", "analysis"):
        arguments.add_argument(f"--{each}", required=True, type=Path, help=f"{each}.parquet")
    arguments.add_argument("--out", required=True, type=Path, help="table to write (.parquet)")
    command.run(main, arguments)
