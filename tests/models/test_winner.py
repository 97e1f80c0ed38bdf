from __future__ import annotations

import argparse
import shutil

import numpy as np
import pandas as pd
import pytest

from models import winner
from models.winner import choose_winner
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.core.fit_status import WAS_FITTED
from pipeline.study.config import resolve_config
from tests.support.refusals import refusal


def info(model: str, auc: float | None) -> dict:
    return {"model": model, "label": model.upper(), "cv_auc": auc, "cv_auc_sd": 0.05, **WAS_FITTED}


def test_the_highest_cross_validated_auroc_wins_and_of_equals_the_first():
    found = choose_winner([info("lr", 0.7), info("svm", 0.8), info("rf", 0.8), info("x", None)])
    assert found["model"] == "svm"
    assert found["cv_auc"] == 0.8
    assert [entry["model"] for entry in found["candidates"]] == ["lr", "svm", "rf", "x"]


def test_without_cross_validation_there_is_no_winner():
    with refusal("no-cross-validated-auroc", StudyError):
        choose_winner([info("lr", None)])


def test_test_outcomes_cannot_move_the_choice(tmp_path):
    """The command writes the same file whatever happened to the test rows."""
    rng = np.random.default_rng(1)
    (tmp_path / "study.yaml").write_text("mode: rigorous\n", encoding="utf-8")
    for model, auc in (("lr", 0.71), ("rf", 0.69)):
        rows = pd.DataFrame({"unit_id": range(40), "part": "test", "probability": rng.random(40)})
        rows["outcome"] = rng.integers(0, 2, 40)
        write_json(info(model, auc), tmp_path / model / "model.json")
        write_table(rows, tmp_path / model / "predictions.parquet")

    def chosen(name: str) -> dict:
        models = [tmp_path / model / "model.json" for model in ("lr", "rf")]
        given = {"study": tmp_path, "models": models, "nested": None, "out": tmp_path / name}
        winner.main(argparse.Namespace(**given))
        return read_json(tmp_path / name)

    before = chosen("before.json")
    for model in ("lr", "rf"):
        path = tmp_path / model / "predictions.parquet"
        rows = read_table(path)
        write_table(rows.assign(outcome=rng.permutation(rows["outcome"])), path)
    assert chosen("permuted.json") == before
    for model in ("lr", "rf"):
        shutil.move(tmp_path / model / "predictions.parquet", tmp_path / f"{model}.gone")
    assert chosen("unopened.json") == before


TABLES = {"study": "s", "features": {"A": "a.csv"}, "clinical": "c.csv", "dictionary": "d.csv"}
TABLES |= {"outcome": {"name": "o", "formula": "x > 1"}, "models": ["lr", "rf"]}
TABLES |= {"ablation": {"models": []}}


def test_the_primary_analysis_is_completed_from_its_model():
    config = resolve_config(TABLES | {"primary": {"model": "winner"}})
    assert config["primary"] == {"model": "winner", "part": "test", "metric": "auroc"}
    assert resolve_config(TABLES)["primary"] is None


@pytest.mark.parametrize(
    ("primary", "more", "code", "message"),
    [
        ({"model": "tabnet"}, {}, "primary-model-not-trained", ""),
        ({"model": "lr"}, {"outcome": None}, "primary-without-outcome", ""),
        (
            {"model": "lr", "part": "nested"},
            {"nested": {"models": ["rf"]}},
            "primary-model-not-nested",
            "",
        ),
        (
            {"model": "winner", "part": "nested"},
            {"nested": {"models": ["rf"]}},
            "primary-model-not-nested",
            "",
        ),
        ({"model": "lr", "part": "nested", "metric": "ici"}, {}, "primary-metric-not-nested", ""),
        ({"model": "lr", "part": "oof"}, {}, "option-value-invalid", "must be one of test, nested"),
        ({"part": "test"}, {}, "option-missing", "`model` must be given"),
    ],
)
def test_a_primary_analysis_that_cannot_be_is_refused(primary, more, code, message):
    with refusal(code, StudyError, match=message):
        resolve_config(TABLES | more | {"primary": primary})
