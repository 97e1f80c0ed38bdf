"""Sensitivity analyses of a trained model: the other reader's contours, and complete cases alone.

Two questions that a reader of a study asks. Would the model have done as well, had the other reader
drawn the contours? It stays as it is and predicts the test rows from the other's features. And does
the result rest on imputed values? The model is fitted again to complete rows, with its own
parameters, and judged on complete test rows. In both, the model as it is predicts the same rows.

Without test rows both are done in every outer fold of nested cross-validation: the model is the one
that was fitted outside the fold, and the rows are those that the fold held out.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from models.learning.family_registry import FAMILIES
from models.learning.fitted_procedure import FittedModel, refit
from models.learning.options import RefitOptions
from models.missingness import complete_rows
from models.modes.mode import candidates_in_mode
from models.repetitions.outer_fits import OuterFit, folds_of, outer_arguments, read_outer_fits
from models.scoring import cross_validated
from models.scoring.comparisons import compare_models
from models.scoring.cross_validated import HeldOut, compare_held_out
from models.scoring.performance import Sample, auroc_estimate
from models.study_files.inputs import input_arguments, read_inputs, training_rows
from models.study_files.outputs import empty_table, write_result
from models.transformers.columns import MEAN_OF_READERS, Columns
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.files import read_json
from pipeline.core.fit_status import is_fitted
from pipeline.core.mode_labels import labelled_log
from pipeline.core.sections import taken
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.study.sections.judging import Evaluation
from pipeline.study.study import open_study
from pipeline.tables.readers import latest_label
from pipeline.tables.schemas.prediction.sensitivity import Sensitivity

OTHER_READER = "other-reader"
COMPLETE_CASES = "complete-cases"

FEWEST = 2
"""Rows of either outcome without which nothing is fitted, and no AUROC has an interval."""

COLUMNS = types_of(Sensitivity)


@dataclass(frozen=True, kw_only=True)
class SensitivityOptions(RefitOptions):
    """What the stage reads: that of a fit with its selection, and the level of intervals."""

    evaluation: Evaluation = taken(Evaluation)


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


@dataclass(frozen=True)
class Judge:
    """Rows that a sensitivity analysis is judged on.

    Attributes
    ----------
    rows : pandas.DataFrame
        ``patient_id, outcome``.
    folds : numpy.ndarray or None
        Shape (n_rows,), in a study without test rows the outer fold that held each row out.
    confidence : float
        Level of the intervals.
    """

    rows: pd.DataFrame
    folds: np.ndarray | None
    confidence: float

    def compared(self, kept: np.ndarray, analysis: np.ndarray, main: np.ndarray) -> dict:
        """Return the AUROC of an analysis, and its difference to the model as it is.

        Parameters
        ----------
        kept : numpy.ndarray of bool
            Shape (n_rows,), rows that are judged.
        analysis, main : numpy.ndarray
            Shape (n_rows,), probabilities of both; only those of `kept` are looked at.
        """
        outcome = self.rows["outcome"].to_numpy(int)[kept]
        patients = self.rows["patient_id"].to_numpy()[kept]
        pair = {"analysis": analysis[kept], "main": main[kept]}
        if self.folds is None:
            samples = {name: Sample(outcome, p, patients, 0.5) for name, p in pair.items()}
            areas = {name: auroc_estimate(one, self.confidence) for name, one in samples.items()}
            row = compare_models(samples, confidence=self.confidence).iloc[0]
        else:
            folds, none = self.folds[kept][None], np.array([math.nan])
            both = {n: HeldOut(outcome, patients, folds, p[None], none) for n, p in pair.items()}
            areas = {
                name: cross_validated.auroc_estimate(one, self.confidence)
                for name, one in both.items()
            }
            row = compare_held_out(both, confidence=self.confidence).iloc[0]
        return {
            "auroc": areas["analysis"].value,
            "auroc_low": areas["analysis"].low,
            "auroc_high": areas["analysis"].high,
            "auroc_main": areas["main"].value,
            "difference": row["auc_difference"],
            "difference_low": row["low"],
            "difference_high": row["high"],
            "method": row["method"],
        }


class Fit(NamedTuple):
    """A model of the study, and the rows that judge it.

    Attributes
    ----------
    fitted : FittedModel
        Fitted to the model's reader, as it was evaluated.
    training : pandas.DataFrame
        Rows that it was fitted to.
    judged : numpy.ndarray of bool
        Shape (n_rows,), which of the judged rows it predicts.
    parameters : mapping
        Its parameters.
    seed : int
        Seed of its fit.
    """

    fitted: FittedModel
    training: pd.DataFrame
    judged: np.ndarray
    parameters: Mapping
    seed: int


def other_reader_rows(fits: Sequence[Fit], columns: Columns, judge: Judge) -> list[dict]:
    """Judge fitted models on rows as every other reader reads them.

    Parameters
    ----------
    fits : sequence of Fit
        One, or one per outer fold.
    columns : Columns
        Candidates.
    judge : Judge
        The judged rows.

    Returns
    -------
    list of dict
        One row of `COLUMNS` per other reader, over the rows that this reader has read.
    """
    others = [reader for reader in columns.readers if reader != columns.model_reader]
    if len(columns.readers) < 2:
        return [{"analysis": OTHER_READER, "note": "not done: the study has one reader"}]
    if not columns.features:
        return [{"analysis": OTHER_READER, "note": "not done: the study has no radiomic feature"}]
    rows = []
    for reader in others:
        names = [f"{reader}:{feature}" for feature in columns.features]
        read = judge.rows[names].notna().any(axis=1).to_numpy()
        row = {"analysis": OTHER_READER, "reader": reader} | _counts(judge.rows[read])
        if read.any():
            as_read = read_by(columns, judge.rows, reader)
            theirs, ours = (_predicted(fits, rows, read) for rows in (as_read, judge.rows))
            row |= judge.compared(read, theirs, ours)
        rows.append(row)
    return rows


def _predicted(fits: Sequence[Fit], rows: pd.DataFrame, kept: np.ndarray) -> np.ndarray:
    """Return what each fit predicts of its own rows; NaN for those that are not kept."""
    probability = np.full(len(rows), np.nan)
    for fit in fits:
        own = fit.judged & kept
        if own.any():
            probability[own] = fit.fitted.predict(rows[own])
    return probability


def complete_case_row(
    fits: Sequence[Fit], columns: Columns, judge: Judge, table: pd.DataFrame, options: RefitOptions
) -> dict:
    """Fit the model to complete training rows and judge it on complete rows.

    Parameters
    ----------
    fits, columns, judge
        As for `other_reader_rows`.
    table : pandas.DataFrame
        Analysis table.
    options : RefitOptions
        What is read of a study.
    """
    kept = complete_rows(columns, judge.rows)
    of_fits = [complete_rows(columns, fit.training) for fit in fits]
    learned = [
        fit.training[own].reset_index(drop=True) for fit, own in zip(fits, of_fits, strict=True)
    ]
    size = int(np.mean([len(rows) for rows in learned]))
    row = {"analysis": COMPLETE_CASES, "training": size} | _counts(judge.rows[kept])
    if kept.all() and all(own.all() for own in of_fits):
        return row | {"note": "not done: no value is missing, so that all are complete"}
    counted = [("training", rows) for rows in learned]
    counted += [("held-out", judge.rows[fit.judged & kept]) for fit in fits]
    for part, rows in counted:
        events = int(rows["outcome"].sum())
        if min(events, len(rows) - events) < FEWEST:
            left = f"{events} events among {len(rows)} complete cases of the {part} patients"
            return row | {"note": f"not done: {left} are too few"}
    complete = candidates_in_mode(columns, table[complete_rows(columns, table)], options.mode)
    again = []
    for fit, rows in zip(fits, learned, strict=True):
        try:
            fitted = refit(fit.fitted.model, complete, rows, fit.parameters, options, fit.seed)
        except FitError as error:
            return row | {"note": f"not done: {error}"}
        again.append(fit._replace(fitted=fitted))
    analysis, main = (_predicted(each, judge.rows, kept) for each in (again, fits))
    return row | judge.compared(kept, analysis, main)


def analyse(
    model: str,
    columns: Columns,
    table: pd.DataFrame,
    parameters: Mapping,
    options: SensitivityOptions,
    outer: Sequence[OuterFit] = (),
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
    options : SensitivityOptions
        What is read of a study.
    outer : sequence of OuterFit
        In a study without test rows, the outer folds that judge.

    Returns
    -------
    pandas.DataFrame
        One row per other reader and one of complete cases, with the columns of `COLUMNS`;
        ``difference`` is the analysis minus the model as it is, on the same rows.
    """
    training, _ = training_rows(table)
    confidence = options.evaluation.confidence
    if outer:
        judge = Judge(training, folds_of(list(outer))[0], confidence)
        asked = [(~each.held_out, each.held_out, each.parameters, each.seed) for each in outer]
    else:
        judge = Judge(table[table["part"] == "test"].reset_index(drop=True), None, confidence)
        everyone, judged = np.ones(len(training), bool), np.ones(len(judge.rows), bool)
        asked = [(everyone, judged, parameters, options.seed)]
    fits = []
    for learned, judged, chosen, seed in asked:
        # The seed of the final fit, so that the model here is the one that was evaluated.
        own, rows = derive_seed(seed, model, "refit"), training[learned].reset_index(drop=True)
        fitted = refit(model, columns, rows, chosen, options, own)
        fits.append(Fit(fitted, rows, judged, chosen, own))
    rows = other_reader_rows(fits, columns, judge)
    rows.append(complete_case_row(fits, columns, judge, table, options))
    result = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).assign(model=model)
    return result.astype(COLUMNS).assign(note=result["note"].fillna(""))


def _counts(rows: pd.DataFrame) -> dict:
    return {"n": len(rows), "events": int(rows["outcome"].sum())}


def main(options: argparse.Namespace) -> None:
    """Read a trained model's parameters, refit it, and write its sensitivity analyses."""
    how = open_study(options.study).options(SensitivityOptions)
    columns, table = read_inputs(options.analysis, options.info, options.split)
    columns = candidates_in_mode(columns, table, how.mode)
    info = read_json(options.model_json)
    with labelled_log(how.mode), threadpool_limits(how.threads):
        training, _ = training_rows(table)
        no_hold_out, outer = len(training) == len(table), []
        if no_hold_out and is_fitted(info):
            outer = read_outer_fits(options, training, how.seed)
        if is_fitted(info) and (outer or not no_hold_out):
            result = analyse(options.model, columns, table, info["parameters"], how, outer)
        else:
            result = empty_table(Sensitivity)
    write_result(result, options.out, how.mode, Sensitivity)


if __name__ == "__main__":
    arguments = command.parser("models.sensitivity", __doc__)
    arguments.add_argument(
        "--model", required=True, choices=sorted(FAMILIES), help="family of the model"
    )
    input_arguments(arguments)
    arguments.add_argument("--model-json", required=True, type=Path, help="the trained model's")
    outer_arguments(arguments)
    arguments.add_argument("--out", required=True, type=Path, help="table to write, .parquet")
    command.run(main, arguments)
