"""Fits, tests, splines, Firth's method and nomograms equal those of R on public tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit

from models.regression.checking.collinearity import variance_inflation
from models.regression.fitting.firth import flac
from models.regression.fitting.logistic import (
    FIRTH,
    ML,
    coefficient_table,
    fit_logistic,
    model_tests,
)
from models.regression.fitting.newton import maximise
from models.regression.fitting.splines import default_knots, spline_basis
from models.regression.publishing.model import Purpose, model_of
from models.regression.publishing.nomogram import build_nomogram
from models.regression.publishing.ticks import pretty
from pipeline.core.errors import FitError
from tests.support.refusals import refusal
from tests.support.regression_cohorts import birth_fit, endometrial, golden

TIGHT = {"rtol": 1e-6, "atol": 1e-9}


def of_r(found: dict) -> list[float]:
    return [found[key] for key in found]


@pytest.mark.parametrize("name", ["linear", "splines"])
def test_coefficients_and_errors_are_those_of_glm(name):
    fit, expected = birth_fit(name), golden()[name]
    assert fit.method == ML
    np.testing.assert_allclose(fit.maximum.coefficients, of_r(expected["coefficients"]), **TIGHT)
    errors = np.sqrt(np.diag(fit.maximum.covariance))
    np.testing.assert_allclose(errors, of_r(expected["se"]), **TIGHT)
    whole = model_tests(fit)
    assert whole["chi_square"] == pytest.approx(
        expected["null_deviance"] - expected["deviance"], rel=1e-8
    )
    assert whole["nagelkerke"] == pytest.approx(expected["r2"], rel=1e-7)


@pytest.mark.parametrize("name", ["linear", "splines"])
def test_grouped_wald_tests_are_those_of_anova(name):
    fit = birth_fit(name)
    table = coefficient_table(fit)
    checked = 0
    for term in fit.terms:
        own = table[table["predictor"] == term.name].iloc[0]
        expected = golden()[name]["wald"][term.name]
        found = own[["wald", "df", "p_value"]].astype(float)
        np.testing.assert_allclose(found, expected, rtol=2e-6)
        checked += term.df > 1
    assert checked == {"linear": 1, "splines": 3}[name]


def test_odds_ratios_have_wald_limits():
    table = coefficient_table(birth_fit()).set_index("column")
    row = table.loc["smoke=yes"]
    assert row["odds_ratio"] == pytest.approx(math.exp(row["b"]))
    half = 1.959963984540054 * row["se"]
    assert row["low"] == pytest.approx(math.exp(row["b"] - half))
    assert row["high"] == pytest.approx(math.exp(row["b"] + half))
    assert table.loc["(intercept)", ["odds_ratio", "low", "high"]].isna().all()


@pytest.mark.parametrize("at", range(20))
def test_knots_are_harrells(at):
    case = golden()["knots"][at]
    values = np.array(case["values"])
    if not case["knots"] or len(np.unique(values)) - 2 <= case["n"]:
        with refusal("spline-too-few-values", FitError):
            default_knots(values, case["n"])
        return
    if len(case["knots"]) < 3:
        pytest.fail("R returned too few knots")
    np.testing.assert_allclose(default_knots(values, case["n"]), case["knots"], rtol=1e-12)


def test_spline_columns_are_those_of_hmisc():
    case = golden()["basis"]
    found = spline_basis(np.array(case["x"]), tuple(case["knots"]))
    np.testing.assert_allclose(found, case["columns"], rtol=1e-12, atol=1e-12)


def test_ticks_are_those_of_pretty():
    assert len(golden()["pretty"]) > 60
    for case in golden()["pretty"]:
        found = pretty(*case["range"])
        np.testing.assert_allclose(found, case["ticks"], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", ["linear", "splines"])
def test_the_nomogram_is_that_of_rms(name):
    model = model_of(birth_fit(name), "births", Purpose("low weight"))
    found, expected = build_nomogram(model), golden()[name]["nomogram"]
    assert [axis.term.name for axis in found.axes] == list(expected["axes"])
    for axis in found.axes:
        theirs = expected["axes"][axis.term.name]
        assert [str(value) for value in axis.values] == [
            str(value if axis.term.is_factor else float(value)) for value in theirs["values"]
        ]
        np.testing.assert_allclose(axis.points, theirs["points"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.total, expected["total"])
    np.testing.assert_allclose(found.lp, expected["lp"], atol=1e-12)
    np.testing.assert_allclose(found.lp_points, expected["lp_points"], rtol=1e-6)
    assert found.points_per_lp == pytest.approx(expected["points_per_lp"], rel=1e-6)
    where = dict(zip(np.round(expected["risk"], 6), expected["risk_points"], strict=True))
    marked = [one for one in found.risks if round(one, 6) in where]
    assert len(marked) >= 8
    ours = dict(zip(found.risks, found.risk_points, strict=True))
    for risk in marked:
        assert ours[risk] == pytest.approx(where[round(risk, 6)], rel=1e-6)


def test_variance_inflation_is_that_of_car():
    table = variance_inflation(birth_fit()).set_index("predictor")
    for name, row in table.iterrows():
        of_lm, of_glm = golden()["vif"]["lm"][name], golden()["vif"]["glm"][name]
        np.testing.assert_allclose(row[["vif", "df", "vif_per_df"]].astype(float), of_lm, rtol=1e-7)
        assert row["vif_of_fit"] == pytest.approx(of_glm[0], rel=1e-6)


def test_firth_is_that_of_brglm2_with_profile_limits():
    rows, outcome, terms = endometrial()
    fit, expected = fit_logistic(rows, outcome, terms), golden()["firth"]
    assert (fit.method, fit.separation.kind) == (FIRTH, "quasi-complete")
    assert fit.separation.columns == ("NV",)
    np.testing.assert_allclose(fit.maximum.coefficients, of_r(expected["coefficients"]), rtol=1e-6)
    errors = np.sqrt(np.diag(fit.maximum.covariance))
    np.testing.assert_allclose(errors, of_r(expected["se"]), rtol=1e-6)
    table = coefficient_table(fit).set_index("column")
    for name in ("NV", "PI", "EH"):
        assert math.log(table.loc[name, "low"]) == pytest.approx(expected["low"][name], rel=1e-6)
        assert math.log(table.loc[name, "high"]) == pytest.approx(expected["high"][name], rel=1e-6)
        assert table.loc[name, "p_value"] == pytest.approx(expected["p"][name], rel=1e-6)
    assert fit.risk_coefficients[0] == pytest.approx(expected["flic_intercept"], rel=1e-7)


def test_risks_after_firth_sum_to_the_events():
    rows, outcome, terms = endometrial()
    for risks in ("flic", "flac"):
        fit = fit_logistic(rows, outcome, terms, method="firth", risks=risks)
        assert expit(fit.linear_predictor).sum() == pytest.approx(outcome.sum(), abs=1e-6)
    plain = maximise(fit.design, outcome, firth=True)
    assert abs(expit(fit.design @ plain.coefficients).sum() - outcome.sum()) > 0.1
    assert np.abs(flac(fit.design, outcome).coefficients - plain.coefficients).max() > 1e-3


def test_a_group_is_tested_by_the_penalised_likelihood():
    from models.regression.fitting.firth import penalised_test

    rows, outcome, terms = endometrial()
    fit = fit_logistic(rows, outcome, terms)
    statistic, _ = penalised_test(fit.design, outcome, fit.maximum, [1, 2])
    assert statistic == pytest.approx(golden()["firth"]["group"], rel=1e-6)
