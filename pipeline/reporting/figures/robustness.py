"""Figures of what survives perturbations, alone and beside the readers' agreement."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.reporting.figures.drawing import ACCENT, INK, MUTED, WARM, figure, to_svg

#: Pale colour of what does not reach the limit, as in the figure of the CCC.
_BELOW = "#d9a273"


def robustness_figure(table: pd.DataFrame, threshold: float) -> str:
    """Draw a histogram of the lower limit of the ICC between perturbed extractions.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per feature: ``icc_low``.
    threshold : float
        Limit that is drawn as a line.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    bins = np.linspace(0, 1, 41)
    counts, _ = np.histogram(table["icc_low"].dropna().clip(0, 1), bins=bins)
    colours = np.where(bins[:-1] >= threshold - 1e-9, ACCENT, _BELOW)
    with figure(6.2, 2.4) as (drawing, (axis,)):
        axis.bar((bins[:-1] + bins[1:]) / 2, counts, width=0.023, color=colours)
        axis.axvline(threshold, color=INK, linewidth=1, linestyle="--")
        axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["≤0", "0.25", "0.5", "0.75", "1"])
        axis.set_xlim(-0.01, 1.01)
        axis.set_xlabel("ICC between perturbed extractions, lower limit")
        axis.set_ylabel("Features")
        axis.grid(axis="y")
        return to_svg(drawing, "robustness")


def two_families_figure(table: pd.DataFrame, agreed: float, robust: float) -> str:
    """Draw each feature by the readers' agreement and by its survival of perturbations.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per feature: ``ccc, icc_low, agreed, passes``.
    agreed, robust : float
        Limits that are drawn as lines.

    Returns
    -------
    str
        An ``<svg>`` element, with the number of features in each quarter.
    """
    known = table[table["ccc"].notna() & table["icc_low"].notna()]
    x, y = known["ccc"].clip(0, 1), known["icc_low"].clip(0, 1)
    colours = np.select(
        [known["agreed"] & known["passes"], known["agreed"]], [ACCENT, WARM], default=MUTED
    )
    quarters = (
        (0.99, 0.99, "right", "top", known["agreed"] & known["passes"]),
        (0.99, 0.01, "right", "bottom", known["agreed"] & ~known["passes"]),
        (0.01, 0.99, "left", "top", ~known["agreed"] & known["passes"]),
        (0.01, 0.01, "left", "bottom", ~known["agreed"] & ~known["passes"]),
    )
    with figure(5.6, 4.4) as (drawing, (axis,)):
        axis.scatter(x, y, s=7, c=colours, alpha=0.6, linewidths=0)
        axis.axvline(agreed, color=INK, linewidth=1, linestyle="--")
        axis.axhline(robust, color=INK, linewidth=1, linestyle="--")
        for across, up, horizontal, vertical, which in quarters:
            axis.text(
                across,
                up,
                f"{int(which.sum())}",
                transform=axis.transAxes,
                ha=horizontal,
                va=vertical,
                fontsize=11,
                fontweight="bold",
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
            )
        ticks = [0, 0.25, 0.5, 0.75, 1]
        names = ["≤0", "0.25", "0.5", "0.75", "1"]
        axis.set_xticks(ticks, names)
        axis.set_yticks(ticks, names)
        axis.set_xlim(-0.02, 1.02)
        axis.set_ylim(-0.02, 1.02)
        axis.set_xlabel("CCC between readers")
        axis.set_ylabel("ICC between perturbed extractions, lower limit")
        return to_svg(drawing, "robustness")
