"""Whether a study's formulas, groups, split and levels fit its clinical table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.core.sections import taken
from pipeline.study.flow.patient_flow import FlowOptions
from pipeline.study.outcome_columns import course_columns
from pipeline.study.study_groups import groups_by_column
from pipeline.tables.dictionary import (
    NUMERIC,
    ROLE_OF_SITE,
    all_levels,
    allowed_predictors,
    levels_of,
)
from pipeline.tables.identifying.checks import shown_id
from pipeline.tables.split_designs import FROM_COLUMN, PARTS
from pipeline.tables.split_options import Split
from pipeline.tables.values.formula import Formula
from pipeline.tables.values.formula_values import (
    ELIGIBLE_WORDS,
    OUTCOME_WORDS,
    check_sites,
    check_values,
    tell_split,
)


@dataclass(frozen=True, kw_only=True)
class ClinicalCheckOptions(FlowOptions):
    """Options that the clinical table of a study must fit.

    Attributes
    ----------
    analyses, timing, predictors
        Options of these names.
    outcomes : mapping
        The section of this name, as the study has it.
    split : section
        The configuration's section of this name.
    """

    analyses: Sequence[str]
    timing: str
    predictors: Sequence[str] | str
    outcomes: Mapping
    split: Split = taken(Split)


def check_formulas(
    options: ClinicalCheckOptions, clinical: pd.DataFrame, dictionary: pd.DataFrame
) -> None:
    """Raise `StudyError` unless outcome, eligibility and predictors make sense on the tables."""
    levels = all_levels(dictionary)
    problems = Problems("the formulas of the configuration")
    outcome_columns: tuple[str, ...] = ()
    units = clinical.set_index(f"{options.unit}_id", drop=False)
    declared = set(dictionary.loc[dictionary["levels"].notna(), "column"])
    formulas = [
        (
            entry.formula,
            f"config key eligibility, `{entry.label}`",
            f"eligibility {entry.label}",
            ELIGIBLE_WORDS,
        )
        for entry in options.eligibility
    ]
    if options.outcome is not None:
        text, label = options.outcome.formula, f"outcome {options.outcome.name}"
        formulas.insert(0, (text, "config key outcome.formula", label, OUTCOME_WORDS))
    for text, where, label, words in formulas:
        try:
            formula = Formula(text, where)
            check_values(
                formula, units, levels, problems, label=label, words=words, declared=declared
            )
        except StudyError as error:
            problems.errors.append(error)
            continue
        if words is OUTCOME_WORDS:
            outcome_columns = formula.columns
    problems.raise_if_any()
    if options.outcome is not None:
        allowed_predictors(dictionary, options.timing, options.predictors, outcome_columns)


def check_groups(
    options: ClinicalCheckOptions, clinical: pd.DataFrame, dictionary: pd.DataFrame
) -> None:
    """Raise `StudyError` unless groups, scales, events and levels are columns that make some."""
    if "outcomes" not in options.analyses:
        return
    by = options.outcomes["by"]
    if by is not None:
        groups_by_column(by, clinical, dictionary)
    course_columns(clinical, dictionary, options.outcomes)


def check_split_column(
    split: Split, unit: str, clinical: pd.DataFrame, dictionary: pd.DataFrame
) -> None:
    """Raise `StudyError` unless the column that decides the split has values that part it."""
    where = "config key split.column"
    column, design = split.column, split.design
    if design not in FROM_COLUMN:
        return
    assert column is not None  # a configuration without it is refused
    rows = dictionary[dictionary["column"] == column]
    roles = ("split", ROLE_OF_SITE) if design == "by_site" else ("split",)
    if rows.empty or rows.iloc[0]["role"] not in roles:
        raise StudyError(
            f"The column of the split {design} must have the role `split` in the data dictionary",
            found=column,
            where=where,
            remedy="write `split` into the column role of its row, or name another column",
            code="split-column-role",
        )
    entry = rows.iloc[0]
    numeric, levels = entry["type"] in NUMERIC, set(levels_of(entry) or ())
    wanted = {
        "imported": ("binary, with the levels train|test", levels == set(PARTS)),
        "temporal": ("continuous or ordinal: relative days, or the order of enrolment", numeric),
        "by_site": ("categorical or binary, its levels being the sites", not numeric),
    }
    rule, met = wanted[design]
    if not met:
        raise StudyError(
            f"The column of the split {design} must be {rule}",
            found=f"{entry['type']}, {entry['levels']}",
            where=where,
            remedy="correct type and levels in the data dictionary, or name another column",
            code="split-column-type",
        )
    blank = clinical.loc[clinical[column].isna(), f"{unit}_id"]
    if not blank.empty:
        raise StudyError(
            f"The split {design} must place every unit",
            found=f"blank for {listing(map(shown_id, blank))}",
            where=f"the clinical table, column {column}",
            remedy="fill these cells, or remove the rows",
            code="split-column-blank",
        )
    absent = sorted({str(site) for site in split.test_sites}.difference(clinical[column]))
    if design == "by_site" and absent:
        raise StudyError(
            "The sites that a split holds out must be sites of the clinical table",
            found=listing(absent),
            where="config key split.test_sites",
            remedy=f"choose among {listing(sorted(clinical[column].unique()))}",
            code="split-sites-unknown",
        )
    if not numeric:
        check_sites(column, clinical[column])
    tell_split(split, clinical)


def check_treated_level(column: str | None, clinical: pd.DataFrame | None) -> None:
    """Raise `StudyError` unless the column of the treated level is one of the clinical table."""
    if column is not None and (clinical is None or column not in clinical.columns):
        raise StudyError(
            "The column of the treated level must be one of the clinical table's",
            found=column if clinical is not None else f"{column}, and no clinical table",
            where="config key preflight.treated_level",
            remedy="name the column as the data dictionary does, or write null",
            code="treated-column-missing",
        )
