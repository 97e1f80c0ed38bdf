"""Fits, tests, splines, Firth's method, nomograms, ROC and optimism on three more public tables."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import pandas as pd
import pytest

from models.regression.checking.optimism import MEASURES, bootstrap_optimism
from models.regression.checking.roc import roc_table
from models.regression.fitting.logistic import (
    FIRTH,
    ML,
    Fit,
    coefficient_table,
    fit_logistic,
    model_tests,
)
from models.regression.fitting.terms import Term
from models.regression.publishing.model import Purpose, model_of
from models.regression.publishing.nomogram import build_nomogram
from tests.support.regression_cohorts import GOLDEN, YES_NO, endometrial

#: Outcome and predictors of each table. Children after spinal surgery (81, 17 with kyphosis), women
#: tested for diabetes (532), and patients with breast cancer (686).
TABLES = {
    "kyphosis": (
        "kyphosis",
        (
            Term("age", "continuous", n_knots=3),
            Term("number", "continuous"),
            Term("start", "continuous"),
        ),
    ),
    "pima": (
        "diabetes",
        (
            Term("npreg", "continuous"),
            Term("glu", "continuous", n_knots=4),
            Term("bp", "continuous"),
            Term("skin", "continuous"),
            Term("bmi", "continuous", n_knots=5),
            Term("ped", "continuous"),
            Term("age", "continuous"),
        ),
    ),
    "gbsg": (
        "recurred",
        (
            Term("age", "continuous", n_knots=5),
            Term("meno", "factor", levels=YES_NO),
            Term("size", "continuous"),
            Term("grade", "factor", levels=("one", "two", "three")),
            Term("nodes", "continuous", n_knots=3),
            Term("pgr", "continuous"),
            Term("er", "continuous"),
            Term("hormon", "factor", levels=YES_NO),
        ),
    ),
}
NAMES = tuple(TABLES)


@cache
def more() -> dict:
    """Return what R found (tests/golden/regression/make_more.R)."""
    return json.loads((GOLDEN / "more.json").read_text(encoding="utf-8"))


def rows_of(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    rows = pd.read_csv(GOLDEN / f"{name}.csv")
    return rows, rows[TABLES[name][0]].to_numpy(float)


@cache
def fitted(name: str) -> Fit:
    return fit_logistic(*rows_of(name), TABLES[name][1])


def lines_of(name: str) -> tuple[Term, ...]:
    """Return the predictors without their splines."""
    return tuple(Term(each.name, each.kind, levels=each.levels) for each in TABLES[name][1])


def of_r(found: dict) -> list[float]:
    return list(found.values())


@pytest.mark.parametrize("name", NAMES)
def test_coefficients_and_errors_are_those_of_glm(name):
    fit, expected = fitted(name), more()[name]
    assert fit.method == ML
    np.testing.assert_allclose(
        fit.maximum.coefficients, of_r(expected["coefficients"]), rtol=1e-6, atol=1e-9
    )
    errors = np.sqrt(np.diag(fit.maximum.covariance))
    np.testing.assert_allclose(errors, of_r(expected["se"]), rtol=1e-6)
    whole = model_tests(fit)
    chi_square = expected["null_deviance"] - expected["deviance"]
    assert whole["chi_square"] == pytest.approx(chi_square, rel=1e-8)
    assert whole["nagelkerke"] == pytest.approx(expected["r2"], rel=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_knots_and_grouped_wald_tests_are_those_of_rms(name):
    fit, expected = fitted(name), more()[name]
    table = coefficient_table(fit)
    splines = 0
    for term in fit.terms:
        own = table[table["predictor"] == term.name].iloc[0]
        found = own[["wald", "df", "p_value"]].astype(float)
        # rms stops its steps a little earlier than glm does, and takes its P values from 1.
        np.testing.assert_allclose(found, expected["wald"][term.name], rtol=5e-6, atol=1e-15)
        if term.knots:
            np.testing.assert_allclose(term.knots, expected["knots"][term.name], rtol=1e-12)
            splines += 1
    assert splines == len(expected["knots"]) > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_nomogram_is_that_of_rms(name):
    found = build_nomogram(model_of(fitted(name), name, Purpose("event")))
    expected = more()[name]["nomogram"]
    assert [axis.term.name for axis in found.axes] == list(expected["axes"])
    for axis in found.axes:
        theirs = expected["axes"][axis.term.name]
        assert [str(value) for value in axis.values] == [
            str(value if axis.term.is_factor else float(value)) for value in theirs["values"]
        ]
        np.testing.assert_allclose(axis.points, theirs["points"], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(found.total, expected["total"])
    np.testing.assert_allclose(found.lp_points, expected["lp_points"], rtol=1e-6)
    assert found.points_per_lp == pytest.approx(expected["points_per_lp"], rel=1e-6)
    ours = dict(zip(np.round(found.risks, 6), found.risk_points, strict=True))
    both = [
        (ours[round(risk, 6)], points)
        for risk, points in zip(expected["risk"], expected["risk_points"], strict=True)
        if round(risk, 6) in ours
    ]
    assert len(both) >= 7
    np.testing.assert_allclose(*zip(*both, strict=True), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_roc_of_the_model_is_that_of_proc(name):
    rows, outcome = rows_of(name)
    risks = {"model": fitted(name).linear_predictor}
    found, _ = roc_table((), rows, outcome, np.arange(len(rows)), risks, scale="plain")
    row, expected = found.iloc[0], more()[name]["roc"]
    assert row["auc"] == pytest.approx(expected["auc"], rel=1e-9)
    assert row["se"] == pytest.approx(expected["se"], rel=1e-9)
    assert [row["low"], row["high"]] == pytest.approx([expected["ci"][0], expected["ci"][2]])


@pytest.mark.parametrize("name", NAMES)
def test_firth_is_that_of_brglm2_with_profile_limits(name):
    fit = fit_logistic(*rows_of(name), lines_of(name), method="firth")
    assert fit.method == FIRTH
    expected = more()[name]["firth"]
    np.testing.assert_allclose(
        fit.maximum.coefficients, of_r(expected["coefficients"]), rtol=1e-6, atol=1e-9
    )
    errors = np.sqrt(np.diag(fit.maximum.covariance))
    np.testing.assert_allclose(errors, of_r(expected["se"]), rtol=1e-6)
    table = coefficient_table(fit)
    table = table[table["column"].ne("") & table["column"].ne("(intercept)")]
    for limit in ("low", "high"):
        np.testing.assert_allclose(
            np.log(table[limit]), of_r(expected[limit])[1:], rtol=1e-6, atol=1e-8
        )
    np.testing.assert_allclose(table["p_value"], of_r(expected["p"])[1:], rtol=1e-6)


@pytest.mark.parametrize("name", ["endometrial", *NAMES])
def test_firth_is_that_of_a_second_witness(name):
    """firthmodels of PyPI (tests/golden/regression/make_firthmodels.py), which stops at 1e-7."""
    if name == "endometrial":
        fit = fit_logistic(*endometrial())
    else:
        fit = fit_logistic(*rows_of(name), lines_of(name), method="firth")
    table = coefficient_table(fit).set_index("column")
    witness = json.loads((GOLDEN / "firthmodels.json").read_text(encoding="utf-8"))[name]
    assert len(witness) == fit.design.shape[1] - 1
    for column, expected in witness.items():
        row = table.loc[column]
        assert row["b"] == pytest.approx(expected["b"], rel=1e-6, abs=1e-8)
        assert math.log(row["low"]) == pytest.approx(expected["low"], rel=1e-6, abs=1e-7)
        assert math.log(row["high"]) == pytest.approx(expected["high"], rel=1e-6, abs=1e-7)
        assert row["p_value"] == pytest.approx(expected["p"], rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_optimism_is_that_of_r_on_the_same_resamples(name):
    expected = more()[name]["optimism"]
    indices = [np.array(index) for index in expected["indices"]]
    found = bootstrap_optimism(*rows_of(name), lines_of(name), indices=indices).table
    found = found.set_index("measure")
    for measure in MEASURES:
        row = found.loc[measure]
        assert row["apparent"] == pytest.approx(expected["apparent"][measure], rel=1e-6, abs=1e-9)
        assert row["optimism"] == pytest.approx(expected["optimism"][measure], rel=1e-6, abs=1e-9)
