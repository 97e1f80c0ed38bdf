"""Worksheets of .xlsx files, every cell as the grid shows it.

openpyxl reads the cells; what it passes over is looked at here: a size of the sheet that is no
longer true, formulas that no spreadsheet has computed, merged and hidden cells, and how much the
file holds once it is unpacked.
"""

from __future__ import annotations

import io
import logging
import math
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.escape import unescape
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._reader import FORMULA_TAG, VALUE_TAG, WorkSheetParser

from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.core.written.number_notation import NUMBER, beyond_numbers
from pipeline.tables.files.limits import (
    MOST_EXCEL_BYTES,
    MOST_EXCEL_CELLS,
    MOST_SIGNS,
    MOST_STYLE_BYTES,
    MOST_STYLE_TAGS,
    MOST_TAGS,
    read_bytes,
)
from pipeline.tables.files.text import cell_text
from pipeline.tables.files.titles import check_title

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

logger = logging.getLogger(__name__)

Records = list[tuple[int, list[str]]]
"""Numbers of rows, and the texts of their cells; rows without any are left out."""

OLE = b"\xd0\xcf\x11\xe0"
"""How a workbook begins that is protected by a password, or of Excel 97-2003."""
TAGS_OF_A_CELL = 8
"""Beginnings and ends of a cell, its formula and its value, or of a text in it."""
LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
SEVERAL = "save the table that is meant as a .csv or .parquet file"
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError),
    *(InvalidFileException, ParseError, SyntaxError, LookupError, ValueError, TypeError),
    *(AttributeError, OverflowError),
)
"""What openpyxl and zipfile raise for a file that is no sound workbook.

The bytes lie in memory, so that none of these can be a fault of the machine."""

_SHEETS = re.compile(rb"<(?:\w+:)?sheet\s")
_UNCOMPUTED = re.compile(rb"\sfullCalcOnLoad\s*=\s*[\"'](?:1|true)[\"']")
_STRICT = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
_ZEROS = re.compile(r'((?:"[^"]*"|\\.|[_-])*)(0{2,})((?:"[^"]*"|\\.)*)(?:;.*)?')
"""A format of whole numbers that shows leading zeros, perhaps with letters before or behind."""


def worksheet_records(path: Path, sheet: str | None = None) -> Records:
    """Return the filled rows of the worksheet that holds a table.

    Parameters
    ----------
    path : pathlib.Path
        The workbook.
    sheet : str, optional
        Worksheet to take where several hold something.

    Raises
    ------
    StudyError
        If the file is no sound workbook, holds too much, several tables, formulas without results,
        failed formulas, or merged cells.
    """
    about = path.stat()
    return _worksheet_records(str(path), sheet, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=2)
def _worksheet_records(path: str, sheet: str | None, *_: int) -> Records:
    """Read a workbook once, although its names and its values are asked for one by one."""
    book, uncomputed = opened(path)
    try:
        shown = [page for page in book.worksheets if page.sheet_state == "visible"]
        hidden = [page for page in book.worksheets if page not in shown]
        named = [page for page in shown if sheet is not None and page.title.lower() == sheet]
        read = {page.title: _records(page, path, uncomputed) for page in named}
        if not any(read.values()):
            read = {page.title: _records(page, path, uncomputed) for page in shown}
    finally:
        book.close()
    filled = {title: rows for title, rows in read.items() if rows}
    asked = [page.title for page in hidden if sheet is not None and page.title.lower() == sheet]
    if asked or (not filled and hidden):
        raise StudyError(
            "The worksheet of a table must be shown, not hidden",
            found=listing(asked or [page.title for page in hidden]),
            where=path,
            remedy="right-click on a tab, `Unhide`; or delete the worksheet, if another is meant",
            code="worksheet-hidden",
        )
    if len(filled) != 1:
        raise StudyError(
            f"A workbook must hold one table, or a worksheet named `{sheet or 'like the table'}`",
            found=f"worksheets {listing(filled)}" if filled else "an empty workbook",
            where=path,
            remedy="rename the worksheet, or keep one table per file",
            code="worksheet-ambiguous",
        )
    if hidden:
        logger.info("%s: not read: hidden worksheets %s", path, listing(p.title for p in hidden))
    return next(iter(filled.values()))


def opened(path: str) -> tuple[Workbook, bool]:
    """Open a workbook whose parts are whole and not too large.

    Returns
    -------
    book : openpyxl.Workbook
        The workbook.
    uncomputed : bool
        Whether the program that wrote it leaves its formulas to be computed by a spreadsheet.
    """
    data = read_bytes(path)
    try:
        declared, uncomputed = _check_parts(data, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions, which hold no values
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except DAMAGE as error:
        raise unsound(path, data, error) from None
    if len(book.sheetnames) < declared:
        raise unsound(path, data, KeyError("a worksheet is not there"))
    return book, uncomputed


def _check_parts(data: bytes, path: str) -> tuple[int, bool]:
    """Read every part once: checks its checksum, and how much it holds."""
    cells = size = sheets = 0
    uncomputed = False
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len({part.filename for part in parts}) < len(parts):
            raise zipfile.BadZipFile("a part twice")
        if len({part.header_offset for part in parts}) < len(parts):
            raise zipfile.BadZipFile("two parts in one place")
        for part in parts:
            large = re.search(r"(worksheets/[^/]*|sharedStrings)\.xml$", part.filename)
            size += part.file_size
            if size > MOST_EXCEL_BYTES:
                raise _too_large(f"{size / 1e6:,.0f} MB, unpacked", path)
            small = part.filename.endswith((".xml", ".rels")) and not large
            if small and part.file_size > MOST_STYLE_BYTES:
                raise _too_large(f"{part.file_size / 1e6:,.0f} MB of {part.filename}", path)
            content = archive.read(part)
            if large:
                cells += _count(content, b"c") + _count(content, b"si")
            if cells > MOST_EXCEL_CELLS:
                raise _too_large(f"more than {MOST_EXCEL_CELLS:,} cells and texts", path)
            most = MOST_TAGS + TAGS_OF_A_CELL * cells if large else MOST_STYLE_TAGS
            if (large or small) and content.count(b"<") > most:
                raise _too_large(f"more than {most:,} tags in {part.filename}", path)
            if part.filename.endswith("workbook.xml"):
                sheets += len(_SHEETS.findall(content))
                uncomputed |= bool(_UNCOMPUTED.search(content))
                if _STRICT in content:
                    raise StudyError(
                        "An .xlsx file must not be a Strict Open XML Spreadsheet",
                        where=path,
                        remedy="save it as `Excel Workbook (*.xlsx)`",
                        code="workbook-strict",
                    )
    return sheets, uncomputed


def _count(content: bytes, tag: bytes) -> int:
    """Return how often a tag begins, with or without a prefix; several times faster than XML."""
    return sum(
        content.count(before + tag + behind)
        for before in (b"<", b":")
        for behind in (b" ", b">", b"/", b"\t", b"\n", b"\r")
        if (before, behind) != (b":", b"/")
    )


class _Parser(WorkSheetParser):
    """openpyxl's reader of a worksheet, which notes cells with a formula but no result."""

    def __init__(self, *args: Any, uncomputed: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.uncomputed = uncomputed
        self.pending: list[str] = []
        self.at = ""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        """Return a cell; one that is a formula is noted if no spreadsheet has computed it."""
        self.at = element.get("r") or self.at
        cell = super().parse_cell(element)
        value = cell["value"]
        if isinstance(value, float) and (value == 0 or not math.isfinite(value)):
            text = (element.findtext(VALUE_TAG) or "").strip()
            if NUMBER.fullmatch(text) and beyond_numbers(text):  # left for who reads numbers
                cell |= {"value": text, "data_type": "s"}
        if element.find(FORMULA_TAG) is not None:
            result = element.findtext(VALUE_TAG)
            empty = not result and not (element.get("t") == "str" and result is not None)
            if empty or self.uncomputed:
                self.pending.append(f"{get_column_letter(cell['column'])}{cell['row']}")
        return cell


def _records(page: ReadOnlyWorksheet, path: str, uncomputed: bool) -> Records:
    records, parser = parsed(page, path, uncomputed)
    check_title(records, path)
    _check_merged(parser, records, f"{path}, worksheet {page.title}")
    _tell_hidden(parser, records, f"{path}, worksheet {page.title}")
    return records


def parsed(page: ReadOnlyWorksheet, path: str, uncomputed: bool) -> tuple[Records, _Parser]:
    """Return the filled rows of a worksheet, and the parser with what else it holds."""
    book = page.parent
    records: Records = []
    texts = _Texts(page, path)
    try:
        with page._get_source() as source, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser = _Parser(
                source, page._shared_strings, data_only=True, epoch=book.epoch,
                date_formats=book._date_formats, timedelta_formats=book._timedelta_formats,
                uncomputed=uncomputed,
            )  # fmt: skip
            for number, row in _ascending(parser):
                cells = [""] * max((cell["column"] for cell in row), default=0)
                for cell in row:
                    if cell["value"] is not None:
                        cells[cell["column"] - 1] = texts.shown(cell)
                if any(cells):
                    records.append((number, cells))
    except DAMAGE as error:
        where = f", near cell {parser.at}" if "parser" in locals() and parser.at else ""
        raise unsound(f"{path}, worksheet {page.title}{where}", b"", error) from None
    if parser.pending:
        raise StudyError(
            "The formulas of a workbook must have been computed by a spreadsheet",
            found=f"{len(parser.pending)} formulas without a result",
            where=f"{path}, worksheet {page.title}, cell {listing(parser.pending, 3)}",
            remedy="open the file in Excel or LibreOffice and save it; or write values",
            code="formulas-not-computed",
        )
    return records, parser


def _ascending(parser: _Parser) -> Iterator[tuple[int, list[dict]]]:
    """Yield rows, which have to be in their order, each cell once, as a spreadsheet writes them."""
    before = 0
    for number, row in parser.parse():
        columns = [cell["column"] for cell in row]
        if number <= before or number > LAST_ROW or any(cell["row"] != number for cell in row):
            raise ValueError("rows out of their order")
        if len(set(columns)) < len(columns) or max(columns, default=0) > LAST_COLUMN:
            raise ValueError("cells twice, or beyond the last column")
        before = number
        yield number, row


class _Texts:
    """Turns the cells of a worksheet into text."""

    def __init__(self, page: ReadOnlyWorksheet, path: str) -> None:
        self._page, self._path = page, path
        self._zeros: dict[int, re.Match | None] = {}

    def shown(self, cell: dict) -> str:
        """Return a cell as the grid shows it, as far as ids and levels are concerned."""
        value = cell["value"]
        if cell["data_type"] == "e":
            raise StudyError(
                "A cell must hold a value, not a failed formula",
                found=value,
                where=self._where(cell),
                remedy="mend the formula, or clear the cell",
                code="cell-failed-formula",
            )
        if isinstance(value, str):
            if len(value) > MOST_SIGNS:
                raise _long_cell(len(value), self._where(cell))
            return (unescape(value) if "_x" in value else value).strip()
        text = cell_text(value)
        if cell["style_id"] and text.isdecimal():
            zeros = self._format(cell)
            if zeros:  # the number 7 formatted `0000` is the id 0007, or `"P"000` P007
                before, behind = (re.sub(r'["\\]', "", zeros[at]) for at in (1, 3))
                text = f"{before}{text.zfill(len(zeros[2]))}{behind}"
        return text

    def _where(self, cell: dict) -> str:
        at = f"{get_column_letter(cell['column'])}{cell['row']}"
        return f"{self._path}, worksheet {self._page.title}, cell {at}"

    def _format(self, cell: dict) -> re.Match | None:
        style = cell["style_id"]
        if style not in self._zeros:
            from openpyxl.cell.read_only import ReadOnlyCell

            code = ReadOnlyCell(self._page, **cell).number_format or ""
            self._zeros[style] = _ZEROS.fullmatch(code)
        return self._zeros[style]


def _check_merged(parser: _Parser, records: Records, where: str) -> None:
    """Refuse merged cells with a value: the file holds it in the first of them only."""
    filled = dict(records)
    merged = []
    for area in getattr(parser.merged_cells, "mergeCell", ()):
        column, row, last_column, last_row = area.bounds
        cells = filled.get(row, [])
        if (column, row) != (last_column, last_row) and column <= len(cells) and cells[column - 1]:
            merged.append(area.ref)
    if merged:
        raise StudyError(
            "A table must not have merged cells: only the first of them holds the value",
            found=listing(merged, 4),
            where=where,
            remedy="unmerge them, and fill each cell",
            code="cells-merged",
        )


def _tell_hidden(parser: _Parser, records: Records, where: str) -> None:
    """Log which rows and columns of a table nobody sees: they are read like the others."""
    rows, filled = hidden_places(parser, records)
    if rows:
        logger.warning(
            "%s: %d rows are hidden, perhaps by a filter, and are read like the others: %s. "
            "Delete them, if they are no part of the study.",
            *(where, len(rows), listing(rows, 6)),
        )
    if filled:
        logger.warning(
            "%s: hidden columns are read like the others: %s. Delete them, if they are no part of "
            "the study.",
            *(where, listing(map(get_column_letter, filled), 6)),
        )


def hidden_places(parser: _Parser, records: Records) -> tuple[list[int], list[int]]:
    """Return the numbers, from 1, of the filled rows and columns of a worksheet that are hidden."""

    def is_hidden(attributes: dict) -> bool:
        return attributes.get("hidden") in ("1", "true")

    rows = [
        number for number, _ in records if is_hidden(parser.row_dimensions.get(str(number), {}))
    ]
    columns = {
        column
        for one in parser.column_dimensions.values()
        if is_hidden(one)
        for column in range(int(one["min"]), min(int(one["max"]), LAST_COLUMN) + 1)
    }
    filled = sorted(
        column for column in columns if any(len(c) >= column and c[column - 1] for _, c in records)
    )
    return rows, filled


def _long_cell(length: int, where: str) -> StudyError:
    return StudyError(
        f"A cell must hold at most {MOST_SIGNS:,} characters",
        found=f"{length:,}",
        where=where,
        remedy="shorten the text, or leave the column out",
        code="cell-too-long",
    )


def _too_large(found: str, path: str) -> StudyError:
    return StudyError(
        f"A workbook must have at most {MOST_EXCEL_CELLS // 1_000_000} million cells and "
        f"{MOST_EXCEL_BYTES // 1_000_000} MB, unpacked",
        found=found,
        where=path,
        remedy=SEVERAL,
        code="workbook-too-large",
    )


def unsound(where: str, data: bytes, error: Exception) -> StudyError:
    """Return the error about a workbook, or a part of one, that cannot be read."""
    if data.startswith(OLE):
        found = "a workbook with a password, or of Excel 97-2003 (.xls)"
    elif isinstance(error, zipfile.BadZipFile | zlib.error | EOFError | NotImplementedError):
        found = "a damaged file, or another kind of file"
    elif isinstance(error, IndexError):
        found = "a cell whose text or format is not in the file"
    else:
        found = f"a part that is no workbook's ({type(error).__name__})"
    return StudyError(
        "An .xlsx file must be an unprotected Excel workbook",
        found=found,
        where=where,
        remedy="open it in Excel and save it anew as .xlsx, without a password",
        code="workbook-unreadable",
    )
