"""`vertebromics predict`: one patient's values, or a table, and the page that answers."""

import numpy as np
import pandas as pd
import pytest

from deployment import page, prediction
from deployment.predict import option_of
from models.frozen.model import load_frozen
from pipeline.core.files import read_json, read_table
from tests.support.commands import run_here
from tests.support.frozen_study import write_frozen_models


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def clinical(folder):
    """Return the file of a model of clinical values alone."""
    return write_frozen_models(folder / "clinical", ("lr",), clinical_only=True)["lr"]


@pytest.fixture(scope="module")
def radiomic(folder):
    return write_frozen_models(folder / "radiomic", ("rf",))["rf"]


def patients(model, folder, count=4):
    """Return rows of the model's own study as a table that people hand in."""
    table = read_table(folder / "study" / "tables" / "analysis.parquet").head(count)
    inputs = model.inputs(table)
    return inputs.set_axis(pd.Index([f"N{n}" for n in range(count)], name="case_id"), axis=0)


def required_of(model):
    return [one for one in model.predictors if one.required and one.block == "clinical"]


def given_of(values):
    words = []
    for name, value in values.items():
        if not pd.isna(value):
            words += [option_of(name), str(value)]
    return words


def test_one_patient_gets_the_risk_of_the_model(clinical, folder, tmp_path):
    model = load_frozen(clinical)
    rows = patients(model, folder / "clinical")
    values = rows.iloc[0].to_dict()
    done = run_here("deployment.predict", clinical, *given_of(values), "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    told = read_json(tmp_path / "prediction.json")
    risk = model.risk(rows)[0]
    assert told["model_risk"] == pytest.approx(risk, abs=1e-12)
    assert told["risk"] == pytest.approx(model.calibrated(np.array([risk]))[0], abs=1e-12)
    assert told["digest"] == model.digest
    assert told["interval"] is None
    text = (tmp_path / "prediction.html").read_text(encoding="utf-8")
    for words in (
        f"{100 * told['risk']:.1f}%",
        "Risk of Residual back pain",
        "is not what causes the outcome",
        "before it guides care anywhere".capitalize(),
        "no refits of the model",
        model.digest,
    ):
        assert words in text, words
    assert "<script" not in text


def test_a_table_of_patients(clinical, folder, tmp_path):
    model = load_frozen(clinical)
    rows = patients(model, folder / "clinical", 5)
    needed, number = (
        required_of(model)[0].name,
        next(one for one in model.predictors if not one.levels and one.used),
    )
    rows.iloc[1, rows.columns.get_loc(needed)] = None
    rows.iloc[2, rows.columns.get_loc(number.name)] = number.high + 100
    rows.to_csv(tmp_path / "new.csv")
    done = run_here("deployment.predict", clinical, tmp_path / "new.csv", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    assert "4 predicted, 1 without a risk" in done.stderr
    found = read_table(tmp_path / "o" / "predictions.parquet").set_index("unit_id")
    assert list(found.columns) == list(prediction.COLUMNS)[1:]
    assert found.loc["N1", ["status", "reason", "about"]].tolist() == [
        "refused", "missing_predictor", needed,
    ]  # fmt: skip
    assert np.isnan(found.loc["N1", "risk"])
    others = ["N0", "N2", "N3", "N4"]
    want = pd.Series(model.calibrated(model.risk(rows)), rows.index)
    np.testing.assert_allclose(found.loc[others, "risk"], want[others], atol=1e-12)
    assert number.name in found.loc["N2", "outside"].split("|")
    text = (tmp_path / "o" / "prediction.html").read_text(encoding="utf-8")
    assert f"missing: {needed}" in text
    assert "outside the range seen" in text
    assert "4 predicted, 1 without a risk." in text


def test_a_table_of_features(radiomic, folder, tmp_path):
    model = load_frozen(radiomic)
    rows = patients(model, folder / "radiomic")
    rows.to_csv(tmp_path / "new.csv")
    done = run_here("deployment.predict", radiomic, tmp_path / "new.csv", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    found = read_table(tmp_path / "o" / "predictions.parquet")
    np.testing.assert_array_equal(found["model_risk"], model.risk(rows))
    blank = rows.isna().to_numpy().any(axis=1)
    assert list(found["filled_in"] != "") == list(blank)


def test_help_lists_what_the_model_wants(clinical):
    done = run_here("deployment.predict", clinical, "--help")
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    for one in load_frozen(clinical).predictors:
        assert option_of(one.name) in said
    assert "required" in said


def test_refusals(clinical, radiomic, folder, tmp_path):
    model = load_frozen(clinical)
    values = patients(model, folder / "clinical").iloc[0].to_dict()
    needed = required_of(model)[0].name

    def told(*arguments, file=clinical):
        done = run_here("deployment.predict", file, *arguments, "--out", tmp_path / "o")
        assert done.returncode == 1, done.stdout
        assert not (tmp_path / "o").exists()
        return done.stderr

    assert "every value that the model cannot fill in" in told(*given_of(values | {needed: None}))
    assert f"Remedy: give {option_of(needed)} VALUE" in told(*given_of(values | {needed: None}))
    assert "A model predicts a table, a study, or one patient" in told()
    (tmp_path / "t.csv").write_text("case_id\nN1\n")
    assert "Found: both" in told(tmp_path / "t.csv", *given_of(values))
    assert "every column that it starts from" in told(tmp_path / "t.csv")
    level = next(one for one in model.predictors if one.levels)
    assert "must be one of its levels" in told(*given_of(values | {level.name: "perhaps"}))
    assert "must be a number" in told(*given_of(values | {"age": "old"}))
    one = patients(load_frozen(radiomic), folder / "radiomic").iloc[0].to_dict()
    clinical_values = {name: value for name, value in one.items() if name in values}
    assert "needs them of every patient" in told(*given_of(clinical_values), file=radiomic)
    assert "The frozen model must exist" in told("--age", "71", file=tmp_path / "none.vbm")
    (tmp_path / "bad.vbm").write_bytes(clinical.read_bytes()[:-1])
    assert "must be whole" in told("--age", "71", file=tmp_path / "bad.vbm")


def test_notations_of_numbers_are_read_as_in_a_study(clinical, folder, tmp_path):
    model = load_frozen(clinical)
    values = patients(model, folder / "clinical").iloc[0].to_dict()
    for text in ("71", "71.0", "71,0", " 71 "):
        given = given_of(values | {"age": text})
        assert run_here("deployment.predict", clinical, *given, "--out", tmp_path).returncode == 0
        assert read_json(tmp_path / "prediction.json")["values"]["age"] == 71


def test_an_option_of_a_predictor_does_not_hide_one_of_the_command():
    assert option_of("bone_density") == "--bone-density"
    assert option_of("level") == "--value-level"


def test_the_page_escapes_what_a_model_says(clinical, folder):
    model = load_frozen(clinical)
    model.facts["outcome"]["label"] = "<script>alert(1)</script>"
    rows = patients(model, folder / "clinical")
    found = prediction.predict(model, rows)
    for text in (
        page.patient_page(model, rows.iloc[0].to_dict(), found.iloc[0].to_dict()),
        page.table_page(model, found),
    ):
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_where_a_risk_lies_among_the_training_rows(clinical):
    model = load_frozen(clinical)
    quantiles = model.facts["training"]["quantiles"]
    assert prediction.share_below(model, 0.0) == 0
    assert prediction.share_below(model, 1.0) == 1
    assert prediction.share_below(model, quantiles[10]) == pytest.approx(0.5)
