"""Limits of agreement against the published example, a closed form and simulated cohorts."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.comparison.agreement.bland_altman import bland_altman

# Bland and Altman, Lancet 1986;327:307-310, table 1: peak expiratory flow (l/min) of 17 persons,
# first reading of a large and of a mini Wright meter.
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_the_example_of_1986():
    # The paper takes large minus mini: mean -2.1, SD 38.8, 95% interval of the bias -22.0 to 17.8,
    # limits -79.7 and 75.5 (2 SD), interval of the lower limit -114.3 to -45.1, of the upper one
    # 40.9 to 110.1 (variance 3 s2 / n). Here 1.96 SD and the variance of 1999.
    found = bland_altman(MINI, LARGE)
    assert found.n == 17
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert found.bias.low == pytest.approx(-22.0, abs=0.1)
    assert found.bias.high == pytest.approx(17.8, abs=0.1)
    # 2 against 1.96 SD moves a limit by 1.6; 3 against 1 + 1.96^2 n / (2 (n - 1)) = 3.04 hardly.
    assert found.lower.value == pytest.approx(-79.7 + 0.04 * 38.8, abs=0.15)
    assert found.upper.value == pytest.approx(75.5 - 0.04 * 38.8, abs=0.15)
    assert found.lower.high - found.lower.low == pytest.approx(114.3 - 45.1, rel=0.01)
    assert found.upper.high - found.upper.low == pytest.approx(110.1 - 40.9, rel=0.01)


def test_swapping_the_readers_mirrors_everything():
    one, other = bland_altman(MINI, LARGE), bland_altman(LARGE, MINI)
    assert one.bias.value == pytest.approx(-other.bias.value)
    assert one.upper == pytest.approx([-other.lower.value, -other.lower.high, -other.lower.low])


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_intervals_hold_what_they_promise(confidence):
    rng = np.random.default_rng(0)
    runs, hits = 2000, np.zeros(3)
    for differences in rng.normal(3, 2, (runs, 15)):
        found = bland_altman(np.zeros(15), differences, confidence)
        truths = (3, 3 - 1.959964 * 2, 3 + 1.959964 * 2)
        estimates = (found.bias, found.lower, found.upper)
        hits += [one.low <= true <= one.high for one, true in zip(estimates, truths, strict=True)]
    # The bias' interval is exact; those of the limits are approximate, at 15 subjects within 2%.
    assert hits[0] / runs == pytest.approx(confidence, abs=0.02)
    assert hits[1:] / runs == pytest.approx(confidence, abs=0.035)


def test_a_missing_reading_leaves_its_subject_out():
    assert bland_altman([1, 2, 3, np.nan], [2, 4, 3, 1]) == bland_altman([1, 2, 3], [2, 4, 3])


def test_too_few_subjects_have_no_limits():
    nobody, one = bland_altman([], []), bland_altman([1.0], [3.0])
    assert (nobody.n, one.n) == (0, 1)
    assert np.isnan(nobody.bias.value)
    assert one.bias.value == 2
    assert np.isnan([*one.lower, *one.upper, one.sd, one.bias.low]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1], [1], 1.0), "confidence must lie between 0 and 1"),
        (([1], [1], 0.9, 0.0), "coverage must lie between 0 and 1"),
        (([1, 2], [1]), "one shape"),
        (([[1]], [[1]]), "one shape"),
    ],
)
def test_impossible_requests(arguments, message):
    with pytest.raises(ValueError, match=message):
        bland_altman(*arguments)
