from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from models.decision_curve import decision_curve, thresholds
from pipeline.core.errors import StudyError


@pytest.mark.parametrize(
    ("column", "reference"),
    [
        ("famhistory", "r_dca_famhistory.csv"),
        ("age", "r_simple_binary_dca_result_df.csv"),
        ("marker", "r_case3_results.csv"),
    ],
)
def test_net_benefit_equals_the_r_package(testdata, column, reference):
    folder = testdata / "dcurves" / "benchmark_data"
    patients = pd.read_csv(folder / "df_binary.csv")
    expected = pd.read_csv(folder / reference)
    outcome = patients["cancer"].to_numpy(int)
    probability = patients[column].to_numpy(float)
    if column != "famhistory":
        # R turned age and marker into probabilities by a logistic model; family history is 0 or 1.
        design = sm.add_constant(probability)
        probability = sm.GLM(outcome, design, family=sm.families.Binomial()).fit().predict(design)
    at = expected["threshold"].unique()
    curve = decision_curve(outcome, {column: probability}, at)
    both = curve.merge(expected, left_on=["model", "threshold"], right_on=["variable", "threshold"])
    assert len(both) == len(expected) == 3 * len(at)
    # The run for marker charged a test harm, which the column states.
    without_harm = both["net_benefit_y"] + both["harm"]
    np.testing.assert_allclose(both["net_benefit_x"], without_harm, atol=1e-9)


def test_net_benefit_by_hand():
    # Ten units, four events. At .2: five positive, three of them events: 3/10 - 2/10 x .2/.8.
    outcome = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    probability = np.array([0.9, 0.6, 0.2, 0.1, 0.8, 0.3, 0.1, 0.1, 0.0, 0.0])
    curve = decision_curve(outcome, {"lr": probability}, np.array([0.2])).set_index("model")
    assert curve.loc["lr", "net_benefit"] == pytest.approx(0.3 - 0.2 * 0.25)
    assert curve.loc["all", "net_benefit"] == pytest.approx(0.4 - 0.6 * 0.25)
    assert curve.loc["none", "net_benefit"] == 0


def test_models_may_have_any_name():
    outcome, probability = np.array([0, 1]), np.array([0.2, 0.7])
    names = ["outcome", "model_1", "my model"]
    curve = decision_curve(outcome, dict.fromkeys(names, probability), np.array([0.5]))
    assert curve["model"].to_list() == [*names, "all", "none"]
    assert curve["net_benefit"].to_list() == pytest.approx([0.5, 0.5, 0.5, 0, 0])


@pytest.mark.parametrize("outcome", [np.zeros(3), np.ones(3)])
def test_one_class_has_no_net_benefit(outcome):
    curve = decision_curve(outcome, {"lr": np.full(3, 0.5)}, np.array([0.1, 0.2]))
    assert len(curve) == 6
    assert curve["net_benefit"].isna().all()


def test_thresholds():
    at = thresholds(0.0, 0.95)
    assert len(at) == 96
    assert at[[0, 7, -1]].tolist() == [0.0, 0.07, 0.95]


@pytest.mark.parametrize("limits", [(0.0, 1.0), (0.5, 0.5), (-0.1, 0.5)])
def test_impossible_ranges_are_refused(limits):
    with pytest.raises(StudyError, match="must rise within 0 and 1"):
        thresholds(*limits)
