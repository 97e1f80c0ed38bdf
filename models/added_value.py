"""What radiomics adds to clinical data: one family fitted to clinical, radiomic and all candidates.

The family is that of the primary analysis or, where none was declared, the one that
cross-validation chose. Every arm goes through the study's own procedure, and all are judged on the
same rows: those that the primary analysis names. The arm of all candidates is the trained model
itself, so that its figures are those of the evaluation, unless arms search with fewer sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from models.learning.family_registry import device_of, family_of
from models.learning.procedure import search_note
from models.modes.mode import candidates_in_mode
from models.repetitions.arms import (
    BOTH,
    WITHOUT,
    ArmOptions,
    Setting,
    in_outer_folds,
    on_test_rows,
    run_arms,
)
from models.scoring.added_value import COLUMNS, compare_folds
from models.study_files.inputs import input_arguments, read_inputs, training_rows
from models.study_files.outputs import empty_table, write_facts, write_result
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.core.files import read_json, read_table
from pipeline.core.fit_status import is_fitted
from pipeline.core.mode_labels import RIGOROUS, labelled_log
from pipeline.core.sections import taken
from pipeline.running.workers.resuming import journal_until_done, stage_key
from pipeline.study.sections.judging import Primary
from pipeline.study.study import open_study
from pipeline.tables.schemas.prediction.added_value import AddedValue, AddedValueDifferences
from pipeline.tables.schemas.prediction.training import Predictions

COMPARED, NOT_COMPARED = "compared", "not_compared"
"""Values of ``status``: whether there was anything to compare."""


@dataclass(frozen=True, kw_only=True)
class AddedValueOptions(ArmOptions):
    """What the stage reads: that of the arms, and the primary analysis."""

    primary: Primary | None = taken(Primary)


def why_not(columns: Columns, model: str | None) -> str:
    """Return why nothing can be compared, empty where it can."""
    if model is None:
        return "no model could be fitted"
    lacking = [
        name
        for name, candidates in (("radiomic", columns.features), ("clinical", columns.predictors))
        if not candidates
    ]
    return f"the study has no {' and no '.join(lacking)} candidate" if lacking else ""


def judged_model(
    declared: Primary | None, winner: Mapping, infos: Mapping[str, Mapping]
) -> str | None:
    """Return the family of the primary analysis; the winner where none was declared or fitted.

    Parameters
    ----------
    declared : Primary or None
        The section `primary`.
    winner : mapping
        What ``winner.json`` holds.
    infos : mapping of str to mapping
        By model, what ``model.json`` holds.
    """
    model = None if declared is None else declared.model
    return model if model in infos and is_fitted(infos[model]) else winner["model"]


def judged_part(declared: Primary | None, test: pd.DataFrame) -> str:
    """Return on which part arms are judged: that of the primary analysis, else the test rows."""
    nested = declared is not None and declared.part == "nested"
    return "nested" if nested or test.empty else "test"


def risk_threshold(configured: float | None, training: pd.DataFrame) -> float:
    """Return the risk at which net benefit is taken: the configured, else the share of events."""
    return float(training["outcome"].mean()) if configured is None else configured


def with_failed(arms: pd.DataFrame, failed: Mapping[str, str]) -> pd.DataFrame:
    """Add a row without numbers for each arm that could not be fitted, in the order of arms.

    Parameters
    ----------
    arms : pandas.DataFrame
        Columns `COLUMNS`, the arms that could be fitted.
    failed : mapping of str to str
        By arm, why it could not be fitted.
    """
    rows = {row["arm"]: row | {"note": ""} for row in arms.to_dict("records")}
    rows |= {arm: {"arm": arm, "note": f"not fitted: {why}"} for arm, why in failed.items()}
    table = pd.DataFrame([rows[arm] for arm in WITHOUT if arm in rows])
    return table.reindex(columns=list(COLUMNS)).astype(COLUMNS)


def compare_on_test(
    setting: Setting, predictions: pd.DataFrame, test: pd.DataFrame, workers: int, folder: Path
) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Fit the arms to the training rows and judge them on the test rows.

    Parameters
    ----------
    setting : Setting
        What the arms share.
    predictions : pandas.DataFrame
        Those of the trained model.
    test : pandas.DataFrame
        Test rows of the analysis table.
    workers : int
        Processes.
    folder : path
        Where journals of searches lie until they are done.

    Returns
    -------
    arms, differences : pandas.DataFrame
        Columns `COLUMNS` and `DIFFERENCES`.
    facts : dict
        ``search, search_note, same_as_trained, resamples, notes``.
    """
    refitted = [arm for arm in WITHOUT if arm != BOTH or not setting.keeps_trained]
    runs, failed = run_arms(setting, refitted, workers, folder)
    arms, differences = on_test_rows(setting, runs, predictions, test)
    facts = {
        "search": setting.search,
        "search_note": search_note(setting.search, setting.options.search, "arm"),
        "same_as_trained": setting.keeps_trained,
        "resamples": setting.options.evaluation.bootstrap,
        "notes": list(dict.fromkeys(note for run in runs.values() for note in run.notes)),
    }
    return with_failed(arms, failed), differences, facts


def compare_nested(
    setting: Setting, workers: int, folder: Path, key: str
) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Judge the arms in the outer folds of the nested cross-validation of the training rows.

    Parameters
    ----------
    setting : Setting
        What the arms share.
    workers : int
        Processes.
    folder : path
        Where journals lie until they are done.
    key : str
        From `stage_key`: what all folds depend on.

    Returns
    -------
    arms, differences : pandas.DataFrame
        Columns `COLUMNS` and `DIFFERENCES`.
    facts : dict
        ``search, search_note, folds, repeats, notes``.
    """
    options = setting.options.nested
    runs, failed = {}, {}
    parameters: dict[str, Mapping | None] = dict.fromkeys(WITHOUT)
    if options.search == "fixed":
        # Each arm keeps what a search on all training rows chose for it, as the model itself does.
        runs, failed = run_arms(setting, [arm for arm in WITHOUT if arm != BOTH], workers, folder)
        parameters = {BOTH: setting.trained["parameters"]}
        parameters |= {arm: run.parameters for arm, run in runs.items()}
    with journal_until_done(folder / "added_value.journal", key) as journal:
        judged, lost = in_outer_folds(setting, parameters, workers, journal)
    tables = empty_table(AddedValue), empty_table(AddedValueDifferences)
    arms, differences = compare_folds(judged) if len(judged) else tables
    facts = {
        "search": options.search,
        "search_note": search_note(options.search, setting.options.search, "outer fold"),
        "folds": options.folds,
        "repeats": options.repeats,
        "notes": list(dict.fromkeys(note for run in runs.values() for note in run.notes)),
    }
    return with_failed(arms, failed | lost), differences, facts


def main(options: argparse.Namespace) -> None:
    """Read the study's tables and its models, compare the arms, write their tables."""
    how = open_study(options.study).options(AddedValueOptions)
    columns, table = read_inputs(options.analysis, options.info, options.split)
    training, folds = training_rows(table)
    test = table[table["part"] == "test"].reset_index(drop=True)
    infos = {info["model"]: info for info in map(read_json, options.models)}
    model = judged_model(how.primary, read_json(options.winner), infos)
    if reason := why_not(columns, model):
        facts = {"status": NOT_COMPARED, "reason": reason}
        _write(
            (empty_table(AddedValue), empty_table(AddedValueDifferences), facts),
            options.out_dir,
            how.mode,
        )
        return
    part, at = judged_part(how.primary, test), risk_threshold(how.added_value.risk, training)
    device = device_of(model, how)
    # On a GPU several processes would only wait for one another.
    workers = options.workers if device == "cpu" else 1
    options.out_dir.mkdir(parents=True, exist_ok=True)
    nested = part == "nested"
    seen = columns if nested else candidates_in_mode(columns, table, how.mode)
    # Cross-validating an order that has seen every row would measure nothing.
    used = replace(how, mode=RIGOROUS) if nested else how
    setting = Setting(model, seen, training, folds, used, infos[model], at)
    with labelled_log(how.mode), threadpool_limits(how.threads):
        if nested:
            files = [options.analysis, options.info, options.split, *options.models]
            key = stage_key("models.added_value", model, files, how, device)
            arms, differences, facts = compare_nested(setting, workers, options.out_dir, key)
        else:
            paths = {path.parent.name: path for path in options.predictions}
            predictions = read_table(paths[model], Predictions)
            arms, differences, facts = compare_on_test(
                setting, predictions, test, workers, options.out_dir
            )
    share = float((training if nested else test)["outcome"].mean())
    facts = {
        "status": COMPARED,
        "reason": None,
        "model": model,
        "label": family_of(model).label,
        "part": part,
        "risk": at,
        "net_benefit_all": share - (1 - share) * at / (1 - at),
        "confidence": how.evaluation.confidence,
        **facts,
    }
    _write((arms, differences, facts), options.out_dir, how.mode, leaks=not nested)


def _write(
    result: tuple[pd.DataFrame, pd.DataFrame, Mapping],
    folder: Path,
    mode: str,
    *,
    leaks: bool = True,
) -> None:
    arms, differences, facts = result
    write_result(arms, folder / "added_value.parquet", mode, AddedValue, leaks=leaks)
    path = folder / "added_value_differences.parquet"
    write_result(differences, path, mode, AddedValueDifferences, leaks=leaks)
    write_facts(facts, folder / "added_value.json", mode, leaks=leaks)


if __name__ == "__main__":
    arguments = command.parser("models.added_value", __doc__)
    input_arguments(arguments)
    for name, text in (("models", "model.json"), ("predictions", "predictions.parquet")):
        arguments.add_argument(
            f"--{name}", required=True, type=Path, nargs="+", help=f"{text} per model"
        )
    arguments.add_argument("--winner", required=True, type=Path, help="winner.json")
    arguments.add_argument("--workers", type=int, default=1, help="processes, default 1")
    arguments.add_argument("--out-dir", required=True, type=Path, help="folder of the tables")
    command.run(main, arguments)
