"""The list for the hospital: what became of each row, column and cell of a sheet."""

from __future__ import annotations

from dataclasses import dataclass

from intake.clinical.sheets import Sheet

REFUSED, UNMATCHED, DOUBT = "row REFUSED", "row of no patient", "row to look at"
MERGED, HIDDEN, NOT_READ, COMMENT = (
    "row taken as one with another", "hidden, read all the same", "worksheet NOT read",
    "comment NOT read",
)  # fmt: skip
LEFT_OUT, CELL, CHANGED, ABSENT = (
    "column left out", "cell left out", "cells written otherwise", "patient without a row",
)  # fmt: skip
BY_PERSON, TO_CONFIRM, NEAR, CONFIRM_BY = (
    "row paired by name and birth date", "row to CONFIRM", "row NOT paired",
    "if every row to CONFIRM is right",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line of the list for the hospital.

    Attributes
    ----------
    sheet : str
        File and worksheet.
    row : int or str
        Number of the row, or nothing.
    column : str
        Header, or nothing.
    what, why : str
        What became of it, and the reason.
    text : str
        What the sheet says there: it may identify, and stays in the hospital.
    shown : str
        The header as a screen may show it.
    """

    sheet: str
    row: int | str
    column: str
    what: str
    why: str
    text: str = ""
    shown: str = ""


def beside_the_cells(sheet: Sheet) -> list[Line]:
    """Return what a person does not see in a sheet, or sees beside its cells."""
    rows = [one for one in sheet.hidden if isinstance(one, int)]
    columns = [one for one in sheet.hidden if isinstance(one, str)]
    why = "hidden in Excel, perhaps by a filter: delete it if it is no part of the study"
    lines = [Line(sheet.where, row, "", HIDDEN, why) for row in rows]
    lines += [Line(sheet.where, "", one, HIDDEN, why, shown=one) for one in columns]
    why = "a remark beside the cell: if it corrects the value, correct the cell"
    lines += [Line(sheet.where, *place, COMMENT, why, text) for *place, text in sheet.comments]
    return lines
