import json

import numpy as np
import pytest
import yaml
from scipy.stats import loguniform
from sklearn.metrics import roc_auc_score

from models.learning import fold_fits
from models.learning.family_registry import family_of
from models.learning.one_fit import Fit
from models.learning.search import plan_search, search_model
from models.learning.spaces import draw_parameters, read_values
from models.modes.rows import FoldData
from pipeline.core.errors import DivergedError, StudyError
from tests.support.options import typed
from tests.support.refusals import refusal

N = 150


@pytest.fixture
def config(repository):
    text = (repository / "config" / "default.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    config["search"] = {"iterations": 5, "scoring": "roc_auc", "spaces": {}}
    config["device"] = "cpu"
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
    result = search_model("lr", folds_of(table), N, typed(config), seed=1)
    assert list(result.table.columns) == [
        *("iteration", "phase", "parameters", "mean_auc", "sd_auc"),
        *("fits", "early_stopped", "reached_limit", "diverged"),
    ]
    assert list(result.table["iteration"]) == list(range(5))
    assert result.fits == 15 + 3
    assert result.endings == {}
    assert result.table["early_stopped"].isna().all()
    assert set(result.table["fits"]) == {3}
    assert set(result.table["diverged"]) == {0}
    assert result.best["mean_auc"] == result.table["mean_auc"].max()
    assert json.loads(result.best["parameters"]) == result.parameters
    # The out-of-fold predictions are those of the best set, fold by fold.
    _, y, number = table
    aucs = [roc_auc_score(y[number == k], result.out_of_fold[number == k]) for k in range(3)]
    assert np.mean(aucs) == pytest.approx(result.best["mean_auc"])
    assert np.std(aucs, ddof=1) == pytest.approx(result.best["sd_auc"])


def test_search_is_deterministic_and_its_seed_matters(table, config):
    first, again, other = (
        search_model("xgboost", folds_of(table), N, typed(config), seed) for seed in (1, 1, 2)
    )
    assert first.table.equals(again.table)
    np.testing.assert_array_equal(first.out_of_fold, again.out_of_fold)
    assert list(first.table["parameters"]) != list(other.table["parameters"])


def test_a_second_phase_starts_from_the_best_of_the_first(table, config, monkeypatch):
    class Fake:
        def __init__(self, parameters):
            self.parameters = parameters

        def decision_function(self, Z):
            wide = self.parameters["n_d"] == 16
            noise = 0 if wide and "learning_rate" in self.parameters else 1
            return Z[:, 0] + (2 if wide else 9) * noise * Z[:, 1]

        def predict_proba(self, Z):
            return np.tile(self.decision_function(Z)[:, None], 2)

    def fit(model, wanted, config, *, ranking=False):
        return [Fit(Fake(each.parameters), [], "early_stopped") for each in wanted]

    monkeypatch.setattr(fold_fits, "fit_many", fit)
    config["search"]["spaces"] = {"tabnet": {"n_d": [4, 16], "learning_rate": [0.01, 0.02]}}
    result = search_model("tabnet", folds_of(table), N, typed(config), seed=0)
    rows = [json.loads(text) for text in result.table["parameters"]]
    assert [sorted(row) for row in rows] == [["n_d"], ["n_d"], *[["learning_rate", "n_d"]] * 2]
    assert {row["n_d"] for row in rows[2:]} == {16}
    assert "learning_rate" in result.parameters
    assert list(result.table["phase"]) == [1, 1, 2, 2]
    assert result.endings == {"early_stopped": 12, "reached_limit": 0, "diverged": 0}


def test_a_set_that_diverges_cannot_win(table, config, monkeypatch):
    original = fold_fits.fit_many

    def fit(model, wanted, *rest, **options):
        if wanted[0].parameters["C"] == 1.0:
            return [DivergedError("Training must converge") for _ in wanted]
        return original(model, wanted, *rest, **options)

    monkeypatch.setattr(fold_fits, "fit_many", fit)
    config["search"]["spaces"] = {"lr": {"C": [1.0, 0.01]}}
    result = search_model("lr", folds_of(table), N, typed(config), seed=0)
    assert result.parameters == {"C": 0.01}
    assert result.table["mean_auc"].isna().sum() == 1
    assert sorted(result.table["diverged"]) == [0, 3]
    # Three of nine: two sets on three folds, and the better one once more for its predictions.
    assert result.notes == ["In 3 of 9 fits: A parameter set failed: Training must converge."]
    config["search"]["spaces"] = {"lr": {"C": [1.0]}}
    with refusal("no-parameters-fitted", match=r"none of 1\. In: model lr"):
        search_model("lr", folds_of(table), N, typed(config), seed=0)


def test_a_fold_without_both_outcomes_is_refused(table, config):
    Z, y, number = table
    lonely = y.copy()
    lonely[number == 1] = 0
    with refusal("fold-without-both-outcomes", StudyError, match=r"0 events among 50 rows.*fold 1"):
        search_model("lr", folds_of((Z, lonely, number)), N, typed(config), seed=0)


def test_every_phase_has_all_iterations_and_never_draws_more_than_there_is(config):
    config["search"]["iterations"] = 7
    architecture, training = plan_search(family_of("tabnet"), typed(config).search)
    assert (architecture[1], training[1]) == (7, 7)
    assert "n_d" in architecture[0]
    assert "learning_rate" in training[0]
    config["search"]["spaces"] = {"lr": {"penalty": ["l1", "l2"]}}
    config["search"]["iterations"] = 50
    assert [count for _, count in plan_search(family_of("lr"), typed(config).search)] == [2]


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
        search_model("lr", folds_of(table), N, typed(config), seed=0)
    assert "progress search lr 5/5 AUROC" in caplog.text
    assert "s left" in caplog.text


def test_the_number_of_processes_changes_nothing(table, config):
    """Two processes import their own libraries and finish in another order."""
    config["search"]["iterations"] = 3
    config["search"]["spaces"] = {"tabnet": {"n_d": [4], "n_steps": [1, 2], "batch_size": [64]}}
    config["tabnet"] |= {"max_epochs": 3}
    config["tabnet"]["start"]["batch_size"] = 64
    alone = search_model("tabnet", folds_of(table), N, typed(config), seed=3)
    shared = search_model("tabnet", folds_of(table), N, typed(config), seed=3, workers=2)
    assert alone.table.equals(shared.table)
    assert alone.parameters == shared.parameters
    np.testing.assert_array_equal(alone.out_of_fold, shared.out_of_fold)


def test_the_search_ranks_by_the_machine_and_predicts_by_platt(table, config):
    """The sigmoid is monotone: what the search scores is what the probabilities rank."""
    config["search"]["spaces"] = {"svm": {"kernel": ["linear"], "C": [0.1, 1.0]}}
    result = search_model("svm", folds_of(table), N, typed(config), seed=0)
    _, y, number = table
    probability = result.out_of_fold
    assert ((probability > 0) & (probability < 1)).all()
    aucs = [roc_auc_score(y[number == k], probability[number == k]) for k in range(3)]
    assert np.mean(aucs) == pytest.approx(result.best["mean_auc"])


def test_values_of_a_space_are_lists_or_ranges():
    assert read_values([1, None], "k") == [1, None]
    assert read_values("l1", "k") == ["l1"]
    low, high = read_values({"log_uniform": [0.01, 10]}, "k").support()
    assert (low, high) == pytest.approx((0.01, 10))
    assert read_values({"uniform": [2, 5]}, "k").support() == (2, 5)
    wrong = [
        {"log_uniform": [0, 1]},
        {"uniform": [3, 2]},
        {"uniform": [1, True]},
        {"uniform": "ab"},
        {"normal": [0, 1]},
        {"uniform": [0, 1], "log_uniform": [1, 2]},
        {},
    ]
    for values in wrong:
        with refusal("searched-range-invalid", StudyError, match=r"search\.spaces\.lr\.C"):
            read_values(values, "search.spaces.lr.C")
    with refusal("searched-values-empty", StudyError):
        read_values([], "k")
