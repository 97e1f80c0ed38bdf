"""Hide small counts, and as many others as it takes that nobody can compute them again.

A count below the limit is hidden. Its row and column sums give it back unless more is hidden
(complementary cells) [1]_. Which, is not guessed: for every hidden count an integer program finds
the least and the greatest value that agrees with all that is published, now and earlier; as long as
one of them has fewer than five possible values, one more count is hidden. The ranges are published
beside the table, so that anyone can see what the table still tells.

References
----------
.. [1] Hundepool A, et al. Statistical Disclosure Control. Wiley 2012, chapters 4 and 5 (cell
   suppression; the attacker's linear programs).
.. [2] Fischetti M, Salazar JJ. Models and algorithms for the 2-dimensional cell suppression
   problem in statistical disclosure control. Math Program 1999;84:283-312.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from pipeline.core.errors import StudyError

ALL = "all"
"""The value, and the group, that stand for the sum."""

FEWEST_VALUES = 5
"""Values that a hidden count must be able to have, for who knows everything published."""


class Cell(NamedTuple):
    """A count, and what may be done with it.

    Attributes
    ----------
    value : int
        The true count.
    patients : int
        Patients behind it; fewer than the limit makes the cell small.
    fixed : bool
        Whether it is published in any case, or was before: it cannot be hidden.
    difference : bool
        Whether nobody prints it: it is what two releases differ by, and counts as hidden.
    """

    value: int
    patients: int
    fixed: bool = False
    difference: bool = False


@dataclass
class System:
    """Counts, and the sums between them that everybody knows.

    Attributes
    ----------
    cells : dict of str to Cell
        By name.
    sums : list of (str, tuple of str)
        A count and the counts that it is the sum of.
    """

    cells: dict[str, Cell] = field(default_factory=dict)
    sums: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


class Range(NamedTuple):
    """Least and greatest value that agrees with everything published; `high` may be infinite."""

    low: float
    high: float

    @property
    def values(self) -> float:
        """Return how many whole numbers there are."""
        return self.high - self.low + 1


def protect(system: System, fewest: int) -> tuple[set[str], dict[str, Range]]:
    """Return which counts to hide, and what can still be known of each.

    Parameters
    ----------
    system : System
        Counts and their sums.
    fewest : int
        Patients from which on a count may be printed.

    Returns
    -------
    hidden : set of str
        Small counts, and the complementary ones.
    ranges : dict of str to Range
        Of every hidden count, and of every difference of two releases that is small, each with at
        least `FEWEST_VALUES` values.

    Raises
    ------
    StudyError
        If a small count is fixed, or no choice of hidden counts keeps one unknown.
    """
    cells = system.cells
    small = {name for name, cell in cells.items() if cell.patients < fewest}
    bare = sorted(name for name in small if cells[name].fixed)
    if bare:
        raise StudyError(
            f"A count that has to be printed must stand for at least {fewest} patients",
            found=bare[0],
            remedy="share results of more patients",
            code="shared-count-too-small",
        )
    needed = small | {name for name, cell in cells.items() if cell.difference}
    hidden = set(needed)
    while (name := _known_too_well(system, hidden, fewest)) is not None:
        hidden.add(_next_to_hide(system, hidden, name))
    # Some of what was hidden on the way is not needed any more; the largest counts tell most.
    for name in sorted(hidden - needed, key=lambda each: (-cells[each].value, each)):
        if _known_too_well(system, hidden - {name}, fewest) is None:
            hidden.discard(name)
    shown = {name for name in hidden if _is_guarded(cells[name], fewest)}
    ranges = {name: possible(system, hidden, name) for name in sorted(shown)}
    return {name for name in hidden if not cells[name].difference}, ranges


def _is_guarded(cell: Cell, fewest: int) -> bool:
    """Return whether a hidden count must stay unknown: all but large differences."""
    return not cell.difference or cell.patients < fewest


def _known_too_well(system: System, hidden: Collection[str], fewest: int) -> str | None:
    """Return a hidden count with fewer than `FEWEST_VALUES` values; None where there is none."""
    guarded = (name for name in sorted(hidden) if _is_guarded(system.cells[name], fewest))
    few = (name for name in guarded if possible(system, hidden, name).values < FEWEST_VALUES)
    return next(few, None)


def possible(system: System, hidden: Collection[str], name: str) -> Range:
    """Return what can be known of one count from all that are not hidden.

    Parameters
    ----------
    system : System
        Counts and their sums.
    hidden : collection of str
        Those that are not printed.
    name : str
        The count.
    """
    near = _connected(system, hidden, name)
    at = {each: place for place, each in enumerate(sorted(near))}
    left, right = [], []
    for total, parts in system.sums:
        if near.isdisjoint((total, *parts)):
            continue
        row, known = np.zeros(len(at)), 0.0
        for each, sign in [(total, -1.0), *((part, 1.0) for part in parts)]:
            if each in at:
                row[at[each]] += sign
            else:
                known += sign * system.cells[each].value
        left.append(row)
        right.append(-known)
    ends = []
    for sign in (1.0, -1.0):
        aim = np.zeros(len(at))
        aim[at[name]] = sign
        found = linprog(
            aim,
            A_eq=np.array(left) if left else None,
            b_eq=right or None,
            bounds=(0, None),
            integrality=np.ones(len(at)),
            method="highs",
        )
        # Counts that exist solve their own sums, so that only infinity ends without a solution.
        ends.append(sign * round(found.fun) if found.status == 0 else math.inf)
    return Range(ends[0], ends[1])


def _connected(system: System, hidden: Collection[str], name: str) -> set[str]:
    """Return the hidden counts that sums of hidden ones tie to one of them."""
    near, edge = {name}, [name]
    while edge:
        one = edge.pop()
        for total, parts in system.sums:
            members = (total, *parts)
            if one in members:
                new = {each for each in members if each in hidden} - near
                near |= new
                edge += new
    return near


def _next_to_hide(system: System, hidden: set[str], name: str) -> str:
    """Return the smallest count that may be hidden beside one that is known too well."""
    near = _connected(system, hidden, name)
    beside = {
        each
        for total, parts in system.sums
        if not near.isdisjoint((total, *parts))
        for each in (total, *parts)
        if each not in hidden and not system.cells[each].fixed
    }
    if beside:
        return min(beside, key=lambda each: (system.cells[each].value, each))
    raise StudyError(
        "A count below the limit must not be known from what is published with it, or was before",
        found=name,
        remedy="share the results again when more patients have been added, or leave out the "
        "column by --leave-out",
        code="shared-count-known",
    )


def crossed(values: pd.Series, groups: pd.Series, patients: pd.Series) -> tuple[System, dict]:
    """Return how many units have each value in each group, with all sums.

    Parameters
    ----------
    values : pandas.Series
        Text, one a unit.
    groups : pandas.Series
        Group of each unit.
    patients : pandas.Series
        Patient of each unit.

    Returns
    -------
    system : System
        Cells ``value|group``; the value and the group `ALL` are the sums. Those of the groups, and
        the total, are fixed.
    members : dict of str to frozenset
        Units of each cell.
    """
    system, members = System(), {}
    rows, columns = sorted(values.unique()), sorted(groups.unique())
    everybody = pd.Series(True, index=values.index)
    for row in (*rows, ALL):
        for column in (*columns, ALL):
            name = f"{row}|{column}"
            here = everybody if row == ALL else values == row
            here = here if column == ALL else here & (groups == column)
            system.cells[name] = Cell(int(here.sum()), patients[here].nunique(), row == ALL)
            members[name] = frozenset(values.index[here])
        system.sums.append((f"{row}|{ALL}", tuple(f"{row}|{column}" for column in columns)))
    for column in (*columns, ALL):
        system.sums.append((f"{ALL}|{column}", tuple(f"{row}|{column}" for row in rows)))
    return system, members
