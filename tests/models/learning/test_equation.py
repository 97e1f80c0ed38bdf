"""Equations on natural units give the risks of the fitted model, without any software."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.freeze import freeze
from models.frozen.container import write_members
from models.frozen.equation import equation_of
from models.frozen.model import load_frozen
from models.frozen.natural_units import natural_units
from pipeline.core.files import read_json, read_table
from tests.support.frozen_study import write_frozen_study


@pytest.fixture(scope="module", params=[{"indicators": False}, {"indicators": True}], ids=str)
def study(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return write_frozen_study(folder, ("lr", "svm", "rf"), features=24, imputation=request.param)


def by_hand(equation, row):
    """Return the risk of a patient, as a person with a pocket calculator computes it."""
    total = equation["intercept"]
    for term in equation["terms"]:
        column, equals, level = term["column"].partition("=")
        value = row[f"A:{column}"] if f"A:{column}" in row else row[column]
        missing = value is None or (isinstance(value, float) and math.isnan(value))
        if equals and level == "(missing)":
            value = float(missing)
        elif missing:
            value = term["missing"]
        elif equals:
            value = float(value == level)
        total += term["coefficient"] * value
    return 1 / (1 + math.exp(-total))


@pytest.mark.parametrize("model", ["lr", "svm"])
def test_the_equation_of_a_model_gives_its_stored_risks(study, model):
    equation = read_json(study / "models" / model / "model.json")["equation"]
    stored = read_table(study / "models" / model / "predictions.parquet").query("part == 'test'")
    table = read_table(study / "tables" / "analysis.parquet").set_index("unit_id")
    rows = table.loc[stored["unit_id"]]
    assert rows.isna().to_numpy().any()
    risks = [by_hand(equation, row) for row in rows.to_dict("records")]
    np.testing.assert_allclose(risks, stored["probability"], rtol=0, atol=1e-9)
    assert all(term["coefficient"] for term in equation["terms"])


@pytest.mark.parametrize("model", ["lr", "svm"])
def test_a_frozen_model_has_the_same_equation(study, model, tmp_path):
    write_members(freeze(study, model), tmp_path / "m.vbm")
    frozen = equation_of(load_frozen(tmp_path / "m.vbm").procedure)
    equation = read_json(study / "models" / model / "model.json")["equation"]
    assert frozen.intercept == pytest.approx(equation["intercept"], rel=1e-9)
    for one, other in zip(frozen.terms, equation["terms"], strict=True):
        assert one.column == other["column"]
        assert one.coefficient == pytest.approx(other["coefficient"], rel=1e-9)
        assert one.missing == other["missing"]


def test_a_model_that_is_no_sum_has_none(study, tmp_path):
    assert read_json(study / "models" / "rf" / "model.json")["equation"] is None
    write_members(freeze(study, "rf"), tmp_path / "m.vbm")
    assert equation_of(load_frozen(tmp_path / "m.vbm").procedure) is None


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("svm", {"search": {"iterations": 1, "spaces": {"svm": {"kernel": ["rbf"]}}}}),
        ("lr", {"mode": "as_published", "evaluation": {"threshold_rule": "fixed"}}),
        ("lr", {"selection": {"ccc": {"threshold": 1.0}, "clinical": {"p": 1e-30}}}),
    ],
)
def test_neither_a_radial_kernel_nor_the_published_order_has_one(family, options, tmp_path):
    study = write_frozen_study(tmp_path, (family,), features=16, **options)
    assert read_json(study / "models" / family / "model.json")["equation"] is None


def test_other_columns_decide_where_imputation_is_iterative(tmp_path):
    options = {"imputation": {"method": "iterative"}}
    study = write_frozen_study(tmp_path, ("lr",), features=16, **options)
    equation = read_json(study / "models" / "lr" / "model.json")["equation"]
    numbers = [term for term in equation["terms"] if "=" not in term["column"]]
    assert numbers
    assert all(term["missing"] is None for term in numbers)


numbers = st.floats(-1e3, 1e3)


@given(st.lists(st.tuples(numbers, numbers, numbers, st.floats(0.01, 100)), min_size=1), numbers)
def test_natural_units_give_the_same_sum(columns, intercept):
    x, weights, center, scale = map(np.array, zip(*columns, strict=True))
    constant = np.arange(len(x)) % 3 == 2
    scaled = np.where(constant, 0.0, (x - center) / scale)
    found, coefficients = natural_units(intercept, weights, center, scale, constant)
    size = 1 + abs(intercept) + np.abs(weights / scale) @ (np.abs(x) + np.abs(center))
    assert found + coefficients @ x == pytest.approx(intercept + weights @ scaled, abs=1e-12 * size)


def test_the_report_prints_it(study):
    from types import SimpleNamespace

    from pipeline.reporting.sections.prediction.equations import equation_tables

    info = read_json(study / "models" / "lr" / "model.json")
    other = read_json(study / "models" / "rf" / "model.json")
    models = {"lr": SimpleNamespace(info=info), "rf": SimpleNamespace(info=other)}
    labels = pd.DataFrame({"column": ["age", "sex"], "label": ["Age", "Sex"]})
    results = SimpleNamespace(
        modelling=SimpleNamespace(models=models, info={"predictors": labels.to_dict("records")}),
        study=SimpleNamespace(dictionary=labels),
    )
    (table,) = equation_tables(results)
    assert table.name == "equation-lr"
    assert table.shown["Predictor"].iloc[0] == "(intercept)"
    assert "Age" in list(table.shown["Predictor"])
    assert table.raw["coefficient"].iloc[0] == info["equation"]["intercept"]
    assert float(table.shown["Coefficient"].iloc[1]) == pytest.approx(
        info["equation"]["terms"][0]["coefficient"], rel=1e-5
    )
