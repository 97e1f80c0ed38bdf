"""How every figure looks, and how it becomes SVG that is the same bytes each time.

Text stays text (searchable, editable, read aloud); colours keep apart for the colour-blind and
are helped by line styles and markers, so that a grey print still reads.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.reporting.figures.printing import keep_copies
from pipeline.study.model_families import MODEL_FAMILIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1d2b33"
MUTED = "#5b6b75"
GRID = "#e3e7ea"
ACCENT = "#0b6070"
WARM = "#b4540a"
PALE = "#cfe0e3"

#: Colour, line style and marker of models whose family has none of its own, in order.
_SPARE_STYLES = (
    ("#3f4c55", "--", "P"),
    ("#8a6d00", "-.", "X"),
    ("#00798c", "-", "<"),
)

#: Colour of radiomic and clinical features wherever both appear.
BLOCK_COLOURS = {"radiomics": ACCENT, "clinical": WARM}

_STYLE = {
    # The bundled font comes first, so that a figure is laid out alike on every machine.
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa7af",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "figure.dpi": 72,
    "svg.fonttype": "none",
    "svg.hashsalt": "vertebromics",
    "text.parse_math": False,  # a label such as `cost ($)` is no formula
}


def model_style(model: str, models: Sequence[str]) -> dict:
    """Return the line keywords of `model` among `models`: colour, line style, marker."""
    looks = {name: family.look for name, family in MODEL_FAMILIES.items() if family.look}
    others = [name for name in models if name not in looks]
    if model in looks:
        colour, line, marker = looks[model]
    else:
        colour, line, marker = _SPARE_STYLES[others.index(model) % len(_SPARE_STYLES)]
    return {"color": colour, "linestyle": line, "marker": marker}


@contextmanager
def figure(
    width: float, height: float, rows: int = 1, columns: int = 1, **keywords: object
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Yield a figure of the house style with its axes in reading order.

    Parameters
    ----------
    width, height : float
        Size in inches; 9.5 inches fill the page's column.
    rows, columns : int
        Grid of axes.
    **keywords
        Passed to ``Figure.subplots``.
    """
    # No pyplot: it keeps figures alive and looks for a display.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        drawing = Figure(figsize=(width, height), layout="constrained")
        axes = drawing.subplots(rows, columns, squeeze=False, **keywords)
        yield drawing, list(axes.flat)


def to_svg(drawing: Figure, name: str) -> str:
    """Return `drawing` as an ``<svg>`` element, without date and with ids of its own.

    Parameters
    ----------
    drawing : matplotlib.figure.Figure
        The finished figure.
    name : str
        Name of the figure: a prefix to its ids, since a page holds many figures.
    """
    text = _svg_text(drawing)
    keep_copies(drawing, name)
    text = text[text.index("<svg") :].rstrip()
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = text.replace("url(#", f"url(#{name}-")
    # Text takes the page's font; the size in points goes, so that the page may scale it.
    text = re.sub(r'(<svg [^>]*?)\bwidth="[\d.]+pt"', r"\1", text, count=1)
    return re.sub(r'(<svg [^>]*?)\bheight="[\d.]+pt"', r"\1", text, count=1)


def _svg_text(drawing: Figure) -> str:
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Text stays text: the reader's own fonts draw what the bundled one lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        drawing.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def grid_shape(panels: int, most_columns: int) -> tuple[int, int]:
    """Return rows and columns of a grid for `panels` that leaves few cells empty."""
    columns = min(panels, most_columns)
    rows = -(-panels // columns)
    return rows, -(-panels // rows)


def hide_unused(axes: Sequence[Axes], used: int, columns: int) -> None:
    """Take the axes beyond the first `used` off a grid, and label those that end a column."""
    for above in axes[max(used - columns, 0) : used]:
        above.tick_params(axis="x", labelbottom=True)
    for spare in axes[used:]:
        spare.remove()


def legend_beside(drawing: Figure, axis: Axes, title: str | None = None) -> None:
    """Put a legend at the right of a figure, off its curves, with lines long enough to be told."""
    drawing.legend(
        *axis.get_legend_handles_labels(),
        loc="outside right upper",
        title=title,
        alignment="left",
        handlelength=4.2,
    )
