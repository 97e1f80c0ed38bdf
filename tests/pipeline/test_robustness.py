"""The stage that describes robustness: which features survive, over all cases and batches."""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline import robustness
from pipeline.core.files import read_table, write_table
from pipeline.robustness import describe_robustness
from pipeline.tables.schemas.features.perturbations import PerturbedFeatures, Robustness
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled

NAMES = ["original_shape_MeshVolume", "wavelet-LLH_glcm_Idm", "own"]
LIMITS = {"threshold": 0.9, "bound": "lower", "confidence": 0.95, "resamples": 60}


def repeated(cases: int = 20, times: int = 10, seed: int = 0) -> pd.DataFrame:
    """Return extractions of which the first feature is steady and the others are not."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(cases, 1, 3)) * [1, 1, 0]
    values = truth + rng.normal(size=(cases, times, 3)) * [0.1, 0.8, 1]
    keys = pd.MultiIndex.from_product([[f"c{at:02d}" for at in range(cases)], range(1, times + 1)])
    table = pd.DataFrame(values.reshape(-1, 3), columns=NAMES)
    table.insert(0, "case_id", keys.get_level_values(0))
    table.insert(1, "reader", "A")
    table.insert(2, "repetition", keys.get_level_values(1))
    return table


def patients_of(table: pd.DataFrame) -> pd.Series:
    cases = table["case_id"].unique()
    return pd.Series([f"p{at // 2}" for at in range(len(cases))], index=cases)


def described(parts, table, **limits):
    known = patients_of(table)
    return describe_robustness(parts, known, NAMES, "A", LIMITS | limits, 1)


def test_one_row_per_feature():
    table = repeated()
    found = described([table], table)
    assert list(found.columns) == list(robustness.COLUMNS)
    assert found["feature"].tolist() == NAMES
    assert found["image_type"].tolist() == ["original", "wavelet-LLH", None]
    assert found["robust"].tolist() == [True, False, False]
    assert found["n"].tolist() == [20] * 3
    assert found["patients"].tolist() == [10] * 3
    assert (found["icc_low"] < found["icc"]).all()
    steady = found.iloc[0]
    assert steady["sd_ratio"] == pytest.approx(steady["sd_within"] / steady["sd_between"])
    assert steady["sd_within"] == pytest.approx(0.1, rel=0.1)


def test_batches_and_their_order_leave_no_trace():
    table = repeated()
    odd = table["case_id"].str[-1].isin(list("13579"))
    one = described([table], table)
    pd.testing.assert_frame_equal(one, described([table[~odd], table[odd]], table))
    pd.testing.assert_frame_equal(one, described([table[odd], table.iloc[:0], table[~odd]], table))


def test_the_threshold_and_its_bound():
    table = repeated()
    assert described([table], table, threshold=None)["robust"].isna().all()
    low = described([table], table, threshold=0.55)["robust"].tolist()
    estimate = described([table], table, threshold=0.55, bound="estimate")["robust"].tolist()
    assert low == [True, False, False]
    assert estimate == [True, bool(described([table], table)["icc"][1] >= 0.55), False]


def test_nothing_could_be_perturbed():
    table = repeated()
    found = described([table.iloc[:0]], table)
    assert found["icc"].isna().all()
    assert found["n"].tolist() == [0] * 3
    assert not found["robust"].any()


def test_the_command(repository, tmp_path):
    table = repeated(cases=6)
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config |= {"study": "s", "results": str(tmp_path), "model_reader": "A"}
    folder = tmp_path / "s" / "study"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(config))
    known = patients_of(table)
    cases = [
        {"patient_id": known[case], "scan_id": case, "case_id": case, "reader": reader,
         "version": 1, "batch": f"b{int(case[1:]) % 2}"}
        for case in known.index for reader in "AB"
    ]  # fmt: skip
    write_table(filled(Cases, cases), folder / "cases.parquet", Cases)
    batches = tmp_path / "s" / "batches"
    for batch in (0, 1):
        part = table[table["case_id"].str[1:].astype(int) % 2 == batch]
        path = batches / f"b{batch}" / "perturbed.parquet"
        path.parent.mkdir(parents=True)
        write_table(part.reset_index(drop=True), path, PerturbedFeatures)
    out = tmp_path / "robustness.parquet"
    robustness.main(argparse.Namespace(study=folder, batches=batches, out=out))
    assert read_table(out, Robustness)["feature"].tolist() == NAMES
    assert out.with_suffix(".csv").exists()
