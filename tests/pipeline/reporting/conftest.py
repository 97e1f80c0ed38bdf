"""Small studies that were run once, for tests that read a finished run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from pipeline.reporting.reading_results import read_results
from pipeline.reporting.results import Results
from tests.support.report_study import (
    CANARY,
    Page,
    add_images,
    flow,
    report_of,
)
from tests.support.small_study import PATIENTS, run_models, run_repetitions, write_study


@pytest.fixture(scope="session")
def lr_study(tmp_path_factory, repository) -> Path:
    """Return the folder of a study of ready tables with a logistic regression."""
    options = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    options |= {"study": "small", "unit": "case", "model_reader": "A", "models": ["lr"]}
    options["features"] = {"A": f"/home/{CANARY}/a.parquet", "B": f"/home/{CANARY}/b.parquet"}
    options["outcome"] = {"name": "rbp", "label": "Pain", "formula": "vas_day3 >= 4"}
    options["outcome"]["definition"] = "pain of VAS 4 or more on day 3"
    options["search"]["iterations"] = 2
    options["split"]["folds"] = 3
    options["evaluation"]["bootstrap"] = 60
    options["interpretation"]["permutations"] = 1
    options["nested"] |= {"models": ["lr"], "folds": 3, "search": "fixed"}
    options["stability"] |= {"resamples": 4, "permutations": 1}
    options["optimism"] |= {"models": [], "resamples": 10}
    options["ablation"] |= {"models": ["lr"], "top": 1, "single": 0, "seeds": 1}
    options["ablation"] |= {"families": [], "steps": []}
    folder = tmp_path_factory.mktemp("results") / "small"
    flow = {"steps": [{"label": "all", "patients": 90, "cases": 90, "excluded": []}]}
    write_study(folder, options, flow, 80)
    run_models(folder, options)
    run_repetitions(folder, options)
    return folder


@pytest.fixture(scope="session")
def lr_results(lr_study) -> Results:
    """Return its results; tests leave them as they are."""
    return read_results(lr_study / "study")


@pytest.fixture(scope="session")
def config(repository) -> dict:
    """Return a small search over two models, with an ablation."""
    options = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    options |= {"study": "small", "title": "A <small> study & its report", "unit": "case"}
    options |= {"model_reader": "A", "models": ["lr", "rf"]}
    options["features"] = {"A": f"/home/{CANARY}/a.parquet", "B": f"../{CANARY}/b.parquet"}
    options["results"] = f"/home/{CANARY}/results"
    options["clinical"] = f"/home/{CANARY}/clinical.csv"
    options["dictionary"] = f"/home/{CANARY}/dictionary.csv"
    options["outcome"] = {"name": "rbp", "label": "Residual back pain", "formula": "vas_day3 >= 4"}
    options["search"]["iterations"] = 2
    options["search"]["spaces"] = {"rf": {"n_estimators": [20], "max_depth": [2, 3]}}
    options["split"]["folds"] = 3
    options["evaluation"]["bootstrap"] = 60
    options["interpretation"] |= {"shap": True, "shap_rows": 10, "shap_background": 5}
    options["nested"] |= {"models": ["lr"], "folds": 3, "search": "fixed"}
    options["stability"] |= {"resamples": 6, "permutations": 2}
    options["optimism"] |= {"models": ["lr"], "resamples": 4, "search": "fixed"}
    options["ablation"] |= {"models": ["lr", "rf"], "top": 2, "single": 2, "seeds": 2}
    options["ablation"] |= {"families": ["log", "gradient"], "steps": ["mrmr"]}
    return options


@pytest.fixture(scope="session")
def table_study(tmp_path_factory, config) -> Path:
    """Run the modelling stages on simulated feature tables; return the study's folder."""
    folder = tmp_path_factory.mktemp("results") / "small"
    write_study(folder, config, flow(PATIENTS), 160)
    run_models(folder, config)
    run_repetitions(folder, config)
    return folder


@pytest.fixture
def copied(table_study, tmp_path) -> Path:
    """Return a copy of the table study that a test may change."""
    return Path(shutil.copytree(table_study, tmp_path / "results" / "small"))


@pytest.fixture(scope="session")
def imaging_study(table_study, tmp_path_factory, repository) -> Path:
    """Return a study with images and models; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("images") / "small"
    shutil.copytree(table_study, folder)
    add_images(folder, repository)
    return folder


@pytest.fixture
def copied_images(imaging_study, tmp_path) -> Path:
    """Return a copy of the study with images that a test may change."""
    return Path(shutil.copytree(imaging_study, tmp_path / "images" / "small"))


@pytest.fixture(scope="session")
def page(table_study) -> Page:
    return Page(report_of(table_study))


@pytest.fixture(scope="session")
def imaging_text(imaging_study) -> str:
    return report_of(imaging_study)
