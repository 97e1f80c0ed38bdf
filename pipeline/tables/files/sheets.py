"""Tables as people hand them in: CSV of any common encoding, Excel, Parquet; all read as text.

Nothing is guessed from the look of a value: an id keeps its leading zeros, and the data dictionary
says later which columns are numbers. The index of a sheet is the row number that a spreadsheet
shows (the header is row 1), so that every later check can name the row.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.tables.files.delimited import csv_records
from pipeline.tables.files.parquet_tables import ParquetTable
from pipeline.tables.files.titles import check_title

logger = logging.getLogger(__name__)

FORMATS = {".csv", ".tsv", ".txt", ".gz", ".xlsx", ".parquet"}
NAMELESS = "Unnamed: 0"
"""What pandas calls a first column without a name; here it is called so too."""
FAILED = re.compile(r"#(DIV/0|VALUE|REF|NAME|NUM|NULL|SPILL|CALC|WERT|BEZUG|ZAHL)[!?]|#NV|#{3,}")
"""What a spreadsheet shows for a failed formula, in English and German, and for a number that its
column is too narrow to show: so it is saved in a CSV file."""
INVISIBLE = "\ufeff\u200b\u2060\u200e\u200f"
"""Marks without width, which copying from a page or a PDF leaves at the ends of a cell."""


def read_sheet(
    path: str | Path, sheet: str | None = None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table as text.

    Parameters
    ----------
    path : path-like
        A file ending in .csv, .tsv, .txt (comma, semicolon or tab; UTF-8, UTF-16, cp1252 or
        GB18030), the same packed as .gz, .xlsx or .parquet.
    sheet : str, optional
        Worksheet to take from a workbook with several; one that holds a single table needs none.
    columns : sequence of str, optional
        Return these columns only, as far as the table has them; all by default.

    Returns
    -------
    pandas.DataFrame
        Every value a stripped str, None where blank. The index `row` is the row number in the
        spreadsheet, 2 for the first row below the header. Rows without any value are left out.

    Raises
    ------
    StudyError
        If the file is missing, unreadable, or no table with one name per column; a column that
        stands there twice with the same values is read once.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise StudyError(
            "A table must be a .csv, .tsv, .txt, .xlsx or .parquet file, or a .gz of text",
            found=path.suffix or "no file extension",
            where=str(path),
            remedy="save it as CSV UTF-8",
            code="table-of-unknown-kind",
        )
    if not path.is_file():
        raise StudyError(
            "The table must exist",
            found="a folder" if path.is_dir() else None,
            where=str(path),
            remedy="name the file in it that is meant"
            if path.is_dir()
            else "give its path relative to the folder in which snakemake runs",
            code="table-not-found",
        )
    if path.suffix.lower() == ".parquet":
        return _from_parquet(path, columns)
    excel = path.suffix.lower() == ".xlsx"
    records = _xlsx_records(path, sheet) if excel else list(csv_records(path))
    return _from_records(records, path, columns)


def _xlsx_records(path: Path, sheet: str | None) -> list[tuple[int, list[str]]]:
    from pipeline.tables.files.workbooks import (
        worksheet_records,  # openpyxl takes a third of a second
    )

    return worksheet_records(path, sheet)


def column_names(path: str | Path, sheet: str | None = None) -> list[str]:
    """Return the column names of a table that `read_sheet` has found good, from its header.

    A first column without a name is not among them, whether or not it only numbers the rows.
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        return ParquetTable(path).names
    excel = path.suffix.lower() == ".xlsx"
    _, header = _xlsx_records(path, sheet)[0] if excel else next(csv_records(path))
    return list(dict.fromkeys(name.strip() for name in header if name.strip()))


def parquet_values(path: str | Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return columns of a Parquet table, numbers as float64 and all else as text, from row 2 on."""
    values = ParquetTable(path).values(columns)
    return values.set_axis(pd.RangeIndex(2, len(values) + 2, name="row"))


def _from_parquet(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    table = ParquetTable(path)
    names = [name for name in table.names if columns is None or name in columns]
    rows = zip(*table.texts(names), strict=True) if names else [()] * table.rows
    return _from_records([(1, names), *((at, list(row)) for at, row in enumerate(rows, 2))], path)


def _from_records(
    records: list[tuple[int, list[str]]], path: Path, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Make a table of numbered rows, the first of which is the header."""
    if len(records) < 2:
        raise StudyError(
            "A table must have a header and at least one row below it",
            found=f"{len(records)} filled rows",
            where=str(path),
            remedy="write a row for each patient or case below the header, and save it again",
            code="table-without-rows",
        )
    check_title(records, path)
    (_, header), *rows = records
    header = [name.strip().strip(INVISIBLE).strip() for name in header]
    if header and not header[0] and _counts_rows([row[0].strip() for _, row in rows]):
        # What pandas and R write before the first column of a table.
        header, rows = header[1:], [(number, row[1:]) for number, row in rows]
    elif len(header) > 1 and not header[0] and header[1] and NAMELESS not in header:
        header[0] = NAMELESS  # the ids, as the index of a data frame is written
    width = max((at for at, name in enumerate(header, 1) if name), default=0)
    problems, copies = Problems(f"the table {path}"), set()
    for at, name in enumerate(header[:width]):
        if not name:
            problems.add(
                "Every column must have a name",
                where=f"{path}, column {at + 1}",
                remedy="name it, or remove the column",
                code="column-without-name",
            )
        elif name in header[:at] and _column(rows, at) == _column(rows, header.index(name)):
            copies.add(at)
        elif name in header[:at]:
            problems.add(
                "Every column must have its own name",
                found=f"{name} twice, with different values",
                where=f"{path}, header",
                remedy="rename or remove one of them",
                code="column-name-repeated",
            )
    wide = [number for number, row in rows if any(value.strip() for value in row[width:])]
    if wide:
        problems.add(
            f"A row must not have more values than the header's {width} columns",
            found=f"{len(wide)} rows with more" if len(wide) > 1 else "more",
            where=f"{path}, {rows_text(wide)}",
            remedy="put text that holds the delimiter in double quotes, and decimals with a "
            "point; or name every column in the header",
            code="row-too-wide",
        )
    problems.raise_if_any()
    if copies:
        logger.info(
            "%s: columns that stand there twice: %s", path, listing(header[at] for at in copies)
        )
    wanted = [
        at
        for at, name in enumerate(header[:width])
        if at not in copies and (columns is None or name in columns)
    ]
    texts = [
        [_blank_to_none(row[at]) if at < len(row) else None for at in wanted] for _, row in rows
    ]
    _check_failed(rows, texts, [header[at] for at in wanted], path)
    index = pd.Index([number for number, _ in rows], name="row")
    return pd.DataFrame(texts, index=index, columns=[header[at] for at in wanted], dtype=object)


def _column(rows: list[tuple[int, list[str]]], at: int) -> list[str]:
    return [row[at].strip() if at < len(row) else "" for _, row in rows]


def _counts_rows(values: Sequence[str]) -> bool:
    """Tell whether a column only numbers the rows, from 0 or from 1."""
    return any(
        values == [str(number) for number in range(first, first + len(values))] for first in (0, 1)
    )


def _blank_to_none(value: str) -> str | None:
    text = value.strip()
    if text and not text.isascii():
        text = text.strip(INVISIBLE).strip()
    return text or None


def _check_failed(
    rows: Sequence[tuple[int, object]], texts: list[list[str | None]], names: list[str], path: Path
) -> None:
    """Refuse a table with what a spreadsheet shows in place of a value."""
    failed = [
        (number, names[at], text)
        for (number, _), row in zip(rows, texts, strict=True)
        for at, text in enumerate(row)
        if text is not None and text[0] == "#" and FAILED.fullmatch(text)
    ]
    if failed:
        number, name, text = failed[0]
        raise StudyError(
            "A cell must hold a value, not a failed formula",
            found=text if len(failed) == 1 else f"{text}, and {len(failed) - 1} more such cells",
            where=cell(path, number, name),
            remedy="mend the formula, or clear the cell"
            if not text.startswith("##")
            else "widen the column in the spreadsheet, and save the table again",
            code="cell-failed-formula",
        )


def cell(path: str | Path, row: int, column: str) -> str:
    """Return how an error names one cell."""
    return f"{path}, row {row}, column {column}"


def rows_of(values: pd.Series, wanted: Collection[object]) -> Iterator[tuple[object, pd.Index]]:
    """Yield each of `wanted` that stands in a column, with its rows, in the order of the table."""
    some = values[values.isin(wanted)]
    yield from some.groupby(some, sort=False).groups.items()


def rows_of_repeated(keys: pd.Series | pd.DataFrame) -> Iterator[tuple[Any, pd.Index]]:
    """Yield each value that stands in several rows, with these rows, in the order of the table.

    A table without repeated keys, as nearly all are, is looked through once.

    Parameters
    ----------
    keys : pandas.Series or pandas.DataFrame
        A column of keys, or several that are a key together; the value is then a tuple.

    Examples
    --------
    >>> [(key, list(rows)) for key, rows in rows_of_repeated(pd.Series(["a", "b", "a"]))]
    [('a', [0, 2])]
    """
    repeated = keys[keys.duplicated(keep=False)]
    by = repeated if isinstance(repeated, pd.Series) else list(repeated.columns)
    yield from repeated.groupby(by, sort=False).groups.items()


def rows_text(rows: Iterable[int]) -> str:
    """Return how an error names rows: ``row 7`` or ``rows 7, 9 and 3 more``."""
    rows = sorted(rows)
    return f"row{'s' if len(rows) > 1 else ''} {listing(rows, 8)}"
