"""Outcomes by group: scales before and after, events per person-time, fractured levels.

Reads a clinical table with a row per patient and a plan (docs/outcomes.md), and writes a page with
figures, and CSV tables beside it.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.comparison.course import outcomes
from pipeline.comparison.course.new_fractures import KINDS
from pipeline.comparison.course.outcome_plan import EventPlan, OutcomePlan, ScalePlan, read_plan
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import whole_file, write_csv
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.written.number_notation import is_number
from pipeline.reporting.pages.outcomes_page import outcomes_page
from pipeline.reporting.parts import outcome_parts as parts
from pipeline.reporting.parts.outcome_tables import Section
from pipeline.reporting.words.group_words import with_called_groups
from pipeline.study.described_columns import clinical_text, groups_of, ordered_levels
from pipeline.study.outcome_columns import kinds_and_levels
from pipeline.tables.identifying.checks import shown
from pipeline.tables.number_columns import column_of_numbers

logger = logging.getLogger("vertebromics")


def read_outcomes(
    path: str | Path, plan: OutcomePlan
) -> tuple[pd.DataFrame, np.ndarray, tuple[str, ...], pd.DataFrame]:
    """Read the columns that a plan names.

    Returns
    -------
    table : pandas.DataFrame
        One row per patient; numbers as float64. The events ``adjacent, remote, refracture`` are
        derived where the plan names the levels.
    group : numpy.ndarray of int, shape (n_patients,)
        Number of each patient's group, -1 for none.
    groups : tuple of str
        Labels of the groups; none where nothing is compared.
    levels : pandas.DataFrame
        A row a level from head to foot: how often it was treated, and broke anew.

    Raises
    ------
    StudyError
        Telling every column that is missing, and every cell that cannot be read.
    """
    sheet = clinical_text(path)
    problems = Problems(f"the table {path}")
    derived = set(KINDS) if plan.levels and plan.levels.new else set()
    numbers = [name for scale in plan.scales for name in scale.columns.values()]
    for event in plan.events:
        numbers += [event.event, event.followed, event.time, event.count, event.died]
    numbers += plan.adjust_for
    numbers = [name for name in dict.fromkeys(numbers) if name and name not in derived]
    texts = [plan.by] if plan.by else []
    if plan.levels:
        texts += [plan.levels.treated, *([plan.levels.new] if plan.levels.new else [])]
    for name in [*numbers, *texts]:
        if name not in sheet.columns:
            problems.add(
                "Every column of the plan must be in the table",
                found=name,
                where=f"{path}, header",
                remedy=suggestion(name, sheet.columns) or f"columns: {listing(sheet.columns)}",
                code="plan-column-missing",
            )
    problems.raise_if_any()
    if "patient_id" in sheet and sheet["patient_id"].dropna().duplicated().any():
        raise StudyError(
            "Outcomes must stand in a table with one row per patient",
            found=f"{int(sheet['patient_id'].dropna().duplicated().sum())} rows of known patients",
            where=f"{path}, column patient_id",
            remedy="make one row of each patient; levels may stand in one cell, such as T12, L1",
            code="outcomes-patient-repeated",
        )
    columns = {name: _numbers(sheet[name], path, problems) for name in numbers}
    levels = pd.DataFrame()
    if plan.levels:
        kinds, levels = kinds_and_levels(sheet, plan.levels, path, problems)
        columns |= kinds
    problems.raise_if_any()
    group, groups = np.full(len(sheet), -1), ()
    if plan.by:
        values, groups, _ = groups_of(sheet, plan.by, None, path)
        if plan.groups:
            groups = _in_order(plan, groups, path)
        group = np.array([groups.index(each) if each in groups else -1 for each in values])
    return pd.DataFrame(columns, index=sheet.index), group, groups, levels


def _in_order(plan: OutcomePlan, there: tuple[str, ...], path: str | Path) -> tuple[str, ...]:
    """Return the groups in the plan's order, the reference first."""
    strange = [each for each in plan.groups if each not in there]
    if strange or len(set(plan.groups)) < max(len(plan.groups), 2):
        raise StudyError(
            "The groups of the plan must be two or more values of its column",
            found=listing(map(shown, strange or plan.groups)),
            where=f"{path}, column {plan.by}",
            remedy=f"the column holds {listing(map(shown, there))}",
            code="plan-groups-not-values",
        )
    return tuple(plan.groups)


def _numbers(values: pd.Series, path: str | Path, problems: Problems) -> pd.Series:
    """Return a column as numbers; of no and yes, or any two words, the second counts as 1."""
    known = values.dropna().unique()
    if len(known) == 2 and not any(map(is_number, known)):
        in_order, _ = ordered_levels(list(known))
        codes = dict(zip(in_order, (0.0, 1.0), strict=True))
        logger.info("%s, column %s: %s is 0, %s is 1", path, values.name, *map(shown, in_order))
        return values.map(codes, na_action="ignore").astype(float)
    return column_of_numbers(values, path, problems)


def scale_section(
    table: pd.DataFrame,
    plan: ScalePlan,
    group: np.ndarray,
    groups: tuple[str, ...],
    asked: list,
    by: str | None,
) -> tuple[Section, dict[str, pd.DataFrame]]:
    """Return the part of the page of one scale, and its tables."""
    found = outcomes.scale_tables(table, plan, group, groups, asked)
    printed = with_called_groups(found, by or "", groups)
    return parts.scale_part(plan, printed, table, group, groups, by or ""), found


def event_section(
    table: pd.DataFrame,
    plan: EventPlan,
    group: np.ndarray,
    groups: tuple[str, ...],
    asked: list,
    by: str | None,
) -> tuple[Section, dict[str, pd.DataFrame]]:
    """Return the part of the page of one kind of event, and its tables."""
    found = outcomes.event_tables(table, plan, group, groups, asked)
    return parts.event_part(plan, with_called_groups(found, by or "", groups)), found


def main(options: argparse.Namespace) -> None:
    """Compare the outcomes of the table that the command line names."""
    plan = read_plan(options.plan)
    table, group, groups, levels = read_outcomes(options.table, plan)
    sections: list[Section] = []
    found: dict[str, list[pd.DataFrame]] = {}
    makers = [(scale_section, scale) for scale in plan.scales]
    makers += [(event_section, event) for event in plan.events]
    for make, part in makers:
        section, tables = make(table, part, group, groups, plan.adjust_for, plan.by)
        sections.append(section)
        for name, each in tables.items():
            found.setdefault(name, []).append(each.astype(object))
    if len(levels):
        sections.append(parts.levels_part(levels))
        write_csv(levels.rename_axis("level").reset_index(), options.out / "levels.csv")
    if (unknown := int((group < 0).sum())) and groups:
        text = f"{unknown} patients without a group count among all patients only."
        sections.insert(0, Section("Patients", [text], [], []))
    for name, tables in found.items():
        write_csv(pd.concat(tables, ignore_index=True), options.out / f"{name}.csv")
    text = outcomes_page("Outcomes", options.table.name, sections, compared=bool(groups))
    with whole_file(options.out / "outcomes.html") as beside:
        beside.write_text(text, encoding="utf-8")
    logger.info("%d patients: %s", len(table), options.out / "outcomes.html")


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("pipeline.compare_groups", __doc__)
    arguments.add_argument("table", type=Path, help="CSV, Excel or Parquet, a row per patient")
    arguments.add_argument("--plan", required=True, type=Path, help="YAML file (docs/outcomes.md)")
    arguments.add_argument("--out", required=True, type=Path, help="folder of page and tables")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
