"""The table-only study and the truth behind it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, hypergeom, mannwhitneyu

from demo import cohort
from demo.feature_names import feature_names, image_types
from demo.tables import READERS, simulate_tables
from pipeline.comparison.agreement.concordance import lin_ccc
from pipeline.core.errors import StudyError
from tests.support.commands import run_here
from tests.support.refusals import refusal


@pytest.fixture(scope="module")
def tables():
    return simulate_tables(300, 7)


def values(tables, reader: str) -> np.ndarray:
    return tables.features[reader].drop(columns="case_id").to_numpy()


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
def test_names_are_those_that_pyradiomics_prints(repository):
    """A real extraction with the published parameters, on a small made region."""
    import SimpleITK as sitk
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    rng = np.random.default_rng(0)
    image = sitk.GetImageFromArray(rng.normal(0, 100, (20, 20, 20)))
    mask = np.zeros((20, 20, 20), dtype=np.uint8)
    mask[7:13, 7:13, 7:13] = 1
    extractor = RadiomicsFeatureExtractor(str(repository / "radiomics_params" / "ge2025.yaml"))
    found = extractor.execute(image, sitk.GetImageFromArray(mask))
    assert tuple(found) == feature_names()
    assert len(feature_names()) == 14 + 93 * 13
    assert len(image_types()) == 13


def test_equal_seeds_give_equal_tables_and_others_do_not(tables):
    again = simulate_tables(300, 7)
    other = simulate_tables(300, 8)
    for reader in READERS:
        pd.testing.assert_frame_equal(tables.features[reader], again.features[reader])
    pd.testing.assert_frame_equal(tables.clinical, again.clinical)
    assert tables.truth == again.truth
    assert tables.planted_features != other.planted_features


def test_tables_have_the_shape_of_the_published_extraction(tables):
    for reader in READERS:
        table = tables.features[reader]
        assert table.shape == (300, 1 + 1223)
        assert table.columns[0] == "case_id"
        assert np.isfinite(values(tables, reader)).all()
        assert (table["case_id"] == tables.clinical["case_id"]).all()
    assert set(tables.clinical.columns) == set(tables.dictionary["column"])


def test_formula_gives_the_outcome_back_and_everyone_is_eligible(tables):
    table = tables.clinical
    by_formula = ((table["vas_day3"] >= 4) & (table["vas_day30"] >= 4)).astype(int)
    assert (by_formula == tables.outcome).all()
    assert (table["age"] >= 50).all()
    assert (table["malignancy"] == "no").all()


def test_values_are_missing_as_stated_and_nowhere_else():
    table = simulate_tables(2000, 3, features=feature_names()[:20]).clinical
    missing = table.isna().mean()
    assert set(missing.index[missing > 0]) == set(cohort.MISSING_SHARE)
    for column, share in cohort.MISSING_SHARE.items():
        # 5 standard deviations of a share of 2000.
        assert missing[column] == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / 2000))


def test_readers_agree_on_a_part_of_the_features(tables):
    ccc = lin_ccc(values(tables, "A"), values(tables, "B"))
    assert 0.5 < (ccc >= 0.85).mean() < 0.95
    assert ccc.min() < 0.6
    names = list(tables.features["A"].columns[1:])
    assert all(ccc[names.index(name)] >= 0.85 for name in tables.planted_features)


def test_relatives_may_stand_in_and_strangers_may_not(tables):
    table = tables.features["A"]
    planted = set(tables.planted_features)
    assert len(planted) == 5
    for block in tables.planted_blocks:
        first, *relatives = block
        assert first in planted
        assert len(relatives) == 2
        likeness = table[block].corr(method="spearman").abs()[first]
        assert (likeness[relatives] > 0.45).all()
        strangers = set().union(*map(set, tables.planted_blocks)) - set(block)
        assert table[sorted(strangers)].corrwith(table[first], method="spearman").abs().max() < 0.3


def test_planted_features_stand_out_over_many_seeds():
    """Of the 20 features with the smallest P values, more are planted than chance explains."""
    hits, chance = 0, []
    for seed in range(10):
        tables = simulate_tables(200, seed)
        y = tables.outcome == 1
        x = values(tables, "A")
        p = mannwhitneyu(x[y], x[~y]).pvalue
        names = tables.features["A"].columns[1:]
        hits += len(set(names[np.argsort(p)[:20]]) & set(tables.planted_features))
        chance.append(hypergeom(len(names), 5, 20).mean())
    # Fifty planted features; a binomial bounds the hypergeometric's tail from above.
    assert binom.sf(hits - 1, 50, np.sum(chance) / 50) < 1e-6


def test_without_planted_features_none_stands_out():
    shares = []
    for seed in range(10):
        tables = simulate_tables(200, seed, n_planted=0)
        y = tables.outcome == 1
        x = values(tables, "A")
        shares.append((mannwhitneyu(x[y], x[~y]).pvalue < 0.1).mean())
    error = np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert np.mean(shares) == pytest.approx(0.1, abs=4 * error)
    assert tables.planted_features == []


def test_planted_clinical_columns_act_in_the_stated_direction():
    tables = simulate_tables(4000, 1, features=feature_names()[:20])
    table, outcome = tables.clinical, tables.outcome
    assert tables.planted_clinical == ["pfo", "trauma", "bone_density_t"]
    for column in ("pfo", "trauma"):
        yes = (table[column] == "yes").to_numpy()
        assert outcome[yes].mean() > outcome[~yes].mean() + 0.1
    known = table["bone_density_t"].notna().to_numpy()
    assert np.corrcoef(table["bone_density_t"][known], outcome[known])[0, 1] < -0.1
    assert outcome.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 4000))


def test_analysis_has_the_columns_of_the_contract(tables):
    analysis, info = tables.analysis("mean")
    assert list(analysis.columns[:4]) == ["unit_id", "patient_id", "outcome", "level"]
    assert info["readers"] == ["A", "B"]
    assert info["model_reader"] == "mean"
    for reader in READERS:
        assert {f"{reader}:{name}" for name in info["features"]} <= set(analysis.columns)
    assert {row["timing"] for row in info["predictors"]} == {"preoperative"}
    assert "odi_day30" not in {row["column"] for row in info["predictors"]}
    json.dumps(info, allow_nan=False)


def test_too_few_patients_or_features_are_refused():
    with refusal("demo-patients-count", StudyError, match="Found: 19"):
        simulate_tables(19, 1)
    with refusal("demo-blocks-too-few", StudyError, match="block of 3 features"):
        simulate_tables(50, 1, features=feature_names()[:10])


def test_command_line_writes_what_the_configuration_names(tmp_path, repository):
    from pipeline.study.config import load_config

    assert run_here("demo.tables", "--out", tmp_path, "--patients", "30").returncode == 0
    config = load_config([repository / "config" / "demo-tables.yaml"])
    for path in (*config["features"].values(), config["clinical"], config["dictionary"]):
        assert (tmp_path / path.split("/")[-1]).exists(), path
    features = pd.read_parquet(tmp_path / "features_A.parquet")
    clinical = pd.read_csv(tmp_path / "clinical.csv", dtype=str)
    assert features["case_id"].tolist() == clinical["case_id"].tolist()
    assert clinical["patient_id"].iloc[0] == "0001"
