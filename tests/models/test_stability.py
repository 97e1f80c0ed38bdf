import copy
import itertools

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models import stability
from models.split import split_table
from models.stability import permuted_outcome, select_repeatedly, stability_of, subsamples
from models.transformers.chain import selection_chain, signature_of
from models.transformers.columns import Columns, candidates_of
from pipeline.core.files import read_json, read_table, write_json, write_table
from tests.support.options import typed

RESAMPLES, PERMUTATIONS = 10, 2


@pytest.fixture(scope="module")
def config(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["study"] = "stability"
    config["selection"]["mrmr"]["k"] = 5
    config["stability"] = {"resamples": RESAMPLES, "share": 0.8, "permutations": PERMUTATIONS}
    return config


@pytest.fixture(scope="module")
def study(config):
    table, info = simulate_tables(160, 3, features=feature_names()[:60]).analysis()
    split = split_table(table, typed(config).split, config["seed"])
    return Columns.from_info(info), table, info, split


@pytest.fixture(scope="module")
def training(study):
    _, table, _, split = study
    return table[split["part"] == "train"].reset_index(drop=True)


@pytest.fixture(scope="module")
def repeated(study, training, config):
    return select_repeatedly(study[0], training, typed(config))


def test_the_index_by_hand():
    # Three selections of four candidates: frequencies 1, 2/3, 1/3, 0; sizes 2, 2, 2.
    chosen = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]])
    # Variances 3/2 f (1 - f): 0, 1/3, 1/3, 0, mean 1/6; by chance 1/2 x 1/2.
    assert stability_of(chosen).index == pytest.approx(1 - (1 / 6) / (1 / 4))
    # Jaccard of the pairs: 1, 1/3, 1/3.
    assert stability_of(chosen).jaccard == pytest.approx(5 / 9)


def test_equal_selections_are_stable_and_complements_are_not():
    equal = np.tile([True, True, False, False, False], (6, 1))
    found = stability_of(equal)
    assert (found.index, found.jaccard) == (1, 1)
    # That six draws agreed does not say that the seventh will.
    assert np.isnan([found.low, found.high]).all()
    # Two selections without any in common: the least that two can reach, -1 at half the size.
    apart = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])
    assert stability_of(apart).index == pytest.approx(-1)
    assert stability_of(apart).jaccard == 0


def test_what_is_never_or_always_chosen_has_no_index():
    for value in (False, True):
        same = np.full((4, 3), value)
        assert np.isnan(stability_of(same).index)
        assert stability_of(same).jaccard == 1
    assert np.isnan(stability_of(np.ones((1, 3))).jaccard)
    assert np.isnan(stability_of(np.zeros((3, 0))).index)


@settings(max_examples=60)
@given(st.integers(2, 8), st.integers(1, 6), st.integers(0, 10**6))
def test_for_selections_of_one_size_it_is_the_mean_of_kunchevas_index(count, size, seed):
    rng, candidates = np.random.default_rng(seed), 9
    sets = [rng.choice(candidates, size, replace=False) for _ in range(count)]
    chosen = np.array([np.isin(np.arange(candidates), names) for names in sets])
    expected = size**2 / candidates
    kuncheva = [
        (len(set(a) & set(b)) - expected) / (size - expected)
        for a, b in itertools.combinations(sets, 2)
    ]
    assert stability_of(chosen).index == pytest.approx(np.mean(kuncheva))


@settings(max_examples=60)
@given(st.integers(2, 8), st.integers(2, 9), st.integers(0, 10**6))
def test_limits_lie_within_the_range_of_the_index(count, candidates, seed):
    found = stability_of(np.random.default_rng(seed).random((count, candidates)) < 0.5)
    if not np.isnan(found.low):
        assert -1 / (count - 1) <= found.low <= found.high <= 1


def test_random_selections_have_an_index_of_zero_inside_its_interval():
    """The interval covers 0 in about 95 of 100 repetitions of 40 random selections."""
    rng = np.random.default_rng(1)
    covered, indices = 0, []
    for _ in range(100):
        found = stability_of(rng.random((40, 100)) < 0.2)
        covered += found.low <= 0 <= found.high
        indices.append(found.index)
    assert np.mean(indices) == pytest.approx(0, abs=0.002)
    assert covered >= 88


def test_subsamples_hold_whole_patients_of_both_outcomes(training):
    doubled = pd.concat([training, training], ignore_index=True)
    outcome = doubled["outcome"].to_numpy()
    drawn = subsamples(doubled, outcome, 0.8, 5, 1)
    events = training["outcome"].sum()
    for rows in drawn:
        part = doubled.iloc[rows]
        assert (part.groupby("patient_id").size() == 2).all()
        assert part["patient_id"].nunique() == round(0.8 * events) + round(
            0.8 * (len(training) - events)
        )
        assert part["outcome"].sum() == 2 * round(0.8 * events)
    assert not np.array_equal(drawn[0], drawn[1])
    # One event is enough to be in every subsample.
    rare = (doubled["patient_id"] == doubled["patient_id"][0]).to_numpy(int)
    assert all(rare[rows].sum() == 2 for rows in subsamples(doubled, rare, 0.5, 4, 1))


def test_outcomes_are_dealt_among_patients_of_equally_many_rows():
    patients = ["a", "a", "b", "b", "c", "c", "d", "e", "f"]
    outcome = [1, 1, 0, 0, 0, 0, 1, 0, 0]
    table = pd.DataFrame({"patient_id": patients, "outcome": outcome})
    seen = set()
    for seed in range(30):
        permuted = permuted_outcome(table, seed)
        assert permuted[:6].sum() == 2
        assert permuted[6:].sum() == 1
        assert (permuted[:6:2] == permuted[1:6:2]).all()
        seen.add(tuple(permuted))
    assert len(seen) == 9


def test_a_subsample_chooses_as_the_chain_does(study, training, config, repeated):
    columns = study[0]
    table, _ = repeated
    y = training["outcome"].to_numpy()
    chain = selection_chain(columns, typed(config)).fit(columns.take(training), y)
    chosen = set(candidates_of(columns, signature_of(chain)))
    assert set(table.loc[table["selected"], "feature"]) == chosen
    seed = stability.derive_seed(config["seed"], "stability")
    often = pd.Series(0, index=table["feature"])
    for rows in subsamples(training, y, 0.8, RESAMPLES, seed):
        chain = selection_chain(columns, typed(config))
        chain.fit(columns.take(training.iloc[rows]), y[rows])
        often[candidates_of(columns, signature_of(chain))] += 1
    np.testing.assert_allclose(table["frequency"], often / RESAMPLES)


def test_what_is_planted_is_chosen_more_stably_than_noise(repeated):
    table, facts = repeated
    assert list(table.columns) == [
        *("feature", "block", "frequency", "frequency_permuted", "selected")
    ]
    assert set(facts["blocks"]) == {"radiomics", "clinical"}
    radiomics = facts["blocks"]["radiomics"]
    assert radiomics["candidates"] == 60
    assert radiomics["low"] < radiomics["index"] < radiomics["high"]
    assert radiomics["permuted_index"] < radiomics["index"]
    low, high = radiomics["permuted_index_low"], radiomics["permuted_index_high"]
    assert low < high < radiomics["low"]
    assert radiomics["permuted_index"] == pytest.approx((low + high) / 2)
    assert table["frequency"].max() > table["frequency_permuted"].max()


def test_noise_is_not_taken_for_features(study, training, config):
    """With permuted outcomes as the real ones, hardly a feature may pass for more than noise."""
    columns = study[0].without_blocks("clinical")
    noise = training.assign(outcome=permuted_outcome(training, 11))
    table, facts = select_repeatedly(columns, noise, typed(config))
    highest = facts["blocks"]["radiomics"]["permuted_highest"]
    above_mean = (table["frequency"] > table["frequency_permuted"].max()).sum()
    assert (table["frequency"] > highest).sum() < above_mean
    assert highest > table["frequency_permuted"].max()


def test_the_result_does_not_depend_on_the_number_of_processes(study, training, config, repeated):
    # The first import of scientific libraries in two processes is most of the time.
    table, facts = select_repeatedly(study[0], training, typed(config), workers=2)
    pd.testing.assert_frame_equal(table, repeated[0])
    assert facts | {"seconds": 0} == repeated[1] | {"seconds": 0}


def test_without_permutations_there_is_no_reference(study, training, config):
    small = copy.deepcopy(config)
    small["stability"] |= {"resamples": 3, "permutations": 0}
    table, facts = select_repeatedly(study[0].without_blocks("clinical"), training, typed(small))
    assert table["frequency_permuted"].isna().all()
    assert list(facts["blocks"]) == ["radiomics"]
    assert facts["blocks"]["radiomics"]["permuted_index"] is None
    assert facts["blocks"]["radiomics"]["permuted_index_high"] is None


def test_the_command_writes_the_table_and_its_facts(study, config, tmp_path):
    _, table, info, split = study
    write_table(table, tmp_path / "analysis.parquet")
    write_json(info, tmp_path / "analysis.json")
    write_table(split, tmp_path / "split.parquet")
    small = copy.deepcopy(config)
    small["stability"] |= {"resamples": 3, "permutations": 1}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(small), encoding="utf-8")

    class Options:
        study, workers = tmp_path, 1
        analysis, info = tmp_path / "analysis.parquet", tmp_path / "analysis.json"
        split = tmp_path / "split.parquet"
        out, json = tmp_path / "stability.parquet", tmp_path / "stability.json"

    stability.main(Options)
    assert len(read_table(Options.out)) == 60 + len(info["predictors"])
    assert list(read_json(Options.json)) == [
        *("resamples", "share", "permutations", "blocks", "seconds", "notes"),
    ]
