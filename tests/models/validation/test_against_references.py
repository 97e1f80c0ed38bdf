"""Figures of a validation held to rms::val.prob, and its sample size to pmvalsampsize."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

from models.scoring import calibration, metrics
from models.scoring.performance import Sample
from models.validation.figures import DISTANCES, distances, validation_estimates
from models.validation.recalibration import METHODS, closed_test, recalibrate
from models.validation.validation_sample_size import (
    needed_for_auroc,
    needed_for_net_benefit,
    needed_for_ratio,
    needed_for_slope,
)

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module")
def golden() -> pd.Series:
    table = pd.read_csv(GOLDEN / "validation" / "val_prob.csv")
    return table.set_index("what")["value"]


@pytest.fixture(scope="module")
def births() -> Sample:
    """Return the births whose risks make.R computes by the same formula."""
    table = pd.read_csv(GOLDEN / "regression" / "birthwt.csv")
    lp = 0.9 - 0.016 * table["lwt"] + 0.7 * (table["smoke"] == "yes")
    lp += 0.9 * (table["race"] == "black")
    outcome = table["low"].to_numpy(int)
    return Sample(outcome, expit(lp).to_numpy(), np.arange(len(table)), 0.5)


def test_discrimination_and_brier_are_those_of_val_prob(golden, births):
    area = metrics.auroc(births.outcome, births.probability)
    assert area == pytest.approx(golden["val.prob C (ROC)"], abs=1e-12)
    brier = metrics.brier(births.outcome, births.probability)
    assert brier == pytest.approx(golden["val.prob Brier"], abs=1e-12)


def test_the_line_is_that_of_val_prob_and_of_glm(golden, births):
    """val.prob fits the intercept with the slope; calibration in the large keeps the slope at 1."""
    line = recalibrate(births.outcome, births.probability, births.patients, METHODS[2])
    assert line.intercept == pytest.approx(golden["val.prob Intercept"], abs=1e-8)
    assert line.slope == pytest.approx(golden["val.prob Slope"], abs=1e-8)
    errors = np.sqrt(np.diag(line.covariance))
    known = golden[["joint intercept se", "joint slope se"]].to_numpy()
    np.testing.assert_allclose(errors, known, rtol=1e-5)
    alone = recalibrate(births.outcome, births.probability, births.patients, METHODS[1])
    assert alone.intercept == pytest.approx(golden["offset intercept"], abs=1e-9)
    assert np.sqrt(alone.covariance[0, 0]) == pytest.approx(golden["offset se"], rel=1e-6)
    known = calibration.calibration_intercept(births.outcome, births.probability, 0.95)
    assert known.value == pytest.approx(alone.intercept, abs=1e-9)


def test_the_tests_of_the_closed_procedure_are_those_of_r(golden, births):
    """The unreliability of val.prob (U) is the test of both against neither."""
    updates = {
        method: recalibrate(births.outcome, births.probability, births.patients, method)
        for method in METHODS
    }
    names = ["logLik as is", "logLik offset", "logLik joint"]
    for method, name in zip(METHODS, names, strict=True):
        assert updates[method].log_likelihood == pytest.approx(golden[name], abs=1e-9)
    chosen, tests = closed_test(updates)
    assert chosen == METHODS[0]
    p_values = [test["p_value"] for test in tests]
    np.testing.assert_allclose(p_values, golden[["p as is", "p offset"]].to_numpy(), rtol=1e-6)
    assert p_values[0] == pytest.approx(golden["val.prob U:p"], rel=1e-6)


def test_the_distances_are_those_of_an_exact_lowess(golden, births):
    apart = distances(births.outcome, births.probability)
    for name in DISTANCES:
        assert apart[name] == pytest.approx(golden[f"lowess exact {name}"], abs=1e-9), name
    mean = calibration.integrated_calibration_index(births.outcome, births.probability)
    assert mean == pytest.approx(golden["lowess exact eavg"], abs=1e-9)
    # val.prob lets lowess skip points that are near one another, and interpolates between.
    assert mean == pytest.approx(golden["val.prob Eavg"], abs=1e-4)
    assert apart["e90"] == pytest.approx(golden["val.prob E90"], abs=1e-4)
    assert apart["emax"] == pytest.approx(golden["val.prob Emax"], abs=1e-4)


def test_every_estimate_has_its_interval(births):
    found = validation_estimates(births, confidence=0.95, n_resamples=40, seed=1)
    assert list(found) == ["joint_intercept", *DISTANCES]
    assert all(each.low < each.high for each in found.values())


@pytest.mark.parametrize("case", range(4))
def test_the_sizes_are_those_of_pmvalsampsize(case):
    """It finds errors by steps and draws the logits: within one per cent."""
    row = pd.read_csv(GOLDEN / "validation" / "sizes.csv").iloc[case]
    quantiles = (np.arange(200000) + 0.5) / 200000
    lp = stats.norm.ppf(quantiles, row["lp_mean"], row["lp_sd"])
    ratio = needed_for_ratio(row["prevalence"], row["oe_width"])
    assert ratio == pytest.approx(row["oe"], rel=0.005)
    assert needed_for_slope(lp, row["slope_width"]) == pytest.approx(row["slope"], rel=0.01)
    area = needed_for_auroc(row["auroc"], row["prevalence"], row["auroc_width"])
    assert area == row["area"]
    if pd.notna(row["benefit"]):
        told = row[["sensitivity", "specificity", "prevalence", "threshold"]].astype(float)
        # It rounds the error to three decimals.
        assert needed_for_net_benefit(*told) == pytest.approx(row["benefit"], rel=0.01)
