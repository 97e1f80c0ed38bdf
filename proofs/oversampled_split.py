"""What oversampling before the split finds in noise: a null simulation of zhang2025's order.

``python -m proofs.oversampled_split --out FOLDER``: no stage. Cohorts of the paper's size, 179
patients of whom 29 have pain, whose predictors have nothing to do with the pain. A forest is
trained and judged in both orders by the functions of `models.oversampled_split`.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from demo.clinical import COHORTS, Levels, simulate
from models.oversampled_split import AFTER, BEFORE, MEASURES, OrdersOptions, judged, parts_of
from models.transformers.columns import Columns, Predictor
from pipeline.core import command
from pipeline.core.files import write_csv
from pipeline.core.sections import part_of
from pipeline.core.seeds import derive_seed
from pipeline.study.config import load_config
from pipeline.study.option_numbers import SEED, bounded_number, number_within

logger = logging.getLogger("vertebromics")

NAME = "zhang2025"
FOREST = {"n_estimators": 100, "max_depth": None, "max_features": "sqrt"}
"""Not searched: no parameters are better than others where there is nothing to find."""


def null_cohort(seed: int, kind: str = "published") -> tuple[Columns, pd.DataFrame]:
    """Return a cohort of the published size whose outcome was dealt at random.

    Parameters
    ----------
    seed : int
        Of all draws.
    kind : {'published', 'numbers'}
        Predictors: those of the demo cohort, many of them levels; or ten independent normal ones.
    """
    cohort = COHORTS[NAME]
    table, _ = simulate(NAME, seed)
    predictors = []
    for name, drawn in cohort.columns.items():
        if isinstance(drawn, Levels):
            levels = tuple(drawn.shares)
            of_levels = "binary" if len(levels) == 2 else "categorical"
            predictors.append(Predictor(name, drawn.label, of_levels, levels))
            continue
        predictors.append(Predictor(name, drawn.label, "continuous"))
        if drawn.readings:
            readings = [f"{name}_{at}" for at in range(1, drawn.readings + 1)]
            table[name] = table[readings].mean(axis=1)
    rng = np.random.default_rng(derive_seed(seed, "null"))
    if kind == "numbers":
        names = [f"x{at}" for at in range(10)]
        table = table.assign(**dict(zip(names, rng.normal(size=(10, len(table))), strict=True)))
        predictors = [Predictor(name, name, "continuous") for name in names]
    dealt = rng.permutation(np.arange(len(table)) < cohort.events)
    table = table.assign(unit_id=table["patient_id"], outcome=dealt.astype(int))
    return Columns((), None, (), tuple(predictors)), table


def trials(runs: int, seed: int, options: OrdersOptions, kind: str = "published") -> pd.DataFrame:
    """Return a row a run and order: ``run, order`` and the measures."""
    rows = []
    plain = replace(options, oversampling="none")
    for run in range(runs):
        own = derive_seed(seed, "run", run)
        columns, table = null_cohort(own, kind)
        outcome = table["outcome"].to_numpy()
        for order in (BEFORE, AFTER):
            parts = parts_of(
                order, columns, table, outcome, options, options.split.test_fraction, own
            )
            found = judged("rf", FOREST, parts, plain, own)
            rows.append({"run": run, "order": order} | found)
        if (run + 1) % 50 == 0:
            logger.info("%d of %d", run + 1, runs)
    return pd.DataFrame(rows)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean, standard error of the mean, and range of each measure, by order."""
    grouped = table.groupby("order", sort=False)[list(MEASURES)]
    found = {"mean": grouped.mean(), "error": grouped.sem(), "least": grouped.min()}
    found["largest"] = grouped.max()
    long = [each.stack().rename(name) for name, each in found.items()]
    return pd.concat(long, axis=1).rename_axis(["order", "measure"]).reset_index()


def main(options: argparse.Namespace) -> None:
    """Run the simulation and write its tables."""
    asked = part_of(OrdersOptions, load_config([options.config]))
    with threadpool_limits(1):
        table = trials(options.runs, options.seed, asked, options.predictors)
    write_csv(table, options.out / "runs.csv")
    write_csv(summarise(table), options.out / "summary.csv")


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("proofs.oversampled_split", __doc__)
    arguments.add_argument("--config", type=Path, default=Path("config/demo-zhang2025.yaml"))
    arguments.add_argument("--predictors", choices=["published", "numbers"], default="published")
    arguments.add_argument("--runs", type=bounded_number(minimum=1), default=100, metavar="N")
    arguments.add_argument("--seed", type=number_within(SEED), default=2025)
    arguments.add_argument("--out", required=True, type=Path, help="folder of the tables")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
