"""Files of models: what is refused, with every mistake told, and what a second reader needs."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pandas as pd
import pytest
import yaml

from models.regression.fitting.logistic import fit_logistic
from models.regression.fitting.terms import Term
from models.regression.publishing.model import Purpose, model_of
from models.regression.publishing.model_file import model_facts, model_from, read_model, write_model
from models.regression.publishing.nomogram import build_nomogram
from pipeline.core.errors import StudyError
from tests.models.regression.test_published import PUBLISHED
from tests.support.refusals import refusal
from tests.support.regression_cohorts import SIMULATED_TERMS, simulated

GOOD = {
    "schema": "vertebromics-regression-model/1",
    "title": "A model",
    "outcome": "pain",
    "intercept": -1.5,
    "predictors": [
        {"name": "age", "type": "continuous", "low": 40, "high": 90, "coefficients": [0.03]},
        {"name": "grade", "type": "factor", "levels": ["0", "1", "2"], "coefficients": [0.5, 1]},
    ],
    "covariance": np.diag([1.0, 0.001, 0.1, 0.1]).tolist(),
}
POINTS = {
    **{key: GOOD[key] for key in ("schema", "title", "outcome")},
    "predictors": [
        {"name": "age", "type": "continuous", "points_per_unit": 2, "zero_at": 40},
        {"name": "sign", "type": "factor", "levels": ["no", "yes"], "points": {"no": 0, "yes": 9}},
    ],
}


def changed(good: dict, at: str, value: object) -> dict:
    """Return a copy with a value set (or a key removed, for None) at a path such as `a.0.b`."""
    model = copy.deepcopy(good)
    *path, last = [int(part) if part.isdigit() else part for part in at.split(".")]
    place = model
    for part in path:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return model


WRONG = {
    "key": (GOOD, "intercpt", -1, "A model's file must only hold keys that are known"),
    "type": (GOOD, "intercept", "1e-5", "A model's file must keep to its schema"),
    "twice": (GOOD, "predictors.1.name", "age", "Each predictor must stand in a model once"),
    "mixed": (
        *(POINTS, "predictors.0.coefficients", [0.1]),
        "Predictors must have coefficients, all of them, or points, all of them",
    ),
    "intercept": (GOOD, "intercept", None, "A model with coefficients must have its intercept"),
    "columns": (
        *(GOOD, "predictors.1.coefficients", [0.5]),
        "A predictor must have a coefficient for each of its columns",
    ),
    "kind": (GOOD, "predictors.0.levels", ["a", "b"], "A continuous predictor has no `levels`"),
    "levels": (
        *(GOOD, "predictors.1.levels", ["0", "1", "1"]),
        "A factor must list its levels once each, the reference first",
    ),
    "knots": (
        *(GOOD, "predictors.0.knots", [50, 70, 60]),
        "Knots of a spline must be three at least, and rise",
    ),
    "range": (GOOD, "predictors.0.high", 30, "The range seen must rise"),
    "points": (
        *(POINTS, "predictors.1.points", {"no": 0, "maybe": 3}),
        "A scale of points must give the points of each level, and of a number",
    ),
    "covariance": (
        *(GOOD, "covariance", np.diag([1.0, -0.1, 0.1, 0.1]).tolist()),
        "A covariance must be square, symmetric, and of the intercept and every coefficient",
    ),
    "anchors": (
        *(POINTS, "anchors", [{"points": 10, "risk": 0.5}, {"points": 20, "risk": 0.2}]),
        "Anchors of the risk axis must rise together: more points, more risk",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_model_is_told(name):
    good, at, value, rule = WRONG[name]
    model_from(copy.deepcopy(good), "good.yaml")
    with pytest.raises(StudyError) as error:
        model_from(changed(good, at, value), "own.yaml")
    assert rule in str(error.value)
    assert "own.yaml" in str(error.value)


def test_a_covariance_of_another_size_is_told():
    wrong = changed(GOOD, "covariance", [[1.0, 0.0], [0.0, 1.0]])
    with refusal("covariance-invalid", StudyError, match="2 rows, where 4 are due"):
        model_from(wrong, "own.yaml")


def test_files_that_are_none_are_told(tmp_path):
    for name, content, rule in (
        ("model.txt", "a", "A model's file must end in .yaml, .yml or .json"),
        ("gone.yaml", None, "The model's file must exist"),
        ("bad.yaml", "title: [1, 2", "A model's file must be readable as YAML or JSON"),
        ("bad.json", '{"title": ', "A model's file must be readable as YAML or JSON"),
        ("twice.json", '{"title": 1, "title": 2}', "a key is given twice"),
        ("list.yaml", "- 1", "A model's file must keep to its schema"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_text(content, encoding="utf-8")
        with pytest.raises(StudyError) as error:
            read_model(path)
        assert rule in str(error.value)


def test_yaml_and_json_of_one_model_are_one_model(tmp_path):
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(GOOD), encoding="utf-8")
    (tmp_path / "model.json").write_text(json.dumps(GOOD), encoding="utf-8")
    facts = [model_facts(read_model(tmp_path / name)) for name in ("model.yaml", "model.json")]
    assert facts[0] == facts[1]


@pytest.mark.parametrize("name", ["rong2025", "rong2025_points", "li2021"])
def test_published_models_survive_being_written(name, tmp_path):
    model = read_model(PUBLISHED / f"{name}.yaml")
    write_model(model, tmp_path / "again.json")
    assert model_facts(read_model(tmp_path / "again.json")) == model_facts(model)


def test_a_nomogram_needs_ranges_and_effects():
    with refusal("nomogram-without-range", StudyError):
        build_nomogram(model_from(changed(GOOD, "predictors.0.low", None), "own.yaml"))
    nothing = changed(GOOD, "predictors.0.coefficients", [0.0])
    nothing = changed(nothing, "predictors.1.coefficients", [0.0, 0.0])
    with refusal("nomogram-without-effect", StudyError):
        build_nomogram(model_from(nothing, "own.yaml"))


def test_a_table_needs_the_columns_of_the_model():
    model = model_from(GOOD, "own.yaml")
    with refusal("model-columns-missing", StudyError, match="no column grade"):
        model.risk(pd.DataFrame({"age": [70.0]}))
    unknown = pd.DataFrame({"age": [70.0], "grade": ["7"]})
    with refusal("level-unknown-to-model", StudyError):
        model.risk(unknown)
    missing = pd.DataFrame({"age": [70.0, np.nan], "grade": [None, "1"]})
    assert np.isnan(model.risk(missing)).all()


def second_reader(facts: dict, row: dict) -> float:
    """Compute a risk as the schema's descriptions say, without this project's code."""
    total = facts["intercept"]
    for one in facts["predictors"]:
        value = row[one["name"]]
        if value is None:
            return math.nan
        if one["type"] == "factor":
            columns = [float(value == level) for level in one["levels"][1:]]
        else:
            x, t = value * one.get("scale", 1), one.get("knots", [])
            columns = [x]
            for j in range(len(t) - 2):
                cubes = [(max(x - each, 0) / (t[-1] - t[0]) ** (2 / 3)) ** 3 for each in t]
                tail = cubes[-1] * (t[-2] - t[j]) - cubes[-2] * (t[-1] - t[j])
                columns.append(cubes[j] + tail / (t[-1] - t[-2]))
        total += sum(b * column for b, column in zip(one["coefficients"], columns, strict=True))
    return 1 / (1 + math.exp(-total))


def test_a_second_reader_written_from_the_schema_gives_the_same_risks():
    rows, outcome = simulated(300)
    rows["rate"] = np.round(50 + 20 * rows["noise"], 1)
    terms = (
        *SIMULATED_TERMS[1:3],
        Term("age", "continuous", n_knots=5),
        Term("rate", "continuous", unit="%", scale=0.01),
    )
    model = model_of(fit_logistic(rows, outcome, terms), "A model", Purpose("pain"))
    facts = json.loads(json.dumps(model_facts(model)))
    given = rows.astype(object)
    given.loc[0, "age"] = None
    found = [second_reader(facts, row) for row in given.to_dict("records")]
    expected = model.risk(given.assign(age=given["age"].astype(float)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert math.isnan(found[0])
