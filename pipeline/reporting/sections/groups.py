"""Section on groups compared by the clinical columns: table 1 with every test named."""

from __future__ import annotations

import pandas as pd

from pipeline.comparison.choice_of_test import NORMALITY_TESTS, SMALL_CELLS
from pipeline.comparison.multiplicity import ADJUSTMENTS
from pipeline.reporting.blocks import Block, Items, Note, Paragraph, Section, Table
from pipeline.reporting.results import Groups, Results
from pipeline.reporting.table_one_page import MARKS, printed_lines
from pipeline.reporting.wording import count, interval, number, p_value, plural, sentence_list

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
        *_effects(groups),
        Items(_rules(groups)),
    ]
    return Section("groups", title, blocks)


def _table(groups: Groups) -> Table:
    info, rows = groups.info, groups.table
    names = tuple(each["name"] for each in info["groups"])
    heads = [f"Total (n = {count(info['units'])})"]
    heads += [f"{each['name']} (n = {count(each['units'])})" for each in info["groups"]]
    tails = ["Range", "Missing", "Statistic", "df", "P"]
    tails += ["P corrected"] if info["adjust"] != "none" else []
    lines = printed_lines(rows, groups.cells, info["by"], names, info["adjust"])
    marks = _marks(rows)
    tests = iter(rows["test"].map(marks).fillna(""))
    at = tails.index("P")
    shown = []
    for line in lines:
        name = f"{_INDENT}{line.name}" if line.indented else line.name
        tail = list(line.tail)
        if not line.indented:
            tail[at] = f"{tail[at]} {next(tests)}".rstrip()
        shown.append([name, *line.cells, *tail])
    return Table(
        name="groups",
        caption="Table 1. Numbers: mean ± SD or median [quartiles], as stated; categories: n (%). "
        f"P values are two-sided and {ADJUSTMENTS[info['adjust']]}.",
        shown=pd.DataFrame(shown, columns=["Variable", *heads, *tails]),
        raw=rows,
        numeric=(*heads, *tails),
    )


def _effects(groups: Groups) -> list[Block]:
    """Return differences with their intervals, where there are two groups."""
    info = groups.info
    if len(info["groups"]) != 2:
        return []
    first, second = (each["name"] for each in info["groups"])
    shown = []
    for row in groups.table.to_dict("records"):
        times, digits = (100, 1) if row["effect"] == "difference of shares" else (1, 2)
        kind = row["effect"] or ""
        kind = "difference of shares, percentage points" if times == 100 else kind
        limits = (row["difference"], row["difference_low"], row["difference_high"])
        ratio = (row["ratio"], row["ratio_low"], row["ratio_high"])
        shown.append(
            {
                "Variable": info["labels"][row["variable"]],
                "Measure": kind,
                "Difference": interval(*(times * each for each in limits), digits),
                "Ratio": interval(*ratio, 2),
                "Standardised difference": number(row["standardised"], 2),
            }
        )
    return [
        Table(
            name="group_effects",
            caption=f"“{second}” against “{first}”, with {100 * info['confidence']:g}% intervals.",
            shown=pd.DataFrame(shown),
            numeric=("Difference", "Ratio", "Standardised difference"),
        )
    ]


def _rules(groups: Groups) -> list[str]:
    info, rows = groups.info, groups.table
    full = rows.dropna(subset=["test"]).set_index("test")["test_name"].to_dict()
    meant = sentence_list(f"{mark} {full[test]}" for test, mark in _marks(rows).items())
    said = [
        f"Tests: {meant}. "
        "They were named in the dictionary, or chosen by rules that see no P value of the "
        f"comparison. Normality: {NORMALITY_TESTS[info['normality']]}. Small counts: "
        f"{SMALL_CELLS[info['small_cells']]}.",
    ]
    if info["several"]:
        said.append(
            "Patients have several rows: variables that are the same in all rows of a patient are "
            "compared per patient, all others with patients as clusters."
        )
    flipped = rows[rows["crosses"].fillna(False).astype(bool)]
    said += [
        f"{info['labels'][row.variable]}: the result depends on the test: P {p_value(row.least_p)} "
        f"({_short(row.least_p_test)}) to {p_value(row.largest_p)} ({_short(row.largest_p_test)})."
        for row in flipped.itertuples()
    ]
    return said


def _marks(rows: pd.DataFrame) -> dict[str, str]:
    """Return the letter behind the P values of each test."""
    return dict(zip(rows["test"].dropna().unique(), MARKS, strict=False))


def _short(test: str) -> str:
    return test.replace("-", " ")
