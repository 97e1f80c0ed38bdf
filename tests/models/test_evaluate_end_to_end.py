"""The modelling half as a study runs it: five commands, real files between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from pipeline.core.files import write_json, write_table
from pipeline.tables.schemas.study_tables import Dictionary
from tests.support.commands import run_here
from tests.support.filled import filled

MODEL = "lr"
PATIENTS = 160


def in_a_process(stage: str, *arguments: str | Path) -> subprocess.CompletedProcess:
    """Run a stage's command line as a rule does."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", stage, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def config(repository) -> dict:
    """Return the default options with a small search and few resamples."""
    options = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    options["study"] = "end-to-end"
    options["unit"] = "case"
    options["model_reader"] = "A"
    options["models"] = [MODEL]
    options["search"]["iterations"] = 3
    options["split"]["folds"] = 3
    options["evaluation"]["bootstrap"] = 200
    options["ablation"] |= {"models": [MODEL], "top": 2, "single": 1, "seeds": 1}
    options["ablation"] |= {"families": ["log"], "steps": ["mrmr"]}
    return options


@pytest.fixture(scope="module")
def run(tmp_path_factory, config) -> Path:
    """Run split, selection, training, evaluation and ablation, and return the study's folder.

    Evaluation runs in a process of its own, in which every warning is an error.
    """
    folder = tmp_path_factory.mktemp("run")
    study = folder / "study"
    study.mkdir()
    (study / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    simulated = simulate_tables(PATIENTS, 5, features=feature_names()[:150])
    dictionary = filled(Dictionary, simulated.dictionary)
    write_table(dictionary, study / "dictionary.parquet", Dictionary)
    analysis, info = simulated.analysis()
    write_table(analysis, folder / "analysis.parquet")
    write_json(info, folder / "analysis.json")
    model = folder / "models" / MODEL
    table = (
        *("--study", study, "--analysis", folder / "analysis.parquet"),
        *("--info", folder / "analysis.json"),
    )
    split = ("--split", folder / "split.parquet")
    chosen = ("--out", folder / "selection.parquet", "--json", folder / "selection.json")
    trained = ("--model-json", model / "model.json", "--importance", model / "importance.parquet")
    done = (
        run_here("models.split", *table, "--out", folder / "split.parquet"),
        run_here("models.selection", *table, *split, *chosen),
        run_here("models.train", "--model", MODEL, *table, *split, "--out-dir", model),
        in_a_process(
            *("models.evaluate", "--study", study, "--predictions", model / "predictions.parquet"),
            *("--models", model / "model.json", "--out-dir", folder / "evaluation"),
            *("--analysis", folder / "analysis.parquet", *split),
        ),
        run_here(
            *("models.ablate", "--model", MODEL, *table, *split, *trained),
            *("--out-dir", folder / "ablation"),
        ),
    )
    for process in done:
        assert process.returncode == 0, process.stderr
    (folder / "ablate.log").write_text(done[-1].stderr, encoding="utf-8")
    return folder


def read(run: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(run / f"{name}.parquet")


def test_the_evaluation_writes_every_table_and_a_copy_for_people(run):
    names = {
        *("metrics", "comparisons", "roc", "calibration", "calibration_curve"),
        *("calibration_tests", "decision_curve", "confusion", "subgroups"),
    }
    for suffix in (".parquet", ".csv"):
        assert {path.stem for path in (run / "evaluation").glob(f"*{suffix}")} == names
    assert read(run, "evaluation/comparisons").empty


def test_the_model_finds_the_planted_signal_on_unseen_patients(run):
    metrics = read(run, "evaluation/metrics").set_index(["part", "metric"])
    auroc = metrics.loc[("test", "auroc")]
    assert auroc["method"] == "DeLong, logit scale"
    assert auroc["low"] > 0.5
    assert auroc["low"] < auroc["value"] < auroc["high"] < 1


def test_counts_are_those_of_the_test_rows(run):
    split = read(run, "split")
    test = split[split["part"] == "test"]
    counts = read(run, "evaluation/confusion").iloc[0]
    assert counts[["tp", "fp", "fn", "tn"]].sum() == len(test)
    assert counts["tp"] + counts["fn"] == test["outcome"].sum()
    info = json.loads((run / "models" / MODEL / "model.json").read_text(encoding="utf-8"))
    assert counts["threshold"] == info["threshold"]


def test_out_of_fold_metrics_have_values_and_no_intervals(run):
    metrics = read(run, "evaluation/metrics")
    own = metrics[metrics["part"] == "oof"].set_index("metric")
    assert own["value"].notna().all()
    assert own[["low", "high"]].isna().all(axis=None)
    info = json.loads((run / "models" / MODEL / "model.json").read_text(encoding="utf-8"))
    assert own.loc["auroc", "value"] == info["cv_auc"]


def test_the_full_step_is_the_model_that_was_evaluated(run):
    ablation = read(run, "ablation/lr").set_index("step")
    metrics = read(run, "evaluation/metrics").set_index(["part", "metric"])
    full = ablation.loc["full"]
    # The first seed of the refits is that of the trained model.
    for column, part in (("auroc", "value"), ("auroc_low", "low"), ("auroc_high", "high")):
        assert full[column] == pytest.approx(metrics.loc[("test", "auroc"), part], abs=1e-12)
    assert np.isnan(full["auroc_sd"])
    assert full["brier"] == pytest.approx(metrics.loc[("test", "brier"), "value"], abs=1e-12)
    confusion = read(run, "evaluation/confusion").iloc[0]
    assert full[["tp", "fp", "fn", "tn"]].to_list() == confusion[["tp", "fp", "fn", "tn"]].to_list()
    assert full["delta"] == 0
    assert np.isnan(full["delta_low"])


def test_the_ablation_removes_the_highest_of_the_training_rows(run):
    ablation = read(run, "ablation/lr").set_index("step")
    steps = ["full", "top-1", "top-2", "single-1", "without-radiomics", "without-clinical"]
    steps += ["without-log", "skip-mrmr"]
    assert ablation.index.to_list() == steps
    facts = json.loads((run / "ablation" / "lr.json").read_text(encoding="utf-8"))
    assert ablation.loc["top-2", "removed"].split("|") == facts["top_features"]
    importance = read(run, "models/lr/importance")
    assert importance["feature"][0].startswith(facts["top_features"][0])
    # The highest feature alone is the first of the cumulative steps. Each other step is fitted to
    # all training rows, and for its threshold to those of each of three folds.
    assert facts["fits"] == (len(steps) - 1) * (1 + 3)
    assert facts["search"] == "fixed"
    log = (run / "ablate.log").read_text(encoding="utf-8")
    assert "ablation of lr: at most 28 fits of 7 steps" in log
    assert "progress ablate lr 7/7 skip-mrmr, 0 s left" in log


def test_the_plan_is_made_before_the_test_rows_outcomes_count(run):
    table = read(run, "analysis")
    held_out = (read(run, "split").set_index("unit_id")["part"] == "test").loc[table["unit_id"]]
    places = np.flatnonzero(held_out.to_numpy())
    outcome = table["outcome"].to_numpy().copy()
    outcome[places] = 1 - outcome[places]
    write_table(table.assign(outcome=outcome), run / "turned.parquet")
    plans = []
    for analysis in ("analysis.parquet", "turned.parquet"):
        model = run / "models" / MODEL
        done = run_here(
            *("models.ablate", "--model", MODEL, "--plan", "--study", run / "study"),
            *("--analysis", run / analysis, "--info", run / "analysis.json"),
            *("--split", run / "split.parquet", "--model-json", model / "model.json"),
            *("--importance", model / "importance.parquet"),
        )
        assert done.returncode == 0, done.stderr
        assert "ablation of lr: at most 28 fits of 7 steps" in done.stderr
        plans.append(done.stdout.splitlines())
    assert plans[0] == plans[1]
    facts = json.loads((run / "ablation" / "lr.json").read_text(encoding="utf-8"))
    first = facts["top_features"][0]
    assert plans[0][:2] == ["full", f"top-1                    {first}"]
    assert plans[0][3] == "single-1                 as top-1"
    assert plans[0][-1] == "skip-mrmr                mrmr"


def test_a_block_that_carries_the_signal_is_missed(run):
    ablation = read(run, "ablation/lr").set_index("step")
    without = ablation.loc["without-radiomics"]
    assert without["delta"] == pytest.approx(without["auroc"] - ablation.loc["full", "auroc"])
    assert without["delta_high"] < 0
    assert without["delta_low"] < without["delta"] < without["delta_high"]


def test_the_wrong_models_file_is_refused(run):
    table = (
        *("--study", run / "study", "--analysis", run / "analysis.parquet"),
        *("--info", run / "analysis.json", "--split", run / "split.parquet"),
    )
    model = run / "models" / MODEL
    done = run_here(
        *("models.ablate", "--model", "rf", *table, "--model-json", model / "model.json"),
        *("--importance", model / "importance.parquet"),
        *("--out-dir", run / "no"),
    )
    assert done.returncode == 1
    assert "--model-json must be of the model that is ablated. Found: lr. In: --model rf." in (
        done.stderr
    )
    assert not (run / "no").exists()
