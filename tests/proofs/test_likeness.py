"""How redundancy is measured, on tables whose redundancy is known."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from proofs import likeness


def test_redundancy_of_known_columns():
    """Two copies and an uncorrelated third: of three components the first holds two thirds."""
    x = np.tile([1.0, -1.0, 1.0, -1.0], 3)
    y = np.tile([1.0, 1.0, -1.0, -1.0], 3)
    own = np.eye(12)[:, :9] * 1e-9
    values = np.column_stack([x, 5 - 3 * x, y, np.full(12, 7.0)])
    facts = likeness.redundancy(np.column_stack([values, *(x + 1e-9 * e for e in own.T)]))
    assert facts["features"] == 12, "the constant column is left out"
    assert facts["near_copy"] == pytest.approx(11 / 12)
    assert facts["pc1"] == pytest.approx(11 / 12)
    assert facts["pc1_3"] == pytest.approx(1)
    assert facts["median_r"] == pytest.approx(1)


def test_agreement_is_the_share_at_the_threshold():
    x = np.arange(10.0)
    first = np.column_stack([x, x])
    # Lin's CCC of a shift d of a variable of variance v: 2 v / (2 v + d^2), here 8.25: 0.85 at 1.7.
    second = np.column_stack([x + 1.6, x + 1.8])
    assert likeness.agreement(first, second) == 0.5


def repeat_table(path, patients=12, features=15):
    """Write a table as the public test-retest one: one patient has a single visit."""
    rng = np.random.default_rng(0)
    rows = []
    for patient in range(patients):
        values = rng.normal(size=features)
        for visit in range(1 if patient == 0 else 2):
            row = {"general_info_Version": "x", "study": f"P-{patient:02d}_2000010{visit + 1}_0900"}
            row |= {f"original_f{k}": v + 0.01 * rng.normal() for k, v in enumerate(values)}
            rows.append(row | {"series": 5, "canonicalType": "T2AX", "segmentedStructure": "ROI"})
    pd.DataFrame(rows).to_csv(path, sep=";", index=False)


def extracted_table(path, cases=20, features=12):
    rng = np.random.default_rng(1)
    true = rng.normal(size=(cases, features))
    parts = []
    for reader in ("A", "B"):
        table = pd.DataFrame(true + 0.01 * rng.normal(size=true.shape))
        table.columns = [f"f{k}" for k in range(features)]
        table.insert(0, "case_id", [f"{k:02d}" for k in range(cases)])
        table.insert(1, "reader", reader)
        parts.append(table)
    pd.concat(parts).to_parquet(path, index=False)


def test_the_command_prints_simulated_cohorts_of_the_same_size(tmp_path, monkeypatch, capsys):
    repeat_table(tmp_path / "repeat.csv")
    extracted_table(tmp_path / "features.parquet")
    monkeypatch.setattr(likeness, "PUBLISHED_PATIENTS", 25)
    monkeypatch.setattr(likeness, "SEEDS", range(1))
    options = likeness.arguments_of().parse_args(
        ["--repeat", str(tmp_path / "repeat.csv"), "--features", str(tmp_path / "features.parquet")]
    )
    likeness.main(options)
    rows = capsys.readouterr().out.splitlines()
    assert sum("real MRI, ROI | 12 |" in row and row.endswith("1.00 |") for row in rows) == 1
    assert sum("synthetic CT | 20 |" in row for row in rows) == 1
    for n in (12, 20, 25):
        assert sum(f"`demo.population` | {n} |" in row for row in rows) == 1
        assert sum(f"`demo.tables` | {n} |" in row for row in rows) == 1


def test_real_features_are_more_redundant_than_independent_ones():
    """What docs/proofs.md prints of the public tables."""
    folder = os.environ.get("VERTEBROMICS_TESTDATA")
    if not folder:
        pytest.skip("VERTEBROMICS_TESTDATA is not set: no real tables")
    tables = Path(folder) / "qin_prostate_repeat" / "EvalData"
    (path,) = tables.glob("*_biasCorrectedT2AX_FullStudySettings_noNormalization_3D_bin20.csv")
    facts = dict(likeness.repeated(path))
    assert facts["real MRI, WholeGland"]["n"] == 15
    assert facts["real MRI, WholeGland"]["pc1_3"] == pytest.approx(0.78, abs=0.005)
    assert facts["real MRI, TumorROI_PZ_1"]["median_r"] == pytest.approx(0.42, abs=0.005)
