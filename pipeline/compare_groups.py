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
from markupsafe import Markup

from pipeline.comparison import outcomes
from pipeline.comparison.new_fractures import ADJACENT, REFRACTURE, REMOTE, kinds_of_new
from pipeline.comparison.outcome_plan import EventPlan, OutcomePlan, ScalePlan, read_plan
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import whole_file, write_csv
from pipeline.core.notation import is_number, read_numbers
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.imaging.levels import levels_in, order
from pipeline.reporting import outcomes_page as page
from pipeline.reporting.figures import outcomes as figures
from pipeline.study.described_columns import clinical_text, groups_of, ordered_levels
from pipeline.tables.files.sheets import cell
from pipeline.tables.identifying.checks import shown

logger = logging.getLogger("vertebromics")

KINDS = (ADJACENT, REMOTE, REFRACTURE)
"""Events that follow from the levels."""


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
            )
    problems.raise_if_any()
    if "patient_id" in sheet and sheet["patient_id"].dropna().duplicated().any():
        raise StudyError(
            "Outcomes must stand in a table with one row per patient",
            found=f"{int(sheet['patient_id'].dropna().duplicated().sum())} rows of known patients",
            where=f"{path}, column patient_id",
            remedy="make one row of each patient; levels may stand in one cell, such as T12, L1",
        )
    columns = {name: _numbers(sheet[name], path, problems) for name in numbers}
    levels = pd.DataFrame()
    if plan.levels:
        kinds, levels = _levels(sheet, plan, path, problems)
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
    read = read_numbers(values)
    for row, remedy in read.wrong.items():
        problems.add(
            f"A value of {values.name} must be a number",
            found=shown(values[row][:60]),
            where=cell(path, row, str(values.name)),
            remedy=remedy,
        )
    return read.values


def _levels(
    sheet: pd.DataFrame, plan: OutcomePlan, path: str | Path, problems: Problems
) -> tuple[dict[str, pd.Series], pd.DataFrame]:
    """Return whether each patient had a new fracture of each kind, and the levels counted."""

    def read(name: str) -> list[list[str]]:
        found = []
        for row, text in sheet[name].items():
            named = levels_in(text) if isinstance(text, str) else []
            if named is None:
                problems.add(
                    "A cell of levels must name vertebrae",
                    found=shown(text[:60]),
                    where=cell(path, row, name),
                    remedy="write them as T12, L1 or T12-L2; leave the cell blank where none broke",
                )
            found.append(named or [])
        return found

    treated = read(plan.levels.treated)
    counts = {"treated": pd.Series([each for of in treated for each in of], dtype=object)}
    kinds: dict[str, pd.Series] = {}
    if plan.levels.new:
        new = read(plan.levels.new)
        found = [kinds_of_new(*each) for each in zip(treated, new, strict=True)]
        for kind in KINDS:
            had = [float(kind in of.values()) for of in found]
            kinds[kind] = pd.Series(had, index=sheet.index)
            if kind != REFRACTURE:
                broken = [each for of in found for each, what in of.items() if what == kind]
                counts[f"new, {kind}"] = pd.Series(broken, dtype=object)
    table = pd.DataFrame({name: levels.value_counts() for name, levels in counts.items()})
    table = table.fillna(0).astype(int)
    return kinds, table.loc[sorted(table.index, key=order)]


def scale_section(
    table: pd.DataFrame, plan: ScalePlan, group: np.ndarray, groups: tuple[str, ...], asked: list
) -> tuple[page.Section, dict[str, pd.DataFrame]]:
    """Return the part of the page of one scale, and its tables."""
    over = outcomes.scale_over_time(table, plan, group, groups)
    unit = f"{plan.label}, {plan.unit} ({plan.range[0]:g} to {plan.range[1]:g})"
    found, tables = {"over_time": over}, [page.over_time_table(over, unit)]
    if groups:
        covariates = table[asked].to_numpy(dtype=float) if asked else None
        between = outcomes.scale_between(table, plan, group, groups, covariates)
        found["between"] = between
        tables.append(page.between_table(between, unit))
    members = [group == at for at in range(len(groups))] or [np.ones(len(table), dtype=bool)]
    names = list(groups) or [page.ALL]
    first, *later = plan.columns
    panels = {
        time: [table.loc[of, name].to_numpy(dtype=float) for of in members]
        for time, name in plan.columns.items()
    }
    change = [last - start for start, last in zip(panels[first], panels[later[-1]], strict=True)]
    drawn = panels | {"change": change}
    key = "".join(letter if letter.isalnum() else "-" for letter in plan.label.lower())
    svg = figures.scale_by_group(drawn, names, f"{plan.label}, {plan.unit}", plan.range, key)
    caption = f"{unit}: median, quartiles and every patient; change: {first} to {later[-1]}"
    pictures = [page.Drawing(Markup(svg), caption)]
    if plan.bands:
        shares = {time: _bands(samples, names, plan) for time, samples in panels.items()}
        svg = figures.stacked_bands(shares, plan.label, f"{key}-bands")
        pictures.append(page.Drawing(Markup(svg), f"{plan.label}: share of patients by band"))
    texts = []
    if plan.mcid is not None:
        way = "fall" if plan.good == "low" else "rise"
        texts.append(f"Least change that matters: a {way} of {plan.mcid:g} {plan.unit} or more.")
    return page.Section(plan.label, texts, tables, pictures), found


def _bands(samples: list[np.ndarray], names: list[str], plan: ScalePlan) -> pd.DataFrame:
    ends = list(plan.bands.values())
    rows = []
    for sample in samples:
        known = sample[~np.isnan(sample)]
        place = np.searchsorted(ends, known, side="left")
        rows.append(np.bincount(place, minlength=len(ends)) / max(len(known), 1))
    return pd.DataFrame(rows, index=names, columns=list(plan.bands))


def event_section(
    table: pd.DataFrame, plan: EventPlan, group: np.ndarray, groups: tuple[str, ...], asked: list
) -> tuple[page.Section, dict[str, pd.DataFrame]]:
    """Return the part of the page of one kind of event, and its tables."""
    rates = outcomes.event_rates(table, plan, group, groups)
    found, tables = {"rates": rates}, [page.rates_table(rates, plan.unit)]
    if groups:
        covariates = table[asked].to_numpy(dtype=float) if asked else None
        ratios = outcomes.event_ratios(table, plan, group, groups, covariates)
        found["ratios"] = ratios
        tables.append(page.ratios_table(ratios))
    curves = outcomes.event_curves(table, plan, group, groups)
    pictures, texts = [], []
    if len(curves):
        found["curves"] = curves
        key = "".join(letter if letter.isalnum() else "-" for letter in plan.label.lower())
        svg = figures.incidence_curves(curves, plan.label, plan.unit, key)
        caption = f"{plan.label}: {curves['method'].iloc[0]}, with 95% limits"
        pictures.append(page.Drawing(Markup(svg), caption))
    else:
        texts.append(
            "When the events happened is not known, so that the whole follow-up counts as "
            "person-time: rates are a little too low."
        )
    return page.Section(plan.label, texts, tables, pictures), found


def main(options: argparse.Namespace) -> None:
    """Compare the outcomes of the table that the command line names."""
    plan = read_plan(options.plan)
    table, group, groups, levels = read_outcomes(options.table, plan)
    sections: list[page.Section] = []
    found: dict[str, list[pd.DataFrame]] = {}
    parts = [(scale_section, scale) for scale in plan.scales]
    parts += [(event_section, event) for event in plan.events]
    for make, part in parts:
        section, tables = make(table, part, group, groups, plan.adjust_for)
        sections.append(section)
        for name, each in tables.items():
            found.setdefault(name, []).append(each.astype(object))
    if len(levels):
        svg = Markup(figures.bars_of_levels(levels, "levels"))
        drawing = page.Drawing(svg, "Treated vertebrae, and new fractures, by level")
        text = (
            "Adjacent: directly above or below a treated level. Remote: at least one normal "
            "segment away from every treated level."
        )
        sections.append(page.Section("Levels", [text], [page.levels_table(levels)], [drawing]))
        write_csv(levels.rename_axis("level").reset_index(), options.out / "levels.csv")
    if (unknown := int((group < 0).sum())) and groups:
        text = f"{unknown} patients without a group count among all patients only."
        sections.insert(0, page.Section("Patients", [text], [], []))
    for name, tables in found.items():
        write_csv(pd.concat(tables, ignore_index=True), options.out / f"{name}.csv")
    text = page.outcomes_page("Outcomes", options.table.name, sections, compared=bool(groups))
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
