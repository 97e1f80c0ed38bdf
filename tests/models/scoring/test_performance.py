from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from models.scoring.performance import (
    METRICS,
    Sample,
    auroc_estimate,
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


def test_dependent_units_take_patients_as_clusters(clustered):
    assert clustered["auroc"].method == "Obuchowski, logit scale, patients as clusters"
    for name in ("accuracy", "sensitivity", "precision", "oe_ratio"):
        assert clustered[name].method == "percentiles over 200 resamples of patients"
    assert clustered["calibration_intercept"].method == "Wald, cluster-robust by patient"


def test_copies_of_units_leave_the_interval_of_the_area_as_it_is():
    alone, copies = (auroc_estimate(draw(80, 4, units), 0.95) for units in (1, 3))
    assert copies[:3] == pytest.approx(alone[:3])


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
    assert found["precision"].method == "undefined: nobody in the denominator"
    assert found["mcc"].method.startswith("undefined: ")
    assert found["calibration_slope"].method == "undefined: constant prediction"


def test_single_event_has_an_area_without_interval():
    outcome = np.array([1] + [0] * 29)
    found = metric_estimates(Sample(outcome, np.linspace(0.9, 0.1, 30), np.arange(30), 0.5), **HOW)
    assert found["auroc"].value == 1
    assert found["auroc"].method == "no interval: fewer than two patients of a class"


def test_events_of_one_patient_alone_have_an_area_without_interval():
    outcome = np.array([1, 1, *[0] * 20])
    patients = np.array([0, 0, *range(1, 21)])
    found = auroc_estimate(Sample(outcome, np.linspace(0.9, 0.1, 22), patients, 0.5), 0.95)
    assert found.value == 1
    assert found.method == "no interval: fewer than two patients of a class"


def test_a_seed_gives_the_same_intervals():
    sample = draw(60, 9)
    assert metric_estimates(sample, **HOW) == metric_estimates(sample, **HOW)
    other = metric_estimates(sample, confidence=0.95, n_resamples=200, seed=4)
    assert other["brier"].low != metric_estimates(sample, **HOW)["brier"].low
