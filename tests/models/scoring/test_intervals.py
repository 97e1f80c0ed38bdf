from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scoring.intervals import (
    has_clusters,
    patient_resamples,
    percentile_interval,
    printed,
    wilson_interval,
)


def test_wilson_against_published_value():
    # Newcombe, Stat Med 1998;17:857-872, table I: 81 of 263, and 0 of 20, 95%.
    assert wilson_interval(81, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20, 0.95) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29, 0.95) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_wilson_of_nothing_is_undefined():
    assert np.isnan(wilson_interval(0, 0, 0.95)).all()


def test_percentiles():
    assert percentile_interval(np.arange(101.0), 0.90) == pytest.approx((5, 95))


def test_undefined_resamples():
    values = np.arange(100.0)
    values[:5] = np.nan
    assert percentile_interval(values, 0.95).low >= 5
    values[5] = np.nan
    assert np.isnan(percentile_interval(values, 0.95)).all()
    assert np.isnan(percentile_interval(np.full(10, np.nan), 0.95)).all()


def test_a_metric_that_cannot_move_has_no_interval():
    assert np.isnan(percentile_interval(np.ones(100), 0.95)).all()


units = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=1, max_size=30)


@given(units, st.booleans())
def test_units_of_a_patient_come_along_together(rows, stratified):
    patients = np.array([f"P{row[0]}" for row in rows])
    outcome = np.array([row[1] for row in rows])
    weights = patient_resamples(patients, outcome, 20, 7, stratified=stratified)
    assert weights.shape == (20, len(rows))
    _, first, which = np.unique(patients, return_index=True, return_inverse=True)
    per_patient = weights[:, first]
    np.testing.assert_array_equal(per_patient[:, which], weights)
    assert (per_patient.sum(axis=1) == len(first)).all()


def test_stratified_resamples_keep_both_classes():
    outcome = np.repeat([1, 0], [3, 40])
    patients = np.arange(43)
    stratified = patient_resamples(patients, outcome, 500, 1)
    assert (stratified @ outcome == 3).all()
    free = patient_resamples(patients, outcome, 500, 1, stratified=False)
    assert np.ptp(free @ outcome) > 3
    assert (free.sum(axis=1) == 43).all()


def test_resamples_follow_the_seed():
    outcome, patients = np.repeat([1, 0], 20), np.arange(40)
    one = patient_resamples(patients, outcome, 5, 3)
    np.testing.assert_array_equal(one, patient_resamples(patients, outcome, 5, 3))
    assert (one != patient_resamples(patients, outcome, 5, 4)).any()


def test_resampled_error_of_a_mean_equals_its_formula():
    # The bootstrap's standard error of a share is sqrt(p q / n): 1 in 4 of 200 -> .0306.
    outcome = np.repeat([1, 0], [50, 150])
    weights = patient_resamples(np.arange(200), outcome, 4000, 2, stratified=False)
    assert (weights @ outcome / 200).std() == pytest.approx(0.0306, rel=0.05)


def test_clusters():
    assert has_clusters(np.array(["0010", "0011", "0010"]))
    assert not has_clusters(np.array(["0010", "0011"]))


@given(st.floats(0, 1), st.integers(1, 4))
def test_a_printed_share_reaches_0_or_1_only_where_it_is(value, digits):
    text = printed(value, digits)
    assert float(text) == pytest.approx(value, abs=0.51 * 10**-digits)
    if 1e-14 < value < 1 - 1e-14:
        assert float(text) not in (0, 1)
    assert printed(1.0, digits) == f"{1:.{digits}f}"
