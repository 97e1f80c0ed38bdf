from __future__ import annotations

import copy
import json
import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from models.ablate import COLUMNS, SEED_COLUMNS, ablate, plan_ablation
from models.ablate import main as run_ablation
from models.learning.fitted_procedure import refit, refit_classifier
from models.learning.folds import assign_folds
from models.learning.procedure import Procedure
from models.modes.mode import candidates_in_mode
from models.repetitions import ablation_refits
from models.repetitions.ablation_refits import (
    Refits,
    Setting,
    refit_step,
    seed_rows,
    summarise_step,
)
from models.repetitions.ablation_steps import Step, plan_steps
from models.scoring.intervals import patient_resamples
from models.transformers.columns import Columns
from pipeline.core.errors import DivergedError, StudyError
from pipeline.core.seeds import derive_seed
from tests.support.options import typed
from tests.support.refusals import refusal

SIGNAL, PROXY = "original_firstorder_Signal", "original_firstorder_Proxy"
NOISE = [f"wavelet-LLH_glcm_Noise{i}" for i in range(6)]
PREDICTORS = [
    {"column": "trauma", "label": "Trauma", "type": "categorical", "levels": "none|fall|crash"},
    {"column": "age", "label": "Age", "type": "continuous", "levels": None},
]
FOREST = {"n_estimators": 60, "max_depth": 3}


@pytest.fixture(scope="module")
def config(repository) -> dict:
    options = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    options["evaluation"]["bootstrap"] = 300
    options["search"] |= {"iterations": 3, "reduced_iterations": 2}
    options["search"]["spaces"] = {"lr": {"C": [0.01, 0.1, 1.0], "penalty": ["l2"]}}
    options["split"]["folds"] = 3
    options["ablation"] |= {"models": ["rf"], "top": 3, "single": 0, "seeds": 2}
    options["ablation"] |= {"families": [], "steps": []}
    return options


def change(config: dict, **options: object) -> dict:
    """Return the configuration with some options of the ablation changed."""
    changed = copy.deepcopy(config)
    changed["ablation"] |= options
    return changed


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
def sides(rows) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Return training rows, their folds, and test rows."""
    training = rows.iloc[:180].reset_index(drop=True)
    return training, assign_folds(training, 3, 5), rows.iloc[180:]


@pytest.fixture(scope="module")
def importance() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "feature": [SIGNAL, "trauma=crash", PROXY, "trauma=fall", NOISE[0]],
            "importance": [0.4, 0.22, 0.25, 0.13, 0.0],
        }
    )


INFO = {"features": [SIGNAL, PROXY, "trauma=fall", "trauma=crash"]}
ONE_READER = "One reader only: the CCC step was skipped."


@pytest.fixture(scope="module")
def ablation(columns, sides, importance, config) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    setting = Setting("rf", *sides, FOREST, typed(config))
    table, seeds, facts = ablate(setting, columns, INFO, importance)
    return table.set_index("step"), seeds, facts


def test_every_step_is_a_row_with_the_contracts_columns(ablation):
    table, seeds, facts = ablation
    assert set(table.reset_index().columns) == set(COLUMNS)
    assert table.index.to_list() == [
        *("full", "top-1", "top-2", "top-3", "without-radiomics", "without-clinical"),
    ]
    assert (table["seeds"] == 2).all()
    assert (table[["tp", "fp", "fn", "tn"]].sum(axis=1) == 80).all()
    assert table.loc["top-2", "removed"] == f"{SIGNAL}|trauma"
    assert list(seeds.columns) == list(SEED_COLUMNS)
    assert len(seeds) == 12
    # Two seeds a step, and the three folds of its threshold.
    assert facts["fits"] == 6 * (2 + 3)
    assert facts["top_features"] == [SIGNAL, "trauma", PROXY]
    assert (facts["search"], facts["where"]) == ("fixed", "before_selection")
    assert (facts["resamples"], facts["seeds"]) == (300, 2)
    assert facts["parameters"] == FOREST
    assert table["parameters"].map(json.loads).map(FOREST.__eq__).all()
    # What every step has to say is said once.
    assert ONE_READER in facts["notes"]
    assert not table["note"].str.contains(ONE_READER, regex=False).any()
    assert table.loc["full", "note"] == ""


def test_the_proxy_steps_in_and_the_block_does_not_return(ablation):
    table, _, _ = ablation
    assert table.loc["full", "delta"] == 0
    # The proxy carries most of the removed feature; without both, the signal is gone.
    assert table.loc["top-1", "delta"] > table.loc["top-3", "delta"] + 0.05
    for step in ("top-3", "without-radiomics"):
        assert table.loc[step, "delta_high"] < 0
        assert table.loc[step, "delta_low"] < table.loc[step, "delta"]
    assert (table["auroc_low"] < table["auroc"]).all()


def test_the_spread_over_seeds_is_that_of_the_single_fits(ablation):
    table, seeds, _ = ablation
    assert (table["auroc_sd"].drop("without-radiomics") > 0).all()
    single = seeds.groupby("step")
    for column, spread in (("auroc", "auroc_sd"), ("delta", "delta_sd")):
        expected = single[column].std(ddof=1)[table.index]
        pd.testing.assert_series_equal(table[spread], expected, check_names=False)
    assert (seeds.loc[seeds["step"] == "full", "delta"] == 0).all()


def test_the_first_seed_gives_the_trained_model(columns, sides, config):
    training, _, test = sides
    refits = refit_step(
        Setting("rf", *sides, FOREST, typed(config)), Step("full", "full", (), columns)
    )
    seed = derive_seed(config["seed"], "rf", "refit")
    trained = refit("rf", columns, training, FOREST, typed(config), seed)
    np.testing.assert_array_equal(refits.probability[0], trained.predict(test))
    assert refits.signature == trained.signature
    assert refits.fits == 2 + 3


def test_another_seed_behind_the_same_selection_is_a_refit_with_it(columns, sides, config):
    training, _, test = sides
    first = refit("rf", columns, training, FOREST, typed(config), 1)
    spared = refit_classifier(first, FOREST, typed(config), [2])[0].predict(test)
    whole = refit("rf", columns, training, FOREST, typed(config), 2).predict(test)
    np.testing.assert_array_equal(spared, whole)
    assert not np.array_equal(spared, first.predict(test))


def test_removed_columns_are_in_no_signature(columns, sides, config):
    step = Step("x", "named", (), columns.without(SIGNAL, "trauma"))
    refits = refit_step(Setting("rf", *sides, FOREST, typed(config)), step)
    assert PROXY in refits.signature
    assert SIGNAL not in refits.signature
    assert not any(name.startswith("trauma") for name in refits.signature)


def test_the_fixed_signature_lets_nothing_in(columns, sides, importance, config):
    training, _, test = sides
    options = change(config, where="signature", top=1, seeds=1, families=["original"])
    setting = Setting("lr", *sides, {}, typed(options))
    trained = refit("lr", columns, training, {}, typed(config), 3)
    info = INFO | {"features": trained.signature}
    table, _, facts = ablate(setting, columns, info, importance)
    signatures = table.set_index("step")["signature"].str.split("|")
    # The full step is the trained model itself, column by column.
    assert signatures["full"] == trained.signature
    full = refit_step(setting, plan_steps(columns, [], trained.signature, typed(options))[0])
    np.testing.assert_allclose(full.probability[0], trained.predict(test), rtol=1e-12)
    assert signatures["top-1"] == [name for name in trained.signature if name != SIGNAL]
    assert signatures["without-original"] == [
        name for name in trained.signature if name not in (SIGNAL, PROXY)
    ]
    assert "nothing steps in for them" in facts["notes"][0]
    assert not any("Switched off" in note for note in [*facts["notes"], *table["note"]])


def test_a_skipped_step_of_the_chain_is_really_skipped(columns, sides, importance, config):
    options = change(config, top=0, blocks=[], steps=["wilcoxon", "scaling"], seeds=1)
    table, _, _ = ablate(Setting("lr", *sides, {}, typed(options)), columns, INFO, importance)
    table = table.set_index("step")
    signature = table["signature"].str.split("|")
    full = set(signature["full"])
    assert {SIGNAL, PROXY, *NOISE} <= set(signature["skip-wilcoxon"])
    assert not set(NOISE) <= full
    assert table.loc["skip-wilcoxon", "note"] == ""
    # Scaling leaves the columns and changes the values: it is no repetition of another step.
    assert set(signature["skip-scaling"]) == full
    assert table.loc["skip-scaling", "same_as"] == ""
    assert table.loc["skip-scaling", "brier"] != table.loc["full", "brier"]


@pytest.mark.parametrize(("search", "sets"), [("reduced", 2), ("full", 3)])
def test_parameters_may_be_searched_again_in_every_step(
    columns, sides, importance, config, search, sets, caplog
):
    options = change(config, top=1, blocks=[], search=search)
    setting = Setting("lr", *sides, {"C": 77.0}, typed(options))
    with caplog.at_level(logging.INFO, logger="vertebromics"):
        table, _, facts = ablate(setting, columns, INFO, importance)
    # Two steps: a search over three folds, the best set once more, its refit, the second seed's.
    assert facts["fits"] == 2 * (3 * (sets + 1) + 2)
    told = caplog.messages[0]
    assert told == (
        f"ablation of lr: at most {facts['fits']} fits of 2 steps "
        f"(search: {search}, where: before_selection, seeds: 2)"
    )
    found = table["parameters"].map(json.loads)
    assert all(one["C"] in (0.01, 0.1, 1.0) for one in found)
    # With a full search the full step is the procedure that trained the model.
    if search == "full":
        training, folds, _ = sides
        trained = Procedure("lr", columns, typed(options)).run(training, options["seed"], folds)
        assert found[0] == trained.parameters
        full = refit_step(setting, Step("full", "full", (), columns))
        expected = trained.fitted.predict(sides[2])
        np.testing.assert_array_equal(full.probability[0], expected)


def test_removing_what_was_not_selected_is_noticed(columns, sides, config):
    options = change(config, top=1, blocks=[], seeds=1)
    setting = Setting("lr", *sides, {}, typed(options))
    selected = refit_step(setting, Step("full", "full", (), columns)).signature
    idle = next(name for name in NOISE if name not in selected)
    ranked = pd.DataFrame({"feature": [idle], "importance": [1.0]})
    table, _, _ = ablate(setting, columns, INFO, ranked)
    assert table["note"].to_list() == ["", "Same signature as in step full."]
    assert table["same_as"].to_list() == ["", "full"]
    assert table.loc[1, "delta"] == 0


def test_steps_that_remove_the_same_are_fitted_once(columns, sides, importance, config):
    options = change(config, top=1, single=1, blocks=[], seeds=1)
    table, seeds, facts = ablate(
        Setting("lr", *sides, {}, typed(options)), columns, INFO, importance
    )
    assert facts["fits"] == 2 * (1 + 3)
    table = table.set_index("step")
    assert table.loc["single-1", "same_as"] == "top-1"
    numbers = ["auroc", "auroc_low", "delta", "delta_low", "brier", "tp", "n_features"]
    pd.testing.assert_series_equal(
        table.loc["single-1", numbers], table.loc["top-1", numbers], check_names=False
    )
    assert set(seeds["step"]) == {"full", "top-1", "single-1"}


def test_a_step_not_done_is_a_row_without_numbers(columns, sides, config):
    options = change(config, top=1, blocks=["radiomics"], seeds=1)
    only = columns.without_blocks("clinical")
    nothing = pd.DataFrame({"feature": [SIGNAL], "importance": [0.0]})
    table, _, facts = ablate(Setting("lr", *sides, {}, typed(options)), only, INFO, nothing)
    assert table["step"].to_list() == ["full", "top-1", "without-radiomics"]
    undone = table.iloc[1:]
    assert undone["note"].str.startswith("not done: ").all()
    assert undone[["auroc", "delta", "brier", "tp", "n_features"]].isna().all(axis=None)
    assert facts["fits"] == 1 + 3
    assert facts["top_features"] == []


def test_with_an_empty_signature_nothing_is_fitted(columns, sides, importance, config):
    options = change(config, where="signature")
    setting = Setting("lr", *sides, {}, typed(options))
    table, seeds, facts = ablate(setting, columns, INFO | {"features": []}, importance)
    assert table["note"].to_list() == ["not done: the full model selected nothing"]
    assert table["auroc"].isna().all()
    assert len(seeds) == facts["fits"] == 0


def failing(monkeypatch, fails, error: Exception) -> None:
    """Let the procedure fail where `fails` says so of its columns."""
    run = Procedure.run

    def sometimes(self, *arguments):
        if fails(self.columns):
            raise error
        return run(self, *arguments)

    monkeypatch.setattr(ablation_refits.Procedure, "run", sometimes)


def test_a_step_that_cannot_be_fitted_leaves_the_others(
    columns, sides, importance, config, monkeypatch
):
    error = DivergedError("A network must not diverge", remedy="lower its learning rate")
    failing(monkeypatch, lambda left: SIGNAL not in left.features, error)
    options = change(config, top=1, single=1, blocks=["clinical"], seeds=1)
    setting = Setting("lr", *sides, {}, typed(options))
    table, _, facts = ablate(setting, columns, INFO, importance)
    table = table.set_index("step")
    for step in ("top-1", "single-1"):
        assert table.loc[step, "note"] == f"not done: {error}"
        assert pd.isna(table.loc[step, "auroc"])
    assert table.loc[["full", "without-clinical"], "auroc"].notna().all()
    assert facts["fits"] == 2 * (1 + 3)


@pytest.mark.parametrize("kind", [DivergedError, StudyError])
def test_without_the_full_model_there_is_no_ablation(
    columns, sides, importance, config, monkeypatch, kind
):
    whole = columns if kind is DivergedError else columns.without(SIGNAL)
    failing(monkeypatch, whole.__eq__, kind("It must work"))
    setting = Setting("lr", *sides, {}, typed(change(config, top=1, seeds=1)))
    with pytest.raises(kind, match="It must work"):
        ablate(setting, columns, INFO, importance)


def test_outcomes_of_test_rows_reach_neither_plan_nor_fits(columns, sides, importance, config):
    training, folds, test = sides
    permuted = test.assign(outcome=test["outcome"].to_numpy()[::-1])
    assert not permuted["outcome"].equals(test["outcome"])
    options = change(config, steps="all", families="all", single=2)
    one, other = (
        Setting("rf", training, folds, part, FOREST, typed(options)) for part in (test, permuted)
    )
    plans = [plan_ablation(setting, columns, INFO, importance) for setting in (one, other)]
    assert plans[0] == plans[1]
    step = plans[0][0][1]
    np.testing.assert_array_equal(
        refit_step(one, step).probability, refit_step(other, step).probability
    )


@pytest.mark.slow
def test_processes_change_no_number(columns, sides, importance, config):
    options = change(config, top=2, blocks=[])
    setting = Setting("rf", *sides, FOREST, typed(options))
    one, two = (ablate(setting, columns, INFO, importance, workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one[0], two[0])
    pd.testing.assert_frame_equal(one[1], two[1])
    assert one[2] == two[2]


def test_summary_by_hand():
    test = pd.DataFrame({"patient_id": list("abcdef"), "outcome": [1, 1, 1, 0, 0, 0]})
    whole = [0.9, 0.8, 0.4, 0.5, 0.2, 0.1]  # 8 of 9 pairs right
    first = [0.9, 0.8, 0.1, 0.4, 0.2, 0.3]  # 6 of 9
    second = [0.9, 0.6, 0.3, 0.8, 0.2, 0.1]  # 7 of 9
    weights = patient_resamples(test["patient_id"].to_numpy(), test["outcome"].to_numpy(), 500, 1)
    full = Refits(np.array([whole, whole]), ["a", "b", "c"], {}, 2, [], 0.45)
    refits = Refits(np.array([first, second]), ["a", "b"], {}, 2, [], 0.5)
    row = summarise_step(refits, full, test, weights, 0.95)
    # Averaged: .9 .7 .2 | .6 .2 .2, of which 2 x 3 + 0 + 2 halves are right.
    assert row["auroc"] == pytest.approx(7 / 9)
    assert row["delta"] == pytest.approx(-1 / 9)
    assert row["auroc_sd"] == row["delta_sd"] == pytest.approx(np.std([6 / 9, 7 / 9], ddof=1))
    assert row["threshold"] == 0.5
    assert (row["tp"], row["fp"], row["fn"], row["tn"]) == (2, 1, 1, 2)
    assert row["sensitivity"] == row["specificity"] == pytest.approx(2 / 3)
    assert row["brier"] == pytest.approx((0.01 + 0.09 + 0.64 + 0.36 + 0.04 + 0.04) / 6)
    assert row["n_features"] == 2
    single = seed_rows(refits, full, test)
    assert single["delta"].to_list() == pytest.approx([-2 / 9, -1 / 9])
    assert single["seed"].to_list() == [0, 1]


def test_full_against_itself_has_no_interval_of_difference(ablation):
    full = ablation[0].loc["full"]
    assert np.isnan([full["delta_low"], full["delta_high"]]).all()


def test_fits_are_counted_beforehand_and_followed(columns, sides, importance, config, caplog):
    options = change(config, top=1, blocks=[])
    with caplog.at_level(logging.INFO, logger="vertebromics"):
        _, _, facts = ablate(Setting("lr", *sides, {}, typed(options)), columns, INFO, importance)
    # Of each step: two seeds, and the three folds of its threshold, of which each tells too.
    told = [text for text in caplog.messages if not text.startswith("progress select")]
    assert told[0].startswith("ablation of lr: at most 10 fits of 2 steps")
    assert facts["fits"] == 10
    assert len(told) == 3
    assert told[-1] == "progress ablate lr 2/2 top-1, 0 s left"


@pytest.mark.parametrize("where", ["before_selection", "signature"])
def test_the_refits_follow_the_mode_of_the_study(columns, rows, sides, importance, config, where):
    training, folds, test = sides
    options = change(config, where=where, top=1, blocks=[], steps=["oversampling"], seeds=1)
    options |= {"mode": "as_published", "oversampling": "adasyn_tomek"}
    options["evaluation"] |= {"threshold_rule": "fixed", "threshold": 0.5}
    leaking = candidates_in_mode(columns, rows, options["mode"])
    trained = refit("lr", leaking, training, {}, typed(options), 5)
    setting = Setting("lr", training, folds, test, {}, typed(options))
    info = INFO | {"features": trained.signature}
    table, _, _ = ablate(setting, leaking, info, importance)
    assert table["step"].to_list() == ["full", "top-1", "skip-oversampling"]
    assert table["auroc"].notna().all()
    assert SIGNAL not in table.loc[1, "signature"].split("|")
    full = refit_step(setting, plan_steps(leaking, [], trained.signature, typed(options))[0])
    np.testing.assert_allclose(full.probability[0], trained.predict(test), rtol=1e-9)
    # Without synthetic events the predicted risks are lower.
    skipped = refit_step(setting, plan_steps(leaking, [], trained.signature, typed(options))[-1])
    assert skipped.probability.mean() < full.probability.mean()
    assert table.loc[2, "same_as"] == ""


@pytest.mark.parametrize("rule", ["youden", {"sensitivity": 0.8}])
def test_the_full_model_gets_the_threshold_that_it_was_trained_with(
    columns, sides, importance, config, rule
):
    training, folds, _ = sides
    options = change(config, top=1, blocks=[], seeds=2)
    options["evaluation"]["threshold_rule"] = rule
    trained = Procedure("lr", columns, typed(options)).run(training, options["seed"], folds)
    setting = Setting("lr", *sides, trained.parameters, typed(options))
    table, _, facts = ablate(setting, columns, INFO, importance)
    assert table.loc[0, "threshold"] == trained.threshold
    assert table.loc[1, "threshold"] != trained.threshold
    assert facts["threshold_source"].startswith("each step's own, the highest ")
    # A search per step gives it without further fits.
    searched = Setting("lr", *sides, {}, typed(change(options, search="full")))
    again, _, facts = ablate(searched, columns, INFO, importance)
    assert again.loc[0, "threshold"] == trained.threshold
    assert facts["fits"] == 2 * (3 * (3 + 1) + 2)


def test_a_step_on_another_scale_has_a_threshold_of_that_scale(columns, sides, importance, config):
    """Oversampling lifts the risks: at the full model's threshold hardly anyone is positive."""
    training, _, test = sides
    # One event in ten, so that oversampling has something to do.
    rare = training[(training["outcome"] == 0) | (np.arange(len(training)) % 6 == 0)]
    rare = rare.reset_index(drop=True)
    options = change(config, top=0, blocks=[], steps=["oversampling"], seeds=1)
    options["oversampling"] = "adasyn_tomek"
    setting = Setting("lr", rare, assign_folds(rare, 3, 5), test, {}, typed(options))
    table = ablate(setting, columns, INFO, importance)[0].set_index("step")
    full, without = table.loc["full"], table.loc["skip-oversampling"]
    assert without["threshold"] < full["threshold"] / 2
    risks = refit_step(
        setting, plan_steps(columns, [], INFO["features"], typed(options))[1]
    ).probability
    borrowed = (risks.mean(axis=0) >= full["threshold"])[test["outcome"] == 1].mean()
    assert borrowed < full["sensitivity"] - 0.2
    assert without["sensitivity"] > full["sensitivity"] - 0.1
    assert (table[["tp", "fp", "fn", "tn"]].sum(axis=1) == len(test)).all()


def test_a_fixed_threshold_stays_and_costs_no_fit(columns, sides, importance, config):
    options = change(config, top=1, blocks=[], seeds=1)
    options["evaluation"] |= {"threshold_rule": "fixed", "threshold": 0.3}
    table, _, facts = ablate(Setting("lr", *sides, {}, typed(options)), columns, INFO, importance)
    assert (table["threshold"] == 0.3).all()
    assert facts["fits"] == 2
    assert facts["threshold_source"] == "0.3 in every step, fixed beforehand"


def test_a_step_without_a_threshold_has_no_counts_and_says_why(
    columns, sides, importance, config, monkeypatch
):
    def fail(self, *arguments):
        raise DivergedError("A network must not diverge")

    monkeypatch.setattr(ablation_refits.Procedure, "out_of_fold", fail)
    options = change(config, top=1, blocks=[], seeds=1)
    table, _, facts = ablate(Setting("lr", *sides, {}, typed(options)), columns, INFO, importance)
    assert table[["auroc", "delta", "brier"]].notna().all(axis=None)
    empty = ["threshold", "tp", "fp", "fn", "tn", "sensitivity", "specificity"]
    assert table[empty].isna().all(axis=None)
    assert any("no confusion matrix: A network" in note for note in facts["notes"])
    # What stops every step stops the ablation.
    stops = StudyError("It stops", code="it-stops")
    monkeypatch.setattr(
        ablation_refits.Procedure, "out_of_fold", lambda *_: (_ for _ in ()).throw(stops)
    )
    with refusal("it-stops", StudyError):
        ablate(Setting("lr", *sides, {}, typed(options)), columns, INFO, importance)


def test_parameters_of_another_model_are_refused(monkeypatch):
    study = SimpleNamespace(options=lambda kind: None)
    monkeypatch.setattr("models.ablate.open_study", lambda folder: study)
    monkeypatch.setattr("models.ablate.read_inputs", lambda *paths: (None, None))
    monkeypatch.setattr("models.ablate.training_rows", lambda table: (None, None))
    monkeypatch.setattr("models.ablate.read_json", lambda path: {"model": "rf"})
    paths = dict.fromkeys(("study", "analysis", "info", "split", "model_json"))
    with refusal("ablation-of-another-model", StudyError, match="Found: rf. In: --model lr"):
        run_ablation(SimpleNamespace(model="lr", **paths))
