"""One variable of table 1 on its way: its values by group, what was asked, what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:  # these load scipy.stats, and a study is validated at each start of Snakemake
    from pipeline.comparison.groups.effects import Effect
    from pipeline.comparison.groups.group_tests import GroupTest

LEVEL_OF_SIGNIFICANCE = 0.05
"""A variable whose P lies on both sides of it is listed."""

ROWS, PATIENTS, CLUSTERS = "rows", "patients", "rows, patients as clusters"
"""What a test counts as one independent observation."""

INDEPENDENT = "takes rows of one patient for independent"


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
class Rules:
    """What was asked for all variables: see `pipeline.comparison.table_one.table_one.table_one`."""

    test: str = "auto"
    normality: str = "shapiro"
    small_cells: str = "cochran"
    confidence: float = 0.95


@dataclass(frozen=True)
class Part:
    """A variable and the rows that count for it.

    Attributes
    ----------
    variable : Variable
        What is described.
    values : pandas.Series
        float64, or text (None where missing).
    members : tuple of numpy.ndarray of bool, each of shape (n_rows,)
        Which rows are of each group.
    groups : tuple of str
        Labels of the groups.
    columns : tuple of str
        Names of the groups' columns in the result.
    rules : Rules
        What was asked.
    named : str or None
        Test that was named beforehand for this variable and fits it.
    patients : numpy.ndarray or None
        Number of each row's patient, where these are clusters.
    """

    variable: Variable
    values: pd.Series
    members: tuple[np.ndarray, ...]
    groups: tuple[str, ...]
    columns: tuple[str, ...]
    rules: Rules
    named: str | None
    patients: np.ndarray | None

    def compared_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows have a value and a group, and the number of the group of each."""
        of = np.full(len(self.values), -1)
        for at, member in enumerate(self.members):
            of[member] = at
        rows = np.flatnonzero(self.values.notna().to_numpy() & (of >= 0))
        return rows, of[rows]

    def against_first(self, at: int) -> dict:
        """Return how an effect of a group is called: the first one is the reference."""
        groups = self.groups
        return {"variable": self.variable.column, "group": groups[at], "against": groups[0]}


def found_columns(found: GroupTest, part: Part, reason: str) -> dict:
    """Return the columns of a test that was done."""
    note = found.note
    if part.named and part.patients is not None:
        note = f"{note}; {INDEPENDENT}" if note else INDEPENDENT
    return {
        "test": found.test,
        "test_name": found.name,
        "statistic": found.statistic,
        "df": found.df,
        "df2": found.df2,
        "p_value": found.p,
        "chosen": "named" if part.named else "rule",
        "reason": "named beforehand" if part.named else reason,
        "note": note,
    }


def other_choices(row: dict, others: Sequence[GroupTest]) -> dict:
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


def difference_columns(effect: Effect) -> dict:
    """Return the columns of a difference."""
    names = ("effect", "difference", "difference_low", "difference_high")
    return dict(zip(names, effect, strict=True))


def ratio_columns(effect: Effect) -> dict:
    """Return the columns of a ratio."""
    return dict(zip(("ratio_name", "ratio", "ratio_low", "ratio_high"), effect, strict=True))


def standardised_columns(effect: Effect) -> dict:
    """Return the columns of a standardised difference."""
    names = ("standardised", "standardised_low", "standardised_high")
    return dict(zip(names, effect[1:], strict=True))


def code_text(value: float) -> str | None:
    """Return a number as a level is written: 1.0 as ``1``; None where missing."""
    return None if math.isnan(value) else f"{value:.15g}"
