"""The clinical table, typed by the data dictionary."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.written.spellings import same_words, spelling_of, typed_alike
from pipeline.tables.clinical.derived_columns import with_derived, without_derived
from pipeline.tables.clinical.joined_readings import with_joined
from pipeline.tables.columns import (
    KEYS,
    analysis_name,
    name_columns,
    naming_remedy,
    table_name,
    write_ids,
)
from pipeline.tables.dictionary import MISSING, NUMERIC, all_levels, levels_of
from pipeline.tables.files.sheets import read_sheet, rows_of_repeated, rows_text
from pipeline.tables.identifying.checks import check_identifying, shown, shown_id
from pipeline.tables.number_columns import column_of_numbers
from pipeline.tables.schema import check_columns
from pipeline.tables.sites import ALONE, check_levels, every_spelling, spelled, without_own
from pipeline.tables.values.implausible import implausible_columns

logger = logging.getLogger(__name__)

MAX_TOLD = 5
"""Implausible values of a column that are named one by one."""

SHOWN = 60
"""Characters of a cell that an error quotes."""


def read_clinical(
    path: str | Path,
    dictionary: pd.DataFrame,
    key: str,
    names: Mapping[str, str | list[str]] | None = None,
    missing: Collection[str | float] = (),
    readings: Mapping[str, list[str]] | None = None,
    problems: Problems | None = None,
    ties: Mapping[str, str] | None = None,
    derived: Mapping[str, str] | None = None,
    spellings: Mapping[str, Mapping[str, object]] | None = None,
    site: str = ALONE,
    consensus: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read the clinical table and type it by the dictionary.

    Parameters
    ----------
    path : path-like
        The table.
    dictionary : pandas.DataFrame
        As `read_dictionary` returns it.
    key : {'patient_id', 'case_id'}
        Column that names the unit of a row.
    names : mapping, optional
        Option ``columns``: what the table calls the columns of this project.
    missing : collection of str or number, optional
        Option ``missing_values``: what stands for a value that is not known.
    readings : mapping, optional
        Option ``readings``: columns that are made of others.
    problems : Problems, optional
        As `type_clinical` takes it.
    ties : mapping, optional
        Option ``reading_ties``: what holds where readings tie.
    derived : mapping, optional
        Option ``derived``: columns that formulas work out.
    spellings : mapping, optional
        Option ``sites.<site>.levels``: how the table's site spells levels.
    site : str, optional
        The table's site, in a study of several.
    consensus : mapping, optional
        Option ``reading_consensus``: the column that decides where readings differ.

    Returns
    -------
    pandas.DataFrame
        As `type_clinical` returns it; without the site.

    Raises
    ------
    StudyError
        Telling every wrong row, column and value.
    """
    levels, spellings = all_levels(dictionary), spellings or {}
    for name, more in spellings.items():  # a level is no name of a patient, however it is spelled
        levels.setdefault(analysis_name(name), []).extend(every_spelling(more))
    sheet = clinical_sheet(path, names or {}, key, levels)
    if site != ALONE:
        check_levels(dictionary, spellings, site)
        sheet = spelled(without_own(sheet), spellings, site)
    sheet = without_missing(sheet, missing)
    if problems is None:
        sheet = with_joined(sheet, readings or {}, dictionary, path, ties, consensus)
    else:
        before = len(problems.errors)
        with problems.step():
            sheet = with_joined(sheet, readings or {}, dictionary, path, ties, consensus)
        if len(problems.errors) > before:  # the columns of their means cannot be there
            dictionary = dictionary[~dictionary["column"].isin(list(readings or {}))]
    given = without_derived(dictionary, derived or {})
    typed = type_clinical(sheet, given, key, path, complete=True, problems=problems)
    if not derived:
        return typed
    if problems is None:
        return with_derived(typed, derived, dictionary)
    with problems.step():
        typed = with_derived(typed, derived, dictionary)
    return typed


def clinical_sheet(
    path: str | Path,
    names: Mapping[str, str | list[str]],
    key: str,
    levels: Mapping[str, list[str]] | None = None,
) -> pd.DataFrame:
    """Read a clinical table as text, its columns and ids named and written as in this project.

    Parameters
    ----------
    path, names, key
        As `read_clinical` takes them.
    levels : mapping, optional
        Column -> levels that the data dictionary lists, which are no names of patients.

    Raises
    ------
    StudyError
        If the table cannot be read, lacks its key, or has a column of names, dates, addresses or
        hospital numbers.
    """
    sheet = name_columns(read_sheet(path, "clinical"), names, path)
    if key not in sheet.columns:
        raise StudyError(
            f"The clinical table must have the column {key}, one row per {key.removesuffix('_id')}",
            found=f"columns {listing(map(shown, sheet.columns))}",
            where=f"{path}, header",
            remedy=f"{naming_remedy(key, sheet.columns, names)}; or set `unit` to what a row is",
            code="clinical-key-missing",
        )
    sheet = write_ids(sheet, path).rename(columns=analysis_name)
    problems = Problems(f"the clinical table {path}")
    check_identifying(sheet, path, problems, own=KEYS, levels=levels)
    problems.raise_if_any()
    return sheet


def without_missing(sheet: pd.DataFrame, missing: Collection[str | float]) -> pd.DataFrame:
    """Return a table of text with blanks for what the option ``missing_values`` names.

    It counts in every column but the ids, whether or not a level is called so.
    """
    if not missing:
        return sheet
    columns = {
        name: sheet[name].where(~same_words(sheet[name], missing), None)
        for name in sheet.columns
        if name not in KEYS
    }
    return sheet.assign(**columns)


def type_clinical(
    sheet: pd.DataFrame,
    dictionary: pd.DataFrame,
    key: str,
    path: str | Path,
    *,
    complete: bool = False,
    problems: Problems | None = None,
) -> pd.DataFrame:
    """Type clinical values by the dictionary.

    Parameters
    ----------
    sheet : pandas.DataFrame
        Text, as `clinical_sheet` returns it.
    dictionary : pandas.DataFrame
        As `read_dictionary` returns it.
    key : {'patient_id', 'case_id'}
        Column that names the unit of a row.
    path : path-like
        Where the values come from, for errors.
    complete : bool, optional
        Whether the dictionary has to describe every column but the ids; otherwise the others are
        left out.
    problems : Problems, optional
        Receives what is wrong instead of an error; wrong values are missing in what is returned,
        so that further checks of the study go on.

    Returns
    -------
    pandas.DataFrame
        The key, then the dictionary's columns in its order, sorted by the key. Continuous and
        ordinal columns are float64 (NaN where missing), all others text (None where missing).

    Raises
    ------
    StudyError
        Telling every wrong row, column and value.
    """
    given, problems = problems, Problems(f"the clinical table {path}")
    described = list(dictionary["column"])
    # Pseudonyms need no description; everything else that enters has to be declared.
    spare = [name for name in sheet.columns if name not in {*described, key, "patient_id"}]
    if spare and complete:
        problems.add(
            "Every clinical column must be described in the data dictionary",
            found=listing(spare),
            where=f"{path}, header",
            remedy="add a row per column to the dictionary, or remove the column from the table",
            code="clinical-column-undescribed",
        )
    for name in described:
        if name not in sheet.columns:
            problems.add(
                "Every column of the data dictionary must be in the clinical table",
                found=name,
                where=f"{path}, header",
                remedy=suggestion(name, spare) or "add the column, or remove the row",
                code="dictionary-column-missing",
            )
    check_columns(sheet, "clinical", path, problems)
    _check_key(sheet, key, path, problems)
    ids = [name for name in dict.fromkeys([key, "patient_id"]) if name in sheet.columns]
    typed = {name: sheet[name] for name in ids}
    for _, entry in dictionary.iterrows():
        if entry["column"] not in ids and entry["column"] in sheet.columns:
            typed[entry["column"]] = _typed(sheet[entry["column"]], entry, path, problems)
    if given is None:
        problems.raise_if_any()
    else:
        given.errors += problems.errors
    for name, odd in implausible_columns(pd.DataFrame(typed), dictionary):
        for each in odd[:MAX_TOLD]:
            logger.warning(
                "%s, row %s, column %s: %.10g is implausible (%s). Correct it, or name it in "
                "`missing_values`; if it is right, write a wider `range` into the data dictionary",
                *(path, each.at, table_name(name), each.value, each.why),
            )
        if len(odd) > MAX_TOLD:
            logger.warning(
                "%s, column %s: %d more are implausible",
                path,
                table_name(name),
                len(odd) - MAX_TOLD,
            )
    return pd.DataFrame(typed).sort_values(key, kind="stable").reset_index(drop=True)


def _check_key(sheet: pd.DataFrame, key: str, path: str | Path, problems: Problems) -> None:
    for value, rows in rows_of_repeated(sheet[key]):
        problems.add(
            f"A {key.removesuffix('_id')} must have one row of the clinical table",
            found=f"{shown_id(value)} in {rows_text(rows)}",
            where=f"{path}, column {key}",
            remedy="keep one of the rows, or set `unit: case` if a row is a vertebra",
            code="clinical-row-repeated",
        )


def _typed(values: pd.Series, entry: pd.Series, path: str | Path, problems: Problems) -> pd.Series:
    levels = levels_of(entry) or []
    values = values.where(~values.isin(MISSING - set(levels)), None)
    if entry["type"] in NUMERIC:
        numbers = column_of_numbers(values, path, problems)
        allowed = {float(level) for level in levels} if levels else None
        unknown = numbers.notna() & ~numbers.isin(allowed) if allowed else numbers.isna() & False
    else:
        numbers = values = _spelled(values, levels) if levels else typed_alike(values)
        unknown = values.notna() & ~values.isin(levels) if levels else values.isna() & False
        if entry["type"] == "binary" and not levels and values.nunique() > 2:
            problems.add(
                "A binary column must have two values",
                found=listing(map(shown, sorted(values.dropna().unique()))),
                where=f"{path}, column {values.name}",
                remedy="give it the type categorical, or list its two levels",
                code="binary-column-not-two-values",
            )
    for value, rows in values[unknown].groupby(values[unknown], sort=False).groups.items():
        problems.add(
            f"A value of {values.name} must be one of its levels {'|'.join(levels)}",
            found=shown(value),
            where=f"{path}, {rows_text(rows)}, column {values.name}",
            remedy=suggestion(value, levels) or "mend the value, or add it to the dictionary",
            code="value-not-a-level",
        )
    return numbers.where(~unknown, np.nan if entry["type"] in NUMERIC else None)


def _spelled(values: pd.Series, levels: list[str]) -> pd.Series:
    """Return text with 1.0 as the level 1, and TRUE as the level true.

    Software that knows numbers only writes levels so. Where 1 and 1.0 both are levels, they differ
    for the dictionary's author.
    """
    known = {text: spelling_of(text, levels) for text in values.dropna().unique()}
    return values.map(lambda text: known.get(text, text)).astype(object)
