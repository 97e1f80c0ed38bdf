"""Gather what the batches verified against plain PyRadiomics, and stop the study at a difference.

Where chance drew no row of the whole study, the row with the lowest lot is verified here.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import pandas as pd

from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table, write_json, write_table
from pipeline.extraction import load_params
from pipeline.extraction.verification import COLUMNS, Sources, check_verified, lots, verify
from pipeline.study.study import open_study
from pipeline.tables.schemas.features.extraction import Extraction, Verification
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks

logger = logging.getLogger(__name__)


def lowest(extraction: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the row with the lowest lot of those that have features; none where none has.

    Parameters
    ----------
    extraction : pandas.DataFrame
        The gathered `extraction.parquet`.
    seed : int
        The study's seed.
    """
    done = extraction[extraction["status"] != "error"]
    return done.loc[lots(done, seed).nsmallest(1).index]


def main(options: argparse.Namespace) -> None:
    """Gather the batches' verifications, or check the gathered one."""
    if options.check:
        verified = check_verified(read_table(options.check, Verification))
        logger.info("verified: %(verified)d, largest relative difference %(largest)s", verified)
        write_json(verified, options.out)
        return
    for name in ("study", "batches", "extraction", "features", "ingest", "masks"):
        if getattr(options, name) is None:
            raise StudyError(
                "Gathering verifications needs the study's tables",
                where=f"--{name}",
                remedy="name the table with this option",
                code="verification-tables-missing",
            )
    study = open_study(options.study)
    files = study.batch_files(options.batches, "verification.parquet")
    parts = [read_table(path, Verification) for path in files]
    filled = [part for part in parts if len(part)]
    if filled:
        table = pd.concat(filled, ignore_index=True)
    else:
        table = verify(
            lowest(read_table(options.extraction, Extraction), study.config["seed"]),
            read_table(options.features, Features),
            Sources(read_table(options.ingest, Ingest), read_table(options.masks, Masks)),
            study.store,
            load_params(study.config["extraction"]["params"]),
        )
    table = table.sort_values(["case_id", "reader"], ignore_index=True)[list(COLUMNS)]
    write_table(table, options.out, Verification, csv=True)


if __name__ == "__main__":
    arguments = command.parser("pipeline.verify", __doc__)
    arguments.add_argument("--study", type=Path, help="folder of the study")
    for name in ("extraction", "features", "ingest", "masks"):
        arguments.add_argument(f"--{name}", type=Path, help=f"the study's {name}.parquet")
    arguments.add_argument(
        "--check", type=Path, help="gathered table to check; stops at a difference"
    )
    arguments.add_argument(
        "--out", required=True, type=Path, help="table to write (.parquet); with --check, JSON"
    )
    arguments.add_argument("--batches", type=Path, help="folder with the results of all batches")
    command.run(main, arguments)
