"""Contrasts of AUROCs: a mean over draws, and what it loses, against tests of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from models.scoring.cross_validated import paired_difference
from models.scoring.paired_controls import judged_arms


def predictions(n=60, draws=3, seed=0):
    rng = np.random.default_rng(seed)
    outcome = np.arange(n) % 2
    true = (outcome + rng.normal(0, 1, n))[None]
    drawn = [(0.3 * outcome + rng.normal(0, 1, n))[None] for _ in range(draws)]
    return outcome, true, drawn


def test_one_draw_is_the_paired_test():
    outcome, true, (drawn, *_) = predictions()
    folds, patients = np.zeros((1, len(outcome)), int), np.arange(len(outcome))
    _, row = judged_arms({"true": [true], "hu": [drawn]}, outcome, folds, patients, 0.95)
    test, _ = paired_difference(outcome, np.array([true, drawn]), folds, patients, 0.95)
    assert (row["lost"], row["lost_low"], row["lost_high"]) == pytest.approx(
        (test.difference, test.low, test.high)
    )
    assert np.isnan(row["draws_low"])
    assert row["method"] == "DeLong, paired over the same rows"


def test_a_mean_over_draws_is_narrower_than_one_draw():
    outcome, true, drawn = predictions()
    folds, patients = np.zeros((1, len(outcome)), int), np.arange(len(outcome))
    scores = {"true": [true], "shuffled_inside": drawn}
    first, mean = judged_arms(scores, outcome, folds, patients, 0.95)
    ones = [
        judged_arms({"true": [true], "hu": [one]}, outcome, folds, patients, 0.95)[1]
        for one in drawn
    ]
    assert mean["auroc"] == pytest.approx(np.mean([one["auroc"] for one in ones]))
    assert (mean["draws_low"], mean["draws_high"]) == pytest.approx(
        (min(one["auroc"] for one in ones), max(one["auroc"] for one in ones))
    )
    assert mean["lost"] == pytest.approx(first["auroc"] - mean["auroc"])
    width = mean["lost_high"] - mean["lost_low"]
    assert width < max(one["lost_high"] - one["lost_low"] for one in ones)
    assert "lost" not in first


def test_the_same_predictions_lose_nothing():
    outcome, true, _ = predictions()
    folds, patients = np.zeros((1, len(outcome)), int), np.arange(len(outcome))
    _, row = judged_arms({"true": [true], "hu": [true]}, outcome, folds, patients, 0.95)
    assert row["lost"] == 0
    assert not row["lost_low"] > 0


def test_outer_folds_are_averaged():
    outcome, true, drawn = predictions()
    folds = np.array([np.arange(60) // 2 % 3, np.arange(60) // 4 % 3])
    scores = {"true": [np.repeat(true, 2, 0)], "hu": [np.repeat(drawn[0], 2, 0)]}
    rows = judged_arms(scores, outcome, folds, np.arange(60), 0.95)
    assert rows[0]["method"] == "mean over outer folds, paired over the same rows"
    assert rows[0]["auroc_low"] < rows[0]["auroc"] < rows[0]["auroc_high"]
