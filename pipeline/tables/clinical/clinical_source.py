"""Where a study's clinical values come from: a clinical table, or columns of its feature tables.

Public feature tables mostly carry the outcome in a column of their own. Without a data dictionary
only what the configuration names is taken from a table: the columns of the formulas and of the
split. Nothing else enters undeclared, and so there are no clinical predictors then.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.sections import taken, taken_list
from pipeline.core.written.number_notation import is_number
from pipeline.core.written.spellings import typed_alike
from pipeline.tables.clinical.clinical_table import (
    clinical_sheet,
    read_clinical,
    type_clinical,
    without_missing,
)
from pipeline.tables.columns import KEYS, analysis_name, given_names, table_name
from pipeline.tables.dictionary import COLUMNS, MISSING, read_dictionary
from pipeline.tables.features.feature_columns import Layout, LayoutOptions
from pipeline.tables.features.feature_tables import described_values
from pipeline.tables.files.sheets import column_names
from pipeline.tables.handed_in_options import Condition, Outcome, Site
from pipeline.tables.identifying.checks import shown, shown_id
from pipeline.tables.sites import (
    ALONE,
    SITE,
    HandedIn,
    dictionary_with_site,
    has,
    sites_of,
    spelled,
    spellings_of,
    with_site,
    without_own,
)
from pipeline.tables.split_designs import FROM_COLUMN, PARTS
from pipeline.tables.split_options import Split
from pipeline.tables.values.formula import Formula

logger = logging.getLogger(__name__)

UNUSED_ROLES = ("id", "other")
"""Roles of columns that enter no result, unless a formula or another option names them."""


@dataclass(frozen=True, kw_only=True)
class NamingOptions(HandedIn):
    """Options that name clinical columns.

    Attributes
    ----------
    outcome, eligibility, split
        Sections of these names: a condition, conditions, and how rows are split.
    analyses, readings, reading_consensus
        Options of these names.
    outcomes : mapping
        The section of this name, as the study has it.
    """

    analyses: Sequence[str]
    readings: Mapping[str, Sequence[str]]
    reading_consensus: Mapping[str, str]
    outcomes: Mapping
    outcome: Outcome | None = taken(Outcome)
    eligibility: Sequence[Condition] = taken_list(Condition)
    split: Split = taken(Split)


@dataclass(frozen=True, kw_only=True)
class ClinicalOptions(NamingOptions, LayoutOptions):
    """Options by which the clinical values of a study are read.

    Attributes
    ----------
    unit, dictionary, missing_values, reading_ties, derived
        Options of these names.
    """

    unit: str
    dictionary: str | None
    missing_values: Sequence[str]
    reading_ties: Mapping[str, str]
    derived: Mapping


def clinical_tables(
    options: ClinicalOptions, problems: Problems | None = None
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Read the clinical values of a study and the dictionary that types them.

    Parameters
    ----------
    options : ClinicalOptions
        Of a study with `clinical`, or with `features` and an outcome.
    problems : Problems, optional
        Receives what is wrong with both tables instead of the first error.

    Returns
    -------
    clinical : pandas.DataFrame or None
        As `pipeline.tables.clinical.clinical_table.read_clinical` returns it.
    dictionary : pandas.DataFrame or None
        As `pipeline.tables.dictionary.read_dictionary` returns it, or made of the configuration.
        Either is None, with `problems` alone, where nothing can be gone on with.

    Raises
    ------
    StudyError
        Telling what is wrong with the tables; if a named column is in none, or if rows of one
        unit contradict one another.
    """
    key, path = f"{options.unit}_id", options.clinical
    if problems is None:
        problems = Problems("the clinical table and its dictionary")
        both = clinical_tables(options, problems)
        problems.raise_if_any()
        return both
    dictionary, clinical = None, None
    if options.dictionary is not None:
        with problems.step():
            dictionary = read_dictionary(options.dictionary, problems)
        if dictionary is None:
            if path is not None:
                with problems.step():  # what needs no dictionary
                    clinical_sheet(path, options.columns, key)
            return None, None
    with problems.step():
        clinical, dictionary = _with_dictionary(options, dictionary, key, problems)
    return clinical, dictionary


def _with_dictionary(
    options: ClinicalOptions, dictionary: pd.DataFrame | None, key: str, problems: Problems
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the clinical values typed by a dictionary, or by one made of the configuration."""
    sites, described = options.sites, dictionary
    if dictionary is not None and sites is not None:
        described = dictionary_with_site(dictionary, sites, options.dictionary)
    sheets: dict[str, tuple[pd.DataFrame, str]] = {}
    tables: dict[str, pd.DataFrame] = {}
    for site, of_site in sites_of(options):
        path, spellings = of_site.clinical, spellings_of(of_site)
        if path is not None and dictionary is not None:
            missing, named = options.missing_values, options.columns
            means = {analysis_name(name): list(each) for name, each in options.readings.items()}
            ties = {analysis_name(name): each for name, each in options.reading_ties.items()}
            consensus = {
                analysis_name(name): each for name, each in options.reading_consensus.items()
            }
            derived = {analysis_name(name): each for name, each in options.derived.items()}
            tables[site] = read_clinical(
                *(path, dictionary, key, named, missing, means, problems, ties, derived),
                *(spellings, site, consensus),
            )
            continue
        if path is not None:
            sheet, where = clinical_sheet(path, options.columns, key), path
            sheet = without_missing(sheet, options.missing_values)
        else:
            sheet, where = _beside_features(options, of_site, dictionary, key)
        if site != ALONE:
            sheet = spelled(without_own(sheet), spellings, site)
        sheets[site] = sheet, where
    if dictionary is None:
        dictionary = _dictionary_of_sheets(options, list(sheets.values()))
        described = dictionary
        if sites is not None:
            described = dictionary_with_site(dictionary, sites, options.dictionary)
    for site, (sheet, where) in sheets.items():
        tables[site] = type_clinical(sheet, dictionary, key, where)
    if sites is None:
        return tables[ALONE], dictionary
    parts = [with_site(table, site).assign(**{SITE: site}) for site, table in tables.items()]
    clinical = pd.concat(parts, ignore_index=True)
    return clinical.sort_values(key, kind="stable").reset_index(drop=True), described


def _dictionary_of_sheets(
    options: ClinicalOptions, sheets: list[tuple[pd.DataFrame, str]]
) -> pd.DataFrame:
    """Return a dictionary of the columns that the configuration names, by what sheets hold."""
    roles = _named_columns(options)
    for sheet, where in sheets:
        _check_there(roles, sheet.columns, where)
        left = [name for name in sheet.columns if name not in {*roles, *KEYS}]
        if left and has(options, "clinical"):
            logger.info(
                "no dictionary: of %s only %s is used, and there are no clinical predictors; not "
                "used: %s",
                where,
                listing(map(table_name, roles)),
                listing(map(table_name, left)),
            )
    whole = pd.concat([sheet for sheet, _ in sheets], ignore_index=True)
    return _dictionary_of(whole, roles, options.split.design)


def used_columns(
    clinical: pd.DataFrame,
    options: NamingOptions,
    treated_level: str | None,
    dictionary: pd.DataFrame,
) -> pd.DataFrame:
    """Return a clinical table without the columns that nothing in a study uses.

    What no formula names, and what has the role ``id`` or ``other``, must not be copied into
    results: nobody looks there for what it may say of a patient.

    Parameters
    ----------
    clinical : pandas.DataFrame
        As `pipeline.tables.clinical.clinical_table.type_clinical` returns it.
    options : NamingOptions
        Of the study.
    treated_level : str or None
        The option `preflight.treated_level`.
    dictionary : pandas.DataFrame
        As `pipeline.tables.dictionary.read_dictionary` returns it.
    """
    roles = dict(zip(dictionary["column"], dictionary["role"], strict=True))
    treated = analysis_name(treated_level or "")
    named = {*_named_columns(options), treated}
    spare = [
        name
        for name in clinical.columns
        if name not in KEYS and name not in named and roles.get(name) in UNUSED_ROLES
    ]
    if spare:
        logger.info(
            "clinical columns that nothing uses, and that no result holds: %s",
            listing(map(table_name, spare)),
        )
    return clinical.drop(columns=spare)


def _beside_features(
    options: ClinicalOptions, of_site: HandedIn | Site, dictionary: pd.DataFrame | None, key: str
) -> tuple[pd.DataFrame, str]:
    """Return the clinical columns of the feature tables, one row per unit."""
    where, paths = "the feature tables", of_site.features or {}
    layout = Layout.of(options, dictionary)
    if dictionary is None:
        roles = _named_columns(options)
        heads = [column_names(path, "features") for path in paths.values()]
        claimed = set(given_names(options.columns))
        names = [*options.columns, *(name for head in heads for name in head)]
        there = dict.fromkeys(analysis_name(name) for name in names if name not in claimed)
        _check_there(roles, there, where)
        layout = Layout.of(options, pd.DataFrame({"column": list(roles)}))
    sheet = described_values(paths, key, layout).rename(columns=analysis_name)
    sheet = without_missing(sheet.where(~sheet.isin(MISSING), None), options.missing_values)
    if key not in sheet.columns:
        raise StudyError(
            f"The feature tables must have the column {key}, since `unit` is {options.unit}",
            found=listing(map(shown, sheet.columns)),
            where="config key features",
            remedy=f"name it, `columns: {{{key}: <your column>}}`, or set `unit` accordingly",
            code="feature-tables-without-unit",
        )
    described = [name for name in sheet.columns if name not in KEYS]
    # 1, 1.0 and 1.00 are one value, and so are TRUE and true, whoever wrote the table.
    sheet = sheet.assign(**{name: typed_alike(sheet[name]) for name in described})
    counts = sheet.groupby(key)[described].nunique()
    for name in described:
        several = counts.index[counts[name] > 1]
        if len(several):
            stated = sheet.groupby(key)[name].unique()
            raise StudyError(
                f"Rows of one {options.unit} must have the same {table_name(name)}",
                found=listing(
                    f"{shown_id(unit)} ("
                    f"{' and '.join(map(shown, pd.Series(stated[unit]).dropna()))})"
                    for unit in several
                ),
                where=f"{where}, column {table_name(name)}",
                remedy="mend the values, or write `unit: case` if a row is what has an outcome",
                code="clinical-rows-disagree",
            )
    # The first value that is stated: a reader's table may leave blank what another's states.
    return sheet.groupby(key, as_index=False, sort=False).first(), where


def _named_columns(options: NamingOptions) -> dict[str, str]:
    """Return the columns that the configuration names, with the role of each."""
    roles: dict[str, str] = {}
    formulas = [(options.outcome.formula, "outcome")] if options.outcome else []
    formulas += [(entry.formula, "eligibility") for entry in options.eligibility]
    for formula, role in formulas:
        for name in Formula(formula, f"config key {role}").columns:
            roles.setdefault(name, role)
    split = options.split
    if split.design in FROM_COLUMN and split.column is not None:
        roles[analysis_name(split.column)] = "split"
    if "outcomes" in options.analyses and options.outcomes["by"] is not None:
        roles.setdefault(analysis_name(options.outcomes["by"]), "outcomes.by")
    if "outcomes" in options.analyses:
        for name in columns_of_course(options.outcomes):
            roles.setdefault(analysis_name(name), "outcomes")
    for columns in options.readings.values():
        roles |= {name: roles.get(name, "readings") for name in map(analysis_name, columns)}
    for name in map(analysis_name, options.reading_consensus.values()):
        roles.setdefault(name, "reading_consensus")
    if options.sites is not None:  # made of the sites' names, and in no table
        roles.pop(SITE, None)
    return roles


def columns_of_course(options: Mapping) -> list[str]:
    """Return the clinical columns that scales, events and levels of a study name, each once.

    Parameters
    ----------
    options : mapping
        The section `outcomes` of a configuration.
    """
    names = [name for scale in options["scales"] for name in scale["columns"].values()]
    for event in options["events"]:
        # Which events follow from the levels, and are no columns: see `new_fractures`.
        names += [
            event[key] for key in ("event", "followed", "time", "count", "died") if event.get(key)
        ]
    levels = options["levels"] or {}
    names += [levels[key] for key in ("treated", "new") if levels.get(key)]
    derived = {"adjacent", "remote", "refracture"} if levels.get("new") else set()
    return [name for name in dict.fromkeys([*names, *options["adjust_for"]]) if name not in derived]


def _check_there(roles: Mapping[str, str], columns: Iterable[str], where: str) -> None:
    known = list(columns)
    for name, role in roles.items():
        if name not in known:
            raise StudyError(
                "A column that the configuration names must be in the table",
                found=table_name(name),
                where=f"{where}; config key {role}",
                remedy=suggestion(name, known) or f"columns: {listing(map(table_name, known))}",
                code="named-column-missing",
            )


def _dictionary_of(sheet: pd.DataFrame, roles: Mapping[str, str], design: str) -> pd.DataFrame:
    """Return a dictionary of the named columns, typed by what they hold."""
    entries = []
    for name, role in roles.items():
        texts = sheet[name].dropna()
        texts = texts[~texts.isin(MISSING)]
        kind, levels = "categorical", None
        numbers = texts.map(is_number).astype(bool)
        if numbers.all():
            kind = "continuous"
        elif numbers.any():
            logger.warning(
                "column %s holds numbers and words (%s): all are compared as words, and none of "
                "them is a missing value. Name those that say `not known` in `missing_values`",
                table_name(name),
                listing(map(shown, sorted(texts[~numbers].unique())), 4),
            )
        if role == "split" and design != "temporal":
            imported = design == "imported"
            kind = "binary" if imported else "categorical"
            levels = "|".join(PARTS if imported else sorted(texts.unique()))
        entry = {"column": name, "label": table_name(name), "type": kind, "levels": levels}
        entries.append(entry | {"role": role})
    table = pd.DataFrame(entries).reindex(columns=list(COLUMNS)).astype(object)
    return table.where(table.notna(), None)
