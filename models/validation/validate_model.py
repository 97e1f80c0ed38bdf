"""Validate a model that is known by its file, and write what it becomes when it is updated."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from models.regression.cohort import Cohort
from models.regression.given import NAME
from models.regression.publishing.model import RegressionModel
from models.regression.publishing.model_file import write_model
from models.scoring.performance import Sample
from models.validation.recalibration import AS_IS, Recalibration
from models.validation.updated_model import updated_model
from models.validation.updating import updates_of
from models.validation.validate import read_groups, write_validation
from pipeline.core.errors import StudyError

FILES = {"intercept": "model_intercept.json", "intercept and slope": "model_slope.json"}
"""File of each update."""


def validate_model(
    options: argparse.Namespace,
    model: RegressionModel,
    cohort: Cohort,
    tables: Mapping[str, pd.DataFrame],
    notes: Sequence[str],
) -> None:
    """Write a validation of a model's risks, and the updated models.

    Parameters
    ----------
    options : argparse.Namespace
        Of the command `models.judge`.
    model : RegressionModel
        The model.
    cohort : Cohort
        Rows that it was judged on.
    tables : mapping of str to pandas.DataFrame
        What `models.regression.given.judge_model` returned.
    notes : sequence of str
        What limits the figures.
    """
    risk = tables["predictions"]["risk"].to_numpy(float)
    sample = Sample(cohort.outcome.astype(int), risk, cohort.patients, options.threshold)
    written = []
    for method, update in updates_of(sample).items():
        if method == AS_IS or not isinstance(update, Recalibration):
            continue
        new = updated_model(
            model,
            update,
            validation=options.validation,
            rows=len(sample.outcome),
            events=int(sample.outcome.sum()),
        )
        write_model(new, options.out_dir / FILES[method])
        written.append(f"{FILES[method]} ({method}; it holds the model as it was)")
    by = read_groups(options.table, options.by, cohort.rows.index)
    parameters = None if model.coefficients is None else len(model.coefficients) - 1
    metrics = tables["metrics"].assign(model=NAME)
    write_validation(
        options,
        {NAME: sample},
        {"metrics": metrics},
        by,
        parameters=parameters,
        notes=notes,
        changed=written,
    )


def check_risks(model: RegressionModel, path: Path) -> None:
    """Raise `StudyError` if a model that is to be validated gives points and no risks."""
    if not model.has_risk:
        raise StudyError(
            "A validation needs risks, and this model gives points alone",
            found=f"{len(model.anchors)} anchors of the risk axis",
            where=str(path),
            remedy="add two anchors of its risk axis (docs/regression.md), or leave --validation "
            "out to judge the points",
            code="validation-of-points",
        )
