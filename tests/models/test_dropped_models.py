"""A model that cannot be fitted drops out, and the report is made of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from models.learning.one_fit import FitRows, GivenRows, fit_rows
from models.scoring.evaluation import evaluate
from models.winner import choose_winner
from pipeline.core.errors import FitError
from pipeline.core.files import read_json, read_table, write_table
from pipeline.core.fit_status import not_fitted
from pipeline.core.table_schema import types_of
from pipeline.reporting.dropped import NO_MODEL
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.study_report import build_sections, render, write_report
from pipeline.study.sections.judging import Evaluation
from pipeline.tables.schemas.prediction.evaluation import EVALUATION
from tests.support.options import typed
from tests.support.refusals import refusal
from tests.support.small_study import PATIENTS, run_models, run_repetitions, write_study

TRAINING_EVENTS = 3
"""With two folds, one fold's training rows hold one event: a support vector machine, which divides
its own rows once more, cannot learn its probabilities, and logistic regression can."""


def configuration(repository: Path, models: list[str]) -> dict:
    options = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    options |= {"study": "few", "unit": "case", "model_reader": "A", "models": models}
    options["features"] = {"A": "a.parquet", "B": "b.parquet"}
    options |= {"clinical": "clinical.csv", "dictionary": "dictionary.csv"}
    options["outcome"] = {"name": "rbp", "label": "Pain", "formula": "vas_day3 >= 4"}
    options["primary"] = {"model": "svm", "part": "test", "metric": "auroc"}
    options["search"]["iterations"] = 2
    options["split"]["folds"] = 2
    options["evaluation"]["bootstrap"] = 40
    # Every fit has columns: without any, the share of events would be predicted.
    options["selection"] |= {
        "permutations": 2,
        "ccc": {**options["selection"]["ccc"], "threshold": 0.0},
    }
    options["selection"]["wilcoxon"]["p"] = None
    options["selection"]["mrmr"]["k"] = 3
    options["nested"] |= {"models": models, "folds": 2, "search": "fixed"}
    options["stability"] |= {"resamples": 3, "permutations": 0}
    options["optimism"] |= {"models": models, "resamples": 3, "search": "fixed"}
    options["ablation"] |= {"models": models, "top": 1, "single": 0, "seeds": 1, "blocks": []}
    options["ablation"] |= {"families": [], "steps": []}
    return options


def run_study(folder: Path, config: dict) -> Path:
    """Run the stages of modelling with few events among the training rows."""
    flow = {"steps": [{"label": "Analysed", "patients": PATIENTS, "cases": PATIENTS,
                       "excluded": []}]}  # fmt: skip
    write_study(folder, config, flow, 30)
    path = folder / "tables" / "split.parquet"
    split = read_table(path)
    events = split.index[split["outcome"] == 1]
    others = split.index[split["outcome"] == 0]
    split["part"], split["fold"] = "test", -1
    for rows in (events[:TRAINING_EVENTS], others[:20]):
        split.loc[rows, "part"] = "train"
        split.loc[rows, "fold"] = [number % 2 for number in range(len(rows))]
    write_table(split, path, csv=True)
    run_models(folder, config)
    run_repetitions(folder, config)
    return folder


def texts(folder: Path) -> str:
    return render("Few", build_sections(read_results(folder / "study")))


@pytest.fixture(scope="module")
def one_left(tmp_path_factory, repository) -> Path:
    folder = tmp_path_factory.mktemp("one") / "few"
    return run_study(folder, configuration(repository, ["lr", "svm"]))


def test_the_model_says_why_and_leaves_empty_tables(one_left):
    info = read_json(one_left / "models" / "svm" / "model.json")
    assert info["status"] == "not_fitted"
    assert "support vector machine need patients of both outcomes" in info["reason"]
    for name in ("predictions", "search", "importance"):
        table = read_table(one_left / "models" / "svm" / f"{name}.parquet")
        assert len(table) == 0
        there = read_table(one_left / "models" / "lr" / f"{name}.parquet")
        assert list(table.columns) == list(there.columns)
    assert read_json(one_left / "models" / "lr" / "model.json")["status"] == "fitted"


@pytest.mark.parametrize("stage", ["nested", "optimism", "ablation"])
def test_stages_that_need_it_say_so_too(one_left, stage):
    assert read_json(one_left / stage / "svm.json")["status"] == "not_fitted"
    table = read_table(one_left / stage / "svm.parquet")
    assert len(table) == 0
    assert list(table.columns) == list(read_table(one_left / stage / "lr.parquet").columns)
    assert read_json(one_left / stage / "lr.json")["status"] == "fitted"


def test_the_others_are_evaluated_without_it(one_left):
    metrics = read_table(one_left / "evaluation" / "metrics.parquet")
    assert set(metrics["model"]) == {"lr"}
    assert read_json(one_left / "evaluation" / "winner.json")["model"] == "lr"


def test_the_lost_primary_analysis_is_the_first_line_of_the_report(one_left):
    write_report(read_results(one_left / "study"), one_left / "report" / "report.html")
    page = (one_left / "report" / "report.html").read_text(encoding="utf-8")
    summary = page.index('id="summary"')
    told = page.index("The primary analysis could not be made")
    assert summary < told < page.index("Question")
    assert "Support vector machine, which could not be fitted" in page
    assert "and not made" in page


def test_without_any_model_there_is_a_report_of_the_rest(tmp_path, repository):
    folder = run_study(tmp_path / "few", configuration(repository, ["svm"]))
    page = texts(folder)
    assert "The primary analysis could not be made" in page
    assert NO_MODEL in page
    assert "Flow of patients" in page
    assert read_json(folder / "evaluation" / "winner.json")["model"] is None


def test_tables_without_models_have_the_columns_of_tables_with_some(one_left):
    for name, schema in EVALUATION.items():
        table = read_table(one_left / "evaluation" / f"{name}.parquet")
        assert list(table.columns) == list(types_of(schema)), name
    assert set(evaluate({}, {}, Evaluation(), 1)) == set(EVALUATION)


def test_no_candidate_is_a_model_that_was_not_fitted():
    lost = {"model": "svm", "label": "SVM", **not_fitted("too few")}
    assert choose_winner([lost])["model"] is None


def test_rows_of_one_outcome_are_no_training_rows(one_left):
    import numpy as np

    rows = FitRows(np.zeros((4, 2)), np.ones(4, int), GivenRows(None, None, None))
    with refusal("training-one-outcome", FitError):
        fit_rows("lr", {}, rows, typed({}), 1)
