"""Figures of clinical columns: every column by group, and their correlations as a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.reporting.figures.drawing import INK, figure, to_svg
from pipeline.reporting.figures.outcomes import COLOURS, SHADES

ACROSS = 4
"""Panels in a row."""

LONGEST = 26
"""Letters of a label, above which it is cut; the tables have it whole."""


def short(label: str) -> str:
    """Return a label of at most `LONGEST` letters."""
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"


def columns_by_group(
    table: pd.DataFrame,
    groups: Sequence[str],
    labels: Mapping[str, str],
    levels: Mapping[str, Sequence[str]],
    name: str,
) -> str:
    """Draw every column by group: boxes with every unit of numbers, stacked shares of levels.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per unit: ``group`` (null: none) and the columns.
    groups : sequence of str
        Groups in their order.
    labels : mapping
        Label of each column.
    levels : mapping
        Levels of each column that has any; all others are numbers.
    name : str
        Name of the figure.
    """
    columns = [column for column in table.columns if column != "group"]
    rows = -(-len(columns) // ACROSS)
    rng = np.random.default_rng(0)  # moves points sideways only
    with figure(9.5, 2.5 * rows, rows=rows, columns=ACROSS) as (drawing, axes):
        for axis, column in zip(axes, columns, strict=False):
            samples = [table.loc[table["group"] == group, column].dropna() for group in groups]
            axis.set_title(short(labels[column]), fontsize=8.5)
            if column in levels:
                _stacked(axis, samples, levels[column])
                axis.set_xticks(range(len(groups)), [short(group) for group in groups])
                continue
            for at, sample in enumerate(samples):
                aside = at + 1 + rng.uniform(-0.16, 0.16, len(sample))
                axis.plot(aside, sample, ".", color=COLOURS[at % 6], alpha=0.3, markersize=3)
            axis.boxplot(
                [sample.to_numpy(dtype=float) for sample in samples],
                widths=0.55,
                showfliers=False,
                medianprops={"color": INK, "linewidth": 1.8},
                boxprops={"color": INK},
            )
            axis.set_xticks(range(1, len(groups) + 1), [short(group) for group in groups])
            axis.grid(axis="y")
        for axis in axes[len(columns) :]:
            axis.set_axis_off()
        return to_svg(drawing, name)


def _stacked(axis: object, samples: Sequence[pd.Series], levels: Sequence[str]) -> None:
    base = np.zeros(len(samples))
    step = max(len(SHADES) // len(levels), 1)
    for at, level in enumerate(levels):
        share = [100 * (sample == level).mean() if len(sample) else 0.0 for sample in samples]
        colour = SHADES[min(at * step, len(SHADES) - 1)]
        axis.bar(range(len(samples)), share, 0.62, bottom=base, color=colour, label=short(level))
        base += share
    axis.set_ylim(0, 100)
    axis.set_ylabel("%")
    axis.legend(fontsize=6.5, loc="lower center", ncols=2, frameon=True, framealpha=0.85)


def heat_map(found: pd.DataFrame, labels: Mapping[str, str], name: str) -> str:
    """Draw correlations as a square of colours, with their values where there is room.

    Parameters
    ----------
    found : pandas.DataFrame
        ``first, second, r``, each pair once.
    labels : mapping
        Label of each column; the outcome, if it is there, comes last.
    name : str
        Name of the figure.
    """
    columns = list(dict.fromkeys([*found["first"], *found["second"]]))
    size = len(columns)
    square = pd.DataFrame(np.eye(size), index=columns, columns=columns)
    for row in found.itertuples():
        square.loc[row.first, row.second] = square.loc[row.second, row.first] = row.r
    with figure(min(2.8 + 0.36 * size, 9.5), min(2.0 + 0.32 * size, 9.0)) as (drawing, (axis,)):
        image = axis.pcolormesh(
            square.to_numpy(dtype=float), cmap="RdBu_r", vmin=-1, vmax=1, edgecolors="white"
        )
        places, names = np.arange(size) + 0.5, [short(labels[column]) for column in columns]
        axis.set_xticks(places, names, rotation=60, ha="right", fontsize=7)
        axis.set_yticks(places, names, fontsize=7)
        axis.invert_yaxis()
        axis.set_aspect("equal")
        if size <= 24:
            for at, line in enumerate(square.to_numpy(dtype=float)):
                for column, value in enumerate(line):
                    if at == column or np.isnan(value):
                        continue
                    ink = "white" if abs(value) > 0.6 else INK
                    text = f"{value:.2f}".replace("0.", ".", 1)
                    axis.text(
                        column + 0.5, at + 0.5, text,
                        ha="center", va="center", fontsize=5.5, color=ink,
                    )  # fmt: skip
        drawing.colorbar(image, ax=axis, label="Pearson's correlation", shrink=0.7)
        return to_svg(drawing, name)
