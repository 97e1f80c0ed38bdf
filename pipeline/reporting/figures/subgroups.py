"""Figure of a model in groups: AUROC and observed over expected events, side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.reporting.figures.drawing import ACCENT, INK, MUTED, figure, to_svg


def subgroups_figure(rows: pd.DataFrame) -> str:
    """Draw AUROC and observed over expected events of each group with their intervals.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``column, group, auroc, auroc_low, auroc_high, oe, oe_low, oe_high``, the first on top.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    places = np.arange(len(rows))
    labels = [f"{row.column}: {row.group}" for row in rows.itertuples()]
    panels = (("auroc", "AUROC", 0.5), ("oe", "Observed over expected events", 1.0))
    with figure(9.5, 0.3 * len(rows) + 1.0, 1, 2, sharey=True) as (drawing, axes):
        for axis, (name, label, reference) in zip(axes, panels, strict=True):
            axis.axvline(reference, color=MUTED, linewidth=1, linestyle="--")
            for place, row in zip(places, rows.to_dict("records"), strict=True):
                low, high = row[f"{name}_low"], row[f"{name}_high"]
                if pd.notna(low) and pd.notna(high):
                    axis.plot([low, high], [place, place], color=ACCENT, linewidth=2)
                axis.plot(row[name], place, "o", color=ACCENT, markersize=6)
            axis.set_xlabel(label)
            axis.spines["left"].set_visible(False)
            axis.tick_params(axis="y", length=0)
            axis.grid(axis="x")
        axes[0].set_yticks(places, labels, color=INK)
        axes[0].set_ylim(len(rows) - 0.4, -0.6)
        _ratio_scale(axes[1], rows)
        # Columns are told apart by a thin line between them.
        for place in np.flatnonzero(rows["column"].ne(rows["column"].shift()).to_numpy())[1:]:
            for axis in axes:
                axis.axhline(place - 0.5, color="#c5cdd2", linewidth=0.6)
        return to_svg(drawing, "subgroups")


def _ratio_scale(axis: object, rows: pd.DataFrame) -> None:
    """Put the ratios on a scale on which a half and a double are as far from 1."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    values = rows[["oe", "oe_low", "oe_high"]].to_numpy(float)
    values = values[np.isfinite(values) & (values > 0)]
    low, high = min(values.min(initial=1.0), 0.8), max(values.max(initial=1.0), 1.25)
    axis.set_xscale("log")
    axis.set_xlim(low / 1.1, high * 1.1)
    scales = ((0.1, 0.2, 0.5, 1, 2, 5, 10), (0.3, 0.5, 0.7, 1, 1.4, 2, 3), (0.8, 0.9, 1, 1.1, 1.25))
    inside = [[tick for tick in ticks if low / 1.1 <= tick <= high * 1.1] for ticks in scales]
    # One tick alone would be no scale: the coarsest with three, the finest has them always.
    ticks = next(found for found in inside if len(found) >= 3)
    axis.xaxis.set_major_locator(FixedLocator(ticks))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
