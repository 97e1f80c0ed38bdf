"""Figures of the models' performance: forest plots, ROC, calibration, decisions, errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.reporting.figures.drawing import (
    ACCENT,
    INK,
    MUTED,
    WARM,
    figure,
    grid_shape,
    hide_unused,
    legend_beside,
    model_style,
    to_svg,
)
from pipeline.reporting.wording import UNIT, interval, number, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Net benefit below this share of the best is cut off: it only stretches the axis.
_LOWEST_NET_BENEFIT = -0.15


def forest_figure(
    rows: pd.DataFrame, name: str, axis_label: str, reference: float, colours: Sequence[str]
) -> str:
    """Draw values with their intervals, one line each, against a reference.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``label, value, low, high`` in the order of the lines; low and high may be missing.
    name : str
        Name of the figure.
    axis_label : str
        What the values are.
    reference : float
        Where the vertical line stands.
    colours : sequence of str
        Colour of each line.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    places = np.arange(len(rows))
    with figure(9.5, 0.36 * len(rows) + 0.9) as (drawing, axes):
        axis = axes[0]
        for place, row, colour in zip(places, rows.itertuples(), colours, strict=True):
            if pd.notna(row.low) and pd.notna(row.high):
                axis.plot([row.low, row.high], [place, place], color=colour, linewidth=2)
            axis.plot(row.value, place, "o", color=colour, markersize=7)
            axis.text(
                1.02,
                place,
                interval(row.value, row.low, row.high, bounds=UNIT),
                transform=axis.get_yaxis_transform(),
                va="center",
                color=INK,
            )
        axis.axvline(reference, color=MUTED, linewidth=1, linestyle="--")
        axis.set_yticks(places, rows["label"], color=INK)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set_xlabel(axis_label)
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x")
        return to_svg(drawing, name)


def roc_figure(roc: pd.DataFrame, aurocs: dict[str, float], labels: dict[str, str]) -> str:
    """Draw the ROC curves of all models.

    Parameters
    ----------
    roc : pandas.DataFrame
        ``model, fpr, tpr``.
    aurocs, labels : dict
        AUROC and printed name of each model, in the order of the legend.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    with figure(8.2, 5.2) as (drawing, axes):
        axis = axes[0]
        axis.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 3)))
        for at, (model, label) in enumerate(labels.items()):
            curve = roc[roc["model"] == model]
            # Markers at other places for each model: curves that lie on each other stay apart.
            axis.plot(
                curve["fpr"],
                curve["tpr"],
                label=f"{label}  {number(aurocs[model], bounds=UNIT)}",
                markevery=(0.03 + 0.035 * at, 0.2),
                markersize=5,
                **model_style(model, list(labels)),
            )
        axis.set_xlabel("1 − specificity (false positive rate)")
        axis.set_ylabel("Sensitivity (true positive rate)")
        axis.set_xlim(-0.01, 1.01)
        axis.set_ylim(-0.01, 1.01)
        axis.set_aspect("equal")
        axis.grid()
        legend_beside(drawing, axis, "AUROC")
        return to_svg(drawing, "roc")


def calibration_figure(bins: pd.DataFrame, curve: pd.DataFrame, labels: dict[str, str]) -> str:
    """Draw observed against predicted risk, one panel per model.

    Parameters
    ----------
    bins : pandas.DataFrame
        ``model, predicted, observed, low, high, n``.
    curve : pandas.DataFrame
        ``model, predicted, observed, low, high``: the smoothed curve and its band.
    labels : dict of str to str
        Printed name of each model.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    rows, columns = grid_shape(len(labels), 3)
    size = {"sharex": True, "sharey": True}
    width = min(3.1 * columns + 0.6, 9.5) if columns > 1 else 4.6
    height = 3.1 * rows + 0.3 if columns > 1 else 4.2
    with figure(width, height, rows, columns, **size) as (drawing, axes):
        for axis, (model, label) in zip(axes, labels.items(), strict=False):
            style = model_style(model, list(labels))
            axis.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
            smooth = curve[curve["model"] == model].sort_values("predicted")
            axis.plot(smooth["predicted"], smooth["observed"], color=style["color"])
            _band(axis, smooth["predicted"], smooth["low"], smooth["high"], style["color"])
            points = bins[bins["model"] == model]
            for point in points.itertuples():
                ends = [point.low, point.high]
                axis.plot([point.predicted] * 2, ends, color=INK, linewidth=0.9)
            axis.plot(points["predicted"], points["observed"], "o", color=INK, markersize=5)
            axis.set_title(label)
            axis.set_xlim(-0.02, 1.02)
            axis.set_ylim(-0.02, 1.02)
            axis.set_aspect("equal")
            axis.grid()
        hide_unused(axes, len(labels), columns)
        if columns == 1:  # a label of the whole would lie far from the one panel
            axes[0].set_xlabel("Predicted risk")
            axes[0].set_ylabel("Observed share of events")
        else:
            drawing.supxlabel("Predicted risk", fontsize=9)
            drawing.supylabel("Observed share of events", fontsize=9)
        return to_svg(drawing, "calibration")


def decision_figure(curves: pd.DataFrame, labels: dict[str, str], banded: str) -> str:
    """Draw net benefit over the threshold probability, with treat-all and treat-none.

    Parameters
    ----------
    curves : pandas.DataFrame
        ``model, threshold, net_benefit, low, high``; models ``all`` and ``none`` included.
    labels : dict of str to str
        Printed name of each model.
    banded : str
        Model whose interval is shaded.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    best = float(curves["net_benefit"].max())
    with figure(9.5, 4.4) as (drawing, axes):
        axis = axes[0]
        references = {"all": ("treat all", INK, ":"), "none": ("treat none", MUTED, "-")}
        for model, (label, colour, line) in references.items():
            rows = curves[curves["model"] == model]
            axis.plot(
                rows["threshold"],
                rows["net_benefit"],
                color=colour,
                linestyle=line,
                linewidth=1.3,
                label=label,
            )
        for at, (model, label) in enumerate(labels.items()):
            rows = curves[curves["model"] == model]
            style = model_style(model, list(labels))
            axis.plot(
                rows["threshold"],
                rows["net_benefit"],
                label=label,
                markevery=(0.02 + 0.03 * at, 0.17),
                markersize=4.5,
                **style,
            )
            if model == banded:  # five bands on each other hide them all
                _band(axis, rows["threshold"], rows["low"], rows["high"], style["color"])
        axis.set_ylim(max(best, 0.01) * _LOWEST_NET_BENEFIT * 2, max(best, 0.01) * 1.08)
        axis.set_xlim(curves["threshold"].min(), curves["threshold"].max())
        axis.set_xlabel("Threshold probability")
        axis.set_ylabel("Net benefit")
        axis.grid()
        legend_beside(drawing, axis)
        return to_svg(drawing, "decision-curve")


def _band(axis: Axes, x: pd.Series, low: pd.Series, high: pd.Series, colour: str) -> None:
    """Shade between limits, where there are any."""
    if low.notna().any():
        axis.fill_between(x, low, high, color=colour, alpha=0.1, linewidth=0)


def confusion_figure(confusion: pd.DataFrame, labels: dict[str, str]) -> str:
    """Draw each model's two-by-two table of predictions, shaded by the share of its row.

    Parameters
    ----------
    confusion : pandas.DataFrame
        ``model, tp, fp, fn, tn, threshold``.
    labels : dict of str to str
        Printed name of each model.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    rows, columns = grid_shape(len(labels), 5)
    with figure(9.5, 2.75 * rows, rows, columns) as (drawing, axes):
        for index, (axis, (model, label)) in enumerate(zip(axes, labels.items(), strict=False)):
            row = confusion[confusion["model"] == model].iloc[0]
            _two_by_two(axis, row, label, first=index % columns == 0)
        for spare in axes[len(labels) :]:
            spare.remove()
        return to_svg(drawing, "confusion")


def _two_by_two(axis: Axes, row: pd.Series, label: str, *, first: bool) -> None:
    """Fill one panel: rows are what happened, columns what was predicted."""
    from matplotlib.patches import Rectangle

    counts = np.array([[row["tp"], row["fn"]], [row["fp"], row["tn"]]], dtype=int)
    right = {(0, 0), (1, 1)}
    for line in range(2):
        whole = counts[line].sum()
        for column in range(2):
            part = counts[line, column] / whole if whole else 0.0
            colour = ACCENT if (line, column) in right else WARM
            axis.add_patch(
                Rectangle((column, line), 0.97, 0.97, facecolor=colour, alpha=0.1 + 0.5 * part)
            )
            axis.text(
                column + 0.485,
                line + 0.42,
                str(counts[line, column]),
                ha="center",
                va="center",
                fontsize=12,
                fontweight="bold",
            )
            percent = share(counts[line, column], whole)
            axis.text(column + 0.485, line + 0.74, percent, ha="center", va="center", fontsize=8)
    axis.set_title(label, fontsize=8.5, pad=8)
    axis.set_xlabel(
        f"threshold {number(row['threshold'], bounds=UNIT)}", fontsize=8, color=MUTED, loc="left"
    )
    axis.set_xlim(-0.02, 2)
    axis.set_ylim(2.02, -0.05)
    axis.set_xticks([0.485, 1.485], ["event", "no event"])
    axis.set_yticks([0.485, 1.485], ["event", "no event"] if first else ["", ""])
    axis.xaxis.tick_top()
    axis.tick_params(length=0, labelsize=8)
    axis.spines[:].set_visible(False)
    axis.set_aspect("equal")
