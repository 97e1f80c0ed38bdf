"""Days that may leave the hospital: from surgery to the scan, and the order of enrolment.

A date identifies a person; a distance of days, or a rank, does not, and temporal validation needs
no more.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.core.problems import Problems
from pipeline.tables.files.sheets import read_sheet

_ISO = re.compile(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})(?:[T ]00:00:00)?")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


def surgery_dates(path: Path) -> dict[str, str]:
    """Read ``--dates``: a table with the columns ``patient_id`` and ``surgery_date``.

    Returns
    -------
    dict of str to str
        Original patient -> YYYYMMDD.

    Raises
    ------
    StudyError
        Naming the rows that hold no date, without quoting them.
    """
    sheet = read_sheet(path)
    problems = Problems("the table of dates")
    for column in ("patient_id", "surgery_date"):
        if column not in sheet:
            problems.add(
                f"The table of dates must have the column {column}",
                where=path.name,
                remedy="name its columns patient_id and surgery_date",
                code="column-missing",
            )
    problems.raise_if_any()
    found: dict[str, str] = {}
    for row, patient, text in zip(
        sheet.index, sheet["patient_id"], sheet["surgery_date"], strict=True
    ):
        day = None if text is None else day_of(text)
        if day is None or patient is None or found.get(patient, day) != day:
            problems.add(
                "The table of dates must give each patient one day of surgery",
                where=f"{path.name}, row {row}",
                remedy="write 2020-01-31, 20200131 or 31.01.2020; 01/02/2020 may be read two ways",
                code="surgery-day-ambiguous",
            )
        else:
            found[patient] = day
    problems.raise_if_any()
    return found


def day_of(text: str) -> str | None:
    """Return a date as YYYYMMDD, None where it is none or could be read two ways."""
    match = _ISO.fullmatch(text.strip())
    parts = match.groups() if match else None
    if match := _DOTTED.fullmatch(text.strip()):
        parts = match.groups()[::-1]
    if parts is None:
        return None
    try:
        return f"{datetime.date(*map(int, parts)):%Y%m%d}"
    except ValueError:
        return None


def days_between(start: str | None, end: str | None) -> int | None:
    """Return the days from one YYYYMMDD to another, None where one is unknown."""
    if start is None or end is None or day_of(start) is None or day_of(end) is None:
        return None
    first, last = (datetime.datetime.strptime(one, "%Y%m%d") for one in (start, end))
    return (last - first).days


def enrolment(entered: Mapping[str, str | None], unit: str) -> pd.DataFrame:
    """Return when each patient entered, without a date.

    Parameters
    ----------
    entered : Mapping
        Pseudonym -> day of surgery, or of the first scan; None where unknown.
    unit : {'rank', 'days'}
        Order of enrolment from 1, equal days sharing it; or days since the first patient.

    Returns
    -------
    pandas.DataFrame
        ``patient_id, enrolment``, sorted by patient; blank where unknown.
    """
    table = pd.DataFrame({"patient_id": sorted(entered)}, dtype=object)
    days = table["patient_id"].map(entered)
    if unit == "rank":
        numbers = days.rank(method="min")
    else:
        first = min((day for day in days if day), default=None)
        numbers = days.map(lambda day: days_between(first, day))
    table["enrolment"] = pd.to_numeric(numbers).astype("Int64")
    return table
