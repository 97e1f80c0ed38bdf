"""One small study with one model, for tests that read a finished run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.reporting.reading_results import read_results
from pipeline.reporting.results import Results
from tests.support.small_study import run_models, run_repetitions, write_study

CANARY = "PHI-CANARY-0010-0010"


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
