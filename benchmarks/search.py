"""Time a parameter search of the published size: 856 patients, 1,223 features, two readers.

The protocol ge2025 on the simulated cohort: selection in every fold, ADASYN and Tomek links, 100
parameter sets a model (TabNet: in each of two phases) on five folds. By default a stated part of
the sets is fitted and the rest extrapolated; ``--full`` fits them all. TabNet's second phase
trains the architecture that the first has chosen, so that a part of the search only estimates it.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from demo.tables import simulate_tables
from models.learning.family_registry import FAMILIES, device_of, family_of
from models.learning.options import ProcedureOptions
from models.learning.search import SearchResult, plan_search, search_model
from models.learning.tabnet import resolve_device
from models.modes.mode import transform_folds
from models.modes.rows import FoldData
from models.split import split_table
from models.study_files.inputs import training_rows
from models.transformers.columns import Columns
from pipeline.core.sections import part_of
from pipeline.study.changed import with_option
from pipeline.study.config import DEFAULTS, PROTOCOLS, load_yaml, merge
from pipeline.study.option_numbers import PROCESSES, SEED, bounded_number, number_within

PATIENTS, EVENTS = 856, 102
"""Size of the published cohort."""

SETS = {"tabnet": 6}
"""Parameter sets of each phase that are fitted by default."""

OTHER_SETS = 10


class Row(NamedTuple):
    """What one search took."""

    model: str
    device: str
    sets: int
    fits: int
    seconds: float
    minutes_in_full: float
    early_stopped: str
    best: float

    def text(self) -> str:
        """Return the row as the table prints it."""
        return (
            f"{self.model:8} {self.device:5} {self.sets:5d} {self.fits:6d} {self.seconds:8.1f} "
            f"{self.fits / self.seconds:7.2f} {self.minutes_in_full:9.1f} "
            f"{self.early_stopped:>14} {self.best:7.3f}"
        )


HEADING = (
    "model    device  sets   fits  seconds  fits/s  min. full  early-stopped   AUROC\n"
    "(min. full: of the whole search, extrapolated from the fits where not all were made)"
)


def published_options() -> ProcedureOptions:
    """Return what the procedure of the published study reads."""
    config = merge(load_yaml(DEFAULTS), load_yaml(PROTOCOLS / "ge2025.yaml"))
    return part_of(ProcedureOptions, config)


def simulated(options: ProcedureOptions, seed: int) -> tuple[Columns, pd.DataFrame]:
    """Simulate the cohort: its candidates, and its analysis table with `part` and `fold`."""
    table, info = simulate_tables(PATIENTS, seed, prevalence=EVENTS / PATIENTS).analysis()
    parts = split_table(table, options.split, options.seed)
    parts = parts.set_index("unit_id").loc[table["unit_id"]]
    parts = parts[["part", "fold"]].set_axis(table.index)
    return Columns.from_info(info), pd.concat([table, parts], axis=1)


def cohort(options: ProcedureOptions, seed: int) -> tuple[list[FoldData], int]:
    """Simulate the cohort and see its inner folds through their selection."""
    columns, table = simulated(options, seed)
    training, folds = training_rows(table)
    return transform_folds(columns, training, folds, options), len(training)


def measure(
    model: str,
    folds: list[FoldData],
    n_rows: int,
    options: ProcedureOptions,
    sets: int | None,
    workers: int,
) -> Row:
    """Search one model with `sets` parameter sets a phase, all of them for None."""
    asked = options if sets is None else with_option(options, "search.iterations", sets)
    started = time.perf_counter()
    result = search_model(model, folds, n_rows, asked, options.seed, workers=workers)
    seconds = time.perf_counter() - started
    whole = (sum(count for _, count in plan_search(family_of(model), options.search)) + 1) * len(
        folds
    )
    return Row(
        model,
        device_of(model, options),
        len(result.table),
        result.fits,
        seconds,
        seconds / result.fits * whole / 60,
        _share(result),
        float(result.best["mean_auc"]),
    )


def _share(result: SearchResult) -> str:
    """Return how many fits ended by their early stopping, of all of them."""
    endings = result.endings
    if not endings:
        return "-"
    fits = sum(endings.values())
    return f"{endings['early_stopped']}/{fits} ({endings['early_stopped'] / fits:.0%})"


def measured(options: argparse.Namespace) -> Iterator[Row]:
    """Yield a row per model and device."""
    study = published_options()
    started = time.perf_counter()
    folds, n_rows = cohort(study, options.seed)
    shapes = sorted({fold.Z_train.shape[1] for fold in folds})
    print(
        f"{n_rows} training rows, {int(np.sum([f.y_valid.sum() for f in folds]))} events; folds "
        f"selected in {time.perf_counter() - started:.1f} s, {shapes[0]}-{shapes[-1]} columns; "
        f"{options.workers} processes of one thread",
        flush=True,
    )
    for model in options.models:
        devices = ["cpu"]
        if model == "tabnet" and resolve_device("auto") == "cuda":
            devices.append("cuda")
        sets = None if options.full else options.sets or SETS.get(model, OTHER_SETS)
        for device in devices:
            workers = options.workers if device == "cpu" else 1
            yield measure(model, folds, n_rows, replace(study, device=device), sets, workers)


def peak_megabytes(workers: int) -> float:
    """Return an upper bound of the memory of this process and its workers."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    each = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + each * (workers if workers > 1 else 0)) / 1024


def main() -> None:
    """Run the command line."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    arguments.add_argument("--models", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    arguments.add_argument("--full", action="store_true", help="fit every parameter set")
    arguments.add_argument(
        "--sets", type=bounded_number(minimum=1), help="parameter sets to fit in each phase"
    )
    arguments.add_argument(
        "--workers", type=number_within(PROCESSES), default=min(2, os.cpu_count() or 1)
    )
    arguments.add_argument(
        "--seed", type=number_within(SEED), default=2025, help="seed of the cohort"
    )
    options = arguments.parse_args()
    rows = []
    for row in measured(options):
        if not rows:
            print(HEADING, flush=True)
        rows.append(row)
        print(row.text(), flush=True)
    baselines = [row.minutes_in_full for row in rows if row.model != "tabnet"]
    if baselines:
        print(f"baselines together: {sum(baselines):.1f} minutes in full")
    print(f"memory: at most {peak_megabytes(options.workers):.0f} MB")


if __name__ == "__main__":
    main()
