"""Dates of a sheet, read where they can mean one day only, and the day of the operation."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from intake.clinical.sheets import Column
from pipeline.tables.identifying.dates import date_column, month_of
from pipeline.tables.identifying.words import fold

MOSTLY = 0.6
"""Share of a column's values that must be dates for the column to be one of dates."""

FARTHEST = 45_000
"""Days from the operation beyond which a date is a slip of the pen."""

EPOCH = datetime.date(1899, 12, 30)
"""Day 0 of Excel."""

OPERATION = re.compile(
    r"\b(op|operations?|operation|surgery|operated|operiert|eingriffs?|intervention|procedure"
    r"|kyphoplast\w*|vertebroplast\w*|augmentation|treatment)\b|手术|術日|opdatum|optag|opdate"
    r"|operationsdatum|operationstag|eingriffsdatum|surgerydate"
)
"""Words of a header whose date is that of the operation, folded."""

NOT_OPERATION = re.compile(
    r"\b(pre|prae|pra|vor|post|nach|nachher|before|after|since|seit|until|re|revisions?|reop\w*|second"
    r"|zweit\w*|previous|fruhere?r?|follow|fu|control|kontrolle|last|letzte\w*)\b"
)
"""Words beside them that make it another day."""

_ISO = re.compile(r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})(?:[T ]\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\.0)?")
_DOTTED = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d{2})(?: \d{1,2}:\d\d(?::\d\d)?)?")
_EITHER = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})(?: \d{1,2}:\d\d(?::\d\d)?)?")
_NAMED = re.compile(r"(\d{1,2})\.?[ -]*([^\W\d_]+)\.?[ ,-]*(\d{4}|\d{2})")
_MONTH_FIRST = re.compile(r"([^\W\d_]+)\.? *(\d{1,2})(?:st|nd|rd|th)?,? *(\d{4})")
_SIGNS = re.compile(r"(\d{4})[年년] ?(\d{1,2})[月월] ?(\d{1,2})[日일]?")
_SERIAL = re.compile(r"(\d{5})(?:\.\d+)?")


@dataclass(frozen=True)
class Days:
    """A column of dates.

    Attributes
    ----------
    days : pandas.Series
        YYYYMMDD or None, on the rows of the column.
    wrong : list of int
        Rows whose cell is filled and no day.
    two_ways : bool
        Whether nothing tells if day or month comes first, as in 03/04/2024.
    """

    days: pd.Series
    wrong: list[int]
    two_ways: bool = False


def read_days(texts: pd.Series, header: str) -> Days | None:
    """Read a column of dates; None where it is none.

    Parameters
    ----------
    texts : pandas.Series of str or None
        Its cells.
    header : str
        Its name; numbers below one that speaks of a date may be Excel's count of days.

    Examples
    --------
    >>> read_days(pd.Series(["31.1.2024", "01.02.24"]), "OP").days.tolist()
    ['20240131', '20240201']
    >>> read_days(pd.Series(["03/04/2024", "01/02/2024"]), "OP").two_ways
    True
    """
    known = texts.dropna()
    known = known[known.str.contains(r"\d", regex=True).astype(bool)]
    announced = speaks_of_date(header)
    if known.empty or not date_column(list(known), announced=announced):
        return None
    order = _order(known)
    read = known.map(lambda text: day_of_text(text, order or "dmy", announced))
    if read.notna().sum() < MOSTLY * len(known):
        return None
    found = read.reindex(texts.index)
    found = found.astype(object).where(found.notna(), None)
    wrong = [row for row in known.index if found[row] is None]
    between = any(_EITHER.fullmatch(_plain(text)) for text in known)
    return Days(found, wrong, between and order is None)


def speaks_of_date(header: str) -> bool:
    """Return whether a header announces dates."""
    words = set(fold(header).split())
    return bool(
        words & {"date", "datum", "fecha", "data", "dato", "am", "on", "tag", "opdatum"}
    ) or any(one in header for one in ("日期", "日付"))


def day_of_text(text: str, order: str = "dmy", announced: bool = False) -> str | None:
    """Return the day that a cell names as YYYYMMDD, None where it names none.

    Parameters
    ----------
    text : str
        The cell.
    order : {'dmy', 'mdy'}
        What comes first where strokes or dashes part day and month.
    announced : bool
        Whether five digits are Excel's count of days.
    """
    text = _plain(text)
    for pattern, places in (
        (_ISO, (0, 1, 2)), (_COMPACT, (0, 1, 2)), (_SIGNS, (0, 1, 2)), (_DOTTED, (2, 1, 0)),
        (_EITHER, (2, 1, 0) if order == "dmy" else (2, 0, 1)),
    ):  # fmt: skip
        if match := pattern.fullmatch(text):
            parts = match.groups()
            return _day(*(parts[place] for place in places))
    if match := _NAMED.fullmatch(text):
        return _day(match[3], month_of(fold(match[2])), match[1])
    if match := _MONTH_FIRST.fullmatch(text):
        return _day(match[3], month_of(fold(match[1])), match[2])
    if announced and (match := _SERIAL.fullmatch(text)):
        return f"{EPOCH + datetime.timedelta(days=int(match[1])):%Y%m%d}"
    return None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _order(known: pd.Series) -> str | None:
    """Return whether the day or the month comes first, None where nothing tells."""
    pairs = [match.groups() for text in known if (match := _EITHER.fullmatch(_plain(text)))]
    day_first = any(int(first) > 12 for first, _, _ in pairs)
    month_first = any(int(second) > 12 for _, second, _ in pairs)
    if day_first == month_first:
        return None
    return "dmy" if day_first else "mdy"


def _day(year: object, month: object, day: object) -> str | None:
    if month is None:
        return None
    number = int(year)
    if len(str(year)) == 2:
        number += 2000 if number <= datetime.date.today().year % 100 else 1900
    try:
        return f"{datetime.date(number, int(month), int(day)):%Y%m%d}"
    except ValueError:
        return None


def is_operation(column: Column) -> bool:
    """Return whether a header says that its date is that of the operation."""
    said = fold(column.header)
    return bool(OPERATION.search(said) or OPERATION.search(column.header.lower())) and not (
        NOT_OPERATION.search(said)
    )


def days_from(days: pd.Series, operated: pd.Series) -> tuple[pd.Series, list[int]]:
    """Return days from the operation as text, and the rows in which they are impossible.

    Parameters
    ----------
    days, operated : pandas.Series of str or None
        YYYYMMDD, on the same rows.
    """
    found: dict[int, str | None] = {}
    wrong = []
    for row in days.index:
        found[row] = None
        if days[row] is not None and operated[row] is not None:
            distance = (_date(days[row]) - _date(operated[row])).days
            if abs(distance) > FARTHEST:
                wrong.append(row)
            else:
                found[row] = str(distance)
    return pd.Series(found, dtype=object).reindex(days.index), wrong


def _date(day: str) -> datetime.date:
    return datetime.datetime.strptime(day, "%Y%m%d").date()


def one_day(days: Mapping[str, set[str]]) -> dict[str, str]:
    """Return the day of each patient who has one only."""
    return {patient: next(iter(several)) for patient, several in days.items() if len(several) == 1}
