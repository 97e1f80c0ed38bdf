"""Table 1: every variable described in total and by group, compared by a test that stands there.

A variable's test is named beforehand, or chosen by a rule that looks at no P value of a comparison
(`pipeline.comparison.choice_of_test`). Beside it, every other test that one could defend is done
too, so that a finding that depends on the choice is seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.comparison import effects, summaries
from pipeline.comparison.choice_of_test import choose_for_counts, choose_for_numbers
from pipeline.comparison.fisher_exact import MAX_PATHS, TooManyTablesError
from pipeline.comparison.group_tests import (
    BY_MEANS,
    COUNT_TESTS,
    TEST_NAMES,
    GroupTest,
    count_test,
    fits,
    number_test,
)
from pipeline.core.errors import VertebromicsError

LEVEL_OF_SIGNIFICANCE = 0.05
"""A variable whose P lies on both sides of it is listed."""

BESIDE_PATHS = 300_000
"""Work that Fisher's exact test may take where it only stands beside another (about a second)."""

ROW_COLUMNS = (
    *("variable", "label", "unit", "summary", "n", "missing", "total", "range"),
    *("test", "test_name", "statistic", "df", "df2", "p_value", "chosen", "reason", "note"),
    *("effect", "difference", "difference_low", "difference_high"),
    *("ratio_name", "ratio", "ratio_low", "ratio_high"),
    *("standardised", "standardised_low", "standardised_high"),
    *("least_p", "least_p_test", "largest_p", "largest_p_test", "crosses"),
)
"""Columns of the rows, without those of the groups, which are called ``<by>=<group>``."""


@dataclass(frozen=True)
class Variable:
    """A column to be described and compared.

    Attributes
    ----------
    column, label : str
        Its name in the table and in words.
    numbers : bool
        Whether it holds numbers (float64); text otherwise.
    levels : tuple of str
        Levels of text, in their order. Numbers have none, unless `as_counts`.
    unit : str or None
        Unit of numbers.
    ordered : bool
        Whether the levels have an order, so that a trend may be looked for.
    as_counts : bool
        Whether numbers are described by how often each occurs, unless a test of numbers is named.
    by_ranks : bool
        Whether numbers are grades: the rule compares them by ranks.
    test : str or None
        Test that was named beforehand; chosen by rule where None.
    """

    column: str
    label: str
    numbers: bool = False
    levels: tuple[str, ...] = ()
    unit: str | None = None
    ordered: bool = False
    as_counts: bool = False
    by_ranks: bool = False
    test: str | None = None


@dataclass(frozen=True)
class TableOne:
    """What `table_one` returns.

    Attributes
    ----------
    rows : pandas.DataFrame
        A row a variable (`ROW_COLUMNS`, and a column of text for each group).
    cells : pandas.DataFrame
        A row a variable, level and group (blank: total), unrounded: ``variable, level, group, n,
        count, share, mean, sd, median, q1, q3, minimum, maximum``.
    groups : tuple of str
        Labels of the groups, in order.
    """

    rows: pd.DataFrame
    cells: pd.DataFrame
    groups: tuple[str, ...]


def table_one(
    table: pd.DataFrame,
    variables: Sequence[Variable],
    by: str | None = None,
    groups: Sequence[str] = (),
    *,
    test: str = "auto",
    normality: str = "shapiro",
    small_cells: str = "cochran",
    confidence: float = 0.95,
) -> TableOne:
    """Describe variables in total and by group, and compare the groups.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per unit; numbers as float64, all else as text (None where missing).
    variables : sequence of Variable
        What is described, in order.
    by : str, optional
        Column of text that names the group of a unit; nothing is compared without. Units of no
        group count in the total only.
    groups : sequence of str
        Values of `by`, in the order of their columns; the first is the reference of effects.
    test : str
        ``auto``, or a key of `TEST_NAMES` for every variable that it fits and that names none of
        its own; a variable that it does not fit is compared by the rule.
    normality, small_cells : str
        Rules of `pipeline.comparison.choice_of_test`.
    confidence : float
        Level of the intervals.

    Raises
    ------
    VertebromicsError
        If a variable names a test that does not fit it, or there is one group only.
    """
    if by is not None and len(groups) < 2:
        raise VertebromicsError(
            "A table by groups must have at least two groups",
            found=f"{by}: {', '.join(groups) or 'no value'}",
            remedy="name another column with --by, or leave it out to describe all units",
        )
    members = [np.asarray(table[by] == group) for group in groups] if by is not None else []
    rules = _Rules(test, normality, small_cells, confidence)
    rows, cells = [], []
    for variable in variables:
        row, described = _variable(table[variable.column], variable, by, groups, members, rules)
        rows.append(row)
        cells += described
    columns = [*ROW_COLUMNS[:7], *(f"{by}={group}" for group in groups), *ROW_COLUMNS[7:]]
    cell_columns = ["variable", "level", "group", "n", "count", "share", "mean", "sd"]
    cell_columns += ["median", "q1", "q3", "minimum", "maximum"]
    return TableOne(
        pd.DataFrame(rows, columns=columns),
        pd.DataFrame(cells, columns=cell_columns),
        tuple(groups),
    )


@dataclass(frozen=True)
class _Rules:
    test: str
    normality: str
    small_cells: str
    confidence: float


def _variable(
    values: pd.Series,
    variable: Variable,
    by: str | None,
    groups: Sequence[str],
    members: Sequence[np.ndarray],
    rules: _Rules,
) -> tuple[dict, list[dict]]:
    levels, named = values.nunique(), variable.test
    if named and not _fits(named, variable, levels, len(groups)):
        kind = "text" if not variable.numbers else "numbers"
        raise VertebromicsError(
            "A test named for a variable must fit it",
            found=f"{named} for {variable.column}: {kind}, {levels} values, {len(groups)} groups",
            remedy="name another in the column `test` of the data dictionary, or leave it blank",
        )
    # A code of two values is a category, unless its own row of the dictionary says otherwise.
    code = variable.as_counts and levels <= 2 and rules.test not in COUNT_TESTS
    if not named and rules.test != "auto" and not code:
        named = rules.test if _fits(rules.test, variable, levels, len(groups)) else None
    counted = named in COUNT_TESTS if named else not variable.numbers or variable.as_counts
    describe = _counts if counted else _numbers
    row, cells = describe(values, variable, by, groups, members, rules, named)
    known = values.notna()
    row.setdefault("crosses", False)
    row |= {"variable": variable.column, "label": variable.label, "unit": variable.unit}
    row |= {"n": int(known.sum()), "missing": int((~known).sum())}
    return row, cells


def _fits(test: str, variable: Variable, levels: int, groups: int) -> bool:
    if test in COUNT_TESTS and variable.numbers and not variable.levels:
        return False
    if test == "trend" and test != variable.test and not (variable.ordered or levels <= 2):
        return False  # words without an order have no trend, unless the dictionary says so
    return fits(test, numbers=variable.numbers, levels=levels, groups=groups)


def _numbers(
    values: pd.Series,
    variable: Variable,
    by: str | None,
    groups: Sequence[str],
    members: Sequence[np.ndarray],
    rules: _Rules,
    named: str | None,
) -> tuple[dict, list[dict]]:
    every = values.to_numpy(dtype=float)
    samples = [every[of] for of in members]
    samples = [sample[~np.isnan(sample)] for sample in samples]
    every = every[~np.isnan(every)]
    reason = "named beforehand"
    if named:
        test = named
    elif variable.by_ranks:
        test = "mann-whitney" if len(samples) == 2 else "kruskal"
        reason = "grades are compared by ranks"
    else:
        test, reason = choose_for_numbers(samples or [every], rules.normality)
    by_means = test in BY_MEANS
    digits = summaries.decimals(every) if by_means else summaries.digits_of_medians(every)
    texts = (summaries.means if by_means else summaries.medians)([every, *samples], digits)
    row = {"summary": "mean ± SD" if by_means else "median [Q1, Q3]", "total": texts[0]}
    row |= {f"{by}={group}": text for group, text in zip(groups, texts[1:], strict=True)}
    row["range"] = summaries.value_range(every, summaries.digits_of_range(every, digits))
    if samples:
        row |= _found(number_test(samples, test), named, reason)
        beside = [one for one in _BESIDE[len(samples) == 2] if one != test]
        row |= _other_choices(row, [number_test(samples, one) for one in beside])
    if len(samples) == 2:
        row |= _number_effects(*samples, test, rules.confidence)
    cells = []
    for group, sample in zip([None, *groups], [every, *samples], strict=True):
        cell = {"variable": variable.column, "group": group, "n": len(sample)}
        if len(sample):
            q1, median, q3 = np.percentile(sample, [25, 50, 75])
            sd = float(sample.std(ddof=1)) if len(sample) > 1 else np.nan
            cell |= {"mean": float(sample.mean()), "sd": sd, "median": median, "q1": q1, "q3": q3}
            cell |= {"minimum": float(sample.min()), "maximum": float(sample.max())}
        cells.append(cell)
    return row, cells


_BESIDE = {
    True: ("pooled-t", "welch-t", "mann-whitney"),
    False: ("anova", "welch-anova", "kruskal"),
}
"""Tests of numbers that one could defend, of two groups and of more."""


def _number_effects(first: np.ndarray, second: np.ndarray, test: str, confidence: float) -> dict:
    if test in BY_MEANS:
        pooled = test in ("pooled-t", "anova")
        shift = effects.difference_of_means(first, second, pooled=pooled, confidence=confidence)
    else:
        shift = effects.hodges_lehmann(first, second, confidence)
    standardised = effects.standardised_difference(first, second, confidence)
    return _difference(shift) | _standardised(standardised)


def _counts(
    values: pd.Series,
    variable: Variable,
    by: str | None,
    groups: Sequence[str],
    members: Sequence[np.ndarray],
    rules: _Rules,
    named: str | None,
) -> tuple[dict, list[dict]]:
    levels = variable.levels or tuple(sorted(values.dropna().unique()))
    texts = values.map(code_text) if variable.numbers else values
    every = np.array([int((texts == level).sum()) for level in levels], dtype=int)
    counts = np.array(
        [[int((texts[of] == level).sum()) for of in members] for level in levels], dtype=int
    ).reshape(len(levels), len(members))
    row = {"summary": "n (%)", "total": _level_counts(every)}
    row |= {f"{by}={group}": _level_counts(counts[:, at]) for at, group in enumerate(groups)}
    if members:
        row |= _count_test(counts, variable, levels, groups, rules, named)
    if len(members) == 2:
        row |= _count_effects(counts, rules.confidence)
    cells = []
    for at, group in enumerate([None, *groups]):
        column = every if group is None else counts[:, at - 1]
        whole = int(column.sum())
        for level, part in zip(levels, column, strict=True):
            cell = {"variable": variable.column, "level": level, "group": group, "n": whole}
            share = part / whole if whole else np.nan
            cells.append(cell | {"count": int(part), "share": share})
    return row, cells


def _level_counts(column: np.ndarray) -> str:
    """Return the count of the second of two levels, or of all levels one after the other."""
    whole = int(column.sum())
    if len(column) == 2:
        return summaries.count(int(column[1]), whole)
    return "; ".join(summaries.count(int(part), whole) for part in column)


def _count_test(
    counts: np.ndarray,
    variable: Variable,
    levels: Sequence[str],
    groups: Sequence[str],
    rules: _Rules,
    named: str | None,
) -> dict:
    scores = {"level_scores": _scores(levels), "group_scores": _scores(groups)}
    test, reason = named, "named beforehand"
    if not named:
        test, reason = choose_for_counts(counts, rules.small_cells)
    try:
        found = count_test(counts, test, max_paths=MAX_PATHS, **scores)
    except TooManyTablesError:
        if named:
            raise VertebromicsError(
                "Fisher's exact test must have few enough tables to look at",
                found=f"{variable.column}: {counts.shape[0]} levels in {counts.shape[1]} groups, "
                f"n = {counts.sum()}",
                remedy="name another test for this variable, such as `pearson` in the column "
                "`test` of the data dictionary",
            ) from None
        found = count_test(counts, "pearson")
        note = (
            "approximate: expected counts are small, and the table is too large for an exact test"
        )
        found = replace(found, note=note)
    row = _found(found, named, reason)
    shape = (int((counts.sum(axis=1) > 0).sum()), int((counts.sum(axis=0) > 0).sum()))
    beside = ["pearson", "likelihood-ratio", "fisher"]
    beside += ["yates"] if shape == (2, 2) else []
    beside += ["trend"] if variable.ordered and max(shape) > 2 else []
    others = []
    for one in beside:
        if one == found.test:
            continue
        try:
            others.append(count_test(counts, one, max_paths=BESIDE_PATHS, **scores))
        except TooManyTablesError:
            continue
    return row | _other_choices(row, others)


def _scores(levels: Sequence[str]) -> list[float]:
    """Return the numbers that levels are, or their places."""
    try:
        return [float(level) for level in levels]
    except ValueError:
        return [float(place) for place in range(len(levels))]


def _count_effects(counts: np.ndarray, confidence: float) -> dict:
    effect: dict = {}
    if len(counts) == 2:
        events, totals = tuple(map(int, counts[1])), tuple(map(int, counts.sum(axis=0)))
        shift = effects.difference_of_shares(events, totals, confidence)
        ratio = effects.odds_ratio(events, totals, confidence)
        effect = _difference(shift) | {
            "ratio_name": ratio.name,
            "ratio": ratio.value,
            "ratio_low": ratio.low,
            "ratio_high": ratio.high,
        }
    return effect | _standardised(effects.standardised_difference_of_levels(counts, confidence))


def _found(found: GroupTest, named: str | None, reason: str) -> dict:
    return {
        "test": found.test,
        "test_name": found.name,
        "statistic": found.statistic,
        "df": found.df,
        "df2": found.df2,
        "p_value": found.p,
        "chosen": "named" if named else "rule",
        "reason": reason,
        "note": found.note,
    }


def _other_choices(row: dict, others: Sequence[GroupTest]) -> dict:
    """Return the least and the largest P of the tests that one could defend."""
    found = [(row["p_value"], row["test"]), *((other.p, other.test) for other in others)]
    found = [each for each in found if not math.isnan(each[0])]
    if not found:
        return {"crosses": False}
    (least, least_test), (largest, largest_test) = min(found), max(found)
    return {
        "least_p": least,
        "least_p_test": least_test,
        "largest_p": largest,
        "largest_p_test": largest_test,
        "crosses": least < LEVEL_OF_SIGNIFICANCE <= largest,
    }


def _difference(effect: effects.Effect) -> dict:
    names = ("effect", "difference", "difference_low", "difference_high")
    return dict(zip(names, effect, strict=True))


def _standardised(effect: effects.Effect) -> dict:
    names = ("standardised", "standardised_low", "standardised_high")
    return dict(zip(names, effect[1:], strict=True))


def code_text(value: float) -> str | None:
    """Return a number as a level is written: 1.0 as ``1``; None where missing."""
    return None if math.isnan(value) else f"{value:.15g}"


__all__ = ["TEST_NAMES", "TableOne", "Variable", "code_text", "table_one"]
