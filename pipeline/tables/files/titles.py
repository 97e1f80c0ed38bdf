"""A title, a group of headings or a remark above the header of a table, told in one error."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.errors import StudyError
from pipeline.core.written.number_notation import is_number

LOOKED_AT = 12
"""Filled rows among which the header is looked for."""


def check_title(records: Sequence[tuple[int, list[str]]], path: object) -> None:
    """Raise `StudyError` if rows above the header look like a title.

    A header has a name for each column below it. A row that has not, with a whole row of names
    below, is a title or a heading of groups.

    Parameters
    ----------
    records : sequence of (int, list of str)
        Numbers and cells of the filled rows.
    path : path-like
        The table's file, for the error.
    """
    if len(records) < 3:
        return
    (first, title), *rest = records[:LOOKED_AT]
    names = _filled(title)
    widest = max(len(_filled(cells)) for _, cells in rest)
    for at, (number, cells) in enumerate(rest[:-1]):
        header = _filled(cells)
        if (
            len(header) >= 2
            and 2 * len(names) <= len(header)
            and len(header) == len(set(header)) >= 0.7 * widest
            and not any(is_number(name) for name in header)
        ):
            rows = f"rows {first} to {rest[at - 1][0]} look" if at else f"row {first} looks"
            raise StudyError(
                "The first row of a table must be its header, a name for each column",
                found=f"{rows} like a title, and row {number} like the header",
                where=f"{path}, row {first}",
                remedy=f"delete what stands above row {number}",
                code="header-below-title",
            )


def _filled(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells if cell.strip()]
