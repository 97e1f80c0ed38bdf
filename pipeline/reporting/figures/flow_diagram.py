"""The flow of patients as a drawing: boxes downwards, exclusions to the side, the split below."""

from __future__ import annotations

import textwrap
from html import escape

from pipeline.reporting.figures.drawing import INK, MUTED
from pipeline.reporting.wording import plural

_BOX_WIDTH = 330
_SIDE_WIDTH = 400
_GAP = 60
_LINE = 19
_PADDING = 12
_SPACE = 26
_WIDTH = _BOX_WIDTH + _GAP + _SIDE_WIDTH + 4


def flow_diagram(steps: list[dict], parts: list[tuple[str, str]] = ()) -> str:
    """Draw the flow of patients.

    Parameters
    ----------
    steps : list of dict
        ``label, patients, cases, excluded: [{reason, patients, cases}]``, in order; what a step
        excludes leaves before the next step.
    parts : list of (label, detail)
        None, or boxes under the last step: the training and the held-out patients, or all in one.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    drawing: list[str] = []
    y = 2
    middle = 2 + _BOX_WIDTH / 2
    for index, step in enumerate(steps):
        lines = _wrap(step["label"], 42)
        counts = _counts(step)
        height = _height(len(lines) + 1)
        drawing += _box(2, y, _BOX_WIDTH, height, "#ffffff", "#0b6070")
        drawing += _text(14, y, lines, bold=True)
        drawing += _text(14, y + _LINE * len(lines), [counts])
        y += height
        last = index == len(steps) - 1
        if step["excluded"]:
            end = _exclusions(drawing, step["excluded"], y, middle)
        else:
            end = y if last else y + _SPACE
        if not last:
            drawing.append(_arrow(middle, y, middle, end))
        elif parts and end > y:
            drawing.append(_line(middle, y, middle, end))
        y = end
    if parts:
        y = _parts(drawing, parts, y, middle)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {y + 4:g}" xmlns="http://www.w3.org/2000/svg" version="1.1" '
        'font-family="DejaVu Sans, Verdana, Arial, sans-serif" font-size="13">'
        '<defs><marker id="flow-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{MUTED}"/></marker>'
        f"</defs>{''.join(drawing)}</svg>"
    )


def _exclusions(drawing: list[str], excluded: list[dict], y: float, middle: float) -> float:
    """Draw one side box of reasons beside the arrow; return where the next step starts."""
    side = 2 + _BOX_WIDTH + _GAP
    lines: list[tuple[str, str]] = []
    for entry in excluded:
        first, *rest = _wrap(entry["reason"], 52)
        lines += [(first, "bold"), *((line, "bold") for line in rest), (_counts(entry), "")]
    height = _height(len(lines))
    top = y + _SPACE / 2
    drawing += _box(side, top, _SIDE_WIDTH, height, "#fdf6ef", "#b4540a")
    for row, (line, weight) in enumerate(lines):
        drawing += _text(side + 12, top + _LINE * row, [line], bold=bool(weight))
    end = top + height + _SPACE / 2
    branch = top + height / 2
    drawing.append(_line(middle, y, middle, branch))
    drawing.append(_arrow(middle, branch, side, branch))
    return end


def _parts(drawing: list[str], parts: list[tuple[str, str]], y: float, middle: float) -> float:
    """Draw the boxes that the last step splits into."""
    places = [(2, _BOX_WIDTH), (2 + _BOX_WIDTH + _GAP, _SIDE_WIDTH)][: len(parts)]
    wrapped = [(_wrap(label, 44), _wrap(detail, 48)) for label, detail in parts]
    height = _height(max(len(label) + len(detail) for label, detail in wrapped))
    fork, top = y + _SPACE / 2, y + 1.5 * _SPACE
    drawing.append(_line(middle, y, middle, fork))
    for (x, width), (label, detail) in zip(places, wrapped, strict=True):
        centre = x + width / 2
        drawing.append(_line(middle, fork, centre, fork))
        drawing.append(_arrow(centre, fork, centre, top))
        drawing += _box(x, top, width, height, "#eef5f6", "#0b6070")
        drawing += _text(x + 12, top, label, bold=True)
        drawing += _text(x + 12, top + _LINE * len(label), detail)
    return top + height


def _counts(entry: dict) -> str:
    patients = plural(entry["patients"], "patient")
    return f"{patients}, {plural(entry['cases'], 'case')}" if entry.get("cases") else patients


def _wrap(text: str, characters: int) -> list[str]:
    return textwrap.wrap(text, characters) or [""]


def _height(lines: int) -> float:
    return lines * _LINE + 2 * _PADDING - 4


def _box(x: float, y: float, width: float, height: float, fill: str, line: str) -> list[str]:
    return [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4" '
        f'fill="{fill}" stroke="{line}" stroke-width="1.2"/>'
    ]


def _text(x: float, top: float, lines: list[str], *, bold: bool = False) -> list[str]:
    weight = ' font-weight="600"' if bold else ""
    return [
        f'<text x="{x:g}" y="{top + _PADDING + 11 + _LINE * row:g}" fill="{INK}"{weight}>'
        f"{escape(line)}</text>"
        for row, line in enumerate(lines)
    ]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{MUTED}" '
        'stroke-width="1.2"/>'
    )


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return _line(x1, y1, x2, y2).replace("/>", ' marker-end="url(#flow-arrow)"/>')
