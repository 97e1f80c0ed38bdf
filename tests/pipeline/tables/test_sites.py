"""Tables of several sites become those of one study."""

from __future__ import annotations

import argparse
import logging

import pandas as pd
import pytest

import pipeline.gather
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table
from pipeline.running.trace import _registered
from pipeline.study.config import resolve_config
from pipeline.study.study import open_study, write_study
from pipeline.tables.registered import write_marker
from pipeline.tables.schemas.features.features import Features
from pipeline.tables.sites import HandedIn
from pipeline.validate import validate_study
from tests.pipeline.test_validate import Files
from tests.support.refusals import refusal
from tests.support.small_tables import NAMES
from tests.support.two_sites import TwoSites


def test_two_sites_become_one_study(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    sites = TwoSites(tmp_path, "AB")
    sites.options["split"] = {"design": "by_site", "test_sites": ["south"], "folds": 3}
    study = sites.study()
    clinical = study.clinical.set_index("patient_id")
    assert len(clinical) == 120
    assert clinical.groupby("site").size().to_dict() == {"north": 60, "south": 60}
    assert clinical.index[0] == "north-P001"
    # South spelled three of its patients w, m and maennlich.
    assert clinical.loc["south-P001":"south-P003", "sex"].tolist() == ["female", "male", "female"]
    row = study.dictionary.set_index("column").loc["site"]
    assert (row["type"], row["levels"], row["role"]) == ("categorical", "north|south", "site")
    assert study.readers == ["A", "B"]
    assert study.config["split"]["column"] == "site"
    assert "split by column site: 'north' 60 (train), 'south' 60 (test)" in caplog.text


def test_the_frozen_study_gathers_the_features_of_both_sites(tmp_path):
    sites = TwoSites(tmp_path, "AB")
    south = sites.features["south"]
    for table in south.values():
        table[NAMES] += 100.0
    south["A"] = south["A"][["patient_id", *reversed(NAMES)]]  # another order of columns
    write_study(sites.study(), tmp_path / "study")
    out = tmp_path / "features.parquet"
    options = {"parts": [], "batches": None, "study": tmp_path / "study", "out": out}
    pipeline.gather.main(argparse.Namespace(**options))
    gathered = read_table(out, Features).set_index(["case_id", "reader"])
    assert len(gathered) == 240
    for site, reader in (("north", "A"), ("south", "A"), ("south", "B")):
        given = sites.features[site][reader].set_index("patient_id")
        assert gathered.loc[(f"{site}-P007", reader), NAMES].tolist() == pytest.approx(
            given.loc["P007", NAMES].tolist(), rel=1e-12
        )
    assert open_study(tmp_path / "study").ready_tables().cases["case_id"].nunique() == 120


def test_without_dictionary_the_outcome_stands_in_the_features(tmp_path):
    sites = TwoSites(tmp_path)
    for site, clinical in sites.clinical.items():
        told = clinical["pain"].map(
            {1: "yes", 0: "no"} if site == "north" else {1: "ja", 0: "nein"}
        )
        sites.features[site]["A"]["pain"] = told
    sites.clinical, sites.dictionary = {}, None
    sites.levels["south"] = {"pain": {"yes": "ja", "no": "nein"}}
    sites.formula = "pain == 'yes'"
    study = sites.study()
    assert (study.clinical["pain"] == "yes").groupby(study.clinical["site"]).sum().to_dict() == {
        "north": 20,
        "south": 20,
    }


def test_a_column_site_of_the_tables_own_is_made_anew(tmp_path):
    sites = TwoSites(tmp_path)
    sites.clinical["south"]["site"] = "somewhere"
    assert set(sites.study().clinical["site"]) == {"north", "south"}


def test_each_site_needs_ids_that_meet(tmp_path):
    """That the other site's tables meet does not hide that this one's do not."""
    sites = TwoSites(tmp_path)
    sites.clinical["south"]["patient_id"] = [f"Q{number}" for number in range(60)]
    with refusal(
        "tables-share-no-id", StudyError, match="must share ids in the column patient_id"
    ) as told:
        sites.study()
    assert told.value.where == "config keys sites.south.clinical, sites.south.features"


def test_a_mistake_names_the_file_of_its_site(tmp_path):
    sites = TwoSites(tmp_path)
    sites.clinical["south"].loc[4, "sex"] = "divers"
    with refusal(
        "value-not-a-level", StudyError, match="A value of sex must be one of its levels"
    ) as told:
        sites.study()
    assert "south_clinical.csv, row 6, column sex" in told.value.where


def test_numbers_and_truth_are_spellings_too(tmp_path):
    sites = TwoSites(tmp_path)
    sites.clinical["south"]["sex"] = [1, 2] * 30
    sites.levels["south"] = {"sex": {"female": 1, "male": 2.0}}
    assert sites.study().clinical["sex"].value_counts().to_dict() == {"female": 60, "male": 60}


def test_masks_of_two_sites(tmp_path):
    given, files = {}, {}
    for site in ("north", "south"):
        files[site] = Files(tmp_path / site, n=12)
        config = files[site].config()
        write_marker(
            tmp_path / site, "demo", files[site].registered, {"0001-ct": {"rule": f"of {site}"}}
        )
        given[site] = {"cases": config["cases"], "clinical": config["clinical"]}
    study = validate_study(
        resolve_config(
            {
                "study": "s",
                "results": str(tmp_path / "results"),
                "sites": given,
                "dictionary": config["dictionary"],
                "model_reader": "A",
                "outcome": {"name": "pain", "formula": "vas >= 4"},
                "scans_per_job": 4,
            }
        )
    )
    assert study.cases["case_id"].nunique() == 24
    row = study.cases.set_index(["case_id", "reader"]).loc[("south-0001-L1", "B")]
    assert row["patient_id"] == "south-0001"
    assert row["scan_id"] == "south-0001-ct"
    assert row["mask"].endswith("south/m/0001-B.nrrd")
    assert study.cases.groupby("scan_id")["batch"].nunique().max() == 1
    assert study.cases["batch"].nunique() > 1
    assert _registered(study.options(HandedIn), "south-0001-ct") == {"rule": "of south"}


def test_one_study_stays_as_it_was(tmp_path):
    """Without `sites` no id changes, and no column is made."""
    sites = TwoSites(tmp_path)
    given = sites.given()
    north = given.pop("sites")["north"]
    study = validate_study(resolve_config(given | north))
    assert list(study.clinical.columns) == ["patient_id", "age", "sex", "pain"]
    assert study.clinical["patient_id"].iloc[0] == "P001"
    assert isinstance(study.dictionary, pd.DataFrame)
    assert "site" not in set(study.dictionary["column"])
