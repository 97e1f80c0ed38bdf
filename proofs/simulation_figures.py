"""Figures of the chain's operating characteristics; each returns an ``<svg>`` element."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.learning.family_registry import family_of
from pipeline.reporting.figures.drawing import (
    ACCENT,
    INK,
    MUTED,
    PALE,
    WARM,
    figure,
    model_style,
    to_svg,
)

ESTIMATES = {
    "test_auroc": "Held-out patients",
    "nested_auroc": "Nested CV",
    "cv_auroc": "Search's CV",
    "apparent_auroc": "Apparent",
}
"""Estimates of a model's AUROC that a study has; apparent is that of the training rows."""

WIDEST_SLOPE = 3.0
"""Calibration slopes beyond it are drawn at the edge."""


def _models(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table["model"]))


def truth_figure(models: pd.DataFrame) -> str:
    """Draw each model's true AUROC beside the best possible, a line a seed."""
    names = _models(models)
    wide = models.pivot(index="seed", columns="model", values="true_auroc")[names]
    wide.insert(0, "best", models.groupby("seed")["best"].first())
    places = np.arange(wide.shape[1])
    with figure(9.5, 3.6) as (drawing, axes):
        axis = axes[0]
        for values in wide.to_numpy(dtype=float):
            axis.plot(places, values, color=PALE, linewidth=1, zorder=1)
        for place, name in enumerate(wide.columns):
            values = wide[name].dropna().to_numpy(dtype=float)
            colour = INK if name == "best" else model_style(name, names)["color"]
            axis.scatter([place] * len(values), values, s=16, color=colour, zorder=2)
            axis.plot([place - 0.16, place + 0.16], [values.mean()] * 2, color=INK, zorder=3)
            axis.annotate(
                f"{values.mean():.3f}", (place + 0.19, values.mean()), va="center", fontsize=8.5
            )
        labels = ["Best possible", *(family_of(name).label for name in names)]
        axis.set_xticks(places, labels, color=INK)
        axis.set_xlim(-0.4, len(places) - 0.4)
        axis.set_ylabel("True AUROC")
        axis.grid(axis="y")
        return to_svg(drawing, "true-auroc")


def error_figure(models: pd.DataFrame) -> str:
    """Draw how far each estimate of AUROC lies from the truth, a panel an estimate."""
    names = _models(models)
    shown = [name for name in ESTIMATES if name in models and models[name].notna().any()]
    rng = np.random.default_rng(0)
    with figure(9.5, 3.3, 1, len(shown), sharex=False, sharey=True) as (drawing, axes):
        for axis, estimate in zip(axes, shown, strict=True):
            axis.axvline(0, color=INK, linewidth=1)
            for place, name in enumerate(names):
                rows = models[models["model"] == name]
                values = (rows[estimate].astype(float) - rows["true_auroc"]).dropna().to_numpy()
                if not len(values):
                    continue
                style = model_style(name, names)
                jitter = place + rng.uniform(-0.18, 0.18, len(values))
                axis.scatter(
                    values, jitter, s=15, color=style["color"], marker=style["marker"], alpha=0.7
                )
                axis.plot([values.mean()] * 2, [place - 0.3, place + 0.3], color=INK)
            axis.set_title(ESTIMATES[estimate])
            axis.set_xlabel("Estimate − truth")
            axis.grid(axis="x")
        axes[0].set_yticks(range(len(names)), [family_of(n).label for n in names], color=INK)
        axes[0].set_ylim(len(names) - 0.5, -0.5)
        for axis in axes:
            axis.tick_params(axis="y", length=0)
        return to_svg(drawing, "errors")


def steps_figure(steps: pd.DataFrame, labels: dict[str, str]) -> str:
    """Draw the share of planted features that each step leaves."""
    places = np.arange(len(steps))
    with figure(9.5, 2.4) as (drawing, axes):
        axis = axes[0]
        for beside, column, colour, label in (
            (-0.19, "block", ACCENT, "it or a stand-in"),
            (0.19, "itself", WARM, "the planted feature itself"),
        ):
            axis.barh(places + beside, steps[column], height=0.34, color=colour, label=label)
            for place, value in zip(places, steps[column], strict=True):
                axis.text(value + 0.01, place + beside, f"{100 * value:.0f}%", va="center")
        axis.set_yticks(places, [labels[step] for step in steps["step"]], color=INK)
        axis.invert_yaxis()
        axis.set_xlim(0, 1.08)
        axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        axis.set_xlabel("Planted features left")
        axis.tick_params(axis="y", length=0)
        drawing.legend(loc="outside upper right", ncols=2)
        return to_svg(drawing, "steps")


def calibration_figure(models: pd.DataFrame) -> str:
    """Draw each model's calibration slope, true and on the test rows."""
    names = _models(models)
    rng = np.random.default_rng(0)
    with figure(9.5, 0.62 * len(names) + 1.1) as (drawing, axes):
        axis = axes[0]
        axis.axvline(1, color=INK, linewidth=1)
        for beside, column, colour, label in (
            (-0.18, "true_calibration_slope", ACCENT, "truth (new patients)"),
            (0.18, "test_calibration_slope", MUTED, "held-out patients"),
        ):
            for place, name in enumerate(names):
                values = models.loc[models["model"] == name, column].astype(float).dropna()
                jitter = place + beside + rng.uniform(-0.1, 0.1, len(values))
                beyond = int((values > WIDEST_SLOPE).sum())
                if beyond:
                    axis.annotate(
                        f"{beyond} beyond",
                        (1.005, place + beside),
                        va="center",
                        fontsize=8.5,
                        xycoords=("axes fraction", "data"),
                        color=colour,
                    )
                axis.scatter(
                    values.clip(0, WIDEST_SLOPE),
                    jitter,
                    s=14,
                    color=colour,
                    alpha=0.7,
                    linewidths=0,
                    label=label if place == 0 else None,
                )
                middle = min(values.median(), WIDEST_SLOPE)
                axis.plot([middle] * 2, [place + beside - 0.15, place + beside + 0.15], color=INK)
        axis.set_yticks(range(len(names)), [family_of(n).label for n in names], color=INK)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_xlabel(
            "Calibration slope (1 is ideal, below 1 too extreme; the bar is the median)"
        )
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x")
        drawing.legend(loc="outside upper right", ncols=2)
        return to_svg(drawing, "calibration")
