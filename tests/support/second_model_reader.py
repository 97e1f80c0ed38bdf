"""A second reader of a model's file, written from model.schema.yaml alone: risks of single rows.

It knows nothing of the project's own reader. A row is a mapping of column to value as a table holds
it; None, NaN, an empty text or an unknown level gives no risk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import yaml


def read(path: Path) -> dict:
    """Return a model's file as it stands."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def risk(model: Mapping, row: Mapping) -> float | None:
    """Return the risk of one row, None where a predictor is missing."""
    total = 0.0
    for predictor in model["predictors"]:
        effect = effect_of(predictor, row.get(predictor["name"]))
        if effect is None:
            return None
        total += effect
    if "coefficients" not in model["predictors"][0]:
        return logistic(logit_of_points(model["anchors"], total))
    return logistic(model["intercept"] + total)


def effect_of(predictor: Mapping, value: object) -> float | None:
    """Return what one predictor adds: to the logit, or to the points."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if predictor["type"] == "factor":
        if value not in predictor["levels"]:
            return None
        if "points" in predictor:
            return predictor["points"][value]
        return [0.0, *predictor["coefficients"]][predictor["levels"].index(value)]
    if "points_per_unit" in predictor:
        return predictor["points_per_unit"] * (float(value) - predictor["zero_at"])
    x = float(value) * predictor.get("scale", 1.0)
    columns = [x, *spline_columns(x, predictor.get("knots") or ())]
    return sum(b * column for b, column in zip(predictor["coefficients"], columns, strict=True))


def spline_columns(x: float, knots: list) -> list[float]:
    """Return the columns of a restricted cubic spline behind x itself."""
    if not knots:
        return []
    *inner, before, last = knots
    width = (last - knots[0]) ** (2 / 3)

    def cube(t: float) -> float:
        return (max(x - t, 0.0) / width) ** 3

    gap = last - before
    return [cube(t) + (cube(last) * (before - t) - cube(before) * (last - t)) / gap for t in inner]


def logit_of_points(anchors: list, total: float) -> float:
    """Return the logit on the straight line through the anchors (least squares)."""
    at = [anchor["points"] for anchor in anchors]
    logits = [math.log(anchor["risk"] / (1 - anchor["risk"])) for anchor in anchors]
    middle, height = sum(at) / len(at), sum(logits) / len(logits)
    rise = sum((x - middle) * (y - height) for x, y in zip(at, logits, strict=True))
    return height + (total - middle) * rise / sum((x - middle) ** 2 for x in at)


def logistic(logit: float) -> float:
    """Return the risk of a logit."""
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0
