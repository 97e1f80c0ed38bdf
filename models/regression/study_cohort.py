"""The rows of a study's regression: who is in the study by its tables, with typed predictors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.regression.cohort import Cohort, complete_cohort
from models.regression.predictor_types import levels_of_numbers, terms_of
from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.sections import taken
from pipeline.study.flow.patient_flow import FlowOptions, units_by_tables
from pipeline.study.sections.analyses import Regression
from pipeline.study.study import StudyTables
from pipeline.tables.columns import analysis_name, table_name
from pipeline.tables.dictionary import allowed_predictors
from pipeline.tables.split_designs import FROM_COLUMN, parts_from_column
from pipeline.tables.split_options import Split
from pipeline.tables.values.formula import Formula

TEST = "test"


@dataclass(frozen=True, kw_only=True)
class CohortOptions(FlowOptions):
    """Options by which the rows of a study's regression are chosen, and its predictors typed."""

    timing: str
    predictors: Sequence[str] | str
    regression: Regression = taken(Regression)
    split: Split = taken(Split)


def study_cohort(tables: StudyTables, options: CohortOptions) -> tuple[Cohort, Cohort | None]:
    """Return the rows of the fit and, where a column of the study parts them, of the validation.

    Parameters
    ----------
    tables : StudyTables
        With a clinical table and a dictionary.
    options : CohortOptions
        Of a study with an outcome.

    Raises
    ------
    StudyError
        If an option names what is no predictor, or no row has a value of every predictor.
    """
    asked = options.regression
    columns = Formula(options.outcome.formula, "config key outcome.formula").columns
    described = allowed_predictors(
        tables.dictionary, options.timing, options.predictors, tuple(columns)
    )
    described = described.assign(column=described["column"].map(table_name))
    if described.empty:
        raise StudyError(
            "A regression needs predictors",
            found=f"none up to {options.timing}",
            where="the data dictionary, column role",
            remedy="write `predictor` into the column role, or set a later `timing`",
            code="regression-without-predictor",
        )
    _check_names(asked, list(described["column"]))
    clinical, patients, outcome = units_by_tables(tables, options)
    rows = clinical[[analysis_name(name) for name in described["column"]]]
    rows = rows.set_axis(list(described["column"]), axis=1)
    rows = rows.apply(_plain).set_axis(np.arange(1, len(rows) + 1))  # rows are numbered in results
    terms = terms_of(rows, described, asked.factors, asked.references, asked.splines)
    for term in terms:
        if term.is_factor and rows[term.name].dtype.kind == "f":
            rows[term.name] = levels_of_numbers(rows[term.name])
    events = outcome.astype("int64").to_numpy(float)
    patients = patients.fillna(patients.index.to_series()).to_numpy()
    whole = complete_cohort(rows, events, patients, terms, {})
    split = options.split
    if split.design not in FROM_COLUMN:
        return whole, None
    table = clinical.assign(unit_id=clinical.index, patient_id=patients)
    apart = parts_from_column(table, split) == TEST
    return whole.part(~apart), whole.part(apart)


def _plain(values: pd.Series) -> pd.Series:
    """Return numbers as float64 and words as text, None where missing."""
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float)
    return values.astype(object).where(values.notna(), None)


def _check_names(options: Regression, names: list[str]) -> None:
    problems = Problems("the options of the regression")
    for option in ("factors", "references", "splines"):
        for name in np.setdiff1d(list(getattr(options, option)), names):
            problems.add(
                "An option of the regression must name a predictor of the study",
                found=str(name),
                where=f"config key regression.{option}",
                remedy=suggestion(str(name), names) or f"predictors: {listing(names)}",
                code="option-names-no-predictor",
            )
    problems.raise_if_any()
