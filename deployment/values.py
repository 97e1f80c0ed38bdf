"""Values of new patients, as people write them, typed by what a frozen model knows of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from models.frozen.model import FrozenModel, Predictor
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.tables.clinical.clinical_table import clinical_sheet, type_clinical, without_missing
from pipeline.tables.dictionary import COLUMNS
from pipeline.tables.number_columns import column_of_numbers

#: What a patient is called whose values stand on the command line.
ONE = "this-patient"


def dictionary_of(predictors: Sequence[Predictor]) -> pd.DataFrame:
    """Return the clinical predictors of a model as rows of a data dictionary."""
    rows = [
        {
            "column": one.name,
            "label": one.label or one.name,
            "type": one.type,
            "unit": one.unit,
            "levels": "|".join(one.levels) or None,
            "timing": one.timing,
            "role": "predictor",
        }
        for one in predictors
        if one.block == "clinical"
    ]
    told = pd.DataFrame(rows, columns=list(COLUMNS)).astype(object)
    return told.where(told.notna(), None)


def read_patients(
    model: FrozenModel,
    path: str | Path,
    names: Mapping[str, str | list[str]] | None = None,
    missing: Collection[str | float] = (),
) -> pd.DataFrame:
    """Read a table of new patients.

    Parameters
    ----------
    model : FrozenModel
        What the columns are.
    path : path-like
        Table with ``patient_id`` (or ``case_id``, where a row of the model is a case) and the
        columns of the model's predictors.
    names : mapping, optional
        What the table calls these columns: {name of the model: name in the table}.
    missing : collection of str or number, optional
        Words that mean "not known", beside blank cells.

    Returns
    -------
    pandas.DataFrame
        Indexed by the id: the predictors, numbers as float64, levels as text.

    Raises
    ------
    StudyError
        Telling every wrong column and value.
    """
    key = f"{model.outcome['unit']}_id"
    levels = {one.name: list(one.levels) for one in model.predictors if one.levels}
    sheet = without_missing(clinical_sheet(path, names or {}, key, levels), missing)
    return typed(model, sheet, key, str(path))


def one_patient(model: FrozenModel, given: Mapping[str, str]) -> pd.DataFrame:
    """Return the values of one patient, as they stand on the command line.

    Parameters
    ----------
    model : FrozenModel
        What the values are.
    given : mapping
        Predictor -> text; those that are not given are not known.
    """
    key = f"{model.outcome['unit']}_id"
    values = {one.name: given.get(one.name) for one in model.predictors}
    sheet = pd.DataFrame([{key: ONE, **values}], index=[1], dtype=object)
    return typed(model, sheet, key, "the command line")


def typed(model: FrozenModel, sheet: pd.DataFrame, key: str, where: str) -> pd.DataFrame:
    """Return text as the values of predictors.

    Parameters
    ----------
    model : FrozenModel
        What the columns are.
    sheet : pandas.DataFrame
        Text or None, with the column `key`.
    key : str
        Column of the id.
    where : str
        Where the values come from, for errors.

    Raises
    ------
    StudyError
        Telling every wrong column and value, or a site that the model does not serve.
    """
    problems = Problems(f"the values in {where}")
    for one in model.predictors:
        if one.name not in sheet.columns and one.block != "site":
            problems.add(
                "A table for a frozen model must hold every column that it starts from",
                found=f"none called {one.name}",
                where=f"{where}, header; columns {listing(sheet.columns, 8)}",
                remedy=suggestion(one.name, sheet.columns)
                or "add the column; where a value is not known, leave its cell blank",
                code="frozen-columns-missing",
            )
    problems.raise_if_any()
    model.check_sites(sheet)
    clinical = type_clinical(sheet, dictionary_of(model.predictors), key, where)
    clinical = clinical.set_index(key).drop(columns="patient_id", errors="ignore")
    features = {}
    for one in model.predictors:
        if one.block == "radiomics":
            features[one.name] = column_of_numbers(sheet[one.name], where, problems)
        elif one.block == "site":
            features[one.name] = sheet[one.name]
    problems.raise_if_any()
    if not features:
        return clinical
    return pd.DataFrame(features).set_axis(sheet[key], axis=0).loc[clinical.index].join(clinical)
