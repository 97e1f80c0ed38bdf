from __future__ import annotations

import numpy as np
import pytest

from models.scoring.calibration import calibration_curve
from models.scoring.calibration_band import calibration_band
from models.scoring.intervals import patient_resamples


def band(outcome, probability, at, n_resamples, seed):
    weights = patient_resamples(
        np.arange(len(outcome)), outcome, n_resamples, seed, stratified=False
    )
    return calibration_band(outcome, probability, at, weights, 0.95)


def test_the_band_covers_the_diagonal_as_often_as_stated_where_predictions_are_true():
    # 60 samples; a coverage of 95% has a Monte Carlo standard error of 2.8%.
    rng, at = np.random.default_rng(3), np.array([0.3, 0.5, 0.7])
    covered = np.zeros(3)
    for seed in range(60):
        probability = rng.uniform(0.1, 0.9, 150)
        outcome = (rng.random(150) < probability).astype(int)
        limits = band(outcome, probability, at, 60, seed)
        covered += (limits[:, 0] <= at) & (at <= limits[:, 1])
    assert (covered / 60 >= 0.82).all()


def test_the_band_holds_the_curve_and_widens_at_its_ends():
    rng = np.random.default_rng(4)
    probability = rng.beta(2, 4, 300)
    outcome = (rng.random(300) < probability).astype(int)
    curve = calibration_curve(outcome, probability)
    limits = band(outcome, probability, curve["predicted"].to_numpy(), 100, 1)
    assert (limits[:, 0] <= curve["observed"]).all()
    assert (curve["observed"] <= limits[:, 1]).all()
    width = limits[:, 1] - limits[:, 0]
    assert width[-1] > 1.5 * width[30]
    assert ((limits >= 0) & (limits <= 1)).all()


def test_more_patients_narrow_it():
    rng, at = np.random.default_rng(5), np.array([0.4])
    widths = []
    for n in (100, 900):
        probability = rng.uniform(0.1, 0.7, n)
        outcome = (rng.random(n) < probability).astype(int)
        widths.append(np.ptp(band(outcome, probability, at, 200, 2)))
    assert widths[1] == pytest.approx(widths[0] / 3, rel=0.35)


def test_no_curve_has_no_band():
    found = band(np.array([0, 1] * 5), np.linspace(0, 1, 10), np.array([]), 20, 1)
    assert found.shape == (0, 2)


def test_most_units_with_one_prediction_have_no_limits():
    rng = np.random.default_rng(6)
    probability = np.concatenate([np.full(80, 0.3), rng.random(20)])
    outcome = (rng.random(100) < probability).astype(int)
    assert np.isnan(band(outcome, probability, np.array([0.3]), 50, 1)).all()
