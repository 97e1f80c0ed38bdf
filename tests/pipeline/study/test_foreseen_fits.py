"""What validation says of models that will drop out, held to the folds that the stages deal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.learning.folds import assign_folds
from models.learning.one_fit import early_stopping_rows
from models.learning.platt import calibration_folds
from models.learning.tabnet import MINIMAL_ROWS
from models.nested import outer_folds
from models.optimism import MAX_LEFT_OUT
from pipeline.core.errors import FitError
from pipeline.study import foreseen_fits
from pipeline.study.config import resolve_config
from pipeline.study.foreseen_fits import Patients, foreseen, training_patients
from pipeline.study.model_families import MODEL_FAMILIES
from pipeline.tables.split_options import Split
from tests.support.options import typed


def rows_of(patients: Patients) -> pd.DataFrame:
    outcome = np.arange(patients.all) < patients.rarer
    names = [f"P{n:03d}" for n in range(patients.all)]
    return pd.DataFrame({"patient_id": names, "outcome": outcome.astype(int)})


def options(**changed: object) -> dict:
    config = {"study": "s", "models": ["lr", "svm", "tabnet"], "nested": {"models": "all"}}
    config |= {"optimism": {"models": []}} | changed
    return resolve_config(config | {"features": {"A": "a.csv"}})


def fit(model: str, rows: pd.DataFrame, config: dict, seed: int) -> None:
    """Divide rows as a fit of the family does; raise `FitError` where it could not."""
    outcome, patients = rows["outcome"].to_numpy(), rows["patient_id"].to_numpy()
    if len(np.unique(outcome)) < 2:
        raise FitError("one outcome")
    if model == "tabnet":
        learn, _ = early_stopping_rows(
            outcome, patients, config["tabnet"]["validation_fraction"], seed
        )
        if len(learn) < MINIMAL_ROWS:
            raise FitError("few rows")
    if model == "svm":
        calibration_folds(np.zeros((len(rows), 1)), outcome, patients, seed)


def search(model: str, rows: pd.DataFrame, config: dict, seed: int) -> None:
    folds = assign_folds(rows, config["split"]["folds"], seed)
    for fold in np.unique(folds):
        fit(model, rows[folds != fold], config, seed)


def can(stage: str, model: str, rows: pd.DataFrame, config: dict, seed: int) -> bool:
    try:
        if stage == "train":
            search(model, rows, config, seed)
        else:
            for _, _, held_out in outer_folds(rows, config["nested"]["folds"], 1, seed):
                search(model, rows[~held_out], config, seed)
    except FitError:
        return False
    return True


@settings(max_examples=20)
@given(
    rarer=st.integers(2, 14),
    more=st.integers(0, 30),
    inner=st.integers(2, 6),
    outer=st.integers(2, 6),
    seed=st.integers(0, 5),
)
def test_what_is_foreseen_happens_and_what_happens_is_foreseen(rarer, more, inner, outer, seed):
    config = options(split={"folds": inner}, nested={"models": "all", "folds": outer})
    patients = Patients(rarer, 2 * rarer + more)
    rows = rows_of(patients)
    said = {(each.stage, each.model) for each in foreseen(patients, typed(config))}
    for model in config["models"]:
        trains = can("train", model, rows, config, seed)
        assert trains == (("train", model) not in said)
        if trains and can("nested", model, rows, config, seed):
            assert ("nested", model) not in said
        elif trains and rarer >= outer and more > 2 * inner:
            # Where rows are very few, folds of unequal size may do worse than the even ones.
            assert ("nested", model) in said


def test_the_remedy_of_the_outer_folds_works():
    config = options(models=["tabnet"], split={"folds": 3}, nested={"models": "all", "folds": 5})
    patients = Patients(6, 14)
    (found,) = foreseen(patients, typed(config))
    assert found.stage == "nested"
    assert "nested: {folds: 6}" in found.remedy
    better = options(models=["tabnet"], split={"folds": 3}, nested={"models": "all", "folds": 6})
    assert foreseen(patients, typed(better)) == []


def test_fixed_parameters_need_no_inner_folds():
    patients = Patients(5, 40)
    searched = options(models=["lr"], split={"folds": 5}, nested={"models": "all", "folds": 5})
    assert [each.stage for each in foreseen(patients, typed(searched))] == ["nested"]
    nested = {"models": "all", "folds": 5, "search": "fixed"}
    fixed = options(models=["lr"], split={"folds": 5}, nested=nested)
    assert foreseen(patients, typed(fixed)) == []


def test_resamples_hold_fewer_patients():
    config = options(
        models=["lr"], split={"folds": 5}, nested={"models": []}, optimism={"models": ["lr"]}
    )
    (each,) = foreseen(Patients(7, 60), typed(config))
    assert each.stage == "optimism"
    assert each.why.startswith("in more than 20% of the resamples 3 patients of the rarer outcome")
    assert foreseen(Patients(12, 60), typed(config)) == []


@pytest.mark.parametrize("patients", [8, 15, 30, 80])
def test_a_fifth_of_the_resamples_hold_fewer(patients):
    """The number that decides is that of the fifth of the resamples that may be left out."""
    rng, others = np.random.default_rng(patients), 120
    drawn = rng.integers(0, patients + others, (4000, patients + others))
    held = [len(np.unique(each[each < patients])) for each in drawn]
    assert abs(foreseen_fits._held(patients) - np.quantile(held, MAX_LEFT_OUT)) <= 1
    assert foreseen_fits._held(0) == 0


@pytest.mark.parametrize("design", ["holdout", "by_site"])
def test_patients_are_counted_in_the_training_part(design):
    units = pd.DataFrame({"unit_id": range(20), "patient_id": [f"P{n // 2}" for n in range(20)]})
    units["site"] = ["north"] * 12 + ["south"] * 8
    outcome = pd.Series([1, 1, 0, 0] * 5, index=units.index)
    split = Split(design=design, column="site", test_sites=["south"])
    found = training_patients(outcome, units, split)
    assert found == (Patients(3, 7) if design == "holdout" else Patients(3, 6))


def test_its_numbers_are_those_of_the_stages():
    assert MODEL_FAMILIES["tabnet"].least_rows == MINIMAL_ROWS
    assert foreseen_fits.MAX_LEFT_OUT == MAX_LEFT_OUT
