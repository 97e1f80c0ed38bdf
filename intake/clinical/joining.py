"""One row for each patient: rows that repeat one another, a row for each visit, several sheets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from intake.clinical.columns import Kept
from intake.clinical.days import read_days
from intake.clinical.naming import column_name
from intake.clinical.sheets import Sheet
from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.core.written.number_notation import is_number
from pipeline.core.written.spellings import plain_number, plain_word
from pipeline.study.draft.columns import Given, is_steady
from pipeline.study.draft.times import timing_around, timing_of
from pipeline.tables.files.sheets import rows_text
from pipeline.tables.identifying.checks import shown

SHORT_TIMES = {"preoperative": "preop", "intraoperative": "intraop", "postoperative": "postop"}

MOST_VISITS = 12
"""Different values of a column that may name visits."""

_WINDOW = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\s*=\s*(-?\d+)\s*(?:\.\.|to|bis|:)\s*(-?\d+)")


def windows_of(texts: list[str]) -> dict[str, tuple[int, int]]:
    """Return the visits of ``--visit NAME=FROM..TO``, in days from the operation.

    Raises
    ------
    StudyError
        If one is written otherwise, or two overlap.
    """
    found: dict[str, tuple[int, int]] = {}
    for text in texts:
        match = _WINDOW.fullmatch(text.strip())
        if match is None or int(match[2]) > int(match[3]):
            raise StudyError(
                "--visit must say a name and the days from the operation that count for it",
                found=shown(text),
                remedy="such as --visit day3=2..5 --visit day30=20..45",
                code="visit-invalid",
            )
        low, high = int(match[2]), int(match[3])
        clash = [name for name, (a, b) in found.items() if low <= b and a <= high]
        if clash or match[1] in found:
            raise StudyError(
                "The days of two visits must not overlap",
                found=listing([*clash, match[1]]),
                remedy="write --visit windows one behind the other, such as day3=2..5 day30=20..45",
                code="visits-overlap",
            )
        found[match[1]] = (low, high)
    return found


def one_row_each(
    sheet: Sheet,
    kept: list[Kept],
    paired: pd.Series,
    *,
    visits: pd.Series | None = None,
    times: Mapping[str, str] | None = None,
) -> list[Kept]:
    """Return the columns with one row for each patient, indexed by original patient.

    Parameters
    ----------
    sheet : Sheet
        For errors.
    kept : list of Kept
        Columns on the sheet's rows.
    paired : pandas.Series
        Original patient by row.
    visits : pandas.Series, optional
        Visit of each row, by which a column becomes one for each visit; a column whose values
        never differ within a patient stays one.
    times : mapping, optional
        Visit -> what its days from the operation say of the time: ``preop``, ``postop``.

    Raises
    ------
    StudyError
        If rows of one patient contradict each other, and no visit tells them apart.
    """
    wide: list[Kept] = []
    clashes: dict[str, list[str]] = {}
    rows_of_clashes: set[int] = set()
    for one in kept:
        values = one.values.loc[paired.index]
        if visits is None or not _differ(values, paired):
            merged, clash = _merged(values, paired)
            wide.append(replace(one, values=merged))
        else:
            clash = {}
            for visit in dict.fromkeys(visits.dropna()):
                rows = visits.index[visits == visit].intersection(paired.index)
                merged, each = _merged(values.loc[rows], paired.loc[rows])
                clash |= each
                if merged.notna().any():
                    wide.append(
                        replace(
                            one, values=merged, header=f"{one.header} {visit}", visit=visit,
                            context=((times or {}).get(visit) or visit, *one.context),
                        )
                    )  # fmt: skip
        if clash:
            clashes[one.header] = list(clash)
            rows_of_clashes |= {row for rows in clash.values() for row in rows}
    if clashes:
        raise _several_rows(sheet, clashes, rows_of_clashes, paired, with_visits=visits is not None)
    return wide


def window_times(windows: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """Return what the days of visits say of the time.

    >>> window_times({"early": (2, 5), "before": (-9, 0), "about": (-2, 9)})
    {'early': 'postop', 'before': 'preop', 'about': ''}
    """
    return {
        visit: "postop" if low > 0 else "preop" if high <= 0 else ""
        for visit, (low, high) in windows.items()
    }


def rows_taken_as_one(
    sheet: Sheet, kept: list[Kept], paired: pd.Series, visits: pd.Series | None = None
) -> list[tuple[int, str]]:
    """Return the rows that are one with an earlier row of their patient and visit, and how.

    Parameters
    ----------
    sheet : Sheet
        The sheet.
    kept : list of Kept
        Columns on the sheet's rows; none contradicts another row (`one_row_each`).
    paired : pandas.Series
        Original patient by row.
    visits : pandas.Series, optional
        Visit of each row.
    """
    who = paired.to_frame("who")
    who["visit"] = "" if visits is None else visits.reindex(paired.index).fillna("")
    found = []
    for _, rows in who.groupby(["who", "visit"], sort=False).groups.items():
        first, *others = rows
        cells = sheet.cells.loc[first].map(_plain, na_action="ignore")
        known = {at: one.values[first] for at, one in enumerate(kept)}
        for row in others:
            again = sheet.cells.loc[row].map(_plain, na_action="ignore")
            new = [at for at, one in enumerate(kept) if known[at] is None and one.values[row]]
            known |= {at: kept[at].values[row] for at in new}
            why = f"a further row of the patient of row {first}; "
            if ((again == cells) | (again.isna() & cells.isna())).all():
                why = f"row {first} once more, entered twice: taken once"
            elif new:
                why += f"fills {len(new)} blank cells of it and contradicts none: taken as one row"
            else:
                why += "says nothing else of what the study takes: taken as one row"
            found.append((int(row), why))
    return sorted(found)


def _differ(values: pd.Series, paired: pd.Series) -> bool:
    return bool((values.map(_plain, na_action="ignore").groupby(paired).nunique() > 1).any())


def _merged(values: pd.Series, paired: pd.Series) -> tuple[pd.Series, dict[str, list[int]]]:
    """Return the one value of each patient, and the rows of those who have several."""
    found: dict[str, str | None] = {}
    clashes: dict[str, list[int]] = {}
    for patient, rows in paired.groupby(paired, sort=False).groups.items():
        told: dict[str, str] = {}
        for row in rows:
            if values[row] is not None:
                told.setdefault(_plain(values[row]), values[row])
        found[patient] = next(iter(told.values()), None)
        if len(told) > 1:
            clashes[patient] = [row for row in rows if values[row] is not None]
    return pd.Series(found, dtype=object), clashes


def _plain(text: str) -> str:
    return plain_number(text) if is_number(text) else plain_word(text)


def _several_rows(
    sheet: Sheet, clashes: Mapping[str, list[str]], rows: set[int], paired: pd.Series, *,
    with_visits: bool,
) -> StudyError:  # fmt: skip
    patients = {patient for several in clashes.values() for patient in several}
    remedy = "keep one of the rows, or correct the cells that differ"
    named = [] if with_visits else visit_columns(sheet, paired)
    dates = [] if with_visits else _date_columns(sheet, paired)
    words = [name for name in named if not all(map(is_number, sheet.cells[name].dropna()))]
    if words or (named and not dates):
        remedy = (
            f"if a row is a visit, add --visits '{(words or named)[0]}': its values tell the rows "
            f"of each patient apart. Otherwise {remedy}"
        )
    elif dates:
        remedy = (
            f"if a row is a visit, add --visits '{dates[0]}' and say which days count for which "
            f"visit, such as --visit day3=2..5 --visit day30=20..45. Otherwise {remedy}"
        )
    return StudyError(
        "Rows of one patient must agree, or a rule must say which visit each row is",
        found=f"{len(patients)} patients whose rows differ in {listing(map(shown, clashes), 6)}",
        where=f"{sheet.where}, {rows_text(rows)}",
        remedy=remedy,
        code="visits-disagree",
    )


def visit_columns(sheet: Sheet, paired: pd.Series) -> list[str]:
    """Return the columns that tell the rows of each patient apart, with few values."""
    found = []
    for column in sheet.columns:
        values = sheet.cells[column.name].loc[paired.index]
        distinct = values.dropna().nunique()
        together = pd.DataFrame({"who": paired, "visit": values.map(_plain, na_action="ignore")})
        if (
            2 <= distinct <= MOST_VISITS
            and values.notna().all()
            and not together.duplicated().any()
            and read_days(values, column.header) is None
        ):
            found.append(column.name)
    return found


def _date_columns(sheet: Sheet, paired: pd.Series) -> list[str]:
    found = []
    for column in sheet.columns:
        values = sheet.cells[column.name].loc[paired.index]
        read = read_days(values, column.header)
        if (
            read is not None
            and not pd.DataFrame({"who": paired, "day": read.days}).duplicated().any()
        ):
            found.append(column.name)
    return found


def visits_of(
    sheet: Sheet,
    name: str,
    distance: pd.Series | None,
    windows: Mapping[str, tuple[int, int]],
) -> tuple[pd.Series, list[int]]:
    """Return the visit of each row, and the rows of no visit.

    Parameters
    ----------
    sheet : Sheet
        The sheet.
    name : str
        Column that names visits, or is their date.
    distance : pandas.Series or None
        Days from the operation by row, where the column is one of dates.
    windows : mapping
        Visit -> first and last day, from `windows_of`.

    Raises
    ------
    StudyError
        If dates are given without windows.
    """
    if distance is None:
        spelled: dict[str, str] = {}
        visits = sheet.cells[name].map(
            lambda text: spelled.setdefault(plain_word(text), text), na_action="ignore"
        )
        visits = visits.astype(object).where(visits.notna(), None)
        return visits, [row for row in visits.index if visits[row] is None]
    if not windows:
        raise StudyError(
            "Visits that are told apart by their dates need the days that count for each",
            where=f"{sheet.where}, column {shown(name)}",
            remedy="add the days from the operation, such as --visit day3=2..5 "
            "--visit day30=20..45",
            code="visit-days-missing",
        )
    found: dict[int, str | None] = {}
    for row, text in distance.items():
        meant = [
            visit for visit, (low, high) in windows.items() if text and low <= int(text) <= high
        ]
        found[row] = next(iter(meant), None)
    visits = pd.Series(found, dtype=object)
    return visits, [row for row in visits.index if visits[row] is None]


def joined(sheets: list[tuple[Sheet, list[Kept]]]) -> dict[str, Kept]:
    """Return the columns of several sheets side by side, by the names that the study gives them.

    A column that two sheets have is one where their values agree, and where no patient's value of
    one time would be filled from a sheet of another; else each gets its sheet's time or number
    behind its name.

    Parameters
    ----------
    sheets : list of (Sheet, list of Kept)
        The columns of each, indexed by original patient.
    """
    patients = pd.Index(
        dict.fromkeys(p for _, kept in sheets for one in kept for p in one.values.index),
        dtype=object,
    )
    by_header: dict[str, list[tuple[int, Kept]]] = {}
    for number, (_, kept) in enumerate(sheets):
        for one in kept:
            by_header.setdefault(plain_word(one.header), []).append((number, one))
    found: dict[str, Kept] = {}
    taken: set[str] = set()
    for several in by_header.values():
        columns = [one.values.reindex(patients) for _, one in several]
        columns = [one.where(one.notna(), None) for one in columns]
        times = [_time_of(one) for _, one in several]
        one = _as_one([one for _, one in several], columns, times)
        if one is not None:
            found[column_name(one.header, taken)] = one
            continue
        for (number, one), values, time in zip(several, columns, times, strict=True):
            header = f"{one.header} {time or number + 1}"
            again = replace(one, header=header, values=values, visit=one.visit or str(number + 1))
            found[column_name(header, taken)] = again
    return found


def _time_of(one: Kept) -> str:
    time = timing_of(one.header) or timing_around(*one.context)
    return SHORT_TIMES[time[0]] if time else ""


def _as_one(several: list[Kept], columns: list[pd.Series], times: list[str]) -> Kept | None:
    """Return what several sheets say of one thing as one column; None where they must stay apart.

    What is of several times is one only where a sheet of the earliest of them says all of it.
    """
    if not _agree(columns):
        return None
    if len(set(times)) == 1 or is_steady(Given("", several[0].header, columns[0])):
        return replace(several[0], values=_filled(columns))
    earliest = next(one for one in ("preop", "intraop", "", "postop") if one in times)
    members = [at for at, one in enumerate(times) if one == earliest]
    values = _filled([columns[at] for at in members])
    if (values.notna() == _filled(columns).notna()).all():
        return replace(several[members[0]], values=values)
    return None


def _filled(columns: list[pd.Series]) -> pd.Series:
    values = columns[0]
    for other in columns[1:]:
        values = values.where(values.notna(), other)
    return values.astype(object).where(values.notna(), None)


def _agree(columns: list[pd.Series]) -> bool:
    table = pd.DataFrame(
        {at: one.map(_plain, na_action="ignore") for at, one in enumerate(columns)}
    )
    return bool((table.nunique(axis=1) <= 1).all())
