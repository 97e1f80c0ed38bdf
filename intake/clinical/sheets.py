"""The sheets of a hospital as they are: every worksheet, with the header found in it."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from intake.clinical.headers import Header, Records, find_header
from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.study.draft.times import only_time
from pipeline.tables.files.delimited import csv_records
from pipeline.tables.files.sheets import FORMATS, read_sheet

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Column:
    """A column of a hospital's sheet.

    Attributes
    ----------
    name : str
        What its header says, each name once.
    group : str
        Heading above it, or nothing.
    """

    name: str
    group: str = ""

    @property
    def header(self) -> str:
        """Heading and name, as a person would say it."""
        return f"{self.group} {self.name}".strip()


@dataclass
class Sheet:
    """One table of a hospital's file.

    Attributes
    ----------
    file : str
        Name of the file.
    title : str
        Name of the worksheet; empty for a file without worksheets.
    columns : list of Column
        Its columns, in their order.
    cells : pandas.DataFrame
        Text or None, by the columns' names, on the numbers of the rows.
    context : str
        What stands above the header, and the names of worksheet and file: it may say of what time
        the values are.
    header_rows : tuple of int
        Numbers of the header's lines.
    """

    file: str
    title: str
    columns: list[Column]
    cells: pd.DataFrame
    context: str = ""
    header_rows: tuple[int, ...] = field(default=())

    @property
    def where(self) -> str:
        """How a message names the sheet."""
        return f"{self.file}, worksheet {self.title}" if self.title else self.file

    def column(self, name: str) -> Column:
        """Return a column by its name."""
        return next(one for one in self.columns if one.name == name)


def read_sheets(path: Path) -> list[Sheet]:
    """Read every table of a file: .xlsx with all its worksheets, CSV in any common form, Parquet.

    A worksheet without a header and rows, as a legend, is left out.

    Raises
    ------
    StudyError
        If the file is missing, damaged, or holds no table.
    """
    if not path.is_file():
        raise StudyError(
            "The clinical sheet must be a file that is there",
            found="a folder" if path.is_dir() else "no such file",
            where=path.name,
            remedy="correct the path behind --clinical",
            code="clinical-sheet-missing",
        )
    if path.suffix.lower() == ".xls":
        raise StudyError(
            "A clinical sheet must be .xlsx, .csv, .tsv, .txt or .parquet",
            found=".xls, of Excel 97-2003",
            where=path.name,
            remedy="open it in Excel or LibreOffice and save it as .xlsx",
            code="clinical-sheet-of-unknown-kind",
        )
    if path.suffix.lower() not in FORMATS:
        read_sheet(path)  # its errors are these
    if path.suffix.lower() == ".parquet":
        cells = read_sheet(path)
        return [Sheet(path.name, "", [Column(name) for name in cells], cells, path.stem)]
    if path.suffix.lower() != ".xlsx":
        return [_sheet(path, "", list(csv_records(path)))]
    # openpyxl takes a third of a second
    from pipeline.tables.files.whole_workbooks import every_worksheet

    found, left = [], []
    worksheets = [one for one in every_worksheet(path) if one[1]]
    for title, records in worksheets:
        try:
            found.append(_sheet(path, title if len(worksheets) > 1 else "", records))
        except StudyError:
            if len(worksheets) == 1:
                raise
            left.append(title)
    if left and found:
        logger.info("%s: %d worksheets hold no table, and are left out", path.name, len(left))
    if not found:
        raise StudyError(
            "A clinical sheet must hold a table: a row of names, and one patient in each row below",
            found=f"worksheets {listing(left)}" if left else "an empty workbook",
            where=path.name,
            remedy="name the right file by --clinical",
            code="clinical-sheet-without-table",
        )
    return found


def _sheet(path: Path, title: str, records: Records) -> Sheet:
    where = f"{path.name}, worksheet {title}" if title else path.name
    header = find_header(records, where)
    columns, places = _columns(header, records)
    rows = {
        number: [_cell(cells, at) for at in places]
        for number, cells in records[header.first :]
        if not _repeats(cells, header)
    }
    cells = pd.DataFrame.from_dict(
        rows, orient="index", columns=[one.name for one in columns], dtype=object
    )
    cells.index.name = "row"
    cells = cells[cells.notna().any(axis=1)]
    context = " ".join([*header.titles, title, re.sub(r"[_\W]+", " ", path.stem)])
    return Sheet(path.name, title, columns, cells, context, header.rows)


def _columns(header: Header, records: Records) -> tuple[list[Column], list[int]]:
    """Return the columns that hold anything, each with a name of its own, and their places."""
    filled = [
        at
        for at in range(len(header.names))
        if any(_cell(cells, at) for _, cells in records[header.first :])
    ]
    found, taken = [], set()
    bare = [header.names[at] for at in filled]
    for at in filled:
        name, group = header.names[at] or f"column {at + 1}", header.groups[at]
        if group and (bare.count(name) > 1 or only_time(name)):
            name, group = f"{group} {name}", ""
        number, once = 2, name
        while name in taken:
            name, number = f"{once} ({number})", number + 1
        taken.add(name)
        found.append(Column(name, group))
    return found, filled


def _cell(cells: list[str], at: int) -> str | None:
    text = cells[at].strip() if at < len(cells) else ""
    return text or None


def _repeats(cells: list[str], header: Header) -> bool:
    """Return whether a row says the header again, as below a page break."""
    names = set(filter(None, header.names))
    told = [cell.strip() for cell in cells if cell.strip()]
    return len(told) > 1 and all(" ".join(cell.split()) in names for cell in told)
