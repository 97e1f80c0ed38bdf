"""The page of the chain's operating characteristics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from demo.population import STAND_IN
from models.learning.family_registry import family_of
from models.scoring.intervals import wilson_interval
from pipeline.reporting.blocks import Figure, Items, Paragraph, Section, Table
from pipeline.reporting.wording import count, interval, number
from proofs.cohort_trials import FRESH_PATIENTS, STEPS, UNRELATED
from proofs.pages import write_page
from proofs.simulation_figures import (
    ESTIMATES,
    calibration_figure,
    error_figure,
    steps_figure,
    truth_figure,
)

STEP_LABELS = {"ccc": "CCC between readers", "univariate": "rank-sum", "mrmr": "mRMR (signature)"}
KINDS = {
    "planted": "planted itself",
    "stand-in": f"stand-in (correlation at least {STAND_IN:g})",
    "related": f"related ({UNRELATED:g} to {STAND_IN:g})",
    "unrelated": f"unrelated (below {UNRELATED:g}): false",
}

CALIBRATION = {
    "true_calibration_slope": "Slope, truth",
    "test_calibration_slope": "Slope, test",
    "true_calibration_intercept": "Intercept, truth",
    "true_oe_ratio": "O/E, truth",
}


def write_simulation_page(tables: dict[str, pd.DataFrame], facts: dict, folder: Path) -> None:
    """Write the page into `folder`.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        ``models``, ``steps`` and ``selection`` over all seeds.
    facts : dict
        ``seeds, planned, config``: what was run.
    folder : pathlib.Path
        Receives ``report.html``, ``figures`` and ``tables``.
    """
    options, models = facts["config"], tables["models"]
    how = (
        f"{facts['seeds']} seeds, each with a population of its own; {options['split']['folds']} "
        f"inner folds, {options['search']['iterations']} parameter sets a search, oversampling "
        f"{options['oversampling']}"
    )
    sections = [
        Section("what", "What was done", _introduction(facts)),
        Section("truth", "How good the models are", _truth_blocks(models, how)),
        Section("estimates", "How well a study would know it", _error_blocks(models, how)),
        Section("found", "What the selection finds", _found_blocks(tables, how)),
        Section("calibration", "Calibration", _calibration_blocks(models, how)),
    ]
    write_page("Operating characteristics of the chain", sections, folder)


def _introduction(facts: dict) -> list:
    return [
        Paragraph(
            f"{facts['seeds']} simulated cohorts of the published size: 856 patients, 102 events, "
            "1,223 features of two readers that hang together as real ones do, three clinical "
            "predictors and five features that act on the outcome. The study's own stages run on "
            "each: split 7:3, selection in folds, search, refit, prediction. The models' true "
            f"figures come from {FRESH_PATIENTS:,} new patients of the same population."
        ),
        Items(
            [
                "Best possible: the AUROC of the true log odds, which no study knows.",
                "Cheap models with a reduced search; TabNet is left out for its cost.",
                "What holds here holds for such cohorts. It says nothing about people.",
            ]
        ),
    ]


def mean_of(values: pd.Series) -> tuple[float, float, float]:
    """Return a mean over seeds with its 95 % t interval; NaN limits with one seed."""
    values = values.dropna().to_numpy(dtype=float)
    if len(values) == 0:
        return np.nan, np.nan, np.nan
    half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1) if len(values) > 1 else np.nan
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def model_summary(models: pd.DataFrame) -> pd.DataFrame:
    """Return the operating characteristics of each model.

    Parameters
    ----------
    models : pandas.DataFrame
        One row per seed and model.

    Returns
    -------
    pandas.DataFrame
        ``model, quantity, mean, low, high, seeds``; ``coverage`` with Wilson's interval.
    """
    rows = []
    for model, group in models.groupby("model", sort=False):
        quantities = {
            "best": group["best"],
            "true_auroc": group["true_auroc"],
            "shortfall": group["best"] - group["true_auroc"],
            **{
                f"error_{name}": group[name] - group["true_auroc"]
                for name in ESTIMATES
                if name in group
            },
        }
        for quantity, values in quantities.items():
            mean, low, high = mean_of(values.astype(float))
            seeds = int(values.notna().sum())
            if seeds:
                rows.append((model, quantity, mean, low, high, seeds))
        covered, seeds = int(group["covered"].sum()), len(group)
        rows.append(
            (model, "coverage", covered / seeds, *wilson_interval(covered, seeds, 0.95), seeds)
        )
    return pd.DataFrame(rows, columns=["model", "quantity", "mean", "low", "high", "seeds"])


def calibration_summary(models: pd.DataFrame) -> pd.DataFrame:
    """Return each model's calibration over the seeds.

    Medians: the slope of a nearly constant prediction grows without limit.

    Returns
    -------
    pandas.DataFrame
        ``model, quantity, median, q1, q3, seeds`` (in which it is defined).
    """
    rows = []
    for model, group in models.groupby("model", sort=False):
        for quantity in CALIBRATION:
            values = group[quantity].astype(float).dropna()
            q1, median, q3 = values.quantile([0.25, 0.5, 0.75])
            rows.append((model, quantity, median, q1, q3, len(values)))
    return pd.DataFrame(rows, columns=["model", "quantity", "median", "q1", "q3", "seeds"])


def _cells(models: pd.DataFrame, quantities: dict[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    summary = model_summary(models)
    rows = []
    for model, group in summary.groupby("model", sort=False):
        row = {"Model": family_of(model).label}
        for quantity, label in quantities.items():
            own = group[group["quantity"] == quantity]
            row[label] = interval(*own[["mean", "low", "high"]].iloc[0]) if len(own) else "–"
        rows.append(row)
    return pd.DataFrame(rows), summary[summary["quantity"].isin(quantities)]


def _table(name: str, caption: str, models: pd.DataFrame, quantities: dict[str, str]) -> Table:
    shown, raw = _cells(models, quantities)
    return Table(name, caption, shown, raw, numeric=tuple(quantities.values()))


def _truth_blocks(models: pd.DataFrame, how: str) -> list:
    return [
        Figure(
            "true-auroc",
            truth_figure(models),
            "True AUROC of each model in each cohort beside the best possible.",
            f"True AUROC of the models on new patients, one line a seed; {how}.",
        ),
        _table(
            "true-auroc",
            f"True AUROC, mean over seeds with 95% t interval; {how}.",
            models,
            {
                "best": "Best possible",
                "true_auroc": "True AUROC",
                "shortfall": "Falls short by",
            },
        ),
    ]


def _error_blocks(models: pd.DataFrame, how: str) -> list:
    names = {f"error_{name}": label for name, label in ESTIMATES.items() if name in models}
    return [
        Figure(
            "errors",
            error_figure(models),
            "Differences of each estimate of AUROC from the truth, by model.",
            "Estimate minus true AUROC of the final model, a point a seed, the bar their mean. "
            f"{how.capitalize()}.",
        ),
        _table(
            "errors",
            "Mean error of each estimate of AUROC (estimate minus truth, 95% t interval over "
            "seeds). Nested cross-validation learns from fewer patients than the final model, so "
            f"that it should lie a little low. {how.capitalize()}.",
            models,
            names,
        ),
        _table(
            "coverage",
            "Share of cohorts in which the 95% DeLong interval of the held-out patients holds the "
            f"model's true AUROC, with Wilson's interval. {how.capitalize()}.",
            models,
            {"coverage": "Coverage of the 95% interval"},
        ),
    ]


def found_summary(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the share of planted features left after each step.

    Parameters
    ----------
    steps : pandas.DataFrame
        One row per seed, planted feature and step.

    Returns
    -------
    pandas.DataFrame
        ``step, itself, block`` (shares)``, planted`` (features over all seeds).
    """
    grouped = steps.groupby("step")
    table = grouped[["itself", "block"]].mean().assign(planted=grouped.size())
    return table.loc[list(STEPS)].reset_index()


def selected_summary(selection: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """Return how many selected candidates of each kind a signature holds, mean over seeds."""
    counts = selection.groupby(["block", "kind"]).size() / seeds
    return counts.rename("per_signature").reset_index()


def _found_blocks(tables: dict[str, pd.DataFrame], how: str) -> list:
    steps, selection = found_summary(tables["steps"]), tables["selection"]
    seeds = tables["models"]["seed"].nunique()
    selected = selected_summary(selection, seeds)
    shown = pd.DataFrame(
        {
            "Step": steps["step"].map(STEP_LABELS),
            "Planted feature itself": [f"{100 * v:.0f}%" for v in steps["itself"]],
            "It or a stand-in": [f"{100 * v:.0f}%" for v in steps["block"]],
            "Planted features": steps["planted"].map(count),
        }
    )
    kinds = pd.DataFrame(
        {
            "Candidates": selected["block"].str.capitalize(),
            "Kind": [
                KINDS[k] if b == "radiomics" else {"planted": "planted", "unrelated": "false"}[k]
                for b, k in zip(selected["block"], selected["kind"], strict=True)
            ],
            "Per signature": selected["per_signature"].map(lambda v: number(v, 1)),
        }
    )
    return [
        Figure(
            "steps",
            steps_figure(steps, STEP_LABELS),
            "Share of planted features left after each step.",
            f"Planted features left after each step: themselves, or through a stand-in; {how}.",
        ),
        Table(
            "steps",
            "Planted features left after each step on all training patients. A stand-in correlates "
            f"{STAND_IN:g} or more with the planted one before any reader's noise; {how}.",
            shown,
            steps,
            numeric=tuple(shown.columns[1:]),
        ),
        Table(
            "selected",
            f"What a signature holds, mean number over seeds; {how}.",
            kinds,
            selected,
            numeric=("Per signature",),
        ),
    ]


def _calibration_blocks(models: pd.DataFrame, how: str) -> list:
    summary = calibration_summary(models)
    shown = pd.DataFrame(
        [
            {
                "Model": family_of(model).label,
                **{
                    CALIBRATION[row.quantity]: interval(row.median, row.q1, row.q3, 2)
                    for row in group.itertuples()
                },
            }
            for model, group in summary.groupby("model", sort=False)
        ]
    )
    return [
        Figure(
            "calibration",
            calibration_figure(models),
            "Calibration slope of each model in each cohort, on held-out patients and in truth.",
            "Calibration slope, ideal 1: on new patients (truth) and on the held-out patients. "
            f"{how}.",
        ),
        Table(
            "calibration",
            f"Calibration on new patients (truth) and on held-out patients, median over seeds with "
            f"quartiles; ideal: slope 1, intercept 0, O/E 1. {how.capitalize()}.",
            shown,
            summary,
            numeric=tuple(CALIBRATION.values()),
        ),
    ]
