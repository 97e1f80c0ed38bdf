"""ICC(1,1): published values, another formula, unequal numbers, and the bootstrap of patients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.comparison.agreement.repeated import Moments, lower_limit, moments, spread

#: Table 2 of Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-428: four judges of six targets.
JUDGED = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)


def of_table(ratings: np.ndarray) -> Moments:
    """Return the moments of units x measurements, as one feature."""
    units = np.repeat(np.arange(len(ratings)), ratings.shape[1])
    return moments(ratings.reshape(-1, 1), units, len(ratings))


def test_shrout_and_fleiss():
    # Their table 4: ICC(1,1) is .17; pingouin 0.7.0 of PyPI prints 0.165742.
    found = spread(of_table(JUDGED))
    assert found.icc[0] == pytest.approx(0.165742, abs=1e-6)
    # Their table 3: mean squares 11.24 between targets and 6.26 within.
    assert found.within[0] ** 2 == pytest.approx(6.26, abs=0.005)
    assert found.between[0] ** 2 == pytest.approx((11.24 - 6.26) / 4, abs=0.005)
    assert found.ratio[0] == pytest.approx(found.within[0] / found.between[0])
    assert found.units[0] == 6


tables = st.integers(0, 10**6).map(
    lambda seed: (
        np.random.default_rng(seed).normal(size=(7, 1)) * 2
        + np.random.default_rng(seed + 1).normal(size=(7, 5))
    )
)


@settings(max_examples=30, deadline=None)
@given(tables, st.floats(-1e6, 1e6), st.floats(0.01, 100))
def test_the_coefficient_is_that_of_all_pairs_and_has_no_unit(table, shift, scale):
    (icc,) = spread(of_table(table)).icc
    # Fisher's own formula, up to a correction of (n - 1) / n: the mean product of all pairs.
    n, k = table.shape
    apart = table - table.mean()
    pairs = (apart.sum(axis=1) ** 2 - (apart**2).sum(axis=1)).sum() / (n * k * (k - 1))
    fisher = pairs / (apart**2).mean()
    within = table.var(axis=1, ddof=1).mean()
    between = k * table.mean(axis=1).var(ddof=1)
    corrected = (between * (n - 1) / n - within) / (between * (n - 1) / n + (k - 1) * within)
    assert fisher == pytest.approx(corrected, abs=1e-9)
    assert icc == pytest.approx((between - within) / (between + (k - 1) * within), abs=1e-9)
    assert spread(of_table(table * scale + shift)).icc[0] == pytest.approx(icc, abs=1e-5)


def test_units_measured_unequally_often():
    # By hand: k = 2, 3, 1; k0 = (6 - 14 / 6) / 2.
    values, units = np.array([[1.0], [3], [4], [5], [6], [9]]), [0, 0, 1, 1, 1, 2]
    means, k = np.array([2, 5, 9]), np.array([2, 3, 1])
    grand = values.mean()
    between = (k * (means - grand) ** 2).sum() / 2
    within = (2 + 2) / 3
    k0 = (6 - 14 / 6) / 2
    found = spread(moments(values, units, 3))
    assert found.icc[0] == pytest.approx((between - within) / (between + (k0 - 1) * within))


def test_values_that_are_missing_do_not_count():
    table = JUDGED.astype(float)
    holed = np.hstack([table, np.full((6, 1), np.nan), np.full((6, 1), np.inf)])
    assert spread(of_table(holed)).icc[0] == spread(of_table(table)).icc[0]


@pytest.mark.parametrize(
    "table",
    [np.full((5, 3), 0.1), np.ones((1, 4)) * [1, 2, 3, 4], np.arange(4.0).reshape(4, 1),
     np.full((3, 2), np.nan)],
    ids=["constant", "one unit", "measured once", "no value"],
)  # fmt: skip
def test_where_nothing_can_be_told_there_is_no_number(table):
    found = spread(of_table(table))
    assert np.isnan(found.icc[0])
    assert np.isnan(found.ratio[0])
    assert np.isnan(lower_limit(of_table(table), np.arange(len(table)), 0.95, 20, 1)[0])


def test_units_that_do_not_differ_have_an_infinite_ratio():
    found = spread(of_table(np.array([[1.0, 3], [3, 1], [2, 2.5]])))
    assert found.icc[0] < 0
    assert found.ratio[0] == np.inf


def test_exact_repetitions_agree_wholly():
    table = np.repeat(np.random.default_rng(1).normal(size=(8, 1)) + 1e9, 4, axis=1)
    found = spread(of_table(table))
    assert found.icc[0] == pytest.approx(1)
    assert lower_limit(of_table(table), np.arange(8), 0.95, 50, 1)[0] == pytest.approx(1)


def test_weights_are_units_taken_again():
    rng = np.random.default_rng(3)
    measured = moments(rng.normal(size=(40, 6)), np.repeat(np.arange(10), 4), 10)
    drawn = rng.integers(0, 10, 10)
    weights = np.bincount(drawn, minlength=10)[np.newaxis]
    holed = measured._replace(count=measured.count.copy(), mean=measured.mean.copy())
    for each in (measured, holed):
        np.testing.assert_allclose(spread(each, weights).icc[0], spread(each.rows(drawn)).icc)
    holed.count[2, 1] = 0
    holed.mean[2, 1] = np.nan
    np.testing.assert_allclose(spread(holed, weights).icc[0], spread(holed.rows(drawn)).icc)


def test_one_patient_has_no_lower_limit():
    # Cases of one patient are drawn together: every resample would give the estimate itself.
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=(4, 2)), 5, axis=0) + rng.normal(0, 0.1, (20, 2))
    values[10:, 1] = np.nan  # the second feature has values of the first patient alone
    measured = moments(values, np.repeat(range(4), 5), 4)
    assert np.isnan(lower_limit(measured, ["p1"] * 4, 0.95, 100, 1)).all()
    low = lower_limit(measured, ["p1", "p1", "p2", "p2"], 0.95, 100, 1)
    assert np.isfinite(low).tolist() == [True, False]


def test_the_lower_limit_holds_the_truth_and_counts_patients():
    rng = np.random.default_rng(5)
    n, k, p = 60, 10, 40
    truth = 0.8
    of_units = rng.normal(size=(n, 1, p)) * np.sqrt(truth)
    values = of_units + rng.normal(size=(n, k, p)) * np.sqrt(1 - truth)
    measured = moments(values.reshape(n * k, p), np.repeat(np.arange(n), k), n)
    low = lower_limit(measured, np.arange(n), 0.95, 300, 7)
    assert (low < truth).mean() > 0.85
    assert (low > 0.6).all()
    np.testing.assert_array_equal(low, lower_limit(measured, np.arange(n), 0.95, 300, 7))
    # Each patient's row four times is no more than each patient once: as sure as before.
    again = measured.rows(np.repeat(np.arange(n), 4))
    clustered = lower_limit(again, np.repeat(np.arange(n), 4), 0.95, 300, 7)
    naive = lower_limit(again, np.arange(4 * n), 0.95, 300, 7)
    assert np.median(np.abs(clustered - low)) < 0.02
    assert (naive - clustered > 0.01).mean() > 0.9
