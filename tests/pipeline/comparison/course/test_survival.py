"""Times to an event: the leukaemia trial of Freireich, and identities that must hold."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.comparison.course import survival
from tests.support.refusals import refusal

#: Weeks of remission with 6-MP and with placebo (Freireich et al., Blood 1963;21:699-716).
TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
RNG = np.random.default_rng(6)


def test_kaplan_meier_of_the_leukaemia_trial() -> None:
    """Kalbfleisch and Prentice: 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448."""
    found = survival.kaplan_meier(np.array(TREATED), np.array(ENDED))
    assert found["time"].tolist() == [6, 7, 10, 13, 16, 22, 23]
    expected = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert found["survival"].round(3).tolist() == expected
    assert found["at_risk"].tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert found["low"].round(3).iloc[0] == 0.620  # R: survfit(conf.type = "log-log")
    assert found["high"].round(3).iloc[0] == 0.952


def test_log_rank_of_the_leukaemia_trial() -> None:
    """R: survdiff gives 16.8 (16.793) on 1 degree of freedom."""
    times, events = np.array(TREATED + PLACEBO), np.array(ENDED + [1] * 21)
    found = survival.log_rank(times, events, np.repeat(["6-MP", "placebo"], 21))
    assert (round(found.statistic, 2), found.df) == (16.79, 1)
    assert found.p == pytest.approx(4.17e-5, rel=0.01)


def test_incidences_and_survival_add_up_to_one() -> None:
    """Aalen-Johansen: event, death and neither are all that can be, also where times are tied."""
    times = RNG.integers(1, 12, 150).astype(float)
    ends = RNG.integers(0, 3, 150)
    found = survival.cumulative_incidence(times, ends)
    both = survival.kaplan_meier(times, ends > 0).set_index("time")["survival"]
    at = found.set_index("time").loc[both.index]
    assert (at["event"] + at["death"] + both).to_numpy() == pytest.approx(1.0)
    alone = survival.kaplan_meier(times, ends == survival.EVENT)["survival"].iloc[-1]
    assert at["event"].iloc[-1] < 1 - alone  # deaths as censoring would exaggerate


def test_aalen_johansen_by_hand() -> None:
    found = survival.cumulative_incidence(np.array([1.0, 2, 3, 4]), np.array([1, 2, 1, 0]))
    assert found["event"].tolist()[:3] == pytest.approx([0.25, 0.25, 0.5])
    assert found["death"].tolist()[:3] == pytest.approx([0, 0.25, 0.25])


def test_a_cause_that_nobody_had() -> None:
    found = survival.cumulative_incidence(np.array([1.0, 2, 3]), np.array([2, 0, 2]))
    assert (found["event"] == 0).all()
    assert found["death"].iloc[0] == pytest.approx(1 / 3)
    assert survival.cumulative_incidence(np.array([1.0, 2]), np.array([0, 0])).empty
    assert survival.kaplan_meier(np.array([1.0, 2]), np.array([0, 0])).empty
    assert np.isnan(survival.log_rank(np.ones(3), np.zeros(3), np.arange(3)).p)


def test_refused() -> None:
    with refusal("times-not-positive"):
        survival.kaplan_meier(np.array([0.0, 1]), np.array([1, 1]))
    with refusal("end-of-time-unknown"):
        survival.cumulative_incidence(np.array([1.0, 2]), np.array([1, 3]))
