"""The page of the proof that nothing leaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from models.learning.family_registry import family_of
from pipeline.reporting.blocks import Facts, Figure, Items, Note, Paragraph, Section, Table
from pipeline.reporting.figures.drawing import ACCENT, INK, MUTED, WARM, figure, to_svg
from pipeline.reporting.wording import count, interval, number
from proofs.pages import write_page

COLOURS = {"rigorous": ACCENT, "as_published": WARM}
LABELS = {"rigorous": "rigorous", "as_published": "as published (LEAKING)"}
COHORT = {
    "independent": "nearly independent features",
    "redundant": "redundant features",
}
ESTIMATE = {
    "test": "held-out patients",
    "nested": "nested cross-validation",
    "no_hold_out": "nested cross-validation, no hold-out",
}


def write_leakage_page(
    results: pd.DataFrame,
    summary: pd.DataFrame,
    facts: dict,
    failures: list[str],
    limits: tuple[float, float],
    folder: Path,
) -> None:
    """Write the page into `folder`.

    Parameters
    ----------
    results : pandas.DataFrame
        One row per trial.
    summary : pandas.DataFrame
        One row per kind of trial.
    facts : dict
        ``config``, the options that the trials ran with.
    failures : list of str
        What does not hold.
    limits : tuple of float
        Largest distance of the rigorous mean from 0.5; least excess of the published order.
    folder : pathlib.Path
        Receives ``report.html``, ``figures`` and ``tables``.
    """
    blocks = [
        Paragraph(
            "The outcome of a simulated cohort of the published size (856 patients, 102 events, "
            "1,223 features of two readers) is dealt anew among the patients: nothing can predict "
            "it, and every true AUROC is 0.5. Then the study's own stages run. What a model still "
            "seems to predict has leaked."
        ),
        _verdict(summary, failures, limits),
        _key_numbers(summary),
        Figure(
            "null-aurocs",
            null_figure(results),
            "Distributions of AUROC under permuted outcomes, by mode and model.",
            _caption(facts),
            width=700,
        ),
        Table(
            "null-aurocs",
            "Mean AUROC under permuted outcomes. The interval tells the error of the simulation "
            "(t, over permutations). CV: mean AUROC of the search's best parameter set over the "
            "inner folds, which every study sees before its held-out patients.",
            _shown(summary),
            summary,
            numeric=("Permutations", "Mean AUROC (95% CI)", "SD", "CV"),
        ),
    ]
    page = [Section("leakage", "Nothing to find", blocks), _how_section(facts)]
    write_page("Proof: does anything leak?", page, folder)


def _verdict(summary: pd.DataFrame, failures: list[str], limits: tuple[float, float]) -> Note:
    if failures:
        return Note("; ".join(failures) + ".", "The proof does not hold")
    text = f"Every rigorous mean lies within {limits[0]:g} of 0.5"
    if (summary["mode"] == "as_published").any():
        text += (
            f", and where features are nearly independent the published order lies at least "
            f"{limits[1]:g} above it"
        )
    return Note(text + ".", "The proof holds", "info")


def _key_numbers(summary: pd.DataFrame) -> Facts:
    items = []
    for row in summary[summary["estimate"] == "test"].itertuples():
        detail = f"{family_of(row.model).label}, {COHORT[row.cohort]}, {row.draws} permutations"
        items.append((number(row.auroc), LABELS[row.mode], detail))
    return Facts(items)


def _caption(facts: dict) -> str:
    options = facts["config"]
    return (
        f"AUROC under permuted outcomes; each point is one permutation, the bar their mean. Split "
        f"7:3, {options['split']['folds']} inner folds, {options['search']['iterations']} "
        f"parameter sets a search, oversampling {options['oversampling']}, CCC >= "
        f"{options['selection']['ccc']['threshold']:g}, rank-sum P < "
        f"{options['selection']['wilcoxon']['p']:g}, mRMR {options['selection']['mrmr']['k']}. "
        "As published is LEAKING: it selects on all patients, held-out patients among them."
    )


def _shown(summary: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Features": summary["cohort"].map(COHORT),
            "Judged on": summary["estimate"].map(ESTIMATE),
            "Model": [family_of(model).label for model in summary["model"]],
            "Mode": summary["mode"].map(LABELS),
            "Permutations": summary["draws"].map(count),
            "Mean AUROC (95% CI)": [
                interval(row.auroc, row.low, row.high) for row in summary.itertuples()
            ],
            "SD": summary["sd"].map(number),
            "CV": summary["cv_auroc"].map(number),
        }
    )


def _how_section(facts: dict) -> Section:
    return Section(
        "how",
        "How to read it",
        [
            Items(
                [
                    "All permutations share one cohort of patients: the intervals say how exactly "
                    "the mean over permutations is known, nothing about other cohorts.",
                    "The two cohorts differ in redundancy. The more independent features there "
                    "are, the more a selection on everyone finds by chance.",
                    "Nested cross-validation sees the training patients only; in the design "
                    "without a hold-out all rows are training patients.",
                    f"All draws derive from the seed {facts['seed']}.",
                ]
            )
        ],
    )


def null_figure(results: pd.DataFrame) -> str:
    """Draw the AUROCs of all trials, one row a cohort, estimate and model; an ``<svg>`` element."""
    kinds = list(results.groupby(["cohort", "estimate", "model"], sort=False))
    rng = np.random.default_rng(0)
    with figure(9.5, 0.62 * len(kinds) + 1.1) as (drawing, axes):
        axis = axes[0]
        axis.axvline(0.5, color=INK, linewidth=1)
        labelled = set()
        for place, (_, group) in enumerate(kinds):
            for mode, rows in group.groupby("mode", sort=False):
                at = place + (0.17 if mode == "as_published" else -0.17)
                values = rows["auroc"].to_numpy(dtype=float)
                jitter = at + rng.uniform(-0.11, 0.11, len(values))
                label = LABELS[mode] if mode not in labelled else None
                labelled.add(mode)
                axis.scatter(
                    values, jitter, s=11, color=COLOURS[mode], alpha=0.5, linewidths=0, label=label
                )
                axis.plot([values.mean()] * 2, [at - 0.16, at + 0.16], color=INK)
                axis.annotate(
                    number(values.mean()),
                    (1.005, at),
                    va="center",
                    fontsize=8.5,
                    xycoords=("axes fraction", "data"),
                    color=COLOURS[mode],
                )
        names = [
            f"{family_of(model).label}, {ESTIMATE[estimate]}\n{COHORT[cohort]}"
            for (cohort, estimate, model), _ in kinds
        ]
        axis.set_yticks(range(len(kinds)), names, color=INK)
        axis.set_ylim(len(kinds) - 0.5, -0.5)
        axis.set_xlabel("AUROC under permuted outcomes (mean at the right)")
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_color(MUTED)
        axis.grid(axis="x")
        drawing.legend(loc="outside upper right", ncols=2)
        return to_svg(drawing, "null-aurocs")
