"""Evaluate: metrics with intervals, paired comparisons and curves of all models of a study.

What a model is judged by are the test rows; in a study without a hold-out, the rows that the outer
folds of nested cross-validation held out. Out-of-fold predictions of the search are listed beside
them without intervals: they chose the parameters, so that no interval would hold.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from models.scoring.comparisons import compare_decisions
from models.scoring.cross_validated import (
    HeldOut,
    compare_held_out,
    held_out_estimates,
    mean_roc,
)
from models.scoring.evaluation import (
    add_tables,
    decision_curves,
    evaluate,
    how_judged,
    out_of_fold_rows,
    primary_model,
)
from models.scoring.performance import Sample
from models.scoring.sample_tables import PER_MODEL, as_rows
from models.study_files.outputs import empty_table, write_result
from models.subgroups.study_groups import on_test_rows, study_subgroups
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table
from pipeline.core.fit_status import is_fitted
from pipeline.core.mode_labels import labelled_log
from pipeline.core.sections import taken
from pipeline.study.sections.judging import Evaluation, Primary
from pipeline.study.study import open_study
from pipeline.tables.schemas.prediction.evaluation import EVALUATION
from pipeline.tables.schemas.prediction.nested import NestedPredictions
from pipeline.tables.schemas.prediction.subgroups import Subgroups
from pipeline.tables.schemas.prediction.training import Predictions

logger = logging.getLogger("vertebromics")

#: How the file of a model's nested predictions ends.
NESTED = "_predictions.parquet"


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What the stage reads.

    Attributes
    ----------
    mode : {'rigorous', 'as_published'}
        Order of the steps, which labels what is written.
    seed : int
        Seed of the study.
    unit : {'patient', 'case'}
        What a row of the analysis is.
    evaluation, primary : section
        The configuration's sections of these names.
    """

    mode: str
    seed: int
    unit: str
    evaluation: Evaluation = taken(Evaluation)
    primary: Primary | None = taken(Primary)


def evaluate_held_out(
    held_out: Mapping[str, HeldOut],
    predictions: Mapping[str, pd.DataFrame],
    infos: Mapping[str, Mapping],
    evaluation: Evaluation,
    seed: int,
    primary: str | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables of the evaluation of a study without test rows.

    Parameters
    ----------
    held_out : mapping of str to HeldOut
        By model, what its procedure predicts of the rows that the outer folds held out.
    predictions : mapping of str to pandas.DataFrame
        By model, as for `evaluate`; those of part ``oof`` are used.
    infos, evaluation, seed, primary
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
    how = how_judged(evaluation, seed, fitted_here=False)
    primary = primary if primary in held_out else None
    firsts = {model: each.samples[0] for model, each in held_out.items()}
    keys = ("confidence", "n_resamples", "seed")
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("metrics", *PER_MODEL)}
    for done, (model, each) in enumerate(held_out.items(), start=1):
        estimates = held_out_estimates(each, **{key: how[key] for key in keys})
        tables["metrics"].append(as_rows(model, "nested", estimates))
        own = predictions[model]
        own = own[own["part"] == "oof"]
        tables["metrics"] += out_of_fold_rows(model, own, infos[model])
        made = {name: make(firsts[model], how) for name, make in PER_MODEL.items()}
        add_tables(tables, model, made | {"roc": mean_roc(each)})
        command.progress("evaluate", done, len(held_out), model)
    comparisons = compare_held_out(held_out, confidence=how["confidence"], primary=primary)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()} | {
        "comparisons": comparisons.merge(
            compare_decisions(firsts, primary), on=["model_a", "model_b"], validate="one_to_one"
        ),
        "decision_curve": decision_curves(
            {model: each.samples for model, each in held_out.items()},
            evaluation.decision_curve,
            how,
        ),
    }


def _paired_paths(predictions: Sequence[Path], infos: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Match the files of each model by their folder."""
    by_folder = {path.parent: path for path in infos}
    folders = [path.parent for path in predictions]
    if set(folders) != set(by_folder) or len(set(folders)) < len(folders):
        raise StudyError(
            "--predictions and --models need one file each of every model, in one folder",
            found=f"{len(predictions)} predictions, {len(infos)} models",
            remedy="name predictions and model.json of the same models",
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
    how = study.options(EvaluateOptions)
    predictions, infos = {}, {}
    for table, info in _paired_paths(options.predictions, options.models):
        model_info = read_json(info)
        if is_fitted(model_info):
            predictions[model_info["model"]] = read_table(table, Predictions)
            infos[model_info["model"]] = model_info
    winner = read_json(options.winner)["model"] if options.winner else None
    judged: Mapping[str, Sample | HeldOut]
    with labelled_log(how.mode):
        if options.nested:
            judged = _held_out(options.nested, list(predictions))
            primary = primary_model(how.primary, winner) if judged else None
            tables = evaluate_held_out(
                judged, predictions, infos, how.evaluation, how.seed, primary
            )
        else:
            primary = primary_model(how.primary, winner) if predictions else None
            tables = evaluate(predictions, infos, how.evaluation, how.seed, primary)
            judged = on_test_rows(predictions, infos)
        given = (options.analysis, options.split, options.ingest)
        known = (study.cases, study.dictionary)
        tables["subgroups"] = study_subgroups(judged, how.evaluation, how.unit, *known, *given)
    schemas = EVALUATION | {"subgroups": Subgroups}
    for name, table in tables.items():
        write_result(table, options.out_dir / f"{name}.parquet", how.mode, schemas[name])


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
        help="MODEL_predictions.parquet of nested cross-validation, in a study without a hold-out",
    )
    arguments.add_argument("--analysis", required=True, type=Path, help="analysis.parquet")
    arguments.add_argument("--split", required=True, type=Path, help="split.parquet")
    arguments.add_argument("--ingest", type=Path, help="ingest.parquet of a study with images")
    arguments.add_argument("--out-dir", required=True, type=Path, help="folder of the tables")
    command.run(main, arguments)
