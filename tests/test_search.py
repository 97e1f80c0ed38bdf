import json

import numpy as np
import pytest
import yaml
from scipy.stats import loguniform
from sklearn.metrics import roc_auc_score

from models import search
from models.estimators import family_of
from models.rows import FoldData
from models.search import draw_parameters, plan_search, search_model
from pipeline.core.errors import StudyError, VertebromicsError

N = 150


@pytest.fixture
def config(repository):
    text = (repository / "config" / "default.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    config["search"] = {"iterations": 5, "scoring": "roc_auc", "spaces": {}}
    return config


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(N, 4))
    return Z, (Z[:, 0] + rng.normal(size=N) > 0.5).astype(int), np.arange(N) % 3


def folds_of(table):
    Z, y, number = table
    return [
        FoldData(
            fold,
            Z[number != fold],
            y[number != fold],
            np.flatnonzero(number != fold),
            Z[number == fold],
            y[number == fold],
            np.flatnonzero(number == fold),
            [],
            [],
        )
        for fold in range(3)
    ]


def test_search_scores_each_set_by_the_mean_over_folds(table, config):
    result = search_model("lr", folds_of(table), N, config, seed=1)
    assert list(result.table.columns) == ["iteration", "parameters", "mean_auc", "sd_auc"]
    assert list(result.table["iteration"]) == list(range(5))
    assert result.fits == 15
    assert result.best["mean_auc"] == result.table["mean_auc"].max()
    assert json.loads(result.best["parameters"]) == result.parameters
    # The out-of-fold predictions are those of the best set, fold by fold.
    _, y, number = table
    aucs = [roc_auc_score(y[number == k], result.out_of_fold[number == k]) for k in range(3)]
    assert np.mean(aucs) == pytest.approx(result.best["mean_auc"])
    assert np.std(aucs, ddof=1) == pytest.approx(result.best["sd_auc"])


def test_search_is_deterministic_and_its_seed_matters(table, config):
    first, again, other = (
        search_model("xgboost", folds_of(table), N, config, seed) for seed in (1, 1, 2)
    )
    assert first.table.equals(again.table)
    np.testing.assert_array_equal(first.out_of_fold, again.out_of_fold)
    assert list(first.table["parameters"]) != list(other.table["parameters"])


def test_a_second_phase_starts_from_the_best_of_the_first(table, config, monkeypatch):
    def fit(model, parameters, Z, y, groups, config, seed):
        class Fake:
            notes = ()

            def probability(self, Z):
                noise = 0 if parameters["n_d"] == 16 and "learning_rate" in parameters else 1
                return Z[:, 0] + (2 if parameters["n_d"] == 16 else 9) * noise * Z[:, 1]

        return Fake()

    monkeypatch.setattr(search, "fit_estimator", fit)
    config["search"]["spaces"] = {"tabnet": {"n_d": [4, 16], "learning_rate": [0.01, 0.02]}}
    result = search_model("tabnet", folds_of(table), N, config, seed=0)
    rows = [json.loads(text) for text in result.table["parameters"]]
    assert [sorted(row) for row in rows] == [["n_d"], ["n_d"], *[["learning_rate", "n_d"]] * 2]
    assert {row["n_d"] for row in rows[2:]} == {16}
    assert "learning_rate" in result.parameters


def test_a_set_that_diverges_cannot_win(table, config, monkeypatch):
    original = search.fit_estimator

    def fit(model, parameters, *rest):
        if parameters["C"] == 1.0:
            raise VertebromicsError("Training must converge")
        return original(model, parameters, *rest)

    monkeypatch.setattr(search, "fit_estimator", fit)
    config["search"]["spaces"] = {"lr": {"C": [1.0, 0.01]}}
    result = search_model("lr", folds_of(table), N, config, seed=0)
    assert result.parameters == {"C": 0.01}
    assert result.table["mean_auc"].isna().sum() == 1
    assert result.notes == ["A parameter set failed: Training must converge."]
    config["search"]["spaces"] = {"lr": {"C": [1.0]}}
    with pytest.raises(VertebromicsError, match=r"none of 1\. In: model lr"):
        search_model("lr", folds_of(table), N, config, seed=0)


def test_a_fold_without_both_outcomes_is_refused(table, config):
    Z, y, number = table
    lonely = y.copy()
    lonely[number == 1] = 0
    with pytest.raises(StudyError, match=r"validation rows.*0 events among 50 rows.*fold 1"):
        search_model("lr", folds_of((Z, lonely, number)), N, config, seed=0)


def test_plan_shares_iterations_and_never_draws_more_than_there_is(config):
    config["search"]["iterations"] = 7
    architecture, training = plan_search(family_of("tabnet"), config)
    assert (architecture[1], training[1]) == (4, 3)
    config["search"]["iterations"] = 1
    assert [count for _, count in plan_search(family_of("tabnet"), config)] == [1]
    config["search"]["spaces"] = {"lr": {"penalty": ["l1", "l2"]}}
    config["search"]["iterations"] = 50
    assert [count for _, count in plan_search(family_of("lr"), config)] == [2]


def test_drawn_sets_differ_and_are_plain_values():
    space = {"depth": [2, 3], "rate": loguniform(1e-3, 1)}
    drawn = draw_parameters(space, 20, seed=0)
    assert len({json.dumps(row) for row in drawn}) == len(drawn)
    assert all(type(row["rate"]) is float and type(row["depth"]) is int for row in drawn)
    assert all(len(f"{row['rate']:.10g}".lstrip("0.")) <= 5 for row in drawn)
    assert len(draw_parameters({"depth": [2, 3], "leaf": [1]}, 2, seed=0)) == 2
    assert draw_parameters({}, 3, seed=0) == [{}]


def test_progress_tells_the_time_left(table, config, caplog):
    with caplog.at_level("INFO", logger="vertebromics"):
        search_model("lr", folds_of(table), N, config, seed=0)
    assert "progress search lr 5/5 AUROC" in caplog.text
    assert "s left" in caplog.text
