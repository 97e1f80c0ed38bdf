"""The columns of a study's scales, events and levels, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.comparison.course.new_fractures import KINDS, REFRACTURE, kinds_of_new
from pipeline.comparison.course.outcome_plan import LevelsPlan
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.imaging.levels import levels_in, order
from pipeline.tables.clinical.clinical_source import columns_of_course
from pipeline.tables.columns import analysis_name, table_name
from pipeline.tables.dictionary import NUMERIC, levels_of
from pipeline.tables.files.sheets import cell
from pipeline.tables.identifying.checks import shown


def course_columns(
    clinical: pd.DataFrame, dictionary: pd.DataFrame, options: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the columns of scales and events as numbers, and the levels counted.

    Parameters
    ----------
    clinical : pandas.DataFrame
        One row per patient, typed by `dictionary`.
    dictionary : pandas.DataFrame
        One row per clinical column.
    options : mapping
        The section `outcomes` of a configuration.

    Returns
    -------
    table : pandas.DataFrame
        float64, under the names that the options use; of a column of two levels the second is 1.
        ``adjacent, remote, refracture`` stand there too, where the options name the levels.
    levels : pandas.DataFrame
        As `kinds_and_levels` returns it; empty where the options name none.

    Raises
    ------
    StudyError
        Telling every column that is missing or of another type, and every cell without a level.
    """
    problems = Problems("the columns of scales, events and levels")
    entries = {entry["column"]: entry for _, entry in dictionary.iterrows()}
    words = set((options["levels"] or {}).values())
    columns = {}
    for name in columns_of_course(options):
        own = analysis_name(name)
        if own not in entries or own not in clinical:
            problems.add(
                "Every column that the analysis `outcomes` names must be in the dictionary",
                found=name,
                where="config key outcomes",
                remedy=suggestion(name, map(table_name, entries))
                or f"columns: {listing(map(table_name, entries))}",
                code="outcomes-column-undescribed",
            )
            continue
        entry, values = entries[own], clinical[own]
        levels = levels_of(entry) or []
        if name in words:
            if entry["type"] in NUMERIC:
                problems.add(
                    "A column of vertebral levels must hold words",
                    found=f"{name}, {entry['type']}",
                    where="config key outcomes.levels",
                    remedy="give it the type categorical, without levels",
                    code="levels-column-not-words",
                )
            columns[name] = values
        elif entry["type"] in NUMERIC:
            columns[name] = values.astype(float)
        elif len(levels) == 2:
            codes = dict(zip(levels, (0.0, 1.0), strict=True))
            columns[name] = values.map(codes, na_action="ignore").astype(float)
        else:
            problems.add(
                "A column of a scale or an event must hold numbers, or two levels of which the "
                "second says yes",
                found=f"{name}, {entry['type']}",
                where="config key outcomes",
                remedy="give it the type continuous, ordinal, or binary with the levels no|yes",
                code="scale-column-not-numbers",
            )
    problems.raise_if_any()
    kinds: dict[str, pd.Series] = {}
    counted = pd.DataFrame()
    if options["levels"] is not None:
        plan = LevelsPlan(**options["levels"])
        sheet = pd.DataFrame({name: columns.pop(name) for name in words if name})
        kinds, counted = kinds_and_levels(sheet, plan, "the clinical table", problems)
        problems.raise_if_any()
    return pd.DataFrame({**columns, **kinds}, index=clinical.index), counted


def kinds_and_levels(
    sheet: pd.DataFrame, plan: LevelsPlan, path: str | Path, problems: Problems
) -> tuple[dict[str, pd.Series], pd.DataFrame]:
    """Return whether each patient had a new fracture of each kind, and the levels counted.

    Parameters
    ----------
    sheet : pandas.DataFrame
        One row per patient; the columns of `plan` hold text, None where nothing broke.
    plan : LevelsPlan
        Names of the columns.
    path : path-like
        Where they come from, for errors.
    problems : Problems
        Gets every cell that names no level.

    Returns
    -------
    kinds : dict of str to pandas.Series
        Each of `KINDS` -> 0 or 1 a patient; empty without new levels.
    levels : pandas.DataFrame
        A row a level from head to foot: how often it was treated, and broke anew.
    """

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
                    code="levels-cell-unreadable",
                )
            found.append(named or [])
        return found

    treated = read(plan.treated)
    counts = {"treated": pd.Series([each for of in treated for each in of], dtype=object)}
    kinds: dict[str, pd.Series] = {}
    if plan.new:
        new = read(plan.new)
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
