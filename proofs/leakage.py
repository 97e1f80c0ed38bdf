"""Does anything leak? The production path on outcomes that nothing can predict.

``make proof-leakage``. The outcome of a simulated cohort of the published size is dealt anew among
the patients, so that every true AUROC is 0.5, and the study's own stages run: split, selection in
folds, search, refit, prediction of the test rows. In mode `rigorous` the mean AUROC over the
permutations has to be 0.5; the published order (`as_published`) selects on everyone before the
split, and shows what that is worth.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from models.nested import NestedOptions
from pipeline.core import command
from pipeline.core.errors import VertebromicsError
from pipeline.core.files import json_hash, write_json, write_table
from pipeline.core.sections import part_of
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.config import load_config, merge
from pipeline.study.option_numbers import (
    PROCESSES,
    SEED,
    bounded_number,
    config_number,
    number_within,
)
from proofs.null_trials import COHORTS, MODES, Trial, null_tables, run_trial
from proofs.tasks import run_missing

TOLERANCE = 0.03
"""How far the mean AUROC of mode `rigorous` may be from 0.5."""

LEAST_EXCESS = 0.1
"""By how much the published order has to exceed it, for the proof to be able to see a leak."""


def summarise(results: pd.DataFrame) -> pd.DataFrame:
    """Return the mean AUROC of each kind of trial.

    Parameters
    ----------
    results : pandas.DataFrame
        One row per trial, as `run_trial` returns it.

    Returns
    -------
    pandas.DataFrame
        ``cohort, mode, estimate, model, draws, auroc`` (mean)``, low, high`` (95 % t interval of
        the mean)``, sd, cv_auroc`` (mean). The permutations share their patients, so that the
        interval tells the error of the simulation and nothing about other cohorts.
    """
    rows = []
    kinds = ["cohort", "mode", "estimate", "model"]
    for kind, group in results.groupby(kinds, sort=False):
        values = group["auroc"].to_numpy(dtype=float)
        mean, error = float(values.mean()), float(stats.sem(values)) if len(values) > 1 else np.nan
        half = error * stats.t.ppf(0.975, len(values) - 1) if len(values) > 1 else np.nan
        rows.append(
            {
                **dict(zip(kinds, kind, strict=True)),
                "draws": len(values),
                "auroc": mean,
                "low": max(mean - half, 0.0),
                "high": min(mean + half, 1.0),
                "sd": float(values.std(ddof=1)) if len(values) > 1 else np.nan,
                "cv_auroc": float(group["cv_auroc"].astype(float).mean()),
            }
        )
    return pd.DataFrame(rows)


def failures(summary: pd.DataFrame) -> list[str]:
    """Say in sentences which statements of the proof do not hold; none if it holds.

    Rigorous means, of every model and estimate, lie within `TOLERANCE` of 0.5; the published
    order's lie `LEAST_EXCESS` above them where features are nearly independent.
    """
    said = []
    rigorous = summary[summary["mode"] == "rigorous"]
    for row in rigorous.itertuples():
        if abs(row.auroc - 0.5) > TOLERANCE:
            said.append(
                f"{row.model} ({row.cohort} features, {row.estimate}): mean AUROC {row.auroc:.3f} "
                f"under permuted outcomes, more than {TOLERANCE} from 0.5"
            )
    means = rigorous.set_index(["cohort", "estimate", "model"])["auroc"]
    for row in summary[summary["mode"] == "as_published"].itertuples():
        excess = row.auroc - means.get((row.cohort, row.estimate, row.model), np.nan)
        if row.cohort == "independent" and not excess >= LEAST_EXCESS:
            said.append(
                f"{row.model}: the published order exceeds the rigorous one by {excess:.3f} only, "
                f"less than {LEAST_EXCESS}"
            )
    return said


def plan(options: argparse.Namespace) -> list[Trial]:
    """Return the trials in the order in which they matter, so that a part of them is of use.

    Every model sees the nearly independent features, where selection on everyone finds most; the
    first model also sees the redundant ones, and is cross-validated, with and without a hold-out.
    """
    first, *others = options.models
    kinds = [("independent", mode, "test", first, options.draws) for mode in options.modes]
    kinds += [("redundant", mode, "test", first, options.draws) for mode in options.modes]
    kinds += [
        ("independent", "rigorous", estimate, first, options.nested)
        for estimate in ("nested", "no_hold_out")
    ]
    kinds += [
        ("independent", mode, "test", model, options.draws)
        for model in others
        for mode in options.modes
    ]
    return [Trial(*kind, draw) for *kind, draws in kinds for draw in range(draws)]


def work(shared: tuple[dict, dict], trial: Trial) -> dict:
    """Run one trial of a worker process."""
    tables, options = shared
    return run_trial(*tables[trial.cohort], options, trial)


def arguments_of() -> argparse.ArgumentParser:
    """Return the options of the command line."""
    arguments = command.parser("proofs.leakage", __doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/proofs/leakage"), help="folder")
    arguments.add_argument(
        "--config", type=Path, default=Path("config/simulated.yaml"), help="the study's options"
    )
    arguments.add_argument(
        "--draws", type=bounded_number(minimum=1), default=100, help="permutations a model and mode"
    )
    arguments.add_argument(
        "--nested", type=bounded_number(minimum=0), default=20, help="permutations of nested CV"
    )
    arguments.add_argument("--models", nargs="+", default=["lr"], help="families")
    arguments.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    arguments.add_argument(
        "--iterations",
        type=config_number("search.iterations"),
        default=3,
        help="parameter sets of a search",
    )
    arguments.add_argument(
        "--seed", type=number_within(SEED), default=2025, help="seed of all draws"
    )
    arguments.add_argument(
        "--limit", type=bounded_number(minimum=0), default=0, help="trials of this run; 0 for all"
    )
    arguments.add_argument(
        "--workers",
        type=number_within(PROCESSES),
        default=len(os.sched_getaffinity(0)),
        help="processes",
    )
    return arguments


def main(options: argparse.Namespace) -> None:
    """Run what the journal lacks, write the results and the page, fail where the proof does."""
    from proofs.leakage_page import write_leakage_page

    config = merge(load_config([options.config]), {"search": {"iterations": options.iterations}})
    facts = {
        "seed": options.seed,
        "config": {
            k: config[k] for k in ("search", "selection", "scaling", "split", "oversampling")
        },
    }
    key = json_hash({**facts, "code": code_fingerprint("proofs.null_trials")})
    study = replace(part_of(NestedOptions, config), seed=options.seed)
    trials = plan(options)
    rows = run_missing(
        work,
        trials,
        lambda: ({cohort: null_tables(cohort, options.seed) for cohort in COHORTS}, study),
        options.out / "journal.jsonl",
        key,
        stage="permuted",
        describe=lambda trial, result: f"{trial} AUROC {result['auroc']:.3f}",
        workers=options.workers,
        limit=options.limit,
    )
    results = pd.DataFrame(rows)
    summary = summarise(results)
    said = failures(summary)
    write_table(results, options.out / "trials.parquet", csv=True)
    write_table(summary, options.out / "summary.parquet", csv=True)
    write_json(
        {**facts, "planned": len(trials), "run": len(results), "failures": said},
        options.out / "leakage.json",
    )
    write_leakage_page(results, summary, facts, said, (TOLERANCE, LEAST_EXCESS), options.out)
    print(summary.round(3).to_string(index=False))
    if said:
        raise VertebromicsError(
            "The proof must hold",
            found="; ".join(said),
            remedy="look at the last change of the step that is named",
            code="proof-failed",
        )


if __name__ == "__main__":
    command.run(main, arguments_of())
