"""Figures of the readers' agreement: overlap of contours, limits of agreement, stable features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.comparison.agreement.bland_altman import BlandAltman
from pipeline.reporting.figures.drawing import (
    ACCENT,
    INK,
    MUTED,
    WARM,
    figure,
    grid_shape,
    hide_unused,
    to_svg,
)
from pipeline.reporting.wording import share

#: Measures of overlap in the order of their panels: column, axis label.
_MEASURES = (
    ("dice", "Dice coefficient (1 = identical)"),
    ("surface_dice", "Surface Dice (1 = identical)"),
    ("hausdorff95_mm", "95% Hausdorff distance, mm"),
    ("mean_surface_distance_mm", "Mean surface distance, mm"),
)
_PAIR_COLOURS = (ACCENT, WARM, "#7a3e9d", "#2f7d32", "#8a6d00", "#3f4c55")
#: From no stable feature to all of them: darker is more stable, on a grey print too.
_STABILITY_COLOURS = ("#fbe3cd", "#e9c39b", "#9cc3c4", "#4e949c", "#0b6070")


def agreement_figure(agreement: pd.DataFrame) -> str:
    """Draw the distribution of each measure of overlap over the cases.

    Parameters
    ----------
    agreement : pandas.DataFrame
        One row per case and pair of readers: ``reader_a, reader_b, dice, surface_dice,
        hausdorff95_mm, mean_surface_distance_mm``.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    pairs = list(agreement.groupby(["reader_a", "reader_b"], sort=True))
    labels = [f"{a} and {b}" for (a, b), _ in pairs]
    colours = [_PAIR_COLOURS[index % len(_PAIR_COLOURS)] for index in range(len(pairs))]
    with figure(9.5, 4.4, 2, 2) as (drawing, axes):
        for axis, (column, label) in zip(axes, _MEASURES, strict=True):
            values = [rows[column].dropna().to_numpy(float) for _, rows in pairs]
            together = np.concatenate(values)
            if together.size:
                axis.hist(
                    values,
                    bins=_bins(together),
                    stacked=True,
                    color=colours,
                    label=labels,
                    edgecolor="white",
                    linewidth=0.6,
                )
                axis.axvline(np.median(together), color=INK, linewidth=1.2, linestyle="--")
            axis.set_xlabel(label)
            axis.yaxis.get_major_locator().set_params(integer=True)
            axis.grid(axis="y")
        for axis in axes[::2]:
            axis.set_ylabel("Cases" if len(pairs) == 1 else "Cases, of each pair")
        if len(pairs) > 1:
            axes[0].legend(loc="upper left")
        return to_svg(drawing, "agreement")


def bland_altman_figure(
    agreement: pd.DataFrame, limits: Mapping[tuple[str, str], tuple[BlandAltman, BlandAltman]]
) -> str:
    """Draw the difference of two readers' volumes against their mean, in ml and in percent.

    Parameters
    ----------
    agreement : pandas.DataFrame
        One row per case and pair of readers: ``reader_a, reader_b, volume_a_ml, volume_b_ml,
        volume_difference_percent``.
    limits : mapping
        By pair of readers: limits of agreement in ml, and in percent of the mean.

    Returns
    -------
    str
        An ``<svg>`` element: a row of panels per pair.
    """
    with figure(9.5, 2.9 * len(limits), len(limits), 2) as (drawing, axes):
        for row, ((a, b), (in_ml, in_percent)) in enumerate(limits.items()):
            cases = agreement[(agreement["reader_a"] == a) & (agreement["reader_b"] == b)]
            mean = (cases["volume_a_ml"] + cases["volume_b_ml"]) / 2
            panels = (
                (cases["volume_b_ml"] - cases["volume_a_ml"], in_ml, "ml"),
                (cases["volume_difference_percent"], in_percent, "% of the mean"),
            )
            for axis, (difference, found, unit) in zip(axes[2 * row :], panels, strict=False):
                _draw_limits(axis, found)
                axis.plot(mean, difference, "o", color=ACCENT, markersize=3.5, alpha=0.75)
                axis.set_xlabel(f"Mean volume of {a} and {b}, ml")
                axis.set_ylabel(f"{b} − {a}, {unit}")
                axis.margins(x=0.06, y=0.12)
        return to_svg(drawing, "bland-altman")


def _draw_limits(axis, found: BlandAltman) -> None:
    """Draw bias and limits as lines across the panel, their intervals as bands."""
    lines = ((found.bias, WARM, "-"), (found.lower, INK, "--"), (found.upper, INK, "--"))
    for estimate, colour, style in lines:
        if np.isfinite(estimate.value):
            axis.axhline(estimate.value, color=colour, linewidth=1.2, linestyle=style)
        if np.isfinite(estimate.low):
            axis.axhspan(estimate.low, estimate.high, color=colour, alpha=0.12, linewidth=0)
    axis.axhline(0, color=MUTED, linewidth=0.6)


def concordance_figure(
    reproducibility: pd.DataFrame, families: pd.DataFrame, threshold: float
) -> str:
    """Draw one histogram of the CCC per image type, in the order of `families`.

    Parameters
    ----------
    reproducibility : pandas.DataFrame
        One row per feature: ``image_type, ccc``.
    families : pandas.DataFrame
        One row per image type, in the order of the panels: ``image_type, features, stable``.
    threshold : float
        CCC that is drawn as a line.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    rows, columns = grid_shape(len(families), 5)
    bins = np.linspace(0, 1, 21)
    centres = (bins[:-1] + bins[1:]) / 2
    size = {"sharex": True, "sharey": True}
    with figure(9.5, 1.55 * rows + 0.35, rows, columns, **size) as (drawing, axes):
        for axis, group in zip(axes, families.itertuples(), strict=False):
            values = reproducibility.loc[reproducibility["image_type"] == group.image_type, "ccc"]
            # What lies below zero is drawn in the first bar: it is as unstable as can be.
            counts, _ = np.histogram(values.dropna().clip(0, 1), bins=bins)
            # A bar belongs to the kept ones where it lies above the threshold as a whole.
            colours = np.where(bins[:-1] >= threshold - 1e-9, ACCENT, "#d9a273")
            axis.bar(centres, counts, width=0.045, color=colours)
            axis.axvline(threshold, color=INK, linewidth=1, linestyle="--")
            axis.set_title(str(group.image_type), fontsize=8.5, pad=12)
            axis.text(
                0,
                1.02,
                f"{group.stable} of {group.features} reach it",
                transform=axis.transAxes,
                fontsize=8,
                color=MUTED,
            )
            axis.set_xticks([0, 0.5, 1], ["≤0", "0.5", "1"])
            axis.set_xlim(-0.01, 1.01)
            axis.grid(axis="y")
        hide_unused(axes, len(families), columns)
        drawing.supxlabel("Concordance correlation coefficient", fontsize=9)
        drawing.supylabel("Features", fontsize=9)
        return to_svg(drawing, "concordance")


def families_figure(families: pd.DataFrame) -> str:
    """Draw the share of stable features per image type and class as a table of colours.

    Parameters
    ----------
    families : pandas.DataFrame
        `reproducibility_families.parquet` (docs/files.md).

    Returns
    -------
    str
        An ``<svg>`` element: image types as rows and classes as columns, both with the least
        stable first, and what is over all of them at the edge.
    """
    from matplotlib.colors import LinearSegmentedColormap

    types, classes = (of_column(families, name) for name in ("image_type", "feature_class"))
    names = [*types["image_type"], None], [*classes["feature_class"], None]
    keys = families[["image_type", "feature_class"]].astype(object)
    keys = keys.where(keys.notna(), None)
    cells = dict(zip(map(tuple, keys.to_numpy()), families.itertuples(), strict=True))
    colours = LinearSegmentedColormap.from_list("stability", _STABILITY_COLOURS)
    rows, columns = len(names[0]), len(names[1])
    with figure(9.5, 0.27 * rows + 0.75) as (drawing, (axis,)):
        for row, image_type in enumerate(names[0]):
            for column, feature_class in enumerate(names[1]):
                cell = cells.get((image_type, feature_class))
                if cell is None:
                    continue
                at_edge = 0.12 * (image_type is None), 0.12 * (feature_class is None)
                corner = column + at_edge[1], row + at_edge[0]
                axis.add_patch(_cell(corner, colours(cell.stable_share)))
                axis.text(
                    corner[0] + 0.5,
                    corner[1] + 0.5,
                    share(cell.stable, cell.features),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if cell.stable_share > 0.6 else INK,
                )
        axis.set_xlim(0, columns + 0.14)
        axis.set_ylim(rows + 0.14, 0)
        # What is over all stands a little apart.
        middle = [np.arange(n) + 0.5 + 0.12 * (np.arange(n) == n - 1) for n in (columns, rows)]
        axis.set_xticks(middle[0], [name or "all" for name in names[1]])
        axis.set_yticks(middle[1], [name or "all" for name in names[0]])
        axis.xaxis.tick_top()
        axis.tick_params(length=0)
        for side in axis.spines.values():
            side.set_visible(False)
        return to_svg(drawing, "families")


def _cell(corner: tuple[float, float], colour: tuple):
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 1, 1, facecolor=colour, edgecolor="white", linewidth=1.2)


def overlap_figure(families: pd.DataFrame) -> str:
    """Draw how each family's deviation goes with the Dice coefficient: rank correlation, interval.

    Parameters
    ----------
    families : pandas.DataFrame
        `reproducibility_families.parquet`; rows without a correlation are left out.

    Returns
    -------
    str
        An ``<svg>`` element: image types at the left, classes at the right, strongest first.
    """
    known = families[families["dice_rho"].notna()]
    parts = [
        of_column(known, name).sort_values("dice_rho") for name in ("image_type", "feature_class")
    ]
    height = 0.24 * max(len(part) for part in parts) + 0.9
    with figure(9.5, height, 1, 2, sharex=True) as (drawing, axes):
        titles = ("By image type", "By feature class")
        for axis, part, title in zip(axes, parts, titles, strict=True):
            at = np.arange(len(part))
            axis.hlines(at, part["dice_rho_low"], part["dice_rho_high"], color=ACCENT)
            axis.plot(part["dice_rho"], at, "o", color=ACCENT, markersize=4)
            axis.axvline(0, color=INK, linewidth=0.8, linestyle="--")
            axis.set_yticks(at, part.iloc[:, 0] if title == titles[0] else part["feature_class"])
            axis.set_ylim(len(part) - 0.4, -0.6)
            axis.set_xlim(-1, 1)
            axis.set_title(title)
            axis.grid(axis="x")
        drawing.supxlabel("Spearman's correlation of deviation and Dice", fontsize=9)
        return to_svg(drawing, "overlap")


def of_column(families: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the families of one kind, the least stable first.

    Parameters
    ----------
    families : pandas.DataFrame
        `reproducibility_families.parquet`.
    column : str
        ``image_type`` or ``feature_class``.
    """
    other = {"image_type": "feature_class", "feature_class": "image_type"}[column]
    rows = families[families[column].notna() & families[other].isna()]
    return rows.sort_values(["stable_share", column], kind="stable", ignore_index=True)


def _bins(values: np.ndarray) -> np.ndarray:
    """Return about twenty bin edges at round numbers that span `values`."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(values.min()), float(values.max())
    if high - low < 1e-9:
        low, high = low - 0.05 * max(abs(low), 1), high + 0.05 * max(abs(high), 1)
    return MaxNLocator(nbins=20).tick_values(low, high)
