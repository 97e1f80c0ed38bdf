from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from statsmodels.stats.multitest import multipletests

from models.intervals import patient_resamples
from models.performance import (
    METRICS,
    Sample,
    auroc_estimate,
    compare_decisions,
    compare_models,
    metric_estimates,
    point_values,
)

HOW = {"confidence": 0.95, "n_resamples": 200, "seed": 3}


def draw(n: int, seed: int, units_per_patient: int = 1, noise: float = 1.0) -> Sample:
    """Draw patients whose units share outcome and prediction, up to copies."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 1.3, n)
    outcome = (rng.random(n) < expit(logit)).astype(int)
    probability = expit(logit + noise * rng.normal(size=n))
    patients = np.array([f"P{i:04d}" for i in range(n)])
    columns = (np.repeat(a, units_per_patient) for a in (outcome, probability, patients))
    return Sample(*columns, 0.4)


@pytest.fixture(scope="module")
def independent() -> dict:
    return metric_estimates(draw(150, 1), **HOW)


@pytest.fixture(scope="module")
def clustered() -> dict:
    return metric_estimates(draw(150, 1, units_per_patient=3), **HOW)


def test_every_metric_lies_in_its_interval(independent):
    assert tuple(independent) == METRICS
    for name, estimate in independent.items():
        assert estimate.low < estimate.high, name
        # Resampling adds noise to an absolute distance: the index lies low in its interval.
        low = 0 if name == "ici" else estimate.low
        assert low < estimate.value < estimate.high, name


def test_methods_are_named(independent):
    methods = {name: estimate.method for name, estimate in independent.items()}
    assert methods["auroc"] == "DeLong, logit scale"
    assert methods["sensitivity"] == "Wilson"
    assert methods["calibration_slope"] == "Wald"
    assert methods["oe_ratio"] == "Wald on the log scale"
    assert methods["f1"] == "percentiles over 200 resamples of patients"


def test_values_are_the_point_values(independent):
    for name, value in point_values(draw(150, 1)).items():
        assert independent[name].value == pytest.approx(value)


def test_copies_of_a_patients_unit_change_no_value_and_narrow_no_interval(independent, clustered):
    for name in METRICS:
        if name == "ici":  # LOWESS takes the nearest two thirds of the units, copies among them
            continue
        assert clustered[name].value == pytest.approx(independent[name].value), name
        width = clustered[name].high - clustered[name].low
        assert width == pytest.approx(independent[name].high - independent[name].low, rel=0.25), (
            name
        )


def test_dependent_units_are_resampled_by_patient(clustered):
    assert "DeLong" not in clustered["auroc"].method
    assert clustered["auroc"].method == (
        "percentiles over 200 resamples of patients stratified by outcome"
    )
    for name in ("accuracy", "sensitivity", "precision", "oe_ratio"):
        assert clustered[name].method == "percentiles over 200 resamples of patients"
    assert clustered["calibration_intercept"].method == "Wald, cluster-robust by patient"


def test_resampled_interval_agrees_with_delong():
    alone, copies = draw(400, 4), draw(400, 4, units_per_patient=2)
    weights = patient_resamples(copies.patients, copies.outcome, 2000, 1)
    resampled = auroc_estimate(copies, weights, 0.95)
    delong = auroc_estimate(alone, patient_resamples(alone.patients, alone.outcome, 1, 1), 0.95)
    assert resampled[1:3] == pytest.approx(delong[1:3], abs=0.015)


@pytest.mark.parametrize("name", ["accuracy", "precision", "npv"])
def test_resampled_shares_are_as_wide_as_wilsons(independent, clustered, name):
    # Resamples with a fixed share of events would be a third narrower for the NPV.
    widths = [found[name].high - found[name].low for found in (independent, clustered)]
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_perfect_prediction_has_values_but_no_false_certainty():
    outcome = np.repeat([0, 1], [30, 10])
    sample = Sample(outcome, outcome * 0.8 + 0.1, np.arange(40), 0.5)
    found = metric_estimates(sample, **HOW)
    assert found["auroc"].value == 1
    assert np.isnan([found["auroc"].low, found["auroc"].high]).all()
    assert found["auroc"].method == "no interval: no pair varies, DeLong's variance is 0"
    assert found["calibration_slope"].method == "undefined: the prediction separates the classes"
    for name in ("auprc", "f1", "kappa", "mcc"):
        assert found[name].value == 1
        assert np.isnan(found[name].low), name
        assert found[name].method.startswith("no interval: constant"), name
    # Wilson's interval knows that 10 of 10 are not all patients.
    assert found["sensitivity"].value == 1
    assert found["sensitivity"].low == pytest.approx(0.7225, abs=5e-5)


@pytest.mark.parametrize("event", [0, 1])
def test_one_class_is_undefined_and_says_so(event):
    rng = np.random.default_rng(2)
    sample = Sample(np.full(40, event), rng.random(40), np.arange(40), 0.5)
    found = metric_estimates(sample, **HOW)
    for name in ("auroc", "scaled_brier", "calibration_slope", "calibration_intercept"):
        assert np.isnan(found[name].value), name
        assert found[name].method.startswith("undefined: "), name
    assert np.isfinite(found["brier"].value)
    assert np.isfinite(found["accuracy"].value)


def test_constant_prediction():
    outcome = np.repeat([0, 1], [30, 10])
    found = metric_estimates(Sample(outcome, np.full(40, 0.25), np.arange(40), 0.5), **HOW)
    assert found["auroc"].value == 0.5
    assert found["auroc"].method == "no interval: constant prediction, DeLong's variance is 0"
    assert found["scaled_brier"].value == pytest.approx(0)
    assert found["precision"].method == "undefined: no unit in the denominator"
    assert found["mcc"].method.startswith("undefined: ")
    assert found["calibration_slope"].method == "undefined: constant prediction"


def test_single_event_has_an_area_without_interval():
    outcome = np.array([1] + [0] * 29)
    found = metric_estimates(Sample(outcome, np.linspace(0.9, 0.1, 30), np.arange(30), 0.5), **HOW)
    assert found["auroc"].value == 1
    assert found["auroc"].method == "no interval: fewer than two of a class"


def test_a_seed_gives_the_same_intervals():
    sample = draw(60, 9)
    assert metric_estimates(sample, **HOW) == metric_estimates(sample, **HOW)
    other = metric_estimates(sample, confidence=0.95, n_resamples=200, seed=4)
    assert other["brier"].low != metric_estimates(sample, **HOW)["brier"].low


def models(units_per_patient: int = 1) -> dict[str, Sample]:
    return {
        name: draw(120, 6, units_per_patient, noise)
        for name, noise in (("good", 0.1), ("fair", 1.5), ("poor", 5.0))
    }


def test_pairs_are_compared_and_adjusted_after_holm():
    table = compare_models(models(), **HOW)
    assert table[["model_a", "model_b"]].to_numpy().tolist() == [
        ["good", "fair"],
        ["good", "poor"],
        ["fair", "poor"],
    ]
    assert (table["method"] == "DeLong, paired").all()
    expected = multipletests(table["p_value"], method="holm")[1]
    assert table["p_holm"].to_list() == pytest.approx(expected)
    assert (table["p_holm"] >= table["p_value"]).all()
    row = table.iloc[1]
    assert row["low"] < row["auc_difference"] < row["high"]
    assert row["p_holm"] < 0.05


def test_decisions_are_compared_where_one_model_alone_is_right():
    outcome = np.array([1] * 20 + [0] * 20)
    right, patients = outcome.astype(float), np.arange(40)
    wrong_in_nine = right.copy()
    wrong_in_nine[:9] = 0
    wrong_in_one = right.copy()
    wrong_in_one[-1] = 1
    samples = {
        name: Sample(outcome, values, patients, 0.5)
        for name, values in (("nine", wrong_in_nine), ("one", wrong_in_one), ("none", right))
    }
    table = compare_decisions(samples).set_index(["model_a", "model_b"])
    row = table.loc[("nine", "one")]
    assert (row["only_a_right"], row["only_b_right"]) == (1, 9)
    # Ten coins, of which one or none, or nine or all, show heads.
    assert row["mcnemar_p"] == pytest.approx(2 * (1 + 10) / 2**10)
    assert table.loc[("nine", "none"), "mcnemar_p"] == pytest.approx(2 / 2**9)
    assert table.loc[("one", "none"), "mcnemar_p"] == 1
    assert table["mcnemar_p_holm"].to_list() == pytest.approx([2 * 22 / 1024, 3 * 2 / 512, 1])
    twice = {name: replace(sample, patients=patients // 2) for name, sample in samples.items()}
    dependent = compare_decisions(twice)
    assert dependent["mcnemar_p"].isna().all()
    assert dependent["only_b_right"].to_list() == [9, 9, 1]


def test_each_model_decides_at_its_own_threshold():
    outcome, patients = np.array([1, 1, 0, 0]), np.arange(4)
    samples = {
        "low": Sample(outcome, np.array([0.3, 0.3, 0.1, 0.1]), patients, 0.2),
        "half": Sample(outcome, np.array([0.3, 0.3, 0.1, 0.1]), patients, 0.5),
    }
    row = compare_decisions(samples).iloc[0]
    assert (row["only_a_right"], row["only_b_right"]) == (2, 0)


def test_dependent_units_are_compared_over_resampled_patients():
    delong = compare_models(models(), **HOW)
    table = compare_models(models(3), confidence=0.95, n_resamples=1000, seed=3)
    assert table["method"].str.startswith("z test, standard error over 1000").all()
    assert table["auc_difference"].to_numpy() == pytest.approx(delong["auc_difference"].to_numpy())
    width = (table["high"] - table["low"]).to_numpy()
    assert width == pytest.approx((delong["high"] - delong["low"]).to_numpy(), rel=0.15)


def test_equal_models_do_not_differ():
    sample = draw(50, 7)
    for copies in (1, 2):
        twin = draw(50, 7, copies)
        table = compare_models({"a": twin, "b": twin}, **HOW)
        assert table.loc[0, ["auc_difference", "p_value", "p_holm"]].to_list() == [0, 1, 1]
    assert compare_models({"a": sample}, **HOW).empty


def test_too_few_events_are_not_compared():
    outcome = np.array([1] + [0] * 9)
    pair = {
        name: Sample(outcome, values, np.arange(10), 0.5)
        for name, values in (("a", np.linspace(0, 1, 10)), ("b", np.linspace(1, 0, 10)))
    }
    row = compare_models(pair, **HOW).iloc[0]
    assert row["method"] == "undefined: fewer than two events or non-events"
    assert np.isnan(row["p_value"])
    assert np.isnan(row["p_holm"])
