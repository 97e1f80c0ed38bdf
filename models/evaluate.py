"""Evaluate: metrics with intervals, paired comparisons and curves of all models of a study.

What a model is judged by are the test rows; in a study without a hold-out, the rows that the outer
folds of nested cross-validation held out. Out-of-fold predictions of the search are listed beside
them without intervals: they chose the parameters, so that no interval would hold.
"""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from models.scoring.comparisons import compare_decisions, compare_models
from models.scoring.cross_validated import (
    HeldOut,
    compare_held_out,
    held_out_estimates,
    mean_roc,
)
from models.scoring.decision_curve import decision_curve, thresholds, with_intervals
from models.scoring.intervals import Estimate
from models.scoring.performance import METRICS, Sample, point_values
from models.scoring.sample_tables import PER_MODEL, as_rows, estimates_of, resamples_of
from models.study_files.outputs import empty_table, write_result
from models.validation.study_groups import on_test_rows, study_subgroups
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table
from pipeline.core.fit_status import is_fitted
from pipeline.core.mode_labels import labelled_log
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.study.study import open_study
from pipeline.tables.schemas.prediction.evaluation import EVALUATION, DecisionCurve
from pipeline.tables.schemas.prediction.nested import NestedPredictions
from pipeline.tables.schemas.prediction.subgroups import Subgroups
from pipeline.tables.schemas.prediction.training import Predictions

logger = logging.getLogger("vertebromics")

#: Word of the configuration for the model that cross-validation chooses.
WINNER = "winner"

#: How the file of a model's nested predictions ends.
NESTED = "_predictions.parquet"

#: Decimals to which probabilities may leave [0, 1] by rounding in a library.
_ROUNDING = 1e-6


def evaluate(
    predictions: Mapping[str, pd.DataFrame],
    infos: Mapping[str, Mapping],
    config: Mapping,
    winner: str | None = None,
    *,
    fitted_here: bool = False,
) -> dict[str, pd.DataFrame]:
    """Return the tables of the evaluation.

    Parameters
    ----------
    predictions : mapping of str to pandas.DataFrame
        By model, ``unit_id, patient_id, outcome, part, probability`` with part ``oof`` or
        ``test``.
    infos : mapping of str to mapping
        By model, what model.json holds; ``threshold`` and ``cv_auc`` are used.
    config : mapping
        The study's resolved configuration; ``seed``, ``evaluation`` and ``primary`` are used.
    winner : str, optional
        The model that cross-validation chose, for a primary analysis of ``winner``.
    fitted_here : bool
        Whether the models were fitted to the rows called test here, as given predictions may be
        (`models.judge`); a study's own never are.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``metrics, comparisons, roc, calibration, calibration_curve, calibration_tests,
        decision_curve, confusion``, with the columns that docs/files.md lists. All but
        `metrics` are of the test rows. Without predictions, as where no model could be fitted, the
        tables are empty.

    Raises
    ------
    StudyError
        If models were not tested on the same units, or a prediction is no probability.
    """
    if not predictions:
        return {name: empty_table(schema) for name, schema in EVALUATION.items()}
    how = _how(config, fitted_here)
    by_part = _checked(predictions)
    primary = _primary_present(config, winner, predictions)
    tests = {
        model: Sample.of(rows, infos[model]["threshold"]) for model, rows in by_part["test"].items()
    }
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("metrics", *PER_MODEL)}
    for done, (model, sample) in enumerate(tests.items(), start=1):
        tables["metrics"].append(as_rows(model, "test", estimates_of(sample, how)))
        tables["metrics"] += _out_of_fold_rows(model, by_part["oof"].get(model), infos[model])
        _add_tables(tables, model, {name: make(sample, how) for name, make in PER_MODEL.items()})
        command.progress("evaluate", done, len(tests), model)
    curve = _decision_curves({model: [sample] for model, sample in tests.items()}, config, how)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()} | {
        "comparisons": compare_models(tests, confidence=how["confidence"], primary=primary).merge(
            compare_decisions(tests, primary), on=["model_a", "model_b"], validate="one_to_one"
        ),
        "decision_curve": curve,
    }


def evaluate_held_out(
    held_out: Mapping[str, HeldOut],
    predictions: Mapping[str, pd.DataFrame],
    infos: Mapping[str, Mapping],
    config: Mapping,
    winner: str | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables of the evaluation of a study without test rows.

    Parameters
    ----------
    held_out : mapping of str to HeldOut
        By model, what its procedure predicts of the rows that the outer folds held out.
    predictions : mapping of str to pandas.DataFrame
        By model, as for `evaluate`; those of part ``oof`` are used.
    infos, config, winner
        As for `evaluate`.

    Returns
    -------
    dict of str to pandas.DataFrame
        As `evaluate` returns them; the part of `metrics` is ``nested``. ROC curves are means over
        the outer folds and decision curves over the repeats; calibration, its tests, confusion
        matrices and decisions are of the first repeat, in which each row is judged once.
    """
    if not held_out:
        return {name: empty_table(schema) for name, schema in EVALUATION.items()}
    how = _how(config, fitted_here=False)
    primary = _primary_present(config, winner, held_out)
    firsts = {model: each.samples[0] for model, each in held_out.items()}
    keys = ("confidence", "n_resamples", "seed")
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("metrics", *PER_MODEL)}
    for done, (model, each) in enumerate(held_out.items(), start=1):
        estimates = held_out_estimates(each, **{key: how[key] for key in keys})
        tables["metrics"].append(as_rows(model, "nested", estimates))
        own = predictions[model]
        own = own[own["part"] == "oof"]
        tables["metrics"] += _out_of_fold_rows(model, own, infos[model])
        made = {name: make(firsts[model], how) for name, make in PER_MODEL.items()}
        _add_tables(tables, model, made | {"roc": mean_roc(each)})
        command.progress("evaluate", done, len(held_out), model)
    comparisons = compare_held_out(held_out, confidence=how["confidence"], primary=primary)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()} | {
        "comparisons": comparisons.merge(
            compare_decisions(firsts, primary), on=["model_a", "model_b"], validate="one_to_one"
        ),
        "decision_curve": _decision_curves(
            {model: each.samples for model, each in held_out.items()}, config, how
        ),
    }


def _how(config: Mapping, fitted_here: bool) -> dict:
    """Return what the tables of all models share."""
    options = config["evaluation"]
    return {
        "confidence": options["confidence"],
        "n_resamples": options["bootstrap"],
        # One seed for all models, so that their intervals come from the same resamples.
        "seed": derive_seed(config["seed"], "evaluate", "resamples"),
        "fitted_here": fitted_here,
    }


def _primary_present(config: Mapping, winner: str | None, judged: Mapping) -> str | None:
    """Return the model of the primary analysis.

    One that could not be fitted leaves its comparisons, and the family of which they were.
    """
    primary = primary_model(config, winner)
    return primary if primary in judged else None


def _out_of_fold_rows(model: str, rows: pd.DataFrame | None, info: Mapping) -> list[pd.DataFrame]:
    if rows is None or rows.empty:
        return []
    return [as_rows(model, "oof", _out_of_fold(rows, info))]


def _add_tables(
    tables: dict[str, list[pd.DataFrame]], model: str, made: Mapping[str, pd.DataFrame]
) -> None:
    for name, table in made.items():
        tables[name].append(table.assign(model=model)[["model", *table.columns]])


def _decision_curves(
    repeats: Mapping[str, list[Sample]], config: Mapping, how: Mapping
) -> pd.DataFrame:
    """Return the decision curves of all models, of several repeats their mean."""
    at = thresholds(*config["evaluation"]["decision_curve"])
    curves = []
    for samples in zip(*repeats.values(), strict=True):
        probabilities = dict(zip(repeats, (each.probability for each in samples), strict=True))
        first = samples[0]
        curve = decision_curve(first.outcome, probabilities, at)
        over = resamples_of(first, how)
        curves.append(with_intervals(curve, first.outcome, probabilities, over, how["confidence"]))
    if len(curves) == 1:
        return curves[0]
    numbers = list(types_of(DecisionCurve))[2:]
    # Rows of all repeats stand in one order: models, and thresholds within them.
    means = np.mean([curve[numbers].to_numpy(float) for curve in curves], axis=0)
    return curves[0].assign(**dict(zip(numbers, means.T, strict=True)))


def primary_model(config: Mapping, winner: str | None) -> str | None:
    """Return the model of the declared primary analysis, None where none was declared.

    Parameters
    ----------
    config : mapping
        Resolved configuration.
    winner : str or None
        The model that cross-validation chose.

    Raises
    ------
    StudyError
        If the analysis is that of the winner, and it is not known.
    """
    declared = config["primary"]
    if declared is None or declared["model"] != WINNER:
        return None if declared is None else declared["model"]
    if winner is None:
        raise StudyError(
            "A primary analysis of the winner needs to know it",
            where="config key primary.model",
            remedy="run the stage winner and pass its file as --winner",
            code="primary-winner-unknown",
        )
    return winner


def _out_of_fold(rows: pd.DataFrame, info: Mapping) -> dict[str, Estimate]:
    values = point_values(Sample.of(rows, info["threshold"]))
    pooled = "pooled out-of-fold predictions; no interval: the folds' fits are dependent"
    estimates = {
        name: Estimate(values[name], math.nan, math.nan, pooled)
        if not math.isnan(values[name])
        else Estimate.undefined("on the out-of-fold predictions")
        for name in METRICS
    }
    # Scores of different folds come from different fits and are not on one scale: their AUROC is
    # taken within folds.
    estimates["auroc"] = Estimate(
        float(info["cv_auc"]) if info["cv_auc"] is not None else math.nan,
        math.nan,
        math.nan,
        "mean over the inner folds; no interval, and optimistic: it chose the parameters",
    )
    return estimates


def _checked(predictions: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, pd.DataFrame]]:
    """Return predictions by part and model, test rows of all models in one order."""
    parts: dict[str, dict[str, pd.DataFrame]] = {"test": {}, "oof": {}}
    units = None
    for model, table in predictions.items():
        values = table["probability"].to_numpy(float)
        bad = ~((values >= -_ROUNDING) & (values <= 1 + _ROUNDING))
        if bad.any():
            raise StudyError(
                "A prediction must be a probability from 0 to 1",
                found=f"{int(bad.sum())} others, first {values[bad][0]}",
                where=f"predictions of model {model}",
                remedy="run the stage train again",
                code="prediction-not-a-probability",
            )
        for part, kept in parts.items():
            rows = table[table["part"] == part].sort_values("unit_id", ignore_index=True)
            if not rows.empty:
                kept[model] = rows
        if model not in parts["test"]:
            raise StudyError(
                "Every model needs predictions of test rows",
                where=f"predictions of model {model}",
                remedy="run the stages split and train again",
                code="test-predictions-missing",
            )
        key = parts["test"][model][["unit_id", "patient_id", "outcome"]]
        units = key if units is None else units
        if not key.equals(units):
            raise StudyError(
                "All models must be tested on the same units, to be compared",
                found=f"{len(key)} units, other models {len(units)}, or other outcomes",
                where=f"predictions of model {model}",
                remedy="run the stage train again for all models",
                code="models-tested-on-other-units",
            )
    return parts


def _paired_paths(predictions: Sequence[Path], infos: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Match the files of each model by their folder."""
    by_folder = {path.parent: path for path in infos}
    folders = [path.parent for path in predictions]
    if set(folders) != set(by_folder) or len(set(folders)) < len(folders):
        raise StudyError(
            "--predictions and --models need one file each of every model, in one folder",
            found=f"{len(predictions)} predictions, {len(infos)} models",
            code="prediction-files-unpaired",
        )
    return [(path, by_folder[path.parent]) for path in predictions]


def _held_out(paths: Sequence[Path], models: Sequence[str]) -> dict[str, HeldOut]:
    """Read what nested cross-validation predicted; a model that it could not judge is left out."""
    tables = {path.name.removesuffix(NESTED): read_table(path, NestedPredictions) for path in paths}
    return {
        model: HeldOut.of(tables[model])
        for model in models
        if model in tables and not tables[model].empty
    }


def main(options: argparse.Namespace) -> None:
    """Read the models of a study, evaluate them and write the tables."""
    study = open_study(options.study)
    config = study.config
    predictions, infos = {}, {}
    for table, info in _paired_paths(options.predictions, options.models):
        model_info = read_json(info)
        if is_fitted(model_info):
            predictions[model_info["model"]] = read_table(table, Predictions)
            infos[model_info["model"]] = model_info
    winner = read_json(options.winner)["model"] if options.winner else None
    judged: Mapping[str, Sample | HeldOut]
    with labelled_log(config):
        if options.nested:
            judged = _held_out(options.nested, list(predictions))
            tables = evaluate_held_out(judged, predictions, infos, config, winner)
        else:
            tables = evaluate(predictions, infos, config, winner)
            judged = on_test_rows(predictions, infos)
        given = (options.analysis, options.split, options.ingest)
        tables["subgroups"] = study_subgroups(judged, study, *given)
    schemas = EVALUATION | {"subgroups": Subgroups}
    for name, table in tables.items():
        write_result(table, options.out_dir / f"{name}.parquet", config, schemas[name])


if __name__ == "__main__":
    arguments = command.parser("models.evaluate", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument(
        "--predictions", required=True, type=Path, nargs="+", help="predictions.parquet per model"
    )
    arguments.add_argument(
        "--models", required=True, type=Path, nargs="+", help="model.json per model"
    )
    arguments.add_argument("--winner", type=Path, help="winner.json")
    arguments.add_argument(
        "--nested",
        type=Path,
        nargs="+",
        help="MODEL_predictions.parquet of nested cross-validation, in a study without test rows",
    )
    arguments.add_argument("--analysis", required=True, type=Path, help="analysis.parquet")
    arguments.add_argument("--split", required=True, type=Path, help="split.parquet")
    arguments.add_argument("--ingest", type=Path, help="ingest.parquet of a study with images")
    arguments.add_argument("--out-dir", required=True, type=Path, help="folder of the tables")
    command.run(main, arguments)
