"""The proof of the clustered tests, in small: designs, and what each test is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from proofs import clustered_tests


@pytest.mark.parametrize("crossed", [False, True])
def test_cohorts_are_as_said(crossed: bool) -> None:
    rows = clustered_tests.cohort(np.random.default_rng(1), 4000, crossed=crossed)
    sizes = np.bincount(rows["patient"])
    assert sizes.mean() == pytest.approx(361 / 251, rel=0.03)
    groups = pd.Series(rows["group"]).groupby(rows["patient"]).nunique()
    assert (groups.max() > 1) is np.bool_(crossed)
    pairs = pd.DataFrame(rows).groupby("patient")["value"].agg(list)
    two = np.array([each[:2] for each in pairs if len(each) > 1])
    assert np.corrcoef(two.T)[0, 1] == pytest.approx(clustered_tests.ALIKE, abs=0.05)


def test_the_table_of_a_small_run(tmp_path: Path) -> None:
    given = ["--patients", "24", "--runs", "3", "--out", str(tmp_path)]
    clustered_tests.main(clustered_tests._arguments().parse_args(given))
    table = pd.read_csv(tmp_path / "clustered_tests.csv")
    assert set(table["groups"]) == {"of patients", "of vertebrae"}
    assert table["rejected"].between(0, 1).all()
    assert table["test"].str.startswith("Permutation").sum() == 2
