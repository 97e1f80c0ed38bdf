from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from statsmodels.stats.multitest import multipletests

from models.scoring.comparisons import compare_decisions, compare_models
from models.scoring.performance import Sample


def draw(n: int, seed: int, units_per_patient: int = 1, noise: float = 1.0) -> Sample:
    """Draw patients whose units share outcome and prediction, up to copies."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 1.3, n)
    outcome = (rng.random(n) < expit(logit)).astype(int)
    probability = expit(logit + noise * rng.normal(size=n))
    columns = (np.repeat(a, units_per_patient) for a in (outcome, probability, np.arange(n)))
    return Sample(*columns, 0.4)


def models(units_per_patient: int = 1) -> dict[str, Sample]:
    return {
        name: draw(120, 6, units_per_patient, noise)
        for name, noise in (("good", 0.1), ("fair", 1.5), ("poor", 5.0))
    }


def test_pairs_are_compared_and_adjusted_after_holm():
    table = compare_models(models(), confidence=0.95)
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


def test_dependent_units_are_compared_with_patients_as_clusters():
    delong = compare_models(models(), confidence=0.95)
    table = compare_models(models(3), confidence=0.95)
    assert (table["method"] == "Obuchowski, paired, patients as clusters").all()
    numbers = ["auc_difference", "low", "high", "p_value", "p_holm"]
    # Copies of a unit tell nothing new, and change nothing.
    np.testing.assert_allclose(table[numbers], delong[numbers], rtol=1e-8)


def test_a_declared_primary_model_has_a_family_of_its_own():
    table = compare_models(models(), confidence=0.95, primary="fair")
    assert table["family"].to_list() == ["primary", "secondary", "primary"]
    primary = table["family"] == "primary"
    expected = multipletests(table.loc[primary, "p_value"], method="holm")[1]
    assert table.loc[primary, "p_holm"].to_list() == pytest.approx(expected)
    alone = table.loc[~primary]
    assert alone["p_holm"].to_list() == alone["p_value"].to_list()
    free = compare_models(models(), confidence=0.95)
    assert (free["family"] == "all").all()
    assert (free["p_holm"] >= table["p_holm"]).all()
    decisions = compare_decisions(models(), "fair")
    expected = multipletests(decisions.loc[primary, "mcnemar_p"], method="holm")[1]
    assert decisions.loc[primary, "mcnemar_p_holm"].to_list() == pytest.approx(expected)


def test_the_difference_of_equal_models_is_not_estimable():
    sample = draw(50, 7)
    for copies in (1, 2):
        twin = draw(50, 7, copies)
        table = compare_models({"a": twin, "b": twin}, confidence=0.95)
        assert table.loc[0, "auc_difference"] == 0
        assert table.loc[0, ["low", "high", "p_value", "p_holm"]].isna().all()
        assert table.loc[0, "method"].startswith("not estimable: both rank everyone alike")
    assert compare_models({"a": sample}, confidence=0.95).empty


def test_two_perfect_models_have_no_estimable_difference():
    outcome = np.repeat([0, 1], 8)
    pair = {
        name: Sample(outcome, values, np.arange(16), 0.5)
        for name, values in (("a", outcome * 0.8 + 0.1), ("b", np.linspace(0, 1, 16)))
    }
    row = compare_models(pair, confidence=0.95).iloc[0]
    assert row["auc_difference"] == 0
    assert row[["low", "high", "p_value"]].isna().all()
    assert row["method"] == (
        "not estimable: both rank every pair of an event and a non-event right, "
        "DeLong's variance is 0"
    )


def test_an_interval_that_leaves_its_range_is_cut_and_says_so():
    outcome = np.array([0, 0, 0, 1, 1, 1])
    scores = {"a": [1, 2, 4, 3, 5, 6], "b": [6, 5, 3, 4, 2, 1]}
    pair = {
        name: Sample(outcome, np.array(values) / 10, np.arange(6), 0.5)
        for name, values in scores.items()
    }
    row = compare_models(pair, confidence=0.95).iloc[0]
    assert row["high"] == 1
    assert row["method"] == "DeLong, paired; cut at -1 and 1"


def test_too_few_events_are_not_compared():
    outcome = np.array([1] + [0] * 9)
    pair = {
        name: Sample(outcome, values, np.arange(10), 0.5)
        for name, values in (("a", np.linspace(0, 1, 10)), ("b", np.linspace(1, 0, 10)))
    }
    row = compare_models(pair, confidence=0.95).iloc[0]
    assert row["method"] == "undefined: fewer than two patients with or without an event"
    assert np.isnan(row["p_value"])
    assert np.isnan(row["p_holm"])
