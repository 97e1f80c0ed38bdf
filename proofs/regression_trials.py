"""How well a regression knows: coverage of its limits, and its optimism against the truth.

``python -m proofs.regression_trials --out FOLDER``: no stage. Patients as in the demo cohorts of
li2021 and rong2025, whose outcome follows a known logistic model.

Coverage: how often the 95% limits of each coefficient hold the true one, and those of a patient's
risk the true risk. Optimism: the corrected C-index, calibration slope and Brier score against those
of the same fit on 200,000 other patients, and how often the limits of the C-index hold it; with
predictors named beforehand, and with screening repeated in every resample. Finished runs lie in a
journal, from which the same command goes on.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from demo.clinical import COHORTS, Levels, simulate
from models.regression.checking.optimism import bootstrap_optimism
from models.regression.checking.screening import kept_terms
from models.regression.fitting.logistic import coefficient_table, fit_logistic
from models.regression.fitting.newton import maximise
from models.regression.fitting.terms import Term
from models.regression.publishing.model import Purpose, model_of
from models.scoring.metrics import auroc, brier
from pipeline.core import command
from pipeline.core.errors import FitError
from pipeline.core.files import json_hash, write_csv
from pipeline.core.seeds import derive_seed
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.option_numbers import PROCESSES, SEED, bounded_number, number_within
from proofs.tasks import run_missing

NAMES = ("li2021", "rong2025")
LATER = 200_000
"""Other patients, on whom a fit shows what it is worth; all fits meet the same ones, whose own
chance (0.0015 of a C-index) is common to them."""
PATIENTS = 20
"""Patients of every later cohort whose risk is asked for."""
SCREENING = 0.05
BLOCK = 10
"""Runs of one task; what is asked for is rounded up to whole tasks."""


class Task(NamedTuple):
    """A block of runs: what is asked of them, of which cohort, and which of them."""

    kind: str
    cohort: str
    block: int
    resamples: int
    seed: int


class Shared(NamedTuple):
    """Other patients of a cohort: their columns of each term, outcome, and true risks of some."""

    columns: dict[str, np.ndarray]
    outcome: np.ndarray
    some: pd.DataFrame
    risks: np.ndarray


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


def later_patients(name: str, seed: int, patients: int = LATER) -> Shared:
    """Return other patients of a cohort, and the true risks of the first of them."""
    own = derive_seed(seed, "later")
    rows, truth = simulate(name, own, patients)
    outcome = (rows[COHORTS[name].outcome[0]] == "yes").to_numpy(float)
    some = rows.iloc[:PATIENTS]
    logit = np.full(len(some), truth["intercept"])
    for column, b in truth["coefficients"].items():
        predictor, _, level = column.partition("=")
        values = some[predictor]
        logit += b * (values == level if level else values).to_numpy(float)
    columns = {term.name: term.design(rows[term.name]) for term in terms_of(name)}
    return Shared(columns, outcome, some, expit(logit))


def covered(name: str, runs: range, seed: int, shared: Shared) -> list[dict]:
    """Return, for each run and coefficient, its limits; and the share of risks that limits hold."""
    rows = []
    for run in runs:
        table, outcome = cohort_of(name, derive_seed(seed, "coverage", run))
        try:
            fit = fit_logistic(table, outcome, terms_of(name))
        except FitError:
            continue  # a level that nobody has; counted by the runs that are left
        found = coefficient_table(fit)
        found = found[(found["column"] != "") & (found["column"] != "(intercept)")]
        found = found[["column", "b", "low", "high"]].assign(run=run, firth=fit.method == "Firth")
        rows += found.to_dict("records")
        low, high = model_of(fit, name, Purpose("")).interval(shared.some)
        held = ((low <= shared.risks) & (shared.risks <= high)).mean()
        rows.append({"column": "(risk of a patient)", "holds": float(held), "run": run})
    return rows


def coverage_table(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return, for each coefficient of a cohort, how often its limits hold the truth, and its mean.

    The standard error is that of chance between runs.
    """
    _, truth = simulate(name)
    rows = rows.copy()
    rows["true"] = rows["column"].map(truth["coefficients"]).fillna(0.0)
    ratio = np.exp(rows["true"])
    limits = (rows["low"] <= ratio) & (ratio <= rows["high"])
    rows["holds"] = rows["holds"].where(rows["low"].isna(), limits).astype(float)
    grouped = rows.groupby("column", sort=False)
    table = grouped.agg(
        true=("true", "first"), mean=("b", "mean"), coverage=("holds", "mean"),
        error=("holds", "sem"), runs=("holds", "size"), firth=("firth", "mean"),
    ).reset_index()  # fmt: skip
    return table.assign(cohort=name)


def corrected(task: Task, runs: range, shared: Shared) -> list[dict]:
    """Return, run by run, apparent and corrected figures of a fit, and the true ones."""
    name, every = task.cohort, terms_of(task.cohort)
    threshold = SCREENING if task.kind == "screened" else None
    rows = []
    for run in runs:
        own = derive_seed(task.seed, "optimism", run)
        table, outcome = cohort_of(name, own)
        terms = every
        if threshold is not None:
            alone = {term.name: term.design(table[term.name]) for term in every}
            terms = kept_terms(alone, outcome, every, threshold)
        try:
            fit = fit_logistic(table, outcome, terms)
            found = bootstrap_optimism(
                *(table, outcome, every), threshold=threshold, resamples=task.resamples, seed=own
            ).table.set_index("measure")
        except FitError:
            continue
        parts = [shared.columns[term.name] for term in fit.terms]
        lp = np.column_stack([np.ones(len(shared.outcome)), *parts]) @ fit.risk_coefficients
        true = _worth(lp, shared.outcome)
        for measure in ("c_index", "calibration_slope", "brier"):
            row = found.loc[measure]
            figures = {each: float(row[each]) for each in ("apparent", "corrected", "low", "high")}
            rows.append({"run": run, "measure": measure, "true": true[measure]} | figures)
    return rows


def _worth(lp: np.ndarray, outcome: np.ndarray) -> dict[str, float]:
    """Return C-index, calibration slope and Brier score on other patients."""
    design = np.column_stack([np.ones(len(lp)), lp])
    slope = maximise(design, outcome, start=np.array([0.0, 1.0])).coefficients[1]
    risk = expit(lp)
    return {
        "c_index": auroc(outcome, lp),
        "calibration_slope": float(slope),
        "brier": brier(outcome, risk),
    }


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean error of apparent and corrected figures, and how often limits hold."""
    table = table.assign(
        apparent_error=table["apparent"] - table["true"],
        corrected_error=table["corrected"] - table["true"],
        holds=(table["low"] <= table["true"]) & (table["true"] <= table["high"]),
        too_high=table["low"] > table["true"],
        width=table["high"] - table["low"],
    )
    for each in ("holds", "too_high"):
        table[each] = table[each].where(table["low"].notna()).astype(float)
    grouped = table.groupby(["cohort", "kind", "measure"], sort=False)
    return grouped.agg(
        true=("true", "mean"), apparent=("apparent", "mean"), corrected=("corrected", "mean"),
        apparent_error=("apparent_error", "mean"), corrected_error=("corrected_error", "mean"),
        error=("corrected_error", "sem"), holds=("holds", "mean"), too_high=("too_high", "mean"),
        width=("width", "mean"), runs=("true", "size"),
    ).reset_index()  # fmt: skip


def work(shared: dict[str, Shared], task: Task) -> dict:
    """Do one block of runs; an importable function, for worker processes."""
    runs = range(task.block * BLOCK, (task.block + 1) * BLOCK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        later = shared[task.cohort]
        if task.kind == "coverage":
            return {"rows": covered(task.cohort, runs, task.seed, later)}
        return {"rows": corrected(task, runs, later)}


def plan(options: argparse.Namespace) -> list[Task]:
    """Return the tasks of all that is asked, so that a part of them is of use."""
    kinds = {"coverage": options.coverage}
    kinds |= dict.fromkeys(("named beforehand", "screened"), options.optimism)
    tasks = [
        Task(kind, cohort, block, options.resamples, options.seed)
        for kind, runs in kinds.items()
        for cohort in options.cohorts
        for block in range(-(-runs // BLOCK))
    ]
    return sorted(tasks, key=lambda task: (task.kind != "coverage", task.block))


def main(options: argparse.Namespace) -> None:
    """Do the runs that the journal lacks, and write the tables of all that are done."""
    tasks = plan(options)
    key = json_hash({"code": code_fingerprint("proofs.regression_trials")})
    found = run_missing(
        work,
        tasks,
        lambda: {name: later_patients(name, options.seed) for name in options.cohorts},
        options.out / "journal.jsonl",
        key,
        stage="regressions",
        describe=lambda task, result: f"{task.cohort} {task.kind} {task.block}",
        workers=options.workers,
        limit=options.limit,
    )
    done: dict[str, list] = {"coverage": [], "optimism": []}
    for task, result in zip(tasks, found, strict=False):
        where = "coverage" if task.kind == "coverage" else "optimism"
        done[where] += [row | {"cohort": task.cohort, "kind": task.kind} for row in result["rows"]]
    if done["coverage"]:
        rows = pd.DataFrame(done["coverage"])
        tables = [coverage_table(name, own) for name, own in rows.groupby("cohort", sort=False)]
        write_csv(pd.concat(tables, ignore_index=True), options.out / "coverage.csv")
    if done["optimism"]:
        runs = pd.DataFrame(done["optimism"])
        write_csv(runs, options.out / "optimism_runs.csv")
        write_csv(summarise(runs), options.out / "optimism.csv")


def _arguments() -> argparse.ArgumentParser:
    arguments = command.parser("proofs.regression_trials", __doc__)
    none, whole = bounded_number(minimum=0), bounded_number(minimum=2)
    arguments.add_argument("--cohorts", nargs="+", choices=NAMES, default=list(NAMES))
    arguments.add_argument("--coverage", type=none, default=2000, metavar="RUNS")
    arguments.add_argument("--optimism", type=none, default=2000, metavar="RUNS")
    arguments.add_argument("--resamples", type=whole, default=100, metavar="N")
    arguments.add_argument("--seed", type=number_within(SEED), default=2025)
    arguments.add_argument("--limit", type=none, default=0, help="blocks of this run; 0 for all")
    arguments.add_argument("--workers", type=number_within(PROCESSES), default=1)
    arguments.add_argument("--out", required=True, type=Path, help="folder of the tables")
    return arguments


if __name__ == "__main__":
    command.run(main, _arguments())
