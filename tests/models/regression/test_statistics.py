"""Optimism and ROC against R, screening inside the bootstrap, properties of fits and points."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from models.regression.analysis import Options, regress
from models.regression.checking.diagnostics import influence, linearity
from models.regression.checking.optimism import MEASURES, bootstrap_optimism
from models.regression.checking.roc import roc_table
from models.regression.cohort import Cohort
from models.regression.fitting.firth import recentred_intercept
from models.regression.fitting.logistic import fit_logistic
from models.regression.fitting.newton import maximise, maximise_unless_extreme
from models.regression.fitting.separation import find_separation, is_separated
from models.regression.fitting.splines import default_knots
from models.regression.fitting.terms import Term, design_matrix
from models.regression.publishing.model import Purpose, model_of, shrunken
from models.regression.publishing.nomogram import build_nomogram, points_of, points_table
from models.regression.publishing.ticks import pretty
from models.regression.tables import checked
from pipeline.core.errors import FitError, ProgramError, StudyError
from pipeline.tables.schemas.regression import REGRESSION
from tests.support.refusals import refusal
from tests.support.regression_cohorts import (
    GOLDEN,
    OF_LINEAR,
    SIMULATED_TERMS,
    birth_fit,
    births,
    endometrial,
    golden,
    simulated,
)


def test_optimism_is_that_of_r_on_the_same_resamples():
    rows, outcome = births()
    terms = [term for term in OF_LINEAR if term.name not in ("ht", "ftv")]
    expected = golden()["optimism"]
    indices = [np.array(index) for index in expected["indices"]]
    found = bootstrap_optimism(rows, outcome, terms, indices=indices).table.set_index("measure")
    for name in MEASURES:
        row = found.loc[name]
        assert row["apparent"] == pytest.approx(expected["apparent"][name], rel=1e-6, abs=1e-9)
        assert row["optimism"] == pytest.approx(expected["optimism"][name], rel=1e-6)
        assert row["corrected"] == pytest.approx(row["apparent"] - row["optimism"])


def test_roc_of_factors_is_that_of_proc():
    table = pd.read_csv(GOLDEN / "asah.csv")
    outcome = (table["outcome"] == "poor").to_numpy(float)
    terms = [Term(name, "continuous") for name in golden()["roc"]]
    who = np.arange(len(table))
    found, markers = roc_table(terms, table, outcome, who, {}, scale="plain")
    for row, marker in zip(found.itertuples(), markers, strict=True):
        expected = golden()["roc"][row.what]
        assert row.auc == pytest.approx(expected["auc"], rel=1e-9)
        assert row.se == pytest.approx(expected["se"], rel=1e-9)
        assert row.low == pytest.approx(expected["ci"][0], rel=1e-9)
        assert row.high == pytest.approx(expected["ci"][2], rel=1e-9)
        assert row.sensitivity == pytest.approx(expected["sensitivity"])
        assert row.specificity == pytest.approx(expected["specificity"])
        # pROC's cut lies half way below the value from which a row is called an event.
        values = table[row.what].to_numpy(float)
        below = values[values < expected["threshold"]].max()
        assert below < expected["threshold"] < marker.cut


def test_a_lower_value_may_go_with_the_event():
    rows, outcome = simulated()
    rows = rows.assign(youth=-rows["age"])
    both = [Term("age", "continuous"), Term("youth", "continuous")]
    found, _ = roc_table(both, rows, outcome, np.arange(len(rows)), {})
    assert found["direction"].tolist() == ["higher", "lower"]
    assert found.loc[0, "auc"] == pytest.approx(found.loc[1, "auc"])
    np.testing.assert_allclose(
        found.loc[0, ["sensitivity", "specificity"]].astype(float),
        found.loc[1, ["sensitivity", "specificity"]].astype(float),
    )


def test_screening_is_repeated_in_every_resample():
    rows, outcome = simulated(200, effect=0.0)
    rng = np.random.default_rng(1)
    names = [f"x{at}" for at in range(12)]
    rows = rows.assign(**{name: rng.normal(size=len(rows)) for name in names})
    terms = [Term(name, "continuous") for name in names]
    chosen = [
        term
        for term in terms
        if abs(np.corrcoef(rows[term.name], outcome)[0, 1]) * math.sqrt(200) > 1.28
    ]
    inside = bootstrap_optimism(rows, outcome, terms, threshold=0.2, resamples=150)
    outside = bootstrap_optimism(rows, outcome, chosen, resamples=150)
    corrected = [
        one.table.set_index("measure").loc["c_index", "corrected"] for one in (inside, outside)
    ]
    # Of noise: the whole procedure shows it, the fit of the chosen ones alone does not.
    assert corrected[0] < 0.58 < corrected[1] + 0.03
    assert corrected[0] < corrected[1] - 0.02
    assert set(inside.chosen) == set(names)
    assert outside.chosen == {}


def cohort_of(rows: pd.DataFrame, outcome: np.ndarray, terms: tuple[Term, ...]) -> Cohort:
    who = np.arange(len(rows))
    return Cohort(rows, outcome, who, terms, {}, rows, outcome, who)


def test_noise_leaves_no_rigorous_model():
    rng = np.random.default_rng(8)
    rows = pd.DataFrame({f"x{at}": rng.normal(size=60) for at in range(12)})
    outcome = (np.arange(60) % 3 == 0).astype(float)
    terms = tuple(Term(name, "continuous") for name in rows)
    rng.shuffle(outcome)
    with refusal("shrinkage-leaves-nothing", StudyError):
        regress(cohort_of(rows, outcome, terms), "t", Purpose("y"), Options(resamples=100))


def test_equal_values_make_no_spline():
    values = np.r_[np.arange(1, 11), np.full(180, 50), np.arange(60, 70)]
    with refusal("spline-knots-coincide", FitError):
        default_knots(values, 3)


def test_separation_is_found_and_named():
    design = np.column_stack([np.ones(8), [0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 4, 1, 2, 3, 4]])
    complete = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    found = find_separation(design.astype(float), complete, ["a", "b"])
    assert (found.kind, found.columns[0]) == ("complete", "a")
    partial = np.array([0, 1, 0, 0, 1, 1, 1, 1])
    found = find_separation(design.astype(float), partial, ["a", "b"])
    assert found.kind == "quasi-complete"
    assert "a" in found.columns
    mixed = np.array([0, 1, 0, 1, 1, 0, 1, 0])
    assert find_separation(design.astype(float), mixed, ["a", "b"]).kind == "none"


def test_shrinkage_keeps_the_mean_risk_and_one_changes_nothing():
    rows, outcome = simulated()
    fit = fit_logistic(rows, outcome, SIMULATED_TERMS)
    coefficients, covariance = shrunken(fit, 0.8)
    np.testing.assert_allclose(coefficients[1:], 0.8 * fit.risk_coefficients[1:])
    assert expit(fit.design @ coefficients).mean() == pytest.approx(outcome.mean())
    np.testing.assert_allclose(covariance[1:, 1:], 0.64 * fit.risk_covariance[1:, 1:])
    same, same_covariance = shrunken(fit, 1.0)
    np.testing.assert_allclose(same, fit.risk_coefficients, atol=1e-9)
    np.testing.assert_allclose(same_covariance, fit.risk_covariance, rtol=1e-7, atol=1e-10)


def test_own_steps_end_where_statsmodels_does():
    fit = birth_fit("splines")
    own = maximise(fit.design, fit.outcome)
    np.testing.assert_allclose(own.coefficients, fit.maximum.coefficients, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(own.covariance, fit.maximum.covariance, rtol=1e-5, atol=1e-9)


def test_steps_to_infinity_end_where_they_are_seen():
    fit = birth_fit()
    own = maximise_unless_extreme(fit.design, fit.outcome, 1e-6)
    np.testing.assert_array_equal(own.coefficients, maximise(fit.design, fit.outcome).coefficients)
    rows, outcome, terms = endometrial()
    design = design_matrix(terms, rows)
    assert is_separated(design, outcome)
    assert maximise_unless_extreme(design, outcome, 1e-6) is None
    # A rare level without separation: its risk is near to 0, and the maximum is not far.
    rare = np.column_stack([np.ones(2002), np.r_[np.ones(1001), np.zeros(1001)]])
    few = np.r_[np.zeros(1000), 1, np.zeros(500), np.ones(501)]
    assert maximise_unless_extreme(rare, few, 0.01) is None
    assert maximise_unless_extreme(rare, few, 1e-6) is not None
    assert not is_separated(rare, few)


def test_a_bend_is_seen_and_a_moving_row_is_listed():
    rng = np.random.default_rng(2)
    rows = pd.DataFrame({"x": rng.uniform(-3, 3, 400), "z": rng.normal(size=400)})
    outcome = (rng.random(400) < expit(rows["x"] ** 2 - 3)).astype(float)
    terms = [Term("x", "continuous"), Term("z", "continuous")]
    found = linearity(fit_logistic(rows, outcome, terms), rows).set_index("predictor")
    assert found.loc["x", "p_value"] < 1e-6 < found.loc["z", "p_value"]
    assert (found["df"] == 2).all()
    rows.loc[7, "z"], outcome[7] = 15.0, 1 - float(outcome[rows["z"] > 1].mean() > 0.5)
    fit = fit_logistic(rows, outcome, terms)
    assert influence(fit, rows).iloc[0]["row"] == 7


@pytest.fixture(scope="module")
def model():
    rows, outcome = simulated()
    terms = (Term("age", "continuous", n_knots=3), *SIMULATED_TERMS[1:])
    return model_of(fit_logistic(rows, outcome, terms), "m", Purpose("pain"))


@settings(max_examples=40)
@given(
    age=st.floats(20, 110),
    grade=st.sampled_from(["0-1", "2", "3-4"]),
    sign=st.sampled_from(["no", "yes"]),
    noise=st.floats(-6, 6),
)
def test_points_and_risk_say_the_same(model, age, grade, sign, noise):
    row = pd.DataFrame({"age": [age], "grade": [grade], "sign": [sign], "noise": [noise]})
    nomogram = build_nomogram(model)
    points = points_of(nomogram, model, row)[0]
    lp = nomogram.shift + points / nomogram.points_per_lp
    assert expit(lp) == pytest.approx(model.risk(row)[0], abs=1e-12)
    low, high = (limit[0] for limit in model.interval(row))
    assert low <= model.risk(row)[0] <= high


def test_the_widest_effect_has_a_hundred_points(model):
    nomogram = build_nomogram(model)
    spans = [np.ptp(axis.points) for axis in nomogram.axes]
    assert max(spans) == pytest.approx(100)
    assert min(axis.points.min() for axis in nomogram.axes) == pytest.approx(0)
    table = points_table(nomogram)
    noise = table[table["predictor"] == "noise"]
    steps = noise["points"].diff().dropna() / noise["value"].astype(float).diff().dropna()
    np.testing.assert_allclose(steps, noise["per_unit"].iloc[0])
    assert table.loc[table["predictor"] == "age", "per_unit"].isna().all()


@settings(max_examples=200)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_round_ticks_cover_the_range_evenly(low, width):
    high = low + width
    ticks = pretty(low, high)
    steps = np.diff(ticks)
    slack = 1e-9 * max(abs(low), abs(high), width)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    np.testing.assert_allclose(steps, steps[0], atol=slack)
    assert 4 <= len(ticks) <= 25


@settings(max_examples=50)
@given(st.lists(st.floats(-8, 8), min_size=4, max_size=40), st.integers(1, 3))
def test_a_recentred_intercept_gives_the_event_share(offsets, events):
    outcome = np.zeros(len(offsets))
    outcome[:events] = 1
    intercept = recentred_intercept(np.array(offsets), outcome)
    assert expit(np.array(offsets) + intercept).sum() == pytest.approx(events, abs=1e-8)


def test_limits_on_an_axis_are_of_points():
    rows, outcome = simulated()
    fitted = model_of(fit_logistic(rows, outcome, SIMULATED_TERMS), "m", Purpose("pain"))
    plain, with_limits = build_nomogram(fitted), build_nomogram(fitted, confidence=0.95)
    assert plain.axes[0].low is None
    for axis in with_limits.axes:
        assert (axis.low <= axis.points + 1e-12).all()
        assert (axis.high >= axis.points - 1e-12).all()
    # Of a binary sign: the limits of its odds ratio, in points.
    sign = next(axis for axis in with_limits.axes if axis.term.name == "sign")
    error = math.sqrt(fitted.covariance[4, 4])
    half = 1.959963984540054 * error * with_limits.points_per_lp
    assert (sign.high - sign.points)[1] == pytest.approx(half)


def test_a_program_that_is_not_solved_ends_the_job(monkeypatch):
    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **__: SimpleNamespace(status=2))
    with refusal("linear-program-unsolved", ProgramError):
        is_separated(np.ones((4, 1)), np.array([0, 1, 0, 1]))


def test_a_table_of_other_columns_is_refused():
    name = next(iter(REGRESSION))
    with refusal("result-columns-differ", ProgramError, match="'another'"):
        checked(name, pd.DataFrame({"another": [1]}))


def test_a_regression_without_predictor_is_refused():
    rows = pd.DataFrame({"age": [60.0, 70.0, 80.0]})
    with refusal("regression-without-predictor", StudyError, match="name one at least"):
        fit_logistic(rows, np.array([0, 1, 0]), ())
