"""How much is texture, how much shape, volume and density: the study's procedure on controls.

The family of the primary analysis (or the best one) is fitted to radiomic features alone: to the
true ones, and to those of the same scans after voxels were mixed, each draw through the study's
whole procedure, on the same rows with the same seeds. Volume, shape and mean CT number alone stand
beside them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from models.added_value import judged_model, judged_part
from models.learning.family_registry import device_of, family_of
from models.learning.folds import outer_folds, outer_seed
from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure, search_note
from models.modes.mode import candidates_in_mode
from models.references import Reference, fit_reference, with_simple_predictors
from models.scoring.cross_validated import NO_FOLD
from models.scoring.paired_controls import TRUE, judged_arms
from models.study_files.inputs import input_arguments, read_inputs, training_rows
from models.study_files.outputs import empty_table, write_facts, write_result
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.files import read_json, read_table
from pipeline.core.mode_labels import RIGOROUS, labelled_log
from pipeline.core.sections import taken
from pipeline.core.table_schema import types_of
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers
from pipeline.running.workers.resuming import journal_until_done, map_kept, stage_key
from pipeline.study.changed import with_option
from pipeline.study.sections.controls import Controls as Asked
from pipeline.study.sections.judging import Nested, Primary
from pipeline.study.study import open_study
from pipeline.tables.schemas.features.controls import KINDS, ControlRows, Controls
from pipeline.tables.schemas.images.masks import Masks

COLUMNS = types_of(Controls)

COMPARED, NOT_COMPARED = "compared", "not_compared"
"""Values of ``status``: whether there was anything to compare."""

SIMPLE = {
    "shape": "the study has no feature of shape",
    "volume": "no feature bears the name of a volume",
    "hu": "the study has no mean CT number",
}
"""Arm of a simple prediction -> why it is not there."""


@dataclass(frozen=True, kw_only=True)
class ControlOptions(ProcedureOptions):
    """What the stage reads: that of the procedure, and on what it is tried and judged.

    Attributes
    ----------
    unit : {'patient', 'case'}
        What a row of the analysis is.
    controls, nested, primary : section
        The configuration's sections of these names.
    """

    unit: str
    controls: Asked = taken(Asked)
    nested: Nested = taken(Nested)
    primary: Primary | None = taken(Primary)


@dataclass(frozen=True)
class Controlled:
    """What all fits share.

    Attributes
    ----------
    model : str
        Name of the family.
    columns : Columns
        Radiomic candidates.
    tables : mapping of (str, int) to pandas.DataFrame
        By arm and draw, the analysis table with the split, features replaced.
    options : ControlOptions
        What is read of a study, with the mode in which it is judged.
    search : str
        How parameters are found.
    parameters : mapping or None
        With ``fixed``, those of the trained model.
    """

    model: str
    columns: Columns
    tables: Mapping[tuple[str, int], pd.DataFrame] = field(repr=False)
    options: ControlOptions = field(repr=False)
    search: str
    parameters: Mapping | None


@dataclass(frozen=True)
class Judging:
    """On which rows everything is judged.

    Attributes
    ----------
    rows : pandas.DataFrame
        ``outcome, patient_id`` of the judged rows.
    parts : list of (int, int, ndarray or None)
        Repeat, fold and which training rows are held out; None where test rows are judged.
    """

    rows: pd.DataFrame
    parts: list[tuple[int, int, np.ndarray | None]]

    @property
    def folds(self) -> np.ndarray:
        """Fold of each row in each repeat, shape (n_repeats, n)."""
        repeats = 1 + max(repeat for repeat, _, _ in self.parts)
        folds = np.full((repeats, len(self.rows)), NO_FOLD)
        for repeat, fold, held_out in self.parts:
            folds[repeat, slice(None) if held_out is None else held_out] = fold
        return folds


def judging_of(table: pd.DataFrame, options: ControlOptions) -> Judging:
    """Return on which rows the arms are judged: those of the primary analysis."""
    test = table[table["part"] == "test"].reset_index(drop=True)
    if judged_part(options.primary, test) == "test":
        return Judging(test[["outcome", "patient_id"]], [(0, 0, None)])
    training, _ = training_rows(table)
    nested = options.nested
    outer = outer_folds(training, nested.folds, nested.repeats, options.seed)
    return Judging(training[["outcome", "patient_id"]], list(outer))


def replaced(table: pd.DataFrame, rows: pd.DataFrame) -> dict[tuple[str, int], pd.DataFrame]:
    """Return the analysis table once a kind and draw, its features replaced by the control's.

    Parameters
    ----------
    table : pandas.DataFrame
        Analysis table with its split.
    rows : pandas.DataFrame
        ``kind, draw, unit_id`` and the same feature columns.
    """
    names = [column for column in rows if ":" in column]
    rest = table.drop(columns=names)
    tables = {(TRUE, 0): table}
    for kind in KINDS:
        for draw, drawn in rows[rows["kind"] == kind].groupby("draw", sort=True):
            values = drawn.set_index("unit_id").loc[table["unit_id"], names]
            parts = [rest, values.set_axis(table.index, axis=0)]
            tables[kind, int(draw)] = pd.concat(parts, axis=1)[list(table.columns)]
    return tables


def fit_all(
    shared: Controlled, judging: Judging, workers: int = 1, journal: Journal | None = None
) -> tuple[dict[tuple[str, int], tuple[np.ndarray, float]], dict[str, str]]:
    """Fit every arm and draw for every part, and predict the judged rows.

    Parameters
    ----------
    shared : Controlled
        What is fitted to.
    judging : Judging
        What is judged.
    workers : int
        Processes; the result does not depend on them.
    journal : Journal, optional
        Open journal of finished fits.

    Returns
    -------
    predictions : dict
        By arm and draw, probabilities of shape (n_repeats, n), and columns of the signature.
    failed : dict of str to str
        By arm, why a draw of it could not be fitted.
    """
    tasks = [(*key, *part) for key in shared.tables for part in judging.parts]
    names = [f"{arm} {draw}, repeat {r}, fold {f}" for arm, draw, r, f, _ in tasks]
    with Workers(workers, shared, shared.options.threads) as pool:
        results = map_kept(
            pool, _fit, tasks, names, journal,
            stage="controls", describe=_told, pack=dict, unpack=dict,
        )  # fmt: skip
    found, failed = {}, {}
    for (arm, draw, repeat, _, held_out), result in zip(tasks, results, strict=True):
        if result["failed"] is not None:
            failed.setdefault(arm, result["failed"])
            continue
        empty = np.full(judging.folds.shape, np.nan)
        probability, sizes = found.setdefault((arm, draw), (empty, []))
        rows = slice(None) if held_out is None else held_out
        probability[repeat, rows] = result["probability"]
        sizes.append(result["n_features"])
    whole = {
        key: (probability, float(np.mean(sizes)))
        for key, (probability, sizes) in found.items()
        if len(sizes) == len(judging.parts)
    }
    return whole, failed


def _fit(shared: Controlled, task: tuple) -> dict:
    """Run the procedure on the training rows of one arm and draw, and predict the judged rows."""
    arm, draw, repeat, fold, held_out = task
    table = shared.tables[arm, draw]
    training, folds = training_rows(table)
    columns, seed = shared.columns, shared.options.seed
    if held_out is None:
        judged = table[table["part"] == "test"].reset_index(drop=True)
        columns = candidates_in_mode(columns, table, shared.options.mode)
    else:
        judged = training[held_out]
        training, folds = training[~held_out].reset_index(drop=True), None
        seed = outer_seed(seed, shared.model, repeat, fold)
    procedure = Procedure(shared.model, columns, shared.options, shared.search, shared.parameters)
    try:
        # The seed is that of the true features: arms differ by the features alone.
        run = procedure.run(training, seed, folds)
    except FitError as error:
        return {"failed": str(error), "probability": [], "n_features": 0}
    probability = run.fitted.predict(judged).tolist()
    return {
        "failed": None, "probability": probability, "n_features": len(run.fitted.signature)
    }  # fmt: skip


def _told(task: tuple, result: Mapping) -> str:
    return result["failed"] or f"{result['n_features']} columns"


def simple_arms(
    columns: Columns,
    table: pd.DataFrame,
    judging: Judging,
    options: ControlOptions,
    masks: pd.DataFrame | None,
) -> tuple[dict[str, tuple[np.ndarray, float]], dict[str, str]]:
    """Predict the judged rows from volume, shape or mean CT number alone.

    They are logistic regressions with a ridge penalty, as the study's simplest predictions; all
    features of shape that readers agree on enter.

    Parameters
    ----------
    columns : Columns
        All candidates.
    table : pandas.DataFrame
        Analysis table with its split.
    judging : Judging
        What is judged.
    options : ControlOptions
        What is read of a study, with the mode in which it is judged.
    masks : pandas.DataFrame or None
        ``masks.parquet``, for the mean CT number as scanned.
    """
    table, predictors = with_simple_predictors(table, columns, masks, options.unit)
    shape = tuple(name for name in columns.features if name.startswith("original_shape_"))
    candidates = {
        name: replace(columns, features=(), predictors=(predictors[name],))
        for name in ("volume", "hu")
        if name in predictors
    }
    if shape:
        candidates["shape"] = replace(columns, features=shape, predictors=())
    training, _ = training_rows(table)
    test = table[table["part"] == "test"].reset_index(drop=True)
    found, failed = {}, {name: why for name, why in SIMPLE.items() if name not in candidates}
    for name, own in candidates.items():
        reference = Reference(name, own, every=True)
        used = _unfiltered(options) if name == "shape" else options
        probability, sizes = np.full(judging.folds.shape, np.nan), []
        try:
            for repeat, _, held_out in judging.parts:
                if held_out is None:
                    values, size = fit_reference(reference, training, test, used)
                    probability[repeat] = values
                else:
                    learned = training[~held_out].reset_index(drop=True)
                    judged = training[held_out].reset_index(drop=True)
                    values, size = fit_reference(reference, learned, judged, used)
                    probability[repeat, held_out] = values
                sizes.append(size)
        except FitError as error:
            failed[name] = str(error)
            continue
        found[name] = (probability, float(np.mean(sizes)))
    return found, failed


def _unfiltered(options: ControlOptions) -> ControlOptions:
    """Return options by which every reproducible feature enters."""
    for name in ("selection.wilcoxon.p", "selection.mrmr.k"):
        options = with_option(options, name, None)
    return options


def table_of_arms(
    drawn: Mapping[tuple[str, int], tuple[np.ndarray, float]],
    simple: Mapping[str, tuple[np.ndarray, float]],
    failed: Mapping[str, str],
    judging: Judging,
    confidence: float,
) -> pd.DataFrame:
    """Return the result table, an arm a row.

    Parameters
    ----------
    drawn, simple : mapping
        Predictions and columns, from `fit_all` and `simple_arms`.
    failed : mapping of str to str
        By arm, why it or one of its draws has none.
    judging : Judging
        What was judged.
    confidence : float
        Level of the intervals.
    """
    by_arm: dict[str, list[tuple[np.ndarray, float]]] = {}
    for (arm, _), result in drawn.items():
        by_arm.setdefault(arm, []).append(result)
    by_arm |= {arm: [result] for arm, result in simple.items()}
    outcome = judging.rows["outcome"].to_numpy(int)
    rows = {}
    if TRUE in by_arm:
        scores = {arm: [probability for probability, _ in own] for arm, own in by_arm.items()}
        patients = judging.rows["patient_id"].to_numpy()
        for row in judged_arms(scores, outcome, judging.folds, patients, confidence):
            own = by_arm[row["arm"]]
            rows[row["arm"]] = {
                **row,
                "draws": len(own) if row["arm"] in KINDS else None,
                "n_features": float(np.mean([size for _, size in own])),
                "n": len(outcome),
                "events": int(outcome.sum()),
            }
    for arm, why in failed.items():
        left = f"of {rows[arm]['draws']} draws alone; " if arm in rows else ""
        rows.setdefault(arm, {"arm": arm})["note"] = f"{left}not fitted: {why}"
    order = [arm for arm in (TRUE, *KINDS, *SIMPLE) if arm in rows]
    table = pd.DataFrame([rows[arm] for arm in order])
    return table.reindex(columns=list(COLUMNS)).astype(COLUMNS)


def main(options: argparse.Namespace) -> None:
    """Read the study's tables and controls, fit and judge the arms, write their table."""
    how = open_study(options.study).options(ControlOptions)
    columns, table = read_inputs(options.analysis, options.info, options.split)
    infos = {info["model"]: info for info in map(read_json, options.models)}
    model = judged_model(how.primary, read_json(options.winner), infos)
    options.out_dir.mkdir(parents=True, exist_ok=True)
    reason = "no model could be fitted" if model is None else ""
    if not columns.features:
        reason = "the study has no radiomic candidate"
    if reason:
        facts = {"status": NOT_COMPARED, "reason": reason}
        _write(empty_table(Controls), facts, options.out_dir, how.mode)
        return
    judging = judging_of(table, how)
    nested = judging.parts[0][2] is not None
    # Cross-validating an order that has seen every row would measure nothing.
    used = replace(how, mode=RIGOROUS) if nested else how
    search = how.controls.search
    parameters = infos[model]["parameters"] if search == "fixed" else None
    rows = read_table(options.rows, ControlRows)
    radiomic = columns.without_blocks("clinical")
    shared = Controlled(model, radiomic, replaced(table, rows), used, search, parameters)
    device = device_of(model, how)
    # On a GPU several processes would only wait for one another.
    workers = options.workers if device == "cpu" else 1
    files = [options.analysis, options.info, options.split, options.rows, *options.models]
    key = stage_key("models.negative_controls", model, files, how, device)
    with labelled_log(how.mode), threadpool_limits(how.threads):
        with journal_until_done(options.out_dir / "controls.journal", key) as journal:
            drawn, failed = fit_all(shared, judging, workers, journal)
        masks = read_table(options.masks, Masks) if options.masks else None
        seen = columns if nested else candidates_in_mode(columns, table, how.mode)
        simple, lacking = simple_arms(seen, table, judging, used, masks)
    confidence = how.evaluation.confidence
    result = table_of_arms(drawn, simple, failed | lacking, judging, confidence)
    facts = {
        "status": COMPARED if (TRUE, 0) in drawn else NOT_COMPARED,
        "reason": None if (TRUE, 0) in drawn else failed.get(TRUE),
        "model": model,
        "label": family_of(model).label,
        "part": "nested" if nested else "test",
        "draws": how.controls.draws,
        "confidence": confidence,
        "search": search,
        "search_note": search_note(search, how.search, "draw"),
    }
    _write(result, facts, options.out_dir, how.mode, leaks=not nested)


def _write(
    table: pd.DataFrame, facts: Mapping, folder: Path, mode: str, *, leaks: bool = True
) -> None:
    write_result(table, folder / "controls.parquet", mode, Controls, leaks=leaks)
    write_facts(facts, folder / "controls.json", mode, leaks=leaks)


if __name__ == "__main__":
    arguments = command.parser("models.negative_controls", __doc__)
    input_arguments(arguments)
    arguments.add_argument("--rows", required=True, type=Path, help="control_rows.parquet")
    arguments.add_argument("--masks", type=Path, help="masks.parquet, for the mean CT number")
    arguments.add_argument(
        "--models", required=True, type=Path, nargs="+", help="model.json per model"
    )
    arguments.add_argument("--winner", required=True, type=Path, help="winner.json")
    arguments.add_argument("--workers", type=int, default=1, help="processes, default 1")
    arguments.add_argument("--out-dir", required=True, type=Path, help="folder of the tables")
    command.run(main, arguments)
