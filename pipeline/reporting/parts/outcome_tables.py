"""Tables of outcomes by group as they are printed, on their own page and in the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from pipeline.comparison.course.paired import PAIRED_TESTS
from pipeline.comparison.groups.group_tests import TEST_NAMES
from pipeline.reporting.wording import NO_VALUE, count, interval, number, p_value

ALL = "all patients"


ASSOCIATION = (
    "The groups were not formed at random. Every difference between them is an association: other "
    "differences between the patients may explain it. Crude figures stand beside adjusted ones."
)


class Drawing(NamedTuple):
    """A figure and what it shows."""

    svg: Markup
    caption: str


class Table(NamedTuple):
    """A printed table."""

    caption: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


class Section(NamedTuple):
    """A part of the page."""

    title: str
    texts: list[str]
    tables: list[Table]
    figures: list[Drawing]


def over_time_table(found: pd.DataFrame, unit: str) -> Table:
    """Return a scale at every time as it is printed."""
    heads = ("Group, time", "n", "Mean ± SD", "Median [quartiles]", "Change from the first time")
    heads += ("Test", "Statistic", "df", "P", "Reached the least change")
    rows = []
    for row in found.to_dict("records"):
        group = row["group"] if isinstance(row["group"], str) else ALL
        name = PAIRED_TESTS.get(row["test"], NO_VALUE)
        tested = (
            name,
            _number(row["statistic"], 3),
            _number(row["df"], 0),
            p_value(row["p_value"]),
        )
        if not isinstance(row["time"], str):
            rows.append((f"{group}, all times", "", "", "", str(row["reason"]), *tested, ""))
            continue
        mean = f"{_number(row['mean'], 2)} ± {_number(row['sd'], 2)}"
        quartiles = ", ".join(_number(row[each], 1) for each in ("q1", "q3"))
        middle = f"{_number(row['median'], 1)} [{quartiles}]"
        change = interval(row["change"], row["change_low"], row["change_high"], 2)
        what = f" ({row['effect']})" if isinstance(row["effect"], str) else ""
        reached = NO_VALUE
        if not _missing(row["reached"]):
            reached = f"{row['reached']:.0f} of {row['reached_of']:.0f}"
        n = count(row["n"])
        rows.append((f"{group}, {row['time']}", n, mean, middle, change + what, *tested, reached))
    return Table(f"Over time, {unit}", heads, rows)


def between_table(found: pd.DataFrame, unit: str) -> Table:
    """Return the comparison of groups as it is printed."""
    heads = ("Time, group", "What", "Difference (95% CI)", "n", "Test", "Statistic", "df", "P", "")
    rows = []
    for row in found.to_dict("records"):
        share = "shares" in row["what"]
        values = [row[each] * (100 if share else 1) for each in ("value", "low", "high")]
        text = interval(*values, 1 if share else 2) + (" percentage points" if share else "")
        test = {"ancova": "t, analysis of covariance"}.get(row["test"]) or TEST_NAMES[row["test"]]
        name = f"{row['time']}, {row['group']} against {row['against']}"
        statistic = NO_VALUE if row["test"] == "fisher" else _number(row["statistic"], 3)
        tail = (statistic, _number(row["df"], 1), p_value(row["p_value"]))
        rows.append((name, row["what"], text, count(row["n"]), test, *tail, row["note"]))
    return Table(f"Between groups, {unit}", heads, rows)


def rates_table(found: pd.DataFrame, unit: str) -> Table:
    """Return rates as they are printed, per 100 units of person-time."""
    heads = ("Event, group", "Patients", "Events", f"Person-{unit}", f"Per 100 {unit} (95% CI)")
    heads += (f"Median follow-up, {unit}", "Method")
    rows = []
    for row in found.to_dict("records"):
        group = row["group"] if isinstance(row["group"], str) else ALL
        per = interval(*(100 * row[each] for each in ("rate", "low", "high")), 2)
        who = (f"{row['event']}, {group}", count(row["patients"]), count(row["events"]))
        time = number(row["person_time"], 1)
        rows.append((*who, time, per, number(row["followed_median"], 2), row["method"]))
    return Table("Events per person-time", heads, rows)


def ratios_table(found: pd.DataFrame) -> Table:
    """Return ratios of rates as they are printed."""
    heads = ("Event, groups", "What", "Value (95% CI)", "P", "Method")
    rows = []
    for row in found.to_dict("records"):
        share = row["what"] == "difference of shares"
        values = [row[each] * (100 if share else 1) for each in ("value", "low", "high")]
        text = _ratio(values) if not share else interval(*values, 1) + " percentage points"
        name = f"{row['event']}, {row['group']} against {row['against']}"
        rows.append((name, row["what"], text, p_value(row["p_value"]), row["method"]))
    return Table("Between groups", heads, rows)


def levels_table(found: pd.DataFrame) -> Table:
    """Return how often each level was treated, and broke anew."""
    rows = [(str(level), *(count(each) for each in row)) for level, row in found.iterrows()]
    return Table("Vertebrae by level", ("Level", *found.columns), rows)


def _ratio(values: Sequence[float]) -> str:
    if _missing(values[0]):
        return NO_VALUE
    texts = ["∞" if math.isinf(each) else _number(each, 2) for each in values]
    return f"{texts[0]} ({texts[1]} to {texts[2]})" if NO_VALUE not in texts else texts[0]


def _number(value: object, digits: int) -> str:
    return number(None if _missing(value) else float(value), digits)


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
