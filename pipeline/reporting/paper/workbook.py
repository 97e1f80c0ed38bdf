"""Excel files of the draft: numbers stay numbers."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.core.files import escaped, whole_file

#: Characters that a sheet's name may not hold, and the most letters that it may have.
_NOT_IN_NAMES, _LONGEST_NAME = re.compile(r"[\[\]:*?/\\]"), 31

#: A file says nothing of who wrote it and when.
_WRITTEN = datetime.datetime(2000, 1, 1)

#: Widest column, in characters.
_WIDEST = 60


def write_workbook(path: str | Path, sheets: Mapping[str, pd.DataFrame]) -> None:
    """Write tables as the sheets of one workbook.

    Parameters
    ----------
    path : path-like
        The .xlsx to write.
    sheets : mapping of str to pandas.DataFrame
        By name of the sheet; numbers are written as numbers, missing ones as empty cells, and no
        text begins a formula.
    """
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font

    book = Workbook()
    book.remove(book.active)
    book.properties.creator = ""
    book.properties.created = book.properties.modified = _WRITTEN
    names: list[str] = []
    for name, table in sheets.items():
        names.append(sheet_name(name, names))
        sheet = book.create_sheet(names[-1])
        sheet.append([str(column) for column in table.columns])
        for row in table.itertuples(index=False):
            sheet.append([_cell(value) for value in row])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        sheet.freeze_panes = "A2"
        for column in sheet.iter_cols():
            longest = max(len(str(cell.value or "")) for cell in column)
            letter = column[0].column_letter
            sheet.column_dimensions[letter].width = min(max(longest, 8), _WIDEST) + 2
            if longest > _WIDEST:
                for cell in column:
                    cell.alignment = Alignment(wrap_text=True, vertical="top")
    with whole_file(path) as beside:
        book.save(beside)


def sheet_name(name: str, taken: list[str]) -> str:
    """Return a name that a sheet may have and none has yet.

    >>> sheet_name("a" * 40, []), sheet_name("x/y", ["x-y"])
    ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'x-y 2')
    """
    plain = _NOT_IN_NAMES.sub("-", name)[:_LONGEST_NAME]
    found, number = plain, 2
    while found.lower() in {each.lower() for each in taken}:
        end = f" {number}"
        found, number = plain[: _LONGEST_NAME - len(end)] + end, number + 1
    return found


def _cell(value: object) -> object:
    """Return what a cell holds: a number, a text that begins no formula, or nothing."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "item"):  # a number of numpy
        return _cell(value.item())
    if isinstance(value, int | float):
        return value
    return escaped(str(value))
