"""Cross-validated AUROC: within folds, DeLong's variance where there is one fold, coverage."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from models.learning.folds import assign_folds
from models.scoring import cross_validated, delong, metrics
from models.scoring.cross_validated import (
    NO_FOLD,
    HeldOut,
    compare_held_out,
    cross_validated_areas,
    held_out_estimates,
    mean_roc,
    paired_difference,
    parts_of,
)
from models.scoring.intervals import Estimate
from models.scoring.performance import METRICS, metric_estimates

HOW = {"confidence": 0.95, "n_resamples": 100, "seed": 3}


def drawn(n: int = 120, repeats: int = 2, folds: int = 4, seed: int = 1) -> HeldOut:
    """Return predictions of rows that were dealt to folds, several times over."""
    rng = np.random.default_rng(seed)
    outcome = (rng.random(n) < 0.3).astype(int)
    dealt = np.array([rng.permutation(np.arange(n) % folds) for _ in range(repeats)])
    probability = expit(rng.normal(outcome - 1.0, 1.0, (repeats, n)) + 0.3 * dealt)
    threshold = 0.3 + 0.02 * dealt
    return HeldOut(outcome, np.arange(n), dealt, probability, threshold)


def test_one_fold_gives_the_areas_and_the_covariance_of_delong():
    held_out = drawn(repeats=1, folds=1)
    scores = np.array([held_out.probability[0], np.roll(held_out.probability[0], 1)])
    areas, covariance = cross_validated_areas(
        held_out.outcome, scores[:, None], held_out.folds, held_out.patients
    )
    expected = delong.delong_covariance(held_out.outcome, scores)
    np.testing.assert_allclose(areas, expected[0], rtol=1e-12)
    np.testing.assert_allclose(covariance, expected[1], rtol=1e-12)


def test_folds_of_one_repeat_are_independent_delong_variances():
    held_out = drawn(repeats=1)
    areas, covariance = cross_validated_areas(
        held_out.outcome, held_out.probability[None], held_out.folds, held_out.patients
    )
    parts = [rows for _, rows in parts_of(held_out.folds)]
    own = [
        delong.delong_covariance(held_out.outcome[rows], held_out.probability[0, rows])
        for rows in parts
    ]
    assert areas[0] == pytest.approx(np.mean([area[0] for area, _ in own]), rel=1e-12)
    assert covariance[0, 0] == pytest.approx(sum(v[0, 0] for _, v in own) / len(own) ** 2)


def test_pairs_of_different_folds_are_not_compared():
    """Another scale in one fold changes a pooled AUROC, and not the mean over folds."""
    held_out = drawn(repeats=1)
    shifted = np.where(held_out.folds == 2, held_out.probability / 50, held_out.probability)
    moved = HeldOut(held_out.outcome, held_out.patients, held_out.folds, shifted,
                    held_out.threshold)  # fmt: skip
    plain, other = (cross_validated.auroc_estimate(each, 0.95) for each in (held_out, moved))
    assert plain == other
    pooled = [roc_auc_score(each.outcome, each.probability[0]) for each in (held_out, moved)]
    assert abs(pooled[0] - pooled[1]) > 0.05


def test_rows_of_one_patient_widen_the_interval():
    held_out = drawn(repeats=1, folds=2)
    twice = HeldOut(*(np.repeat(each, 2, axis=-1) for each in vars(held_out).values()))
    single, clustered = (cross_validated.auroc_estimate(each, 0.95) for each in (held_out, twice))
    assert single.value == pytest.approx(clustered.value)
    assert clustered.method.endswith("patients as clusters")
    # Every row twice tells no more than once.
    assert clustered.high - clustered.low == pytest.approx(single.high - single.low, rel=0.12)


def test_repeats_make_no_interval_narrower_than_their_agreement():
    """The same deal twice is one deal: repeats do not count as patients."""
    once = drawn(repeats=1)
    again = HeldOut(once.outcome, once.patients, *(np.repeat(each, 2, axis=0) for each in (
        once.folds, once.probability, once.threshold)))  # fmt: skip
    one, two = (held_out_estimates(each, **HOW) for each in (once, again))
    for name in METRICS:
        np.testing.assert_allclose(one[name][:3], two[name][:3], rtol=1e-12)


def test_one_repeat_has_the_metrics_of_its_rows_but_for_the_auroc():
    held_out = drawn(repeats=1)
    ours, pooled = held_out_estimates(held_out, **HOW), metric_estimates(held_out.samples[0], **HOW)
    assert list(ours) == list(METRICS)
    assert {name for name in METRICS if ours[name] != pooled[name]} == {"auroc"}
    at = held_out.probability[0] >= held_out.threshold[0]
    assert ours["sensitivity"].value == pytest.approx(at[held_out.outcome == 1].mean())


def test_the_area_of_the_mean_curve_is_the_mean_area():
    held_out = drawn()
    curve = mean_roc(held_out)
    assert (curve["tpr"].diff().dropna() >= -1e-12).all()
    area = np.trapezoid(curve["tpr"], curve["fpr"])
    assert area == pytest.approx(cross_validated.auroc_estimate(held_out, 0.95).value, abs=0.005)


def test_predictions_of_a_table_keep_their_unit():
    held_out = drawn(n=40)
    rows = [
        {"unit_id": f"u{unit:02}", "patient_id": unit, "outcome": held_out.outcome[unit],
         "repeat": repeat, "fold": held_out.folds[repeat, unit],
         "probability": held_out.probability[repeat, unit],
         "threshold": held_out.threshold[repeat, unit]}
        for repeat in range(2) for unit in range(40)
    ]  # fmt: skip
    read = HeldOut.of(pd.DataFrame(rows).sample(frac=1, random_state=2))
    for name, value in vars(held_out).items():
        np.testing.assert_array_equal(getattr(read, name), value)


def test_the_difference_of_a_model_and_itself_is_none():
    held_out = drawn()
    table = compare_held_out({"a": held_out, "b": held_out}, confidence=0.95)
    row = table.iloc[0]
    assert row["auc_difference"] == 0
    assert math.isnan(row["p_value"])
    assert row["method"] == "not estimable: no pair varies, the variance is 0"


@pytest.mark.parametrize(
    ("events", "value", "words"),
    [
        ([1, 1, 1, 1], 0.5, "fewer than two rows of a class"),
        ([0, 2, 2, 2], math.nan, "an outer fold holds one class only"),
    ],
)
def test_folds_without_enough_of_an_outcome_have_no_interval(events, value, words):
    folds = np.repeat(np.arange(4), 6)[None]
    outcome = np.concatenate([np.arange(6) < count for count in events]).astype(int)
    held_out = HeldOut(outcome, np.arange(24), folds, np.full((1, 24), 0.2), np.full((1, 24), 0.5))
    estimate = cross_validated.auroc_estimate(held_out, 0.95)
    assert (math.isnan(value) and math.isnan(estimate.value)) or estimate.value == value
    assert math.isnan(estimate.low)
    assert words in estimate.method
    pair = np.array([held_out.probability, held_out.probability])
    test, method = paired_difference(outcome, pair, folds, np.arange(24), 0.95)
    assert math.isnan(test.p_value)
    assert words in method


def test_rows_of_no_fold_are_not_judged():
    held_out = drawn(repeats=1)
    folds = np.where(np.arange(120) < 20, NO_FOLD, held_out.folds)
    areas, _ = cross_validated_areas(
        held_out.outcome, held_out.probability[None], folds, held_out.patients
    )
    kept = slice(20, None)
    expected, _ = cross_validated_areas(
        held_out.outcome[kept], held_out.probability[None, :, kept], folds[:, kept],
        held_out.patients[kept],
    )  # fmt: skip
    assert areas == expected
    nothing, covariance = cross_validated_areas(
        held_out.outcome, held_out.probability[None], np.full_like(folds, NO_FOLD),
        held_out.patients,
    )  # fmt: skip
    assert np.isnan([*nothing, *covariance.ravel()]).all()


def test_a_metric_that_one_repeat_lacks_has_no_mean():
    defined = Estimate(0.5, 0.4, 0.6, "Wilson")
    lacking = Estimate.undefined("nobody in the denominator")
    mean = cross_validated._mean([defined, lacking])
    assert math.isnan(mean.value)
    assert mean.method == "undefined: in a repeat, nobody in the denominator"
    bare = Estimate(0.7, math.nan, math.nan, "no interval: constant")
    mean = cross_validated._mean([defined, bare])
    assert mean.value == pytest.approx(0.6)
    assert math.isnan(mean.low)
    assert mean.method == "no interval: constant"


def test_the_interval_covers_what_the_fitted_models_reach():
    """195 patients, 36 events on average, three predictors: the mean AUROC of the outer models."""
    rng, covered, trials = np.random.default_rng(8), 0, 60
    beta = np.array([0.8, 0.5, 0.0])
    new = rng.normal(size=(4000, 3))
    truth = (rng.random(4000) < expit(new @ beta - 1.75)).astype(int)
    for _ in range(trials):
        X = rng.normal(size=(195, 3))
        y = (rng.random(195) < expit(X @ beta - 1.75)).astype(int)
        rows = pd.DataFrame({"patient_id": np.arange(195), "outcome": y})
        folds = assign_folds(rows, 5, int(rng.integers(1 << 30)))
        probability, reached = np.empty(195), []
        for fold in range(5):
            model = LogisticRegression(C=1e6).fit(X[folds != fold], y[folds != fold])
            probability[folds == fold] = model.predict_proba(X[folds == fold])[:, 1]
            reached.append(metrics.auroc(truth, model.decision_function(new)))
        threshold = np.full((1, 195), 0.5)
        held_out = HeldOut(y, np.arange(195), folds[None], probability[None], threshold)
        estimate = cross_validated.auroc_estimate(held_out, 0.95)
        covered += estimate.low <= np.mean(reached) <= estimate.high
    # 95% of 60 is 57, with a binomial SD of 1.7.
    assert covered >= 53
