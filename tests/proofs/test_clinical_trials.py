"""The proofs of the clinical studies run, and tell what they are to tell."""

from __future__ import annotations

import pandas as pd
import pytest

from models.oversampled_split import AFTER, BEFORE
from pipeline.study.changed import with_option
from pipeline.study.config import load_config
from proofs import oversampled_split, regression_trials


def test_null_cohorts_have_the_published_size_and_the_leaking_order_finds_something(repository):
    config = load_config([repository / "config" / "demo-zhang2025.yaml"])
    columns, table = oversampled_split.null_cohort(3)
    assert (len(table), table["outcome"].sum()) == (179, 29)
    assert {"avh", "hu", "cobb"} <= set(columns.clinical)
    found = oversampled_split.trials(2, 1, with_option(config, "split.folds", 2), "numbers")
    summary = oversampled_split.summarise(found).set_index(["order", "measure"])["mean"]
    assert summary[BEFORE, "auroc"] > summary[AFTER, "auroc"] + 0.2


def test_coverage_and_optimism_are_tabulated():
    covered = regression_trials.covered("li2021", 3, 1).set_index("column")
    assert covered.loc["ivc=yes", "true"] == pytest.approx(1.332)
    assert covered.loc["age", "true"] == 0
    assert covered["coverage"].between(0, 1).all()
    runs = pd.DataFrame(
        {
            "cohort": "li2021", "run": [0, 1], "measure": "c_index", "apparent": [0.8, 0.9],
            "corrected": [0.75, 0.8], "true": [0.7, 0.8], "low": [0.65, 0.81], "high": [0.8, 0.9],
        }
    )  # fmt: skip
    found = regression_trials.summarise(runs).iloc[0]
    assert found["apparent_error"] == pytest.approx(0.1)
    assert found["corrected_error"] == pytest.approx(0.025)
    assert found["holds"] == 0.5
