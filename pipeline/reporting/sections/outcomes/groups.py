"""Section on groups compared by the clinical columns: table 1 with every test named."""

from __future__ import annotations

import pandas as pd

from pipeline.comparison.groups.multiplicity import ADJUSTMENTS
from pipeline.reporting.blocks import Block, Items, Note, Paragraph, Section, Table
from pipeline.reporting.parts.table_one_lines import (
    SEVERAL_ROWS,
    effect_head,
    effect_lines,
    full_name,
    marks_of_tests,
    multiplicity,
    printed_lines,
    rules_of,
    span,
    tails_of,
)
from pipeline.reporting.results import Groups, Results
from pipeline.reporting.wording import count, plural, sentence_list
from pipeline.reporting.words.group_words import called_groups

_INDENT = "\u2003"


def groups_section(results: Results) -> Section:
    """Build the comparison of groups."""
    title = "Comparison of groups"
    groups = results.groups
    if groups is None:
        return Section("groups", title)
    info = groups.info
    sizes = sentence_list(f"{each['name']} (n = {count(each['units'])})" for each in info["groups"])
    text = f"Groups by “{info['label']}”: {sizes}."
    if info["without_group"]:
        text += f" {plural(info['without_group'], 'row')} without a group count in the total only."
    blocks: list[Block] = [
        Paragraph(text),
        Note(
            "Groups were not made by chance. A difference between them is an association, and no "
            "effect of what tells them apart; nothing here is adjusted for other variables.",
            "Association, not effect",
            "info",
        ),
        _table(groups),
        _effects(groups),
        Items(_notes(groups)),
    ]
    return Section("groups", title, blocks)


def _table(groups: Groups) -> Table:
    info, rows = groups.info, groups.table
    heads = [f"Total (n = {count(info['units'])})"]
    heads += [
        f"{name} (n = {count(each['units'])})"
        for name, each in zip(_called(groups), info["groups"], strict=True)
    ]
    tails = tails_of(info["by"], info["adjust"])
    at = tails.index("P")
    shown = []
    for line in printed_lines(rows, groups.cells, info["by"], _names(groups), info["adjust"]):
        name = f"{_INDENT}{line.name}" if line.indented else line.name
        tail = list(line.tail)
        tail[at] = f"{tail[at]} {line.mark}".rstrip()
        shown.append([name, *line.cells, *tail])
    return Table(
        name="groups",
        caption="Table 1. Numbers: mean ± SD or median [quartiles], as stated; categories: n (%). "
        f"P values are two-sided and {ADJUSTMENTS[info['adjust']]}; letters: tests, below.",
        shown=pd.DataFrame(shown, columns=["Variable", *heads, *tails]),
        raw=rows,
        numeric=(*heads, *tails),
    )


def _effects(groups: Groups) -> Table:
    """Return differences with their intervals."""
    info, names = groups.info, _names(groups)
    lines = effect_lines(groups.effects, names, info["labels"])
    # The reference stands behind the others, which say what both are groups of.
    compared = effect_head((names[0], *_called(groups)[1:]))
    heads = ["Variable", "Measure", "Difference", "Odds ratio", "Standardised difference"]
    return Table(
        name="group_effects",
        caption=f"{compared}, with {100 * info['confidence']:g}% intervals.",
        shown=pd.DataFrame(lines, columns=heads),
        raw=groups.effects,
        numeric=tuple(heads[2:]),
    )


def _notes(groups: Groups) -> list[str]:
    info, rows = groups.info, groups.table
    said = [f"{mark}: {full_name(rows, test)}." for test, mark in marks_of_tests(rows).items()]
    said += rules_of(info["normality"], info["small_cells"])
    said += [SEVERAL_ROWS] if info["several"] else []
    said.append(multiplicity(rows, info["adjust"]))
    for row in rows[rows["crosses"]].to_dict("records"):
        least, least_test, largest, largest_test, *_ = span(row)
        said.append(
            f"{info['labels'][row['variable']]}: whether P is below 0.05 depends on the test: "
            f"{least} ({least_test}) to {largest} ({largest_test})."
        )
    return said


def _names(groups: Groups) -> tuple[str, ...]:
    return tuple(each["name"] for each in groups.info["groups"])


def _called(groups: Groups) -> tuple[str, ...]:
    """Return the groups as a reader meets them in a head, where no sentence says what they are."""
    return called_groups(groups.info["label"], _names(groups))
