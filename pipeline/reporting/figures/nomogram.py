"""The nomogram as a figure: axes of points, predictors, total points and risk, to be printed.

Drawn from the numbers that `models.regression` stored; laid out as R's rms does.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from pipeline.reporting.figures.drawing import ACCENT, INK, MUTED, figure, to_svg
from pipeline.reporting.wording import number

logger = logging.getLogger("vertebromics")

#: Share of the width left of the axes, for names; height of a line in inches.
_NAMES, _LINE = 0.30, 0.52

#: Nearest distance of two labels, in characters' widths of the axis, before one moves above.
_CLOSE = 0.016

#: Dots an inch of the picture, enough for print.
DPI = 300


def nomogram_figure(facts: Mapping, title: str, *, png: bool = False) -> str | bytes:
    """Draw a nomogram.

    Parameters
    ----------
    facts : mapping
        What nomogram.json holds.
    title : str
        Heading, which says so where a model leaks.
    png : bool, optional
        Return a PNG of `DPI` dots an inch in place of SVG.

    Returns
    -------
    str or bytes
        An ``<svg>`` element, or the PNG.
    """
    axes_of = facts["axes"]
    lowest = min(0.0, *(min(axis["points"]) for axis in axes_of))
    highest = max(100.0, *(max(axis["points"]) for axis in axes_of))
    lines = len(axes_of) + 2 + bool(facts["risks"])
    with figure(9.5, _LINE * lines + 1.0) as (drawing, (canvas,)):
        canvas.set_xlim(-_NAMES / (1 - _NAMES), 1.02)
        canvas.set_ylim(-lines + 0.35, 0.75)
        canvas.axis("off")
        canvas.set_title(title, loc="left", color=INK)

        def at(points: float) -> float:
            return (points - lowest) / (highest - lowest)

        ticks = _round_ticks(lowest, highest)
        _axis(canvas, 0, "Points", [(at(one), f"{one:g}") for one in ticks], minor=True)
        for line, axis in enumerate(axes_of, 1):
            name = axis["label"] + (f" ({axis['unit']})" if axis["unit"] else "")
            marks = _merged(axis["values"], axis["points"], at)
            _axis(canvas, -line, name, marks, colour=ACCENT)
            _limits(canvas, -line, axis, at)
        total, line = facts["total"], -len(axes_of) - 1
        span = total[-1] - total[0]

        def at_total(points: float) -> float:
            return (points - total[0]) / span

        _axis(
            canvas, line, "Total points", [(at_total(one), f"{one:g}") for one in total], minor=True
        )
        if facts["risks"]:
            marks = [
                (at_total(points), f"{risk:g}")
                for risk, points in zip(facts["risks"], facts["risk_points"], strict=True)
                if total[0] <= points <= total[-1]
            ]
            day = f", {facts['day']}" if facts["day"] else ""
            name = f"Risk of {facts['outcome']}{day}"
            _axis(canvas, line - 1, name, marks, colour=INK)
        if not png:
            return to_svg(drawing, "nomogram")
        buffer = io.BytesIO()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            drawing.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        if any("Glyph" in str(one.message) for one in said):
            logger.warning(
                "nomogram.png: the bundled font lacks signs of the labels and draws boxes in their "
                "place: print nomogram.svg, or write labels in Latin letters"
            )
        return buffer.getvalue()


def odds_figure(coefficients: pd.DataFrame) -> str:
    """Draw the odds ratios with their limits on a logarithmic axis."""
    rows = coefficients[coefficients["odds_ratio"].notna()].reset_index(drop=True)
    places = np.arange(len(rows))
    drawn = rows[np.isfinite(rows["odds_ratio"]) & (rows["odds_ratio"] > 0)]
    finite = drawn[["low", "high"]].to_numpy()
    finite = finite[np.isfinite(finite) & (finite > 0)]
    ends = (
        min(finite.min(initial=0.5), 0.5) / 1.2,
        max(finite.max(initial=2.0), 2.0) * 1.2,
    )
    ends = (max(ends[0], 1e-3), min(ends[1], 1e3))
    with figure(9.5, 0.36 * len(rows) + 0.9) as (drawing, (axis,)):
        for place, row in zip(places, rows.itertuples(), strict=True):
            low, high = np.clip([row.low, row.high], *ends)
            axis.plot([low, high], [place, place], color=ACCENT, linewidth=2)
            axis.plot(np.clip(row.odds_ratio, *ends), place, "o", color=ACCENT, markersize=6)
            text = f"{number(row.odds_ratio)} ({number(row.low)} to {number(row.high)})"
            axis.text(
                1.02, place, text, transform=axis.get_yaxis_transform(), va="center", color=INK
            )
        axis.axvline(1, color=MUTED, linewidth=1, linestyle="--")
        axis.set_xscale("log")
        axis.set_xlim(*ends)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.xaxis.set_minor_formatter(lambda value, _: "")
        axis.set_yticks(places, rows["column"], color=INK)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set_xlabel("Odds ratio")
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x")
        return to_svg(drawing, "odds-ratios")


def _axis(
    canvas: object,
    line: float,
    name: str,
    marks: Sequence[tuple[float, str]],
    *,
    colour: str = INK,
    minor: bool = False,
) -> None:
    """Draw one scale: its name on the left, ticks, and labels that do not run into one another."""
    start = canvas.get_xlim()[0]
    canvas.text(start, line, _wrapped(name), va="center", ha="left", fontsize=9, color=INK)
    if not marks:
        return
    marks = sorted(marks)
    ends = [marks[0][0], marks[-1][0]]
    canvas.plot(ends, [line, line], color=colour, linewidth=1.2, solid_capstyle="butt")
    if minor:
        for left, right in pairwise(marks):
            for part in range(1, 5):
                place = left[0] + (right[0] - left[0]) * part / 5
                canvas.plot([place, place], [line, line - 0.08], color=MUTED, linewidth=0.6)
    reach = {True: -np.inf, False: -np.inf}
    for place, text in marks:
        half = _CLOSE * max(len(text), 1.5) / 2
        # Below the line; above it where a neighbour's label is in the way, and nowhere if both are.
        below = place - half >= reach[True]
        free = below or place - half >= reach[False]
        end = line - 0.16 if below else line + 0.16
        canvas.plot([place, place], [line, end], color=colour, linewidth=0.9)
        if free:
            reach[below] = place + half
            canvas.text(
                place,
                line + (-0.22 if below else 0.22),
                text,
                ha="center",
                va="top" if below else "bottom",
                fontsize=7.8,
                color=INK,
            )


def _limits(canvas: object, line: float, axis: Mapping, at: object) -> None:
    if axis["low"] is None:
        return
    for shift, (low, high) in enumerate(zip(axis["low"], axis["high"], strict=True)):
        place = line + 0.26 + 0.03 * (shift % 3)
        ends = np.clip([at(low), at(high)], 0, 1)
        canvas.plot(ends, [place, place], color=MUTED, linewidth=0.8, alpha=0.7)


def _merged(values: Sequence[str], points: Sequence[float], at: object) -> list[tuple[float, str]]:
    """Return ticks with neighbours of equal points as one, as rms labels them."""
    marks: list[tuple[float, list[str]]] = []
    for value, one in zip(values, points, strict=True):
        if marks and abs(marks[-1][0] - one) < 1e-9:
            marks[-1][1].append(value)
        else:
            marks.append((one, [value]))
    return [
        (at(one), texts[0] if len(texts) == 1 else f"{texts[0]}-{texts[-1]}")
        for one, texts in marks
    ]


def _round_ticks(low: float, high: float) -> list[float]:
    step = 10 if high - low <= 150 else 20 * max(1, round((high - low) / 300))
    first = int(np.ceil(low / step))
    return [float(step * one) for one in range(first, int(np.floor(high / step)) + 1)]


def _wrapped(name: str, width: int = 30) -> str:
    """Return a name on at most two lines."""
    if len(name) <= width:
        return name
    words, lines = name.split(), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width and len(lines) < 3:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
