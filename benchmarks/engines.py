"""Compare what TabNet's two engines reach: AUROC of the search's winner, cohort by cohort.

Each seed is a simulated cohort of 856 patients, split and selected once. On its folds the two-phase
search of the protocol ge2025 runs twice, with the same draws of parameters: networks trained many
at once (`tabnet.engine: stacked`), and each by the library's own training (`pytorch-tabnet`).
Training amplifies the rounding of sums, so that no two fits are equal; equal is what they reach on
average. Seeds that are done stand in the journal: the same command goes on with the others.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.search import published_options, simulated
from models.learning.fitted_procedure import refit, refit_classifier
from models.learning.options import ProcedureOptions
from models.learning.search import search_model
from models.modes.mode import transform_folds
from models.scoring.metrics import auroc
from models.study_files.inputs import training_rows
from pipeline.core.files import json_hash
from pipeline.core.seeds import derive_seed
from pipeline.running.fingerprint import code_fingerprint
from pipeline.running.workers.journal import Journal
from pipeline.study.changed import with_option
from pipeline.study.option_numbers import SEED, bounded_number, number_within

ENGINES = "stacked", "pytorch-tabnet"

MEASURES = {
    "folds": "winner, mean AUROC of its folds",
    "held_out": "winner, AUROC of the held-out rows",
    "drawn": "all sets of the first phase, mean AUROC",
}
"""What is compared. The sets of the first phase are the same for both engines."""

DECIDING = "demo.tables", "models.learning.search", "models.learning.fitted_procedure"
"""Modules that decide what a seed gives, with all that they import."""

CONFIDENCE = 0.9
MARGIN = 0.01
"""A difference whose interval lies within this is taken for none: a bound set before measuring."""


def compared(study: ProcedureOptions, seed: int) -> dict:
    """Search one simulated cohort with both engines.

    Parameters
    ----------
    study : ProcedureOptions
        Of the published study.
    seed : int
        Of the cohort and of all that is drawn.

    Returns
    -------
    dict of str to dict
        By engine: `MEASURES`, ``seconds`` of CPU that the search took, its ``parameters``.
    """
    columns, table = simulated(study, seed)
    training, folds = training_rows(table)
    held_out = table[table["part"] == "test"]
    seen = transform_folds(columns, training, folds, study)
    own = derive_seed(seed, "search")
    found, fitted = {}, None
    for engine in ENGINES:
        options = with_option(study, "tabnet.engine", engine)
        started = time.process_time()
        result = search_model("tabnet", seen, len(training), options, own)
        seconds = time.process_time() - started
        again = derive_seed(seed, "tabnet", "refit")
        if fitted is None:
            fitted = refit("tabnet", columns, training, result.parameters, options, again)
        else:
            [fitted] = refit_classifier(fitted, result.parameters, options, [again])
        risk = fitted.predict(held_out)
        found[engine] = {
            "folds": float(result.best["mean_auc"]),
            "held_out": auroc(held_out["outcome"].to_numpy(dtype=int), risk),
            "drawn": float(result.table.loc[result.table["phase"] == 1, "mean_auc"].mean()),
            "seconds": seconds,
            "parameters": result.parameters,
        }
    return found


def rows(done: Sequence[Mapping]) -> list[str]:
    """Return the table of what is compared: means of the engines, and their paired difference."""
    lines = [
        f"{'AUROC over ' + str(len(done)) + ' seeds':40} {ENGINES[0]:>8} {ENGINES[1]:>14} "
        f"{'difference':>11}   {CONFIDENCE:.0%} CI, paired (t)"
    ]
    for name, label in MEASURES.items():
        values = [np.array([seed[engine][name] for seed in done]) for engine in ENGINES]
        difference = values[0] - values[1]
        line = f"{label:40} {values[0].mean():8.4f} {values[1].mean():14.4f} "
        line += f"{difference.mean():+11.4f}"
        if len(done) > 1:
            low, high = stats.t.interval(
                CONFIDENCE, len(done) - 1, difference.mean(), stats.sem(difference)
            )
            inside = "within" if max(-low, high) <= MARGIN else "not within"
            line += f"   {low:+.4f} to {high:+.4f}, {inside} {MARGIN}"
        lines.append(line)
    return lines


def main() -> None:
    """Run the command line."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    arguments.add_argument("--seeds", type=bounded_number(minimum=1), default=20)
    arguments.add_argument("--first", type=number_within(SEED), default=1, help="first seed")
    arguments.add_argument(
        "--sets", type=bounded_number(minimum=1), default=10, help="parameter sets of each phase"
    )
    arguments.add_argument(
        "--journal", type=Path, default=Path("build", "engines.jsonl"), help="seeds that are done"
    )
    options = arguments.parse_args()
    study = with_option(published_options(), "search.iterations", options.sets)
    study = replace(study, device="cpu", threads=1)
    code = [code_fingerprint(name) for name in DECIDING]
    key = json_hash({"options": asdict(study), "code": code})
    done = []
    with Journal(options.journal, key) as journal:
        for seed in range(options.first, options.first + options.seeds):
            if str(seed) not in journal.results:
                journal.add(str(seed), compared(replace(study, seed=seed), seed))
            found = journal.results[str(seed)]
            done.append(found)
            figures = ", ".join(
                f"{engine} {found[engine]['folds']:.4f} in its folds, "
                f"{found[engine]['held_out']:.4f} held out, {found[engine]['seconds']:.0f} s of CPU"
                for engine in ENGINES
            )
            print(f"seed {seed}: {figures}", flush=True)
    print(*rows(done), sep="\n")


if __name__ == "__main__":
    main()
