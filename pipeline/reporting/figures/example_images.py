"""Figures of example images: panels with letters, outlines of masks and a bar of length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.reporting.figures.drawing import figure, grid_shape, hide_unused, to_svg

WIDTH = 9.5
"""Inches of a figure."""

CONTOUR = "#ffd43b"
BARS = (100, 50, 20, 10, 5)
"""Lengths of the bar, mm: the longest that takes up at most a third of the width."""


class DrawnPanel(NamedTuple):
    """What is drawn of a panel: pixels of 8 bits, outlines, mm of a row and a column, letter."""

    pixels: np.ndarray
    mask: np.ndarray | None
    polygon: tuple[tuple[float, float], ...]
    spacing: tuple[float, float] | None
    letter: str


def example_figure(panels: Sequence[DrawnPanel], columns: int, name: str) -> str:
    """Draw a figure of example images.

    Parameters
    ----------
    panels : sequence of DrawnPanel
        Its panels in order.
    columns : int
        Panels side by side at most.
    name : str
        Name of the figure.

    Returns
    -------
    str
        An ``<svg>`` element, the images in it.
    """
    rows, across = grid_shape(len(panels), columns)
    tallest = max(_height_of(panel) for panel in panels)
    own = WIDTH / across
    with figure(WIDTH, own * min(tallest, 1.6) * rows, rows, across) as (drawing, axes):
        for axis, panel in zip(axes, panels, strict=False):
            _draw(axis, panel)
        hide_unused(axes, len(panels), across)
        return to_svg(drawing, name)


def _height_of(panel: DrawnPanel) -> float:
    """Return the height of a panel as it is drawn, of its width."""
    down, across = panel.spacing or (1.0, 1.0)
    return panel.pixels.shape[0] * down / (panel.pixels.shape[1] * across)


def _draw(axis, panel: DrawnPanel) -> None:
    down, across = panel.spacing or (1.0, 1.0)
    height, width = panel.pixels.shape[0] * down, panel.pixels.shape[1] * across
    # Colours are drawn as they are; a map of greys would round them.
    grey = panel.pixels.ndim == 2
    pixels = np.stack([panel.pixels] * 3, axis=-1) if grey else panel.pixels
    axis.imshow(pixels, extent=(0, width, height, 0), interpolation="none")
    if panel.mask is not None:
        # Along the edges of the pixels: a mask that reaches the picture's edge is closed there.
        padded = np.pad(panel.mask.astype(float), 1)
        axis.contour(
            (np.arange(padded.shape[1]) - 0.5) * across,
            (np.arange(padded.shape[0]) - 0.5) * down,
            padded,
            levels=[0.5],
            colors=[CONTOUR],
            linewidths=1.4,
        )
    if panel.polygon:
        x, y = zip(*panel.polygon, panel.polygon[0], strict=True)
        axis.plot(np.multiply(x, across), np.multiply(y, down), color=CONTOUR, linewidth=1.4)
    axis.set_xlim(0, width)
    axis.set_ylim(height, 0)
    axis.set_axis_off()
    axis.set_anchor("N")
    plate = {
        "boxstyle": "square,pad=0.25",
        "facecolor": "black",
        "edgecolor": "none",
        "alpha": 0.75,
    }
    axis.text(
        *(0.02, 0.98, panel.letter),
        transform=axis.transAxes,
        color="white",
        fontsize=12,
        fontweight="bold",
        ha="left",
        va="top",
        bbox=plate,
    )
    if panel.spacing is not None:
        _draw_bar(axis, width, height, plate)


def _draw_bar(axis, width: float, height: float, plate: dict) -> None:
    length = next((each for each in BARS if each <= width / 3), None)
    if length is None:
        return
    left, at = 0.04 * width, 0.95 * height
    axis.plot([left, left + length], [at, at], color="white", linewidth=3, solid_capstyle="butt")
    axis.text(
        *(left, at - 0.02 * height, f"{length} mm"),
        color="white",
        fontsize=8,
        ha="left",
        va="bottom",
        bbox=plate,
    )
