"""Patients with several vertebrae: what a test must do however alike these are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.comparison.groups import patient_clusters as clusters
from pipeline.comparison.groups.clustered_tests import clustered_score_test
from pipeline.comparison.groups.group_tests import count_test

RNG = np.random.default_rng(12)


def rows_of(patients: int, most: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return patient, group (one a patient) and a value that is alike within a patient."""
    several = RNG.integers(1, most + 1, patients)
    patient = np.repeat(np.arange(patients), several)
    group = (np.arange(patients) % 2)[patient]
    value = RNG.normal(size=patients)[patient] + RNG.normal(size=len(patient)) / 2
    return patient, group, value


def counts_of(level: np.ndarray, group: np.ndarray) -> np.ndarray:
    counts = np.zeros((level.max() + 1, group.max() + 1), dtype=int)
    np.add.at(counts, (level, group), 1)
    return counts


def test_score_test_of_two_groups_is_the_known_one() -> None:
    patient, group, value = rows_of(60)
    found = clusters.clustered_test(value, group, patient, "gee-score")
    expected = clustered_score_test(value[:, None], group, patient)
    assert (found.statistic, found.p) == pytest.approx(expected)
    assert found.df == 1


def test_score_test_of_independent_rows_is_pearsons_up_to_n() -> None:
    """With a row a patient, the score test differs from Pearson's by terms of 1/n only."""
    n = 20_000
    level, group = RNG.integers(0, 3, n), RNG.integers(0, 3, n)
    columns = np.column_stack([level == 1, level == 2]).astype(float)
    found = clusters.clustered_test(columns, group, np.arange(n), "gee-score")
    counts = np.array(
        [[int(((level == a) & (group == b)).sum()) for b in range(3)] for a in range(3)]
    )
    assert found.df == 4
    assert found.statistic == pytest.approx(count_test(counts, "pearson").statistic, rel=0.05)


def test_rao_scott_of_independent_rows_is_pearsons() -> None:
    n = 4000
    level, group = RNG.integers(0, 3, n), RNG.integers(0, 2, n)
    found = clusters.rao_scott(level, group, np.arange(n))
    pearson = count_test(counts_of(level, group), "pearson")
    assert found.statistic * 2 == pytest.approx(pearson.statistic, rel=0.01)
    assert found.p == pytest.approx(pearson.p, rel=0.02)


def test_a_second_copy_of_every_row_changes_nothing() -> None:
    """Two vertebrae that always agree are one observation: Pearson would double."""
    level, group = RNG.integers(0, 3, 90), RNG.integers(0, 2, 90)
    patient = np.arange(90)
    twice = [np.tile(each, 2) for each in (level, group, patient)]
    once = clusters.rao_scott(level, group, patient)
    assert clusters.rao_scott(*twice).p == pytest.approx(once.p)
    assert clusters.rao_scott(*twice).statistic == pytest.approx(once.statistic)
    for test in ("gee-score", "permutation", "mancl-derouen"):
        value = RNG.normal(size=90)
        one = clusters.clustered_test(value, group, patient, test)
        two = clusters.clustered_test(np.tile(value, 2), twice[1], twice[2], test)
        assert two.p == pytest.approx(one.p, rel=1e-6)
    assert (
        count_test(counts_of(*twice[:2]), "pearson").p
        < count_test(counts_of(level, group), "pearson").p
    )


def test_permutation_of_single_rows_is_that_of_scipy() -> None:
    group = np.repeat([0, 1], (6, 5))
    value = RNG.normal(size=11) + group
    found = clusters.clustered_test(value, group, np.arange(11), "permutation")
    scipy = stats.permutation_test(
        (value[group == 0], value[group == 1]),
        lambda a, b: abs(a.mean() - b.mean()),
        n_resamples=np.inf,
        alternative="greater",
    )
    assert found.p == pytest.approx(scipy.pvalue, abs=0.015)


def test_mancl_and_derouen_is_wider_than_the_plain_sandwich() -> None:
    patient, group, value = rows_of(12)
    found = clusters.clustered_test(value, group, patient, "mancl-derouen")
    assert found.df == 10
    binary = (value > 0).astype(float)
    assert 0 < clusters.clustered_test(binary, group, patient, "mancl-derouen").p < 1
    score = clusters.clustered_test(value, group, patient, "gee-score")
    assert found.statistic**2 < score.statistic * 3


@pytest.mark.parametrize("test", ["gee-score", "permutation", "mancl-derouen"])
def test_no_difference_is_found_as_often_as_the_level_says(test: str) -> None:
    """A small run; docs/proofs.md has 2,000 of each."""
    runs, patients = (60 if test != "gee-score" else 300), (14 if test != "gee-score" else 60)
    p = []
    for _ in range(runs):
        patient, group, value = rows_of(patients)
        p.append(clusters.clustered_test(value, group, patient, test).p)
    found = float(np.mean(np.array(p) < 0.05))
    assert found < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / runs)


def test_the_choice_goes_by_patients() -> None:
    patient, group, _ = rows_of(100)
    assert clusters.choose_clustered(group, patient, None).test == "gee-score"
    patient, group, _ = rows_of(62)
    assert clusters.choose_clustered(group, patient, None).test == "permutation"
    mixed = np.arange(len(patient)) % 2
    patient, mixed = patient[:40], mixed[:40]
    assert clusters.choose_clustered(mixed, patient, 2).test == "rao-scott"
    assert clusters.choose_clustered(mixed, patient, None).test == "mancl-derouen"
    three = np.arange(len(patient)) % 3
    assert clusters.choose_clustered(three, patient, None).test == "gee-score"


def test_nothing_to_compare() -> None:
    patient = np.array([0, 0, 1, 2, 3, 4])
    group = np.array([0, 0, 0, 1, 1, 1])
    for test in ("gee-score", "permutation", "mancl-derouen"):
        assert np.isnan(clusters.clustered_test(np.ones(6), group, patient, test).p)
        assert np.isnan(clusters.clustered_test(np.arange(6.0), group * 0, patient, test).p)
    nobody = np.array([0, 0, 0, 1.0, 1, 1])
    assert np.isnan(clusters.clustered_test(nobody, group, patient, "mancl-derouen").p)
    assert np.isnan(clusters.rao_scott(group * 0, group, patient).p)
    mixed = clusters.clustered_test(np.arange(6.0), np.arange(6) % 2, patient, "permutation")
    assert np.isnan(mixed.p)
    assert mixed.note == "patients are in several groups"
