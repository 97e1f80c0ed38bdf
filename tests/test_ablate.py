from __future__ import annotations

import copy
import logging

import numpy as np
import pandas as pd
import pytest
import yaml

from models.ablate import (
    Refits,
    ablate,
    refit_step,
    seeds_of,
    summarise_step,
)
from models.ablation_steps import plan_steps, top_candidates
from models.columns import Columns
from models.fitted import refit
from models.intervals import patient_resamples
from pipeline.core.seeds import derive_seed

SIGNAL, PROXY = "original_firstorder_Signal", "original_firstorder_Proxy"
NOISE = [f"original_glcm_Noise{i}" for i in range(6)]
PREDICTORS = [
    {"column": "trauma", "label": "Trauma", "type": "categorical", "levels": "none|fall|crash"},
    {"column": "age", "label": "Age", "type": "continuous", "levels": None},
]


@pytest.fixture(scope="module")
def config(repository) -> dict:
    options = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    options["evaluation"]["bootstrap"] = 300
    options["ablation"] = {"models": ["rf"], "top": 3, "blocks": ["radiomics", "clinical"]}
    options["ablation"]["seeds"] = 2
    return options


@pytest.fixture(scope="module")
def columns() -> Columns:
    return Columns.from_info(
        {
            "readers": ["A"],
            "model_reader": None,
            "features": [SIGNAL, PROXY, *NOISE],
            "predictors": PREDICTORS,
        }
    )


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Return 260 units whose outcome follows one feature, with a proxy, and trauma."""
    rng = np.random.default_rng(11)
    n = 260
    signal = rng.normal(size=n)
    trauma = rng.choice(["none", "fall", "crash"], n)
    logit = 2.5 * signal + np.where(trauma == "crash", 1.5, 0) - 1
    table = {
        "unit_id": [f"U{i:04d}" for i in range(n)],
        "patient_id": [f"P{i:04d}" for i in range(n)],
        "outcome": (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int),
        "trauma": trauma,
        "age": rng.normal(75, 8, n),
        f"A:{SIGNAL}": signal,
        f"A:{PROXY}": signal + 0.5 * rng.normal(size=n),
        **{f"A:{name}": rng.normal(size=n) for name in NOISE},
    }
    return pd.DataFrame(table)


@pytest.fixture(scope="module")
def sides(rows) -> tuple[pd.DataFrame, pd.DataFrame]:
    return rows.iloc[:180].reset_index(drop=True), rows.iloc[180:]


@pytest.fixture(scope="module")
def importance() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "feature": [SIGNAL, "trauma=crash", PROXY, "trauma=fall", NOISE[0]],
            "importance": [0.4, 0.22, 0.25, 0.13, 0.0],
        }
    )


INFO = {"parameters": {"n_estimators": 60, "max_depth": 3}, "threshold": 0.4}


@pytest.fixture(scope="module")
def ablation(columns, sides, importance, config) -> tuple[pd.DataFrame, dict]:
    table, facts = ablate("rf", columns, *sides, INFO, importance, config)
    return table.set_index("step"), facts


def test_levels_of_a_variable_count_together(importance, columns):
    # trauma's two columns have .35 together, more than the proxy's .25; zero does not rank.
    assert top_candidates(importance, columns) == [SIGNAL, "trauma", PROXY]


def test_steps_remove_cumulatively_and_in_blocks(columns):
    steps = plan_steps(columns, [SIGNAL, "trauma", PROXY], 3, ["radiomics", "clinical"])
    removed = {step.name: step.removed for step in steps}
    assert removed == {
        "full": (),
        "top-1": (SIGNAL,),
        "top-2": (SIGNAL, "trauma"),
        "top-3": (SIGNAL, "trauma", PROXY),
        "without-radiomics": ("radiomics",),
        "without-clinical": ("clinical",),
    }
    left = {step.name: set(step.columns.names) for step in steps}
    assert left["full"] - left["top-2"] == {f"A:{SIGNAL}", "trauma"}
    assert left["without-radiomics"] == {"trauma", "age"}
    assert not left["without-clinical"] & {"trauma", "age"}


def test_steps_that_cannot_be_done_say_so(columns):
    short = plan_steps(columns, [SIGNAL], 2, [])
    assert short[2].columns is None
    assert short[2].note == "not done: only 1 candidates have an importance above zero"
    no_clinical = plan_steps(columns.without_blocks("clinical"), [], 0, ["clinical", "radiomics"])
    assert no_clinical[1].note == "not done: the study has no clinical candidate"
    assert no_clinical[2].note == "not done: no candidate is left to fit with"


def test_a_step_not_done_is_a_row_without_numbers(columns, sides, config):
    options = copy.deepcopy(config)
    options["ablation"] |= {"top": 1, "blocks": ["radiomics"], "seeds": 1}
    only = columns.without_blocks("clinical")
    nothing = pd.DataFrame({"feature": [SIGNAL], "importance": [0.0]})
    table, facts = ablate("lr", only, *sides, {**INFO, "parameters": {}}, nothing, options)
    assert table["step"].to_list() == ["full", "top-1", "without-radiomics"]
    undone = table.iloc[1:]
    assert undone["note"].str.startswith("not done: ").all()
    assert undone[["auroc", "delta", "brier", "tp", "n_features"]].isna().all(axis=None)
    assert facts["fits"] == 1
    assert facts["top_features"] == []


def test_every_step_is_a_row_with_the_contracts_columns(ablation):
    table, facts = ablation
    assert table.reset_index().columns.to_list() == [
        *("step", "model", "removed", "n_features", "seeds", "auroc", "auroc_low", "auroc_high"),
        *("auroc_sd", "delta", "delta_low", "delta_high", "brier", "tp", "fp", "fn", "tn", "note"),
    ]
    assert table.index.to_list() == [
        *("full", "top-1", "top-2", "top-3", "without-radiomics", "without-clinical"),
    ]
    assert (table["seeds"] == 2).all()
    assert (table[["tp", "fp", "fn", "tn"]].sum(axis=1) == 80).all()
    assert facts["fits"] == 12
    assert facts["top_features"] == [SIGNAL, "trauma", PROXY]
    assert facts["search"] == "fixed"
    assert table.loc["top-2", "removed"] == f"{SIGNAL}|trauma"


def test_the_proxy_steps_in_and_the_block_does_not_return(ablation):
    table, _ = ablation
    assert table.loc["full", "delta"] == 0
    # The proxy carries most of the removed feature; without both, the signal is gone.
    assert table.loc["top-1", "delta"] > table.loc["top-3", "delta"] + 0.05
    for step in ("top-3", "without-radiomics"):
        assert table.loc[step, "delta_high"] < 0
        assert table.loc[step, "delta_low"] < table.loc[step, "delta"]
    assert (table["auroc_low"] < table["auroc"]).all()


def test_a_forest_differs_between_seeds(ablation):
    assert (ablation[0]["auroc_sd"].drop("without-radiomics") > 0).all()


def test_removed_columns_are_in_no_signature(columns, sides, config):
    training, test = sides
    rest = columns.without(SIGNAL, "trauma")
    refits = refit_step("rf", rest, training, test, INFO["parameters"], config, [1])
    assert PROXY in refits.signature
    assert SIGNAL not in refits.signature
    assert not any(name.startswith("trauma") for name in refits.signature)


def test_the_first_seed_gives_the_trained_model(columns, sides, config):
    training, test = sides
    seeds = seeds_of("rf", config)
    assert len(set(seeds)) == 2
    refits = refit_step("rf", columns, training, test, INFO["parameters"], config, seeds[:1])
    seed = derive_seed(config["seed"], "rf", "refit")
    trained = refit("rf", columns, training, INFO["parameters"], config, seed)
    np.testing.assert_array_equal(refits.probability[0], trained.predict(test))
    assert refits.signature == trained.signature


def test_removing_what_was_not_selected_is_noticed(columns, sides, config):
    options = copy.deepcopy(config)
    options["ablation"] |= {"top": 1, "blocks": [], "seeds": 1}
    selected = refit_step("lr", columns, *sides, {}, config, [1]).signature
    idle = next(name for name in NOISE if name not in selected)
    ranked = pd.DataFrame({"feature": [idle], "importance": [1.0]})
    table, facts = ablate("lr", columns, *sides, {**INFO, "parameters": {}}, ranked, options)
    assert "One reader only: the CCC step was skipped." in facts["notes"]
    assert table["note"].to_list() == ["", "Same signature as in step full."]
    assert table.loc[1, "delta"] == 0


def test_test_rows_do_not_reach_the_fit(columns, sides, config):
    training, test = sides
    changed = test.assign(outcome=1 - test["outcome"], age=0.0)
    unchanged = columns.without("age")
    one, other = (
        refit_step("rf", unchanged, training, part, INFO["parameters"], config, [4]).probability
        for part in (test, changed)
    )
    np.testing.assert_array_equal(one, other)


def test_summary_by_hand():
    test = pd.DataFrame({"patient_id": list("abcdef"), "outcome": [1, 1, 1, 0, 0, 0]})
    full = np.array([0.9, 0.8, 0.4, 0.5, 0.2, 0.1])  # 8 of 9 pairs right
    first = np.array([0.9, 0.8, 0.1, 0.4, 0.2, 0.3])  # 6 of 9
    second = np.array([0.9, 0.6, 0.3, 0.8, 0.2, 0.1])  # 7 of 9
    weights = patient_resamples(test["patient_id"].to_numpy(), test["outcome"].to_numpy(), 500, 1)
    refits = Refits(np.array([first, second]), ["a", "b"], [])
    row = summarise_step(refits, full, test, 0.5, weights, 0.95)
    # Averaged: .9 .7 .2 | .6 .2 .2, of which 2 x 3 + 0 + 2 halves are right.
    assert row["auroc"] == pytest.approx(7 / 9)
    assert row["delta"] == pytest.approx(-1 / 9)
    assert row["auroc_sd"] == pytest.approx(np.std([6 / 9, 7 / 9], ddof=1))
    assert (row["tp"], row["fp"], row["fn"], row["tn"]) == (2, 1, 1, 2)
    assert row["brier"] == pytest.approx((0.01 + 0.09 + 0.64 + 0.36 + 0.04 + 0.04) / 6)
    assert row["n_features"] == 2


def test_full_against_itself_has_no_interval_of_difference(ablation):
    full = ablation[0].loc["full"]
    assert np.isnan([full["delta_low"], full["delta_high"]]).all()


def test_fits_are_counted_beforehand_and_followed(columns, sides, importance, config, caplog):
    options = copy.deepcopy(config)
    options["ablation"] |= {"top": 1, "blocks": [], "seeds": 2}
    with caplog.at_level(logging.INFO, logger="vertebromics"):
        ablate("lr", columns, *sides, {**INFO, "parameters": {}}, importance, options)
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "ablation of lr: 4 fits of 2 steps"
    assert len(told) == 5
    assert told[-1] == "progress ablate lr 4/4 top-1, 0 s left"
