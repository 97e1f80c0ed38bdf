"""Rows of text tables: comma, semicolon or tab, lines ending in any of the three ways."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pipeline.core.errors import StudyError
from pipeline.core.files import unescaped
from pipeline.tables.files.limits import MOST_CELLS, MOST_SIGNS, too_large
from pipeline.tables.files.text import decode, unpacked

DELIMITERS = (",", ";", "\t")

_HINT = re.compile(r"sep=(.)(?:\r\n|\r|\n)")
"""Excel's own hint, which its grid does not show."""
_LONE_RETURN = re.compile(r"(?<!\r)\r(?![\r\n])")


def csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the filled rows of a CSV file with their numbers.

    Raises
    ------
    StudyError
        If the file is no text, damaged, cut within its last row, or larger than a table may be; if
        a quote swallows rows.
    """
    text, _ = decode(unpacked(path), str(path))
    hint = _HINT.match(text)
    if hint:
        text = text[hint.end() :]
    text = text.rstrip("\x1a")  # the end of a file, of DOS
    _check_ends(text, path)
    delimiter = hint[1] if hint else _delimiter(text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    escaped, quoted = "'" in text, '"' in text
    number = width = cells = 0
    last: list[str] = []
    try:
        for number, row in enumerate(rows, 1):
            cells += len(row)
            if cells > MOST_CELLS:
                raise too_large(f"more than {MOST_CELLS:,} cells", path)
            if not any(map(str.strip, row)):
                continue
            last, width = row, width or _width(row)
            if max(map(len, row)) > MOST_SIGNS:
                raise _long_cell(path, number)
            if quoted:
                _check_swallowed(row, delimiter, width, path, number)
            yield number, [unescaped(cell) for cell in row] if escaped else row
    except csv.Error as error:
        if "field larger" in str(error):
            raise _long_cell(path, number + 1) from None
        raise StudyError(
            "A CSV file must close every quote that it opens",
            found=str(error),
            where=f"{path}, after row {number}",
            remedy="look for a lone double quote, or save the table as .xlsx",
            code="csv-quote-open",
        ) from None
    if len(text) > 1 and text[-1] not in "\r\n" and len(last) < width:
        raise StudyError(
            "A table must be whole",
            found=f"a last row of {len(last)} of {width} columns, whose line does not end",
            where=f"{path}, row {number}",
            remedy="the file may be cut: fetch or save it again; if the row is whole, end its line",
            code="table-cut-short",
        )


def _delimiter(text: str) -> str:
    """Return the sign that parts most columns of the header, or of the rows below a title."""
    fields = {sign: _fields(text, sign) for sign in DELIMITERS}
    sign = max(fields, key=lambda each: fields[each][:1])
    most = max(fields[sign][:1], default=0)
    for other, counts in fields.items():
        below = counts[1:][-2:]
        fewer = most if most <= 2 else 2 * most  # a title has a sign or two of its own
        if len(below) == 2 and below[0] == below[1] > max(2, fewer):
            return other
    return sign


def _fields(text: str, sign: str) -> list[int]:
    """Return how many fields the first filled rows have if `sign` parts them."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
    try:
        return [len(row) for row in islice((row for row in rows if any(row)), 6)]
    except csv.Error:
        return []


def _width(header: list[str]) -> int:
    return max((at for at, name in enumerate(header, 1) if name.strip()), default=0)


def _check_ends(text: str, path: Path) -> None:
    """Refuse a carriage return within a line of a file whose lines end otherwise."""
    if "\r" not in text or "\n" not in text:
        return
    outside = re.sub(r'"[^"]*"', "", text) if '"' in text else text
    lone = _LONE_RETURN.search(outside)
    if lone and "\n" in outside:
        raise StudyError(
            "A CSV file must end its lines in one way",
            found=f"{len(_LONE_RETURN.findall(outside))} carriage returns within lines",
            where=f"{path}, line {len(outside[: lone.start()].splitlines())}",
            remedy="remove them, or put the text that holds them in double quotes",
            code="csv-line-ends-mixed",
        )


def _check_swallowed(row: list[str], delimiter: str, width: int, path: Path, number: int) -> None:
    """Refuse a cell that holds whole rows: a quote was opened that another row closes."""
    for cell in row:
        inner = cell.splitlines()[1:-1] if delimiter in cell and width > 2 else ()
        for line in inner:
            if line.count(delimiter) == width - 1:
                raise StudyError(
                    "A CSV file must close every quote that it opens",
                    found="a cell that holds whole rows",
                    where=f"{path}, row {number}",
                    remedy="look for a lone double quote, or save the table as .xlsx",
                    code="csv-quote-open",
                )


def _long_cell(path: Path, number: int) -> StudyError:
    return StudyError(
        f"A cell must hold at most {MOST_SIGNS:,} characters",
        where=f"{path}, row {number}",
        remedy="shorten the text, or leave the column out; a lone double quote makes one cell of "
        "many rows",
        code="cell-too-long",
    )
