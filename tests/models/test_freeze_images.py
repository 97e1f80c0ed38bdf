"""What a frozen model says of the images of its study."""

import pandas as pd
import yaml

from models.freezing.contents import ImagingOptions, imaging_facts
from pipeline.core.errors import StudyError
from pipeline.core.files import json_hash, write_table
from pipeline.extract import STATUS_COLUMNS
from pipeline.ingest import COLUMNS
from pipeline.study.config import resolve_config
from pipeline.study.study import Study
from tests.support.refusals import refusal

PARAMETERS = {"setting": {"binWidth": 25}, "imageType": {"Original": {}}}


def study_with_images(folder):
    """Return a study of three cases, as its stages leave it, and its parameter file."""
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(PARAMETERS), encoding="utf-8")
    given = {"study": "x", "results": str(folder / "results"), "cases": "cases.csv", "unit": "case"}
    config = resolve_config(given | {"extraction": {"params": str(path)}})
    cases = pd.DataFrame(
        [
            {"case_id": f"P{n}-L1", "scan_id": f"S{n}", "level": level, "reader": reader}
            for n, level in ((1, "L1"), (2, "L2"), (3, "T12"))
            for reader in "AB"
        ]
    )
    study = Study(config, cases, None, None)
    scans = pd.DataFrame({"scan_id": ["S1", "S2", "S3"], "patient_id": ["P1", "P2", "P3"]})
    scans["status"], scans["findings"] = "ok", "[]"
    scans["spacing_x"] = scans["spacing_y"] = [0.5, 0.75, 0.1]
    scans["spacing_z"], scans["slice_thickness_mm"] = [1.0, 1.25, 9.0], [None, 1.25, 9.0]
    scans["kvp"], scans["kernel"] = [120.0, 100.0, 1.0], ["B70", None, "X"]
    scans["manufacturer"], scans["orientation"], scans["format"] = "Maker", "LPS", "dicom"
    scans = scans.reindex(columns=list(COLUMNS)).astype(COLUMNS)
    write_table(scans, study.folder / "tables" / "ingest.parquet")

    def make(entry):
        (entry / "features.json").write_text("{}")

    known = {"crop": "c", "params": PARAMETERS, "engine": "fast", "code": "x", "versions": {}}
    entry = study.store.get_or_make("features", known, make)
    row = {"case_id": "P1-L1", "scan_id": "S1", "patient_id": "P1", "level": "L1", "reader": "A"}
    row |= {"status": "ok", "findings": "[]", "engine": "fast", "features_key": entry.name}
    status = pd.DataFrame([row])
    status = status.reindex(columns=list(STATUS_COLUMNS)).astype(STATUS_COLUMNS)
    write_table(status, study.folder / "tables" / "extraction.parquet")
    return study, path


def facts_of(study, training):
    options = study.options(ImagingOptions)
    return imaging_facts(options, study.cases, study.store, study.folder, training)


def test_the_training_rows_alone_say_what_was_seen(tmp_path):
    study, path = study_with_images(tmp_path)
    training = pd.DataFrame({"unit_id": ["P1-L1", "P2-L1"]})
    facts = facts_of(study, training)
    assert facts["parameters"] == PARAMETERS
    assert facts["parameter_file"] == path.name
    assert facts["parameters_sha256"] == json_hash(PARAMETERS)
    seen = facts["seen"]
    assert seen["spacing_z"] == {"low": 1.0, "high": 1.25, "missing": 0}
    assert seen["slice_thickness_mm"] == {"low": 1.25, "high": 1.25, "missing": 1}
    assert seen["kvp"] == {"low": 100.0, "high": 120.0, "missing": 0}
    assert seen["kernel"] == {"counts": {"B70": 1}, "missing": 1}
    assert seen["level"] == {"counts": {"L1": 1, "L2": 1}, "missing": 0}
    assert facts["checks"] == study.config["checks"]


def test_a_changed_parameter_file_is_refused(tmp_path):
    study, path = study_with_images(tmp_path)
    path.write_text(yaml.safe_dump({"setting": {"binWidth": 10}}), encoding="utf-8")
    with refusal("parameter-file-changed", StudyError):
        facts_of(study, pd.DataFrame({"unit_id": ["P1-L1"]}))


def test_a_study_without_images_has_none(tmp_path):
    study, _ = study_with_images(tmp_path)
    assert facts_of(Study(study.config, None, None, None), pd.DataFrame()) is None
