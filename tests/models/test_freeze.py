"""Models frozen from a study predict as the study did, whoever reads the file."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from models import freeze as module
from models.freezing.classifier_arrays import WRITERS, write_classifier
from models.frozen.container import read_members
from models.frozen.model import load_frozen
from models.scoring.recalibration import fit_recalibration
from models.train import FAMILIES
from pipeline.core.errors import ProgramError, StudyError
from pipeline.core.files import read_json, read_table, write_json, write_table
from tests.support.commands import run_here
from tests.support.frozen_study import write_frozen_study
from tests.support.refusals import refusal
from tests.support.second_reader import SecondReader

#: Largest difference to the study's stored risks, and of a second reader to the first.
STORED = {"lr": 1e-12, "svm": 1e-12, "rf": 0.0, "xgboost": 0.0, "tabnet": 1e-6}
SECOND = {"lr": 1e-12, "svm": 1e-12, "rf": 1e-12, "xgboost": 1e-6, "tabnet": 1e-12}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_frozen_study(tmp_path_factory.mktemp("study"), tuple(FAMILIES))


@pytest.fixture(scope="module")
def frozen(study, tmp_path_factory):
    """Return the file of each family's frozen model."""
    folder = tmp_path_factory.mktemp("frozen")
    files = {}
    for model in FAMILIES:
        files[model] = folder / f"{model}.vbm"
        done = run_here("models.freeze", study, "--model", model, "--out", files[model])
        assert done.returncode == 0, done.stderr
    return files


def table_of(study):
    return read_table(study / "tables" / "analysis.parquet")


def stored_of(study, model):
    stored = read_table(study / "models" / model / "predictions.parquet")
    return stored[stored["part"] == "test"].set_index("unit_id")["probability"]


@pytest.mark.parametrize("model", FAMILIES)
def test_a_frozen_model_predicts_the_test_patients_as_its_study_did(model, study, frozen):
    table, stored = table_of(study), stored_of(study, model)
    risk = pd.Series(load_frozen(frozen[model]).risk(table), table["unit_id"])
    assert len(stored) == 33
    assert stored.nunique() > 5
    assert (risk[stored.index] - stored).abs().max() <= STORED[model]


@pytest.mark.parametrize("model", FAMILIES)
def test_a_second_reader_written_from_the_schema_gives_the_same_risks(model, study, frozen):
    first, second = load_frozen(frozen[model]), SecondReader(frozen[model])
    inputs = first.inputs(table_of(study))
    risks = [second.risk(row) for row in inputs.to_dict("records")]
    np.testing.assert_allclose(first.risk(inputs), risks, rtol=0, atol=SECOND[model])


def test_calibrated_risks_agree_with_the_out_of_fold_outcomes(study, frozen):
    """Their mean is the share of events, and no further recalibration changes them."""
    model = load_frozen(frozen["lr"])
    stored = read_table(study / "models" / "lr" / "predictions.parquet").query("part == 'oof'")
    risk = model.calibrated(stored["probability"].to_numpy())
    assert risk.mean() == pytest.approx(stored["outcome"].mean(), abs=1e-9)
    again = fit_recalibration(stored["outcome"].to_numpy(), risk)
    assert again.intercept == pytest.approx(0, abs=1e-6)
    assert again.slope == pytest.approx(1, abs=1e-6)
    assert np.quantile(risk, 0.5) == pytest.approx(model.facts["training"]["quantiles"][10])


ALONE = """
import json, sys
import pandas as pd
from models.frozen.model import load_frozen
table = pd.read_json(sys.argv[2], dtype=False)
risks = load_frozen(sys.argv[1]).risk(table).tolist()
heavy = {"torch", "pytorch_tabnet", "models.learning", "models.modes", "snakemake"}
print(json.dumps([risks, sorted(heavy & set(sys.modules))]))
"""


def test_another_process_needs_neither_the_study_nor_torch(study, frozen, tmp_path, repository):
    model = load_frozen(frozen["tabnet"])
    inputs = model.inputs(table_of(study)).head(3)
    inputs.to_json(tmp_path / "rows.json", double_precision=15)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(frozen["tabnet"]), str(tmp_path / "rows.json")],
        capture_output=True, text=True, check=False, cwd=repository,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    risks, loaded = json.loads(done.stdout)
    np.testing.assert_allclose(risks, model.risk(inputs), atol=1e-9)
    assert loaded == []


def test_the_same_study_gives_the_same_bytes(study, frozen, tmp_path):
    again = tmp_path / "again.vbm"
    assert run_here("models.freeze", study, "--model", "lr", "--out", again).returncode == 0
    assert again.read_bytes() == frozen["lr"].read_bytes()


def test_what_a_model_says_of_itself_is_that_of_its_study(study, frozen):
    model = load_frozen(frozen["lr"])
    facts, info = model.facts, read_json(study / "models" / "lr" / "model.json")
    table, split = table_of(study), read_table(study / "tables" / "split.parquet")
    training = table[(split["part"] == "train").to_numpy()]
    assert list(model.procedure.signature) == info["features"]
    assert model.threshold == info["threshold"]
    assert facts["training"]["rows"] == len(training) == 77
    assert facts["training"]["events"] == training["outcome"].sum()
    assert facts["intended_use"]["moment"] == "preoperative"
    for one in model.predictors:
        seen = training[one.name if one.block == "clinical" else f"A:{one.name}"]
        assert one.missing == seen.isna().sum()
        if one.levels:
            assert {k: v for k, v in one.counts.items() if v} == seen.value_counts().to_dict()
        else:
            assert (one.low, one.high) == (seen.min(), seen.max())
    assert {one.name for one in model.predictors if one.required} == {
        one.name for one in model.predictors if one.missing == 0
    }
    risks = np.quantile(facts["training"]["quantiles"], [0, 1])
    assert 0 < risks[0] < risks[1] < 1
    assert facts["made_with"].keys() >= {"vertebromics", "python", "numpy", "scikit-learn"}
    assert "xgboost-cpu" in load_frozen(frozen["xgboost"]).facts["made_with"]


def test_features_may_be_named_without_their_reader(study, frozen):
    model, table = load_frozen(frozen["lr"]), table_of(study)
    plain = table.rename(columns=lambda name: name.removeprefix("A:"))
    np.testing.assert_array_equal(model.risk(plain), model.risk(table))


def test_values_outside_those_seen_are_named(study, frozen):
    model = load_frozen(frozen["lr"])
    inputs = model.inputs(table_of(study)).head(4).copy()
    number = next(one for one in model.predictors if one.name == "age")
    inputs.loc[inputs.index[0], "age"] = number.high + 1
    inputs.loc[inputs.index[1], "age"] = np.nan
    found = model.outside(inputs).query("predictor == 'age'")
    assert found.to_dict("records") == [
        {"row": 0, "predictor": "age", "value": number.high + 1, "low": number.low,
         "high": number.high}
    ]  # fmt: skip
    assert {name: rows.tolist() for name, rows in model.missing_of(inputs).items()} == {
        "age": [False, True, False, False]
    }


@pytest.mark.parametrize("model", ["lr", "xgboost"])
def test_cards_hold_what_a_reader_needs(model, frozen):
    facts = load_frozen(frozen[model]).facts
    for ending in ("html", "md"):
        text = frozen[model].with_name(f"{model}.card.{ending}").read_text(encoding="utf-8")
        plain = text.replace("\\", "").replace("&#39;", "'")
        for wanted in (
            facts["title"],
            "Residual back pain",
            facts["licence"],
            load_frozen(frozen[model]).digest,
            "not what a treatment would change",
            "scikit-learn",
        ):
            assert wanted in plain, f"{wanted} is not in the card"


def test_a_card_is_text_whatever_a_model_says_of_itself(study, tmp_path):
    out = tmp_path / "lr.vbm"
    told = "<script>alert(1)</script> | [x](http://example.org) `a`"
    given = ("--intended-use", told, "--licence", "CC BY 4.0")
    done = run_here("models.freeze", study, "--model", "lr", "--out", out, *given)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "lr.card.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "").replace("(http://example.org)", "")
    lines = (tmp_path / "lr.card.md").read_text(encoding="utf-8")
    assert r"\<script\>alert(1)\</script\> \| \[x\](http://example.org) \`a\`" in lines
    assert "Licence: CC BY 4.0." in lines
    done = run_here("models.frozen.card", out, "--out", tmp_path / "none")
    assert "The folder of a model's card must exist" in done.stderr
    (tmp_path / "none").mkdir()
    assert run_here("models.frozen.card", out, "--out", tmp_path / "none").returncode == 0
    assert (tmp_path / "none" / "lr.card.html").read_text(encoding="utf-8") == page


def told_of(folder, model="lr", out="m.vbm", *more):
    done = run_here("models.freeze", folder, "--model", model, "--out", out, *more)
    assert done.returncode == 1
    return done.stderr


def changed(study, folder, **options):
    """Return a study's folder with other options, its tables and models the same."""
    import shutil

    import yaml

    shutil.copytree(study, folder)
    path = folder / "study" / "study.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(config | options), encoding="utf-8")
    return folder


def test_refusals_of_freeze(study, tmp_path):
    assert "must end in .vbm" in told_of(study, out=tmp_path / "lr.pkl")
    assert "from the folder of a study's results" in told_of(tmp_path)
    leaking = changed(study, tmp_path / "leaking", mode="as_published")
    assert "mode: as_published is not frozen" in told_of(leaking)
    none = changed(study, tmp_path / "none", analyses=["outcomes"])
    assert "Only a study that predicts has models" in told_of(none)
    other = changed(study, tmp_path / "other")
    (other / "models" / "rf" / "model.json").unlink()
    assert "must be one that the study has trained. Found: rf" in told_of(other, "rf")
    path = other / "models" / "lr" / "model.json"
    write_json({"model": "lr", "status": "not_fitted", "reason": "too few", "label": "x"}, path)
    assert "dropped out of its study" in told_of(other)


def test_a_fit_that_is_not_the_studys_is_refused(study, tmp_path):
    other = changed(study, tmp_path / "other")
    path = other / "models" / "lr" / "predictions.parquet"
    stored = read_table(path)
    stored.loc[stored["part"] == "test", "probability"] += 1e-5
    write_table(stored, path)
    assert "must predict the held-out patients as the study did" in told_of(other)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("svm", {"search": {"iterations": 1, "spaces": {"svm": {"kernel": ["rbf"]}}}}),
        ("lr", {"imputation": {"method": "knn"}}),
        ("lr", {"imputation": {"method": "iterative", "indicators": True}}),
    ],
)
def test_rows_of_patients_leave_only_where_that_is_asked_for(family, options, tmp_path):
    study = write_frozen_study(tmp_path / "study", (family,), features=16, **options)
    holds = options.get("imputation", {}).get("method") != "iterative"
    out = tmp_path / "m.vbm"
    if holds:
        found = told_of(study, family, out)
        assert "must not hold rows of training patients" in found
        assert not out.exists()
    more = ("--with-training-rows",) if holds else ()
    done = run_here("models.freeze", study, "--model", family, "--out", out, *more)
    assert done.returncode == 0, done.stderr
    model, stored = load_frozen(out), stored_of(study, family)
    risk = pd.Series(model.risk(table_of(study)), table_of(study)["unit_id"])
    np.testing.assert_allclose(risk[stored.index], stored, rtol=0, atol=1e-12)


def test_a_model_of_nothing_gives_everybody_the_same_risk(tmp_path):
    strict = {"ccc": {"threshold": 1.0}, "clinical": {"p": 1e-30, "vif": None}}
    study = write_frozen_study(tmp_path / "study", ("rf",), selection=strict)
    out = tmp_path / "m.vbm"
    assert run_here("models.freeze", study, "--model", "rf", "--out", out).returncode == 0
    model, table = load_frozen(out), table_of(study)
    assert model.predictors == ()
    assert model.facts["recalibration"]["kind"] == "none"
    risk = model.risk(table)
    np.testing.assert_allclose(risk, stored_of(study, "rf").iloc[0], rtol=1e-12)
    np.testing.assert_array_equal(model.calibrated(risk), risk)


def test_what_cannot_be_a_value_is_refused(study, frozen):
    model, table = load_frozen(frozen["lr"]), table_of(study)
    inputs = model.inputs(table)
    level = next(one for one in model.predictors if one.levels)
    with refusal("level-unknown-to-model", StudyError, match="perhaps"):
        model.risk(inputs.assign(**{level.name: "perhaps"}))
    with refusal("value-infinite", StudyError, match="column age"):
        model.risk(inputs.assign(age=np.inf))
    with refusal("predictor-not-a-number", StudyError, match="Found: old"):
        model.risk(inputs.assign(age="old"))
    with refusal("frozen-columns-missing", StudyError, match="none called age"):
        model.risk(inputs.drop(columns="age"))


def test_a_family_without_a_frozen_form_is_refused(study):
    with refusal(
        "freeze-model-unknown", StudyError, match="A model that is frozen is one of lr, .*Found: nb"
    ):
        write_classifier("nb", object())


def test_every_family_that_is_written_says_how_close_its_risks_are():
    assert set(module.SAME_AS_FIT) == set(WRITERS)


def test_the_file_holds_no_value_of_a_patient_by_name(study, frozen):
    """No id of a unit or patient stands anywhere in a file."""
    members, _ = read_members(frozen["rf"])
    text = b"".join(members.values())
    table = table_of(study)
    assert not any(f'"{name}"'.encode() in text for name in table["patient_id"])
    assert not any(name.encode() in text for name in table["unit_id"])


def test_numbers_that_predict_otherwise_are_not_frozen(study, monkeypatch):
    monkeypatch.setitem(module.SAME_AS_FIT, "lr", -1.0)
    with refusal("frozen-predicts-otherwise", ProgramError, match="model lr"):
        module.freeze(study, "lr")
