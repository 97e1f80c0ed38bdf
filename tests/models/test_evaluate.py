from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.evaluate import _paired_paths
from models.scoring.evaluation import evaluate, primary_model
from models.scoring.performance import METRICS
from pipeline.core.errors import StudyError
from pipeline.core.files import write_table
from pipeline.study.sections.judging import Evaluation, Primary
from tests.support.refusals import refusal

HOW = Evaluation(confidence=0.95, bootstrap=100, decision_curve=[0.0, 0.5]), 1
"""The section `evaluation`, and the seed of the study."""


def predicted(seed: int, signal: float) -> pd.DataFrame:
    """Return predictions of 120 training and 80 test patients, the same ones for every seed."""
    rng = np.random.default_rng(0)
    outcome = (rng.random(200) < 0.3).astype(int)
    noise = np.random.default_rng(seed).normal(size=200)
    return pd.DataFrame(
        {
            "unit_id": [f"U{i:04d}" for i in range(200)],
            "patient_id": [f"P{i:04d}" for i in range(200)],
            "outcome": outcome,
            "part": np.repeat(["oof", "test"], [120, 80]),
            "probability": 1 / (1 + np.exp(1 - signal * outcome - noise)),
        }
    )


def info(model: str) -> dict:
    return {"model": model, "threshold": 0.4, "cv_auc": 0.71}


@pytest.fixture
def predictions() -> dict[str, pd.DataFrame]:
    return {"lr": predicted(1, 2.0), "rf": predicted(2, 1.0)}


@pytest.fixture
def infos() -> dict[str, dict]:
    return {"lr": info("lr"), "rf": info("rf")}


def test_tables_have_the_contracts_columns(predictions, infos, tmp_path):
    tables = evaluate(predictions, infos, *HOW)
    assert {name: list(table.columns) for name, table in tables.items()} == {
        "metrics": ["model", "part", "metric", "value", "low", "high", "method"],
        "comparisons": [
            *("model_a", "model_b", "auc_difference", "low", "high"),
            *("p_value", "p_holm", "family", "method"),
            *("only_a_right", "only_b_right", "mcnemar_p", "mcnemar_p_holm"),
        ],
        "roc": ["model", "fpr", "tpr", "threshold"],
        "calibration": ["model", "predicted", "observed", "low", "high", "n"],
        "calibration_curve": ["model", "predicted", "observed", "low", "high"],
        "calibration_tests": [
            *("model", "test", "statistic", "df", "p_value", "groups", "fitted_here", "note"),
        ],
        "decision_curve": [
            *("model", "threshold", "net_benefit", "low", "high"),
            *("gain", "gain_low", "gain_high"),
        ],
        "confusion": ["model", "tp", "fp", "fn", "tn", "threshold"],
    }
    metrics = tables["metrics"]
    assert len(metrics) == 2 * 2 * len(METRICS)
    assert set(metrics["metric"]) == set(METRICS)
    for name, table in tables.items():
        write_table(table, tmp_path / f"{name}.parquet", csv=True)
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"{name}.parquet"), table)


def test_only_test_rows_have_intervals(predictions, infos):
    metrics = evaluate(predictions, infos, *HOW)["metrics"]
    out_of_fold = metrics[metrics["part"] == "oof"]
    assert out_of_fold["value"].notna().all()
    assert out_of_fold[["low", "high"]].isna().all(axis=None)
    fold_means = out_of_fold[out_of_fold["metric"] == "auroc"]
    assert (fold_means["value"] == 0.71).all()
    assert fold_means["method"].str.startswith("mean over the inner folds").all()
    tested = metrics[(metrics["part"] == "test") & (metrics["metric"] != "ici")]
    assert (tested["low"] < tested["value"]).all()
    assert (tested["value"] < tested["high"]).all()


def test_order_of_rows_does_not_matter(predictions, infos):
    shuffled = {
        name: table.sample(frac=1, random_state=3, ignore_index=True)
        for name, table in predictions.items()
    }
    one, other = (evaluate(tables, infos, *HOW) for tables in (predictions, shuffled))
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, other[name])


def test_training_rows_move_no_test_metric(predictions, infos):
    changed = {
        name: table.assign(probability=table["probability"].where(table["part"] == "test", 0.5))
        for name, table in predictions.items()
    }
    one, other = (
        evaluate(tables, infos, *HOW)["metrics"].query("part == 'test'")
        for tables in (predictions, changed)
    )
    pd.testing.assert_frame_equal(one, other)


def test_roc_ends_at_its_corners(predictions, infos):
    roc = evaluate(predictions, infos, *HOW)["roc"]
    for _, curve in roc.groupby("model"):
        assert curve[["fpr", "tpr"]].iloc[0].to_list() == [0, 0]
        assert curve[["fpr", "tpr"]].iloc[-1].to_list() == [1, 1]
        assert curve["fpr"].is_monotonic_increasing


def test_a_test_set_of_one_class_gives_tables_without_curves(predictions, infos):
    for table in predictions.values():
        table.loc[table["part"] == "test", "outcome"] = 0
    tables = evaluate(predictions, infos, *HOW)
    assert tables["roc"].empty
    assert tables["decision_curve"]["net_benefit"].isna().all()
    assert tables["comparisons"]["p_value"].isna().all()
    metrics = tables["metrics"].query("part == 'test'").set_index(["model", "metric"])
    assert metrics.loc[("lr", "auroc"), "method"] == "undefined: one class only"


def test_one_model_has_no_comparison(predictions, infos):
    tables = evaluate({"lr": predictions["lr"]}, infos, *HOW)
    assert tables["comparisons"].empty
    assert tables["comparisons"]["p_value"].dtype == float


def test_several_units_of_a_patient_are_dependent(predictions, infos):
    for table in predictions.values():
        table["patient_id"] = [f"P{i // 2:04d}" for i in range(200)]
    tables = evaluate(predictions, infos, *HOW)
    metrics = tables["metrics"].query("part == 'test'").set_index(["model", "metric"])
    assert metrics.loc[("lr", "auroc"), "method"].startswith("Obuchowski")
    assert tables["comparisons"].loc[0, "method"] == "Obuchowski, paired, patients as clusters"
    assert tables["comparisons"]["mcnemar_p"].isna().all()
    assert tables["calibration"][["low", "high"]].isna().all(axis=None)
    assert tables["calibration_tests"]["p_value"].isna().all()


def test_a_declared_primary_analysis_has_its_own_family(predictions, infos):
    predictions["svm"], infos["svm"] = predicted(3, 1.5), info("svm")
    declared = Primary(model="rf", part="test", metric="auroc")
    table = evaluate(predictions, infos, *HOW, primary_model(declared, None))["comparisons"]
    assert table["family"].to_list() == ["primary", "secondary", "primary"]
    of_winner = replace(declared, model="winner")
    table = evaluate(predictions, infos, *HOW, primary_model(of_winner, "lr"))["comparisons"]
    assert table["family"].to_list() == ["primary", "primary", "secondary"]
    with refusal("primary-winner-unknown", StudyError):
        primary_model(of_winner, None)


def test_curves_have_bands(predictions, infos):
    tables = evaluate(predictions, infos, *HOW)
    curve = tables["calibration_curve"]
    assert (curve["low"] <= curve["observed"]).mean() > 0.95
    assert (curve["observed"] <= curve["high"]).mean() > 0.95
    decisions = tables["decision_curve"].query("model == 'lr' and threshold > 0")
    assert (decisions["low"] < decisions["net_benefit"]).all()
    assert (decisions["net_benefit"] < decisions["high"]).all()
    assert (decisions["gain_low"] <= decisions["gain"]).mean() > 0.9
    tests = tables["calibration_tests"].set_index("model")
    assert tests["df"].to_list() == tests["groups"].to_list() == [10, 10]
    assert tests["p_value"].between(0, 1).all()


def test_models_tested_on_other_units_are_refused(predictions, infos):
    predictions["rf"] = predictions["rf"].iloc[:-1]
    with refusal("models-tested-on-other-units", StudyError) as caught:
        evaluate(predictions, infos, *HOW)
    assert caught.value.where == "predictions of model rf"


def test_a_model_without_test_rows_is_refused(predictions, infos):
    predictions["rf"] = predictions["rf"].query("part == 'oof'")
    with refusal("test-predictions-missing", StudyError):
        evaluate(predictions, infos, *HOW)


@pytest.mark.parametrize("value", [-0.2, 1.3, np.nan])
def test_what_is_no_probability_is_refused(predictions, infos, value):
    predictions["rf"].loc[150, "probability"] = value
    with refusal("prediction-not-a-probability", StudyError) as caught:
        evaluate(predictions, infos, *HOW)
    assert caught.value.found == f"1 others, first {value}"


def test_files_are_matched_by_folder(tmp_path):
    lr, rf = tmp_path / "lr", tmp_path / "rf"
    pairs = _paired_paths(
        [lr / "predictions.parquet", rf / "predictions.parquet"],
        [rf / "model.json", lr / "model.json"],
    )
    assert [info.parent.name for _, info in pairs] == ["lr", "rf"]
    with refusal("prediction-files-unpaired", StudyError):
        _paired_paths([lr / "predictions.parquet"], [lr / "model.json", rf / "model.json"])
