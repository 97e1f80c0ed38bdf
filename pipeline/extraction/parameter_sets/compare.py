"""Compare features that were extracted with different parameter files, feature by feature.

Each file's features come from a run of its own (docs/parameters.md). A setting may move all values
of a feature and still keep the order of the patients, so that agreement (CCC) and rank correlation
are told apart.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.comparison.agreement.concordance import lin_ccc
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table, write_table
from pipeline.tables.features.feature_names import parse_feature_name

KEYS = ["case_id", "reader"]
#: Correlation of ranks from which on a setting hardly matters for who has more of a feature.
KEPT = 0.9
#: Rows below which a correlation says nothing.
FEWEST = 3


def compare_settings(base: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Compare two tables of features row by row.

    Parameters
    ----------
    base, other : pandas.DataFrame
        `features.parquet` (docs/files.md) of two parameter files: ``case_id, reader`` and
        features.

    Returns
    -------
    pandas.DataFrame
        One row per feature of both: ``feature, image_type, feature_class, n`` (rows with a value
        in both), ``ccc`` (Lin) and ``rank_correlation`` (Spearman); NaN where nothing varies.

    Raises
    ------
    StudyError
        If fewer than three rows, or no feature, are in both.
    """
    names = [name for name in base.columns if name in other.columns and name not in KEYS]
    both = base[KEYS].merge(other[KEYS])
    if len(both) < FEWEST or not names:
        raise StudyError(
            f"Two tables of features must share at least {FEWEST} rows and a feature",
            found=f"{len(both)} rows and {len(names)} features in both",
            remedy="take features.parquet of two runs of one study",
            code="feature-tables-share-nothing",
        )
    a, b = (both.merge(table)[names] for table in (base, other))
    a, b = a.where(b.notna()), b.where(a.notna())
    with np.errstate(invalid="ignore", divide="ignore"):
        rank_correlation = a.rank().corrwith(b.rank())
    parsed = [parse_feature_name(name) for name in names]
    return pd.DataFrame(
        {
            "feature": names,
            "image_type": [one.image_type for one in parsed],
            "feature_class": [one.feature_class for one in parsed],
            "n": a.notna().sum().to_numpy(),
            "ccc": lin_ccc(a, b),
            "rank_correlation": rank_correlation.to_numpy(),
        }
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per feature class of what `compare_settings` returned."""
    return table.groupby("feature_class", sort=False).agg(
        features=("feature", "size"),
        median_ccc=("ccc", "median"),
        median_rank_correlation=("rank_correlation", "median"),
        ranks_kept=("rank_correlation", lambda r: (r >= KEPT).mean()),
    )


def main(options: argparse.Namespace) -> None:
    """Compare two runs, print a summary, and write the table if asked for."""
    table = compare_settings(read_table(options.base), read_table(options.other))
    sys.stdout.write(summary(table).round(3).to_string() + "\n")
    if options.out is not None:
        write_table(table, options.out)


if __name__ == "__main__":
    arguments = command.parser("pipeline.extraction.parameter_sets.compare", __doc__)
    arguments.add_argument("base", type=Path, help="features.parquet of one parameter file")
    arguments.add_argument("other", type=Path, help="features.parquet of another")
    arguments.add_argument("--out", type=Path, help="table of all features (.parquet)")
    command.run(main, arguments)
