"""Tables as people hand them in: CSV of any common encoding, Excel, Parquet; all read as text.

Nothing is guessed from the look of a value: an id keeps its leading zeros, and the data dictionary
says later which columns are numbers. The index of a sheet is the row number that a spreadsheet
shows (the header is row 1), so that every later check can name the row.
"""

from __future__ import annotations

import csv
import datetime
import io
import logging
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.core.table_text import decode, unpacked

logger = logging.getLogger(__name__)

FORMATS = {".csv", ".tsv", ".txt", ".gz", ".xlsx", ".parquet"}
DELIMITERS = (",", ";", "\t")
NAMELESS = "Unnamed: 0"
"""What pandas calls a first column without a name; here it is called so too."""
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""A number with a decimal point, as a cell may hold it."""
COMMA_NUMBER = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")
THOUSANDS = re.compile(r"[+-]?[0-9]{1,3},[0-9]{3}")


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
        )
    if not path.is_file():
        raise StudyError(
            "The table must exist",
            where=str(path),
            remedy="give its path relative to the folder in which snakemake runs",
        )
    if path.suffix.lower() == ".parquet":
        return _from_parquet(path, columns)
    excel = path.suffix.lower() == ".xlsx"
    records = _xlsx_records(path, sheet) if excel else list(_csv_records(path))
    return _from_records(records, path, columns)


def _csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the filled rows of a CSV file with their numbers."""
    text, _ = decode(unpacked(path), str(path))
    mark = re.match(r"sep=(.)\r?\n", text)  # Excel's own hint, which its grid does not show
    if mark:
        text = text[mark.end() :]
    header = text.lstrip().partition("\n")[0]
    fields = {sign: len(next(csv.reader([header], delimiter=sign), [])) for sign in DELIMITERS}
    delimiter = mark[1] if mark else max(fields, key=fields.__getitem__)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, row in enumerate(rows, 1):
            if any(map(str.strip, row)):
                yield number, row
    except csv.Error as error:
        raise StudyError(
            "A CSV file must close every quote that it opens",
            found=str(error),
            where=str(path),
            remedy="look for a lone double quote, or save the table as .xlsx",
        ) from None


def _xlsx_records(path: Path, sheet: str | None) -> list[tuple[int, list[str]]]:
    from zipfile import BadZipFile

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise StudyError(
            "An .xlsx file must be an unprotected Excel workbook",
            found=type(error).__name__,
            where=str(path),
            remedy="open it in Excel and save it anew as .xlsx, without a password",
        ) from None
    try:
        tables = {
            page.title: [
                (number, [_cell_text(cell, path, page.title) for cell in row])
                for number, row in enumerate(page.iter_rows(), 1)
            ]
            for page in book.worksheets
        }
    finally:
        book.close()
    tables = {
        title: [(number, row) for number, row in rows if any(row)] for title, rows in tables.items()
    }
    filled = {title: rows for title, rows in tables.items() if rows}
    if len(filled) == 1:
        return next(iter(filled.values()))
    named = [title for title in filled if sheet is not None and title.lower() == sheet.lower()]
    if named:
        return filled[named[0]]
    raise StudyError(
        f"A workbook must hold one table, or a worksheet named `{sheet or 'like the table'}`",
        found=f"worksheets {listing(filled)}" if filled else "an empty workbook",
        where=str(path),
        remedy="rename the worksheet, or keep one table per file",
    )


def _cell_text(cell, path: Path, title: str) -> str:
    """Return a cell as the grid shows it, as far as ids and levels are concerned."""
    value = cell.value
    if cell.data_type == "e":
        raise StudyError(
            "A cell must hold a value, not a failed formula",
            found=value,
            where=f"{path}, worksheet {title}, cell {cell.coordinate}",
            remedy="mend the formula, or clear the cell",
        )
    shown = "" if value is None else _plain(value)
    digits = getattr(cell, "number_format", None) or ""
    if re.fullmatch("0{2,}", digits) and re.fullmatch(r"\d+", shown):
        return shown.zfill(len(digits))  # the number 7 formatted `0000` is the id 0007
    return shown


def _plain(value: object) -> str:
    """Return a typed value of Excel or Parquet as text: 7.0 is "7", a date is ISO 8601."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return value.isoformat() if isinstance(value, datetime.date) else str(value).strip()


def column_names(path: str | Path, sheet: str | None = None) -> list[str]:
    """Return the column names of a table that `read_sheet` has found good, from its header.

    A first column without a name is not among them, whether or not it only numbers the rows.
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        return _parquet_names(path)
    excel = path.suffix.lower() == ".xlsx"
    records = iter(_xlsx_records(path, sheet)) if excel else _csv_records(path)
    _, header = next(records)
    return list(dict.fromkeys(name.strip() for name in header if name.strip()))


def _parquet_names(path: Path) -> list[str]:
    import pyarrow
    from pyarrow.parquet import read_schema

    try:
        names = read_schema(path).names
    except (OSError, pyarrow.ArrowException) as error:
        raise StudyError(
            "A .parquet file must be a Parquet table", found=type(error).__name__, where=str(path)
        ) from None
    return [name for name in names if not name.startswith("__index_level_")]


def _from_parquet(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    names = _parquet_names(path)
    if columns is not None:
        names = [name for name in names if name in columns]
    table = pd.read_parquet(path, columns=names).reset_index(drop=True)
    # A column of whole numbers with gaps comes as float64; `_plain` takes the point off again.
    values = [_texts(table[name]) for name in names]
    rows = zip(*values, strict=True) if names else [()] * len(table)
    return _from_records([(1, names), *((at, list(row)) for at, row in enumerate(rows, 2))], path)


def _texts(values: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else _plain(_python(value)) for value in values.tolist()]


def _python(value: object) -> object:
    return value.item() if hasattr(value, "item") else value


def _from_records(
    records: list[tuple[int, list[str]]], path: Path, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Make a table of numbered rows, the first of which is the header."""
    if len(records) < 2:
        raise StudyError(
            "A table must have a header and at least one row below it",
            found=f"{len(records)} filled rows",
            where=str(path),
        )
    (_, header), *rows = records
    header = [name.strip() for name in header]
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
            )
        elif name in header[:at] and _column(rows, at) == _column(rows, header.index(name)):
            copies.add(at)
        elif name in header[:at]:
            problems.add(
                "Every column must have its own name",
                found=f"{name} twice, with different values",
                where=f"{path}, header",
                remedy="rename or remove one of them",
            )
    for number, row in rows:
        if any(value.strip() for value in row[width:]):
            problems.add(
                f"A row must not have more values than the header's {width} columns",
                found=f"{len(row)} values",
                where=f"{path}, row {number}",
                remedy="put text that holds the delimiter in double quotes, and decimals with a "
                "point",
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
    return value.strip() or None


def has_comma(text: str) -> bool:
    """Tell whether a cell holds a number with one comma, of decimals or of thousands."""
    return bool(COMMA_NUMBER.fullmatch(text))


def uses_decimal_comma(texts: pd.Series) -> bool:
    """Tell whether the commas in a column's numbers are decimal points.

    Parameters
    ----------
    texts : pandas.Series
        Values of a column, none missing.

    Returns
    -------
    bool
        Only if there are commas, no value has a point, and not every comma could separate
        thousands (``1,250``).
    """
    commas = texts[texts.map(has_comma)]
    plain = texts.drop(commas.index)
    return (
        not commas.empty
        and not plain.str.contains(".", regex=False).any()
        and not commas.map(lambda text: bool(THOUSANDS.fullmatch(text))).all()
    )


def cell(path: str | Path, row: int, column: str) -> str:
    """Return how an error names one cell."""
    return f"{path}, row {row}, column {column}"


def rows_text(rows: Iterable[int]) -> str:
    """Return how an error names rows: ``row 7`` or ``rows 7, 9 and 3 more``."""
    rows = sorted(rows)
    return f"row{'s' if len(rows) > 1 else ''} {listing(rows, 8)}"
