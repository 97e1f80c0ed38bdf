"""The table of characteristics as it is printed, one line per variable or level."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.comparison.groups.group_tests import COUNT_TESTS
from pipeline.reporting.parts.characteristics import (
    CHI_SQUARE,
    CLUSTERED_CHI_SQUARE,
    CLUSTERED_RANK_SUM,
    PATIENTS,
    RANK_SUM,
)
from pipeline.reporting.wording import NO_VALUE, count, number, p_value


def columns_of_numbers(groups: Mapping[str, str], units: int) -> tuple[str, ...]:
    """Return the columns of `printed_rows` that hold numbers."""
    return (*groups.values(), f"All\n(n = {units})", "Missing", "P")


def printed_rows(table: pd.DataFrame, groups: dict[str, str], units: int) -> pd.DataFrame:
    """Return `characteristics` as it is printed: one line per variable or level.

    A variable of two levels takes one line, with its second level: the first follows from it.
    """
    lines = []
    for _, variable in table.groupby(table["level"].isna().cumsum(), sort=False):
        head, *levels = variable.to_dict("records")
        unit = f", {head['unit']}" if isinstance(head["unit"], str) and head["unit"] else ""
        rest = {
            "Missing": count(head["missing"]),
            "P": p_value(head["p"])
            + ("†" if head["approximate"] is True else "")
            + ("‡" if head["compared"] == PATIENTS else ""),
            "Test": _test(head),
        }
        if len(levels) == 2:
            name = f"{head['variable']}{unit}: {levels[1]['level']}"
            lines.append({**_cells(name, levels[1], groups, units), **rest})
            continue
        name = f"{head['variable']}{unit}"
        lines.append({**_cells(name, {} if levels else head, groups, units), **rest})
        blank = dict.fromkeys(rest, "")
        for row in levels:
            lines.append({**_cells(f"\u2003{row['level']}", row, groups, units), **blank})
    return pd.DataFrame(lines)


def _cells(name: str, row: dict, groups: dict[str, str], units: int) -> dict[str, str]:
    """Return a line's name and numbers; a variable whose levels follow has no numbers itself."""
    cells = {"overall": f"All\n(n = {units})"} | groups
    texts = {label: row.get(key, "") for key, label in cells.items()}
    return {
        "Characteristic": name,
        # A minus sign instead of a hyphen, so that negative numbers line up and do not break.
        **{
            label: text.replace("-", "−") if isinstance(text, str) else NO_VALUE
            for label, text in texts.items()
        },
    }


def _test(row: dict) -> str:
    statistics = {
        CHI_SQUARE: "chi\u2011square",
        RANK_SUM: "rank\u2011sum U",
        # Short, and clear from the variable's type and the caption; the table's file says all.
        CLUSTERED_CHI_SQUARE: "clustered χ²",
        CLUSTERED_RANK_SUM: "clustered χ²",
    }
    name = statistics.get(row["test"], row["test"])
    if row["test"].startswith(COUNT_TESTS["fisher"]) and not pd.isna(row["p"]):
        return name  # it has no statistic that anybody reads
    if pd.isna(row["statistic"]):
        return f"{name}: not possible"
    # U counts pairs, ties as halves.
    value = f"{row['statistic']:,g}" if row["test"] == RANK_SUM else number(row["statistic"], 2)
    return f"{name} = {value}".replace(" ", "\u00a0")
