"""A regression model as a file: YAML or JSON by one schema, checked as it is read.

A model that is known from a paper alone is written by hand, one that was fitted here by
`write_model`; both are read by the same door, and nothing in a file is executed.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from models.regression.fitting.splines import FEWEST_KNOTS
from models.regression.fitting.terms import Term
from models.regression.publishing.model import Purpose, RegressionModel
from pipeline.core.errors import StudyError
from pipeline.core.files import write_json
from pipeline.core.mode_labels import RIGOROUS
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.schema_validator import schema_validator
from pipeline.core.written.spellings import spelled_twice
from pipeline.core.written.yaml_keys import read_yaml
from pipeline.tables.files.limits import read_bytes

logger = logging.getLogger("vertebromics")

#: Models that papers published, as they come with this package.
PUBLISHED = Path(__file__).parents[1] / "published"

SCHEMA = "vertebromics-regression-model/1"
SCHEMA_FILE = Path(__file__).with_name("model.schema.yaml")

#: How far a covariance may be from symmetric or below zero by rounding in a file.
_ROUNDING = 1e-8


def read_model(path: str | Path) -> RegressionModel:
    """Read a model.

    Parameters
    ----------
    path : path-like
        A .yaml, .yml or .json file that keeps to model.schema.yaml. The name alone of a published
        model that lies in `PUBLISHED`, such as ``rong2025.yaml``, means that one where the working
        directory has no file of this name.

    Raises
    ------
    StudyError
        Telling everything that is wrong with it.
    """
    path = Path(path)
    if path.suffix.lower() not in (".yaml", ".yml", ".json"):
        raise StudyError(
            "A model's file must end in .yaml, .yml or .json",
            found=path.suffix or "no file extension",
            where=str(path),
            remedy="docs/regression.md shows what such a file looks like",
            code="model-file-name",
        )
    if not path.exists() and path.name == str(path) and (PUBLISHED / path).is_file():
        path = PUBLISHED / path
        logger.info("model: the published one of %s", path.name)
    if not path.is_file():
        raise StudyError(
            "The model's file must exist",
            found="a folder" if path.is_dir() else None,
            where=str(path),
            remedy="give the path of the file",
            code="model-file-missing",
        )
    return model_from(_parsed(path), str(path))


def model_from(given: object, where: str) -> RegressionModel:
    """Return the model that parsed YAML or JSON describes; raises as `read_model` does."""
    problems = Problems(f"the model {where}")
    schema = read_yaml(SCHEMA_FILE.read_bytes())
    for error in sorted(schema_validator(schema).iter_errors(given), key=lambda one: one.json_path):
        _tell(error, schema, where, problems)
    problems.raise_if_any()
    _check(given, where, problems)
    problems.raise_if_any()
    terms = tuple(_term(one) for one in given["predictors"])
    of_points = "points" in _kinds(given)
    coefficients = covariance = None
    points = {}
    if of_points:
        points = {one["name"]: _points(one) for one in given["predictors"]}
    else:
        parts = [number for one in given["predictors"] for number in one["coefficients"]]
        coefficients = np.array([given["intercept"], *parts], float)
    if "covariance" in given:
        covariance = np.array(given["covariance"], float)
    reach = given.get("linear_predictor_range")
    return RegressionModel(
        title=given["title"],
        purpose=Purpose(
            given["outcome"],
            given.get("day", ""),
            given.get("population", ""),
            given.get("moment", ""),
        ),
        terms=terms,
        coefficients=coefficients,
        covariance=covariance,
        points=points,
        anchors=tuple((one["points"], one["risk"]) for one in given.get("anchors", ())),
        method=given.get("method", ""),
        mode=given.get("mode", RIGOROUS),
        shrinkage=given.get("shrinkage", 1.0),
        lp_range=tuple(reach) if reach else None,
        worth=tuple(given.get("worth", ())),
        source=given.get("source", ""),
        n=given.get("n"),
        events=given.get("events"),
        updated=given.get("updated"),
    )


def model_facts(model: RegressionModel) -> dict:
    """Return a model as its file holds it; `model_from` gives the same model back."""
    facts = {"schema": SCHEMA, "title": model.title, "outcome": model.purpose.outcome}
    facts |= {name: getattr(model.purpose, name) for name in ("day", "population", "moment")}
    facts |= {"source": model.source, "method": model.method, "mode": model.mode}
    facts |= {"shrinkage": float(model.shrinkage), "n": model.n, "events": model.events}
    facts["missing"] = "refuse"
    at = 1
    predictors = []
    for term in model.terms:
        one = {"name": term.name, "label": term.title, "type": term.kind}
        one |= {"unit": term.unit, "timing": term.timing}
        if term.is_factor:
            one["levels"] = list(term.levels)
            if term.counts:
                one["counts"] = list(term.counts)
        else:
            one |= {"scale": term.scale, "low": term.low, "high": term.high}
            one |= {"values": list(term.values), "knots": list(term.knots)}
        if model.coefficients is None:
            one |= _points_facts(term, model.points[term.name])
        else:
            one["coefficients"] = [float(b) for b in model.coefficients[at : at + term.df]]
        at += term.df
        predictors.append(one)
    if model.coefficients is not None:
        facts["intercept"] = float(model.coefficients[0])
    facts["predictors"] = predictors
    if model.covariance is not None:
        facts["covariance"] = [[float(each) for each in row] for row in model.covariance]
    facts["linear_predictor_range"] = list(model.lp_range) if model.lp_range else None
    if model.anchors:
        facts["anchors"] = [{"points": at, "risk": risk} for at, risk in model.anchors]
    facts["worth"] = [
        {key: _null(value) for key, value in one.items()} for one in map(dict, model.worth)
    ]
    if model.updated is not None:
        facts["updated"] = dict(model.updated)
    return facts


def write_model(model: RegressionModel, path: str | Path) -> None:
    """Write a model as JSON, whole or not at all."""
    write_json(model_facts(model), path)


def _parsed(path: Path) -> object:
    data = read_bytes(path, "model")
    try:
        if path.suffix.lower() == ".json":
            return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_no_key_twice)
        return read_yaml(data)
    except (ValueError, yaml.YAMLError) as error:
        raise StudyError(
            "A model's file must be readable as YAML or JSON",
            found=" ".join(str(error).split()),
            where=str(path),
            remedy="mend the line that is named; docs/regression.md shows such a file",
            code="model-file-unreadable",
        ) from None


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError(f"a key is given twice: {listing(sorted(keys))}")
    return dict(pairs)


def _tell(error: object, schema: Mapping, where: str, problems: Problems) -> None:
    place = ".".join(str(part) for part in error.absolute_path) or "the file"
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        for key in sorted(set(error.instance) - set(known)):
            problems.add(
                "A model's file must only hold keys that are known",
                found=key,
                where=f"{where}, {place}",
                remedy=suggestion(key, known) or f"known: {listing(known, 40)}",
                code="model-file-key-unknown",
            )
        return
    about = error.schema.get("description", "")
    advice = "write 1.0e-5, with a point, for a number with an exponent; text in quotes"
    told = [f"this is {about}"] if about else []
    if error.validator == "type" or not told:
        told.append(advice)
    problems.add(
        "A model's file must keep to its schema (models/regression/publishing/model.schema.yaml)",
        found=error.message,
        where=f"{where}, {place}",
        remedy="; ".join(told),
        code="model-file-breaks-schema",
    )


def _kinds(given: Mapping) -> set[str]:
    """Return whether predictors have coefficients or points."""
    kinds = set()
    for one in given["predictors"]:
        kinds |= {"coefficients"} & set(one)
        kinds |= {"points"} if {"points", "points_per_unit"} & set(one) else set()
    return kinds


def _check(given: Mapping, where: str, problems: Problems) -> None:
    """Note what a schema cannot say."""
    names = [one["name"] for one in given["predictors"]]
    for group in spelled_twice(names) if len(set(names)) == len(names) else [sorted(names)]:
        problems.add(
            "Each predictor must stand in a model once",
            found=listing(group),
            where=where,
            remedy="remove one of them",
            code="model-predictor-repeated",
        )
    kinds = _kinds(given)
    if kinds not in ({"coefficients"}, {"points"}):
        problems.add(
            "Predictors must have coefficients, all of them, or points, all of them",
            found=listing(sorted(kinds)) or "neither",
            where=f"{where}, predictors",
            remedy="write `coefficients` of a model, or `points` and `points_per_unit` of a "
            "nomogram, of every predictor",
            code="model-kinds-mixed",
        )
    if "coefficients" in kinds and "intercept" not in given:
        problems.add(
            "A model with coefficients must have its intercept",
            where=where,
            remedy="write `intercept`, which papers call constant; without it no risk can be "
            "computed: give the points of the paper's nomogram instead",
            code="model-without-intercept",
        )
    sizes = [
        _check_predictor(one, kinds, f"{where}, {one['name']}", problems)
        for one in given["predictors"]
    ]
    if "covariance" in given and not problems:
        _check_covariance(given["covariance"], 1 + sum(sizes), where, problems)
    at = [one["points"] for one in given.get("anchors", ())]
    risks = [one["risk"] for one in given.get("anchors", ())]
    order = np.argsort(at)
    if len(at) > 1 and not (
        (np.diff(np.array(at)[order]) > 0).all() and (np.diff(np.array(risks)[order]) > 0).all()
    ):
        problems.add(
            "Anchors of the risk axis must rise together: more points, more risk",
            found=listing(f"{p:g}: {r:g}" for p, r in zip(at, risks, strict=True)),
            where=f"{where}, anchors",
            remedy="read them off the axis again",
            code="anchors-not-rising",
        )


def _check_predictor(one: Mapping, kinds: set[str], where: str, problems: Problems) -> int:
    """Note what is wrong with one predictor; return its number of columns."""
    factor, levels, knots = one["type"] == "factor", one.get("levels", []), one.get("knots", [])
    own = {"levels", "points", "counts"} if factor else {"low", "high", "values", "knots", "scale"}
    other = (
        {"low", "high", "values", "knots", "scale", "points_per_unit", "zero_at"}
        if factor
        else {"levels", "points", "counts"}
    )
    for key in sorted(set(one) & other - own):
        if one[key] in (None, []) or (key == "scale" and one[key] == 1):
            continue
        problems.add(
            f"A {one['type']} predictor has no `{key}`",
            found=one[key],
            where=where,
            remedy="remove the key, or change `type`",
            code="predictor-key-misplaced",
        )
    if factor and (not levels or len(set(levels)) < len(levels) or spelled_twice(levels)):
        problems.add(
            "A factor must list its levels once each, the reference first",
            found=listing(levels) or "no levels",
            where=where,
            remedy='such as `levels: ["no", "yes"]`, in quotes',
            code="factor-levels-repeated",
        )
    if knots and (len(knots) < FEWEST_KNOTS or (np.diff(knots) <= 0).any()):
        problems.add(
            "Knots of a spline must be three at least, and rise",
            found=listing(knots),
            where=where,
            remedy="write them as the model's report gives them",
            code="spline-knots-not-rising",
        )
    low, high = one.get("low"), one.get("high")
    if low is not None and high is not None and low >= high:
        problems.add(
            "The range seen must rise",
            found=f"{low:g} to {high:g}",
            where=where,
            remedy="write the lowest value under `low`",
            code="range-seen-not-rising",
        )
    size = len(levels) - 1 if factor else max(len(knots) - 1, 1)
    if kinds == {"coefficients"} and len(one.get("coefficients", [])) != size:
        problems.add(
            "A predictor must have a coefficient for each of its columns",
            found=f"{len(one.get('coefficients', []))}, where {size} are due",
            where=where,
            remedy="one of a number; knots less one of a spline; levels less one of a factor",
            code="coefficients-missing",
        )
    if kinds == {"points"}:
        good = (
            set(one.get("points", {})) == set(levels)
            if factor
            else {"points_per_unit", "zero_at"} <= set(one) and not knots
        )
        if not good:
            problems.add(
                "A scale of points must give the points of each level, and of a number "
                "`points_per_unit` and `zero_at`",
                found=listing(one.get("points", {})) or "no points",
                where=where,
                remedy="such as `points: {no: 0, yes: 20}`; or `points_per_unit: 0.95` and "
                "`zero_at: 40`",
                code="points-incomplete",
            )
    return size


def _check_covariance(given: list, size: int, where: str, problems: Problems) -> None:
    shape = {len(given), *map(len, given)}
    matrix = np.array(given, float) if shape == {size} else None
    if matrix is not None and np.allclose(matrix, matrix.T, rtol=1e-6, atol=_ROUNDING):
        lowest = np.linalg.eigvalsh((matrix + matrix.T) / 2).min()
        if lowest >= -_ROUNDING * max(1.0, float(np.abs(matrix).max())):
            return
    problems.add(
        "A covariance must be square, symmetric, and of the intercept and every coefficient",
        found=f"{len(given)} rows, where {size} are due" if shape != {size} else "none such",
        where=f"{where}, covariance",
        remedy="copy the whole matrix, or leave it out: risks then have no interval",
        code="covariance-invalid",
    )


def _term(one: Mapping) -> Term:
    numbers = {key: tuple(map(float, one.get(key, ()))) for key in ("knots", "values")}
    low, high = one.get("low"), one.get("high")
    if numbers["values"] and low is None and high is None:
        low, high = min(numbers["values"]), max(numbers["values"])
    return Term(
        name=one["name"],
        kind=one["type"],
        label=one.get("label", ""),
        unit=one.get("unit"),
        scale=float(one.get("scale", 1.0)),
        timing=one.get("timing"),
        levels=tuple(one.get("levels", ())),
        low=low,
        high=high,
        counts=tuple(one.get("counts", ())),
        **numbers,
    )


def _points(one: Mapping) -> np.ndarray:
    """Return the points at zero or reference, and those of each column."""
    if one["type"] == "factor":
        each = [one["points"][level] for level in one["levels"]]
        return np.array([each[0], *(points - each[0] for points in each[1:])], float)
    per_unit, scale = one["points_per_unit"], one.get("scale", 1.0)
    return np.array([-per_unit * one["zero_at"], per_unit / scale], float)


def _points_facts(term: Term, points: np.ndarray) -> dict:
    if term.is_factor:
        each = [points[0], *(points[0] + points[1:])]
        return {"points": dict(zip(term.levels, map(float, each), strict=True))}
    per_unit = float(points[1]) * term.scale
    if per_unit == 0:
        return {"points_per_unit": 0.0, "zero_at": 0.0}
    return {"points_per_unit": per_unit, "zero_at": float(-points[0] / per_unit)}


def _null(value: object) -> object:
    """Return None for a number that is none, which JSON cannot write."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
