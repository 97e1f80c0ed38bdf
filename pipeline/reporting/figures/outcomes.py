"""Figures of outcomes: a scale by group and time, its bands, treated levels, events over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.reporting.figures.drawing import ACCENT, INK, PALE, WARM, figure, to_svg

COLOURS = (ACCENT, WARM, "#2f7d32", "#7a3e9d", "#8a6d00", "#b0174b")
SHADES = ("#dbe9ec", "#9cc3cb", "#4f94a1", "#0b6070", "#073d47", "#02191d")


def scale_by_group(
    values: Mapping[str, Sequence[np.ndarray]],
    groups: Sequence[str],
    label: str,
    span: tuple[float, float],
    name: str,
    by: str = "",
) -> str:
    """Draw boxes with every patient's value: a panel a time, the change in the last one.

    Parameters
    ----------
    values : mapping of str to sequence of numpy.ndarray
        Panel -> the values of each group; the last panel is the change.
    groups : sequence of str
        Labels of the groups.
    label : str
        Scale with unit, for the axis.
    span : tuple of float
        Ends of the scale.
    name : str
        Name of the figure.
    by : str, optional
        What makes the groups, in words, below the panels.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    rng = np.random.default_rng(0)  # moves points sideways only
    with figure(2.3 * len(values) + 1.2, 3.3, columns=len(values)) as (drawing, axes):
        for axis, (panel, samples) in zip(axes, values.items(), strict=True):
            known = [sample[~np.isnan(sample)] for sample in samples]
            for at, sample in enumerate(known):
                aside = at + 1 + rng.uniform(-0.16, 0.16, len(sample))
                axis.plot(aside, sample, ".", color=COLOURS[at % 6], alpha=0.3, markersize=3)
            axis.boxplot(
                known,
                widths=0.55,
                showfliers=False,
                medianprops={"color": INK, "linewidth": 1.8},
                boxprops={"color": INK},
            )
            axis.set_xticks(range(1, len(groups) + 1), [*groups], rotation=0)
            axis.set_title(panel)
            axis.grid(axis="y")
            if panel != list(values)[-1]:
                room = 0.04 * (span[1] - span[0])
                axis.set_ylim(span[0] - room, span[1] + room)
        axes[0].set_ylabel(label)
        axes[-1].axhline(0, color=INK, linewidth=0.8, linestyle="--")
        _below(drawing, by)
        return to_svg(drawing, name)


def stacked_bands(shares: Mapping[str, pd.DataFrame], label: str, name: str, by: str = "") -> str:
    """Draw the share of patients in each band of a scale: a panel a time, a bar a group.

    Parameters
    ----------
    shares : mapping of str to pandas.DataFrame
        Panel -> shares (0 to 1), a row a group and a column a band.
    label : str
        Scale, for the title of the legend.
    name : str
        Name of the figure.
    by : str, optional
        What makes the groups, in words, below the panels.
    """
    with figure(2.3 * len(shares) + 2.2, 3.0, columns=len(shares), sharey=True) as (drawing, axes):
        for axis, (panel, table) in zip(axes, shares.items(), strict=True):
            base = np.zeros(len(table))
            step = max(len(SHADES) // table.shape[1], 1)
            for at, band in enumerate(table.columns):
                height = 100 * table[band].to_numpy(dtype=float)
                colour = SHADES[min(at * step, len(SHADES) - 1)]
                axis.bar(range(len(table)), height, 0.62, bottom=base, color=colour, label=band)
                base += height
            axis.set_xticks(range(len(table)), [*table.index])
            axis.set_title(panel)
        axes[0].set_ylabel("Patients, %")
        handles, names = axes[0].get_legend_handles_labels()
        drawing.legend(handles[::-1], names[::-1], loc="outside right center", title=label)
        _below(drawing, by)
        return to_svg(drawing, name)


def bars_of_levels(counts: pd.DataFrame, name: str) -> str:
    """Draw how often each level was treated (and broke anew), from head to foot.

    Parameters
    ----------
    counts : pandas.DataFrame
        A row a level, a column a kind of count.
    name : str
        Name of the figure.
    """
    with figure(max(0.42 * len(counts) + 1.5, 4), 2.8) as (drawing, (axis,)):
        width = 0.8 / counts.shape[1]
        for at, kind in enumerate(counts.columns):
            place = np.arange(len(counts)) + (at - (counts.shape[1] - 1) / 2) * width
            bars = axis.bar(
                place, counts[kind], width, color=(ACCENT, WARM, PALE)[at % 3], label=kind
            )
            axis.bar_label(bars, fontsize=7)
        axis.set_xticks(range(len(counts)), [*counts.index])
        axis.set_ylabel("Vertebrae")
        axis.legend()
        return to_svg(drawing, name)


def incidence_curves(curves: pd.DataFrame, label: str, unit: str, name: str) -> str:
    """Draw the share of patients with an event over time, with limits, a step line a group."""
    drawn = curves[curves["group"].notna()] if curves["group"].notna().any() else curves
    groups = list(dict.fromkeys(drawn["group"].fillna("all patients")))
    with figure(6.0, 3.2) as (drawing, (axis,)):
        for at, group in enumerate(groups):
            of = drawn[drawn["group"].fillna("all patients") == group]
            colour = COLOURS[at % 6]
            time = np.r_[0, of["time"].to_numpy(dtype=float)]
            share, low, high = (
                100 * np.r_[0, of[each].to_numpy(dtype=float)]
                for each in ("incidence", "low", "high")
            )
            line = ("-", "--", "-.", ":")[at % 4]
            axis.step(time, share, where="post", color=colour, linestyle=line, label=group)
            axis.fill_between(time, low, high, step="post", color=colour, alpha=0.13, linewidth=0)
        axis.set_xlabel(f"Time since operation, {unit}")
        axis.set_ylabel(f"{label}, %")
        axis.set_ylim(bottom=0)
        axis.grid(axis="y")
        axis.legend()
        return to_svg(drawing, name)


def _below(drawing: object, by: str) -> None:
    """Say below all panels what the groups are groups of."""
    if by:
        drawing.supxlabel(by, fontsize=9, color=INK)
