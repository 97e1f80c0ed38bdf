"""The Hosmer-Lemeshow test: a published table, its distribution, its edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.scoring.hosmer_lemeshow import hosmer_lemeshow

# Honours students, 200 of them: observed events, expected events and students by tenth of risk, as
# the R package blorr prints them for its own data (tests/testthat/_snaps/hosmer-lemeshow.md, from
# the model `honcomp ~ race + read + science`), with chi-square 5.8839, 8 degrees of freedom,
# P = 0.6602.
OBSERVED = [0, 1, 0, 2, 2, 4, 9, 9, 13, 13]
EXPECTED = [0.29, 0.74, 1.05, 2.04, 2.93, 4.47, 6.17, 8.93, 11.16, 15.22]
STUDENTS = [20, 21, 19, 22, 18, 20, 20, 21, 19, 20]


@pytest.fixture
def students() -> tuple[np.ndarray, np.ndarray]:
    outcome = np.concatenate(
        [
            np.repeat([1, 0], [events, n - events])
            for events, n in zip(OBSERVED, STUDENTS, strict=True)
        ]
    )
    return outcome, np.repeat(np.array(EXPECTED) / STUDENTS, STUDENTS)


def test_published_statistic_and_p_value(students):
    found = hosmer_lemeshow(*students, fitted_to_these=True)
    assert (found.groups, found.df) == (10, 8)
    # Half a unit of the last printed decimal of each expected count moves the sum by 0.039 at most.
    assert found.statistic == pytest.approx(5.8839, abs=0.039)
    assert found.p_value == pytest.approx(0.6602, abs=0.004)
    assert found.note == "7 of 10 groups expect fewer than 5 of an outcome"


def test_unseen_units_have_as_many_degrees_of_freedom_as_groups(students):
    found = hosmer_lemeshow(*students)
    assert found.df == 10
    assert found.p_value == pytest.approx(stats.chi2.sf(found.statistic, 10))


def test_by_hand_in_two_groups():
    # Expected 2 of 10 and 6 of 10, observed 4 and 5: 4 / 1.6 + 1 / 2.4.
    probability = np.repeat([0.2, 0.6], 10)
    outcome = np.concatenate([np.repeat([1, 0], [4, 6]), np.repeat([1, 0], [5, 5])])
    found = hosmer_lemeshow(outcome, probability, groups=2)
    assert found.statistic == pytest.approx(4 / 1.6 + 1 / 2.4)


def test_true_predictions_are_rejected_as_often_as_stated():
    # 400 draws from the predictions themselves: 5% have a Monte Carlo standard error of 1.1%.
    rng = np.random.default_rng(1)
    p_values = []
    for _ in range(400):
        probability = rng.beta(2, 4, 400)
        outcome = (rng.random(400) < probability).astype(int)
        p_values.append(hosmer_lemeshow(outcome, probability).p_value)
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.06)


def test_predictions_that_are_too_high_are_rejected():
    rng = np.random.default_rng(2)
    probability = rng.beta(2, 4, 600)
    outcome = (rng.random(600) < probability / 2).astype(int)
    assert hosmer_lemeshow(outcome, probability).p_value < 1e-6


def test_equal_predictions_make_fewer_groups_or_no_test():
    outcome = np.repeat([0, 1], [30, 10])
    one = hosmer_lemeshow(outcome, np.full(40, 0.25), fitted_to_these=True)
    assert (one.groups, one.df, one.statistic) == (1, 0, 0.0)
    assert one.note == "no test: too few distinct predictions"
    assert np.isnan(one.p_value)


def test_a_certain_prediction_that_failed_has_no_statistic():
    found = hosmer_lemeshow(np.array([1, 0, 1, 0]), np.array([0.0, 0.0, 0.9, 0.9]), groups=2)
    assert np.isnan(found.statistic)
    assert found.note.startswith("undefined: a group of predictions of 0 or 1")
    kept = hosmer_lemeshow(np.array([0, 0, 1, 0]), np.array([0.0, 0.0, 0.5, 0.5]), groups=2)
    assert kept.statistic == 0


@pytest.mark.parametrize(("n", "smallest", "tested"), [(10, 1, 0), (49, 4, 0), (50, 5, 1)])
def test_groups_of_few_patients_have_no_p_value(n, smallest, tested):
    rng = np.random.default_rng(3)
    probability = np.sort(rng.uniform(0.2, 0.8, n))
    found = hosmer_lemeshow((rng.random(n) < probability).astype(int), probability)
    assert np.isfinite(found.statistic)
    assert np.isfinite(found.p_value) == bool(tested)
    if not tested:
        assert found.note == f"no P value: the smallest of 10 groups holds {smallest}, fewer than 5"


def test_dependent_units_have_no_p_value(students):
    found = hosmer_lemeshow(*students, independent=False)
    assert np.isnan(found.p_value)
    assert np.isfinite(found.statistic)
    assert found.note == "no P value: several cases of one patient are dependent"
