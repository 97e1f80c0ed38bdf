"""Figures of the signature: correlations of its columns, principal components around mRMR."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.reporting.figures.drawing import ACCENT, INK, MUTED, WARM, figure, to_svg
from pipeline.reporting.wording import SIGNED, number, share

#: Columns up to which each cell of the heat map bears its number.
_WRITTEN = 16


def correlation_figure(square: pd.DataFrame, labels: Sequence[str]) -> str:
    """Draw the correlations of the signature's columns as a heat map, below its diagonal.

    Parameters
    ----------
    square : pandas.DataFrame
        Correlations, shape (n_columns, n_columns).
    labels : sequence of str
        How each column is written.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    size = len(square)
    colours = LinearSegmentedColormap.from_list("house", [WARM, "#f7f7f5", ACCENT])
    lines = [f"{label}  {at}" for at, label in enumerate(labels, start=1)]
    cell = min(0.42, 6.0 / size)
    with figure(9.5, max(cell * size, 1.2) + 0.9) as (drawing, axes):
        axis = axes[0]
        for row in range(size):
            for column in range(row):
                rho = square.iat[row, column]
                known = np.isfinite(rho)
                colour = colours((rho + 1) / 2) if known else "#ffffff"
                axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour))
                if size <= _WRITTEN:
                    ink = "#ffffff" if known and abs(rho) > 0.6 else INK
                    text = number(rho, 2, SIGNED)
                    axis.text(column, row, text, ha="center", va="center", fontsize=7, color=ink)
        axis.set_xlim(-0.5, size - 1.5 + 0.02)
        axis.set_ylim(size - 0.5, 0.5)
        axis.set_xticks(range(size - 1), range(1, size), fontsize=8)
        axis.set_yticks(range(1, size), [_short(line) for line in lines[1:]], fontsize=8, color=INK)
        axis.set_xlabel(f"1: {_short(labels[0])}", fontsize=8, loc="left")
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        scale = drawing.colorbar(_mapping(colours), ax=axis, shrink=0.8, aspect=18, pad=0.02)
        scale.set_label("Spearman's correlation", fontsize=8)
        scale.outline.set_visible(False)
        return to_svg(drawing, "signature-correlations")


def _mapping(colours: object) -> object:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(-1, 1), colours)


def _short(line: str) -> str:
    return "\n".join(textwrap.wrap(line, 62)[:2])


def components_figure(components: pd.DataFrame, scores: pd.DataFrame) -> str:
    """Draw the variance of each component, and the rows on the first two, around mRMR.

    Parameters
    ----------
    components : pandas.DataFrame
        ``stage, component, share``.
    scores : pandas.DataFrame
        ``stage, outcome, first, second``.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    stages = list(dict.fromkeys(components["stage"]))
    looks = dict(zip(stages, ((MUTED, -0.2), (ACCENT, 0.2)), strict=False))
    with figure(9.5, 3.3, 1, 1 + len(stages)) as (drawing, axes):
        first = axes[0]
        for stage in stages:
            own = components[components["stage"] == stage]
            colour, beside = looks[stage]
            hatch = "" if colour == ACCENT else "////"
            places = own["component"] + (beside if len(stages) > 1 else 0)
            first.bar(
                places, own["share"], 0.38, label=stage, facecolor=colour, edgecolor="#ffffff",
                hatch=hatch, linewidth=0.4,
            )  # fmt: skip
        first.set_title("Variance per component")
        first.set_xlabel("Component")
        first.yaxis.set_major_formatter(FuncFormatter(lambda value, _: share(value, 1)))
        first.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        first.xaxis.set_major_locator(MaxNLocator(integer=True))
        first.legend(loc="upper right")
        for axis, stage in zip(axes[1:], stages, strict=True):
            own = scores[scores["stage"] == stage]
            shares = components.loc[components["stage"] == stage, "share"].to_list()
            for outcome, label, colour, marker in (
                (0, "no event", ACCENT, "o"),
                (1, "event", WARM, "^"),
            ):
                rows = own[own["outcome"] == outcome]
                axis.scatter(
                    rows["first"], rows["second"], s=14, marker=marker, label=label,
                    facecolor="none", edgecolor=colour, linewidth=0.8, alpha=0.8,
                )  # fmt: skip
            axis.set_title(f"{stage[:1].upper()}{stage[1:]}")
            axis.set_xlabel(f"Component 1 ({share(shares[0], 1)})")
            axis.set_ylabel(f"Component 2 ({share(shares[1], 1)})" if len(shares) > 1 else "")
        drawing.legend(*axes[1].get_legend_handles_labels(), loc="outside upper right", ncols=2)
        return to_svg(drawing, "components")
