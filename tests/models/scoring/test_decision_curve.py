from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from models.scoring.decision_curve import (
    decision_curve,
    resampled_net_benefit,
    thresholds,
    with_intervals,
)
from models.scoring.intervals import patient_resamples
from pipeline.core.errors import StudyError
from tests.support.refusals import refusal


@pytest.mark.parametrize(
    ("column", "reference"),
    [
        ("famhistory", "r_dca_famhistory.csv"),
        ("age", "r_simple_binary_dca_result_df.csv"),
        ("marker", "r_case3_results.csv"),
    ],
)
def test_net_benefit_equals_the_r_package(testdata, column, reference):
    folder = testdata / "dcurves" / "benchmark_data"
    patients = pd.read_csv(folder / "df_binary.csv")
    expected = pd.read_csv(folder / reference)
    outcome = patients["cancer"].to_numpy(int)
    probability = patients[column].to_numpy(float)
    if column != "famhistory":
        # R turned age and marker into probabilities by a logistic model; family history is 0 or 1.
        design = sm.add_constant(probability)
        probability = sm.GLM(outcome, design, family=sm.families.Binomial()).fit().predict(design)
    at = expected["threshold"].unique()
    curve = decision_curve(outcome, {column: probability}, at)
    both = curve.merge(expected, left_on=["model", "threshold"], right_on=["variable", "threshold"])
    assert len(both) == len(expected) == 3 * len(at)
    # The run for marker charged a test harm, which the column states.
    without_harm = both["net_benefit_y"] + both["harm"]
    np.testing.assert_allclose(both["net_benefit_x"], without_harm, atol=1e-9)


def test_net_benefit_by_hand():
    # Ten units, four events. At .2: five positive, three of them events: 3/10 - 2/10 x .2/.8.
    outcome = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    probability = np.array([0.9, 0.6, 0.2, 0.1, 0.8, 0.3, 0.1, 0.1, 0.0, 0.0])
    curve = decision_curve(outcome, {"lr": probability}, np.array([0.2])).set_index("model")
    assert curve.loc["lr", "net_benefit"] == pytest.approx(0.3 - 0.2 * 0.25)
    assert curve.loc["all", "net_benefit"] == pytest.approx(0.4 - 0.6 * 0.25)
    assert curve.loc["none", "net_benefit"] == 0


def test_models_may_have_any_name():
    outcome, probability = np.array([0, 1]), np.array([0.2, 0.7])
    names = ["outcome", "model_1", "my model"]
    curve = decision_curve(outcome, dict.fromkeys(names, probability), np.array([0.5]))
    assert curve["model"].to_list() == [*names, "all", "none"]
    assert curve["net_benefit"].to_list() == pytest.approx([0.5, 0.5, 0.5, 0, 0])


@pytest.mark.parametrize("outcome", [np.zeros(3), np.ones(3)])
def test_one_class_has_no_net_benefit(outcome):
    curve = decision_curve(outcome, {"lr": np.full(3, 0.5)}, np.array([0.1, 0.2]))
    assert len(curve) == 6
    assert curve["net_benefit"].isna().all()


def test_thresholds():
    at = thresholds(0.0, 0.95)
    assert len(at) == 96
    assert at[[0, 7, -1]].tolist() == [0.0, 0.07, 0.95]


@pytest.mark.parametrize("limits", [(0.0, 1.0), (0.5, 0.5), (-0.1, 0.5)])
def test_impossible_ranges_are_refused(limits):
    with refusal("decision-curve-range", StudyError):
        thresholds(*limits)


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = rng.beta(1.5, 4, n)
    return (rng.random(n) < probability).astype(int), probability


def test_resampled_net_benefit_is_that_of_the_library():
    outcome, probability = drawn(80, 1)
    at = thresholds(0.0, 0.9)
    weights = patient_resamples(np.arange(80), outcome, 3, 2, stratified=False)
    over = resampled_net_benefit(outcome, probability, at, weights)
    for row, times in zip(over, weights, strict=True):
        units = np.repeat(outcome, times), {"lr": np.repeat(probability, times)}
        curve = decision_curve(*units, at)
        np.testing.assert_allclose(row, curve.query("model == 'lr'")["net_benefit"], atol=1e-12)


def test_limits_of_treating_everybody_follow_the_share_of_events():
    # Net benefit of treating all is linear in the share of events, (s - t) / (1 - t): its limits
    # are those of the share, whose resampled error is sqrt(s (1 - s) / n).
    outcome, probability = drawn(400, 3)
    at = np.array([0.1, 0.3])
    weights = patient_resamples(np.arange(400), outcome, 4000, 4, stratified=False)
    given = {"lr": probability}
    table = with_intervals(decision_curve(outcome, given, at), outcome, given, weights, 0.95)
    share = outcome.mean()
    half = 1.96 * np.sqrt(share * (1 - share) / 400)
    rows = table.query("model == 'all'")
    for side, sign in (("low", -1), ("high", 1)):
        expected = (share + sign * half - at) / (1 - at)
        # Shares of 400 come in steps of 1/400; quantiles of 4000 draws add as much again.
        assert rows[side].to_numpy() == pytest.approx(expected, abs=0.006)
    assert table.query("model == 'none'")[["low", "high", "gain"]].isna().all(axis=None)


def test_gain_is_paired_with_the_better_simple_strategy():
    outcome, probability = drawn(300, 5)
    at = thresholds(0.05, 0.6)
    weights = patient_resamples(np.arange(300), outcome, 300, 6, stratified=False)
    given = {"lr": probability, "copy": np.ones(300)}
    table = with_intervals(decision_curve(outcome, given, at), outcome, given, weights, 0.95)
    wide = table.pivot_table(index="threshold", columns="model", values="net_benefit")
    lr = table.query("model == 'lr'").set_index("threshold")
    expected = wide["lr"] - np.maximum(wide["all"], 0)
    np.testing.assert_allclose(lr["gain"], expected)
    # A model that treats everybody gains nothing where that is best, in any resample.
    low = table.query("model == 'copy' and threshold < 0.15")
    np.testing.assert_allclose(low["gain"], 0, atol=1e-12)
    # Pairing: at a low threshold nearly everybody is treated by the model too, and the gain is
    # known much better than the net benefit itself.
    first = lr.iloc[0]
    assert first["gain_high"] - first["gain_low"] < 0.5 * (first["high"] - first["low"])


def test_one_class_has_no_limits():
    given = {"lr": np.full(30, 0.5)}
    at = np.array([0.1, 0.2])
    weights = patient_resamples(np.arange(30), np.zeros(30), 50, 1, stratified=False)
    curve = decision_curve(np.zeros(30), given, at)
    table = with_intervals(curve, np.zeros(30), given, weights, 0.95)
    assert table[["low", "high", "gain", "gain_low"]].isna().all(axis=None)
