"""Judge a frozen model on a table: its calibrated risks of every row, without any refit."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from models.frozen.equation import LINEAR
from models.frozen.model import FrozenModel, load_frozen
from models.frozen.updates import write_updated
from models.judging.judgement import judge, judging_options
from models.judging.predictions import read_predictions, reading_options
from models.scoring.performance import Sample
from models.validation.recalibration import AS_IS, Recalibration
from models.validation.updating import updates_of
from models.validation.validate import read_groups, write_validation
from pipeline.core.errors import StudyError
from pipeline.core.files import write_table
from pipeline.core.problems import Problems, listing
from pipeline.core.table_schema import types_of
from pipeline.core.written.spellings import same_words, typed_alike
from pipeline.tables.dictionary import MISSING
from pipeline.tables.files.sheets import read_sheet
from pipeline.tables.number_columns import column_of_numbers
from pipeline.tables.schemas.prediction.evaluation import JUDGED
from pipeline.tables.schemas.prediction.validation import FrozenPredictions

logger = logging.getLogger("vertebromics")

NAME = "frozen model"
"""What the model is called in tables."""

ENDING = ".vbm"
"""Of a frozen model's file."""

FILES = {"intercept": "model_intercept.vbm", "intercept and slope": "model_slope.vbm"}
"""File of each update."""


def predictor_table(model: FrozenModel, path: Path, missing: list[str]) -> pd.DataFrame:
    """Read what a frozen model needs of a table: numbers as float64, levels as text.

    Parameters
    ----------
    model : FrozenModel
        The model.
    path : path
        The table; features have the names of PyRadiomics, or a reader before them.
    missing : list of str
        Words that stand for "not known".

    Raises
    ------
    StudyError
        If a column is missing, or a number is none.
    """
    sheet = read_sheet(path)
    sheet = sheet.where(~sheet.isin(MISSING), None)
    problems, found = Problems(f"the table {path}"), {}
    readers = model.facts["readings"]["readers"]
    for one in model.predictors:
        prefixed = [f"{reader}:{one.name}" for reader in readers]
        names = [one.name] if one.name in sheet or one.block != "radiomics" else prefixed
        for name in names:
            if name not in sheet:
                continue  # the model names what is missing, all at once
            values = sheet[name]
            if missing:
                values = values.where(~same_words(values, missing), None)
            if one.levels:
                found[name] = typed_alike(values).astype(object)
                continue
            found[name] = column_of_numbers(values, path, problems)
    problems.raise_if_any()
    return pd.DataFrame(found, index=sheet.index)


def judge_frozen(options: argparse.Namespace) -> None:
    """Judge a frozen model by its file, and write the tables; validate and update it if asked.

    Parameters
    ----------
    options : argparse.Namespace
        Of the command `models.judge`.

    Raises
    ------
    StudyError
        If the file is no frozen model, the table lacks a predictor, no row has a risk, or a row is
        of a site that the model does not serve.
    """
    model = load_frozen(options.model)
    events, left_out = read_predictions(
        options.table, options.outcome, (), **reading_options(options)
    )
    table = predictor_table(model, options.table, options.missing).loc[events.index]
    lacking = np.zeros(len(table), bool)
    missed = model.missing_of(table)
    for rows in missed.values():
        lacking |= rows
    notes = _notes(model, table, missed, int(lacking.sum()), left_out)
    kept, rows = table[~lacking], events[~lacking]
    if rows["outcome"].nunique() < 2:
        raise StudyError(
            "Rows with a risk must hold patients with the outcome and without",
            found=f"{int(rows['outcome'].sum())} events among {len(rows)} rows with a risk",
            where=f"{options.table}; {len(events) - len(rows)} rows lack a predictor",
            remedy="fill in the predictors that the model needs: its card names them",
            code="validated-one-outcome",
        )
    risk = model.risk(kept)
    rows = rows.assign(**{NAME: model.calibrated(risk)})
    tables = judge(
        rows,
        [NAME],
        threshold=options.threshold,
        scale=options.interval,
        **judging_options(options),
    )
    for name, each in tables.items():
        write_table(each, options.out_dir / f"{name}.parquet", JUDGED[name], csv=True)
    told = {"row": rows.index, "outcome": rows["outcome"], "risk": risk, "calibrated": rows[NAME]}
    predictions = pd.DataFrame(told).astype(types_of(FrozenPredictions))
    path = options.out_dir / "predictions.parquet"
    write_table(predictions, path, FrozenPredictions, csv=True)
    for note in notes:
        logger.warning("%s", note)
    if options.validation is None:
        return
    sample = Sample(
        rows["outcome"].to_numpy(int),
        rows[NAME].to_numpy(float),
        rows["patient_id"].to_numpy(),
        options.threshold,
    )
    written = []
    for method, update in updates_of(sample).items():
        if method == AS_IS or not isinstance(update, Recalibration):
            continue
        try:
            digest = write_updated(
                options.model,
                options.out_dir / FILES[method],
                method=method,
                intercept=update.intercept,
                slope=update.slope,
                validation=options.validation,
                rows=len(rows),
                events=int(rows["outcome"].sum()),
            )
        except StudyError as error:
            written.append(f"none by {method}: {error}")
            continue
        written.append(f"{FILES[method]} ({method}; digest {digest}; it holds what it changed)")
    by = read_groups(options.table, options.by, rows.index)
    design = None
    if model.procedure.classifier["kind"] in LINEAR:
        design = model.procedure.design(model.inputs(kept))
    count = None if design is None else design.shape[1]
    told = {"notes": notes, "changed": written, "parameters": count, "design": design}
    write_validation(options, {NAME: sample}, tables, by, **told)


def _notes(
    model: FrozenModel, table: pd.DataFrame, missed: dict, without: int, left_out: int
) -> list[str]:
    """Say which rows have no risk, and which values lie beyond those of training."""
    notes = [
        f"The model is that of the file with the digest {model.digest}; its risks are the "
        "calibrated ones."
    ]
    if left_out:
        notes.append(f"{left_out} rows without an outcome were left out.")
    if without:
        named = listing(f"{name} ({int(rows.sum())})" for name, rows in missed.items())
        notes.append(f"{without} rows have no risk, since they lack a required predictor: {named}.")
    outside = model.outside(table)
    if len(outside):
        counts = outside["predictor"].value_counts(sort=False)
        told = listing(f"{name} ({count})" for name, count in counts.items())
        notes.append(
            f"{outside['row'].nunique()} rows hold values beyond those that the model was fitted "
            f"to: {told}."
        )
    return notes
