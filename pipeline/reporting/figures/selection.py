"""Figures of the selection: the funnel, and its stability over folds and subsamples."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd

from pipeline.reporting.figures.drawing import (
    BLOCK_COLOURS,
    INK,
    MUTED,
    PALE,
    figure,
    to_svg,
)
from pipeline.reporting.wording import count, share

#: Where the bars of the funnel begin: below one, so that a single candidate has a bar.
_FOOT = 0.5


def funnel_figure(funnel: list[dict]) -> str:
    """Draw how many radiomic and clinical candidates each step of the selection leaves.

    Parameters
    ----------
    funnel : list of dict
        ``label, radiomics, clinical`` in the order of the steps.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    from matplotlib.ticker import FuncFormatter, NullLocator

    labels = ["\n".join(textwrap.wrap(step["label"].replace(">=", "≥"), 34)) for step in funnel]
    places = np.arange(len(funnel))
    height = 0.42 * len(funnel) + 1.2
    # A study of clinical predictors alone has no radiomic panel, and the other way round.
    blocks = [name for name in BLOCK_COLOURS if any(step[name] for step in funnel)]
    blocks = blocks or list(BLOCK_COLOURS)
    largest = max(max(step[name] or 0 for step in funnel) for name in blocks)
    size = {"sharex": True, "sharey": True}
    with figure(9.5, height, 1, len(blocks), **size) as (drawing, axes):
        for axis, block in zip(axes, blocks, strict=True):
            values = np.array([step[block] or 0 for step in funnel])
            # One scale for both: a logarithm, since a thousand features stand beside ten columns.
            axis.set_xscale("log")
            axis.barh(
                places, np.maximum(values - _FOOT, 0), 0.62, left=_FOOT, color=BLOCK_COLOURS[block]
            )
            for place, value in zip(places, values, strict=True):
                at = max(value, _FOOT) * 1.08
                axis.text(at, place, count(value), va="center", color=INK)
            axis.set_title(f"{block.capitalize()} candidates")
            axis.set_xlim(_FOOT, max(largest, 2) * 2.6)
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
            axis.xaxis.set_minor_locator(NullLocator())
            axis.set_xlabel("Number (logarithmic scale)")
            axis.spines[["left"]].set_visible(False)
            axis.tick_params(axis="y", length=0)
            axis.grid(axis="x")
        axes[0].set_yticks(places, labels, color=INK)
        axes[0].invert_yaxis()
        return to_svg(drawing, "funnel")


def stability_figure(frequency: pd.DataFrame) -> str:
    """Draw which training folds selected which feature.

    Parameters
    ----------
    frequency : pandas.DataFrame
        One row per feature: ``feature, block, selected`` (in the final signature), then one
        boolean column per fold whose name is the fold's number.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    folds = [name for name in frequency.columns if name not in ("feature", "block", "selected")]
    rows = len(frequency)
    with figure(9.5, 0.235 * rows + 1.15) as (drawing, axes):
        axis = axes[0]
        names = ["all training\npatients", *(f"without\nfold {int(fold) + 1}" for fold in folds)]
        chosen = frequency[["selected", *folds]].to_numpy(bool)
        colours = np.array([BLOCK_COLOURS[block] for block in frequency["block"]])
        row, column = np.nonzero(~chosen)
        axis.scatter(column, row, s=9, color=PALE)
        row, column = np.nonzero(chosen)
        axis.scatter(column, row, s=56, color=colours[row])
        axis.axvline(0.5, color=MUTED, linewidth=0.8)
        axis.set_xticks(range(len(names)), names)
        axis.xaxis.tick_top()
        axis.set_yticks(range(rows), frequency["feature"], fontsize=8, color=INK)
        axis.set_xlim(-0.5, len(names) - 0.5)
        axis.set_ylim(rows - 0.4, -0.6)
        axis.spines[["top", "left", "bottom"]].set_visible(False)
        axis.tick_params(length=0)
        return to_svg(drawing, "stability")


def frequency_figure(table: pd.DataFrame, noise: float | None) -> str:
    """Draw how often subsamples of the training patients chose each feature.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per feature, the first on top: ``feature, block, frequency, selected`` (in the
        final signature).
    noise : float or None
        Frequency of the feature that a permuted outcome chooses most often, drawn as a line.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    rows = len(table)
    places = np.arange(rows)
    with figure(9.5, 0.26 * rows + 0.9) as (drawing, axes):
        axis = axes[0]
        colours = [BLOCK_COLOURS[block] for block in table["block"]]
        bars = axis.barh(places, table["frequency"], height=0.66, color=colours)
        for bar, selected in zip(bars, table["selected"], strict=True):
            bar.set_alpha(1.0 if selected else 0.4)
        for place, value in zip(places, table["frequency"], strict=True):
            axis.text(value + 0.008, place, share(value, 1), va="center", color=INK)
        if noise is not None:
            axis.axvline(noise, color=MUTED, linestyle="--", linewidth=1.0)
        axis.set_yticks(places, table["feature"], fontsize=8, color=INK)
        axis.set_ylim(rows - 0.4, -0.6)
        axis.set_xlim(0, 1.06)
        axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        axis.set_xlabel("Subsamples that chose the feature")
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
        return to_svg(drawing, "frequency")
