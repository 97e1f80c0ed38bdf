"""The sheets of a hospital as they are: every worksheet, with the header found in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from intake.clinical.headers import Header, Records, find_header
from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.study.draft.times import only_time
from pipeline.tables.files.delimited import csv_records
from pipeline.tables.files.sheets import FORMATS, read_sheet

if TYPE_CHECKING:
    from pipeline.tables.files.whole_workbooks import Worksheet


@dataclass(frozen=True)
class Column:
    """A column of a hospital's sheet.

    Attributes
    ----------
    name : str
        What its header says, each name once.
    group : str
        Heading above it, or nothing.
    number : str
        Which of several columns of one name it is, or nothing.
    """

    name: str
    group: str = ""
    number: str = ""

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
    context : tuple of str
        The names of worksheet and file, and what stands above the header, the nearest first: it may
        say of what time the values are.
    header_rows : tuple of int
        Numbers of the header's lines.
    hidden : list of int or str
        Rows (numbers) and columns (names) that Excel hides: they are read like the others.
    comments : list of (int, str, str)
        Row, column and text of the remarks beside cells, which are not read.
    unread : list of (str, str)
        Worksheets of the same file that are not read, and why.
    """

    file: str
    title: str
    columns: list[Column]
    cells: pd.DataFrame
    context: tuple[str, ...] = ()
    header_rows: tuple[int, ...] = field(default=())
    hidden: list[int | str] = field(default_factory=list)
    comments: list[tuple[int, str, str]] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)

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
        return [Sheet(path.name, "", [Column(name) for name in cells], cells, (path.stem,))]
    if path.suffix.lower() != ".xlsx":
        return [_sheet(path, list(csv_records(path)))]
    # openpyxl takes a third of a second
    from pipeline.tables.files.whole_workbooks import every_worksheet

    found, left = [], []
    filled = [one for one in every_worksheet(path) if one.records]
    worksheets = [one for one in filled if one.visible]
    unread = [(one.title, "hidden in Excel") for one in filled if not one.visible]
    for page in worksheets:
        try:
            found.append(_sheet(path, page.records, page, several=len(worksheets) > 1))
        except StudyError:
            if len(worksheets) == 1:
                raise
            left.append(page.title)
            unread.append((page.title, "no table: no header above rows of values"))
    if found:
        found[0].unread = unread
    if not found:
        raise StudyError(
            "A clinical sheet must hold a table: a row of names, and one patient in each row below",
            found=f"worksheets {listing(left)}"
            if left
            else "hidden worksheets alone"
            if unread
            else "an empty workbook",
            where=path.name,
            remedy="show the worksheet in Excel (right-click on a tab, `Unhide`), and save the file"
            if unread and not left
            else "name the right file by --clinical",
            code="clinical-sheet-without-table",
        )
    return found


def _sheet(
    path: Path, records: Records, page: Worksheet | None = None, *, several: bool = False
) -> Sheet:
    title = page.title if page else ""
    where = f"{path.name}, worksheet {title}" if several else path.name
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
    around = [title, *reversed(header.titles), re.sub(r"[_\W]+", " ", path.stem)]
    context = tuple(filter(None, (text.strip() for text in around)))
    made = Sheet(path.name, title if several else "", columns, cells, context, header.rows)
    if page:
        names = dict(zip(places, (one.name for one in columns), strict=True))
        made.hidden += [row for row in page.hidden_rows if row in cells.index]
        made.hidden += [names[at] for at in page.hidden_columns if at in names]
        made.comments += [
            (row, names.get(at, f"column {at + 1}"), text)
            for (row, at), text in sorted(page.comments.items())
        ]
    return made


def _columns(header: Header, records: Records) -> tuple[list[Column], list[int]]:
    """Return the columns that hold anything, each with a name of its own, and their places."""
    filled = [
        at
        for at in range(len(header.names))
        if any(_cell(cells, at) for _, cells in records[header.first :])
    ]
    found: list[Column] = []
    taken: set[str] = set()
    ambiguous: set[str] = set()
    bare = [header.names[at] for at in filled]
    for at in filled:
        name, group = header.names[at] or f"column {at + 1}", header.groups[at]
        if group and (bare.count(name) > 1 or only_time(name)):
            name, group = f"{group} {name}", ""
        number, once = 1, name
        while name in taken:
            number += 1
            name = f"{once} ({number})"
        taken.add(name)
        ambiguous |= {once} if number > 1 else set()
        found.append(Column(name, group, str(number) if number > 1 else ""))
    # The first of several, too, does not say of which time it is.
    found = [
        replace(one, number="1") if one.name in ambiguous and not one.number else one
        for one in found
    ]
    return found, filled


def _cell(cells: list[str], at: int) -> str | None:
    text = cells[at].strip() if at < len(cells) else ""
    return text or None


def _repeats(cells: list[str], header: Header) -> bool:
    """Return whether a row says the header again, as below a page break."""
    names = set(filter(None, header.names))
    told = [cell.strip() for cell in cells if cell.strip()]
    return len(told) > 1 and all(" ".join(cell.split()) in names for cell in told)
