"""Figures of the readers' agreement: overlap of contours, concordance of features."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.reporting.figures import (
    ACCENT,
    INK,
    MUTED,
    WARM,
    figure,
    grid_shape,
    hide_unused,
    to_svg,
)

#: Measures of overlap in the order of their panels: column, axis label.
_MEASURES = (
    ("dice", "Dice coefficient (1 = identical)"),
    ("hausdorff95_mm", "95% Hausdorff distance, mm"),
    ("volume_difference_percent", "Volume difference, % of the mean"),
)
_PAIR_COLOURS = (ACCENT, WARM, "#7a3e9d", "#2f7d32", "#8a6d00", "#3f4c55")


def agreement_figure(agreement: pd.DataFrame) -> str:
    """Draw the distribution of each measure of overlap over the cases.

    Parameters
    ----------
    agreement : pandas.DataFrame
        One row per case and pair of readers: ``reader_a, reader_b, dice, hausdorff95_mm,
        volume_difference_percent``.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    pairs = list(agreement.groupby(["reader_a", "reader_b"], sort=True))
    labels = [f"{a} and {b}" for (a, b), _ in pairs]
    colours = [_PAIR_COLOURS[index % len(_PAIR_COLOURS)] for index in range(len(pairs))]
    with figure(9.5, 2.6, 1, len(_MEASURES)) as (drawing, axes):
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
        axes[0].set_ylabel("Cases")
        if len(pairs) > 1:
            axes[0].legend(loc="upper left")
        return to_svg(drawing, "agreement")


def concordance_figure(reproducibility: pd.DataFrame, threshold: float) -> str:
    """Draw one histogram of the CCC per image type, the least concordant type first.

    Parameters
    ----------
    reproducibility : pandas.DataFrame
        One row per feature: ``image_type, ccc``.
    threshold : float
        CCC below which selection drops a feature.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    groups = concordance_by(reproducibility, "image_type", threshold)
    rows, columns = grid_shape(len(groups), 5)
    bins = np.linspace(0, 1, 21)
    centres = (bins[:-1] + bins[1:]) / 2
    size = {"sharex": True, "sharey": True}
    with figure(9.5, 1.55 * rows + 0.35, rows, columns, **size) as (drawing, axes):
        for axis, group in zip(axes, groups.itertuples(), strict=False):
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
                f"{group.kept} of {group.features} kept",
                transform=axis.transAxes,
                fontsize=8,
                color=MUTED,
            )
            axis.set_xticks([0, 0.5, 1], ["≤0", "0.5", "1"])
            axis.set_xlim(-0.01, 1.01)
            axis.grid(axis="y")
        hide_unused(axes, len(groups), columns)
        drawing.supxlabel("Concordance correlation coefficient", fontsize=9)
        drawing.supylabel("Features", fontsize=9)
        return to_svg(drawing, "concordance")


def concordance_by(table: pd.DataFrame, column: str, threshold: float) -> pd.DataFrame:
    """Count the concordant features per value of `column`, the least concordant group first.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per feature: ``ccc`` and `column`.
    column : str
        ``image_type`` or ``feature_class``.
    threshold : float
        CCC from which a feature counts as kept; one without a CCC is not.

    Returns
    -------
    pandas.DataFrame
        ``<column>, features, kept, kept_share, ccc_median, ccc_q1, ccc_q3``.
    """
    rows = []
    for value, group in table.groupby(column, sort=True):
        kept = int((group["ccc"] >= threshold).sum())
        quartiles = group["ccc"].quantile([0.5, 0.25, 0.75])
        rows.append([value, len(group), kept, kept / len(group), *quartiles])
    names = [column, "features", "kept", "kept_share", "ccc_median", "ccc_q1", "ccc_q3"]
    return pd.DataFrame(rows, columns=names).sort_values(
        ["kept_share", column], kind="stable", ignore_index=True
    )


def _bins(values: np.ndarray) -> np.ndarray:
    """Return about twenty bin edges at round numbers that span `values`."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(values.min()), float(values.max())
    if high - low < 1e-9:
        low, high = low - 0.05 * max(abs(low), 1), high + 0.05 * max(abs(high), 1)
    return MaxNLocator(nbins=20).tick_values(low, high)
