"""How well a regression knows: coverage of its limits, and its optimism against the truth.

``python -m proofs.regression_trials --out FOLDER``: no stage. Patients as in the demo cohorts of
li2021 and rong2025, whose outcome follows a known logistic model.

Coverage: how often the 95% limits of each coefficient hold the true one. Optimism: the corrected
C-index, calibration slope and Brier score against those of the same fit on 20,000 other patients.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from demo.clinical import COHORTS, Levels, simulate
from models.regression.checking.optimism import bootstrap_optimism
from models.regression.fitting.logistic import Fit, coefficient_table, fit_logistic
from models.regression.fitting.terms import Term
from models.scoring.calibration import calibration_slope
from models.scoring.metrics import auroc, brier
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.files import write_csv
from pipeline.core.seeds import derive_seed
from pipeline.study.option_numbers import SEED, bounded_number, number_within

logger = logging.getLogger("vertebromics")

NAMES = ("li2021", "rong2025")
LATER = 20_000
"""Other patients, on whom a fit shows what it is worth."""


def terms_of(name: str) -> tuple[Term, ...]:
    """Return the predictors of a cohort that have an effect, and as many that have none."""
    terms = []
    for column, drawn in COHORTS[name].columns.items():
        levels = tuple(drawn.shares) if isinstance(drawn, Levels) else ()
        terms.append(Term(column, "factor" if levels else "continuous", levels=levels))
    return tuple(terms)


def cohort_of(name: str, seed: int, patients: int | None = None) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the predictors and the outcome (0, 1) of a cohort."""
    table, _ = simulate(name, seed, patients)
    outcome = (table[COHORTS[name].outcome[0]] == "yes").to_numpy(float)
    return table, outcome


def covered(name: str, runs: int, seed: int) -> pd.DataFrame:
    """Return, for each coefficient, how often its limits hold the truth, and its mean."""
    _, truth = simulate(name, seed)
    rows = []
    for run in range(runs):
        table, outcome = cohort_of(name, derive_seed(seed, "coverage", run))
        try:
            fit = fit_logistic(table, outcome, terms_of(name))
        except FitError:
            continue  # a level that nobody has; counted by the runs that are left
        found = coefficient_table(fit)
        found = found[(found["column"] != "") & (found["column"] != "(intercept)")]
        rows.append(found[["column", "b", "low", "high"]].assign(method=fit.method))
    found = pd.concat(rows, ignore_index=True)
    found["true"] = found["column"].map(truth["coefficients"]).fillna(0.0)
    ratio = np.exp(found["true"])
    found["holds"] = (found["low"] <= ratio) & (ratio <= found["high"])
    found["firth"] = found["method"] == "Firth"
    grouped = found.groupby("column", sort=False)
    table = grouped.agg(
        true=("true", "first"), mean=("b", "mean"), coverage=("holds", "mean"),
        runs=("holds", "size"), firth=("firth", "mean"),
    ).reset_index()  # fmt: skip
    table["error"] = np.sqrt(table["coverage"] * (1 - table["coverage"]) / table["runs"])
    return table.assign(cohort=name)


def worth_of(fit: Fit, rows: pd.DataFrame, outcome: np.ndarray) -> dict[str, float]:
    """Return C-index, calibration slope and Brier score of a fit on other patients."""
    parts = [term.design(rows[term.name]) for term in fit.terms]
    lp = np.column_stack([np.ones(len(rows)), *parts]) @ fit.risk_coefficients
    slope = calibration_slope(outcome, expit(lp), 0.95)[0]
    return {
        "c_index": auroc(outcome, lp),
        "calibration_slope": slope,
        "brier": brier(outcome, expit(lp)),
    }


def corrected(name: str, runs: int, resamples: int, seed: int) -> pd.DataFrame:
    """Return, run by run, apparent and corrected figures of a fit, and the true ones."""
    later, later_outcome = cohort_of(name, derive_seed(seed, "later"), LATER)
    rows = []
    for run in range(runs):
        own = derive_seed(seed, "optimism", run)
        table, outcome = cohort_of(name, own)
        try:
            fit = fit_logistic(table, outcome, terms_of(name))
            found = bootstrap_optimism(
                table, outcome, terms_of(name), resamples=resamples, seed=own
            ).table.set_index("measure")
        except FitError:
            continue
        true = worth_of(fit, later, later_outcome)
        for measure, value in true.items():
            row = found.loc[measure]
            figures = {"apparent": row["apparent"], "corrected": row["corrected"], "true": value}
            figures |= {"low": row["low"], "high": row["high"]}
            rows.append({"cohort": name, "run": run, "measure": measure} | figures)
        if (run + 1) % 20 == 0:
            logger.info("%s: %d of %d", name, run + 1, runs)
    return pd.DataFrame(rows)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean error of apparent and corrected figures, and how often limits hold."""
    table = table.assign(
        apparent_error=table["apparent"] - table["true"],
        corrected_error=table["corrected"] - table["true"],
        holds=(table["low"] <= table["true"]) & (table["true"] <= table["high"]),
    )
    table["holds"] = table["holds"].where(table["low"].notna()).astype(float)
    grouped = table.groupby(["cohort", "measure"], sort=False)
    return grouped.agg(
        true=("true", "mean"), apparent=("apparent", "mean"), corrected=("corrected", "mean"),
        apparent_error=("apparent_error", "mean"), corrected_error=("corrected_error", "mean"),
        error=("corrected_error", "sem"), holds=("holds", "mean"), runs=("true", "size"),
    ).reset_index()  # fmt: skip


def main(options: argparse.Namespace) -> None:
    """Run the trials and write their tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coverage = [covered(name, options.coverage, options.seed) for name in options.cohorts]
        write_csv(pd.concat(coverage, ignore_index=True), options.out / "coverage.csv")
        logger.info("coverage done")
        runs = [
            corrected(name, options.optimism, options.resamples, options.seed)
            for name in options.cohorts
        ]
    found = pd.concat(runs, ignore_index=True)
    write_csv(found, options.out / "optimism_runs.csv")
    write_csv(summarise(found), options.out / "optimism.csv")


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("proofs.regression_trials", __doc__)
    whole = bounded_number(minimum=1)
    arguments.add_argument("--cohorts", nargs="+", choices=NAMES, default=list(NAMES))
    arguments.add_argument("--coverage", type=whole, default=2000, metavar="RUNS")
    arguments.add_argument("--optimism", type=whole, default=200, metavar="RUNS")
    arguments.add_argument("--resamples", type=whole, default=100, metavar="N")
    arguments.add_argument("--seed", type=number_within(SEED), default=2025)
    arguments.add_argument("--out", required=True, type=Path, help="folder of the tables")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
