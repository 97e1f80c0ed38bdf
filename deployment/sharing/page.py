"""Pages of shared results: one hospital's release, and several put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from deployment.sharing.counts import GROUPS, KNOWN
from deployment.sharing.suppression import ALL
from pipeline.core.pages import page_templates

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"

SIDE = 260
"""Side of a drawing, in pixels."""

METRICS = {
    "auroc": "AUROC",
    "oe_ratio": "observed / expected events",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration-in-the-large",
    "brier": "Brier score",
}


def release_page(facts: Mapping) -> str:
    """Return the page of a release."""
    template = page_templates(TEMPLATES).get_template("release.html.j2")
    tables = {name: each for name, each in facts["counts"].items() if name not in ("flow", "units")}
    return template.render(
        head=f"Results to share: {facts['outcome']}, {facts['site']}",
        facts=facts,
        flow=[(cell["value"], count_text(cell)) for cell in _cells(facts, "flow")],
        units=_by_group(facts["counts"]["units"]),
        columns=[(each["title"], rows) for each in tables.values() if (rows := _inner(each))],
        groups=(*GROUPS, ALL),
        metrics=METRICS,
        number=number_text,
        drawings=drawings(facts["performance"]) if facts["performance"] else [],
    )


def combined_page(
    facts: Sequence[Mapping], sites: pd.DataFrame, pooled: pd.DataFrame, note: str
) -> str:
    """Return the page of several hospitals' results put together."""
    template = page_templates(TEMPLATES).get_template("combined.html.j2")
    wide = [
        (label, sites[sites["metric"] == metric].to_dict("records"), METRICS[metric])
        for metric, label in pooled[["metric", "label"]].itertuples(index=False)
    ]
    return template.render(
        head=f"Several hospitals: {facts[0]['outcome']}",
        facts=facts,
        wide=wide,
        pooled=pooled.to_dict("records"),
        number=number_text,
        note=note,
    )


def count_text(cell: Mapping) -> str:
    """Return a count, or what can be known of a hidden one."""
    if cell["count"] is not None:
        return str(cell["count"])
    high = "any" if cell["high"] is None else f"{cell['high']:.0f}"
    return f"hidden ({cell['low']:.0f} to {high})"


def number_text(value: float | None) -> str:
    """Return a figure as text; a dash where there is none."""
    return "–" if value is None or pd.isna(value) else f"{value:.3g}"


def _cells(facts: Mapping, name: str) -> list[Mapping]:
    return facts["counts"].get(name, {"cells": []})["cells"]


def _by_group(table: Mapping) -> list[tuple[str, list[str]]]:
    """Return a table of counts as rows: value, and the text of each group."""
    rows: dict[str, dict[str, str]] = {}
    for cell in table["cells"]:
        rows.setdefault(cell["value"], {})[cell["group"]] = count_text(cell)
    return [(value, [own[group] for group in (*GROUPS, ALL)]) for value, own in rows.items()]


def _inner(table: Mapping) -> list[tuple[str, list[str]]]:
    """Return a predictor's rows without the sum, which all share; none where all are known."""
    rows = [row for row in _by_group(table) if row[0] != ALL]
    return [] if [value for value, _ in rows] == [KNOWN] else rows


def drawings(performance: Mapping) -> list[tuple[str, Markup]]:
    """Return ROC curve, calibration and decision curve of groups of risk as SVG.

    Parameters
    ----------
    performance : mapping
        ``performance`` of a release.
    """
    curves, groups = performance["curves"], performance["groups"]
    roc = [(0.0, 0.0)]
    roc += [(1 - row["specificity"], row["sensitivity"]) for row in reversed(curves)]
    roc.append((1.0, 1.0))
    observed = [(row["mean_risk"], row["events"] / row["units"]) for row in groups]
    share = performance["events"] / performance["units"]
    top = max(share, *(row["net_benefit"] for row in curves), 0.05) if curves else max(share, 0.05)
    benefit = [(row["threshold"], max(row["net_benefit"], 0.0) / top) for row in curves]
    every = [(row["threshold"], max(row["net_benefit_all"], 0.0) / top) for row in curves]
    return [
        (
            "ROC curve of groups of risk (x: 1 - specificity, y: sensitivity)",
            _svg([(roc, "line"), (roc[1:-1], "dots")], diagonal=True),
        ),
        (
            "Calibration of groups of risk (x: mean predicted risk, y: observed share)",
            _svg([(observed, "dots"), (observed, "line")], diagonal=True),
        ),
        (
            f"Net benefit at the limits of groups (x: threshold, y: 0 to {top:.2f}; grey: all "
            "are treated)",
            _svg([(every, "grey"), (benefit, "line"), (benefit, "dots")]),
        ),
    ]


def _svg(shapes: Sequence[tuple[Sequence[tuple[float, float]], str]], *, diagonal=False) -> Markup:
    """Return points of the unit square as a drawing."""

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return 10 + point[0] * (SIDE - 20), SIDE - 10 - point[1] * (SIDE - 20)

    parts = [
        f'<svg viewBox="0 0 {SIDE} {SIDE}" width="{SIDE}" height="{SIDE}" role="img">',
        f'<rect x="10" y="10" width="{SIDE - 20}" height="{SIDE - 20}" fill="none" stroke="#999"/>',
    ]
    if diagonal:
        (a, b), (c, d) = place((0, 0)), place((1, 1))
        line = f'<line x1="{a}" y1="{b}" x2="{c}" y2="{d}" stroke="#bbb" stroke-dasharray="4"/>'
        parts.append(line)
    for points, kind in shapes:
        spots = [place(point) for point in points]
        if kind == "dots":
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1a5276"/>' for x, y in spots]
            continue
        colour = "#999" if kind == "grey" else "#1a5276"
        parts += [
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            'stroke-width="2"/>'
            for (x1, y1), (x2, y2) in pairwise(spots)
        ]
    return Markup("".join([*parts, "</svg>"]))
