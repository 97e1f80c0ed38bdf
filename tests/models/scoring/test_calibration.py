from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit

from models.scoring import calibration as cal


@pytest.fixture(scope="module")
def calibrated() -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes drawn from the very probabilities, 4,000 of them."""
    rng = np.random.default_rng(12)
    probability = expit(rng.normal(-1.5, 1.2, 4000))
    return (rng.random(4000) < probability).astype(float), probability


def test_drawn_from_the_predictions_is_calibrated(calibrated):
    intercept = cal.calibration_intercept(*calibrated, 0.99)
    assert intercept.low < 0 < intercept.high
    slope = cal.calibration_slope(*calibrated, 0.99)
    assert slope.low < 1 < slope.high
    ratio = cal.observed_expected_ratio(*calibrated, 0.99)
    assert ratio.low < 1 < ratio.high
    assert cal.integrated_calibration_index(*calibrated) < 0.02


def test_known_miscalibration_is_recovered(calibrated):
    outcome, truth = calibrated
    # logit(p) = 2 logit(truth) + 1, so that the slope is 1/2, and the truth lies lower.
    probability = expit(2 * logit(truth) + 1)
    slope = cal.calibration_slope(outcome, probability, 0.95)
    assert slope.value == pytest.approx(0.5, abs=0.05)
    assert slope.high < 1
    shifted = cal.calibration_intercept(outcome, expit(logit(truth) + 0.7), 0.95)
    assert shifted.value == pytest.approx(-0.7, abs=0.1)
    assert shifted.high < 0


def test_equals_maximum_likelihood_by_another_optimiser(calibrated):
    outcome, truth = (array[:300] for array in calibrated)
    probability = expit(1.5 * logit(truth) - 0.4)
    x = logit(probability)

    def loss(parameters: np.ndarray, slope: bool) -> float:
        eta = parameters[0] + (parameters[1] * x if slope else x)
        return np.sum(np.logaddexp(0, eta) - outcome * eta)

    best = minimize(loss, [0.0, 1.0], args=(True,), tol=1e-10)
    found = cal.calibration_slope(outcome, probability, 0.95)
    assert found.value == pytest.approx(best.x[1], abs=1e-4)
    fitted = expit(best.x[0] + best.x[1] * x)
    design = np.column_stack([np.ones_like(x), x])
    information = design.T @ (design * (fitted * (1 - fitted))[:, None])
    half = 1.959964 * np.sqrt(np.linalg.inv(information)[1, 1])
    assert found.high - found.value == pytest.approx(half, rel=1e-3)
    best = minimize(loss, [0.0], args=(False,), tol=1e-10)
    found = cal.calibration_intercept(outcome, probability, 0.95)
    assert found.value == pytest.approx(best.x[0], abs=1e-4)
    assert found.method == "Wald"


def test_copies_of_units_do_not_narrow_the_interval(calibrated):
    outcome, probability = (array[:150] for array in calibrated)
    patients = np.arange(150)
    once = cal.calibration_slope(outcome, probability, 0.95, patients)
    thrice = [np.repeat(array, 3) for array in (outcome, probability, patients)]
    robust = cal.calibration_slope(thrice[0], thrice[1], 0.95, thrice[2])
    naive = cal.calibration_slope(thrice[0], thrice[1], 0.95)
    assert robust.method == "Wald, cluster-robust by patient"
    assert robust.value == pytest.approx(once.value)
    assert robust.high - robust.low == pytest.approx(once.high - once.low, rel=0.05)
    assert naive.high - naive.low < 0.7 * (once.high - once.low)


def test_a_prediction_of_yes_and_no_has_a_finite_intercept():
    """Newton's steps ran away to -2.6e15 for such a prediction of 750 units."""
    outcome = np.r_[np.ones(24), np.zeros(91), np.ones(81), np.zeros(554)]
    found = cal.calibration_intercept(outcome, np.repeat([1.0, 0.0], [115, 635]), 0.95)
    shifted = 115 * expit(logit(1 - 1e-6) + found.value) + 635 * expit(logit(1e-6) + found.value)
    assert shifted == pytest.approx(105)
    assert found.low < found.value < found.high


def test_predictions_of_zero_and_one_are_moved_and_counted():
    outcome = np.array([0, 0, 1, 0, 1, 1, 0, 1])
    probability = np.array([0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.3, 1])
    estimate = cal.calibration_slope(outcome, probability, 0.95)
    assert np.isfinite(estimate.value)
    assert estimate.method == "Wald; 2 predictions moved to 1e-06 from 0 or 1"


@pytest.mark.parametrize("outcome", [np.zeros(30), np.ones(30)])
def test_one_class_is_undefined(outcome):
    probability = np.linspace(0.1, 0.9, 30)
    for estimate in (
        cal.calibration_intercept(outcome, probability, 0.95),
        cal.calibration_slope(outcome, probability, 0.95),
    ):
        assert np.isnan(estimate[:3]).all()
        assert estimate.method == "undefined: one class only"


def test_separation_has_no_slope():
    outcome = np.repeat([0, 1], 15)
    for probability in (np.linspace(0.1, 0.9, 30), np.linspace(0.9, 0.1, 30)):
        estimate = cal.calibration_slope(outcome, probability, 0.95)
        assert estimate.method == "undefined: the prediction separates the classes"


def test_constant_prediction():
    outcome = np.repeat([0, 1], [75, 25])
    probability = np.full(100, 0.5)
    assert cal.calibration_slope(outcome, probability, 0.95).method == (
        "undefined: constant prediction"
    )
    assert cal.calibration_intercept(outcome, probability, 0.95).value == pytest.approx(logit(0.25))
    assert cal.integrated_calibration_index(outcome, probability) == pytest.approx(0.25)
    curve = cal.calibration_curve(outcome, probability)
    assert curve.to_numpy() == pytest.approx(np.array([[0.5, 0.25]]))
    bins = cal.calibration_bins(outcome, probability, 0.95)
    assert bins[["predicted", "observed", "n"]].to_numpy() == pytest.approx(
        np.array([[0.5, 0.25, 100]])
    )


def test_observed_over_expected_by_hand():
    # 10 events of 50, 8 expected: 1.25; SE of its logarithm sqrt(.8/10) = .2828.
    outcome = np.repeat([1, 0], [10, 40])
    found = cal.observed_expected_ratio(outcome, np.full(50, 0.16), 0.95)
    factor = np.exp(1.959964 * np.sqrt(0.08))
    assert found[:3] == pytest.approx((1.25, 1.25 / factor, 1.25 * factor))


def test_observed_over_expected_ends_where_every_unit_has_the_event():
    """Of three units of risk 0.5 two had the event: at most 3 of 1.5 can."""
    found = cal.observed_expected_ratio(np.array([1, 1, 0]), np.full(3, 0.5), 0.95)
    assert found.high == 2
    assert found.method == "Wald on the log scale, cut where every unit has the event"


def test_observed_over_expected_at_its_edges():
    none = cal.observed_expected_ratio(np.zeros(50), np.full(50, 0.1), 0.95)
    assert none.value == 0
    assert np.isnan(none.low)
    assert none.method == "no interval: no event observed"
    impossible = cal.observed_expected_ratio(np.ones(5), np.zeros(5), 0.95)
    assert impossible.method == "undefined: no event expected"


def test_lowess_equals_local_regression_by_hand():
    # At one point: tricube weights over the nearest two thirds, then a weighted straight line.
    rng = np.random.default_rng(5)
    probability = np.sort(rng.random(60))
    outcome = (rng.random(60) < probability).astype(float)
    curve = cal.calibration_curve(outcome, probability, n_points=3)
    at = probability[0]
    distance = np.abs(probability - at)
    width = np.sort(distance)[39]
    weights = np.clip(1 - (distance / width) ** 3, 0, None) ** 3
    line = np.polyfit(probability - at, outcome, 1, w=np.sqrt(weights))
    assert curve["observed"][0] == pytest.approx(np.clip(line[1], 0, 1), abs=1e-6)
    assert curve["predicted"].to_list() == pytest.approx(
        [probability[0], (probability[0] + probability[-1]) / 2, probability[-1]]
    )


def test_ici_of_a_known_distance(calibrated):
    outcome, truth = calibrated
    halved = truth / 2
    # The curve runs at twice the prediction: the mean distance is the mean prediction.
    assert cal.integrated_calibration_index(outcome, halved) == pytest.approx(
        halved.mean(), abs=0.01
    )


def test_few_units_make_no_curve():
    outcome, probability = np.tile([0, 1], 9), np.linspace(0.1, 0.9, 18)
    assert np.isnan(cal.integrated_calibration_index(outcome, probability))
    assert cal.calibration_curve(outcome, probability).empty


tied = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=20, max_size=60)


@given(tied, st.sampled_from([1, 4, 1000]))
def test_curve_and_index_stay_within_bounds_under_ties(rows, scale):
    outcome = np.array([row[0] for row in rows], float)
    probability = np.array([row[1] for row in rows]) / (4 * scale)
    assert 0 <= cal.integrated_calibration_index(outcome, probability) <= 1
    curve = cal.calibration_curve(outcome, probability)
    assert curve["observed"].between(0, 1).all()


@given(tied)
def test_bins_hold_every_unit_once(rows):
    outcome = np.array([row[0] for row in rows], float)
    probability = np.array([row[1] for row in rows]) / 4
    bins = cal.calibration_bins(outcome, probability, 0.95)
    assert bins["n"].sum() == len(rows)
    assert (bins["observed"] * bins["n"]).sum() == pytest.approx(outcome.sum())
    assert bins["predicted"].is_monotonic_increasing
    assert (
        (bins["low"] <= bins["observed"] + 1e-12) & (bins["observed"] <= bins["high"] + 1e-12)
    ).all()


def test_bins_by_hand():
    outcome, probability = np.tile([0, 1], 100), np.linspace(0, 1, 200)
    bins = cal.calibration_bins(outcome, probability, 0.95)
    assert bins["n"].to_list() == [20] * 10
    # Wilson's 10 of 20: .2993 to .7007.
    assert bins.loc[0, ["observed", "low", "high"]].to_list() == pytest.approx(
        [0.5, 0.2993, 0.7007], abs=5e-5
    )
    dependent = cal.calibration_bins(outcome, probability, 0.95, independent=False)
    assert dependent[["low", "high"]].isna().all(axis=None)
