from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.special import logit
from sklearn.metrics import roc_auc_score

from models.scoring.delong import auroc_interval, delong_covariance, paired_test, wald_test
from tests.support.refusals import refusal

# The 43 complete patients of DeLong, DeLong and Clarke-Pearson's own example (Biometrics 1988):
# albumin, total protein, K-G score, outcome. As printed in the SAS/STAT User's Guide, PROC
# LOGISTIC, example "Comparing Receiver Operating Characteristic Curves", which also prints the
# results below. A low K-G score is the good one there, hence 10 minus the score.
OVARIAN_CANCER = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1   3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1   3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0   4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1   2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1   2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""


@pytest.fixture(scope="module")
def ovarian() -> tuple[np.ndarray, np.ndarray]:
    albumin, protein, kg, outcome = np.array(OVARIAN_CANCER.split(), float).reshape(-1, 4).T
    return outcome, np.array([albumin, 10 - kg, protein])


def test_published_areas_and_standard_errors(ovarian):
    areas, covariance = delong_covariance(*ovarian)
    assert areas == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)


def test_published_wald_limits(ovarian):
    """The plain interval, as SAS prints it in the same example; the logit one is another."""
    areas, covariance = delong_covariance(*ovarian)
    limits = [
        auroc_interval(area, variance, 0.95, "plain")
        for area, variance in zip(areas, np.diag(covariance), strict=True)
    ]
    published = [(0.5549, 0.9182), (0.5243, 0.9273), (0.4518, 0.8439)]
    np.testing.assert_allclose(limits, published, atol=5.1e-5)
    assert auroc_interval(0.99, 0.01, 0.95, "plain").high == 1


def test_published_contrasts(ovarian):
    outcome, (albumin, kg, protein) = ovarian
    first = paired_test(outcome, albumin, kg, 0.95)
    assert first == pytest.approx((0.0108, -0.1761, 0.1976, 0.9102), abs=5e-5)
    second = paired_test(outcome, protein, kg, 0.95)
    assert second == pytest.approx((-0.0780, -0.2830, 0.1271, 0.4561), abs=5e-5)


def test_published_test_of_three_curves(ovarian):
    areas, covariance = delong_covariance(*ovarian)
    contrasts = np.array([[1, -1, 0], [0, -1, 1]])
    difference = contrasts @ areas
    chi_square = difference @ np.linalg.solve(contrasts @ covariance @ contrasts.T, difference)
    assert chi_square == pytest.approx(2.5340, abs=5e-5)
    assert stats.chi2.sf(chi_square, 2) == pytest.approx(0.2817, abs=5e-5)


def brute_force(outcome: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return DeLong's areas and covariance straight from the definition, over all pairs."""
    events, others = scores[:, outcome == 1], scores[:, outcome == 0]
    wins = (events[:, :, None] > others[:, None, :]) + 0.5 * (
        events[:, :, None] == others[:, None, :]
    )
    m, n = events.shape[1], others.shape[1]
    v10, v01 = wins.mean(axis=2), wins.mean(axis=1)
    covariance = np.cov(v10).reshape(len(scores), -1) / m + np.cov(v01).reshape(len(scores), -1) / n
    return wins.mean(axis=(1, 2)), covariance


# Few distinct scores, so that ties within and between the classes are the rule.
tied_sample = st.integers(4, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
        st.lists(st.integers(0, 4), min_size=n, max_size=n),
        st.lists(st.integers(0, 9), min_size=n, max_size=n),
    )
)


@given(tied_sample)
def test_midranks_equal_the_definition(sample):
    outcome = np.array([1, 1, 0, 0, *sample[0][4:]])
    scores = np.array([sample[1], sample[2]], float)
    areas, covariance = delong_covariance(outcome, scores)
    expected_areas, expected_covariance = brute_force(outcome, scores)
    np.testing.assert_allclose(areas, expected_areas, atol=1e-12)
    np.testing.assert_allclose(covariance, expected_covariance, atol=1e-12)


@given(tied_sample)
def test_area_is_mann_whitneys_and_ranks_alone_matter(sample):
    outcome = np.array([1, 1, 0, 0, *sample[0][4:]])
    score = np.array(sample[2], float)
    area, variance = delong_covariance(outcome, score)
    u = stats.mannwhitneyu(score[outcome == 1], score[outcome == 0]).statistic
    assert area[0] == pytest.approx(u / ((outcome == 1).sum() * (outcome == 0).sum()))
    assert area[0] == pytest.approx(roc_auc_score(outcome, score))
    stretched_area, stretched_variance = delong_covariance(outcome, np.exp(score) - 3)
    assert stretched_area == pytest.approx(area)
    assert stretched_variance == pytest.approx(variance)


@given(tied_sample)
def test_swapping_the_models_turns_the_difference(sample):
    outcome = np.array([1, 1, 0, 0, *sample[0][4:]])
    a, b = np.array(sample[1], float), np.array(sample[2], float)
    one, other = paired_test(outcome, a, b, 0.95), paired_test(outcome, b, a, 0.95)
    assert one.difference == pytest.approx(-other.difference)
    assert one.p_value == pytest.approx(other.p_value, nan_ok=True)
    assert one.low == pytest.approx(-other.high, nan_ok=True)


def test_logit_interval_by_hand():
    # AUROC .9, SE .03: logit .9 = 2.1972, SE on the logit scale .03/(.9 x .1) = 1/3.
    low, high = auroc_interval(0.9, 0.03**2, 0.95)
    assert logit(low) == pytest.approx(2.1972 - 1.95996 / 3, abs=1e-4)
    assert logit(high) == pytest.approx(2.1972 + 1.95996 / 3, abs=1e-4)
    assert high < 1


def test_interval_covers_the_true_area():
    # Two normals one SD apart: AUROC = Phi(1 / sqrt 2) = .760. 300 samples of 20 + 60: 95% coverage
    # has a Monte Carlo SE of .0126; four of them below is .90.
    rng = np.random.default_rng(8)
    truth = stats.norm.cdf(1 / math.sqrt(2))
    outcome = np.repeat([1, 0], [20, 60])
    covered = 0
    for _ in range(300):
        areas, covariance = delong_covariance(outcome, rng.normal(size=80) + outcome)
        low, high = auroc_interval(areas[0], covariance[0, 0], 0.95)
        covered += low <= truth <= high
    assert 0.90 <= covered / 300 <= 0.99


def test_perfect_separation_has_an_area_but_no_interval():
    outcome = np.array([0, 0, 0, 1, 1])
    areas, covariance = delong_covariance(outcome, np.array([0.1, 0.2, 0.3, 0.8, 0.9]))
    assert areas == [1.0]
    assert np.isnan(auroc_interval(areas[0], covariance[0, 0], 0.95)).all()


def test_constant_prediction_has_area_one_half_and_no_interval():
    areas, covariance = delong_covariance(np.array([0, 0, 1, 1]), np.full(4, 0.3))
    assert areas == [0.5]
    assert np.isnan(auroc_interval(areas[0], covariance[0, 0], 0.95)).all()


def test_the_difference_of_models_that_rank_alike_is_not_estimable():
    outcome = np.array([0, 1, 0, 1, 1, 0])
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    perfect = np.array([0.1, 0.8, 0.2, 0.9, 0.7, 0.3])
    for first, second in ((score, score**2), (perfect, outcome)):
        test = paired_test(outcome, first, second, 0.95)
        assert test.difference == 0
        assert np.isnan(test[1:]).all()


@settings(max_examples=100)
@given(
    arrays(np.float64, st.tuples(st.just(2), st.integers(4, 14)), elements=st.floats(0, 1)),
    st.sampled_from([0.6, 0.95, 0.999]),
)
def test_the_interval_of_a_difference_lies_within_minus_one_and_one(scores, confidence):
    outcome = np.arange(scores.shape[1]) % 2
    test = paired_test(outcome, *scores, confidence)
    if not np.isnan(test.low):
        assert -1 <= test.low <= test.difference <= test.high <= 1


def test_a_difference_without_variance_is_not_tested():
    outcome = np.array([0, 0, 1, 1])
    score = np.array([0.1, 0.2, 0.8, 0.9])
    test = paired_test(outcome, score, -score, 0.95)
    assert test.difference == 1.0
    assert np.isnan(test[1:]).all()
    assert np.isnan(wald_test(0.1, math.nan, 0.95)[1:]).all()


def test_one_event_has_no_variance():
    with refusal("delong-too-few") as caught:
        delong_covariance(np.array([1, 0, 0]), np.array([0.5, 0.2, 0.1]))
    assert caught.value.found == "1 events, 2 non-events"
