"""Train one model: search its parameters over the folds, refit, predict, explain.

Everything that learns from data is fitted to training rows only: inside each fold to that fold's,
and for the final model to all of them. Test rows are predicted, once.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from models.learning.equation import equation_facts
from models.learning.family_registry import FAMILIES, device_of, family_of
from models.learning.importance import importance_table
from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure, ProcedureRun
from models.modes.mode import candidates_in_mode
from models.scoring.threshold import threshold_source
from models.study_files.inputs import input_arguments, read_inputs, training_rows
from models.study_files.outputs import (
    dropped_facts,
    empty_table,
    fitted_facts,
    write_facts,
    write_result,
)
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.mode_labels import is_leaking, labelled_log
from pipeline.core.sections import taken
from pipeline.study.sections.judging import Interpretation
from pipeline.study.study import open_study
from pipeline.tables.schemas.prediction.training import Importance, Predictions, Search

JOURNAL = "search.journal"
"""File beside a model's results that a killed search leaves, and from which it goes on."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(ProcedureOptions):
    """What the stage reads: that of the procedure, and the section `interpretation`."""

    interpretation: Interpretation = taken(Interpretation)


def fit_model(
    model: str,
    columns: Columns,
    training: pd.DataFrame,
    folds: np.ndarray,
    options: ProcedureOptions,
    *,
    workers: int = 1,
    journal: Path | None = None,
) -> ProcedureRun:
    """Run the study's procedure on all training rows, over the folds of the split.

    Parameters
    ----------
    model : str
        Name of the family.
    columns : Columns
        Candidates.
    training : pandas.DataFrame
        Training rows of the analysis table.
    folds : ndarray of shape (n_rows,)
        Fold in which each row is validated.
    options : ProcedureOptions
        What is read of a study; all seeds derive from its ``seed``.
    workers : int
        Processes that share the search's fits; they change no result.
    journal : path, optional
        File from which a search that was killed goes on.
    """
    procedure = Procedure(model, columns, options)
    return procedure.run(training, options.seed, folds, workers=workers, journal=journal)


def predictions_of(
    trained: ProcedureRun, training: pd.DataFrame, test: pd.DataFrame
) -> pd.DataFrame:
    """Return the out-of-fold predictions of training rows, and those of test rows if there are any.

    Returns
    -------
    pandas.DataFrame
        ``unit_id, patient_id, outcome, part (oof|test), probability``.
    """
    names = ["unit_id", "patient_id", "outcome"]
    own = training[names].assign(part="oof", probability=trained.search.out_of_fold)
    # A row that is in no fold has no prediction: as published, Tomek links may have removed it.
    own = own[own["probability"].notna()]
    if test.empty:  # without a hold-out, nested cross-validation judges
        return own.reset_index(drop=True).astype({"outcome": int})
    held_out = test[names].assign(part="test", probability=trained.fitted.predict(test))
    table = pd.concat([own, held_out], ignore_index=True)
    return table.astype({"outcome": int})


def write_model(
    trained: ProcedureRun,
    training: pd.DataFrame,
    test: pd.DataFrame,
    options: TrainOptions,
    folder: Path,
    started: float,
) -> None:
    """Write ``predictions``, ``search``, ``importance`` and ``model.json`` of a trained model."""
    fitted, search, model = trained.fitted, trained.search, trained.fitted.model
    shares, how = importance_table(fitted, training, options.interpretation, options.seed)
    predictions = predictions_of(trained, training, test)
    write_result(predictions, folder / "predictions.parquet", options.mode, Predictions)
    write_result(search.table, folder / "search.parquet", options.mode, Search)
    write_result(shares, folder / "importance.parquet", options.mode, Importance)
    learned_on_real_rows = family_of(model).takes_folds and not is_leaking(options.mode)
    oversampled = fitted.oversampled(options.oversampling)
    oversampled["harms_calibration"] = oversampled["added"] and not learned_on_real_rows
    rule = options.evaluation.threshold_rule
    facts = {
        "model": model,
        "label": family_of(model).label,
        "parameters": trained.parameters,
        "cv_auc": float(search.best["mean_auc"]),
        "cv_auc_sd": float(search.best["sd_auc"]),
        "fits": trained.fits,
        "fit_endings": search.endings,
        "seconds": round(time.monotonic() - started, 1),
        "device": device_of(model, options),
        "threads": options.threads,
        "seed": options.seed,
        "features": fitted.signature,
        "equation": equation_facts(fitted),
        "preparation": {
            "imputation": asdict(options.imputation),
            "scaling": asdict(options.scaling),
            "oversampling": options.oversampling,
        },
        "oversampled": oversampled,
        "threshold": trained.threshold,
        "threshold_rule": rule,
        "threshold_source": threshold_source(
            training["outcome"].to_numpy(int), search.out_of_fold, rule, trained.threshold
        ),
        "importance_notes": how,
        "notes": trained.notes,
    }
    write_facts(fitted_facts(facts), folder / "model.json", options.mode)


def write_dropped(model: str, error: FitError, mode: str, folder: Path) -> None:
    """Write the files of a model that cannot be fitted: empty tables, and why in ``model.json``.

    The study goes on with the models that are left; the report names this one.
    """
    write_result(empty_table(Predictions), folder / "predictions.parquet", mode, Predictions)
    write_result(empty_table(Search), folder / "search.parquet", mode, Search)
    write_result(empty_table(Importance), folder / "importance.parquet", mode, Importance)
    facts = dropped_facts(model, error) | {"label": family_of(model).label}
    write_facts(facts, folder / "model.json", mode)


def main(options: argparse.Namespace) -> None:
    """Read the analysis table and its split, train one model, write its folder."""
    started = time.monotonic()
    how = open_study(options.study).options(TrainOptions)
    columns, table = read_inputs(options.analysis, options.info, options.split)
    training, folds = training_rows(table)
    test = table[table["part"] == "test"]
    # On a GPU several processes would only wait for one another.
    workers = options.workers if device_of(options.model, how) == "cpu" else 1
    # Snakemake deletes the outputs of a job that failed or was killed, and leaves this file alone.
    journal = options.out_dir / JOURNAL
    columns = candidates_in_mode(columns, table, how.mode)
    with labelled_log(how.mode), threadpool_limits(how.threads):
        try:
            trained = fit_model(
                options.model, columns, training, folds, how, workers=workers, journal=journal
            )
        except FitError as error:
            write_dropped(options.model, error, how.mode, options.out_dir)
        else:
            write_model(trained, training, test, how, options.out_dir, started)
    journal.unlink(missing_ok=True)


if __name__ == "__main__":
    arguments = command.parser("models.train", __doc__)
    arguments.add_argument(
        "--model", required=True, choices=sorted(FAMILIES), help="family of the model"
    )
    input_arguments(arguments)
    arguments.add_argument("--out-dir", required=True, type=Path, help="folder of the model")
    arguments.add_argument("--workers", type=int, default=1, help="processes, default 1")
    command.run(main, arguments)
