"""Sections on the patients' course (scales, events, levels), columns by group, and readings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.reporting.blocks import Block, Figure, Note, Paragraph, Section, Table
from pipeline.reporting.figures.described_columns import columns_by_group, heat_map
from pipeline.reporting.parts import outcome_parts as parts
from pipeline.reporting.parts import outcome_tables as printed
from pipeline.reporting.results import Course, Results
from pipeline.reporting.wording import SIGNED, interval, number, plural, sentence_list
from pipeline.reporting.words.group_words import with_called_groups
from pipeline.study.course_plan import plan_of


def course_section(results: Results) -> Section:
    """Build the section on scales, events and levels; without any it has no block."""
    title = "Course of the patients"
    course = results.course
    if course is None or not {"patients", "levels"} & set(course.tables):
        return Section("course", title)
    plan, groups = plan_of(results.study.config["outcomes"]), course.info["groups"]
    by = course.info["label"]
    patients = course.tables["patients"]
    group = np.array([groups.index(each) if each in groups else -1 for each in patients["group"]])
    text = f"Groups by “{by}”: {sentence_list(groups)}; the first is the reference."
    blocks: list[Block] = [
        Paragraph(text),
        Note(printed.ASSOCIATION, "Association, not effect", "info"),
    ]
    for scale in plan.scales:
        found = _of(course, "scale", scale.label, ("over_time", "between"))
        told = with_called_groups(found, by, groups)
        blocks += _blocks(parts.scale_part(scale, told, patients, group, groups, by), found)
    for event in plan.events:
        found = _of(course, "event", event.label, ("rates", "ratios", "curves"))
        blocks += _blocks(parts.event_part(event, with_called_groups(found, by, groups)), found)
    if "levels" in course.tables:
        levels = course.tables["levels"].set_index("level")
        blocks += _blocks(parts.levels_part(levels), {"levels": course.tables["levels"]})
    return Section("course", title, blocks)


def columns_section(results: Results) -> Section:
    """Build the section on columns by group and their correlations; without any it has no block."""
    title = "Distributions and correlations"
    course = results.course
    blocks: list[Block] = []
    if course is not None and "columns" in course.tables:
        info = course.info
        svg = columns_by_group(
            course.tables["columns"], info["groups"], info["labels"], info["levels"], "columns"
        )
        caption = (
            f"The compared columns by “{info['label']}”: box (median, quartiles; whiskers to 1.5 "
            "interquartile ranges) and every unit, or the share of each level."
        )
        alt = f"{plural(len(course.tables['columns'].columns) - 1, 'panel')}, one a column."
        blocks.append(Figure("columns-by-group", svg, alt, caption, width=760))
    if course is not None and "correlations" in course.tables:
        blocks += _correlations(course)
    return Section("columns", title, blocks)


def _correlations(course: Course) -> list[Block]:
    found, labels = course.tables["correlations"], course.info["labels"]
    svg = heat_map(found, labels, "correlations")
    own = found[found["second"] == "group"]
    strongest = own.reindex(own["r"].abs().sort_values(ascending=False).index).head(3)
    told = "; ".join(
        f"{labels[row.first]} {number(row.r, 2, SIGNED)}" for row in strongest.itertuples()
    )
    alt = "Heat map of correlations." + (f" Strongest with the groups: {told}." if told else "")
    caption = (
        "Pearson's correlation of every two columns, over the units in which both are known. A "
        "level counts as 0 or 1; the first level of a column is left out. Correlation with the "
        "groups is descriptive, and no selection is made by it."
    )
    shown = pd.DataFrame(
        {
            "First": [labels[name] for name in found["first"]],
            "Second": [labels[name] for name in found["second"]],
            "n": found["n"].astype(str),
            "r": [number(value, 3, SIGNED) for value in found["r"]],
        }
    )
    table = Table(
        name="correlations",
        caption="Correlations in numbers.",
        shown=shown,
        raw=found,
        numeric=("n", "r"),
        sortable=True,
        collapsed="All correlations as a table",
    )
    return [Figure("correlation-map", svg, alt, caption, width=640), table]


def readings_section(results: Results) -> Section:
    """Build the section on columns that are means of readings; without any it has no block."""
    title = "Agreement of the readings that were averaged"
    course = results.course
    if course is None or not {"readings", "graded_readings"} & set(course.tables):
        return Section("averaged", title)
    if "graded_readings" in course.tables:
        title = "Agreement of the readings that were made one"
    blocks: list[Block] = []
    if "readings" in course.tables:
        blocks += _of_means(results, course)
    if "graded_readings" in course.tables:
        blocks += _of_grades(results, course)
    return Section("averaged", title, blocks)


def _of_means(results: Results, course: Course) -> list[Block]:
    found = course.tables["readings"]
    shown = pd.DataFrame(
        {
            "Column": [course.info["labels"][name] for name in found["column"]],
            "Readings": found["readings"].astype(str),
            "Units with all": found["n"].astype(str),
            "with some only": found["incomplete"].astype(str),
            "ICC of one": _limits(found, "icc"),
            "ICC of the mean": _limits(found, "icc_mean"),
            "CCC of the pair that agrees least": _limits(found, "ccc"),
            "SD within a unit": [number(value, 3) for value in found["sd_within"]],
        }
    )
    text = (
        "A model sees the mean of the readings. Someone who uses it reads once, perhaps, and less "
        "exactly than that: the ICC of one reading says how much less."
    )
    table = Table(
        name="readings",
        caption=f"Agreement of the readings, with {100 * results['evaluation.confidence']:g}% "
        "intervals. ICC(2,1) and ICC(2,k): two-way random effects, absolute agreement.",
        shown=shown,
        raw=found,
        numeric=tuple(shown.columns[1:]),
    )
    return [Paragraph(text), table]


def _of_grades(results: Results, course: Course) -> list[Block]:
    found = course.tables["graded_readings"]
    limits = [
        interval(row["value"], row["low"], row["high"], 2, SIGNED)
        for row in found.to_dict("records")
    ]
    shown = pd.DataFrame(
        {
            "Column": [course.info["labels"][name] for name in found["column"]],
            "Made of": found["made"] + " of " + found["readings"].astype(str),
            "Units with all": found["n"].astype(str),
            "All alike": [f"{100 * one:.0f}%" for one in found["all_alike"]],
            "Ties": found["tied"].astype(str) + " (" + found["tie_rule"] + ")",
            "Measure": found["measure"]
            + found["weights"].map(lambda one: f", {one}" if one else ""),
            "Of": found["of"],
            "Value": limits,
        }
    )
    table = Table(
        name="graded_readings",
        caption="Agreement of the readings of which grades, or yes and no, were made, with "
        f"{100 * results['evaluation.confidence']:g}% intervals. Weighted kappa by the distance of "
        "two grades (linear, quadratic) of the pair that agrees least; Fleiss' kappa of all, with "
        "limits by a bootstrap over units. Ties: units whose median lies between two grades or "
        "whose readings draw, and what holds then; with a consensus, the units whose readings "
        "differ, of which it decides.",
        shown=shown,
        raw=found,
        numeric=("Units with all", "All alike", "Value"),
    )
    return [table]


def _limits(found: pd.DataFrame, name: str) -> list[str]:
    return [
        interval(row[name], row[f"{name}_low"], row[f"{name}_high"], 2, SIGNED)
        for row in found.to_dict("records")
    ]


def _of(course: Course, column: str, label: str, names: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Return the rows of one scale or event, of the tables that have any."""
    found = {}
    for name in names:
        table = course.tables.get(name)
        rows = None if table is None else table[table[column] == label].reset_index(drop=True)
        if rows is not None and len(rows):
            found[name] = rows
    return found


def _blocks(part: printed.Section, found: dict[str, pd.DataFrame]) -> list[Block]:
    """Return a part of the page of outcomes as blocks of the report."""
    key = parts.key_of(part.title)
    blocks: list[Block] = [Paragraph(text) for text in part.texts]
    blocks += [
        Figure(
            f"{key}-figure-{at}",
            str(drawing.svg),
            f"{part.title}. The tables beside it have the numbers.",
            drawing.caption,
            width=700,
        )
        for at, drawing in enumerate(part.figures, 1)
    ]
    raws = [table for name, table in found.items() if name != "curves"]
    for at, (table, raw) in enumerate(zip(part.tables, raws, strict=True), 1):
        shown = pd.DataFrame(table.rows, columns=list(table.heads))
        caption = table.caption if part.title in table.caption else f"{part.title}. {table.caption}"
        numeric = tuple(
            name for name in table.heads[1:] if name not in ("What", "Test", "Method", "")
        )
        blocks.append(Table(f"{key}-{at}", f"{caption}.", shown, raw, numeric=numeric))
    return blocks
