"""Every worksheet of a workbook as a person sees it, with titles, and merged cells filled.

What a person does not see, or sees beside the cells, is named: hidden worksheets, rows and columns,
and comments.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from openpyxl.utils.cell import column_index_from_string, coordinate_from_string
from openpyxl.worksheet._reader import WorkSheetParser

from pipeline.tables.files.workbooks import (
    DAMAGE,
    Records,
    hidden_places,
    opened,
    parsed,
    unsound,
)

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

MOST_MERGED = 20_000
"""Cells of a merged area that are filled; more are a background, and no table."""


@dataclass(frozen=True)
class Worksheet:
    """A worksheet.

    Attributes
    ----------
    title : str
        Its name.
    visible : bool
        Whether its tab is shown.
    records : Records
        Its filled rows; of a hidden one without merged cells.
    hidden_rows : tuple of int
        Numbers of the filled rows that are hidden.
    hidden_columns : tuple of int
        Places of the filled columns that are hidden, from 0.
    comments : dict of (int, int) to str
        Remarks beside cells, by the number of the row and the place of the column.
    """

    title: str
    visible: bool
    records: Records
    hidden_rows: tuple[int, ...] = ()
    hidden_columns: tuple[int, ...] = ()
    comments: dict[tuple[int, int], str] = field(default_factory=dict)


def every_worksheet(path: Path) -> list[Worksheet]:
    """Return the worksheets, each with its title and its filled rows.

    Nothing is asked of a header. A merged cell stands in each of its places, as the grid shows it.

    Parameters
    ----------
    path : pathlib.Path
        The workbook.

    Raises
    ------
    StudyError
        If the file is no sound workbook, holds too much, formulas without results, or failed ones.
    """
    book, uncomputed = opened(str(path))
    try:
        return [_worksheet(page, path.name, uncomputed) for page in book.worksheets]
    finally:
        book.close()


def _worksheet(page: ReadOnlyWorksheet, name: str, uncomputed: bool) -> Worksheet:
    if page.sheet_state != "visible":
        return Worksheet(page.title, False, _some_records(page))
    records, parser = parsed(page, name, uncomputed)
    rows, columns = hidden_places(parser, records)
    try:
        comments = dict(_comments(page))
    except DAMAGE as error:
        raise unsound(f"{name}, comments of worksheet {page.title}", b"", error) from None
    return Worksheet(
        page.title, True, _filled(records, parser), tuple(rows),
        tuple(column - 1 for column in columns), comments,
    )  # fmt: skip


def _some_records(page: ReadOnlyWorksheet) -> Records:
    """Return the first filled row of a worksheet that is not read, to tell an empty one."""
    try:
        for number, row in enumerate(page.iter_rows(values_only=True), start=1):
            if any(cell is not None for cell in row):
                return [(number, [str(cell or "") for cell in row])]
    except DAMAGE:
        return [(1, [""])]  # not read, and named
    return []


def _comments(page: ReadOnlyWorksheet) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield the remarks beside the cells of a worksheet, which its own part only refers to."""
    archive, path = page.parent._archive, page._worksheet_path
    folder, name = posixpath.split(path)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in archive.namelist():
        return
    for relation in ElementTree.fromstring(archive.read(relations)):
        target = posixpath.normpath(posixpath.join(folder, relation.get("Target", "")))
        target = relation.get("Target", "").lstrip("/") if target.startswith("/") else target
        if relation.get("Type", "").endswith("/comments") and target in archive.namelist():
            for one in ElementTree.fromstring(archive.read(target)).iter():
                if one.tag.endswith("}comment"):
                    letters, row = coordinate_from_string(one.get("ref", "A1"))
                    text = "".join(part.text or "" for part in one.iter() if part.tag[-2:] == "}t")
                    yield (row, column_index_from_string(letters) - 1), " ".join(text.split())


def _filled(records: Records, parser: WorkSheetParser) -> Records:
    rows = dict(records)
    for area in getattr(parser.merged_cells, "mergeCell", ()):
        left, top, right, bottom = area.bounds
        cells = rows.get(top, [])
        text = cells[left - 1] if left <= len(cells) else ""
        if not text or (right - left + 1) * (bottom - top + 1) > MOST_MERGED:
            continue
        for number in range(top, bottom + 1):
            row = rows.setdefault(number, [])
            row += [""] * (right - len(row))
            for column in range(left, right + 1):
                row[column - 1] = row[column - 1] or text
    return sorted(rows.items())
