"""Figures of the ablation: what each step costs, with the uncertainty of that difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.reporting.figures.drawing import ACCENT, INK, MUTED, figure, model_style, to_svg
from pipeline.reporting.wording import SIGNED, count, interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Height of a line and of a heading, in inches.
_LINE = 0.34


def ablation_figure(
    steps: pd.DataFrame, seeds: pd.DataFrame, name: str, level: str, judged: str
) -> str:
    """Draw the change of the AUROC in each step, grouped by kind of step.

    Parameters
    ----------
    steps : pandas.DataFrame
        ``group, step, label, n_features, delta, delta_low, delta_high, repeats`` in the order of
        the lines; limits may be missing. `repeats` marks what ends in an earlier step's signature.
    seeds : pandas.DataFrame
        ``step, delta``: the change of every single fit.
    name : str
        Name of the figure.
    level : str
        Level of the intervals, such as ``95%``.
    judged : str
        Where the change was measured, as ``on the held-out patients``.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    places, headings, height = _lines(steps["group"])
    with figure(9.5, _LINE * height + 1.0) as (drawing, axes):
        axis = axes[0]
        for place, row in zip(places, steps.itertuples(), strict=True):
            single = seeds.loc[seeds["step"] == row.step, "delta"]
            if len(single) > 1:
                axis.plot(
                    single, np.full(len(single), place + 0.24), ".", color=MUTED, markersize=4
                )
            _whisker(axis, row, place, ACCENT, "o", hollow=row.repeats)
            _beside(axis, 1.06, place, count(row.n_features), align="right")
            _beside(
                axis, 1.09, place, interval(row.delta, row.delta_low, row.delta_high, bounds=SIGNED)
            )
        _beside(axis, 1.06, -1.0, "Features", align="right", bold=True)
        _beside(axis, 1.09, -1.0, f"Change ({level} interval)", bold=True)
        _finish(axis, steps["label"], places, headings, height, judged)
        return to_svg(drawing, name)


def ablation_models_figure(
    steps: pd.DataFrame, changes: pd.DataFrame, models: dict[str, str], name: str, judged: str
) -> str:
    """Draw the change of the AUROC in each step for several models, side by side.

    Parameters
    ----------
    steps : pandas.DataFrame
        ``group, step, label`` in the order of the lines.
    changes : pandas.DataFrame
        ``model, step, delta, delta_low, delta_high``.
    models : dict of str to str
        Printed name of each model.
    name : str
        Name of the figure.
    judged : str
        Where the change was measured, as ``on the held-out patients``.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    places, headings, height = _lines(steps["group"])
    tall = _LINE * max(1.0, 0.42 * len(models))
    with figure(9.5, tall * height + 1.1) as (drawing, axes):
        axis = axes[0]
        for order, (model, label) in enumerate(models.items()):
            style = model_style(model, list(models))
            own = changes[changes["model"] == model].set_index("step")
            off = 0.7 * ((order + 0.5) / len(models) - 0.5)
            axis.plot([], [], color=style["color"], marker=style["marker"], label=label)
            for place, step in zip(places, steps["step"], strict=True):
                if step in own.index and pd.notna(own.loc[step, "delta"]):
                    row = own.loc[step]
                    _whisker(axis, row, place + off, style["color"], style["marker"])
        _finish(axis, steps["label"], places, headings, height, judged)
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(models), borderaxespad=0.2)
        return to_svg(drawing, name)


def _lines(groups: pd.Series) -> tuple[list[float], list[tuple[float, str]], float]:
    """Place one line per step below a heading per group; heights count in lines."""
    places, headings, here, last = [], [], 0.0, None
    for group in groups:
        if group != last:
            here += 0.25 if last is not None else 0.0
            headings.append((here, group))
            here += 1.0
            last = group
        places.append(here)
        here += 1.0
    return places, headings, here


def _whisker(
    axis: Axes, row: object, place: float, colour: str, marker: str, *, hollow: bool = False
) -> None:
    """Draw a value with its interval."""
    if pd.notna(row.delta_low) and pd.notna(row.delta_high):
        axis.plot([row.delta_low, row.delta_high], [place, place], color=colour, linewidth=1.8)
    face = "white" if hollow else colour
    axis.plot(row.delta, place, marker, color=colour, markersize=6, markerfacecolor=face)


def _beside(
    axis: Axes, x: float, place: float, text: str, *, align: str = "left", bold: bool = False
) -> None:
    axis.text(
        x,
        place,
        text,
        transform=axis.get_yaxis_transform(),
        ha=align,
        va="center",
        color=INK,
        fontsize=8.5,
        fontweight="bold" if bold else "normal",
    )


def _finish(
    axis: Axes,
    labels: Sequence[str],
    places: list[float],
    headings: list[tuple[float, str]],
    height: float,
    judged: str,
) -> None:
    """Draw the line of no difference, labels and headings."""
    axis.axvline(0, color=MUTED, linewidth=1, linestyle="--")
    axis.set_yticks(places, list(labels), color=INK)
    for place, text in headings:
        _beside(axis, -0.012, place, text, align="right", bold=True)
    axis.set_ylim(height - 0.4, -0.6)
    axis.margins(x=0.06)
    axis.set_xlabel(f"Change of the AUROC {judged}")
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
