"""What can the chain do? Its operating characteristics on simulated cohorts of the published size.

``make proof-simulation``. Each seed draws a population whose features hang together as real ones
do, a cohort of 856 patients with 102 events from it, runs the study's own stages, and measures the
models' true figures on thousands of new patients of the same population.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pandas as pd

from models.nested import NestedOptions
from pipeline.core import command
from pipeline.core.files import json_hash, write_json, write_table
from pipeline.core.sections import part_of
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.config import load_config, merge
from pipeline.study.option_numbers import PROCESSES, bounded_number, config_number, number_within
from proofs.cohort_trials import run_cohort
from proofs.tasks import run_missing

MODELS = ("lr", "svm", "rf", "xgboost")


def work(shared: tuple[NestedOptions, list[str], list[str]], seed: int) -> dict:
    """Run one cohort of a worker process."""
    study, models, nested = shared
    return run_cohort(study, seed, models, nested)


def arguments_of() -> argparse.ArgumentParser:
    """Return the options of the command line."""
    arguments = command.parser("proofs.simulation", __doc__)
    arguments.add_argument(
        "--out", type=Path, default=Path("build/proofs/simulation"), help="folder"
    )
    arguments.add_argument(
        "--config", type=Path, default=Path("config/simulated.yaml"), help="the study's options"
    )
    arguments.add_argument("--seeds", type=bounded_number(minimum=1), default=20, help="cohorts")
    arguments.add_argument("--models", nargs="+", default=list(MODELS), help="families")
    arguments.add_argument("--nested", nargs="*", default=["lr"], help="families in nested CV")
    arguments.add_argument(
        "--iterations",
        type=config_number("search.iterations"),
        default=5,
        help="parameter sets of a search",
    )
    arguments.add_argument("--oversampling", default="none", help="as the config's oversampling")
    arguments.add_argument(
        "--limit", type=bounded_number(minimum=0), default=0, help="cohorts of this run; 0 for all"
    )
    arguments.add_argument(
        "--workers",
        type=number_within(PROCESSES),
        default=len(os.sched_getaffinity(0)),
        help="processes",
    )
    return arguments


def main(options: argparse.Namespace) -> None:
    """Run what the journal lacks, write the results and the page."""
    from proofs.simulation_page import write_simulation_page

    search = {"iterations": options.iterations, "reduced_iterations": options.iterations}
    config = merge(
        load_config([options.config]), {"oversampling": options.oversampling, "search": search}
    )
    study = part_of(NestedOptions, config)
    sections = ("search", "selection", "scaling", "split", "oversampling", "nested")
    facts = {
        "models": options.models,
        "nested": options.nested,
        "config": {name: config[name] for name in sections},
    }
    key = json_hash({**facts, "code": code_fingerprint("proofs.cohort_trials")})
    results = run_missing(
        work,
        range(1, options.seeds + 1),
        lambda: (study, options.models, options.nested),
        options.out / "journal.jsonl",
        key,
        stage="cohort",
        describe=lambda seed, result: f"seed {seed}, best AUROC {result['best']:.3f}",
        workers=options.workers,
        limit=options.limit,
    )
    tables = tables_of(results)
    for name, table in tables.items():
        write_table(table, options.out / f"{name}.parquet", csv=True)
    facts |= {"seeds": len(results), "planned": options.seeds}
    write_json(facts, options.out / "simulation.json")
    write_simulation_page(tables, facts, options.out)


def tables_of(results: list[dict]) -> dict[str, pd.DataFrame]:
    """Return the cohorts' results as tables ``models, steps, selection``.

    ``models`` has the best possible AUROC of its seed in column ``best``.
    """
    models = [{**row, "best": r["best"]} for r in results for row in r["models"]]
    return {
        "models": pd.DataFrame(models),
        "steps": pd.DataFrame([row for r in results for row in r["steps"]]),
        "selection": pd.DataFrame([row for r in results for row in r["selection"]]),
    }


if __name__ == "__main__":
    command.run(main, arguments_of())
