"""Negative controls on simulated cohorts of which the truth is known, and what the stage writes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.negative_controls import Judging, judging_of, replaced, table_of_arms
from pipeline.tables.schemas.features.controls import KINDS
from proofs.negative_controls import judged_cohort, simulate_patient
from tests.support.options import typed

PATIENTS, DRAWS = 70, 5


def arms_of(signal: str, *kinds: str, seed: int = 1) -> pd.DataFrame:
    return judged_cohort(signal, PATIENTS, kinds, DRAWS, seed).set_index("arm")


def test_signal_in_texture_falls_to_chance_inside_and_stays_outside():
    arms = arms_of("texture", "shuffled_inside", "shuffled_outside")
    assert arms.loc["true", "auroc"] > 0.9
    shuffled = arms.loc["shuffled_inside"]
    assert shuffled["lost_low"] > 0.2
    assert abs(shuffled["auroc"] - 0.5) < 0.12
    assert shuffled["draws"] == DRAWS
    outside = arms.loc["shuffled_outside"]
    assert outside["auroc"] > 0.9
    assert not outside["lost_low"] > 0
    assert arms.loc[["shape", "volume", "hu"], "auroc"].max() < 0.75


@pytest.mark.parametrize(("signal", "alone"), [("volume", "volume"), ("density", "hu")])
def test_signal_in_volume_or_density_does_not_fall(signal, alone):
    arms = arms_of(signal, "shuffled_inside")
    assert arms.loc["true", "auroc"] > 0.75
    shuffled = arms.loc["shuffled_inside"]
    assert shuffled["auroc"] > 0.75
    assert shuffled["lost_low"] < 0
    assert abs(shuffled["lost"]) < 0.12
    assert arms.loc[alone, "auroc"] > 0.75


def test_patients_differ_by_nothing_but_the_signal():
    """The histogram of a region is the same family whatever its texture."""
    drawn = {
        event: [simulate_patient("texture", event, seed).mean_hu for seed in range(30)]
        for event in (False, True)
    }
    # The same draws but for the texture, so that means agree to the rounding of HU.
    assert drawn[True] == pytest.approx(drawn[False], abs=0.5)


def split_table(n=12) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit_id": [f"u{i:02d}" for i in range(n)],
            "patient_id": [f"u{i:02d}" for i in range(n)],
            "outcome": [0, 1] * (n // 2),
            "part": ["train"] * (n // 2) + ["test"] * (n // 2),
            "fold": [0, 1, 2] * 2 + [-1] * (n // 2),
            "A:f": np.arange(n, dtype=float),
            "age": 50,
        }
    )


def test_only_features_are_replaced_and_units_keep_their_place():
    table = split_table()
    rows = pd.DataFrame({"unit_id": table["unit_id"][::-1], "A:f": -table["A:f"][::-1]})
    rows = rows.assign(kind="sampled_inside", draw=0)
    tables = replaced(table, rows)
    assert list(tables) == [("true", 0), ("sampled_inside", 0)]
    drawn = tables["sampled_inside", 0]
    np.testing.assert_array_equal(drawn["A:f"], -table["A:f"])
    pd.testing.assert_frame_equal(drawn.drop(columns="A:f"), table.drop(columns="A:f"))
    assert tables["true", 0] is table


def config_of(design: str, primary: dict | None = None) -> dict:
    return {
        "primary": primary, "seed": 1, "split": {"design": design},
        "nested": {"folds": 2, "repeats": 2},
    }  # fmt: skip


def test_arms_are_judged_where_the_primary_analysis_is():
    table = split_table()
    on_test = judging_of(table, typed(config_of("holdout")))
    assert [part[:2] for part in on_test.parts] == [(0, 0)]
    assert on_test.folds.tolist() == [[0] * 6]
    nested = judging_of(table, typed(config_of("holdout", {"model": "lr", "part": "nested"})))
    assert nested.folds.shape == (2, 6)
    assert set(np.unique(nested.folds)) == {0, 1}


def test_an_arm_that_could_not_be_fitted_says_so():
    rows = split_table()[["outcome", "patient_id"]]
    judging = Judging(rows, [(0, 0, None)])
    rng = np.random.default_rng(0)
    true = (rows["outcome"].to_numpy() + rng.normal(0, 0.7, len(rows)))[None]
    drawn = {("true", 0): (true, 3.0), ("shuffled_inside", 0): (true[:, ::-1], 2.0)}
    failed = {"shuffled_inside": "no column left", "sampled_inside": "no column left"}
    table = table_of_arms(drawn, {}, failed, judging, 0.95).set_index("arm")
    assert list(table.index) == ["true", "shuffled_inside", "sampled_inside"]
    assert table.loc["shuffled_inside", "note"] == "of 1 draws alone; not fitted: no column left"
    assert table.loc["sampled_inside", "note"] == "not fitted: no column left"
    assert pd.isna(table.loc["sampled_inside", "auroc"])
    without = table_of_arms({}, {}, {"true": "too few"}, judging, 0.95)
    assert without["arm"].tolist() == ["true"]
    assert set(KINDS) & set(without["arm"]) == set()
