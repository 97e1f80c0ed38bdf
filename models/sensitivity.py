"""Sensitivity analyses of a trained model: the other reader's contours, and complete cases alone.

Two questions that a reader of a study asks. Would the model have done as well, had the other reader
drawn the contours? It stays as it is and predicts the test rows from the other's features. And does
the result rest on imputed values? The model is fitted again to complete rows, with its own
parameters, and judged on complete test rows. In both, the model as it is predicts the same rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from models.inputs import input_arguments, read_inputs, training_rows
from models.learning.estimators import FAMILIES
from models.learning.fitted_procedure import FittedModel, refit
from models.missingness import complete_rows
from models.modes.mode import candidates_in_mode
from models.outputs import empty_table, write_result
from models.scoring.comparisons import compare_models
from models.scoring.performance import Sample, auroc_estimate
from models.transformers.columns import MEAN_OF_READERS, Columns
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.files import read_json
from pipeline.core.fit_status import is_fitted
from pipeline.core.mode_labels import labelled_log
from pipeline.core.seeds import derive_seed
from pipeline.study.study import open_study
from pipeline.tables.readers import latest_label

OTHER_READER = "other-reader"
COMPLETE_CASES = "complete-cases"

FEWEST = 2
"""Rows of either outcome without which nothing is fitted, and no AUROC has an interval."""

COLUMNS = {
    "model": object,
    "analysis": object,
    "reader": object,
    "training": "Int64",
    "n": "Int64",
    "events": "Int64",
    "auroc": float,
    "auroc_low": float,
    "auroc_high": float,
    "auroc_main": float,
    "difference": float,
    "difference_low": float,
    "difference_high": float,
    "method": object,
    "note": object,
}


def read_by(columns: Columns, table: pd.DataFrame, reader: str) -> pd.DataFrame:
    """Return the rows as if another reader had drawn the contours that the model sees.

    Parameters
    ----------
    columns : Columns
        Candidates.
    table : pandas.DataFrame
        Rows of the analysis table.
    reader : str
        The other reader; where this reader's masks were corrected, the latest features count.

    Returns
    -------
    pandas.DataFrame
        The same rows and columns: what the model's reader measured (all readers, for their mean)
        is replaced by what `reader` did.
    """
    latest = latest_label(reader)
    source = latest if f"{latest}:{columns.features[0]}" in table else reader
    seen = columns.readers if columns.model_reader == MEAN_OF_READERS else (columns.model_reader,)
    labels = [latest_label(r) if r in columns.corrected else r for r in seen]
    values = table[[f"{source}:{feature}" for feature in columns.features]].to_numpy()
    targets = {f"{label}:{feature}" for label in labels for feature in columns.features}
    parts = [table.drop(columns=sorted(targets))]
    for label in labels:
        names = [f"{label}:{feature}" for feature in columns.features]
        parts.append(pd.DataFrame(values, index=table.index, columns=names))
    return pd.concat(parts, axis=1)[table.columns]


def other_reader_rows(fitted: FittedModel, test: pd.DataFrame, confidence: float) -> list[dict]:
    """Judge a fitted model on test rows as every other reader reads them.

    Parameters
    ----------
    fitted : FittedModel
        Fitted to the model's reader, as it was evaluated.
    test : pandas.DataFrame
        Test rows of the analysis table.
    confidence : float
        Level of the intervals.

    Returns
    -------
    list of dict
        One row of `COLUMNS` per other reader, over the test rows that this reader has read.
    """
    columns = fitted.columns
    others = [reader for reader in columns.readers if reader != columns.model_reader]
    if len(columns.readers) < 2:
        return [{"analysis": OTHER_READER, "note": "not done: the study has one reader"}]
    if not columns.features:
        return [{"analysis": OTHER_READER, "note": "not done: the study has no radiomic feature"}]
    rows = []
    for reader in others:
        read = test[[f"{reader}:{feature}" for feature in columns.features]].notna().any(axis=1)
        there = test[read.to_numpy()]
        row = {"analysis": OTHER_READER, "reader": reader} | _counts(there)
        if len(there):
            ours, theirs = fitted.predict(there), fitted.predict(read_by(columns, there, reader))
            row |= _compared(there, theirs, ours, confidence)
        rows.append(row)
    return rows


def complete_case_row(
    fitted: FittedModel,
    table: pd.DataFrame,
    parameters: Mapping,
    config: Mapping,
    seed: int,
) -> dict:
    """Fit the model to complete training rows and judge it on complete test rows.

    Parameters
    ----------
    fitted : FittedModel
        The model as it was evaluated.
    table : pandas.DataFrame
        Analysis table with ``part``.
    parameters : mapping
        The model's parameters, as ``model.json`` holds them.
    config : mapping
        Resolved configuration.
    seed : int
        Seed of the fit.
    """
    complete = complete_rows(fitted.columns, table)
    training = table[(table["part"] == "train") & complete].reset_index(drop=True)
    test = table[(table["part"] == "test") & complete].reset_index(drop=True)
    row = {"analysis": COMPLETE_CASES, "training": len(training)} | _counts(test)
    if complete.all():
        return row | {"note": "not done: no value is missing, so that all rows are complete"}
    for part, rows in (("training", training), ("test", test)):
        events = int(rows["outcome"].sum())
        if min(events, len(rows) - events) < FEWEST:
            left = f"{events} events among {len(rows)} complete {part} rows"
            return row | {"note": f"not done: {left} are too few"}
    columns = candidates_in_mode(fitted.columns, table[complete], config["mode"])
    try:
        again = refit(fitted.model, columns, training, parameters, config, seed)
    except FitError as error:
        return row | {"note": f"not done: {error}"}
    confidence = config["evaluation"]["confidence"]
    return row | _compared(test, again.predict(test), fitted.predict(test), confidence)


def analyse(
    model: str, columns: Columns, table: pd.DataFrame, parameters: Mapping, config: Mapping
) -> pd.DataFrame:
    """Do both sensitivity analyses of one model.

    Parameters
    ----------
    model : str
        Name of the family.
    columns : Columns
        Candidates.
    table : pandas.DataFrame
        Analysis table with ``part``.
    parameters : mapping
        The model's parameters, as ``model.json`` holds them.
    config : mapping
        Resolved configuration.

    Returns
    -------
    pandas.DataFrame
        One row per other reader and one of complete cases, with the columns of `COLUMNS`;
        ``difference`` is the analysis minus the model as it is, on the same rows.
    """
    training, _ = training_rows(table)
    test = table[table["part"] == "test"].reset_index(drop=True)
    # The seed of the final fit, so that the model here is the one that was evaluated.
    seed = derive_seed(config["seed"], model, "refit")
    fitted = refit(model, columns, training, parameters, config, seed)
    rows = other_reader_rows(fitted, test, config["evaluation"]["confidence"])
    rows.append(complete_case_row(fitted, table, parameters, config, seed))
    result = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).assign(model=model)
    return result.astype(COLUMNS).assign(note=result["note"].fillna(""))


def _counts(rows: pd.DataFrame) -> dict:
    return {"n": len(rows), "events": int(rows["outcome"].sum())}


def _compared(
    rows: pd.DataFrame, probability: np.ndarray, main: np.ndarray, confidence: float
) -> dict:
    """Return the AUROC of `probability`, and its difference to that of `main`."""
    outcome, patients = rows["outcome"].to_numpy(int), rows["patient_id"].to_numpy()
    samples = {
        name: Sample(outcome, np.asarray(values, float), patients, 0.5)
        for name, values in (("analysis", probability), ("main", main))
    }
    area = auroc_estimate(samples["analysis"], confidence)
    pair = compare_models(samples, confidence=confidence).iloc[0]
    return {
        "auroc": area.value,
        "auroc_low": area.low,
        "auroc_high": area.high,
        "auroc_main": auroc_estimate(samples["main"], confidence).value,
        "difference": pair["auc_difference"],
        "difference_low": pair["low"],
        "difference_high": pair["high"],
        "method": pair["method"],
    }


def main(options: argparse.Namespace) -> None:
    """Read a trained model's parameters, refit it, and write its sensitivity analyses."""
    config = open_study(options.study).config
    columns, table = read_inputs(options.analysis, options.info, options.split)
    columns = candidates_in_mode(columns, table, config["mode"])
    info = read_json(options.model_json)
    with labelled_log(config), threadpool_limits(config["threads"]):
        if is_fitted(info):
            result = analyse(options.model, columns, table, info["parameters"], config)
        else:
            result = empty_table(COLUMNS)
    write_result(result, options.out, config)


if __name__ == "__main__":
    arguments = command.parser("models.sensitivity", __doc__)
    arguments.add_argument("--model", required=True, choices=sorted(FAMILIES), help="its family")
    input_arguments(arguments)
    arguments.add_argument("--model-json", required=True, type=Path, help="the trained model's")
    arguments.add_argument("--out", required=True, type=Path, help="table to write, .parquet")
    command.run(main, arguments)
