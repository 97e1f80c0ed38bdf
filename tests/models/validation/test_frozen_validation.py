"""A frozen model validated on a table, and updated: the file before is kept, byte for byte."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from models.frozen.card import card_markdown
from models.frozen.container import read_members, write_members
from models.frozen.model import load_frozen
from models.frozen.updates import members_before, write_updated
from models.scoring.performance import Sample
from models.validation.refitting import refit_row
from pipeline.core.errors import StudyError
from tests.support.commands import run_here
from tests.support.frozen_study import write_frozen_models
from tests.support.refusals import refusal

UPDATE = {"method": "intercept and slope", "intercept": -0.4, "slope": 0.8}
UPDATE |= {"validation": "temporal", "rows": 90, "events": 30}


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """Return the folder of a frozen model, with a table of patients as a hospital sends it."""
    folder = tmp_path_factory.mktemp("frozen")
    path = write_frozen_models(folder)["lr"]
    model = load_frozen(path)
    analysis = pd.read_parquet(folder / "study" / "tables" / "analysis.parquet")
    table = model.inputs(analysis).assign(pain=analysis["outcome"].astype(int))
    table["site"] = np.where(np.arange(len(table)) % 2, "north", "south")
    table.to_csv(folder / "patients.csv", index=False)
    path.rename(folder / "model.vbm")
    return folder


def judge(folder, *words):
    return run_here(
        "models.judge", "patients.csv", "--outcome", "pain", "--model", "model.vbm",
        "--resamples", "100", "--out-dir", "out", *words, cwd=folder,
    )  # fmt: skip


def test_its_risks_are_those_of_the_loaded_model(frozen):
    done = judge(frozen)
    assert done.returncode == 0, done.stderr
    told = pd.read_parquet(frozen / "out" / "predictions.parquet")
    model = load_frozen(frozen / "model.vbm")
    analysis = pd.read_parquet(frozen / "study" / "tables" / "analysis.parquet")
    expected = model.risk(analysis)
    lacking = np.zeros(len(analysis), bool)
    for rows in model.missing_of(analysis).values():
        lacking |= rows
    np.testing.assert_allclose(told["risk"], expected[~lacking], rtol=1e-9)
    np.testing.assert_allclose(told["calibrated"], model.calibrated(expected[~lacking]), rtol=1e-9)
    assert model.digest in done.stderr
    assert not (frozen / "out" / "validation.html").exists()


def test_it_is_validated_and_updated(frozen):
    done = judge(frozen, "--validation", "geographical", "--by", "site")
    assert done.returncode == 0, done.stderr
    page = (frozen / "out" / "validation.html").read_text(encoding="utf-8")
    assert "Geographical validation: frozen model" in page
    updates = pd.read_parquet(frozen / "out" / "updates.parquet").set_index("method")
    old, new = load_frozen(frozen / "model.vbm"), load_frozen(frozen / "out" / "model_slope.vbm")
    risk = np.array([0.1, 0.4, 0.8])
    row = updates.loc["intercept and slope"]
    expected = expit(row["intercept"] + row["slope"] * logit(old.calibrated(risk)))
    np.testing.assert_allclose(new.calibrated(risk), expected, rtol=1e-9)
    assert new.digest in page
    assert "Updated by the intercept and slope" in card_markdown(new)
    assert "geographical validation" in card_markdown(new)


def test_the_file_before_an_update_comes_back_byte_for_byte(frozen, tmp_path):
    first, second = tmp_path / "one.vbm", tmp_path / "two.vbm"
    write_updated(frozen / "model.vbm", first, **UPDATE)
    write_updated(first, second, **UPDATE | {"intercept": 0.2, "slope": 1.1})
    assert len(load_frozen(second).facts["updates"]) == 2
    for path, origin in ((second, first), (first, frozen / "model.vbm")):
        members, digest = members_before(read_members(path)[0])
        assert write_members(members, tmp_path / "back.vbm") == digest
        assert (tmp_path / "back.vbm").read_bytes() == origin.read_bytes()


def test_an_updated_model_claims_no_figures_of_the_old_one(frozen, tmp_path):
    write_updated(frozen / "model.vbm", tmp_path / "new.vbm", **UPDATE)
    new, old = load_frozen(tmp_path / "new.vbm"), load_frozen(frozen / "model.vbm")
    assert new.facts["performance"] == []
    assert new.facts["updates"][0]["before"]["performance"] == old.facts["performance"]
    quantiles = new.facts["training"]["quantiles"]
    assert quantiles == sorted(quantiles)
    assert quantiles != old.facts["training"]["quantiles"]


def test_an_update_that_turns_the_order_over_is_refused(frozen, tmp_path):
    with refusal("update-reverses-risks", StudyError):
        write_updated(frozen / "model.vbm", tmp_path / "new.vbm", **UPDATE | {"slope": -0.2})
    assert not (tmp_path / "new.vbm").exists()


def test_a_table_that_does_not_fit_is_refused(frozen, tmp_path):
    table = pd.read_csv(frozen / "patients.csv", dtype=str)
    feature = next(one for one in load_frozen(frozen / "model.vbm").predictors
                   if not one.levels and one.used)  # fmt: skip
    table.loc[3, feature.name] = "large"
    table.to_csv(tmp_path / "words.csv", index=False)
    table.drop(columns=feature.name).to_csv(tmp_path / "lacks.csv", index=False)
    for name, told in (("words", "must be a number"), ("lacks", feature.name)):
        done = run_here(
            "models.judge", tmp_path / f"{name}.csv", "--outcome", "pain",
            "--model", frozen / "model.vbm", "--out-dir", tmp_path / "out",
        )  # fmt: skip
        assert done.returncode == 1
        assert told in done.stderr


def test_rows_that_lack_what_the_model_needs_have_no_risk(frozen, tmp_path):
    model = load_frozen(frozen / "model.vbm")
    needed = [one.name for one in model.predictors if one.required]
    assert needed
    table = pd.read_csv(frozen / "patients.csv", dtype=str)
    table.loc[:4, needed[0]] = None
    table.to_csv(tmp_path / "blank.csv", index=False)
    asked = ["--outcome", "pain", "--model", frozen / "model.vbm", "--out-dir", tmp_path / "out"]
    done = run_here("models.judge", tmp_path / "blank.csv", *asked)
    assert done.returncode == 0, done.stderr
    assert "5 rows have no risk" in done.stderr
    table.assign(**{needed[0]: None}).to_csv(tmp_path / "none.csv", index=False)
    done = run_here("models.judge", tmp_path / "none.csv", *asked)
    assert done.returncode == 1
    assert "Rows with a risk must hold patients with the outcome" in done.stderr


def test_a_refit_stands_beside_the_updates(frozen):
    """The columns that the model chose, fitted anew, as statsmodels fits them."""
    done = judge(frozen, "--validation", "geographical")
    assert done.returncode == 0, done.stderr
    updates = pd.read_parquet(frozen / "out" / "updates.parquet").set_index("method")
    told = pd.read_parquet(frozen / "out" / "predictions.parquet")
    model = load_frozen(frozen / "model.vbm")
    table = pd.read_parquet(frozen / "study" / "tables" / "analysis.parquet")
    lacking = np.any([*model.missing_of(table).values(), np.zeros(len(table), bool)], axis=0)
    design = model.procedure.design(model.inputs(table[~lacking]))
    outcome = told["outcome"].to_numpy(int)
    fit = sm.GLM(outcome, sm.add_constant(design), family=sm.families.Binomial()).fit()
    refit = updates.loc["refit"]
    assert refit["brier"] == pytest.approx(np.mean((fit.fittedvalues - outcome) ** 2), rel=1e-8)
    assert refit["log_likelihood"] == pytest.approx(fit.llf, rel=1e-8)
    # It fits these rows best, and is the most flattered by them.
    others = updates.drop(index="refit")
    assert refit["brier"] < others["brier"].min()
    gains = others["brier_corrected"] - others["brier"]
    assert refit["brier_corrected"] - refit["brier"] > gains.max()
    assert refit["needed"] > 0
    assert f"{design.shape[1]} coefficients" in refit["note"]


@pytest.mark.parametrize(
    ("outcome", "design", "found"),
    [
        ([0, 0, 0, 0, 0, 0], [[1.0], [2.0], [3.0], [4.0], [5.0], [7.0]], "have one outcome"),
        ([0, 0, 0, 1, 1, 1], [[1.0], [2.0], [3.0], [4.0], [5.0], [7.0]], "separate the outcomes"),
        ([0, 1, 0, 1, 0, 1], [[1, 2], [2, 4], [3, 6], [1, 2], [5, 10], [7, 14]], "depend on one"),
    ],
)
def test_a_refit_that_has_no_estimate_says_why(outcome, design, found):
    sample = Sample(np.array(outcome), np.full(6, 0.4), np.arange(6), 0.5)
    row = refit_row(sample, np.array(design, float), n_resamples=5, seed=1)
    assert list(row) == ["note"]
    assert found in row["note"]
