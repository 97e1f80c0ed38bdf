"""The data dictionary, and the clinical table typed by it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.written.number_notation import NUMBER
from pipeline.core.written.spellings import spelled_twice
from pipeline.tables.columns import (
    KEYS,
    analysis_name,
    quoted,
)
from pipeline.tables.files.sheets import cell, read_sheet
from pipeline.tables.identifying.checks import check_headers, check_levels
from pipeline.tables.schema import check_columns
from pipeline.tables.values.implausible import parse_range

logger = logging.getLogger(__name__)

TIMINGS = ("preoperative", "intraoperative", "postoperative")
TYPES = ("continuous", "ordinal", "categorical", "binary")
ROLE_OF_SITE = "site"
"""Role of the column that names the hospital or centre of a unit."""
ROLES = ("id", "predictor", "outcome", "eligibility", "split", ROLE_OF_SITE, "other")
COLUMNS = ("column", "label", "type", "unit", "levels", "timing", "role", "range", "test")
NUMERIC = ("continuous", "ordinal")
MISSING = {
    *("NA", "N/A", "n/a", "N/a", "n.a.", "N.A.", "NaN", "nan", "NAN", "null", "NULL", "Null"),
    *("#N/A", "#NV", "<NA>"),
}
"""Words that mean a missing value, unless the dictionary lists them among a column's levels."""
TESTS_OF_NUMBERS = ("pooled-t", "welch-t", "mann-whitney", "anova", "kruskal")
"""Tests of table 1 that words cannot have."""
OF_SPLIT = {"part", "fold"}
"""Columns of the split, which stand beside the predictors."""


def read_dictionary(path: str | Path, problems: Problems | None = None) -> pd.DataFrame | None:
    """Read and check a data dictionary.

    Parameters
    ----------
    path : path-like
        The table.
    problems : Problems, optional
        Receives what is wrong instead of an error, and what is right is returned: further checks
        of the study then go on.

    Returns
    -------
    pandas.DataFrame or None
        None with `problems` alone, where nothing can be gone on with.
        One row per clinical column: ``column, label, type, unit, levels, timing, role, range,
        test``, text or None. A column that is called like one of the analysis table gets another
        name (`pipeline.tables.columns.analysis_name`).

    Raises
    ------
    StudyError
        Telling every wrong row, column and value.
    """
    if problems is not None:
        own = Problems(f"the data dictionary {path}")
        table = None
        with own.step():
            table = _checked(path, own)
        problems.errors += own.errors
        return table
    problems = Problems(f"the data dictionary {path}")
    table = _checked(path, problems)
    problems.raise_if_any()
    return table


def _checked(path: str | Path, problems: Problems) -> pd.DataFrame | None:
    """Return the rows of a dictionary that can be gone on with; add what is wrong."""
    sheet = read_sheet(path, "dictionary")
    check_columns(sheet, "dictionary", path, problems)
    if any(name not in sheet for name in ("column", "type", "timing", "role")):
        return None
    for name in COLUMNS:
        if name not in sheet:
            sheet[name] = None
    before = len(problems.errors)
    check_headers(sheet["column"], path, problems, own=KEYS)
    check_levels(sheet, path, problems)
    if len(problems.errors) > before:
        return None  # before any level is quoted
    told = set()  # rows whose cells were told as such
    for name, allowed in (("type", TYPES), ("timing", TIMINGS), ("role", ROLES)):
        wrong = sheet[name].notna() & ~sheet[name].isin(allowed)
        told |= set(sheet.index[wrong])
        sheet[name] = sheet[name].where(~wrong, None)
    told |= set(sheet.index[sheet["role"].isna()])
    sheet = sheet[sheet["column"].notna()].copy()
    seen: dict[str, int] = {}
    for row, entry in sheet.iterrows():
        name = entry["column"]
        if name in seen:
            problems.add(
                f"A column must be described once (also in row {seen[name]})",
                found=name,
                where=cell(path, row, "column"),
                remedy="remove one of the two rows",
                code="column-described-twice",
            )
        seen[name] = row
        before = len(problems.errors)
        if row not in told:
            _check_entry(entry, row, path, problems)
            _check_test(entry, row, path, problems)
        if len(problems.errors) > before:
            sheet.loc[row, ["levels", "range", "test"]] = None
    _check_site(sheet, path, problems)
    if problems:  # what is wrong is told; the other checks of the study need something
        sheet = sheet.drop_duplicates("column")
        sheet["role"] = sheet["role"].where(sheet["role"].notna(), "other")
        untimed = (sheet["role"] == "predictor") & sheet["timing"].isna()
        sheet["timing"] = sheet["timing"].where(~untimed, TIMINGS[0])
    sheet["label"] = sheet["label"].where(sheet["label"].notna(), sheet["column"])
    # Written one way, so that no later reader of the frozen table takes "no " for another level.
    for row, entry in sheet.iterrows():
        levels = levels_of(entry)
        if levels:
            sheet.loc[row, "levels"] = "|".join(levels)
    sheet["column"] = sheet["column"].map(analysis_name)
    return sheet[list(COLUMNS)].reset_index(drop=True)


def levels_of(entry: pd.Series) -> list[str] | None:
    """Return the levels of one row of a dictionary, reference first, or None where it has none."""
    if not entry["levels"]:
        return None
    return [level.strip() for level in entry["levels"].split("|")]


def all_levels(dictionary: pd.DataFrame) -> dict[str, list[str]]:
    """Return the levels of each column of text that has any."""
    return {
        entry["column"]: levels
        for _, entry in dictionary.iterrows()
        if entry["type"] not in NUMERIC and (levels := levels_of(entry))
    }


def allowed_predictors(
    dictionary: pd.DataFrame,
    timing: str,
    predictors: str | Sequence[str] = "all",
    outcome_columns: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the dictionary's rows of the clinical predictors that the model may see.

    Parameters
    ----------
    dictionary : pandas.DataFrame
        As `read_dictionary` returns it.
    timing : {'preoperative', 'intraoperative', 'postoperative'}
        Latest timing allowed.
    predictors : 'all' or sequence of str
        Columns wished for; ``all`` takes every predictor up to `timing`.
    outcome_columns : sequence of str
        Columns of the outcome's formula, none of which may predict it.

    Raises
    ------
    StudyError
        If a named predictor is unknown, has another role, or is known only later than `timing`,
        or if a predictor is part of the outcome.
    """
    rows = dictionary[dictionary["role"] == "predictor"]
    early = rows["timing"].map(TIMINGS.index) <= TIMINGS.index(timing)
    problems = Problems("the predictors")
    if predictors == "all":
        chosen = rows[early]
    else:
        for name in predictors:
            if name not in set(rows["column"]):
                known = name in set(dictionary["column"])
                problems.add(
                    "A predictor must have the role `predictor` in the data dictionary",
                    found=name,
                    where="config key predictors",
                    remedy=f"give {name} the role `predictor`, if it is one"
                    if known
                    else suggestion(name, rows["column"]) or f"known: {listing(rows['column'])}",
                    code="predictor-without-role",
                )
        late = rows[rows["column"].isin(predictors) & ~early]
        for _, entry in late.iterrows():
            problems.add(
                f"A {timing} model must not see what is known only later",
                found=f"{entry['column']} ({entry['timing']})",
                where="config key predictors",
                remedy=f"remove it, or set `timing: {entry['timing']}`",
                code="predictor-known-later",
            )
        chosen = rows[rows["column"].isin(predictors)]
    for name in chosen["column"]:
        if name in outcome_columns:
            problems.add(
                "A column of the outcome's formula must not predict the outcome",
                found=name,
                where="config keys outcome.formula, predictors",
                remedy=f"give {name} the role `outcome` in the data dictionary",
                code="predictor-in-outcome",
            )
    problems.raise_if_any()
    return chosen.reset_index(drop=True)


def program_names(rows: pd.DataFrame) -> dict[str, str]:
    """Return the names that the models give what they make of predictors, each with its column.

    A level of a category is called ``sex=male`` in a signature, and where a value is missing
    ``sex=(missing)`` (`models.transformers.columns`).
    """
    made: dict[str, str] = {}
    for _, entry in rows.iterrows():
        column = entry["column"]
        levels = () if entry["type"] in NUMERIC else (levels_of(entry) or ())
        for name in (column, *(f"{column}={level}" for level in levels), f"{column}=(missing)"):
            made.setdefault(name, column)
    return made


def check_program_names(rows: pd.DataFrame, features: Sequence[str]) -> None:
    """Raise `StudyError` if a feature or predictor is called like what the models make of another.

    Parameters
    ----------
    rows : pandas.DataFrame
        The dictionary's rows of the predictors.
    features : sequence of str
        Names of features.
    """
    made = program_names(rows)
    clashes = [(name, made[name]) for name in features if name in made]
    clashes += [(name, made[name]) for name in rows["column"] if made[name] != name]
    if clashes:
        names = [name for name, _ in clashes]
        raise StudyError(
            "A column must not be called as the models call a predictor or one of its levels",
            found=listing(f"{name} (made of the predictor {column})" for name, column in clashes),
            where="config keys features, dictionary",
            remedy="rename the column in every table, or write `not_features: "
            f"[{', '.join(map(quoted, names))}]`"
            if any(name in set(features) for name in names)
            else "rename the column in both tables",
            code="column-named-like-model-column",
        )


def _check_site(sheet: pd.DataFrame, path: str | Path, problems: Problems) -> None:
    """Add what keeps one column of words from naming the site."""
    of_site = sheet[sheet["role"] == ROLE_OF_SITE]
    if len(of_site) > 1:
        problems.add(
            "One column must name the site",
            found=listing(of_site["column"]),
            where=f"{path}, column role",
            remedy=f"leave the role `{ROLE_OF_SITE}` to one of them",
            code="two-columns-of-sites",
        )
    for row, entry in of_site.iterrows():
        if entry["type"] in NUMERIC:
            problems.add(
                "The column of the site must be of the type categorical, or binary for two",
                found=f"{entry['column']}, {entry['type']}",
                where=cell(path, row, "type"),
                remedy="write categorical, and the names of the sites into `levels`",
                code="site-column-of-numbers",
            )


def _check_test(entry: pd.Series, row: int, path: str | Path, problems: Problems) -> None:
    if entry["test"] in TESTS_OF_NUMBERS and entry["type"] in ("categorical", "binary"):
        problems.add(
            "A test of numbers must be named for numbers",
            found=f"{entry['test']}, and the type {entry['type']}",
            where=cell(path, row, "test"),
            remedy="write pearson, yates, fisher, likelihood-ratio or trend, or leave it blank",
            code="test-of-numbers-for-words",
        )


def _check_entry(entry: pd.Series, row: int, path: str | Path, problems: Problems) -> None:
    name, kind, role = entry["column"], entry["type"], entry["role"]
    if ":" in name or "|" in name or (name in OF_SPLIT and role == "predictor"):
        problems.add(
            "A clinical column must not hold ':' or '|', nor a predictor be called "
            + listing(sorted(OF_SPLIT)),
            found=name,
            where=cell(path, row, "column"),
            remedy="rename it in both tables",
            code="column-name-with-signs",
        )
    if kind is None and role not in ("id", "other"):
        problems.add(
            "A column must have a type",
            found=name,
            where=cell(path, row, "type"),
            remedy="write continuous, ordinal, categorical or binary",
            code="type-missing",
        )
    if role == "predictor" and entry["timing"] is None:
        problems.add(
            "A predictor must say when it is known",
            found=name,
            where=cell(path, row, "timing"),
            remedy=f"write {', '.join(TIMINGS)}",
            code="timing-missing",
        )
    levels = levels_of(entry)
    needs_levels = kind in ("categorical", "binary") and role in (
        *("predictor", "split", ROLE_OF_SITE),
    )
    if levels is None and needs_levels:
        problems.add(
            f"A {kind} {role} must list its levels",
            found=name,
            where=cell(path, row, "levels"),
            remedy="write them separated by '|', the reference first, such as no|yes",
            code="levels-unlisted",
        )
    alike = spelled_twice(levels or ())
    if alike and levels and len(set(levels)) == len(levels):
        problems.add(
            "Levels must differ by more than case, blanks or the kind of a sign",
            found=listing(" and ".join(group) for group in alike),
            where=cell(path, row, "levels"),
            remedy="write each level one way, here and in the clinical table",
            code="levels-spelled-alike",
        )
    if levels is not None and (len(set(levels)) != len(levels) or "" in levels):
        problems.add(
            "Levels must differ from one another, and none be empty",
            found=entry["levels"],
            where=cell(path, row, "levels"),
            remedy="list each level once, with a | between two of them, such as no|yes",
            code="levels-repeated",
        )
    if levels is not None and kind == "binary" and len(levels) != 2:
        problems.add(
            "A binary column must have two levels",
            found=entry["levels"],
            where=cell(path, row, "levels"),
            remedy="give it the type categorical, or list two levels",
            code="binary-levels-not-two",
        )
    try:
        bounds = parse_range(entry["range"])
    except ValueError:
        problems.add(
            "A range must be the lowest and the highest plausible value, separated by '|'",
            found=entry["range"],
            where=cell(path, row, "range"),
            remedy="such as 10|80, or 0| where there is no highest one",
            code="range-invalid",
        )
    else:
        if bounds is not None and kind not in NUMERIC:
            problems.add(
                "Only numbers have a range",
                found=f"{entry['range']}, and the type {kind}",
                where=cell(path, row, "range"),
                remedy="leave the cell blank, or give the column the type continuous or ordinal",
                code="range-of-no-number",
            )
    if levels is not None and kind == "ordinal":
        bad = [level for level in levels if not NUMBER.fullmatch(level)]
        if bad:
            problems.add(
                "The levels of an ordinal column must be numbers in their order",
                found=listing(bad),
                where=cell(path, row, "levels"),
                remedy="code the grades 0|1|2..., or give it the type categorical",
                code="ordinal-levels-not-numbers",
            )
