"""The page of a table 1: as a paper prints it, with what a reviewer asks below it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipeline.comparison.table_one.table_one import TableOne
from pipeline.core.pages import page_templates
from pipeline.reporting.parts.table_one_lines import (
    SEVERAL_ROWS,
    choices_of,
    effect_head,
    effect_lines,
    full_name,
    marks_of_tests,
    multiplicity,
    printed_lines,
    rules_of,
    size_of,
    span,
    tails_of,
)

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


class Asked(NamedTuple):
    """What the command line asked for."""

    table: str
    by: str | None
    part: str | None
    tests: str
    normality: str
    small_cells: str
    adjust: str
    confidence: float


def table_one_page(
    found: TableOne,
    rows: pd.DataFrame,
    units: object,
    asked: Asked,
) -> str:
    """Return the page as HTML that needs nothing else.

    Parameters
    ----------
    found : TableOne
        What `pipeline.comparison.table_one.table_one.table_one` returned.
    rows : pandas.DataFrame
        Its rows with `p_adjusted`.
    units : pipeline.study.described_columns.Units
        The table that was described, and its notes.
    asked : Asked
        What was asked for.
    """
    groups, cells = found.groups, found.cells
    members = [units.table[asked.by] == group for group in groups] if asked.by else []
    heads = [f"Total ({size_of(units, units.table.index)})"]
    heads += [
        f"{asked.by}: {group} ({size_of(units, units.table.index[of])})"
        for group, of in zip(groups, members, strict=True)
    ]
    marks = marks_of_tests(rows) if asked.by else {}
    flipped = rows[rows["crosses"]]
    names = {each.column: each.label for each in units.variables}
    template = page_templates(TEMPLATES).get_template("table1.html.j2")
    return template.render(
        title="Table 1",
        table=asked.table,
        part=asked.part,
        heads=heads,
        tails=tails_of(asked.by, asked.adjust),
        lines=printed_lines(rows, cells, asked.by, groups, asked.adjust),
        marks=marks,
        footnotes=[(mark, full_name(rows, test)) for test, mark in marks.items()],
        effects=effect_lines(found.effects, groups, names),
        effect_head=effect_head(groups),
        confidence=f"{100 * asked.confidence:g}%",
        choices=choices_of(rows) if asked.by else [],
        flipped=[(names[row["variable"]], *span(row)) for row in flipped.to_dict("records")],
        rules=rules_of(asked.normality, asked.small_cells) if asked.by else [],
        multiplicity=multiplicity(rows, asked.adjust) if asked.by else "",
        notes=[*units.notes, *([SEVERAL_ROWS] if units.patients is not None else [])],
    )
