"""Table 1: every variable described in total and by group, compared by a test that stands there.

A variable's test is named beforehand, or chosen by a rule that looks at no P value of a comparison
(`pipeline.comparison.groups.choice_of_test`). Beside it, every other test that one could defend is
done too, so that a finding that depends on the choice is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.comparison.groups.group_tests import COUNT_TESTS, fits
from pipeline.comparison.table_one.table_one_counts import EFFECT_COLUMNS, describe_counts
from pipeline.comparison.table_one.table_one_numbers import describe_numbers
from pipeline.comparison.table_one.table_one_parts import (
    CLUSTERS,
    PATIENTS,
    ROWS,
    Part,
    Rules,
    Variable,
)
from pipeline.core.errors import VertebromicsError

ROW_COLUMNS = (
    *("variable", "label", "unit", "compared", "summary", "n", "missing", "total", "range"),
    *("test", "test_name", "statistic", "df", "df2", "p_value", "chosen", "reason", "note"),
    *("effect", "difference", "difference_low", "difference_high"),
    *("ratio_name", "ratio", "ratio_low", "ratio_high"),
    *("standardised", "standardised_low", "standardised_high"),
    *("least_p", "least_p_test", "largest_p", "largest_p_test", "crosses"),
)
"""Columns of the rows, without those of the groups, which are called ``<by>=<group>``."""

EFFECTS = (
    *("variable", "level", "group", "against", *EFFECT_COLUMNS),
    *("standardised", "standardised_low", "standardised_high"),
)


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
    effects : pandas.DataFrame
        A row a variable, level (of counts) and group against the first: ``variable, level, group,
        against``, difference, odds ratio and standardised difference with their limits.
    groups : tuple of str
        Labels of the groups, in order.
    """

    rows: pd.DataFrame
    cells: pd.DataFrame
    effects: pd.DataFrame
    groups: tuple[str, ...]


def table_one(
    table: pd.DataFrame,
    variables: Sequence[Variable],
    by: str | None = None,
    groups: Sequence[str] = (),
    patients: pd.Series | None = None,
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
    patients : pandas.Series, optional
        Patient of each row, on the index of `table`; every row is independent without. A variable
        that is the same in all rows of each patient, in groups that are too, is described and
        compared with one row per patient; any other with patients as clusters.
    test : str
        ``auto``, or a key of `TEST_NAMES` for every variable that it fits and that names none of
        its own; a variable that it does not fit is compared by the rule.
    normality, small_cells : str
        Rules of `pipeline.comparison.groups.choice_of_test`.
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
            code="groups-too-few",
        )
    rules = Rules(test, normality, small_cells, confidence)
    known = None if patients is None else _patients(patients)
    of = table[by] if by is not None else pd.Series(None, index=table.index, dtype=object)
    names = tuple(f"{by}={group}" for group in groups)
    rows, cells, effects = [], [], []
    for variable in variables:
        row, described, found = _variable(
            table[variable.column], variable, of, groups, names, rules, known
        )
        rows.append(row)
        cells += described
        effects += found
    columns = [*ROW_COLUMNS[:8], *names, *ROW_COLUMNS[8:]]
    cell_columns = ["variable", "level", "group", "n", "count", "share", "mean", "sd"]
    cell_columns += ["median", "q1", "q3", "minimum", "maximum"]
    return TableOne(
        pd.DataFrame(rows, columns=columns),
        pd.DataFrame(cells, columns=cell_columns),
        pd.DataFrame(effects, columns=list(EFFECTS)),
        tuple(groups),
    )


def _patients(patients: pd.Series) -> pd.Series:
    """Return a number for each row's patient; a row without one is a patient of its own."""
    codes = pd.Series(pd.factorize(patients)[0], index=patients.index)
    alone = codes < 0
    return codes.mask(alone, codes.max() + 1 + alone.cumsum())


def _variable(
    values: pd.Series,
    variable: Variable,
    of: pd.Series,
    groups: Sequence[str],
    names: tuple[str, ...],
    rules: Rules,
    patients: pd.Series | None,
) -> tuple[dict, list[dict], list[dict]]:
    compared = ROWS
    if patients is not None:
        values, of, patients, compared = _independent(values, of, patients)
    named = _named(values, variable, rules, len(groups))
    counted = named in COUNT_TESTS if named else not variable.numbers or variable.as_counts
    part = Part(
        variable,
        values,
        tuple(np.asarray(of == group) for group in groups),
        tuple(groups),
        names,
        rules,
        named,
        None if patients is None else patients.to_numpy(),
    )
    row, cells, effects = (describe_counts if counted else describe_numbers)(part)
    known = values.notna()
    row.setdefault("crosses", False)
    row |= {"variable": variable.column, "label": variable.label, "unit": variable.unit}
    row |= {"n": int(known.sum()), "missing": int((~known).sum()), "compared": compared}
    return row, cells, effects


def _independent(
    values: pd.Series, of: pd.Series, patients: pd.Series
) -> tuple[pd.Series, pd.Series, pd.Series | None, str]:
    """Return one row a patient where value and group are the patient's own, else all rows."""
    both = pd.DataFrame({"value": values, "group": of}).groupby(patients, sort=False)
    if (both.nunique() > 1).any(axis=None):
        return values, of, patients, CLUSTERS
    first = both.first()
    value = first["value"].astype(values.dtype)
    return value, first["group"], None, PATIENTS


def _named(values: pd.Series, variable: Variable, rules: Rules, groups: int) -> str | None:
    """Return the test that was named beforehand, for this variable or for all that it fits."""
    levels, named = values.nunique(), variable.test
    if named and groups and not _fits(named, variable, levels, groups):
        kind = "numbers" if variable.numbers else "text"
        raise VertebromicsError(
            "A test named for a variable must fit it",
            found=f"{named} for {variable.column}: {kind}, {levels} values, {groups} groups",
            remedy="name another in the column `test` of the data dictionary, or leave it blank",
            code="test-misfits-variable",
        )
    # A code of two values is a category, unless its own row of the dictionary says otherwise.
    code = variable.as_counts and levels <= 2 and rules.test not in COUNT_TESTS
    if named or rules.test == "auto" or code:
        return named
    return rules.test if _fits(rules.test, variable, levels, groups) else None


def _fits(test: str, variable: Variable, levels: int, groups: int) -> bool:
    if test in COUNT_TESTS and variable.numbers and not variable.levels:
        return False
    if test == "trend" and test != variable.test and not (variable.ordered or levels <= 2):
        return False  # words without an order have no trend, unless the dictionary says so
    return fits(test, numbers=variable.numbers, levels=levels, groups=groups)
