"""The population whose features hang together as real ones do."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from demo.feature_names import feature_names
from demo.population import STAND_IN, draw_population
from pipeline.comparison.agreement.concordance import lin_ccc
from pipeline.core.errors import StudyError
from tests.support.commands import run_here
from tests.support.refusals import refusal

SOME = feature_names()[:300]


@pytest.fixture(scope="module")
def population():
    return draw_population(0)


@pytest.fixture(scope="module")
def small():
    return draw_population(0, features=SOME)


@pytest.fixture(scope="module")
def cohort(population):
    return population.draw(856, 0, events=102)


def readings(cohort, reader):
    return cohort.tables.features[reader].drop(columns="case_id").to_numpy()


def shares(values):
    """Return the shares of the variance of the components, features standardised."""
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    share = np.linalg.svd(scaled, compute_uv=False) ** 2
    return share / share.sum()


def test_a_cohort_has_the_published_size(cohort):
    assert cohort.tables.outcome.sum() == 102
    assert len(cohort.tables.clinical) == 856
    assert readings(cohort, "A").shape == (856, 1223)


def test_equal_seeds_give_equal_cohorts_and_others_do_not(population, cohort):
    again = draw_population(0).draw(856, 0, events=102)
    pd.testing.assert_frame_equal(again.tables.features["B"], cohort.tables.features["B"])
    assert again.tables.truth == cohort.tables.truth
    other = population.draw(856, 1, events=102)
    assert other.tables.truth["radiomics"] == cohort.tables.truth["radiomics"]
    assert not np.array_equal(other.tables.outcome, cohort.tables.outcome)


def test_features_hang_together_as_real_ones_do(population):
    """Between what docs/proofs.md measures of real tables and of extracted synthetic CT."""
    for seed in range(3):
        cohort = draw_population(seed).draw(98, 5)
        values = readings(cohort, "A")
        share = shares(values).cumsum()
        assert 0.35 < share[2] < 0.8
        assert 0.55 < share[9] < 0.9
        likeness = np.abs(np.corrcoef(values, rowvar=False))
        np.fill_diagonal(likeness, 0)
        assert (likeness.max(axis=0) > 0.95).mean() > 0.6, "most features have a near-copy"
        assert 0.15 < np.median(likeness[np.triu_indices(len(likeness), 1)]) < 0.6


def test_readers_agree_on_a_part_of_the_features(cohort):
    ccc = lin_ccc(readings(cohort, "A"), readings(cohort, "B"))
    assert 0.55 < (ccc >= 0.85).mean() < 0.95
    assert ccc.min() < 0.75


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31 - 1))
def test_standard_normal_values_stay_so(seed):
    """Whatever is drawn, the shares of a feature's variance sum to one."""
    population = draw_population(seed, features=SOME)
    variance = (population.loadings**2).sum(axis=0) + population.own_sd**2
    assert variance == pytest.approx(np.ones(len(SOME)))
    assert len(set(population.planted)) == 5


def test_stated_correlations_are_those_of_the_values(small):
    """Rank correlations of readings; 20,000 patients: standard error 0.007."""
    population = small
    index = population.planted[0]
    cohort = population.draw(20_000, 9)
    table = cohort.tables.features["A"].drop(columns="case_id")
    nearest = np.argsort(-np.abs(population.correlation(index)))[:6]
    stated = np.abs(population.correlation(index)[nearest])
    agreement = 1 / (1 + population.measurement.noise_sd[nearest] ** 2)
    block = population.measurement.block_of
    common = np.where(
        block[nearest] == block[index], population.measurement.common_noise, 0.0
    ) * np.sqrt((1 - agreement) * (1 - agreement[0]))
    sign = np.sign(population.correlation(index)[nearest])
    expected = np.sqrt(agreement * agreement[0]) * stated + sign * common
    found = table.iloc[:, nearest].rank().corr().iloc[0].abs().to_numpy()
    # A rank correlation of normal values is (6 / pi) asin(r / 2); skewness does not change ranks.
    ranked = 6 / np.pi * np.arcsin(expected / 2)
    assert found[1:] == pytest.approx(np.abs(ranked[1:]), abs=0.03)


def test_outcome_follows_the_log_odds(small):
    cohort = small.draw(20_000, 4)
    outcome = cohort.tables.outcome
    expected = expit(cohort.log_odds)
    assert outcome.mean() == pytest.approx(expected.mean(), abs=4 * np.sqrt(0.1 / 20_000))
    assert outcome.mean() == pytest.approx(102 / 856, abs=0.012)
    # The AUROC that a calibrated prediction has, from the predictions alone.
    pairs = np.argsort(expected)
    p = expected[pairs]
    below = np.cumsum(1 - p) - (1 - p)
    theory = (p * below).sum() / (p.sum() * (1 - p).sum())
    assert roc_auc_score(outcome, cohort.log_odds) == pytest.approx(theory, abs=0.02)


def test_those_who_may_stand_in_are_listed(population, cohort):
    names = list(population.names)
    for entry in cohort.tables.truth["radiomics"]:
        likeness = np.abs(population.correlation(names.index(entry["feature"])))
        assert entry["block"][0] == entry["feature"]
        assert set(entry["block"]) == set(population.names[likeness >= STAND_IN])


def test_what_cannot_be_is_refused(population):
    with refusal("demo-events-impossible", StudyError):
        population.draw(30, 1, events=29)
    with refusal("demo-blocks-too-few", StudyError):
        draw_population(1, features=SOME[:3], n_planted=5)


def test_command_line_writes_what_the_configuration_names(tmp_path, repository):
    from pipeline.study.config import load_config

    sizes = ["--patients", "60", "--events", "8"]
    assert run_here("demo.population", "--out", tmp_path, *sizes).returncode == 0
    config = load_config([repository / "config" / "simulated.yaml"])
    for path in (*config["features"].values(), config["clinical"], config["dictionary"]):
        assert (tmp_path / path.split("/")[-1]).exists(), path
    clinical = pd.read_csv(tmp_path / "clinical.csv")
    assert ((clinical["vas_day3"] >= 4) & (clinical["vas_day30"] >= 4)).sum() == 8
