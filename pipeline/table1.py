"""Table 1 of any table: its columns described and compared between groups, with the test named.

No stage of a study. The page is as a paper prints it; the CSV beside it has a row a variable with
statistic, degrees of freedom and P, unrounded.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from pipeline.comparison.groups.choice_of_test import NORMALITY_TESTS, SMALL_CELLS
from pipeline.comparison.groups.multiplicity import ADJUSTMENTS, adjusted
from pipeline.comparison.groups.published_rows import published_tests
from pipeline.comparison.table_one.table_one import table_one
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import whole_file, write_csv
from pipeline.core.problems import listing
from pipeline.reporting.pages.table_one_page import Asked, table_one_page
from pipeline.study.described_columns import read_units
from pipeline.tables.dictionary import read_dictionary
from pipeline.tables.files.sheets import read_sheet
from pipeline.tables.identifying.checks import shown

logger = logging.getLogger("vertebromics")

TESTS = (
    *("auto", "pearson", "yates", "fisher", "likelihood-ratio", "trend"),
    *("pooled-t", "welch-t", "mann-whitney", "anova", "kruskal"),
)


def main(options: argparse.Namespace) -> None:
    """Describe the table that the command line names, and write page and CSV."""
    if options.published:
        _published(options)
        return
    dictionary = read_dictionary(options.dictionary) if options.dictionary else None
    units = read_units(options.table, dictionary, options.by, options.part)
    found = table_one(
        units.table,
        units.variables,
        options.by,
        units.groups,
        units.patients,
        test=options.tests,
        normality=options.normality,
        small_cells=options.small_cells,
        confidence=options.confidence,
    )
    rows = found.rows
    if options.by:
        rows = rows.assign(p_adjusted=adjusted(rows["p_value"], options.adjust))
    write_csv(rows, options.out / "table1.csv")
    write_csv(found.cells, options.out / "table1_cells.csv")
    if options.by:
        write_csv(found.effects, options.out / "table1_effects.csv")
    asked = Asked(
        options.table.name,
        options.by,
        options.part,
        options.tests,
        options.normality,
        options.small_cells,
        options.adjust,
        options.confidence,
    )
    page = table_one_page(found, rows, units, asked)
    with whole_file(options.out / "table1.html") as beside:
        beside.write_text(page, encoding="utf-8")
    logger.info("%d variables: %s", len(rows), options.out / "table1.html")
    for row in rows[rows["crosses"]].itertuples():
        logger.info(
            "%s: P depends on the test: %.3f (%s) to %.3f (%s)",
            *(row.variable, row.least_p, row.least_p_test, row.largest_p, row.largest_p_test),
        )


def _published(options: argparse.Namespace) -> None:
    """Do every test of the rows of a published table, and write which fit its P values."""
    sheet = read_sheet(options.table)
    for name in ("variable", "group"):
        if name not in sheet.columns:
            raise StudyError(
                "A table of published rows must have the columns variable and group",
                found=f"columns {listing(map(shown, sheet.columns))}",
                where=f"{options.table}, header",
                remedy="name them variable and group, as docs/table1.md, Published tables, shows",
                code="published-columns-missing",
            )
    found = published_tests(sheet)
    write_csv(found, options.out / "published.csv")
    for variable, of in found.groupby("variable", sort=False):
        printed = of["printed_p"].iloc[0]
        if printed is not None:
            fitting = listing(of.loc[of["fits"].astype(bool), "test"]) or "no test"
            logger.info("%s: printed P %s fits %s", variable, printed, fitting)


def _level(text: str) -> float:
    value = float(text)
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0.5 to below 1")
    return value


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.table1", __doc__)
    arguments.add_argument("table", type=Path, help="CSV, Excel or Parquet table, a row per unit")
    arguments.add_argument("--by", metavar="COLUMN", help="column of the groups (default: none)")
    arguments.add_argument(
        "--part", help="only rows of this part, as the column `part` says: training, validation"
    )
    arguments.add_argument("--dictionary", type=Path, help="data dictionary (docs/tables.md)")
    arguments.add_argument(
        "--tests",
        choices=TESTS,
        default="auto",
        help="test of every column that it fits and whose row of the dictionary names none; the "
        "others are compared by the rule (default: auto, all by the rule)",
    )
    arguments.add_argument(
        "--normality",
        choices=list(NORMALITY_TESTS),
        default="shapiro",
        help="test of normality of the rule (default: shapiro)",
    )
    arguments.add_argument(
        "--small-cells",
        choices=list(SMALL_CELLS),
        default="cochran",
        help="rule of small expected counts (default: cochran)",
    )
    arguments.add_argument(
        "--adjust",
        choices=list(ADJUSTMENTS),
        default="none",
        help="correction of the P values for their number, in a column beside them (default: none)",
    )
    arguments.add_argument(
        "--confidence", type=_level, default=0.95, help="level of intervals (default: 0.95)"
    )
    arguments.add_argument(
        "--published",
        action="store_true",
        help="the table holds counts, or means and deviations, of a published table 1: do every "
        "test, and say which gives the printed P (docs/table1.md)",
    )
    arguments.add_argument("--out", required=True, type=Path, help="folder of page and tables")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
