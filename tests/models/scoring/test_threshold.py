from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scoring.metrics import confusion, confusion_metrics
from models.scoring.threshold import threshold_of, threshold_source
from pipeline.core.errors import StudyError
from pipeline.study.config import resolve_config
from tests.support.refusals import refusal

# From 0.6 on: 2 of 3 events, 0 of 4 others; from 0.4 on: 3 of 3 and 1 of 4.
Y = np.array([0, 0, 0, 0, 1, 1, 1])
PROBABILITY = np.array([0.1, 0.2, 0.3, 0.5, 0.4, 0.6, 0.9])


def test_youden_by_hand():
    assert threshold_of(Y, PROBABILITY, "youden", 0.5) == 0.4
    # Equal indices (1/2 at 0.8 and at 0.2): the highest threshold.
    assert threshold_of(np.array([1, 0, 1, 0]), np.array([0.8, 0.5, 0.2, 0.1]), "youden", 0) == 0.8
    assert threshold_of(Y, np.full(7, 0.3), "youden", 0.5) == 0.3


def test_closest_differs_from_youden_where_one_side_is_neglected():
    # At 0.9: sensitivity .50, specificity 1, index .50, distance .50. At 0.5: .75 and .70, index
    # .45, distance sqrt(.25^2 + .3^2) = .39.
    y = np.repeat([1, 1, 1, 0, 0], [2, 1, 1, 3, 7])
    probability = np.repeat([0.9, 0.5, 0.1, 0.5, 0.1], [2, 1, 1, 3, 7])
    assert threshold_of(y, probability, "youden", 0.5) == 0.9
    assert threshold_of(y, probability, "closest", 0.5) == 0.5


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"sensitivity": 0.6}, 0.6),
        ({"sensitivity": 0.9}, 0.4),
        ({"specificity": 0.75}, 0.4),
        ({"specificity": 0.99}, 0.6),
        # At t = .2 a false positive weighs 1/4: 3 - 1/4 at 0.4, 2 at 0.6. At t = .6 it weighs 1.5.
        ({"net_benefit": 0.2}, 0.4),
        ({"net_benefit": 0.6}, 0.6),
    ],
)
def test_targets_by_hand(rule, expected):
    assert threshold_of(Y, PROBABILITY, rule, 0.5) == expected


def test_a_specificity_that_nobody_reaches_calls_nobody_an_event():
    found = threshold_of(np.array([1, 0, 1, 0]), np.full(4, 0.3), {"specificity": 0.9}, 0.5)
    assert found > 0.3
    assert found == pytest.approx(0.3)


def test_fixed_looks_at_no_row():
    assert threshold_of(Y, None, "fixed", 0.25) == 0.25
    assert threshold_source(Y, None, "fixed", 0.25) == "fixed beforehand in the configuration"


def test_the_source_tells_what_the_threshold_reaches_on_the_rows_it_came_from():
    assert threshold_source(Y, PROBABILITY, "youden", 0.4) == (
        "the highest sensitivity + specificity (Youden), on 7 out-of-fold predictions of training "
        "patients with 3 events: sensitivity 1.000, specificity 0.750 there"
    )
    assert "a sensitivity of at least 0.9," in threshold_source(
        Y, PROBABILITY, {"sensitivity": 0.9}, 0.4
    )


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=2, max_size=40),
    st.floats(0.05, 0.95),
)
def test_targets_hold_and_are_met_as_narrowly_as_may_be(rows, target):
    y = np.array([1, 0, *(row[0] for row in rows)])
    probability = np.array([5, 4, *(row[1] for row in rows)]) / 10

    def reached(threshold: float, name: str) -> float:
        return confusion_metrics(confusion(y, probability, threshold))[name]

    low = threshold_of(y, probability, {"sensitivity": target}, 0.5)
    assert reached(low, "sensitivity") >= target - 1e-9
    above = probability[probability > low]
    assert not len(above) or reached(above.min(), "sensitivity") < target
    high = threshold_of(y, probability, {"specificity": target}, 0.5)
    assert reached(high, "specificity") >= target - 1e-9
    below = probability[probability < high]
    assert not len(below) or reached(below.max(), "specificity") < target


@pytest.mark.parametrize(
    "rule", ["best", {"sensitivity": 1.5}, {"sensitivity": 0.9, "specificity": 0.9}, {"f1": 0.5}]
)
def test_an_unknown_rule_is_refused(rule):
    with refusal("threshold-rule-unknown", StudyError) as caught:
        threshold_of(Y, PROBABILITY, rule, 0.5)
    assert "youden, closest, fixed" in caught.value.remedy


@pytest.mark.parametrize("rule", ["best", {"sensitivity": 1.5}, {"f1": 0.5}, {}])
def test_the_configuration_refuses_it_first(rule):
    user = {"study": "s", "cases": "cases.csv", "evaluation": {"threshold_rule": rule}}
    with refusal("option-value-invalid", StudyError, match="threshold_rule"):
        resolve_config(user)


@pytest.mark.parametrize("rule", ["closest", {"sensitivity": 0.9}, {"net_benefit": 0.1}])
def test_the_configuration_takes_every_rule(rule):
    user = {"study": "s", "cases": "cases.csv", "evaluation": {"threshold_rule": rule}}
    assert resolve_config(user)["evaluation"]["threshold_rule"] == rule
