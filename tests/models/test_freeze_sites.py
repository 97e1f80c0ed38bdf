"""A model of features that were harmonised between sites leaves its study, and serves these."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from deployment.predict import _arguments, with_features
from deployment.prediction import predict
from deployment.values import one_patient
from models.freeze import freeze
from models.frozen.container import read_members, write_members
from models.frozen.model import load_frozen
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table
from tests.models.test_freeze import stored_of, table_of
from tests.support.commands import run_here
from tests.support.frozen_study import write_frozen_study
from tests.support.hostile_models import SITE_WAYS, WAYS, with_model
from tests.support.refusals import refusal
from tests.support.second_site_reader import SecondSiteReader

FAMILIES = {"lr": 1e-12, "rf": 0.0}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites")
    return write_frozen_study(folder, tuple(FAMILIES), features=16, sites=("north", "south"))


@pytest.fixture(scope="module")
def frozen(study):
    files = {family: study / f"{family}.vbm" for family in FAMILIES}
    done = run_here("models.freeze", study, "--model", "lr", "--out", files["lr"], "--refits", "3")
    assert done.returncode == 0, done.stderr
    write_members(freeze(study, "rf"), files["rf"])
    return files


@pytest.mark.parametrize("family", FAMILIES)
def test_it_predicts_the_test_patients_as_its_study_did(family, study, frozen):
    model, table, stored = load_frozen(frozen[family]), table_of(study), stored_of(study, family)
    risk = pd.Series(model.risk(table), table["unit_id"])
    assert len(stored) == 33
    assert (risk[stored.index] - stored).abs().max() <= FAMILIES[family]
    assert model.site.levels == ("north", "south")
    # The site matters: the same features at the other one are another risk.
    other = table.assign(hospital=np.where(table["hospital"] == "north", "south", "north"))
    assert np.abs(model.risk(other) - model.risk(table)).max() > 0.01


@pytest.mark.parametrize("family", FAMILIES)
def test_a_second_reader_written_from_the_schema_gives_the_same_risks(family, study, frozen):
    first, second = load_frozen(frozen[family]), SecondSiteReader(frozen[family])
    inputs = first.inputs(table_of(study))
    risks = [second.risk(row) for row in inputs.to_dict("records")]
    np.testing.assert_allclose(first.risk(inputs), risks, rtol=0, atol=1e-12)


def test_every_refit_serves_every_site(study, frozen):
    model = load_frozen(frozen["lr"])
    assert len(model.refits) == 3
    risks = model.refitted(table_of(study))
    assert np.isfinite(risks).all()
    assert len({each.harmonisations[0].arrays["shift"].tobytes() for each in model.refits}) == 3


def test_a_row_without_a_site_has_no_risk(study, frozen):
    model, table = load_frozen(frozen["rf"]), table_of(study)
    table.loc[2, "hospital"] = None
    assert np.flatnonzero(np.isnan(model.risk(table))).tolist() == [2]
    assert np.flatnonzero(np.isnan(model.distance(table))).tolist() == [2]
    assert np.flatnonzero(model.missing_of(table)["hospital"]).tolist() == [2]


def test_the_card_names_the_sites_and_nothing_gives_an_equation(study, frozen):
    assert read_json(study / "models" / "lr" / "model.json")["equation"] is None
    card = frozen["lr"].with_name("lr.card.md").read_text(encoding="utf-8")
    assert "## Sites" in card
    assert "Features of north, south are harmonised to their common mean by ComBat" in card
    assert "keeping effects of age, sex" in card
    assert "## Equation" not in card


def patients(study, model, name="new.csv", **changed):
    """Write a table of three patients as people hand it in."""
    rows = model.inputs(table_of(study).head(3)).assign(**changed)
    path = study / name
    rows.set_axis(["N1", "N2", "N3"], axis=0).rename_axis("case_id").to_csv(path)
    return path


def test_a_table_of_new_patients(study, frozen, tmp_path):
    model = load_frozen(frozen["lr"])
    path = patients(study, model, hospital=["north", None, "south"])
    done = run_here("deployment.predict", frozen["lr"], path, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    found = read_table(tmp_path / "predictions.parquet").set_index("unit_id")
    assert found["status"].tolist() == ["predicted", "refused", "predicted"]
    assert found.loc["N2", "about"] == "hospital"
    rows = table_of(study).head(3).assign(hospital=["north", "north", "south"])
    want = model.risk(rows)
    np.testing.assert_allclose(found["model_risk"].iloc[[0, 2]], want[[0, 2]], atol=1e-12)
    assert (found["low"] <= found["high"])[["N1", "N3"]].all()


def test_another_hospital_is_refused(study, frozen, tmp_path):
    model = load_frozen(frozen["lr"])
    path = patients(study, model, hospital="east")
    done = run_here("deployment.predict", frozen["lr"], path, "--out", tmp_path)
    assert done.returncode == 1
    for words in ("serves only the sites that it learned from", "Found: east", "north | south"):
        assert words in done.stderr
    table = table_of(study).assign(hospital="east")
    with refusal("frozen-site-unseen", StudyError, match="harmonisation: .method: none"):
        model.risk(table)
    with refusal("frozen-site-missing", StudyError, match="add the column hospital"):
        model.risk(table.drop(columns="hospital"))


def test_judged_at_its_own_sites_and_at_no_other(study, frozen, tmp_path):
    model = load_frozen(frozen["lr"])
    rows = model.inputs(table_of(study)).assign(pain=table_of(study)["outcome"])
    given = ("--outcome", "pain", "--model", frozen["lr"], "--validation", "internal")
    for name, table in (("own", rows), ("other", rows.assign(hospital="east"))):
        path = tmp_path / f"{name}.csv"
        table.to_csv(path, index=False)
        done = run_here("models.judge", path, *given, "--out-dir", tmp_path / name)
        assert done.returncode == (name == "other"), done.stderr
    assert "then judge and update that one there" in done.stderr
    assert not (tmp_path / "other").exists()
    assert read_table(tmp_path / "own" / "predictions.parquet")["risk"].notna().all()
    updated = load_frozen(tmp_path / "own" / "model_slope.vbm")
    assert updated.site.levels == ("north", "south")


def test_one_patient_says_the_site(study, frozen):
    model = load_frozen(frozen["lr"])
    row = model.inputs(table_of(study)).iloc[0].to_dict()
    features = {one.name: row.pop(one.name) for one in model.predictors if one.block == "radiomics"}
    given = {name: str(value) for name, value in row.items()}
    values = with_features(model, one_patient(model, given), features)
    found = predict(model, values).iloc[0]
    assert found["model_risk"] == pytest.approx(model.risk(table_of(study).head(1))[0], abs=1e-12)
    del given["hospital"]
    found = predict(model, with_features(model, one_patient(model, given), features)).iloc[0]
    assert (found["status"], found["about"]) == ("refused", "hospital")
    with refusal("frozen-site-unseen", StudyError):
        one_patient(model, given | {"hospital": "east"})


def test_the_option_of_the_site_has_two_names(frozen, tmp_path):
    words = [str(frozen["lr"]), "--out", str(tmp_path)]
    for option in ("--site", "--hospital"):
        given = vars(_arguments(words).parse_args([*words, option, "north"]))
        assert given["value of hospital"] == "north"
    text = _arguments(words).format_help()
    assert "north: " in text
    assert "required" in text


def test_a_site_that_is_no_predictor_is_refused(frozen, tmp_path):
    def clinical(facts):
        next(one for one in facts["predictors"] if one["block"] == "site")["block"] = "clinical"

    path = tmp_path / "m.vbm"
    path.write_bytes(with_model(read_members(frozen["lr"])[0], clinical))
    with refusal("frozen-site-predictor", StudyError, match="Found: 0, where .* from 1"):
        load_frozen(path)


@pytest.mark.parametrize("way", [*WAYS, *SITE_WAYS], ids=lambda way: way.__name__)
def test_a_hostile_file_is_refused(way, frozen, tmp_path):
    members, _ = read_members(frozen["rf"])
    path, mark = tmp_path / "m.vbm", tmp_path / "planted"
    for seed in range(16 if way in SITE_WAYS else 4):
        path.write_bytes(way(dict(members), np.random.default_rng(seed), mark))
        with pytest.raises(StudyError) as told:
            load_frozen(path)
        assert "ask whoever made the model" in told.value.remedy
        assert not mark.exists()
