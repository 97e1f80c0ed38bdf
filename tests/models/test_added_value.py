"""Clinical, radiomic and all candidates in one family: the stage on a small study."""

from __future__ import annotations

import copy
import shutil

import pandas as pd
import pytest
import yaml

import models.added_value
import models.nested
from models.added_value import judged_model, judged_part, risk_threshold, why_not, with_failed
from models.repetitions.arms import Setting, run_arms
from models.scoring.added_value import COLUMNS
from models.transformers.columns import Columns, Predictor
from pipeline.core.errors import FitError
from pipeline.core.files import read_json, read_table, write_json
from tests.support.options import typed
from tests.support.small_study import call, run_added_value, run_models, write_config, write_study


@pytest.fixture(scope="module")
def config(repository) -> dict:
    options = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    options |= {"study": "small", "unit": "case", "model_reader": "A", "models": ["lr"]}
    options["outcome"] = {"name": "rbp", "label": "Pain", "formula": "vas_day3 >= 4"}
    options["search"] |= {"iterations": 3, "reduced_iterations": 1}
    options["split"]["folds"] = 3
    options["evaluation"]["bootstrap"] = 100
    options["ablation"]["models"] = []
    options["interpretation"]["permutations"] = 1
    options["nested"] |= {"models": ["lr"], "folds": 3, "search": "fixed"}
    return options


@pytest.fixture(scope="module")
def study(tmp_path_factory, config):
    folder = tmp_path_factory.mktemp("results") / "small"
    flow = {"steps": [{"label": "all", "patients": 90, "cases": 90, "excluded": []}]}
    write_study(folder, config, flow, 80)
    run_models(folder, config)
    return folder


@pytest.fixture
def copied(study, tmp_path):
    return shutil.copytree(study, tmp_path / "small")


def results(folder):
    evaluated = folder / "evaluation"
    arms = read_table(evaluated / "added_value.parquet").set_index("arm")
    return (
        arms,
        read_table(evaluated / "added_value_differences.parquet"),
        read_json(evaluated / "added_value.json"),
    )


def changed(config, **options):
    config = copy.deepcopy(config)
    for name, value in options.items():
        config[name] = config[name] | value if isinstance(config[name], dict) else value
    return config


def test_the_arm_of_both_is_the_trained_model(study):
    arms, differences, facts = results(study)
    metrics = read_table(study / "evaluation" / "metrics.parquet")
    known = metrics[(metrics["part"] == "test")].set_index("metric")["value"]
    assert facts["part"] == "test"
    assert facts["same_as_trained"]
    assert arms.loc["both", "auroc"] == known["auroc"]
    assert arms.loc["both", "brier"] == pytest.approx(known["brier"])
    assert set(arms.index) == {"both", "clinical", "radiomics"}
    row = differences.iloc[0]
    assert (row["arm"], row["against"]) == ("both", "clinical")
    assert row["auroc"] == pytest.approx(arms.loc["both", "auroc"] - arms.loc["clinical", "auroc"])
    assert 0 <= row["p_value"] <= 1


def test_an_arm_sees_its_own_candidates_alone(study, config):
    from models.study_files.inputs import read_inputs, training_rows

    tables = study / "tables"
    columns, table = read_inputs(
        *(tables / name for name in ("analysis.parquet", "analysis.json", "split.parquet"))
    )
    training, folds = training_rows(table)
    trained = read_json(study / "models" / "lr" / "model.json")
    setting = Setting("lr", columns, training, folds, typed(config), trained, 0.2)
    spoiled = training.copy()
    clinical = [p.column for p in columns.predictors if p.is_numeric]
    spoiled[clinical] = spoiled[clinical].to_numpy()[::-1]
    for arm, same in (("radiomics", True), ("clinical", False)):
        first = run_arms(setting, [arm])[0][arm].fitted.predict(table)
        other = Setting("lr", columns, spoiled, folds, typed(config), trained, 0.2)
        second = run_arms(other, [arm])[0][arm].fitted.predict(table)
        assert (first == second).all() == same


def test_test_outcomes_change_no_arm(copied, config):
    """Nothing is learned from test rows: their outcomes reversed, every arm predicts the same."""
    path = copied / "tables" / "analysis.parquet"
    from pipeline.core.files import write_table

    table, split = read_table(path), read_table(copied / "tables" / "split.parquet")
    test = split.set_index("unit_id").loc[table["unit_id"], "part"].to_numpy() == "test"
    table.loc[test, "outcome"] = 1 - table.loc[test, "outcome"]
    write_table(table, path)
    before, _, _ = results(copied)
    run_added_value(copied, config)
    after, _, _ = results(copied)
    assert after["n_features"].equals(before["n_features"])
    # A reversed outcome turns every area around.
    assert (after["auroc"] + before["auroc"]).to_numpy() == pytest.approx(1)


def test_in_the_outer_folds_the_arm_of_both_is_that_of_nested(copied, config):
    nested = changed(config, primary={"model": "lr", "part": "nested", "metric": "auroc"})
    write_config(copied, nested)
    tables = copied / "tables"
    given = {"study": copied / "study", "analysis": tables / "analysis.parquet"}
    given |= {"info": tables / "analysis.json", "split": tables / "split.parquet"}
    final = copied / "models" / "lr" / "model.json"
    out = {"out": copied / "nested" / "lr.parquet", "json": copied / "nested" / "lr.json"}
    rows = copied / "nested" / "lr_predictions.parquet"
    call(models.nested, **given, model="lr", model_json=final, workers=1, predictions=rows, **out)
    run_added_value(copied, nested)
    arms, differences, facts = results(copied)
    assert facts["part"] == "nested"
    assert arms.loc["both", "auroc"] == pytest.approx(read_json(out["json"])["auroc"])
    assert arms.loc["both", "auroc_sd"] == pytest.approx(read_json(out["json"])["auroc_sd"])
    assert differences[["auroc_low", "auroc_high", "p_value"]].isna().all(axis=None)
    assert differences["auroc_sd"].notna().all()
    assert not (copied / "evaluation" / "added_value.journal").exists()


def test_fewer_sets_refit_every_arm(copied, config):
    reduced = changed(config, added_value={"search": "reduced"})
    write_config(copied, reduced)
    run_added_value(copied, reduced)
    _, _, facts = results(copied)
    assert not facts["same_as_trained"]
    assert "1 sets where the final model tried 3" in facts["search_note"]


def test_a_study_of_one_kind_of_candidates_compares_nothing(copied, config):
    path = copied / "tables" / "analysis.json"
    write_json(read_json(path) | {"predictors": []}, path)
    run_added_value(copied, config)
    arms, differences, facts = results(copied)
    assert facts == {"status": "not_compared", "reason": "the study has no clinical candidate"}
    assert arms.empty
    assert differences.empty


def test_a_model_that_dropped_out_leaves_nothing_to_compare(copied, config):
    winner = copied / "evaluation" / "winner.json"
    write_json(read_json(winner) | {"model": None}, winner)
    run_added_value(copied, config)
    assert results(copied)[2]["reason"] == "no model could be fitted"


def test_an_arm_that_cannot_be_fitted_says_so(copied, config, monkeypatch):
    run = models.added_value.run_arms

    def failing(setting, arms, *words):
        runs, failed = run(setting, [arm for arm in arms if arm != "radiomics"], *words)
        return runs, failed | {"radiomics": str(FitError("it diverged"))}

    monkeypatch.setattr(models.added_value, "run_arms", failing)
    run_added_value(copied, config)
    arms, differences, _ = results(copied)
    assert arms.loc["radiomics", "note"] == "not fitted: it diverged."
    assert pd.isna(arms.loc["radiomics", "auroc"])
    assert arms.loc["clinical", "note"] == ""
    assert differences[["arm", "against"]].to_numpy().tolist() == [["both", "clinical"]]


def test_whose_family_and_which_rows():
    fitted, lost = {"status": "fitted"}, {"status": "not_fitted"}
    winner, infos = {"model": "lr"}, {"lr": fitted, "rf": lost}
    assert judged_model(typed({"primary": None}).primary, winner, infos) == "lr"
    assert judged_model(typed({"primary": {"model": "winner"}}).primary, winner, infos) == "lr"
    assert judged_model(typed({"primary": {"model": "rf"}}).primary, winner, infos) == "lr"
    assert (
        judged_model(typed({"primary": {"model": "rf"}}).primary, winner, infos | {"rf": fitted})
        == "rf"
    )
    rows = pd.DataFrame({"outcome": [1]})
    assert judged_part(typed({"primary": None}).primary, rows) == "test"
    assert judged_part(typed({"primary": None}).primary, rows.iloc[:0]) == "nested"
    assert judged_part(typed({"primary": {"part": "nested"}}).primary, rows) == "nested"


def test_the_risk_of_the_net_benefit():
    training = pd.DataFrame({"outcome": [1, 0, 0, 0]})
    assert risk_threshold(None, training) == 0.25
    assert risk_threshold(0.1, training) == 0.1


def test_what_is_lacking_is_named():
    age = Predictor("age", "Age", "continuous")
    assert why_not(Columns(("A",), None, ("f",), (age,)), "lr") == ""
    assert why_not(Columns(("A",), None, (), (age,)), "lr") == "the study has no radiomic candidate"


def test_failed_arms_keep_their_place():
    arms = pd.DataFrame([{"arm": "both"}]).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    table = with_failed(arms, {"radiomics": "why", "clinical": "why"})
    assert list(table["arm"]) == ["both", "clinical", "radiomics"]
