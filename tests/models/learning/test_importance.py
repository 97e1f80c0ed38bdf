import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import expit

from models.learning.fitted_procedure import refit
from models.learning.importance import (
    MEASURES,
    attention_of,
    importance_table,
    permuted_loss,
    sampled_rows,
    shap_values,
)
from models.learning.one_fit import fit_estimator
from models.transformers.columns import Columns
from pipeline.core.sections import section_of
from pipeline.study.sections.judging import Interpretation
from tests.support.options import typed

N = 160


@pytest.fixture
def config(repository):
    text = (repository / "config" / "default.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    config["tabnet"] |= {"max_epochs": 12, "patience": 4}
    config["interpretation"] = {
        "permutations": 4,
        "shap": True,
        "shap_rows": 30,
        "shap_background": 12,
        "top": 10,
    }
    return config | {"device": "cpu"}


@pytest.fixture(scope="module")
def rows():
    """One reader, four features, of which the first acts on the outcome."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(N, 4))
    names = ["signal", "weak", "noise_a", "noise_b"]
    table = pd.DataFrame(values, columns=[f"A:{name}" for name in names])
    table["outcome"] = (values[:, 0] + 0.3 * values[:, 1] + rng.normal(size=N) > 0.8).astype(int)
    table["patient_id"] = [f"P{number}" for number in range(N)]
    table["unit_id"] = table["patient_id"]
    return Columns(("A",), "A", tuple(names), ()), table


def measured(config: dict) -> tuple[Interpretation, int]:
    """Return what is measured, and the seed of the study."""
    return section_of(Interpretation, config["interpretation"]), config["seed"]


@pytest.mark.parametrize("model", ["lr", "svm", "rf", "xgboost", "tabnet"])
def test_the_measures_stand_beside_one_another(model, rows, config):
    columns, training = rows
    fitted = refit(model, columns, training, {}, typed(config), 0)
    table, notes = importance_table(fitted, training, *measured(config))
    assert list(table.columns) == ["feature", "block", "importance", *MEASURES]
    assert sorted(table["feature"]) == sorted(fitted.signature)
    assert table["importance"].is_monotonic_decreasing
    assert table["importance"].sum() == pytest.approx(1)
    assert table["attention"].notna().all() == (model == "tabnet")
    assert table[["permutation", "permutation_sd", "shap"]].notna().all(axis=None)
    assert (table["shap"] >= 0).all()
    if model != "tabnet":
        assert table["feature"][0] == "signal"
        assert table.loc[table["shap"].idxmax(), "feature"] == "signal"
    assert any("30 predictions of training patients, against 12" in note for note in notes)


def test_without_shap_its_column_is_empty(rows, config):
    columns, training = rows
    config["interpretation"]["shap"] = False
    fitted = refit("lr", columns, training, {}, typed(config), 0)
    table, notes = importance_table(fitted, training, *measured(config))
    assert table["shap"].isna().all()
    assert not any("SHAP" in note for note in notes)


def test_a_model_that_uses_nothing_has_no_importance(rows, config):
    columns, training = rows
    nothing = {"penalty": "l1", "C": 1e-6}
    table, notes = importance_table(
        refit("lr", columns, training, nothing, typed(config), 0), training, *measured(config)
    )
    assert (table["importance"] == 0).all()
    assert "No column made a difference to the importance." in notes


def test_a_model_without_columns_has_an_empty_table(rows, config):
    columns, training = rows
    config["selection"]["wilcoxon"]["p"] = 1e-300
    fitted = refit("lr", columns, training, {}, typed(config), 0)
    table, notes = importance_table(fitted, training, *measured(config))
    assert len(table) == 0
    assert notes == ["Importance: none, nothing was selected."]


def test_only_tabnet_has_attention(rows, config):
    columns, training = rows
    assert attention_of(refit("rf", columns, training, {}, typed(config), 0).fit) is None


def test_shap_values_of_a_linear_model_are_its_terms():
    """Coefficient times the distance from the background's mean (Lundberg and Lee, Corollary 1)."""
    rng = np.random.default_rng(3)
    Z, background = rng.normal(size=(9, 5)), rng.normal(size=(7, 5))
    slopes = np.array([2.0, -1.0, 0.0, 0.5, 4.0])
    values = shap_values(lambda rows: rows @ slopes, Z, background, seed=0)
    np.testing.assert_allclose(values, (Z - background.mean(axis=0)) * slopes, atol=1e-12)


def test_shap_values_sum_to_the_prediction_less_the_mean_of_the_background():
    rng = np.random.default_rng(4)
    Z, background = rng.normal(size=(6, 3)), rng.normal(size=(8, 3))

    def predict(rows):
        return expit(rows[:, 0] * rows[:, 1] - rows[:, 2])

    values = shap_values(predict, Z, background, seed=0)
    expected = predict(Z) - predict(background).mean()
    np.testing.assert_allclose(values.sum(axis=1), expected, atol=1e-12)


def test_permutation_of_a_useless_column_costs_nothing(rows, config):
    columns, training = rows
    Z = training[[f"A:{name}" for name in columns.features]].to_numpy()
    y, groups = training["outcome"].to_numpy(), training["patient_id"].to_numpy()
    fit = fit_estimator("lr", {"penalty": "l1", "C": 0.05}, Z, y, groups, typed(config), 0)
    mean, sd = permuted_loss(fit, Z, y, 5, seed=1)
    assert mean[0] > 0.1
    np.testing.assert_array_equal(mean[2:], 0)
    np.testing.assert_array_equal(sd[2:], 0)


def test_rows_are_drawn_without_replacement():
    drawn = sampled_rows(50, 20, seed=1)
    assert len(set(drawn)) == 20
    assert list(drawn) == sorted(drawn)
    np.testing.assert_array_equal(sampled_rows(5, 20, seed=1), np.arange(5))
