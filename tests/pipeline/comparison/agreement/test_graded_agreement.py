"""Kappas of readings against published values and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.comparison.agreement.graded_agreement import fleiss, graded_agreement, kappa

#: Fleiss 1971, table 1: 30 patients, 6 psychiatrists, 5 diagnoses; kappa 0.430.
FLEISS_1971 = """
0 0 0 6 0|0 3 0 0 3|0 1 4 0 1|0 0 0 0 6|0 3 0 3 0|2 0 4 0 0|0 0 4 0 2|2 0 3 1 0|2 0 0 4 0|0 0 0 0 6
1 0 0 5 0|1 1 0 4 0|0 3 3 0 0|1 0 0 5 0|0 2 0 3 1|0 0 5 0 1|3 0 0 1 2|5 1 0 0 0|0 2 0 4 0|1 0 2 0 3
0 0 0 0 6|0 1 0 5 0|0 2 0 1 3|2 0 0 4 0|1 0 0 4 1|0 5 0 1 0|4 0 0 0 2|0 2 0 4 0|1 0 5 0 0|0 0 0 0 6
"""


def test_fleiss_kappa_is_that_of_the_paper():
    counts = [list(map(int, unit.split())) for line in FLEISS_1971.strip().splitlines()
              for unit in line.split("|")]  # fmt: skip
    values = np.array([np.repeat(range(5), unit) for unit in counts], dtype=float)
    value, low, high = fleiss(values)
    assert value == pytest.approx(0.430, abs=5e-4)
    assert low < value < high
    assert fleiss(values) == (value, low, high)


@pytest.mark.parametrize(("weights", "power"), [("linear", 1), ("quadratic", 2)])
def test_weighted_kappa_is_its_definition(weights, power):
    """Cohen 1968: one minus the weighted disagreement over that by chance."""
    rng = np.random.default_rng(3)
    first = rng.integers(0, 4, 80)
    values = np.column_stack([first, np.clip(first + rng.integers(-1, 2, 80), 0, 3)]).astype(float)
    seen = (np.abs(values[:, 0] - values[:, 1]) ** power).mean()
    chance = (np.abs(values[:, :1] - values[:, 1][None, :]) ** power).mean()
    found, low, high = kappa(values, weights)
    assert found == pytest.approx(1 - seen / chance)
    assert low < found < high <= 1


def test_the_pair_that_agrees_least_is_named_and_gaps_leave_units_out():
    values = np.array([[0, 0, 1], [1, 1, 0], [2, 2, 2], [3, 3, 1], [1, 1, np.nan]], dtype=float)
    table = graded_agreement(values, ["a", "b", "c"], graded=True)
    assert list(table["weights"]) == ["linear", "quadratic"]
    assert set(table["of"]) <= {"a, c", "b, c"}
    words = graded_agreement(np.minimum(values, 1), ["a", "b", "c"], graded=False)
    assert list(words["measure"]) == ["kappa", "Fleiss' kappa"]


def test_readings_without_any_difference_have_no_kappa():
    assert np.isnan(kappa(np.ones((5, 2)))).all()
    assert np.isnan(fleiss(np.ones((5, 3)))).all()
