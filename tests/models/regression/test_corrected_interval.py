"""The interval of the corrected C-index: whose rows it learns from, and what it is held to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit

from models.regression.checking.corrected_interval import FOLDS, REPEATS, cross_validated
from models.regression.checking.optimism import bootstrap_optimism
from models.scoring.clustered_auroc import clustered_covariance
from models.scoring.delong import delong_covariance
from pipeline.core.errors import FitError
from proofs.regression_trials import cohort_of, terms_of


@pytest.fixture(name="rows")
def _rows() -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(3)
    outcome = (np.arange(60) % 3 == 0).astype(int)
    return outcome, outcome + chance.normal(size=60)


def test_a_score_that_learns_nothing_has_the_error_of_delong(rows):
    outcome, score = rows
    found = cross_validated(lambda _: score, outcome, np.arange(60), 1)
    area, covariance = delong_covariance(outcome, score)
    assert (found.auroc, found.error) == pytest.approx((area[0], covariance[0, 0] ** 0.5))
    assert found.method == "DeLong"


def test_patients_of_several_rows_stay_together(rows):
    outcome, score = rows
    patients, seen = np.arange(60) // 2, []

    def learn(index: np.ndarray) -> np.ndarray:
        seen.append(set(range(60)) - set(index))
        return score

    found = cross_validated(learn, outcome, patients, 1)
    assert len(seen) == FOLDS * REPEATS
    for held_out in seen:
        assert {2 * (row // 2) for row in held_out} | {2 * (row // 2) + 1 for row in held_out} == (
            held_out
        )
        assert outcome[list(held_out)].any()
    for repeat in range(REPEATS):
        together = seen[repeat * FOLDS : (repeat + 1) * FOLDS]
        assert sum(map(len, together)) == 60
        assert set().union(*together) == set(range(60))
    assert found.error == pytest.approx(clustered_covariance(outcome, score, patients)[1] ** 0.5)
    assert found.method == "Obuchowski"


def test_there_is_no_error_where_a_fold_has_no_fit_or_one_event_is_there(rows):
    outcome, score = rows

    def learn(_: np.ndarray) -> np.ndarray:
        raise FitError("a fold without a fit")

    assert np.isnan(cross_validated(learn, outcome, np.arange(60), 1).error)
    one = (np.arange(60) == 5).astype(int)
    assert np.isnan(cross_validated(lambda _: score, one, np.arange(60), 1).error)


def test_limits_lie_about_the_corrected_value_and_are_wider_than_those_of_the_fit():
    table, outcome = cohort_of("li2021", 4)
    found = bootstrap_optimism(table, outcome, terms_of("li2021"), resamples=30, seed=4)
    row = found.table.set_index("measure").loc["c_index"]
    middle, low, high = logit([row["corrected"], row["low"], row["high"]])
    assert middle - low == pytest.approx(high - middle)
    assert row["low"] < row["corrected"] < row["apparent"]
    assert row["method"].endswith("interval: DeLong, out of fold")
