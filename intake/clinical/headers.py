"""Where the table begins in a sheet: below titles, below a header of one or several lines.

A row of data has numbers or dates; the lines directly above the first of them name the columns. A
line above the names counts as a heading of groups where it parts columns, and as a title where it
does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intake.clinical.vocabulary import vocabulary
from pipeline.core.errors import StudyError
from pipeline.core.written.number_notation import is_number
from pipeline.tables.identifying.dates import has_date

LOOKED_AT = 40
"""Filled rows among which the first row of data is looked for."""

MOST_LINES = 3
"""Lines that a header may have."""

MIN_FILLED = 0.4
"""Share of the widest row's cells that a row of data, or the names above it, must have filled."""

MIN_NUMBERS = 0.15
"""Share of a row's filled cells that are numbers or dates, from which on it is a row of data."""

Records = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Header:
    """What stands above the data.

    Attributes
    ----------
    rows : tuple of int
        Numbers of its lines.
    names : tuple of str
        A name for each column, the lines of its own joined; empty where a column has none.
    groups : tuple of str
        Heading of the group that a column lies in, or nothing.
    titles : tuple of str
        What stands above it and names no column.
    first : int
        Place of the first row of data among the records.
    """

    rows: tuple[int, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    titles: tuple[str, ...]
    first: int


def find_header(records: Records, where: str) -> Header:
    """Return the header of a sheet.

    Parameters
    ----------
    records : list of (int, list of str)
        Numbers and cells of the filled rows; a merged cell stands in each of its places.
    where : str
        File and worksheet, for the error.

    Raises
    ------
    StudyError
        If no row looks like a header above rows of data.

    Examples
    --------
    >>> rows = [["Register 2024"], ["ID", "Age"], ["0071", "70"], ["0072", "71"]]
    >>> find_header(list(enumerate(rows, 1)), "x").names
    ('ID', 'Age')
    """
    widest = max((len(_filled(cells)) for _, cells in records), default=0)
    first = _first_of_data(records, widest)
    if not first:
        raise StudyError(
            "A clinical sheet must have a row with the columns' names above its patients",
            found="no such row" if records else "an empty sheet",
            where=where,
            remedy="write a name above each column, and one patient in each row below",
            code="clinical-sheet-without-header",
        )
    width = max(len(cells) for _, cells in records[first - 1 :])
    lines = [first - 1]
    while len(lines) < MOST_LINES and _belongs(records, lines[0], width):
        lines.insert(0, lines[0] - 1)
    names, groups = _joined([_cells(records[at][1], width) for at in lines])
    titles = [cell for at in range(lines[0]) for cell in dict.fromkeys(_filled(records[at][1]))]
    return Header(
        tuple(records[at][0] for at in lines), tuple(names), tuple(groups), tuple(titles), first
    )


def _first_of_data(records: Records, widest: int) -> int | None:
    """Return the place of the first row of data; without numbers it is below the first names."""
    enough = max(2, MIN_FILLED * widest)
    for at, (_, cells) in enumerate(records[:LOOKED_AT]):
        filled = _filled(cells)
        values = sum(is_value(cell) for cell in filled)
        if (
            at
            and _named_above(records, at) >= max(1, MIN_FILLED * len(filled))
            and len(filled) >= enough
            and values >= max(1, MIN_NUMBERS * len(filled))
        ):
            return at
    for at, (_, cells) in enumerate(records[: LOOKED_AT - 1]):
        filled = _filled(cells)
        names = len(set(filled)) == len(filled) and not any(map(is_value, filled))
        if names and len(filled) >= max(2, 0.7 * widest):
            return at + 1 if at + 1 < len(records) else None
    return None


def _named_above(records: Records, at: int) -> int:
    """Return how many columns the lines directly above a row name; lines of values name none."""
    named: set[int] = set()
    for line in range(at - 1, max(-1, at - 1 - MOST_LINES), -1):
        cells = records[line][1]
        filled = _filled(cells)
        if sum(map(is_value, filled)) > 0.3 * len(filled):
            break
        named |= {place for place, cell in enumerate(cells) if cell.strip()}
        if line and records[line - 1][0] != records[line][0] - 1:
            break
    return len(named)


def is_value(cell: str) -> bool:
    """Return whether a cell is a number or a date, as names of columns are not."""
    return is_number(cell) or (len(cell) <= 20 and has_date(cell))


def _belongs(records: Records, at: int, width: int) -> bool:
    """Return whether the line above a header's line is one of it, and no title."""
    if at < 1 or records[at - 1][0] != records[at][0] - 1:
        return False
    above, below = (_cells(records[one][1], width) for one in (at - 1, at))
    filled = [cell for cell in above if cell]
    if len(set(filled)) < 2 or any(is_value(cell) for cell in filled):
        return False
    # It parts columns that bear one name below, or names those that have none there.
    bare = any(one and not two for one, two in zip(above, below, strict=True))
    names = [cell for cell in below if cell]
    return bare or len(set(names)) < len(names) or len(filled) >= 0.7 * len(names)


def _joined(lines: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """Return names and groups of the columns from the lines of a header.

    A heading stands over the columns to its right as far as these have a line of their own below.
    """
    *above, names = [list(line) for line in lines]
    spans = [_spans(line, names) for line in above]
    found, groups = [], []
    for at, name in enumerate(names):
        over = [line[at] for line in spans if line[at][0]]
        alone = [all(width == 1 for _, width in line) for line in spans if line[at][0]]
        own, wide = [], []
        for (text, width), single in zip(over, alone, strict=True):
            if text != name:
                joined = width == 1 and (single or _is_unit(name))
                (own if joined else wide).append(text)
        told = name or " ".join(dict.fromkeys(text for text, _ in over))
        if name and own:  # a heading of this column alone, with its unit or a remark below
            below = f"({name.strip('()[]')})" if _is_unit(name) else name
            told = " ".join([*own, below])
        found.append(told)
        groups.append(" ".join(dict.fromkeys(wide)) if name else "")
    return found, groups


def _is_unit(text: str) -> bool:
    return text.strip("()[]").casefold() in vocabulary("units") or text[:1] in "(["


def _spans(line: list[str], names: Sequence[str]) -> list[tuple[str, int]]:
    """Return the heading over each column, and over how many columns it stands."""
    heading, over = "", []
    for at, cell in enumerate(line):
        heading = cell or (heading if names[at] else "")
        over.append(heading)
    found, at = [], 0
    while at < len(over):
        end = at
        while end + 1 < len(over) and over[end + 1] == over[at] and over[at]:
            end += 1
        found += [(over[at], end - at + 1)] * (end - at + 1)
        at = end + 1
    return found


def _cells(cells: Sequence[str], width: int) -> list[str]:
    return [" ".join(cell.split()) for cell in [*cells, *[""] * (width - len(cells))]]


def _filled(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells if cell.strip()]
