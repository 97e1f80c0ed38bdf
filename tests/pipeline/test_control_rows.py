"""Controls laid out as the analysis table is: the same cases, units and columns."""

from __future__ import annotations

import argparse

import pandas as pd
import pytest

from pipeline.control_rows import main
from tests.support.controlled_study import (
    DRAWS,
    FAILED,
    KINDS,
    PATIENTS,
    controlled_files,
    write_controlled_study,
)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    work = tmp_path_factory.mktemp("controlled")
    write_controlled_study(work)
    return work


@pytest.fixture(scope="module")
def made(work) -> tuple[pd.DataFrame, pd.DataFrame]:
    files = controlled_files(work)
    main(argparse.Namespace(**files))
    return pd.read_parquet(files["out"]), pd.read_parquet(files["analysis"])


def test_every_kind_and_draw_has_the_rows_of_the_analysis(made):
    rows, analysis = made
    assert len(analysis) == PATIENTS - 1
    assert FAILED[0][:3] not in set(analysis["unit_id"])
    assert len(rows) == len(KINDS) * DRAWS * len(analysis)
    for (kind, _), drawn in rows.groupby(["kind", "draw"]):
        assert kind in KINDS
        assert drawn["unit_id"].tolist() == analysis["unit_id"].tolist()
    assert list(rows)[3:] == [name for name in analysis if ":" in name]


def test_cases_are_averaged_as_in_the_join(made):
    rows, analysis = made
    drawn = rows[(rows["kind"] == KINDS[1]) & (rows["draw"] == 1)].set_index("unit_id")
    true = analysis.set_index("unit_id")
    # Controls of this study are the true features and 10 a draw more; one patient has two cases.
    for reader in "AB":
        shift = drawn[f"{reader}:f"] - true[f"{reader}:f"]
        assert shift.to_numpy() == pytest.approx(20)
        pd.testing.assert_series_equal(drawn[f"{reader}:g"], true[f"{reader}:g"])


def test_another_analysis_table_is_noticed(work, made, tmp_path):
    files = controlled_files(work) | {"out": tmp_path / "out.parquet"}
    changed = made[1].assign(**{"A:f": made[1]["A:f"] + 1})
    changed.to_parquet(tmp_path / "analysis.parquet")
    with pytest.raises(RuntimeError, match="true features come out otherwise"):
        main(argparse.Namespace(**files | {"analysis": tmp_path / "analysis.parquet"}))
