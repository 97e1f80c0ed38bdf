"""The minimum sample size: published examples, the criteria solved backwards, the note."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from models.sample_size import (
    candidate_parameters,
    describe_sample_size,
    largest_r2,
    minimum_sample_size,
)
from models.transformers.columns import Columns, Predictor
from tests.support.refusals import refusal


@pytest.mark.parametrize(
    ("parameters", "prevalence", "r2", "shrinkage", "optimism", "risk"),
    [
        # The binary examples that the R package pmsampsize is tested with
        # (tests/testthat/test_bin.R since version 1.1); the first is the Chagas disease of Riley et
        # al., Stat Med 2019;38:1276-1296, whose abstract prints its 4.8 events per parameter.
        (24, 0.174, 0.288, 623, 662, 221),
        (24, 0.174, 0.55, 255, 532, 221),
        (36, 0.174, 0.288, 934, 992, 221),
        (24, 0.25, 0.288, 623, 590, 289),
    ],
)
def test_the_examples_of_pmsampsize(parameters, prevalence, r2, shrinkage, optimism, risk):
    found = minimum_sample_size(parameters, prevalence, r2)
    needed = max(shrinkage, optimism, risk)
    assert found == {
        "shrinkage": shrinkage,
        "optimism": optimism,
        "risk": risk,
        "needed": needed,
    }


def test_the_published_events_per_parameter():
    found = minimum_sample_size(24, 0.174, 0.288)
    assert found["needed"] * 0.174 / 24 == pytest.approx(4.8, abs=0.005)


def test_a_rare_outcome_by_hand():
    # 5% events, 30 parameters: the largest R2 is 1 - (0.05^0.05 x 0.95^0.95)^2 = 0.328, 15% of it
    # about 0.05. Shrinkage asks for 30 / (0.1 x -ln(1 - 0.05 / 0.9)) = 30 / 0.0057158 = 5248.6
    # patients, 262.45 of them events; the overall risk for (1.96 / 0.05)^2 x 0.05 x 0.95 = 72.99.
    assert largest_r2(0.05) == pytest.approx(0.328, abs=0.0005)
    assert 0.15 * largest_r2(0.05) == pytest.approx(0.05, abs=0.001)
    found = minimum_sample_size(30, 0.05, 0.05)
    assert found["shrinkage"] == found["needed"] == 5249
    assert math.ceil(found["needed"] * 0.05) == 263
    assert found["risk"] == 73


@pytest.mark.parametrize(("parameters", "prevalence", "r2"), [(20, 0.12, 0.06), (1200, 0.3, 0.1)])
def test_the_sizes_meet_their_criteria_and_one_patient_less_does_not(parameters, prevalence, r2):
    found = minimum_sample_size(parameters, prevalence, r2)

    def shrinkage(n: int) -> float:
        """Solve n = p / ((S - 1) ln(1 - r2 / S)) for S, by bisection."""
        low, high = r2 * (1 + 1e-9), 1 - 1e-12
        for _ in range(200):
            middle = (low + high) / 2
            needs = parameters / ((middle - 1) * math.log(1 - r2 / middle))
            low, high = (middle, high) if needs < n else (low, middle)
        return low

    assert shrinkage(found["shrinkage"]) >= 0.9 - 1e-9
    assert shrinkage(found["shrinkage"] - 1) < 0.9
    # Optimism of R2 is R2 / S - R2, on Nagelkerke's scale divided by the largest R2.
    optimism = (r2 / shrinkage(found["optimism"]) - r2) / largest_r2(prevalence)
    assert optimism <= 0.05 + 1e-9
    margin = 1.96 * math.sqrt(prevalence * (1 - prevalence) / found["risk"])
    assert margin <= 0.05


@pytest.mark.parametrize(
    ("parameters", "prevalence", "r2"), [(0, 0.2, 0.1), (5, 0.0, 0.1), (5, 0.05, 0.4)]
)
def test_what_cannot_be_is_refused(parameters, prevalence, r2):
    with refusal("development-size-invalid"):
        minimum_sample_size(parameters, prevalence, r2)


def test_a_model_near_perfection_needs_little():
    found = minimum_sample_size(3, 0.5, 0.74)
    assert found["needed"] == found["risk"] == 385


def columns() -> Columns:
    return Columns(
        readers=("A",),
        model_reader=None,
        features=("f1", "f2", "f3"),
        predictors=(
            Predictor("age", "Age", "continuous"),
            Predictor("cause", "Cause", "categorical", ("none", "fall", "lift")),
        ),
    )


def test_the_note_counts_features_numbers_and_levels_but_the_first():
    assert candidate_parameters(columns()) == 3 + 1 + 2
    training = pd.DataFrame({"patient_id": ["a", "a", *range(98)], "outcome": [1] * 80 + [0] * 20})
    infos = [
        {"model": "lr", "label": "LR", "features": ["f1", "age"]},
        {"model": "rf", "label": "RF", "features": []},
    ]
    note = describe_sample_size(columns(), training, infos, 0.15)
    assert (note["rows"], note["patients"], note["events"]) == (100, 99, 20)
    assert note["prevalence"] == 79 / 99
    assert note["r2"] == pytest.approx(0.15 * largest_r2(79 / 99))
    candidates, lr, rf = note["counts"]
    assert candidates["parameters"] == 6
    assert candidates["events_per_parameter"] == pytest.approx(20 / 6)
    assert lr["events_per_parameter"] == 10
    assert candidates["needed"] == minimum_sample_size(6, 79 / 99, note["r2"])["needed"]
    assert candidates["needed_events"] == math.ceil(20 / 99 * candidates["needed"])
    assert rf == {"what": "rf", "label": "RF", "parameters": 0}


def test_where_every_patient_has_an_event_no_criterion_applies():
    rows = pd.DataFrame({"patient_id": [1, 1, 2, 2, 3], "outcome": [1, 0, 0, 1, 1]})
    note = describe_sample_size(columns(), rows, [], 0.15)
    assert (note["events"], note["prevalence"], note["r2"]) == (0, 1, None)
    assert note["counts"] == [{"what": "candidates", "label": "All candidates", "parameters": 6}]


def test_more_rows_of_the_same_patients_change_nothing():
    """Several vertebrae of a patient are no further patients, whatever their outcomes."""
    patients = pd.DataFrame({"patient_id": range(60), "outcome": [1] * 12 + [0] * 48})
    more = patients.head(30).assign(outcome=0)
    note, other = (
        describe_sample_size(columns(), rows, [], 0.15)
        for rows in (patients, pd.concat([patients, more, more]))
    )
    assert other == note | {"rows": 120}
