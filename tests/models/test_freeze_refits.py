"""The interval of a risk from refits, and who is unlike the training patients."""

import json

import numpy as np
import pandas as pd
import pytest

from demo.feature_names import feature_names
from demo.tables import simulate_tables
from deployment.page import patient_page
from deployment.prediction import predict
from models.freeze import freeze
from models.freezing import refits
from models.freezing.likeness import learn_likeness
from models.frozen.container import MODEL, object_bytes, read_members, write_members
from models.frozen.model import distances, load_frozen, recalibrated
from pipeline.core.errors import FitError, StudyError
from pipeline.core.files import read_table
from tests.support.frozen_study import write_frozen_study
from tests.support.refusals import refusal


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_frozen_study(tmp_path_factory.mktemp("study"), ("lr", "xgboost"), features=20)


@pytest.fixture(scope="module")
def file(study, tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "lr.vbm"
    write_members(freeze(study, "lr", refits=4), path)
    return path


def table_of(study):
    return read_table(study / "tables" / "analysis.parquet").set_index("unit_id", drop=False)


def test_the_interval_is_that_of_the_refits(study, file):
    model, table = load_frozen(file), table_of(study)
    assert len(model.refits) == 4
    each = [
        recalibrated(facts["recalibration"], refit.risk(model.inputs(table)))
        for refit, facts in zip(model.refits, model.facts["refits"], strict=True)
    ]
    assert len({risks[0] for risks in each}) == 4
    found = predict(model, model.inputs(table))
    low, high = np.quantile(each, [0.025, 0.975], axis=0)
    known = (found["status"] == "predicted").to_numpy()
    np.testing.assert_allclose(found["low"][known], low[known], rtol=1e-12)
    np.testing.assert_allclose(found["high"][known], high[known], rtol=1e-12)
    row = found[known].iloc[0]
    text = patient_page(model, model.inputs(table)[known].iloc[0].to_dict(), row.to_dict())
    assert "95% interval of the model" in text
    assert "from 4 refits" in text


def test_refits_depend_on_the_seed_and_not_on_processes(study, file):
    members, _ = read_members(file)
    again = freeze(study, "lr", refits=4)
    assert {name: again[name] for name in members} == members


def test_columns_that_only_a_refit_uses_are_not_required(study, file):
    model = load_frozen(file)
    used = {one.column for one in model.procedure.inputs}
    spare = [one for one in model.predictors if not one.used]
    assert {one.name for one in spare} == {one.name for one in model.predictors} - used
    assert not any(one.required for one in spare)


def test_trees_of_refits_are_kept_and_checked(study, tmp_path):
    path = tmp_path / "m.vbm"
    write_members(freeze(study, "xgboost", refits=2), path)
    model = load_frozen(path)
    assert model.refitted(table_of(study)).shape == (2, 110)
    members, _ = read_members(path)
    spoiled = members["trees/refit1.json"].replace(b'"left_children":[1', b'"left_children":[0', 1)
    write_members({**members, "trees/refit1.json": spoiled}, path)
    with refusal("frozen-trees-unknown", StudyError):
        load_frozen(path)


def test_resamples_without_enough_patients_are_refused(study, monkeypatch):
    def refused(*_, **__):
        raise FitError("A fold must hold both outcomes")

    monkeypatch.setattr(refits.Procedure, "run", refused)
    with refusal("resamples-too-few", StudyError, match=r"2 of 2 do not.*both outcomes"):
        freeze(study, "lr", refits=2)


# --- unlike the training patients ----------------------------------------------------------------


def drawn(random, rows, mixing):
    Z = random.standard_normal((rows, mixing.shape[0])) @ mixing
    Z[:, 0] = Z[:, 0] > 0.5  # a level
    Z[:, 1] = np.exp(Z[:, 1] / 2)  # a long tail
    return Z


@pytest.mark.parametrize("rows", [60, 150])
def test_five_percent_of_the_same_population_exceed_the_limit(rows):
    shares = []
    for seed in range(12):
        random = np.random.default_rng([rows, seed])
        mixing = random.standard_normal((9, 9))
        found = learn_likeness(drawn(random, rows, mixing), np.arange(rows), seed)
        new = distances(drawn(random, 2000, mixing), found.center, found.precision)
        shares.append((new > found.facts["limit"]).mean())
    assert np.mean(shares) == pytest.approx(0.05, abs=0.02)


def test_what_the_limit_notices_is_stated():
    random = np.random.default_rng(3)
    mixing = random.standard_normal((9, 9))
    Z = drawn(random, 200, mixing)
    found = learn_likeness(Z, np.arange(200), 1)
    assert found.facts["left_out"] == pytest.approx(0.05, abs=0.01)
    moved = distances(Z + 2 * Z.std(axis=0), found.center, found.precision)
    assert found.facts["shifted"] == (moved > found.facts["limit"]).mean() > 0.9
    assert 0 < found.facts["shuffled"] < 1


def test_the_rows_of_a_patient_are_left_out_together():
    random = np.random.default_rng(4)
    rows = np.repeat(random.standard_normal((40, 4)), 3, axis=0)
    patients = np.repeat(np.arange(40), 3)
    together = learn_likeness(rows, patients, 1).facts["limit"]
    apart = learn_likeness(rows, np.arange(120), 1).facts["limit"]
    assert together > apart


def test_without_columns_or_with_few_patients_there_is_no_limit():
    assert learn_likeness(np.empty((50, 0)), np.arange(50), 1) is None
    assert learn_likeness(np.zeros((19, 2)), np.arange(19), 1) is None


def test_a_patient_from_elsewhere_is_told(study, file):
    model, table = load_frozen(file), table_of(study)
    inputs = model.inputs(table)
    found = predict(model, inputs)
    assert found["unlike"].mean() < 0.15
    numbers = [one.name for one in model.predictors if not one.levels and one.used]
    elsewhere = inputs.copy()
    elsewhere[numbers] = elsewhere[numbers] + 6 * inputs[numbers].std()
    assert predict(model, elsewhere)["unlike"].all()
    row = predict(model, elsewhere)
    row = row[row["status"] == "predicted"].iloc[0].to_dict()
    values = elsewhere.loc[row["unit_id"]].to_dict()
    assert "Unlike the training patients" in patient_page(model, values, row)


def test_another_hospitals_population_of_the_demo_is_noticed_more_often(study, file):
    model = load_frozen(file)
    same, _ = simulate_tables(300, 11, features=feature_names()[:20]).analysis()
    other, _ = simulate_tables(300, 77, features=feature_names()[:20]).analysis()
    shares = [predict(model, model.inputs(t.set_index("unit_id", drop=False)))["unlike"].mean()
              for t in (same, other)]  # fmt: skip
    assert shares[1] > 0.5 > shares[0]


def test_an_array_of_another_shape_is_refused(file, tmp_path):
    members, _ = read_members(file)
    facts = json.loads(members[MODEL])
    facts["likeness"] = None
    path = tmp_path / "m.vbm"
    write_members({**members, MODEL: object_bytes(facts)}, path)
    with refusal("frozen-member-spare", StudyError):
        load_frozen(path)
    del members["arrays/likeness.center.npy"]
    write_members(members, path)
    with refusal("frozen-array-missing", StudyError, match="none for arrays/likeness"):
        load_frozen(path)


def test_a_model_without_it_says_nothing(study, file, tmp_path):
    members, _ = read_members(file)
    facts = json.loads(members[MODEL]) | {"likeness": None, "refits": []}
    names = [n for n in members if "likeness" in n or "refit" in n]
    kept = {name: data for name, data in members.items() if name not in names}
    used = {one.column for one in load_frozen(file).procedure.inputs}
    facts["predictors"] = [one for one in facts["predictors"] if one["name"] in used]
    path = tmp_path / "m.vbm"
    write_members({**kept, MODEL: object_bytes(facts)}, path)
    model = load_frozen(path)
    found = predict(model, model.inputs(table_of(study)))
    assert found["unlike"].isna().all()
    assert isinstance(found, pd.DataFrame)
    assert model.distance(table_of(study)) is None
