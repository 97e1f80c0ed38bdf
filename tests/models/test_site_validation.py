"""Validation site by site: figures, pooling, features by site, and the stage's files."""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

import models.site_validation as stage
from models.learning.procedure import Procedure
from pipeline.comparison.sites.random_effects import pool
from pipeline.comparison.sites.site_outcome import site_by_outcome
from pipeline.core.errors import FitError
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.study.study import Study, write_study
from pipeline.tables.schemas.prediction.site_validation import SITE_VALIDATION
from pipeline.tables.schemas.study_tables import Dictionary
from tests.models.transformers.test_harmonisation import (
    AGE,
    COLUMNS,
    FEATURES,
    INFO,
    drawn,
    options,
)
from tests.support.filled import filled
from tests.support.options import typed
from tests.support.refusals import refusal

PLAIN = replace(COLUMNS, site=None, kept=())


def configured(**harmonisation: object) -> dict:
    config = options(**harmonisation)
    config |= {"study": "s", "models": ["lr"], "outcome": {"name": "pain"}}
    config["search"] |= {"iterations": 1, "reduced_iterations": 1}
    config["search"]["spaces"] = {"lr": {"C": [1.0]}}
    config["split"]["folds"] = 2
    config["site_validation"] |= {"models": ["lr"], "folds": 2}
    config["scaling"]["method"] = "zscore"
    return config


def test_outcome_by_site_is_tested():
    sites = np.repeat(["a", "b"], [40, 60])
    outcome = np.r_[np.ones(30), np.zeros(10), np.ones(15), np.zeros(45)]
    found = site_by_outcome(sites, outcome)
    assert found.table.to_numpy().tolist() == [["a", 40, 30], ["b", 60, 15]]
    # By hand: 100 (30 x 45 - 10 x 15)^2 / (40 x 60 x 45 x 55)
    chi2 = 100 * (30 * 45 - 10 * 15) ** 2 / (40 * 60 * 45 * 55)
    assert found.p_value == pytest.approx(stats.chi2.sf(chi2, 1), rel=1e-9)
    assert found.cramers_v == pytest.approx(np.sqrt(chi2 / 100), rel=1e-12)
    assert found.warns
    assert "a 30/40 (75%), b 15/60 (25%); chi-square test P < 0.001, Cramer's V 0.49" in (
        found.sentence()
    )
    even = site_by_outcome(sites, np.tile([0, 1], 50))
    assert not even.warns
    assert not even.few
    one = site_by_outcome(sites[:40], outcome[:40])
    assert np.isnan(one.p_value)
    assert not one.warns
    few = site_by_outcome(np.array(["a", "b", "b"]), np.array([0, 1, None], dtype=object))
    assert few.table["n"].tolist() == [1, 1]
    assert few.few


def test_features_by_site_are_kruskals_and_its_effect():
    rng = np.random.default_rng(2)
    sites = np.repeat(["a", "b", "c"], 20)
    values = rng.normal(size=(60, 3))
    values[sites == "c", 1] += 2
    values[:, 2] = 4.0
    found = stage.features_by_site(values, sites)
    own = stats.kruskal(*(values[sites == name, 1] for name in "abc"))
    assert found["p"][1] == pytest.approx(own.pvalue, rel=1e-12)
    assert found["eta2"][1] == pytest.approx((own.statistic - 2) / 57, rel=1e-12)
    assert found["q"][1] == pytest.approx(2 * own.pvalue, rel=1e-12)
    assert found.loc[2].isna().all()


def test_sites_are_pooled_on_the_logit_scale():
    """Limits symmetric on the logit scale give back the variances that they were made of."""
    areas, errors = np.array([0.7, 0.8, 0.75]), np.array([0.2, 0.3, 0.25])
    z = stats.norm.ppf(0.975)
    table = pd.DataFrame(
        {
            "model": "lr",
            "variant": "as handed in",
            "auroc": areas,
            "auroc_low": expit(logit(areas) - z * errors),
            "auroc_high": expit(logit(areas) + z * errors),
        }
    )
    expected = pool(logit(areas), errors**2, never_narrower=True)
    (row,) = stage.pooled(table, 0.95).to_dict("records")
    assert row["sites"] == 3
    assert row["estimate"] == pytest.approx(expit(expected.estimate), rel=1e-9)
    assert row["low"] == pytest.approx(expit(expected.low), rel=1e-9)
    assert row["predicted_high"] == pytest.approx(expit(expected.predicted_high), rel=1e-9)
    assert stage.pooled(table[:1], 0.95).empty


def test_each_site_is_predicted_by_the_others():
    table = drawn(150)
    seen = []

    class Watched(Procedure):
        def run(self, training, seed, folds=None, **more):
            seen.append(set(training["hospital"]))
            return super().run(training, seed, folds, **more)

    procedure = Watched("lr", PLAIN, typed(configured()), "reduced")
    found = stage.leave_sites_out(procedure, table, "hospital", stage.AS_HANDED_IN)
    assert seen == [{"south", "west"}, {"north", "west"}, {"north", "south"}]
    assert found["site"].tolist() == ["north", "south", "west"]
    assert found["n"].tolist() == [int((table["hospital"] == s).sum()) for s in found["site"]]
    assert (found["auroc_low"] < found["auroc"]).all()
    assert (found["note"] == "").all()


def test_a_site_that_cannot_be_fitted_is_told():
    table = drawn(150)
    table["outcome"] = ((table["hospital"] == "north") & (table.index % 2 == 0)).astype(int)
    procedure = Procedure("lr", PLAIN, typed(configured()), "reduced")
    found = stage.leave_sites_out(procedure, table, "hospital", stage.AS_HANDED_IN)
    north, south = (found[found["site"] == name].iloc[0] for name in ("north", "south"))
    assert north["note"] == "not fitted: Every fold must hold patients of both outcomes"
    assert np.isnan(north["auroc"])
    assert north["events"] > 0
    assert np.isnan(south["auroc"])  # fitted, but the site has no event
    assert south["note"] == ""


def test_harmonised_beside_plain_and_what_cannot_be():
    training = drawn(150)
    config = configured()
    pair = (Procedure("lr", columns, typed(config), "reduced") for columns in (PLAIN, COLUMNS))
    table, difference = stage.compare_harmonised(*pair, training, 2)
    assert table["variant"].tolist() == ["as handed in", "harmonised"]
    assert table["auroc"][1] > table["auroc"][0]
    assert difference["auroc"] == pytest.approx(table["auroc"][1] - table["auroc"][0], abs=1e-12)
    assert difference["low"] < difference["auroc"] < difference["high"]
    tiny = configured(min_rows=100)
    pair = (Procedure("lr", columns, typed(tiny), "reduced") for columns in (PLAIN, COLUMNS))
    table, difference = stage.compare_harmonised(*pair, training, 2)
    assert table["note"][1].startswith("not fitted: Harmonisation needs at least 100")
    assert difference["note"] == "one of the two could not be fitted"


def test_features_before_and_after():
    table, note = stage.site_features(COLUMNS, drawn(150), typed(configured()), "hospital")
    assert note == ""
    assert table["feature"].tolist() == FEATURES
    before, after = (stage.differing(table, when) for when in ("before", "after"))
    assert before["differing"] == 12
    assert after["differing"] < 3
    assert after["eta2"] < before["eta2"]
    none, note = stage.site_features(
        replace(COLUMNS, features=()), drawn(150), typed({}), "hospital"
    )
    assert none.empty
    assert note == "the study has no radiomic feature"
    west = drawn(150).assign(hospital="west")
    alone, note = stage.site_features(
        COLUMNS, west, typed(configured(reference="north")), "hospital"
    )
    assert alone.empty
    assert note.startswith("not harmonised: The reference")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return the folder of a study of three sites, which harmonises to own rows."""
    folder = tmp_path_factory.mktemp("results") / "s"
    config = configured(unseen_site="own_rows") | {"results": str(folder.parent)}
    rows = [
        {"column": "hospital", "type": "categorical", "levels": "north|south|west", "role": "site"},
        {"column": "age", "type": "continuous", "timing": "preoperative", "role": "predictor"},
    ]
    dictionary = filled(Dictionary, pd.DataFrame(rows).assign(label=["Hospital", "Age"]))
    table = drawn(150)
    clinical = table[["patient_id", "hospital", "age"]]
    write_study(Study(config, None, clinical, dictionary), folder / "study")
    tables = folder / "tables"
    write_table(table.assign(level=None), tables / "analysis.parquet")
    info = INFO | {"harmonisation": {"site": "hospital", "covariates": [AGE]}}
    write_json(info, tables / "analysis.json")
    parts = table[["unit_id", "patient_id", "outcome"]].assign(part="train", fold=0)
    parts.loc[120:, ["part", "fold"]] = ["test", -1]
    parts.loc[:119, "fold"] = np.arange(120) % 2
    write_table(parts, tables / "split.parquet")
    given = {"analysis": tables / "analysis.parquet", "info": tables / "analysis.json"}
    given |= {"study": folder / "study", "split": tables / "split.parquet", "workers": 1}
    stage.main(argparse.Namespace(**given, out_dir=folder / "site_validation"))
    return folder


def test_the_stage_writes_its_tables(study):
    made = study / "site_validation"
    tables = {name: read_table(made / f"{name}.parquet", s) for name, s in SITE_VALIDATION.items()}
    assert tables["outcome"]["n"].sum() == 150
    assert tables["left_out"].groupby("variant").size().to_dict() == {
        "as handed in": 3,
        "own rows": 3,
    }
    assert tables["pooled"]["variant"].tolist() == ["as handed in", "own rows"]
    assert tables["harmonised"]["n"].tolist() == [120, 120]  # training patients alone
    assert len(tables["features"]) == len(FEATURES)
    facts = read_json(made / "site_validation.json")
    assert facts["site"] == "hospital"
    assert facts["features"]["harmonised"]
    assert facts["differences"][0]["model"] == "lr"


def test_a_site_without_rows_in_a_fold_is_a_fit_that_fails():
    """Never a silent prediction of a row that was not harmonised."""
    table = drawn(150)
    known = table[table["hospital"] != "west"].reset_index(drop=True)
    run = Procedure("lr", COLUMNS, typed(configured()), "reduced").run(known, 1)
    with refusal("unseen-site", FitError):
        run.fitted.predict(table)
