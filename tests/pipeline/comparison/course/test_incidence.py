"""Rates per person-time: the figures that yassavoly2025 gives when follow-up is counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.comparison.course import incidence
from tests.support.refusals import refusal

RNG = np.random.default_rng(8)

#: Person-years of yassavoly2025: 31 patients with a brace, 1.1 years; 220 without, 2.1 years.
BRACE, NONE = 31 * 1.1, 220 * 2.1


def test_adjacent_fractures_of_yassavoly2025() -> None:
    brace, none = incidence.rate(1, BRACE), incidence.rate(17, NONE)
    assert [round(each, 4) for each in brace[2:4]] == [0.0293, 0.0007]
    assert round(brace.high, 3) == 0.163
    assert [round(each, 4) for each in none[2:]] == [0.0368, 0.0214, 0.0589]
    ratio = incidence.rate_ratio((1, 17), (BRACE, NONE))
    assert [round(each, 2) for each in ratio[:3]] == [0.80, 0.02, 5.09]
    assert ratio.p > 0.5


def test_remote_fractures_of_yassavoly2025() -> None:
    brace, none = incidence.rate(0, BRACE), incidence.rate(9, NONE)
    assert (brace.value, brace.low, round(brace.high, 3)) == (0, 0, 0.108)
    assert [round(each, 4) for each in none[2:]] == [0.0195, 0.0089, 0.0370]
    ratio = incidence.rate_ratio((0, 9), (BRACE, NONE))
    assert (ratio.value, ratio.low) == (0, 0)


@given(st.integers(0, 200), st.floats(0.5, 500))
def test_garwood_limits_are_poisson_tails(events: int, time: float) -> None:
    found = incidence.rate(events, time)
    assert stats.poisson.cdf(events, found.high * time) == pytest.approx(0.025, rel=1e-6)
    if events:
        assert stats.poisson.sf(events - 1, found.low * time) == pytest.approx(0.025, rel=1e-6)


def test_ratio_turned_round_is_its_inverse() -> None:
    there = incidence.rate_ratio((4, 9), (20.0, 70.0))
    back = incidence.rate_ratio((9, 4), (70.0, 20.0))
    assert 1 / there.value == pytest.approx(back.value)
    assert 1 / there.low == pytest.approx(back.high)
    assert there.p == pytest.approx(back.p)


def test_a_ratio_of_nothing() -> None:
    assert math.isnan(incidence.rate_ratio((0, 0), (1.0, 2.0)).value)
    found = incidence.rate_ratio((3, 0), (10.0, 10.0))
    assert (found.value, found.high) == (math.inf, math.inf)
    assert found.low == pytest.approx(1 / 2.4185, rel=1e-3)


def test_person_time_ends_at_the_first_event() -> None:
    found = incidence.person_time(np.array([2.0, 2.0, 1.0]), np.array([np.nan, 0.5, 1.0]))
    assert found.tolist() == [2.0, 0.5, 1.0]


def test_repeated_events_equal_a_poisson_regression_with_robust_variance() -> None:
    import statsmodels.api as sm

    group = np.repeat([0, 1], (50, 70))
    time = RNG.uniform(0.5, 4, 120)
    frailty = RNG.gamma(1, 1, 120)
    events = RNG.poisson(0.5 * time * frailty * (1 + 0.6 * group))
    design = sm.add_constant((group == 0).astype(float))
    model = sm.GLM(events, design, family=sm.families.Poisson(), offset=np.log(time))
    fit = model.fit(cov_type="HC0")
    parts = [(events[group == each], time[group == each]) for each in (0, 1)]
    found = incidence.repeated_rate_ratio(*zip(*parts, strict=True))
    assert math.log(found.value) == pytest.approx(fit.params[1])
    limits = fit.conf_int()[1]
    assert (math.log(found.low), math.log(found.high)) == pytest.approx(tuple(limits))
    assert found.p == pytest.approx(fit.pvalues[1])
    one = incidence.repeated_rate(*parts[0])
    assert one.low < one.value < one.high


def test_repeated_events_that_nobody_had() -> None:
    none = (np.zeros(3), np.ones(4))
    assert math.isnan(incidence.repeated_rate_ratio(none, (np.ones(3), np.ones(4))).value)
    assert incidence.repeated_rate(np.zeros(3), np.ones(3)) == incidence.rate(0, 3.0)


def test_refused() -> None:
    with refusal("person-time-not-positive"):
        incidence.rate(3, 0.0)
    with refusal("person-time-not-positive"):
        incidence.rate_ratio((1, 2), (0.0, 3.0))
    with refusal("times-not-positive"):
        incidence.person_time(np.array([1.0, np.nan]), np.array([np.nan, np.nan]))
    with refusal("event-after-follow-up"):
        incidence.person_time(np.array([1.0]), np.array([1.5]))
