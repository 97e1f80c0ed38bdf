"""Obuchowski's variance: the definition, a printed study, DeLong's, a jackknife, simulation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models.scoring.clustered_auroc import (
    areas_with_covariance,
    clustered_covariance,
    enough_patients,
)
from models.scoring.delong import auroc_interval, delong_covariance
from models.scoring.metrics import auroc
from tests.support.refusals import refusal


def written_out(outcome, scores, patients):
    """Return areas and covariance by the loops of the paper, patient by patient, pair by pair."""

    def win(event: float, other: float) -> float:
        return 1.0 if event > other else 0.5 if event == other else 0.0

    events, others = np.flatnonzero(outcome == 1), np.flatnonzero(outcome == 0)
    names = sorted(set(patients))
    with_event = len({patients[i] for i in events})
    with_other = len({patients[i] for i in others})
    areas, sums = [], []
    for score in scores:
        area = sum(win(score[i], score[j]) for i in events for j in others)
        area /= len(events) * len(others)
        of_events, of_others = [], []
        for name in names:
            own = [i for i in events if patients[i] == name]
            total = sum(win(score[i], score[j]) for i in own for j in others) / len(others)
            of_events.append(total - len(own) * area)
            own = [j for j in others if patients[j] == name]
            total = sum(win(score[i], score[j]) for i in events for j in own) / len(events)
            of_others.append(total - len(own) * area)
        areas.append(area)
        sums.append((np.array(of_events), np.array(of_others)))
    m, n, k = len(events), len(others), len(names)
    covariance = np.empty((len(scores), len(scores)))
    for r, (e_r, o_r) in enumerate(sums):
        for s, (e_s, o_s) in enumerate(sums):
            s10 = with_event / ((with_event - 1) * m) * (e_r * e_s).sum()
            s01 = with_other / ((with_other - 1) * n) * (o_r * o_s).sum()
            s11 = k / (k - 1) * (e_r * o_s).sum()
            s11_turned = k / (k - 1) * (e_s * o_r).sum()
            covariance[r, s] = s10 / m + s01 / n + (s11 + s11_turned) / (m * n)
    return np.array(areas), covariance


# Few patients and few distinct scores: mixed patients, ties and lone units are the rule.
clustered_sample = st.integers(6, 24).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
        st.lists(st.integers(0, 4), min_size=n, max_size=n),
        st.lists(st.integers(0, 9), min_size=n, max_size=n),
        st.lists(st.integers(0, 6), min_size=n, max_size=n),
    )
)


def taken(sample):
    outcome = np.array([1, 1, 0, 0, *sample[0][4:]])
    patients = np.array([0, 1, 0, 2, *sample[3][4:]])
    return outcome, np.array([sample[1], sample[2]], float), patients


@given(clustered_sample)
def test_equals_the_papers_formulas_written_out(sample):
    outcome, scores, patients = taken(sample)
    areas, covariance = clustered_covariance(outcome, scores, patients)
    expected_areas, expected = written_out(outcome, scores, patients)
    np.testing.assert_allclose(areas, expected_areas, atol=1e-12)
    np.testing.assert_allclose(covariance, expected, atol=1e-12)


@given(clustered_sample)
def test_one_unit_a_patient_is_delongs(sample):
    outcome, scores, _ = taken(sample)
    areas, covariance = clustered_covariance(outcome, scores, np.arange(len(outcome)))
    expected_areas, expected = delong_covariance(outcome, scores)
    np.testing.assert_allclose(areas, expected_areas, atol=1e-12)
    np.testing.assert_allclose(covariance, expected, atol=1e-12)


@given(clustered_sample, st.integers(2, 4))
def test_copies_of_patients_units_add_no_information(sample, copies):
    outcome, scores, patients = taken(sample)
    one = clustered_covariance(outcome, scores, patients)
    more = clustered_covariance(
        np.repeat(outcome, copies), np.repeat(scores, copies, axis=1), np.repeat(patients, copies)
    )
    for expected, found in zip(one, more, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def draw(rng: np.random.Generator, patients: int, units: int) -> tuple[np.ndarray, ...]:
    """Draw units of patients who share much of their score and, in part, of their outcome."""
    owner = np.repeat(np.arange(patients), units)
    prone = rng.normal(size=patients)[owner]
    outcome = (prone + rng.normal(size=owner.size) > 0.8).astype(int)
    level = rng.normal(size=patients)[owner]
    score = 0.9 * outcome + level + 0.5 * rng.normal(size=owner.size)
    return outcome, score, owner


def test_agrees_with_the_jackknife_over_patients():
    # The jackknife of an area over patients estimates the same variance by another road; they
    # differ by terms of order 1 / patients.
    outcome, score, owner = draw(np.random.default_rng(4), 150, 3)
    variance = clustered_covariance(outcome, score, owner)[1][0, 0]
    left_out = [auroc(outcome[owner != p], score[owner != p]) for p in range(150)]
    jackknife = 149 / 150 * np.sum((left_out - np.mean(left_out)) ** 2)
    assert variance == pytest.approx(jackknife, rel=0.03)
    assert variance > 1.3 * delong_covariance(outcome, score)[1][0, 0]


def test_interval_covers_the_true_area_where_delongs_is_too_narrow():
    # The true area, from one draw of 40,000 patients; 95% of 300 samples, Monte Carlo SE .0126.
    big = draw(np.random.default_rng(1), 40_000, 3)
    truth = auroc(*big[:2])
    rng, covered = np.random.default_rng(2), np.zeros(2)
    for _ in range(300):
        outcome, score, owner = draw(rng, 60, 3)
        for which, found in enumerate(
            [clustered_covariance(outcome, score, owner), delong_covariance(outcome, score)]
        ):
            low, high = auroc_interval(float(found[0][0]), float(found[1][0, 0]), 0.95)
            covered[which] += low <= truth <= high
    assert 0.90 <= covered[0] / 300 <= 0.99
    assert covered[1] / 300 < 0.90


def test_the_difference_of_two_models_of_one_patient_is_sharper_than_either():
    rng = np.random.default_rng(6)
    outcome, score, owner = draw(rng, 200, 3)
    other = score + 0.3 * rng.normal(size=score.size)
    _, covariance, method = areas_with_covariance(outcome, np.array([score, other]), owner)
    assert method == "Obuchowski"
    error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert error < 0.5 * math.sqrt(covariance[0, 0])
    resampled = []
    for _ in range(400):
        drawn = np.bincount(rng.integers(0, 200, 200), minlength=200)[owner]
        resampled.append(auroc(outcome, score, drawn) - auroc(outcome, other, drawn))
    # The standard deviation of 400 draws has a relative error of 3.5%.
    assert error == pytest.approx(np.std(resampled, ddof=1), rel=0.15)


def test_independent_units_take_delong():
    outcome, score, _ = draw(np.random.default_rng(3), 60, 1)
    areas, covariance, method = areas_with_covariance(outcome, score, np.arange(60))
    assert method == "DeLong"
    expected = delong_covariance(outcome, score)
    assert areas == pytest.approx(expected[0])
    assert covariance == pytest.approx(expected[1])


def test_events_of_one_patient_have_no_variance():
    outcome, patients = np.array([1, 1, 0, 0]), np.array(["a", "a", "b", "c"])
    assert not enough_patients(outcome, patients)
    with refusal("obuchowski-too-few") as caught:
        clustered_covariance(outcome, np.array([0.5, 0.2, 0.1, 0.3]), patients)
    assert caught.value.found == "1 with an event, 2 with a non-event"
    assert enough_patients(np.array([1, 1, 0, 0]), np.array(["a", "b", "b", "c"]))


def test_the_printed_errors_of_a_study_of_five_readers():
    """Table 4 of Tabata et al., Diagn Pathol 2019;14:65 (tests/golden/README.md).

    Ten areas, of five pathologists at the microscope and at a scanner, and their covariances, from
    which Obuchowski and Rockette's analysis of readers (Hillis, Stat Med 2014;33:330-360) makes
    what is printed. Each candidate is a cluster of its own there, so that the third component of
    the variance is not in it.
    """
    table = pd.read_csv(Path(__file__).parents[2] / "golden" / "mitotic_figures.csv", dtype=str)
    marks = table["microscope"] + table["scanner_a"]
    scores = np.array([[float(mark) for mark in row] for row in marks]).T
    candidates = np.arange(len(table))
    areas, covariance = clustered_covariance(table["truth"].to_numpy(int), scores, candidates)
    printed = [0.764, 0.778, 0.806, 0.842, 0.802, 0.713, 0.700, 0.704, 0.691, 0.698]
    assert areas == pytest.approx(printed, abs=5e-4)

    readers = 5
    others = ~np.eye(readers, dtype=bool)
    microscope, scanner = slice(0, readers), slice(readers, 2 * readers)
    for which, mean, error, low, high in (
        (microscope, 0.798, 0.021, 0.754, 0.842),
        (scanner, 0.701, 0.021, 0.659, 0.743),
    ):
        of_readers = np.var(areas[which], ddof=1)
        spread = of_readers + readers * covariance[which, which][others].mean()
        found = math.sqrt(spread / readers)
        half = found * stats.t.ppf(0.975, (readers - 1) * spread**2 / of_readers**2)
        assert areas[which].mean() == pytest.approx(mean, abs=5e-4)
        assert found == pytest.approx(error, abs=5e-4)
        assert areas[which].mean() - half == pytest.approx(low, abs=5e-4)
        assert areas[which].mean() + half == pytest.approx(high, abs=5e-4)

    # The difference of the two ways of looking: P = 0.001.
    by_way = areas.reshape(2, readers)
    interaction = by_way - by_way.mean(axis=1, keepdims=True) - by_way.mean(axis=0) + areas.mean()
    residual = (interaction**2).sum() / (readers - 1)
    within = (covariance[microscope, microscope] + covariance[scanner, scanner])[others].mean() / 2
    spread = residual + readers * (within - covariance[scanner, microscope][others].mean())
    between = readers * np.var(by_way.mean(axis=1), ddof=1)
    df = (readers - 1) * spread**2 / residual**2
    assert stats.f.sf(between / spread, 1, df) == pytest.approx(0.001, abs=5e-4)
