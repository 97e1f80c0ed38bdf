"""Oversampling before the split finds what is not there; the right order does not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from models.oversampled_split import (
    AFTER,
    BEFORE,
    LEAKS,
    OBSERVED,
    PERMUTED,
    compare_orders,
    parts_of,
)
from models.transformers.columns import Columns, Predictor
from pipeline.core.errors import StudyError
from pipeline.reporting.results import Orders
from pipeline.reporting.sections.prediction.orders import orders_section
from pipeline.study.changed import with_option
from pipeline.study.config import resolve_config
from tests.support.options import typed
from tests.support.refusals import refusal

CONFIG = {
    "study": "orders",
    "clinical": "c.csv",
    "dictionary": "d.csv",
    "clinical_only": True,
    "outcome": {"name": "pain", "formula": "vas >= 5"},
    "models": ["rf"],
    "oversampling": "smote",
    "oversampled_split": {"models": ["rf"], "permutations": 8},
    "search": {"spaces": {"rf": {"n_estimators": [20], "max_features": ["sqrt"]}}},
    "selection": {"clinical": {"p": None}},
    "nested": {"models": []},
    "optimism": {"models": []},
    "ablation": {"models": []},
}


@pytest.fixture(scope="module")
def noise() -> tuple[Columns, pd.DataFrame]:
    """Return a cohort of the size of zhang2025 whose predictors say nothing of the outcome."""
    rng = np.random.default_rng(8)
    names = [f"x{at}" for at in range(10)]
    table = pd.DataFrame(rng.normal(size=(179, 10)), columns=names)
    table["sex"] = rng.choice(["female", "male"], 179)
    table["outcome"] = rng.permutation(np.arange(179) < 29).astype(int)
    table["unit_id"] = table["patient_id"] = [f"P{at:03d}" for at in range(179)]
    predictors = [Predictor(name, name, "continuous", ()) for name in names]
    predictors.append(Predictor("sex", "Sex", "binary", ("female", "male")))
    return Columns((), None, (), tuple(predictors)), table


@pytest.fixture(scope="module")
def config() -> dict:
    return resolve_config(CONFIG)


@pytest.fixture(scope="module")
def compared(noise, config) -> tuple[pd.DataFrame, dict]:
    return compare_orders(*noise, typed(config))


def test_the_leaking_order_finds_in_noise_what_the_right_one_does_not(compared):
    table, _ = compared
    mean = table[table["outcome"] == PERMUTED].groupby("order").mean(numeric_only=True)
    assert mean.loc[BEFORE, "accuracy"] == pytest.approx(0.83, abs=0.07)
    assert mean.loc[BEFORE, "auroc"] > 0.85
    assert abs(mean.loc[AFTER, "auroc"] - 0.5) < 0.12
    assert mean.loc[BEFORE, "f1"] > mean.loc[AFTER, "f1"] + 0.4


def test_rows_say_which_order_leaks(compared):
    table, facts = compared
    assert set(table.loc[table["order"] == BEFORE, "mode"]) == {LEAKS}
    assert set(table.loc[table["order"] == AFTER, "mode"]) == {"rigorous"}
    assert (table["outcome"] == OBSERVED).sum() == 2
    assert table["tp"].add(table["fp"]).add(table["fn"]).add(table["tn"]).eq(table["rows"]).all()
    assert (table.loc[table["order"] == BEFORE, "synthetic"] > 0).all()
    assert (table.loc[table["order"] == AFTER, "synthetic"] == 0).all()
    assert facts["parameters"]["rf"]["n_estimators"] == 20


def test_test_rows_of_the_right_order_are_patients_as_they_are(noise, config):
    columns, table = noise
    y = table["outcome"].to_numpy()
    after = parts_of(AFTER, columns, table, y, typed(config), 0.3, seed=1)
    assert len(after.y_test) == 54
    assert np.bincount(after.y)[0] == np.bincount(after.y)[1]
    before = parts_of(BEFORE, columns, table, y, typed(config), 0.3, seed=1)
    assert len(before.y) + len(before.y_test) == 300
    # 7:3 of 300 rows, so that the published accuracy of .9167 is none of them.
    assert len(before.y_test) == 90
    assert all(round(right / 90, 4) != 0.9167 for right in range(91))
    assert round(55 / 60, 4) == 0.9167


def test_the_same_seed_gives_the_same_table(noise, config, compared):
    few = with_option(typed(config), "oversampled_split.permutations", 1)
    again, _ = compare_orders(*noise, typed(few))
    pd.testing.assert_frame_equal(again, compared[0].iloc[: len(again)])


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"features": {"A": "a.csv"}}, "clinical-only-with-images", ""),
        (
            {"outcome": None},
            "clinical-only-option-missing",
            "Models of clinical predictors alone need `outcome`",
        ),
        ({"mode": "as_published"}, "clinical-only-as-published", ""),
        ({"oversampling": "none"}, "oversampled-split-without-oversampling", ""),
        (
            {"oversampled_split": {"models": ["lr"]}},
            "model-not-trained",
            "A model can only be oversampled before",
        ),
    ],
)
def test_options_that_contradict_are_refused(options, code, message):
    with refusal(code, StudyError, match=message):
        resolve_config(CONFIG | options)


def test_the_section_shows_both_orders_and_says_leaking(compared):
    table, facts = compared
    page = SimpleNamespace(
        modelling=SimpleNamespace(orders=Orders(table, facts)),
        study=SimpleNamespace(config={"oversampled_split": {"models": ["rf"]}}),
    )
    section = orders_section(page)
    assert "LEAKING" in section.title
    [shown] = [block for block in section.all_blocks() if block.kind == "table"]
    assert shown.shown["Metric"].tolist()[:3] == [
        "Precision (PPV)",
        "Sensitivity (recall)",
        "F1 score",
    ]
    leaking = [name for name in shown.shown.columns if "Oversampled first" in name]
    assert len(leaking) == 2
    assert all("LEAKING" in name for name in leaking)
    notes = " ".join(block.text for block in section.all_blocks() if block.kind == "note")
    mean = table[(table["outcome"] == PERMUTED) & (table["order"] == BEFORE)]["accuracy"].mean()
    assert f"mean accuracy of {mean:.2f}" in notes
    assert not orders_section(SimpleNamespace(modelling=None)).blocks
