"""Ablate: refit a model without parts of its input or of its procedure, and see what it loses.

What is removed, whether before the selection or from the fixed signature, and whether parameters
are searched again stands in the configuration (``ablation``). All steps are planned first, from
training rows alone. What falls is what the rest cannot give.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from models.learning.family_registry import device_of
from models.learning.procedure import search_note
from models.modes.mode import candidates_in_mode
from models.repetitions.ablation_refits import (
    Refits,
    Setting,
    refit_step,
    seed_rows,
    summarise_step,
)
from models.repetitions.ablation_steps import AblationOptions, Step, plan_steps, top_candidates
from models.repetitions.outer_fits import NOT_JUDGED, outer_arguments, read_outer_fits
from models.scoring.intervals import patient_resamples
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
from pipeline.core.errors import FitError, StudyError
from pipeline.core.files import read_json, read_table
from pipeline.core.fit_status import REASON, is_fitted
from pipeline.core.mode_labels import labelled_log
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.running.workers.journal import Journal
from pipeline.running.workers.parallel import Workers
from pipeline.running.workers.resuming import journal_until_done, map_kept, stage_key
from pipeline.study.option_numbers import PROCESSES, number_within
from pipeline.study.study import open_study
from pipeline.tables.schemas.prediction.ablation import Ablation, AblationSeeds
from pipeline.tables.schemas.prediction.training import Importance

logger = logging.getLogger("vertebromics")

#: Between the names of several removed candidates in the column `removed`.
SEPARATOR = "|"

WHERE = {
    "before_selection": "Candidates are removed before the selection, which is learned again: "
    "others may replace them.",
    "signature": "Columns are removed from the fixed signature of the full model: nothing steps in "
    "for them.",
}

FIXED = (
    "Parameters stay those that the search chose for the full model. They suit the full input "
    "best: part of a loss may be theirs."
)

FIXED_IN_FOLDS = (
    "Parameters stay, in each outer fold, those that nested cross-validation found there for the "
    "full model. They suit the full input best: part of a loss may be theirs."
)

NOTES_IN_FOLDS = (
    "Every step is fitted again in each outer fold of the first repeat of nested cross-validation "
    "and judged on the patients held out there; AUROC and number of columns are means over them. "
    "Which features count as the highest follows from the final model, which has seen all "
    "patients.",
    "Probabilities are averaged over the seeds; the spread is that of the single fits. An average "
    "may predict better than the one fit that the evaluation judges.",
    "Differences from the full model are of the same patients and folds; intervals come from "
    "influence values (LeDell). They hold for the fitted models: another sample would add to them. "
    "They are not corrected for the number of steps.",
)

NOTES = (
    "Probabilities are averaged over the seeds; the spread is that of the single fits. An average "
    "may predict better than the one fit that the evaluation judges.",
    "Differences from the full model are of the same held-out patients, with percentiles over "
    "resampled patients stratified by outcome. Intervals hold for the fitted models: another "
    "training sample would add to them. They are not corrected for the number of steps.",
)

AT_THRESHOLD = (
    "Confusion counts are of the averaged probabilities. Their threshold: {}. Each step has its "
    "own, because risks may lie on another scale after it. If fits with different seeds disagree "
    "(large SD over seeds), the counts of two steps can differ by chance alone."
)

COLUMNS = types_of(Ablation)
"""Columns of the table; a step that was not done has no numbers."""

SEED_COLUMNS = types_of(AblationSeeds)
"""Columns of the table of single fits."""

AFTER_SELECTION = ("scaling", "oversampling")
"""Steps of the chain that change what a model is fitted to and not which columns it sees."""


def plan_ablation(
    setting: Setting, columns: Columns, info: Mapping, importance: pd.DataFrame
) -> tuple[list[Step], list[str]]:
    """Plan the steps of one model's ablation and log how many fits they take.

    Parameters
    ----------
    setting : Setting
        What the steps share.
    columns : Columns
        Candidates of the full model.
    info : mapping
        What model.json holds; its ``features`` are the signature.
    importance : pandas.DataFrame
        What importance.parquet holds, learned on training rows.

    Returns
    -------
    steps : list of Step
        The full model first.
    ranked : list of str
        Candidates from the most important.
    """
    ranked = top_candidates(importance, columns)
    steps = plan_steps(columns, ranked, info["features"], setting.options)
    options = setting.options.ablation
    logger.info(
        "ablation of %s: at most %d fits of %d steps (search: %s, where: %s, seeds: %d)",
        setting.model,
        setting.planned_fits(steps),
        sum(step.is_fitted for step in steps),
        options.search,
        options.where,
        options.seeds,
    )
    return steps, ranked


def ablate(
    setting: Setting,
    columns: Columns,
    info: Mapping,
    importance: pd.DataFrame,
    workers: int = 1,
    journal: Journal | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Run all steps of one model's ablation.

    Parameters
    ----------
    setting : Setting
        Rows, parameters and configuration.
    columns : Columns
        Candidates of the full model.
    info : mapping
        What model.json holds; ``features`` are used.
    importance : pandas.DataFrame
        What importance.parquet holds.
    workers : int
        Processes, each of which fits one step at a time.
    journal : Journal, optional
        Open journal of finished steps, from which an ablation that was killed goes on.

    Returns
    -------
    table : pandas.DataFrame
        One row per step, with the columns of `COLUMNS`.
    seeds : pandas.DataFrame
        One row per step and seed: ``model, step, seed, auroc, delta, brier``.
    facts : dict
        How it was done: ``where, search, seeds, fits, threshold_source, confidence, resamples,
        top_features, parameters, notes``.
    """
    steps, ranked = plan_ablation(setting, columns, info, importance)
    todo = [step for step in steps if step.is_fitted]
    with Workers(workers, setting, setting.options.threads) as pool:
        results = map_kept(
            pool,
            refit_step,
            todo,
            [step.name for step in todo],
            journal,
            stage=f"ablate {setting.model}",
            describe=lambda step, _: step.name,
            pack=Refits.packed,
            unpack=Refits.unpacked,
        )
    done = dict(zip([step.name for step in todo], results, strict=True))
    options, asked = setting.options, setting.options.ablation
    outcomes = [_outcome_of(step, done) for step in steps]
    table, seeds = _tables(setting, outcomes)
    # What the full model's fits have to say is said once, below the table.
    said = outcomes[0][1].notes if outcomes[0][1] is not None else []
    search = asked.search
    fixed, common = (FIXED_IN_FOLDS, NOTES_IN_FOLDS) if setting.outer else (FIXED, NOTES)
    searched = fixed if search == "fixed" else search_note(search, options.search, "step")
    source = setting.threshold_source
    notes = [WHERE[asked.where], searched, *common, AT_THRESHOLD.format(source)]
    facts = {
        "where": asked.where,
        "search": search,
        "seeds": asked.seeds,
        "fits": sum(each.fits for each in results),
        "threshold_source": source,
        "confidence": options.evaluation.confidence,
        # Over outer folds, intervals come from influence values and from no resample.
        "resamples": None if setting.outer else options.evaluation.bootstrap,
        "top_features": ranked[: max(asked.top, asked.single)],
        "parameters": dict(setting.parameters),
        "notes": [*notes, *said],
    }
    return table, seeds, facts


def _outcome_of(step: Step, done: Mapping[str, Refits]) -> tuple[Step, Refits | None]:
    """Return a step with its refits; what leaves the same as an earlier step has the same."""
    if step.columns is None:
        return step, None
    refits = done[step.same_as or step.name]
    if refits.failure:
        return replace(step, note=f"not done: {refits.failure}"), None
    return step, refits


def _tables(
    setting: Setting, outcomes: list[tuple[Step, Refits | None]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of the steps and that of their seeds."""
    options, test = setting.options.evaluation, setting.test
    weights = patient_resamples(
        test["patient_id"].to_numpy(),
        test["outcome"].to_numpy(int),
        options.bootstrap,
        derive_seed(setting.options.seed, "evaluate", "resamples"),
    )
    full, folds = outcomes[0][1], setting.judging_folds
    rows, seeds, seen = [], [], {}
    for step, refits in outcomes:
        row = {
            "model": setting.model,
            "step": step.name,
            "kind": step.kind,
            "removed": SEPARATOR.join(step.removed),
            "same_as": "",
            "note": step.note,
        }
        if refits is not None:
            same_as = _same_as(step, refits, seen)
            notes = [f"Same signature as in step {same_as}."] if same_as else []
            notes += [note for note in refits.notes if note not in full.notes]
            row |= {
                **summarise_step(refits, full, test, weights, options.confidence, folds),
                "same_as": same_as,
                "parameters": json.dumps(refits.parameters),
                "signature": SEPARATOR.join(refits.signature),
                "note": " ".join(notes),
            }
            single = seed_rows(refits, full, test, folds)
            seeds.append(single.assign(model=setting.model, step=step.name))
        rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    singles = pd.concat(seeds) if seeds else pd.DataFrame(columns=list(SEED_COLUMNS))
    return table, singles[list(SEED_COLUMNS)].astype(SEED_COLUMNS).reset_index(drop=True)


def _same_as(step: Step, refits: Refits, seen: dict[tuple, str]) -> str:
    """Return the earlier step that ends in the same signature, or nothing.

    What the step removes had left the selection already, with what was removed before, or would
    never have been chosen.
    """
    if step.same_as:
        return step.same_as
    if step.kind == "chain" and step.removed[0] in AFTER_SELECTION:
        return ""
    first = seen.setdefault(refits.chosen, step.name)
    return "" if first == step.name else first


def _print_plan(steps: list[Step]) -> None:
    for step in steps:
        text = step.note or (f"as {step.same_as}" if step.same_as else SEPARATOR.join(step.removed))
        print(f"{step.name:<24} {text}".rstrip())


def main(options: argparse.Namespace) -> None:
    """Read a trained model and its study, and run its ablation or show its plan."""
    how = open_study(options.study).options(AblationOptions)
    columns, table = read_inputs(options.analysis, options.info, options.split)
    training, folds = training_rows(table)
    info = read_json(options.model_json)
    if info["model"] != options.model:
        raise StudyError(
            "--model-json must be of the model that is ablated",
            found=info["model"],
            where=f"--model {options.model}",
            remedy="name the model.json of the model of --model",
            code="ablation-of-another-model",
        )
    if not is_fitted(info):
        if options.plan:
            print(f"No step: {options.model} could not be fitted. {info[REASON]}")
        else:
            _write_dropped(info[REASON], options, how.mode)
        return
    test = table[table["part"] == "test"]
    columns = candidates_in_mode(columns, table, how.mode)
    parameters, outer = info["parameters"], ()
    if test.empty:
        outer = tuple(read_outer_fits(options, training, how.seed))
        if not outer:
            _write_dropped(NOT_JUDGED, options, how.mode)
            return
        test = training
        parameters = {f"outer fold {at}": each.parameters for at, each in enumerate(outer)}
    setting = Setting(options.model, training, folds, test, parameters, how, outer)
    importance = read_table(options.importance, Importance)
    if options.plan:
        _print_plan(plan_ablation(setting, columns, info, importance)[0])
        return
    with labelled_log(how.mode):
        files = (options.analysis, options.info, options.split)
        files += (options.model_json, options.importance)
        files += (options.nested, options.nested_predictions) if outer else ()
        device = device_of(options.model, how)
        key = stage_key("models.ablate", options.model, files, how, device)
        path = options.out_dir / f"{options.model}.journal"
        with journal_until_done(path, key) as journal:
            try:
                result, seeds, facts = ablate(
                    setting, columns, info, importance, options.workers, journal
                )
            except FitError as error:
                # Of the full model: a step that cannot be fitted is a row with its reason.
                _write_dropped(error, options, how.mode)
                return
            told = fitted_facts({"model": options.model, **facts})
            _write(result, seeds, told, options, how.mode)


def _write(
    table: pd.DataFrame,
    seeds: pd.DataFrame,
    facts: Mapping,
    options: argparse.Namespace,
    mode: str,
) -> None:
    """Write the files of one model's ablation."""
    write_result(table, options.out_dir / f"{options.model}.parquet", mode, Ablation)
    write_result(seeds, options.out_dir / f"{options.model}_seeds.parquet", mode, AblationSeeds)
    write_facts(facts, options.out_dir / f"{options.model}.json", mode)


def _write_dropped(reason: object, options: argparse.Namespace, mode: str) -> None:
    """Write the files of an ablation that has no full model to compare its steps with."""
    facts = dropped_facts(options.model, reason)
    _write(empty_table(Ablation), empty_table(AblationSeeds), facts, options, mode)


if __name__ == "__main__":
    arguments = command.parser("models.ablate", __doc__)
    arguments.add_argument("--model", required=True, help="model to ablate, such as tabnet")
    input_arguments(arguments)
    arguments.add_argument("--model-json", required=True, type=Path, help="the model's model.json")
    arguments.add_argument(
        "--importance", required=True, type=Path, help="the model's importance.parquet"
    )
    outer_arguments(arguments)
    arguments.add_argument(
        "--workers",
        type=number_within(PROCESSES),
        default=1,
        help="processes, each fitting one step (default: 1)",
    )
    asked = arguments.add_mutually_exclusive_group(required=True)
    asked.add_argument("--out-dir", type=Path, help="folder that receives the tables")
    asked.add_argument("--plan", action="store_true", help="print steps and fits, and fit nothing")
    command.run(main, arguments)
