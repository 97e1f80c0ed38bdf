"""A study without test rows: every stage learns from all rows and is judged on the outer folds."""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import models.evaluate
import models.winner
from models.freezing.contents import performance_of
from models.learning.folds import outer_seed
from models.plan import planned_fits
from models.repetitions.outer_fits import folds_of, outer_fits, read_outer_fits
from models.scoring.performance import METRICS
from models.split import split_table
from models.study_files.inputs import read_inputs
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.core.fit_status import not_fitted
from pipeline.reporting.blocks import Table
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.study_report import build_sections, write_report
from tests.support import small_study
from tests.support.options import typed
from tests.support.refusals import refusal

ROWS = 100
STEP = {"label": "Handed in", "patients": ROWS, "cases": ROWS, "excluded": []}


@pytest.fixture(scope="module")
def config(repository) -> dict:
    options = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    options |= {"study": "none", "unit": "case", "model_reader": "A", "models": ["lr", "rf"]}
    options |= {"features": {"A": "a.csv", "B": "b.csv"}, "clinical": "c.csv"}
    options |= {"dictionary": "d.csv"}
    options["outcome"] = {"name": "rbp", "label": "Pain", "formula": "vas_day3 >= 4"}
    options["primary"] = {"model": "lr", "part": "nested", "metric": "auroc"}
    options["split"] |= {"design": "none", "folds": 2}
    options["search"] |= {"iterations": 2, "reduced_iterations": 1}
    options["search"]["spaces"] = {"rf": {"n_estimators": [8], "max_depth": [2]}}
    options["selection"]["permutations"] = 1
    options["evaluation"] |= {"bootstrap": 40, "decision_curve": [0.0, 0.5]}
    options["nested"] |= {"models": ["lr", "rf"], "folds": 3, "repeats": 2}
    options["stability"] |= {"resamples": 2, "permutations": 1}
    options["optimism"] |= {"models": ["lr"], "resamples": 2, "search": "fixed"}
    options["interpretation"]["permutations"] = 1
    options["ablation"] |= {"models": ["lr"], "top": 1, "single": 1, "seeds": 2}
    options["ablation"] |= {"families": [], "steps": ["mrmr"]}
    return options


@pytest.fixture(scope="module")
def folder(config, tmp_path_factory) -> Path:
    """Run all stages of modelling; return the study's folder."""
    made = tmp_path_factory.mktemp("results") / "none"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_study, "PATIENTS", ROWS)
        small_study.write_study(made, config, {"steps": [STEP]}, 40)
        small_study.run_models(made, config)
        small_study.run_repetitions(made, config)
    return made


def judged_rows() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return rows, and table and predictions of two outer folds that judged them."""
    rows = pd.DataFrame({"unit_id": ["a", "b", "c"]})
    table = pd.DataFrame({"repeat": [0, 0], "fold": [0, 1], "parameters": ['{"C": 1}', '{"C": 2}']})
    predictions = pd.DataFrame({"unit_id": ["c", "a", "b"], "repeat": 0, "fold": [1, 0, 1]})
    return rows, table, predictions


def test_every_row_is_a_training_row_with_a_fold(folder, config):
    split = read_table(folder / "tables" / "split.parquet")
    assert (split["part"] == "train").all()
    assert sorted(split["fold"].unique()) == [0, 1]
    assert len(split) == ROWS
    one_class = split.assign(outcome=0)
    with refusal(
        "split-part-without-outcome", StudyError, match="train part must hold both outcomes"
    ):
        split_table(one_class, typed(config).split, 1)


def test_no_prediction_is_of_a_test_row(folder):
    predictions = read_table(folder / "models" / "lr" / "predictions.parquet")
    assert set(predictions["part"]) == {"oof"}
    assert len(predictions) == ROWS


def test_every_row_is_predicted_once_a_repeat_by_a_fold_without_its_patient(folder):
    predictions = read_table(folder / "nested" / "lr_predictions.parquet")
    assert predictions.groupby("repeat")["unit_id"].nunique().tolist() == [ROWS, ROWS]
    assert len(predictions) == 2 * ROWS
    assert (predictions.groupby(["repeat", "patient_id"])["fold"].nunique() == 1).all()
    assert predictions["threshold"].notna().all()
    folds = read_table(folder / "nested" / "lr.parquet")
    assert (folds.groupby("repeat")["n"].sum() == ROWS).all()


def test_the_evaluation_is_of_the_outer_folds(folder):
    metrics = read_table(folder / "evaluation" / "metrics.parquet")
    assert set(metrics["part"]) == {"nested", "oof"}
    own = metrics.query("model == 'lr' and part == 'nested'").set_index("metric")
    assert own.loc["auroc", "value"] == pytest.approx(
        read_json(folder / "nested" / "lr.json")["auroc"], rel=1e-12
    )
    predictions = read_table(folder / "nested" / "lr_predictions.parquet")
    brier = (predictions["probability"] - predictions["outcome"]) ** 2
    assert own.loc["brier", "value"] == pytest.approx(brier.mean(), rel=1e-12)
    right = (predictions["probability"] >= predictions["threshold"]) == predictions["outcome"]
    assert own.loc["accuracy", "value"] == pytest.approx(right.mean(), rel=1e-12)
    confusion = read_table(folder / "evaluation" / "confusion.parquet")
    assert (confusion[["tp", "fp", "fn", "tn"]].sum(axis=1) == ROWS).all()
    comparison = read_table(folder / "evaluation" / "comparisons.parquet").iloc[0]
    other = metrics.query("model == 'rf' and part == 'nested' and metric == 'auroc'")["value"]
    assert comparison["auc_difference"] == pytest.approx(own.loc["auroc", "value"] - other.item())


def test_decision_curves_are_means_over_the_repeats(folder):
    curve = read_table(folder / "evaluation" / "decision_curve.parquet")
    predictions = read_table(folder / "nested" / "lr_predictions.parquet")
    at = 0.2
    treated = predictions[predictions["probability"] >= at]
    event = treated["outcome"] == 1
    expected = (event.sum() - (~event).sum() * at / (1 - at)) / len(predictions)
    own = curve[(curve["model"] == "lr") & np.isclose(curve["threshold"], at)].iloc[0]
    assert own["net_benefit"] == pytest.approx(expected, rel=1e-9)
    assert own["low"] < own["net_benefit"] < own["high"]


def test_the_full_model_of_an_ablation_is_the_nested_one(folder):
    """Its first seed is each outer fold's own fit: with its parameters and its seed."""
    seeds = read_table(folder / "ablation" / "lr_seeds.parquet")
    first = seeds.query("step == 'full' and seed == 0").iloc[0]
    nested = read_table(folder / "nested" / "lr.parquet").query("repeat == 0")
    assert first["auroc"] == pytest.approx(nested["auroc"].mean(), rel=1e-9)
    table = read_table(folder / "ablation" / "lr.parquet").set_index("step")
    assert table.loc["full", "delta"] == 0
    assert table.loc["full", ["tp", "fp", "fn", "tn"]].sum() == ROWS
    gone = table.loc["without-radiomics"]
    assert gone["delta"] == pytest.approx(gone["auroc"] - table.loc["full", "auroc"])
    assert gone["delta_low"] < gone["delta"] < gone["delta_high"]
    facts = read_json(folder / "ablation" / "lr.json")
    assert list(facts["parameters"]) == ["outer fold 0", "outer fold 1", "outer fold 2"]
    assert facts["resamples"] is None


def test_a_sensitivity_analysis_stands_beside_the_nested_model(folder):
    table = read_table(folder / "sensitivity" / "lr.parquet").set_index("analysis")
    nested = read_table(folder / "nested" / "lr.parquet").query("repeat == 0")
    other = table.loc["other-reader"]
    assert other["n"] == ROWS
    assert other["auroc_main"] == pytest.approx(nested["auroc"].mean(), rel=1e-9)
    assert other["difference"] == pytest.approx(other["auroc"] - other["auroc_main"])
    complete = table.loc["complete-cases"]
    assert 0 < complete["n"] < ROWS
    assert complete["training"] < ROWS * 2 / 3


def test_references_are_fitted_outside_the_folds_that_judge_them(folder):
    table = read_table(folder / "evaluation" / "references.parquet").set_index("reference")
    assert table.loc["intercept", "auroc"] == 0.5
    # The share of events outside a fold is no better than that of all: it cannot have seen them.
    assert table.loc["intercept", "scaled_brier"] <= 0
    assert table.loc["level", "auroc_low"] < table.loc["level", "auroc"]


def test_the_report_speaks_of_no_test_row(folder, tmp_path):
    out = tmp_path / "report" / "report.html"
    write_report(read_results(folder / "study"), out)
    page = re.sub(r"<(style|script|svg).*?</\1>", " ", out.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    found = re.findall(r".{60}\b[Tt]est (?:rows?|part|set)\b.{30}", text)
    assert not found
    assert "kept aside" not in text
    assert "without a hold-out. No patient was held out (TRIPOD type 1b)" in text
    first = read_table(folder / "evaluation" / "metrics.parquet")
    first = first.query("model == 'lr' and part == 'nested' and metric == 'auroc'")["value"].item()
    # The first AUROC of the page is that of the outer folds.
    assert re.search(r"AUROC.{0,400}?(0\.\d\d\d?)", text)[1] in (f"{first:.2f}", f"{first:.3f}")
    assert not (out.parent / "tables" / "characteristics-by-part.csv").exists()


def test_apparent_figures_stand_in_the_tables_of_optimism_alone(folder):
    for section in build_sections(read_results(folder / "study")):
        for block in section.all_blocks():
            shown = getattr(block, "shown", pd.DataFrame())
            allowed = isinstance(block, Table) and block.name in ("estimates", "optimism")
            assert ("Apparent" in shown.columns) == allowed


def test_a_model_that_nested_cross_validation_cannot_judge_has_no_figures(folder, tmp_path):
    copied = Path(shutil.copytree(folder, tmp_path / "none"))
    nested = copied / "nested"
    write_json({"model": "rf", **not_fitted("Too few patients.")}, nested / "rf.json")
    empty = read_table(nested / "rf_predictions.parquet").iloc[:0]
    write_table(empty, nested / "rf_predictions.parquet")
    names = ["lr", "rf"]
    infos = [copied / "models" / name / "model.json" for name in names]
    small_study.call(
        models.winner,
        study=copied / "study",
        models=infos,
        nested=[nested / f"{name}.json" for name in names],
        out=copied / "evaluation" / "winner.json",
    )
    small_study.call(
        models.evaluate,
        study=copied / "study",
        predictions=[path.with_name("predictions.parquet") for path in infos],
        models=infos,
        winner=copied / "evaluation" / "winner.json",
        nested=[nested / f"{name}_predictions.parquet" for name in names],
        analysis=copied / "tables" / "analysis.parquet",
        split=copied / "tables" / "split.parquet",
        ingest=None,
        out_dir=copied / "evaluation",
    )
    winner = read_json(copied / "evaluation" / "winner.json")
    assert [each["model"] for each in winner["candidates"]] == ["lr"]
    metrics = read_table(copied / "evaluation" / "metrics.parquet")
    assert set(metrics["model"]) == {"lr"}
    results = read_results(copied / "study")
    assert list(results.modelling.models) == ["lr"]
    assert [(each.stage, each.model) for each in results.modelling.dropped] == [("nested", "rf")]
    build_sections(results)


def test_a_frozen_model_states_the_nested_figures_once(folder):
    stated = [(row["part"], row["metric"]) for row in performance_of(folder, "lr")]
    assert len(set(stated)) == len(stated)
    assert sum(part == "nested" for part, _ in stated) == len(METRICS)
    assert "test" not in {part for part, _ in stated}


def test_an_ablation_is_planned_for_every_outer_fold(config):
    with_test = config | {"split": config["split"] | {"design": "holdout"}}
    whole, parted = (planned_fits(typed(each))["ablate"]["lr"] for each in (config, with_test))
    assert whole == 3 * parted


def test_outer_fits_have_their_own_parameters_and_seeds():
    rows, table, predictions = judged_rows()
    first, second = outer_fits("lr", rows, table, predictions, 7)
    assert first.held_out.tolist() == [True, False, False]
    assert second.parameters == {"C": 2}
    assert second.seed == outer_seed(7, "lr", 0, 1)
    assert folds_of([first, second]).tolist() == [[0, 1, 1]]
    assert outer_fits("lr", rows, table, predictions[:0], 7) == []


def test_outer_folds_of_other_rows_are_refused():
    rows, table, predictions = judged_rows()
    with refusal("nested-rows-missing", StudyError, match="3 rows, of"):
        outer_fits("lr", rows.assign(unit_id=["a", "b", "x"]), table, predictions, 7)


def test_a_stage_needs_the_outer_folds(folder):
    inputs = folder / "tables"
    _, table = read_inputs(
        inputs / "analysis.parquet", inputs / "analysis.json", inputs / "split.parquet"
    )
    given = argparse.Namespace(model="lr", nested=None, nested_predictions=None)
    with refusal("nested-results-missing", StudyError, match="give both"):
        read_outer_fits(given, table, 1)
