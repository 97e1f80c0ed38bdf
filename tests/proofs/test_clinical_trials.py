"""The proofs of the clinical studies run, and tell what they are to tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from demo.clinical import simulate
from models.oversampled_split import AFTER, BEFORE
from pipeline.core.seeds import derive_seed
from pipeline.study.changed import with_option
from pipeline.study.config import load_config
from proofs import oversampled_split, regression_trials
from tests.support.options import typed


def test_null_cohorts_have_the_published_size_and_the_leaking_order_finds_something(repository):
    config = load_config([repository / "config" / "demo-zhang2025.yaml"])
    columns, table = oversampled_split.null_cohort(3)
    assert (len(table), table["outcome"].sum()) == (179, 29)
    assert {"avh", "hu", "cobb"} <= set(columns.clinical)
    found = oversampled_split.trials(2, 1, with_option(typed(config), "split.folds", 2), "numbers")
    summary = oversampled_split.summarise(found).set_index(["order", "measure"])["mean"]
    assert summary[BEFORE, "auroc"] > summary[AFTER, "auroc"] + 0.2


def test_a_proof_of_regressions_goes_on_where_it_ended(tmp_path):
    given = ["--cohorts", "li2021", "--coverage", "10", "--optimism", "0"]
    given += ["--resamples", "2", "--out", str(tmp_path)]
    parse = regression_trials._arguments().parse_args
    regression_trials.main(parse(given))
    table = pd.read_csv(tmp_path / "coverage.csv").set_index("column")
    assert table.loc["ivc=yes", "true"] == pytest.approx(1.332)
    assert table.loc["age", "true"] == 0
    assert table["coverage"].between(0, 1).all()
    assert {"age", "goutallier=3-4", "(risk of a patient)"} <= set(table.index)
    assert (table["runs"] == 10).all()
    journal = (tmp_path / "journal.jsonl").read_bytes()
    given[3:6] = ["20", "--optimism", "0"]
    regression_trials.main(parse(given))
    assert (tmp_path / "journal.jsonl").read_bytes().startswith(journal)
    assert (pd.read_csv(tmp_path / "coverage.csv")["runs"] == 20).all()


def test_true_risks_are_those_of_the_cohort():
    later = regression_trials.later_patients("rong2025", 1, 4000)
    table, truth = simulate("rong2025", derive_seed(1, "later"), 4000)
    row = table.iloc[3]
    own = {name: row[name.split("=")[0]] for name in truth["coefficients"]}
    logit = truth["intercept"] + sum(
        b * (own[name] == name.split("=")[1] if "=" in name else own[name])
        for name, b in truth["coefficients"].items()
    )
    assert later.risks[3] == pytest.approx(1 / (1 + np.exp(-logit)))
    assert later.outcome.mean() == pytest.approx(truth["prevalence"], abs=0.03)


def test_a_block_of_optimism_holds_apparent_corrected_and_true_figures():
    kind = "screened"
    shared = {"li2021": regression_trials.later_patients("li2021", 1, 2000)}
    rows = regression_trials.work(shared, regression_trials.Task(kind, "li2021", 0, 2, 1))["rows"]
    table = pd.DataFrame(rows).assign(cohort="li2021", kind=kind)
    assert len(table) == 3 * regression_trials.BLOCK
    found = regression_trials.summarise(table).set_index("measure")
    assert found.loc["c_index", "apparent_error"] > found.loc["c_index", "corrected_error"]
    assert 0 <= found.loc["c_index", "holds"] <= 1
    assert np.isnan(found.loc["brier", "holds"])


def test_errors_of_optimism_and_what_limits_hold_are_counted():
    runs = pd.DataFrame(
        {
            "cohort": "li2021", "kind": "screened", "run": [0, 1], "measure": "c_index",
            "apparent": [0.8, 0.9], "corrected": [0.75, 0.8], "true": [0.7, 0.8],
            "low": [0.65, 0.81], "high": [0.8, 0.9],
        }
    )  # fmt: skip
    found = regression_trials.summarise(runs).iloc[0]
    assert found["apparent_error"] == pytest.approx(0.1)
    assert found["corrected_error"] == pytest.approx(0.025)
    assert (found["holds"], found["too_high"]) == (0.5, 0.5)
    assert found["width"] == pytest.approx(0.12)
