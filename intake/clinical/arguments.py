"""What the command line says of clinical sheets."""

from __future__ import annotations

import argparse
from pathlib import Path

from intake.clinical.joining import windows_of
from intake.clinical.preparing import Asked
from pipeline.core.errors import StudyError


def clinical_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the options of clinical sheets."""
    group = arguments.add_argument_group("clinical sheets of the hospital")
    group.add_argument(
        "--clinical", type=Path, action="append", metavar="SHEET",
        help="a sheet of the hospital (.xlsx, .csv) with its own patient ids or accession numbers; "
        "may be repeated, as for baseline and follow-up",
    )  # fmt: skip
    group.add_argument(
        "--clinical-key", metavar="COLUMN", help="its column of patient ids (found by its values)"
    )
    group.add_argument(
        "--operation-date", metavar="COLUMN",
        help="its date from which days are counted (found by its name)",
    )  # fmt: skip
    group.add_argument(
        "--visits", metavar="COLUMN", help="a sheet with a row for each visit: what names the visit"
    )
    group.add_argument(
        "--visit", action="append", default=[], metavar="NAME=FROM..TO",
        help="where --visits is a date: days from the operation that count for a visit, such as "
        "day30=20..45; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--keep-column", action="append", default=[], metavar="COLUMN",
        help="keep a column that was taken for free text or numbers of patients; may be repeated",
    )  # fmt: skip


def asked_of(options: argparse.Namespace) -> Asked | None:
    """Return what is asked of clinical sheets, None where no sheet is named.

    Raises
    ------
    StudyError
        If an option of sheets is given without a sheet.
    """
    told = (options.clinical_key, options.operation_date, options.visits)
    if not options.clinical:
        if any((*told, options.visit, options.keep_column)):
            raise StudyError(
                "Options of a clinical sheet need the sheet",
                found="no --clinical",
                remedy="add --clinical SHEET.xlsx",
                code="clinical-sheet-option-alone",
            )
        return None
    return Asked(
        tuple(options.clinical), *told, windows_of(options.visit), tuple(options.keep_column)
    )
