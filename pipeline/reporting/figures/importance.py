"""The figure of what the models rely on: their most important features, by several measures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.reporting.figures.drawing import (
    BLOCK_COLOURS,
    INK,
    figure,
    grid_shape,
    hide_unused,
    to_svg,
)

#: Measures drawn as marks over the bars: column of the table, and marker. The caption names them;
#: a key would cover bars.
MARKS = {"permutation": "o", "shap": "D"}


def importance_figure(importance: dict[str, pd.DataFrame], labels: dict[str, str]) -> str:
    """Draw each model's most important features, best first, and other measures over them.

    Parameters
    ----------
    importance : dict of str to pandas.DataFrame
        Per model the rows to draw, already cut to the top: ``feature, block, importance`` (the
        bars) and, where a measure differs from the bars, its share in a column ``permutation`` or
        ``shap`` (the marks); null or absent otherwise.
    labels : dict of str to str
        Name of each model as printed.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    from matplotlib.ticker import MaxNLocator

    rows, columns = grid_shape(len(importance), 2)
    most = max(len(table) for table in importance.values())
    with figure(9.5, rows * (0.215 * most + 0.75), rows, columns) as (drawing, axes):
        for axis, (model, table) in zip(axes, importance.items(), strict=False):
            places = np.arange(len(table))
            colours = [BLOCK_COLOURS[block] for block in table["block"]]
            axis.barh(places, table["importance"], height=0.64, color=colours)
            for measure, marker in MARKS.items():
                if measure in table and table[measure].notna().any():
                    axis.plot(
                        table[measure],
                        places,
                        marker,
                        markersize=4,
                        markerfacecolor="white",
                        markeredgecolor=INK,
                    )
            axis.set_yticks(places, table["feature"], fontsize=7.5, color=INK)
            axis.set_ylim(most - 0.4, -0.6)
            # Flush right, over the names too: a narrow panel has no room for a long title.
            axis.set_title(labels[model], loc="right")
            axis.set_xlim(left=min(0, axis.get_xlim()[0]))
            axis.spines["left"].set_visible(False)
            axis.tick_params(axis="y", length=0)
            axis.grid(axis="x")
            axis.xaxis.set_major_locator(MaxNLocator(4))
        hide_unused(axes, len(importance), columns)
        return to_svg(drawing, "importance")
