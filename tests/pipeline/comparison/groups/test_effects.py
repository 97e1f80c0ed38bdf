"""Effects and their limits against published examples, scipy and their own tests."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.comparison.groups import effects

RNG = np.random.default_rng(11)
A, B = RNG.normal(0, 1, 30), RNG.normal(0.8, 2, 20)


def test_newcombe_published() -> None:
    """Newcombe 1998, table II: 56/70 - 48/80 and 10/10 - 0/20 by method 10."""
    found = effects.difference_of_shares((48, 56), (80, 70))
    assert found[1:] == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    found = effects.difference_of_shares((0, 10), (20, 10))
    assert found[1:] == pytest.approx((1.0, 0.6791, 1.0), abs=5e-5)


def test_difference_of_means_is_the_t_test_turned_round() -> None:
    for pooled in (True, False):
        found = effects.difference_of_means(A, B, pooled=pooled)
        assert found.value == pytest.approx(B.mean() - A.mean())
        at_limit = stats.ttest_ind(B - found.low, A, equal_var=pooled).pvalue
        assert at_limit == pytest.approx(0.05, rel=1e-6)


def test_hodges_lehmann_of_hollander_and_wolfe() -> None:
    """Permeability of the chorioamnion (example 4.1; R: wilcox.test): shift 0.305 (-0.15 to 0.76).

    R's example gives the limits -0.15 and 0.76 at an achieved level of 95%.
    """
    term = np.array([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])
    early = np.array([1.15, 0.88, 0.90, 0.74, 1.21])
    found = effects.hodges_lehmann(early, term)
    assert found[1:] == pytest.approx((0.305, -0.15, 0.76), abs=1e-9)


@given(st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=15)
def test_exact_distribution_of_the_rank_sum(n1: int, n2: int) -> None:
    n1, n2 = sorted((n1, n2))
    found = effects._rank_sum_distribution(n1, n2)
    u = [sum(ranks) - n1 * (n1 - 1) // 2 for ranks in itertools.combinations(range(n1 + n2), n1)]
    counted = np.cumsum(np.bincount(u, minlength=n1 * n2 + 1)) / math.comb(n1 + n2, n1)
    assert found == pytest.approx(counted)


def test_limits_of_a_shift_in_large_groups_are_those_of_the_rank_sum_test() -> None:
    a, b = RNG.normal(size=90), RNG.normal(0.4, 1, 70)
    found = effects.hodges_lehmann(a, b)
    for limit in (found.low, found.high):
        p = [stats.mannwhitneyu(b - limit + move, a).pvalue for move in (-0.02, 0.02)]
        assert min(p) < 0.05 < max(p) + 0.01


def test_a_shift_of_very_many_values_needs_no_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = effects.hodges_lehmann(A, B)
    monkeypatch.setattr(effects, "LARGEST_PRODUCT", 1)
    assert effects.hodges_lehmann(A, B)[1:] == pytest.approx(whole[1:], rel=1e-12)


def test_too_few_values_have_no_limits() -> None:
    found = effects.hodges_lehmann(np.array([1.0]), np.array([2.0, 3.0]))
    assert found.value == 1.5
    assert math.isnan(found.low)


def test_ratios() -> None:
    odds = effects.odds_ratio((25, 27), (452, 117))
    table = [[27, 90], [25, 427]]
    scipy = stats.contingency.odds_ratio(table, kind="sample")
    low, high = scipy.confidence_interval()
    assert odds[1:] == pytest.approx((scipy.statistic, low, high))
    risk = effects.risk_ratio((25, 27), (452, 117))
    scipy = stats.contingency.relative_risk(27, 117, 25, 452)
    low, high = scipy.confidence_interval()
    assert risk[1:] == pytest.approx((scipy.relative_risk, low, high))


def test_an_empty_cell_gets_the_exact_odds_ratio() -> None:
    found = effects.odds_ratio((0, 9), (31, 220))
    assert found.name == "odds ratio (conditional, exact)"
    assert found.value == math.inf
    assert 0 < found.low < 1
    assert math.isnan(effects.odds_ratio((0, 0), (31, 220)).value)


def test_standardised_differences() -> None:
    spread = math.sqrt((A.var(ddof=1) + B.var(ddof=1)) / 2)
    found = effects.standardised_difference(A, B)
    assert found.value == pytest.approx((B.mean() - A.mean()) / spread)
    assert found.low < found.value < found.high
    shares = 27 / 117 - 25 / 452
    pooled = (27 * 90 / 117**2 + 25 * 427 / 452**2) / 2
    found = effects.standardised_difference_of_levels(np.array([[427, 90], [25, 27]]))
    assert found.value == pytest.approx(shares / math.sqrt(pooled))
    turned = effects.standardised_difference_of_levels(np.array([[25, 27], [427, 90]]))
    assert turned.value == pytest.approx(-found.value)
    assert effects.standardised_difference_of_levels(np.array([[5, 5], [9, 9]])).value == 0


def test_nothing_to_compare_has_no_effect() -> None:
    none = np.array([])
    assert math.isnan(effects.difference_of_means(none, A, pooled=True).value)
    assert math.isnan(effects.hodges_lehmann(none, A).value)
    assert math.isnan(effects.difference_of_shares((0, 3), (0, 5)).value)
    assert math.isnan(effects.risk_ratio((0, 3), (4, 5)).value)
    assert math.isnan(effects.standardised_difference(np.ones(3), np.ones(4)).value)
    # What differs by rounding alone is the same value, and gives no huge difference.
    noise = 1 + 1e-14 * np.arange(5)
    assert math.isnan(effects.standardised_difference(noise, noise[::-1] + 1e-13).value)
    assert math.isnan(effects.standardised_difference_of_levels(np.array([[3, 0]])).value)
