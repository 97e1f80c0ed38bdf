"""What the command line says of clinical sheets."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from intake.clinical.check_words import kept_columns, pairs_word
from intake.clinical.joining import windows_of
from pipeline.core.errors import StudyError


@dataclass(frozen=True)
class Asked:
    """What the command line says of the sheets.

    Attributes
    ----------
    paths : tuple of pathlib.Path
        Files.
    key, operation, visits : str or None
        Columns that somebody named: of the patients' numbers, of the day of the operation, of the
        visit of each row.
    windows : dict of str to (int, int)
        Visit -> first and last day from the operation.
    keep : dict of str to tuple of str
        Columns that stay although their values look like free text or hospital numbers, each with
        the check words of the texts that somebody has looked at.
    pairs : str or None
        Number and check word of the rows that somebody has confirmed, which name and birth date
        alone pair (`intake.clinical.check_words`).
    """

    paths: tuple[Path, ...]
    key: str | None = None
    operation: str | None = None
    visits: str | None = None
    windows: dict[str, tuple[int, int]] = field(default_factory=dict)
    keep: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: str | None = None


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
        "--pairs-by-name", type=pairs_word, metavar="NUMBER-WORD",
        help="rows without an id that name and birth date pair, once you have looked at them and "
        "found them right: number and check word as the list of the sheet and the page have them; "
        "without it none is taken",
    )  # fmt: skip
    group.add_argument(
        "--keep-column", action="append", default=[], metavar="COLUMN=WORD",
        help="keep a column that was taken for free text or numbers of patients, once you have "
        "looked at all of its texts: with the check word that stands beside it; may be repeated, "
        "also for columns of one name in several sheets",
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
        if any((*told, options.visit, options.keep_column, options.pairs_by_name)):
            raise StudyError(
                "Options of a clinical sheet need the sheet",
                found="no --clinical",
                remedy="add --clinical SHEET.xlsx",
                code="clinical-sheet-option-alone",
            )
        return None
    return Asked(
        tuple(options.clinical), *told, windows_of(options.visit),
        kept_columns(options.keep_column), options.pairs_by_name,
    )  # fmt: skip
