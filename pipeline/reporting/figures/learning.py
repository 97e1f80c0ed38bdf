"""Figure of a learning curve."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.figures.drawing import (
    ACCENT,
    MUTED,
    WARM,
    figure,
    legend_beside,
    to_svg,
)


def learning_figure(table: pd.DataFrame, means: pd.DataFrame, name: str) -> str:
    """Draw the AUROC over the number of patients learned from.

    Parameters
    ----------
    table : pandas.DataFrame
        ``patients, auroc`` of every repeat and share.
    means : pandas.DataFrame
        ``patients, auroc, auroc_own``, one row a share.
    name : str
        Name of the figure.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    with figure(8.2, 3.8) as (drawing, axes):
        axis = axes[0]
        axis.axhline(0.5, color=MUTED, linewidth=1, linestyle=(0, (1, 3)))
        axis.plot(
            means["patients"], means["auroc_own"], "s--", color=WARM, label="patients learned from"
        )
        axis.plot(means["patients"], means["auroc"], "o-", color=ACCENT, label="other patients")
        axis.plot(table["patients"], table["auroc"], "o", color=ACCENT, alpha=0.3, markersize=3)
        axis.set_xlabel("Patients learned from")
        axis.set_ylabel("AUROC")
        axis.set_ylim(top=1.01)
        axis.grid()
        legend_beside(drawing, axis)
        return to_svg(drawing, name)
