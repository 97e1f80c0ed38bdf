"""Groups of units of which a patient has several: a library's test, copies, noise."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.comparison.groups.clustered_tests import clustered_score_test


def sample(seed: int, patients: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return numbers, groups and patients, alike inside a patient and unrelated to each other."""
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 6, patients)
    patient = np.repeat(np.arange(patients), size)
    number = rng.normal(size=patients)[patient] + 0.3 * rng.normal(size=len(patient))
    chance = 1 / (1 + np.exp(-2 * rng.normal(size=patients)))
    return number, rng.random(len(patient)) < chance[patient], patient


def levels_of(numbers: np.ndarray) -> np.ndarray:
    """Return columns of the second to fourth quarter."""
    return np.digitize(numbers, np.quantile(numbers, [0.25, 0.5, 0.75]))[:, None] == [[1, 2, 3]]


@pytest.mark.parametrize("columns_of", [lambda x: stats.rankdata(x)[:, None], levels_of])
def test_it_is_the_score_test_of_generalised_estimating_equations(columns_of):
    numbers, group, patients = sample(4)
    columns = columns_of(numbers).astype(float)
    given = {"groups": patients, "family": sm.families.Binomial()}
    null = sm.GEE(group.astype(float), np.ones((len(group), 1)), **given).fit()
    full = sm.GEE(group.astype(float), sm.add_constant(columns / len(numbers)), **given)
    expected = full.compare_score_test(null)
    statistic, p = clustered_score_test(columns, group, patients)
    assert statistic == pytest.approx(expected["statistic"], rel=1e-6)
    assert p == pytest.approx(expected["p-value"], rel=1e-6)
    assert columns.shape[1] == expected["df"]


@pytest.mark.parametrize("kind", ["ranks", "levels"])
def test_with_one_unit_a_patient_it_is_the_usual_test_but_for_the_variance(kind):
    rng = np.random.default_rng(2)
    group = rng.random(800) < 0.3
    numbers = rng.normal(size=800) + 0.15 * group
    if kind == "ranks":
        usual = stats.mannwhitneyu(
            numbers[group], numbers[~group], use_continuity=False, method="asymptotic"
        ).pvalue
        columns = stats.rankdata(numbers)[:, None]
    else:
        columns = levels_of(numbers)
        quarter = columns @ [1, 2, 3]
        counts = [[(quarter[group == value] == q).sum() for q in range(4)] for value in (0, 1)]
        usual = stats.chi2_contingency(counts, correction=False).pvalue
    _, p = clustered_score_test(columns.astype(float), group, np.arange(800))
    assert stats.norm.isf(p) == pytest.approx(stats.norm.isf(usual), abs=0.15)


@given(st.integers(0, 10**6), st.integers(2, 4))
def test_copies_of_every_unit_change_nothing(seed, copies):
    numbers, group, patients = sample(seed, 12)
    columns = numbers[:, None]
    once = clustered_score_test(columns, group, patients)
    again = clustered_score_test(
        np.repeat(columns, copies, axis=0), np.repeat(group, copies), np.repeat(patients, copies)
    )
    np.testing.assert_allclose(again, once, rtol=1e-9)


def test_it_keeps_its_level_where_the_usual_test_does_not():
    """Of 400 comparisons without any difference, about 20 may have P < .05."""
    clustered, usual = 0, 0
    for seed in range(400):
        numbers, group, patients = sample(seed)
        _, p = clustered_score_test(stats.rankdata(numbers)[:, None], group, patients)
        clustered += p < 0.05
        usual += stats.mannwhitneyu(numbers[group], numbers[~group]).pvalue < 0.05
    assert 8 <= clustered <= 32
    assert usual > 45


def test_a_difference_is_found_inside_and_between_patients():
    numbers, group, patients = sample(1)
    for of_group in (group, patients < 30):
        shifted = stats.rankdata(numbers + 3 * of_group)[:, None]
        assert clustered_score_test(shifted, of_group, patients)[1] < 1e-4


def test_what_cannot_be_tested_has_no_p_value():
    numbers, group, patients = sample(3, 8)
    columns = numbers[:, None]
    for wrong in (
        (columns, np.zeros_like(group), patients),
        (np.ones_like(columns), group, patients),
        (columns[:, :0], group, patients),
        # As many columns as would need more patients.
        (np.random.default_rng(0).normal(size=(len(group), 9)), group, patients),
        (columns[:0], group[:0], patients[:0]),
    ):
        assert np.isnan(clustered_score_test(*wrong)).all()
