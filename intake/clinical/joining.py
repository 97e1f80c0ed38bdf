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
from pipeline.core.written.notation import is_number
from pipeline.core.written.spellings import plain_number, plain_word
from pipeline.tables.files.sheets import rows_text
from pipeline.tables.identifying.checks import shown

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
                            context=f"{visit} {one.context}",
                        )
                    )  # fmt: skip
        if clash:
            clashes[one.header] = list(clash)
            rows_of_clashes |= {row for rows in clash.values() for row in rows}
    if clashes:
        raise _several_rows(sheet, clashes, rows_of_clashes, paired, with_visits=visits is not None)
    return wide


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


def joined(sheets: list[tuple[Sheet, list[Kept]]], times: list[str]) -> dict[str, Kept]:
    """Return the columns of several sheets side by side, by the names that the study gives them.

    A column that two sheets have is one where their values agree; where they do not, each gets its
    sheet's time or number behind its name.

    Parameters
    ----------
    sheets : list of (Sheet, list of Kept)
        The columns of each, indexed by original patient.
    times : list of str
        What each sheet is of: ``preop``, ``postop``, or nothing.
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
        if len(several) == 1 or _agree(columns):
            values = columns[0]
            for other in columns[1:]:
                values = values.where(values.notna(), other)
            values = values.astype(object).where(values.notna(), None)
            first = several[0][1]
            found[column_name(first.header, taken)] = replace(first, values=values)
            continue
        for (number, one), values in zip(several, columns, strict=True):
            header = f"{one.header} {times[number] or number + 1}"
            found[column_name(header, taken)] = replace(one, header=header, values=values)
    return found


def _agree(columns: list[pd.Series]) -> bool:
    table = pd.DataFrame(
        {at: one.map(_plain, na_action="ignore") for at, one in enumerate(columns)}
    )
    return bool((table.nunique(axis=1) <= 1).all())
