"""What a study says of its patients in numbers of groups: table 1, parts, flow, missing values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from deployment.sharing.suppression import ALL, Cell, System, crossed

EVENT, NONE = "event", "no event"
GROUPS = (EVENT, NONE)

KNOWN, MISSING = "known", "missing"

QUANTILES = {"p25": 0.25, "median": 0.5, "p75": 0.75}

DIGITS = 3
"""Significant digits of means and percentiles."""


class Table(NamedTuple):
    """A table of counts that belongs together.

    Attributes
    ----------
    title, name : str
        Of the column, for people and for programs.
    system : System
        Its counts.
    members : dict of str to frozenset of str
        Units of each count; empty where the table counts patients that left.
    """

    title: str
    name: str
    system: System
    members: dict[str, frozenset]


def column_tables(
    table: pd.DataFrame, predictors: Sequence[Mapping], leave_out: Sequence[str] = ()
) -> list[Table]:
    """Return the counts of every clinical predictor by outcome.

    Parameters
    ----------
    table : pandas.DataFrame
        ``analysis.parquet``, indexed by unit.
    predictors : sequence of mapping
        ``predictors`` of ``analysis.json``.
    leave_out : sequence of str
        Columns that are not shared.

    Returns
    -------
    list of Table
        Of numbers, how many are known and missing.
    """
    groups = table["outcome"].map({1: EVENT, 0: NONE})
    tables = []
    for one in predictors:
        name = one["column"]
        if name in leave_out or name not in table:
            continue
        values = table[name]
        if is_number(one):
            text = pd.Series(np.where(values.isna(), MISSING, KNOWN), index=table.index)
        else:
            text = values.astype(object).where(values.notna(), MISSING).astype(str)
        made = crossed(text, groups, table["patient_id"])
        tables.append(Table(title_of(one), name, *made))
    return tables


def is_number(predictor: Mapping) -> bool:
    """Return whether a predictor has numbers, which get means in place of counts."""
    return predictor["type"] in ("continuous", "ordinal")


def title_of(predictor: Mapping) -> str:
    """Return a predictor's label with its unit."""
    unit = predictor.get("unit")
    return f"{predictor['label']} ({unit})" if unit else str(predictor["label"])


def parts_table(table: pd.DataFrame, parts: pd.Series) -> Table:
    """Return how many units with and without the outcome each part of the split holds."""
    groups = table["outcome"].map({1: EVENT, 0: NONE})
    return Table("Units", "units", *crossed(parts, groups, table["patient_id"]))


def flow_table(flow: Mapping) -> Table:
    """Return the patients of each step, and of each reason to leave.

    Parameters
    ----------
    flow : mapping
        ``flow.json``.
    """
    system = System()
    steps = flow["steps"]
    for at, step in enumerate(steps):
        last = at == len(steps) - 1
        parts = [] if last else [step_name(at + 1, steps[at + 1]["label"])]
        own = step_name(at, step["label"])
        system.cells[own] = Cell(step["patients"], step["patients"], fixed=last)
        for reason in step["excluded"]:
            name = f"{at + 1}: {reason['reason']}"
            system.cells[name] = Cell(reason["patients"], reason["patients"])
            parts.append(name)
        if not last:
            system.sums.append((own, tuple(parts)))
    return Table("Patients of each step", "flow", system, {})


def step_name(at: int, label: str) -> str:
    """Return the name of a step's count."""
    return f"{at + 1}. {label}"


def number_rows(
    table: pd.DataFrame, predictors: Sequence[Mapping], columns: Collection[str], fewest: int
) -> list[dict]:
    """Return mean, standard deviation and percentiles of every number, all and by outcome.

    A group's figures are given where all groups have enough known values, so that no figure of a
    small group follows from those of the others. A percentile is the mean of the `fewest` values
    around it, and of fewer than twice as many values there is none. Neither least nor greatest
    value is given.

    Parameters
    ----------
    table : pandas.DataFrame
        ``analysis.parquet``, indexed by unit.
    predictors : sequence of mapping
        ``predictors`` of ``analysis.json``.
    columns : collection of str
        Those whose figures may be given.
    fewest : int
        Patients from which on a figure may be given.
    """
    rows = []
    for one in predictors:
        if one["column"] not in columns or not is_number(one):
            continue
        values = table[one["column"]].dropna().astype(float)
        known = table.loc[values.index]
        by = {ALL: values} | {
            group: values[known["outcome"] == code] for group, code in ((EVENT, 1), (NONE, 0))
        }
        patients = {
            group: known.loc[each.index, "patient_id"].nunique() for group, each in by.items()
        }
        enough = min(patients[group] for group in GROUPS) >= fewest
        for group, each in by.items():
            if patients[group] >= fewest and (group == ALL or enough):
                rows.append(
                    {
                        "column": one["column"],
                        "label": title_of(one),
                        "group": group,
                        "mean": rounded(each.mean()),
                        "sd": rounded(each.std()),
                        **{
                            name: smooth_quantile(each.to_numpy(), at, fewest)
                            for name, at in QUANTILES.items()
                        },
                    }
                )
    return rows


def smooth_quantile(values: np.ndarray, at: float, fewest: int) -> float | None:
    """Return the mean of the `fewest` values around a quantile; None of too few values."""
    if len(values) < 2 * fewest:
        return None
    ordered = np.sort(values)
    start = round(at * (len(ordered) - 1) - (fewest - 1) / 2)
    start = min(max(start, 0), len(ordered) - fewest)
    return rounded(ordered[start : start + fewest].mean())


def rounded(value: float) -> float:
    """Return a number with `DIGITS` significant digits."""
    return float(f"{value:.{DIGITS}g}")
