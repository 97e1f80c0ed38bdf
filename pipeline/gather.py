"""Gather tables of one kind into one table of the study, sorted, with a CSV copy.

Which batch a scan fell into leaves no trace: rows are ordered by what they are about. A study of
images gathers what its batches wrote (``--study`` and ``--batches``), one that starts from ready
feature tables, one per reader, gathers those (``--study`` alone).
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core import command
from pipeline.core.errors import StudyError, VertebromicsError
from pipeline.core.files import write_table
from pipeline.core.problems import listing
from pipeline.core.table_schema import Table
from pipeline.study.study import open_study
from pipeline.tables.features.feature_columns import Layout, LayoutOptions
from pipeline.tables.features.feature_tables import feature_names
from pipeline.tables.features.site_features import ready_tables
from pipeline.tables.identifying.checks import shown_id
from pipeline.tables.schemas.features.extraction import Extraction
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.features.perturbations import Perturbations
from pipeline.tables.schemas.images.agreement import Agreement
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.sites import has

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

logger = logging.getLogger("vertebromics")

#: Classes of what is gathered, by the table's name.
GATHERED: dict[str, type[Table]] = {
    "ingest": Ingest,
    "masks": Masks,
    "agreement": Agreement,
    "extraction": Extraction,
    "features": Features,
    "perturbations": Perturbations,
}

#: Columns that identify a row, in sorting order; a table has some of them.
KEY_COLUMNS = ("scan_id", "case_id", "reader", "reader_a", "reader_b", "repetition")


def gather(parts: Sequence[pa.Table], names: Sequence[str]) -> pa.Table:
    """Concatenate `parts` and sort the rows by their key columns.

    Parameters
    ----------
    parts : sequence of pyarrow.Table
        Tables of one kind. A part without rows may lack columns, since a batch whose cases were
        all excluded has no features to name.
    names : sequence of str
        Names of the parts, for errors.

    Returns
    -------
    pyarrow.Table
        All rows, with the columns in the order of the first part that has rows. A column that is
        null throughout one part takes the type that it has in the others.

    Raises
    ------
    VertebromicsError
        If there is no part, two parts with rows differ in their columns, or two rows have the same
        key.
    """
    import pyarrow as pa

    if not parts:
        raise VertebromicsError(
            "Gathering needs at least one table",
            remedy="name the tables of the batches with --batches",
            code="gather-nothing",
        )
    filled = [(part, name) for part, name in zip(parts, names, strict=True) if part.num_rows]
    if not filled:
        return max(parts, key=lambda part: part.num_columns)
    first, first_name = filled[0]
    for part, name in filled[1:]:
        difference = sorted(set(part.column_names) ^ set(first.column_names))
        if difference:
            shown = ", ".join(difference[:5]) + (", ..." if len(difference) > 5 else "")
            raise VertebromicsError(
                "Tables of all batches must have the same columns",
                found=f"{len(difference)} columns in one only: {shown}",
                where=f"{first_name} and {name}",
                remedy="remove both and run again; report it if it comes back",
                code="batch-columns-differ",
            )
    columns = first.column_names
    table = pa.concat_tables(
        [part.select(columns) for part, _ in filled], promote_options="permissive"
    )
    keys = [key for key in KEY_COLUMNS if key in columns]
    distinct = table.group_by(keys).aggregate([]).num_rows
    if distinct != table.num_rows:
        raise VertebromicsError(
            f"Every row needs its own {', '.join(keys)}",
            found=f"{table.num_rows - distinct} repeated rows",
            where=f"{first_name} and the other batches' tables",
            remedy="remove the tables of batches that the study no longer has, and run again",
            code="row-repeated",
        )
    return table.sort_by([(key, "ascending") for key in keys])


def gather_ready(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put ready feature tables, one per reader, below each other.

    Parameters
    ----------
    tables : mapping
        Reader to table, as `pipeline.tables.features.feature_tables.read_features` returns it,
        without columns that are neither id nor feature. A table of patients has no ``case_id``: the
        patient stands for the case.

    Returns
    -------
    pandas.DataFrame
        `features.parquet` (docs/files.md): ``case_id, reader``, then the features in the
        order of the first reader's table.

    Raises
    ------
    StudyError
        If a column holds numbers for one reader and only words for another.
    """
    import pandas as pd

    first, *others = sorted(tables)
    for other in others:
        differing = set(feature_names(tables[first])) ^ set(feature_names(tables[other]))
        if differing:
            raise StudyError(
                "A feature must hold numbers in every reader's table",
                found=f"only words for {first} or {other}: {listing(sorted(differing), 5)}",
                where="config key features",
                remedy="correct the columns, or remove them from all tables",
                code="feature-without-numbers",
            )
    parts = []
    for reader, table in sorted(tables.items()):
        key = "case_id" if "case_id" in table else "patient_id"
        names = feature_names(table)
        keys = pd.DataFrame({"case_id": table[key], "reader": reader})
        parts.append(pd.concat([keys, table[names]], axis=1))
    gathered = pd.concat(parts, ignore_index=True)
    return gathered.sort_values(["case_id", "reader"], ignore_index=True)


def check_cases(gathered: pd.DataFrame, frozen: pd.DataFrame) -> None:
    """Raise `StudyError` unless ready tables still hold the cases that the study was frozen with.

    Parameters
    ----------
    gathered : pandas.DataFrame
        As `gather_ready` returns it.
    frozen : pandas.DataFrame
        Cases of the frozen study (`pipeline.study.study.Ready`).
    """
    differing = set(frozen["case_id"]) ^ set(gathered["case_id"])
    if differing:
        raise StudyError(
            "Ready feature tables must hold the cases with which this run began",
            found=f"{len(differing)} in one only: {listing(map(shown_id, sorted(differing)), 5)}",
            where="config key features",
            remedy="start the run again: it reads the tables as they are now",
            code="ready-tables-changed",
        )


@dataclass(frozen=True, kw_only=True)
class ReadyOptions(LayoutOptions):
    """What is read of a study that starts from ready feature tables."""

    unit: str


def main(options: argparse.Namespace) -> None:
    """Gather the tables that the command line names, or those that the study starts from."""
    import pyarrow.parquet as pq

    parts = options.parts
    if options.batches is not None:
        if options.study is None:
            raise StudyError(
                "Gathering the batches of a study needs --study",
                where="--batches",
                remedy="name the folder of the frozen study with --study",
                code="gather-without-study",
            )
        parts = open_study(options.study).batch_files(options.batches, options.out.name)
    elif options.study is not None:
        study = open_study(options.study)
        how = study.options(ReadyOptions)
        if not has(how, "features"):
            raise StudyError(
                "Gathering without tables of batches needs a study that starts from `features`",
                where=f"study {study.name}",
                remedy="name the tables of the batches with --batches",
                code="gather-without-batches",
            )
        ready = {}
        layout = Layout.of(how, study.dictionary)
        for reader, (table, names, dropped) in ready_tables(how, how.unit, layout).items():
            ready[reader] = table
            logger.info(
                "reader %s: %d features; no features: %s",
                reader,
                len(names),
                listing(dropped, 20) or "none",
            )
        gathered = gather_ready(ready)
        check_cases(gathered, study.ready_tables().cases)
        write_table(gathered, options.out, Features, csv=True)
        return
    table = gather(
        [pq.read_table(path) for path in parts],
        [f"{path.parent.name}/{path.name}" for path in parts],
    )
    write_table(table.to_pandas(), options.out, GATHERED.get(options.out.stem), csv=True)


if __name__ == "__main__":
    arguments = command.parser("pipeline.gather", __doc__)
    arguments.add_argument("--out", required=True, type=Path, help="gathered table (.parquet)")
    arguments.add_argument(
        "--study",
        type=Path,
        help="folder of a study; without --batches one that starts from ready feature tables",
    )
    arguments.add_argument(
        "--batches",
        type=Path,
        help="results of the study's batches: gather the table of each that is named as --out is",
    )
    arguments.add_argument("parts", nargs="*", type=Path, help="the tables, where named one by one")
    command.run(main, arguments)
