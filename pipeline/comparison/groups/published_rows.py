"""Rows of a published table 1: which test gives the P that a paper prints.

A paper prints counts, or means and standard deviations, rounded. Every test that its numbers allow
is done on them, over all that the rounding leaves open, and compared with the printed P.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd

from pipeline.comparison.groups.fisher_exact import TooManyTablesError
from pipeline.comparison.groups.group_tests import (
    BY_MEANS,
    COUNT_TESTS,
    GroupTest,
    count_test,
    fits,
    summary_test,
)
from pipeline.core.errors import VertebromicsError

COLUMNS = (
    *("variable", "test", "test_name", "statistic", "df", "df2", "p_value"),
    *("p_low", "p_high", "printed_p", "fits"),
)

_PRINTED = re.compile(r"\s*(?:[Pp]\s*)?([<>=]?)\s*(0?\.\d+|1(?:\.0+)?|0)\s*")


def published_tests(table: pd.DataFrame) -> pd.DataFrame:
    """Do every possible test of published rows.

    Parameters
    ----------
    table : pandas.DataFrame
        Text. Counts: a row a variable, level and group, columns ``variable, level, group, count``.
        Means: a row a variable and group, columns ``variable, group, n, mean, sd``. ``printed_p``
        may stand in any row of a variable, as printed (``.029``, ``<0.001``). Groups and levels
        count in the order in which they stand.

    Returns
    -------
    pandas.DataFrame
        A row a variable and test (`COLUMNS`). `p_low` and `p_high` are the ends of what the
        rounding of means and deviations leaves open; `fits` says whether the printed P lies there,
        within its own rounding (missing where none is printed).

    Raises
    ------
    VertebromicsError
        If a variable has neither counts of every level and group, nor n, mean and sd of every
        group.
    """
    rows: list[dict] = []
    for variable, of in table.groupby("variable", sort=False):
        printed = next(iter(of["printed_p"].dropna()), None) if "printed_p" in of else None
        for found, low, high in _tests(str(variable), of):
            row = {"variable": variable, "test": found.test, "test_name": found.name}
            row |= {"statistic": found.statistic, "df": found.df, "df2": found.df2}
            row |= {"p_value": found.p, "p_low": low, "p_high": high, "printed_p": printed}
            rows.append(
                row | {"fits": None if printed is None else printed_fits(printed, low, high)}
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def printed_fits(printed: str, low: float, high: float) -> bool:
    """Tell whether a printed P is one of those from `low` to `high`, rounded.

    Examples
    --------
    >>> printed_fits(".029", 0.0291, 0.0291), printed_fits("<0.001", 0.0004, 0.0004)
    (True, True)
    >>> printed_fits(".132", 0.363, 0.363)
    False
    """
    match = _PRINTED.fullmatch(str(printed))
    if match is None:
        raise VertebromicsError(
            "A printed P must be a number from 0 to 1, with < or > before it or not",
            found=printed,
            remedy="write it as .029 or <0.001; for words, such as n.s., write >.05 or leave the "
            "cell blank",
            code="published-p-invalid",
        )
    sign, value = match[1], float(match[2])
    if sign == "<":
        return low < value
    if sign == ">":
        return high > value
    half = 0.5 * 10.0 ** -len(match[2].partition(".")[2])
    # Rounded, or cut off: papers do both.
    return low < value + 2 * half and high >= value - half


def _tests(variable: str, of: pd.DataFrame) -> Iterator[tuple[GroupTest, float, float]]:
    """Yield each test with the least and largest P that rounding leaves open."""
    if "count" in of and of["count"].notna().all():
        counts = _counts(variable, of)
        for test in COUNT_TESTS:
            if fits(test, numbers=False, levels=counts.shape[0], groups=counts.shape[1]):
                try:
                    found = count_test(counts, test)
                except TooManyTablesError:
                    continue
                yield found, found.p, found.p
        return
    names = ("n", "mean", "sd")
    if not all(name in of and of[name].notna().all() for name in names) or len(of) < 2:
        raise _incomplete(variable)
    n = [_number(variable, text) for text in of["n"]]
    rounded = [(_number(variable, text), _half(text)) for name in names[1:] for text in of[name]]
    middle = (0,) if len(of) == 2 else ()  # the ends alone where groups are many
    ends = [[value + half * at for at in (-1, *middle, 1)] for value, half in rounded]
    corners = [corner for corner in product(*ends) if min(_halves(corner)[1]) > 0]
    for test in BY_MEANS:
        if fits(test, numbers=True, levels=len(of) + 1, groups=len(of)):
            found = summary_test(n, *_halves([value for value, _ in rounded]), test)
            p = [found.p, *(summary_test(n, *_halves(corner), test).p for corner in corners)]
            yield found, min(p), max(p)


def _halves(values: list[float] | tuple[float, ...]) -> tuple[list[float], list[float]]:
    """Return means and deviations, which stand one behind the other."""
    middle = len(values) // 2
    return list(values[:middle]), list(values[middle:])


def _counts(variable: str, of: pd.DataFrame) -> np.ndarray:
    if "level" not in of or of["level"].isna().any() or of.duplicated(["level", "group"]).any():
        raise _incomplete(variable)
    levels, groups = (list(dict.fromkeys(of[name])) for name in ("level", "group"))
    table = of.pivot(index="level", columns="group", values="count").loc[levels, groups]
    if table.isna().any(axis=None) or min(table.shape) < 2:
        raise _incomplete(variable)
    return np.array([[_number(variable, text) for text in row] for row in table.to_numpy()])


def _number(variable: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise VertebromicsError(
            "Published rows must hold numbers",
            found=text,
            where=f"variable {variable}",
            remedy="write the number alone, such as 72.23, without a unit or its deviation",
            code="published-value-not-a-number",
        )
    return value


def _half(text: str) -> float:
    """Return half of the last digit that was printed."""
    return 0.5 * 10.0 ** -len(str(text).strip().partition(".")[2])


def _incomplete(variable: str) -> VertebromicsError:
    return VertebromicsError(
        "A published variable must have a count of every level in every group, or n, mean and sd "
        "of every group",
        where=f"variable {variable}",
        remedy="write a row for each level and group, with a count of 0 where nobody is; of a "
        "number, write n, mean and sd of each group",
        code="published-row-incomplete",
    )
