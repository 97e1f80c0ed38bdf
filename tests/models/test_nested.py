import copy
import json

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from models import nested
from models.learning.fitted_procedure import refit
from models.learning.procedure import Procedure
from models.nested import cross_validate, outer_folds, planned_fits
from models.split import split_table
from models.transformers.columns import Columns
from pipeline.core.errors import StudyError
from pipeline.core.seeds import derive_seed
from tests.support.options import typed
from tests.support.refusals import refusal

FIXED = {"penalty": "l2", "C": 0.1}


@pytest.fixture(scope="module")
def config(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config["study"], config["device"] = "nested", "cpu"
    config["selection"]["mrmr"]["k"] = 5
    config["split"]["folds"] = 3
    config["search"] |= {"iterations": 6, "reduced_iterations": 2}
    config["search"]["spaces"] = {"rf": {"n_estimators": [5], "max_depth": [2, 3]}}
    config["nested"] |= {"folds": 3, "repeats": 2}
    return config


@pytest.fixture(scope="module")
def study(config):
    table, info = simulate_tables(160, 3, features=feature_names()[:50]).analysis()
    split = split_table(table, typed(config).split, config["seed"])
    training = table[split["part"] == "train"].reset_index(drop=True)
    return Columns.from_info(info), training


def procedure_of(study, config, model, search="reduced", repeats=2):
    changed = copy.deepcopy(config)
    changed["nested"] |= {"search": search, "repeats": repeats}
    return Procedure(model, study[0], typed(changed), search, FIXED if search == "fixed" else None)


def test_every_row_is_held_out_once_per_repeat(study):
    _, training = study
    held_out = np.array([rows for _, _, rows in outer_folds(training, 3, 2, 5)])
    assert held_out.shape == (6, len(training))
    for repeat in (held_out[:3], held_out[3:]):
        assert (repeat.sum(axis=0) == 1).all()
    assert not np.array_equal(held_out[:3], held_out[3:])


def test_patients_are_never_divided(study):
    _, training = study
    doubled = pd.concat([training, training], ignore_index=True)
    for _, _, rows in outer_folds(doubled, 3, 1, 5):
        inside = doubled.loc[rows, "patient_id"]
        assert not set(inside) & set(doubled.loc[~rows, "patient_id"])


def test_the_figures_are_those_of_refits_on_the_other_folds(study, config):
    columns, training = study
    procedure = procedure_of(study, config, "lr", "fixed")
    table, _, facts = cross_validate(procedure, training, procedure.options.nested)
    repeat, fold, held_out = list(outer_folds(training, 3, 2, config["seed"]))[4]
    seed = derive_seed(derive_seed(config["seed"], "nested", "lr", repeat, fold), "lr", "refit")
    fitted = refit("lr", columns, training[~held_out], FIXED, typed(config), seed)
    own = table.query("repeat == @repeat and fold == @fold").iloc[0]
    judged = training[held_out]
    assert own["auroc"] == pytest.approx(roc_auc_score(judged["outcome"], fitted.predict(judged)))
    assert own["signature"].split("|") == fitted.signature
    assert (own["n"], own["events"]) == (len(judged), judged["outcome"].sum())
    assert facts["auroc"] == pytest.approx(table["auroc"].mean())
    assert facts["auroc_low"] <= facts["auroc"] <= facts["auroc_high"]
    assert facts["fits"] == len(table) == planned_fits(procedure, procedure.options.nested) == 6
    assert "slightly optimistic" in facts["search_note"]


def test_nothing_of_a_held_out_fold_enters_its_refit(study, config, monkeypatch):
    """Whatever the held-out rows say, the fold's signature and parameters stay the same."""
    _, training = study
    procedure = procedure_of(study, config, "lr", repeats=1)
    first, *_ = cross_validate(procedure, training, procedure.options.nested)
    fold = 1
    outer = list(outer_folds(training, 3, 1, config["seed"]))
    held_out = outer[fold][2]
    spoiled = training.copy()
    features = [name for name in spoiled if ":" in name]
    noise = np.random.default_rng(0).normal(50, 9, (held_out.sum(), len(features)))
    spoiled.loc[held_out, features] = noise
    spoiled.loc[held_out, "outcome"] = 1 - spoiled.loc[held_out, "outcome"]
    # The folds are dealt by outcome: the same deal has to be judged.
    monkeypatch.setattr(nested, "outer_folds", lambda *_: iter(outer[fold : fold + 1]))
    second, *_ = cross_validate(procedure, spoiled, procedure.options.nested)
    same = ["signature", "parameters"]
    assert first.loc[fold, same].equals(second.loc[0, same].rename(fold))
    assert first.loc[fold, "auroc"] != second.loc[0, "auroc"]


def test_every_outer_fold_counts_its_fits(study, config):
    procedure = procedure_of(study, config, "lr")
    assert planned_fits(procedure, procedure.options.nested) == 6 * (1 + (2 + 1) * 3)


def test_the_same_seed_gives_the_same_tables(study, config):
    _, training = study
    procedure = procedure_of(study, config, "rf")
    first, second = (
        cross_validate(procedure, training, procedure.options.nested)[0] for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, second)
    assert all(json.loads(text) for text in first["parameters"])


def test_the_table_does_not_depend_on_the_number_of_processes(study, config):
    _, training = study
    procedure = procedure_of(study, config, "lr", repeats=1)
    (one, _, facts), (two, _, other) = (
        cross_validate(procedure, training, procedure.options.nested, n) for n in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two)
    assert facts | {"seconds": 0} == other | {"seconds": 0}


def test_too_few_events_for_the_outer_folds_are_told(study, config):
    _, training = study
    rare = training.assign(outcome=(np.arange(len(training)) < 2).astype(int))
    with refusal("fold-without-both-outcomes", StudyError):
        cross_validate(procedure_of(study, config, "lr", "fixed"), rare, typed(config).nested)
