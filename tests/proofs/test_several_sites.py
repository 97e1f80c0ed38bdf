"""The proof on several sites: what its trials are, and what it says does not hold."""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
import pytest

import proofs.several_sites as proof


def test_noise_tells_the_site_and_the_site_the_outcome():
    table = proof.noise(3)
    shares = table.groupby("site")["outcome"].mean()
    assert shares["north"] < 0.3 < shares["south"] < 0.7 < shares["west"]
    means = table.groupby("site")["A:original_firstorder_F00"].mean()
    assert np.ptp(means.to_numpy()) > 1


def test_the_outcome_is_left_in_by_the_leaking_order_alone():
    """Within a site, noise has no difference between outcomes beyond chance, before and after."""
    table = proof.noise(3)
    names = [f"A:{name}" for name in proof.NAMES]

    def between(rows: pd.DataFrame) -> float:
        means = rows.groupby("outcome")[names].mean().to_numpy()
        return float(np.abs(means[1] - means[0]).mean() / rows[names].to_numpy().std())

    plain = between(proof.before_the_split(table, outcome_kept=False))
    kept = between(proof.before_the_split(table, outcome_kept=True))
    assert plain < 0.15
    assert kept > 1.3 * plain


def test_auroc_within_sites_gives_nothing_for_the_site():
    table = pd.DataFrame({"site": ["a"] * 4 + ["b"] * 4, "outcome": [0, 0, 0, 1, 1, 1, 1, 0]})
    by_site = np.repeat([0.2, 0.8], 4)
    assert proof.within_sites(table, by_site) == 0.5
    assert proof.within_sites(table, table["outcome"].to_numpy(float)) == 1.0


def test_the_command_writes_its_tables_and_says_what_it_found(tmp_path, caplog):
    caplog.set_level("INFO")
    given = {"cohorts": 1, "draws": 20, "patients": 200, "seed": 7, "out": tmp_path}
    proof.main(argparse.Namespace(**given))
    leakage = pd.read_csv(tmp_path / "harmonisation.csv")
    orders = [proof.NONE, proof.INSIDE, proof.BEFORE, proof.BEFORE_WITH_OUTCOME]
    assert leakage["order"].tolist() == orders
    validation = pd.read_csv(tmp_path / "validation.csv")
    assert validation.groupby("site").size().to_dict() == {"same": 20, "another": 20}
    slopes = validation.groupby("site")["true_slope"].first()
    assert slopes["another"] < slopes["same"] < 1
    assert "slope after recalibration: mean" in caplog.text


def test_what_does_not_hold_is_said():
    orders = {proof.NONE: 0.5, proof.INSIDE: 0.5, proof.BEFORE: 0.5}
    leakage = pd.DataFrame(
        [
            {"order": order, "auroc": value, "auroc_within_sites": value}
            for order, value in (orders | {proof.BEFORE_WITH_OUTCOME: 0.62}).items()
        ]
    )
    validation = pd.DataFrame({"site": "same", "covered": [True] * 19 + [False]})
    validation["recalibrated_slope"] = 1.01
    assert proof.failures(leakage, validation) == []
    wrong = leakage.assign(auroc=0.6, auroc_within_sites=0.6)
    said = proof.failures(wrong, validation.assign(covered=True, recalibrated_slope=1.2))
    assert len(said) == 5
    assert said[0].startswith("harmonised inside the folds: AUROC 0.600")


def test_a_recalibrated_model_has_the_slope_that_the_formula_says():
    """One recalibration, judged on other patients of the site, without the trial's shortcut."""
    found = proof.updated_by_patients(2025, 400, 2000)
    assert found["same"] == pytest.approx(1, abs=0.15)
    assert found["another"] == pytest.approx(1, abs=0.2)
