"""Ablate: refit a model without parts of its input, and see what it loses.

Each step takes candidates away before the selection and fits the whole chain again, so that other
features may step in for the removed ones. What falls is what the others cannot give. Parameters
stay those of the full model.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from models import metrics
from models.ablation_steps import plan_steps, top_candidates
from models.columns import Columns
from models.fitting import fit_estimator
from models.inputs import read_inputs, training_rows
from models.intervals import patient_resamples, percentile_interval
from models.mode import candidates_in_mode, learning_rows
from models.outputs import write_facts, write_result
from models.performance import Sample, auroc_estimate
from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table
from pipeline.core.modes import labelled_log
from pipeline.core.seeds import derive_seed
from pipeline.core.study import open_study

logger = logging.getLogger("vertebromics")

#: Between the names of several removed candidates in the column `removed`.
SEPARATOR = "|"

NOTES = (
    "Parameters stay those that the search chose for the full model; selection, scaling and the "
    "classifier are fitted again in every step.",
    "Probabilities are averaged over the seeds; auroc_sd is the spread of the single fits. An "
    "average may predict better than the one fit that the evaluation judges.",
    "Differences from the full model are of the same test patients, with percentiles over "
    "resampled patients stratified by outcome. Intervals hold for the fitted models: another "
    "training sample would add to them.",
    "Confusion counts are at the full model's threshold.",
)


@dataclass(frozen=True)
class Refits:
    """Test predictions of a step's refits.

    Attributes
    ----------
    probability : numpy.ndarray
        Shape (n_seeds, n_test), one row per seed.
    signature : list of str
        Selected columns, equal for all seeds: the selection draws nothing.
    notes : list of str
        What the chain and the fits have to say.
    """

    probability: np.ndarray
    signature: list[str]
    notes: list[str]


def refit_step(
    model: str,
    columns: Columns,
    training: pd.DataFrame,
    test: pd.DataFrame,
    parameters: Mapping,
    config: Mapping,
    seeds: list[int],
    each: Callable[[], None] = lambda: None,
) -> Refits:
    """Fit selection and classifier to training rows and predict test rows, once per seed.

    Parameters
    ----------
    model : str
        Name of the family.
    columns : Columns
        Candidates left.
    training, test : pandas.DataFrame
        Rows of the analysis table.
    parameters : mapping
        Parameters of the family, as model.json holds them.
    config : mapping
        Resolved configuration.
    seeds : list of int
        Seeds of the fits.
    each : callable, optional
        Called after every fit.
    """
    rows = learning_rows(columns, training, config)
    Z_test = rows.chain.transform(columns.take(test)).to_numpy()
    probability, notes = [], list(rows.notes)
    for seed in seeds:
        fit = fit_estimator(model, parameters, rows.Z, rows.y, rows.groups, config, seed)
        probability.append(fit.probability(Z_test))
        notes += fit.notes
        each()
    return Refits(np.array(probability), rows.signature, list(dict.fromkeys(notes)))


def summarise_step(
    refits: Refits,
    full: np.ndarray,
    test: pd.DataFrame,
    threshold: float,
    weights: np.ndarray,
    confidence: float,
) -> dict:
    """Return what the ablation table tells of one step.

    Parameters
    ----------
    refits : Refits
        Predictions of the step.
    full : numpy.ndarray
        Shape (n_test,), seed-averaged predictions of the full model.
    test : pandas.DataFrame
        ``patient_id, outcome`` of the test rows.
    threshold : float
        Threshold of the full model.
    weights : numpy.ndarray
        Shape (n_resamples, n_test), resampled patients.
    confidence : float
        Level of the intervals.
    """
    probability = refits.probability.mean(axis=0)
    outcome = test["outcome"].to_numpy(int)
    sample = Sample(outcome, probability, test["patient_id"].to_numpy(), threshold)
    area = auroc_estimate(sample, confidence)
    single = [metrics.auroc(outcome, row) for row in refits.probability]
    over = metrics.auroc(outcome, probability, weights) - metrics.auroc(outcome, full, weights)
    difference = percentile_interval(over, confidence)
    return {
        "n_features": len(refits.signature),
        "seeds": len(single),
        "auroc": area.value,
        "auroc_low": area.low,
        "auroc_high": area.high,
        "auroc_sd": float(np.std(single, ddof=1)) if len(single) > 1 else math.nan,
        "delta": area.value - metrics.auroc(outcome, full),
        "delta_low": difference.low,
        "delta_high": difference.high,
        "brier": metrics.brier(outcome, probability),
        **metrics.confusion(outcome, probability, threshold)._asdict(),
    }


def ablate(
    model: str,
    columns: Columns,
    training: pd.DataFrame,
    test: pd.DataFrame,
    info: Mapping,
    importance: pd.DataFrame,
    config: Mapping,
) -> tuple[pd.DataFrame, dict]:
    """Run all steps of one model's ablation.

    Parameters
    ----------
    model : str
        Name of the family.
    columns : Columns
        Candidates of the full model.
    training, test : pandas.DataFrame
        Rows of the analysis table.
    info : mapping
        What model.json holds; ``parameters`` and ``threshold`` are used.
    importance : pandas.DataFrame
        What importance.parquet holds.
    config : mapping
        Resolved configuration; ``ablation`` and ``evaluation`` are used here.

    Returns
    -------
    table : pandas.DataFrame
        One row per step, with the columns that docs/architecture.md lists.
    facts : dict
        ``fits, search, seeds, top_features, notes`` for the JSON beside it.
    """
    options = config["ablation"]
    ranked = top_candidates(importance, columns)
    steps = plan_steps(columns, ranked, options["top"], options["blocks"])
    seeds = seeds_of(model, config)
    fits = len(seeds) * sum(step.columns is not None for step in steps)
    logger.info("ablation of %s: %d fits of %d steps", model, fits, len(steps))
    weights = patient_resamples(
        test["patient_id"].to_numpy(),
        test["outcome"].to_numpy(int),
        config["evaluation"]["bootstrap"],
        derive_seed(config["seed"], "evaluate", "resamples"),
    )
    tick = _clock(model, fits)
    full, rows, seen = None, [], {}
    for step in steps:
        row = {"model": model, "step": step.name, "removed": SEPARATOR.join(step.removed)}
        if step.columns is None:
            rows.append({**row, "note": step.note})
            continue
        refits = refit_step(
            model,
            step.columns,
            training,
            test,
            info["parameters"],
            config,
            seeds,
            partial(tick, step.name),
        )
        if full is None:
            full = refits.probability.mean(axis=0)
        summary = summarise_step(
            refits, full, test, info["threshold"], weights, config["evaluation"]["confidence"]
        )
        notes = refits.notes
        first = seen.setdefault(tuple(refits.signature), step.name)
        if first != step.name:
            # What is removed here had left the selection already, with what was removed before.
            notes = [f"Same signature as in step {first}.", *notes]
        rows.append({**row, **summary, "notes": notes})
    done = [row for row in rows if "notes" in row]
    # What holds in every step is said once, below the table.
    common = [note for note in done[0]["notes"] if all(note in row["notes"] for row in done)]
    for row in done:
        row["note"] = " ".join(note for note in row.pop("notes") if note not in common)
    facts = {
        "fits": fits,
        "search": "fixed",
        "seeds": seeds,
        "top_features": ranked[: options["top"]],
        "notes": [*NOTES, *common],
    }
    return _table(rows), facts


def seeds_of(model: str, config: Mapping) -> list[int]:
    """Return the seeds of the refits, the same for every step; the first is the trained model's."""
    first = derive_seed(config["seed"], model, "refit")
    others = range(1, config["ablation"]["seeds"])
    return [first, *(derive_seed(config["seed"], "ablate", model, number) for number in others)]


def _table(rows: list[dict]) -> pd.DataFrame:
    counts = ["n_features", "seeds", "tp", "fp", "fn", "tn"]
    numbers = ["auroc", "auroc_low", "auroc_high", "auroc_sd", "delta", "delta_low", "delta_high"]
    order = ["model", "step", "removed", "n_features", "seeds", *numbers, "brier", *counts[2:]]
    table = pd.DataFrame(rows).reindex(columns=[*order, "note"])
    return table.astype(
        dict.fromkeys(counts, "Int64") | dict.fromkeys([*numbers, "brier"], "float64")
    )


def _clock(model: str, fits: int) -> Callable[[str], None]:
    """Return what logs a finished fit under its step's name, with the time left."""
    started = time.monotonic()
    done = 0

    def tick(step: str) -> None:
        nonlocal done
        done += 1
        left = (time.monotonic() - started) / done * (fits - done)
        command.progress(f"ablate {model}", done, fits, f"{step}, {left:.0f} s left")

    return tick


def main(options: argparse.Namespace) -> None:
    """Read a trained model and its study, run the ablation and write its table."""
    config = open_study(options.study).config
    columns, table = read_inputs(options.analysis, options.info, options.split)
    training, _ = training_rows(table)
    test = table[table["part"] == "test"]
    info = read_json(options.model_json)
    if info["model"] != options.model:
        raise StudyError(
            "--model-json must be of the model that is ablated",
            found=info["model"],
            where=f"--model {options.model}",
        )
    columns = candidates_in_mode(columns, table, config)
    with labelled_log(config), threadpool_limits(config["threads"]):
        result, facts = ablate(
            options.model, columns, training, test, info, read_table(options.importance), config
        )
    write_result(result, options.out, config)
    write_facts(facts, options.json, config)


if __name__ == "__main__":
    arguments = command.parser("models.ablate", __doc__)
    arguments.add_argument("--model", required=True, help="model to ablate, such as tabnet")
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument("--analysis", required=True, type=Path, help="analysis.parquet")
    arguments.add_argument("--info", required=True, type=Path, help="analysis.json")
    arguments.add_argument("--split", required=True, type=Path, help="split.parquet")
    arguments.add_argument("--model-json", required=True, type=Path, help="the model's model.json")
    arguments.add_argument(
        "--importance", required=True, type=Path, help="the model's importance.parquet"
    )
    arguments.add_argument("--out", required=True, type=Path, help="table to write, .parquet")
    arguments.add_argument("--json", required=True, type=Path, help="facts to write, .json")
    command.run(main, arguments)
