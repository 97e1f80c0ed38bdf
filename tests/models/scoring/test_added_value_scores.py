"""Arms of one family set beside one another, against hand counts and the library."""

import numpy as np
import pandas as pd
import pytest

from models.scoring.added_value import OVER_FOLDS, compare_arms, compare_folds, net_benefit
from models.scoring.decision_curve import decision_curve
from models.scoring.delong import paired_test
from models.scoring.intervals import patient_resamples
from models.scoring.performance import Sample

OUTCOME = np.array([1, 1, 1, 0, 0, 0, 0, 0])
CLINICAL = np.array([0.9, 0.6, 0.2, 0.7, 0.3, 0.2, 0.1, 0.1])
BOTH = np.array([0.9, 0.8, 0.5, 0.6, 0.3, 0.2, 0.1, 0.1])


def samples(patients=None):
    patients = np.arange(8) if patients is None else patients
    arms = {"both": BOTH, "clinical": CLINICAL}
    return {arm: Sample(OUTCOME, risk, patients, 0.5) for arm, risk in arms.items()}


def weights(n=200):
    return patient_resamples(np.arange(8), OUTCOME, n, 1, stratified=False)


def test_net_benefit_by_hand():
    # Treated from 0.5: two events and one other of eight; odds of 0.5 are 1.
    assert net_benefit(OUTCOME, CLINICAL, 0.5) == pytest.approx(2 / 8 - 1 / 8)
    # From 0.25: two events, two others; odds 1/3.
    assert net_benefit(OUTCOME, CLINICAL, 0.25) == pytest.approx(2 / 8 - 2 / 8 / 3)


@pytest.mark.parametrize("at", [0.05, 0.1, 0.25, 0.5, 0.75])
def test_net_benefit_is_that_of_the_library(at):
    curve = decision_curve(OUTCOME, {"clinical": CLINICAL}, np.array([at]))
    expected = curve.set_index("model").loc["clinical", "net_benefit"]
    assert net_benefit(OUTCOME, CLINICAL, at) == pytest.approx(expected)


def test_arms_and_their_differences():
    arms, differences = compare_arms(samples(), 0.5, weights(), 0.95)
    arms = arms.set_index("arm")
    assert arms.loc["clinical", "auroc"] == pytest.approx((5 + 4 + 2.5) / 15)
    assert arms.loc["both", "brier"] == pytest.approx(np.mean((OUTCOME - BOTH) ** 2))
    assert (arms["events"] == 3).all()
    row = differences.iloc[0]
    assert (row["arm"], row["against"]) == ("both", "clinical")
    assert row["auroc"] == pytest.approx(arms.loc["both", "auroc"] - arms.loc["clinical", "auroc"])
    test = paired_test(OUTCOME, BOTH, CLINICAL, 0.95)
    assert row["p_value"] == pytest.approx(test.p_value)
    assert row["p_holm"] == pytest.approx(row["p_value"])
    assert row["brier_low"] <= row["brier"] <= row["brier_high"]
    assert row["net_benefit"] == pytest.approx(3 / 8 - 1 / 8 - (2 / 8 - 1 / 8))


def test_patients_with_several_rows_are_clusters():
    _, differences = compare_arms(samples(np.array([0, 1, 2, 3, 4, 5, 6, 6])), 0.5, weights(), 0.95)
    assert "Obuchowski" in differences.loc[0, "method"]


def folds_table():
    rows = []
    for arm, areas in (("both", (0.8, 0.6)), ("clinical", (0.7, 0.65))):
        for fold, area in enumerate(areas):
            rows.append(
                {"arm": arm, "repeat": 0, "fold": fold, "n": 10 + fold, "events": 2, "auroc": area,
                 "brier": area / 10, "net_benefit": area / 20, "n_features": 3 + fold}
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_folds_are_paired_and_have_no_p_value():
    arms, differences = compare_folds(folds_table())
    row = differences.iloc[0]
    assert row["auroc"] == pytest.approx(0.025)
    assert row["auroc_sd"] == pytest.approx(np.std([0.1, -0.05], ddof=1))
    assert row[["auroc_low", "auroc_high", "p_value", "p_holm"]].isna().all()
    assert row["method"] == OVER_FOLDS
    assert arms.set_index("arm").loc["both", "n"] == 21


def test_the_order_of_the_folds_does_not_matter():
    first = compare_folds(folds_table())[1]
    second = compare_folds(folds_table().iloc[[1, 0, 2, 3]])[1]
    pd.testing.assert_frame_equal(first, second)
