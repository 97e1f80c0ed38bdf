"""Families of features on constructions whose answer is known."""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import rankdata

from pipeline import reproducibility
from pipeline.comparison.agreement.feature_families import (
    COLUMNS,
    describe_families,
    deviations,
    dice_of,
)
from pipeline.comparison.rank_correlation import mean_ranks, spearman_interval
from pipeline.core.files import read_table, write_table
from pipeline.reproducibility import describe_agreement, paired_readings
from pipeline.tables.schemas.images.agreement import Agreement
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled

STABLE = ["original_shape_Sphericity", "original_glcm_Idm"]
MOVED = ["wavelet-HHH_glcm_Idm", "wavelet-HHH_glszm_ZoneEntropy"]
CASES = [f"{number:03d}-L1" for number in range(40)]


def cohort(link: float = 1.0, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return features of A and B and their agreement.

    Stable features differ by chance alone. Moved ones differ the more, the poorer the overlap
    (`link` 1), or just as much without it (0).
    """
    rng = np.random.default_rng(seed)
    dice = rng.uniform(0.6, 0.98, len(CASES))
    names = STABLE + MOVED
    truth = rng.normal(size=(len(CASES), len(names)))
    miss = link * (1 - dice) * 10 + (1 - link) * rng.uniform(0.2, 4, len(CASES))
    error = np.where(np.isin(names, MOVED), miss[:, None], 0.02 * rng.uniform(size=truth.shape))
    tables = [
        pd.DataFrame(values, columns=names).assign(case_id=CASES, reader=reader)
        for reader, values in (("A", truth), ("B", truth + error))
    ]
    agreement = pd.DataFrame(
        {"case_id": CASES, "reader_a": "A", "reader_b": "B", "comparison": "readers", "dice": dice}
    )
    return pd.concat(tables, ignore_index=True), agreement


def families_of(features: pd.DataFrame, agreement: pd.DataFrame) -> pd.DataFrame:
    readers = ["A", "B"]
    described = describe_agreement(features, readers)
    deviation = deviations(*paired_readings(features, readers))
    table = describe_families(described, deviation, dice_of(agreement, readers), 0.85)
    return table.set_index(
        [table["image_type"].fillna("all"), table["feature_class"].fillna("all")]
    )


def test_families_are_counted_and_the_unstable_one_is_found():
    table = families_of(*cohort())
    assert list(table.columns) == list(COLUMNS)
    assert table["features"].to_dict() == {
        ("all", "all"): 4,
        ("original", "all"): 2,
        ("wavelet-HHH", "all"): 2,
        ("all", "glcm"): 2,
        ("all", "glszm"): 1,
        ("all", "shape"): 1,
        ("original", "glcm"): 1,
        ("original", "shape"): 1,
        ("wavelet-HHH", "glcm"): 1,
        ("wavelet-HHH", "glszm"): 1,
    }
    assert table.loc[("original", "all"), "stable_share"] == 1
    assert table.loc[("wavelet-HHH", "all"), "stable_share"] == 0
    assert table.loc[("all", "glcm"), "stable_share"] == 0.5
    assert (table["cases"] == len(CASES)).all()


def test_deviation_follows_overlap_where_it_was_made_to():
    table = families_of(*cohort(link=1))
    moved = table.loc[("wavelet-HHH", "all")]
    # The deviation falls with Dice, case by case, without chance: the ranks are exactly reversed.
    assert moved["dice_rho"] == pytest.approx(-1)
    assert np.isnan(moved["dice_rho_low"])
    stable = table.loc[("original", "all")]
    assert stable["dice_rho_low"] < 0 < stable["dice_rho_high"]
    assert moved["deviation_median"] > 20 * stable["deviation_median"]


def test_deviation_without_overlap_to_blame():
    hits = []
    for seed in range(20):
        rho = families_of(*cohort(link=0, seed=seed)).loc[("wavelet-HHH", "all")]
        hits.append(rho["dice_rho_low"] <= 0 <= rho["dice_rho_high"])
    assert sum(hits) >= 17


def test_deviation_has_no_unit():
    features, _ = cohort()
    names = STABLE + MOVED
    plain = deviations(*paired_readings(features, ["A", "B"]))
    features[names] = features[names] * [1e-9, 3, 1e12, 5] + [0, 7, 1e12, 7]
    pd.testing.assert_frame_equal(deviations(*paired_readings(features, ["A", "B"])), plain)
    features[STABLE[0]] = 5.0
    constant = deviations(*paired_readings(features, ["A", "B"]))
    assert constant[STABLE[0]].isna().all()


def test_of_several_readers_deviation_and_dice_are_means_over_the_pairs():
    readers = [pd.DataFrame({"x": values}) for values in ([0.0, 2.0], [1.0, 3.0], [2.0, 4.0])]
    # Apart by 1, 2 and 1 in each case; means of the readings 1 and 3, of standard deviation sqrt 2.
    assert deviations(*readers)["x"].tolist() == pytest.approx([4 / 3 / 2**0.5] * 2)
    rows = [("A", "B", "readers", 0.9), ("A", "C", "readers", 0.1), ("B", "C", "readers", 0.5)]
    table = pd.DataFrame(rows, columns=["reader_a", "reader_b", "comparison", "dice"])
    found = dice_of(table.assign(case_id="c"), ["C", "B", "A"])
    assert found.to_dict() == {"c": pytest.approx(0.5)}


def test_dice_is_that_of_the_two_readers_originals():
    rows = [
        ("A", "B", "readers", 0.9),
        ("A", "C", "readers", 0.1),
        ("A", "A.v2", "correction", 0.2),
    ]
    table = pd.DataFrame(rows, columns=["reader_a", "reader_b", "comparison", "dice"])
    assert dice_of(table.assign(case_id="c"), ["B", "A"]).to_dict() == {"c": 0.9}


def test_without_images_there_is_no_overlap_to_relate():
    features, agreement = cohort()
    table = families_of(features, agreement[:0])
    assert table["dice_rho"].isna().all()
    assert (table["cases"] == 0).all()
    assert table["deviation_median"].notna().all()


def test_the_command_leaves_corrected_masks_out(tmp_path):
    features, agreement = cohort()
    corrected = features[features["reader"] == "A"].assign(reader="A.v2")
    corrected[STABLE] += 100
    write_table(pd.concat([features, corrected]), tmp_path / "features.parquet")
    write_table(filled(Agreement, agreement), tmp_path / "agreement.parquet")
    study = tmp_path / "study"
    study.mkdir()
    config = {
        "study": "s",
        "model_reader": "A",
        "evaluation": {"confidence": 0.95},
        "selection": {"ccc": {"threshold": 0.85}},
    }
    (study / "study.yaml").write_text(yaml.safe_dump(config))
    cases = filled(Cases, pd.DataFrame({"case_id": CASES, "level": "L1"}))
    write_table(cases, study / "cases.parquet")
    paths = {name: tmp_path / f"{name}.parquet" for name in ("features", "agreement", "families")}
    reproducibility.main(argparse.Namespace(study=study, out=tmp_path / "out.parquet", **paths))
    table = read_table(tmp_path / "out.parquet").set_index("feature")
    assert (table.loc[STABLE, "ccc"] > 0.99).all()
    assert (table["n"] == len(CASES)).all()
    overall = read_table(paths["families"]).iloc[0]
    assert overall["cases"] == len(CASES)
    assert overall[["image_type", "feature_class"]].isna().all()


# --- Spearman ----------------------------------------------------------------------------------


def test_spearman_by_hand():
    # Ranks of y: 1, 2, 4, 3, 5; squared differences 0, 0, 1, 1, 0; rho = 1 - 6 * 2 / (5 * 24).
    n, rho, low, high = spearman_interval([1, 2, 3, 4, 5], [10, 20, 40, 30, 50])
    assert (n, rho) == (5, pytest.approx(0.9))
    # Bonett and Wright: atanh(0.9) -/+ 1.96 * sqrt((1 + 0.81 / 2) / 2) = 1.4722 -/+ 1.6428.
    assert np.arctanh([low, high]) == pytest.approx([1.4722 - 1.6428, 1.4722 + 1.6428], abs=1e-3)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1, 2], [1, 2], (2, np.nan)),
        ([1, 2, 3], [5, 5, 5], (3, np.nan)),
        ([1, 2, np.nan, 3], [2, 4, 9, 6], (3, 1.0)),
        ([1, 2, 3, 4], [4, 3, 2, 1], (4, -1.0)),
    ],
)
def test_spearman_at_its_limits(x, y, expected):
    n, rho, low, high = spearman_interval(x, y)
    assert (n, rho) == pytest.approx(expected, nan_ok=True)
    assert np.isnan([low, high]).all()


def test_spearman_intervals_hold_what_they_promise():
    rng = np.random.default_rng(0)
    true = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's rho of a bivariate normal with r = 0.6
    pairs = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=(1500, 40))
    found = [spearman_interval(p[:, 0], p[:, 1], 0.9) for p in pairs]
    held = np.mean([low <= true <= high for _, _, low, high in found])
    assert held == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([1], [1], 0), "confidence"), (([1, 2], [1]), "one shape"), (([[1]], [[1]]), "one shape")],
)
def test_spearman_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        spearman_interval(*arguments)


def test_ranks_are_those_of_scipy():
    values = np.random.default_rng(4).integers(0, 30, 100) / 7
    np.testing.assert_array_equal(mean_ranks(values), rankdata(values))
