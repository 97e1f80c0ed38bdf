"""Every worksheet of a workbook as a person sees it, with titles, and merged cells filled."""

from __future__ import annotations

from pathlib import Path

from openpyxl.worksheet._reader import WorkSheetParser

from pipeline.tables.files.workbooks import Records, opened, parsed

MOST_MERGED = 20_000
"""Cells of a merged area that are filled; more are a background, and no table."""


def every_worksheet(path: Path) -> list[tuple[str, Records]]:
    """Return the worksheets that are shown, each with its title and its filled rows.

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
        return [
            (page.title, _filled(*parsed(page, path.name, uncomputed)))
            for page in book.worksheets
            if page.sheet_state == "visible"
        ]
    finally:
        book.close()


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
