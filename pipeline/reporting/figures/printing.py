"""Copies of a figure as a journal prints it: SVG, PDF and PNG, one and two columns wide."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Widths of one and of two columns, inches (89 and 183 mm).
WIDTHS = {"one-column": 3.5, "two-columns": 7.2}

#: Smallest letters that a journal prints, points.
LEAST_POINTS = 6.0

DPI = (300, 600)

#: Most that a figure may grow in height where its letters cannot shrink with it.
_MOST_STRETCH = 1.8

#: Least share of their thickness that lines and markers keep.
_THINNEST = 0.6

_COPIES: ContextVar[dict[str, dict[str, bytes]] | None] = ContextVar("copies", default=None)


@contextmanager
def keeping_copies() -> Iterator[dict[str, dict[str, bytes]]]:
    """Yield a mapping that gets the copies of every figure drawn within the block.

    By name of the figure, then by the end of the file's name (``one-column.pdf``).
    """
    made: dict[str, dict[str, bytes]] = {}
    token = _COPIES.set(made)
    try:
        yield made
    finally:
        _COPIES.reset(token)


def keep_copies(drawing: Figure, name: str) -> None:
    """Add the copies of a figure to the mapping of `keeping_copies`, if one is open.

    The figure is laid out again for each width: it is of no use afterwards. One of several panels
    is kept in two columns alone.
    """
    made = _COPIES.get()
    if made is None:
        return
    native = tuple(drawing.get_size_inches())
    sizes = {id(text): text.get_fontsize() for text in _texts(drawing)}
    lines = [(line, line.get_linewidth(), line.get_markersize()) for line in _lines(drawing)]
    made[name] = {}
    # Panels side by side are not readable in one column.
    several = len(drawing.axes) > 1
    # The widest first: what is moved for the narrow copy does not come back.
    for column, width in sorted(WIDTHS.items(), key=lambda each: -each[1]):
        if several and column == "one-column":
            continue
        if column == "one-column":
            native = _legends_below(drawing, native)
        thinner = max(width / native[0], _THINNEST)
        for line, linewidth, marker in lines:
            line.set(linewidth=linewidth * thinner, markersize=marker * thinner)
        _lay_out(drawing, native, width, sizes)
        for end, content in _files(drawing).items():
            made[name][f"{column}{end}"] = content


def _legends_below(drawing: Figure, native: tuple[float, float]) -> tuple[float, float]:
    """Move legends from beside the axes to below them; return the size that the figure then has.

    Beside them, the legend would take most of a column.
    """
    width, height = native
    for legend in list(drawing.legends):
        extent = legend.get_window_extent()
        handles = legend.legend_handles
        labels = [text.get_text() for text in legend.get_texts()]
        title = legend.get_title().get_text()
        legend.remove()
        drawing.legend(
            handles,
            labels,
            title=title,
            loc="outside lower left",
            alignment="left",
            handlelength=4.2,
        )
        width -= extent.width / drawing.dpi
        height += extent.height / drawing.dpi
    return width, height


def _lines(drawing: Figure) -> list:
    from matplotlib.lines import Line2D

    return [line for axis in drawing.axes for line in axis.lines if isinstance(line, Line2D)]


def _texts(drawing: Figure) -> list:
    from matplotlib.text import Text

    return drawing.findobj(Text)


def _lay_out(
    drawing: Figure, native: tuple[float, float], width: float, sizes: dict[int, float]
) -> None:
    """Set a figure to a width: letters shrink with it, but not below `LEAST_POINTS`."""
    scale = width / native[0]
    stretch = 1.0
    for text in _texts(drawing):
        size = sizes.get(id(text), text.get_fontsize())
        shrunk = max(size * scale, min(size, LEAST_POINTS))
        text.set_fontsize(shrunk)
        stretch = max(stretch, shrunk / (size * scale))
    drawing.set_size_inches(width, native[1] * scale * min(stretch, _MOST_STRETCH))


def _files(drawing: Figure) -> dict[str, bytes]:
    """Return a figure's files by the end of their names; fonts are embedded, SVG holds outlines."""
    import matplotlib as mpl

    kinds: dict[str, dict] = {
        ".svg": {"format": "svg", "metadata": {"Date": None, "Creator": None}},
        ".pdf": {"format": "pdf", "metadata": {"CreationDate": None, "Creator": None}},
        **{
            f"-{dpi}dpi.png": {"format": "png", "dpi": dpi, "metadata": {"Software": None}}
            for dpi in DPI
        },
    }
    files = {}
    with mpl.rc_context({"svg.fonttype": "path", "pdf.fonttype": 42}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        warnings.filterwarnings("ignore", "constrained_layout not applied", UserWarning)
        for end, options in kinds.items():
            buffer = io.BytesIO()
            drawing.savefig(buffer, **options)
            files[end] = buffer.getvalue()
    return files
