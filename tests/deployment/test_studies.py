"""A study of new patients: its features give the risks that its CT and mask give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from deployment.studies import read_study
from models.frozen.model import FrozenModel, load_frozen
from pipeline.core.errors import StudyError
from pipeline.core.files import read_json, read_table, write_table
from pipeline.extraction import extract_features, load_params
from pipeline.study.config import resolve_config
from pipeline.study.study import Study, write_study
from pipeline.tables.dictionary import COLUMNS
from pipeline.tables.schemas.study_tables import Cases
from tests.deployment.test_predict import given_of
from tests.deployment.test_predict_images import (
    PARAMETERS,
    calmed,
    files_of,
    of_image,
    with_imaging,
)
from tests.end_to_end.test_imaging_commands import write_hospital
from tests.support.commands import run_here
from tests.support.filled import filled
from tests.support.frozen_study import write_frozen_models
from tests.support.refusals import refusal


@pytest.fixture(scope="module")
def hospital(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hospital")
    write_hospital(folder)
    return folder


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return calmed(with_imaging(write_frozen_models(folder, ("lr",))["lr"]))


def clinical_of(file: Path) -> dict:
    """Return a training patient's clinical values."""
    model = load_frozen(file)
    row = model.inputs(read_table(file.parent / "study" / "tables" / "analysis.parquet")).iloc[0]
    return {one.name: row[one.name] for one in model.predictors if one.block == "clinical"}


def new_study(
    folder: Path, hospital: Path, clinical: dict, readers: str = "A", **options: object
) -> Path:
    """Write a study of three cases as a run to its features leaves it; one has no features."""
    parameters = folder / "small.yaml"
    folder.mkdir(parents=True)
    parameters.write_text(yaml.safe_dump(PARAMETERS), encoding="utf-8")
    given = {"study": "new", "results": str(folder / "results"), "cases": "cases.csv"}
    given |= {"unit": "case", "extraction": {"params": str(parameters)}}
    given |= {"preflight": {"max_dense_share": 0.9}}
    config = resolve_config({**given, **options})
    rows = [
        {
            "patient_id": f"N{n}", "scan_id": f"N{n}-CT", "case_id": f"N{n}-L1", "level": "L1",
            "reader": reader, "version": 1, "image": "x", "series": None, "mask": "m",
            "label": None, "days_from_surgery": pd.NA, "batch": "b",
        }
        for n in (1, 2, 3)
        for reader in readers
    ]  # fmt: skip
    cases = filled(Cases, rows)
    table = pd.DataFrame([{"case_id": f"N{n}-L1", **clinical} for n in (1, 2, 3)])
    dictionary = pd.DataFrame(columns=list(COLUMNS))
    study = Study(config, cases, table, dictionary)
    results = folder / "results" / "new"
    write_study(study, results / "study")
    values = extract_features(*files_of(hospital), load_params(PARAMETERS))
    features = [
        {"case_id": f"N{n}-L1", "reader": reader, **(values * (1 if n == 1 else 1.01)).to_dict()}
        for n in (1, 2)
        for reader in readers
    ]
    write_table(pd.DataFrame(features), results / "tables" / "features.parquet")
    return results


def test_a_study_gives_the_risk_of_its_images(hospital, file, tmp_path) -> None:
    clinical = clinical_of(file)
    results = new_study(tmp_path / "study", hospital, clinical)
    done = run_here("deployment.predict", file, "--study", results, "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    assert "2 predicted, 1 without a risk" in done.stderr
    rows = pd.read_parquet(tmp_path / "o" / "predictions.parquet").set_index("unit_id")
    words = (*of_image(hospital), *given_of(clinical), "--mask-as-it-is", "--out", tmp_path / "one")
    done = run_here("deployment.predict", file, *words)
    assert done.returncode == 0, done.stderr
    alone = read_json(tmp_path / "one" / "prediction.json")
    assert rows.loc["N1-L1", "risk"] == pytest.approx(alone["risk"], abs=1e-12)
    assert rows.loc["N2-L1", "risk"] != rows.loc["N1-L1", "risk"]
    assert rows.loc["N3-L1", ["status", "reason"]].tolist() == ["refused", "no_features"]
    assert np.isnan(rows.loc["N3-L1", "risk"])
    page = (tmp_path / "o" / "prediction.html").read_text(encoding="utf-8")
    assert "no features: the preflight of its study says why" in page


def test_one_reader_of_several_is_named(hospital, file, tmp_path) -> None:
    results = new_study(tmp_path / "study", hospital, clinical_of(file), "AB")
    model = load_frozen(file)
    with refusal("new-study-reader", StudyError, match="say --reader with one of A, B") as told:
        read_study(model, results)
    assert told.value.code == "new-study-reader"
    rows, without = read_study(model, results, "B")
    assert (list(rows.index), without) == (["N1-L1", "N2-L1"], ["N3-L1"])


def refused(model: FrozenModel, results: Path) -> StudyError:
    with pytest.raises(StudyError) as told:
        read_study(model, results)
    return told.value


def test_a_study_that_reads_otherwise_is_refused(hospital, file, tmp_path) -> None:
    model, clinical = load_frozen(file), clinical_of(file)
    checks = {"checks": {"max_slice_spacing_mm": 3.0}}
    error = refused(model, new_study(tmp_path / "a", hospital, clinical, **checks))
    assert (error.code, str(error.found)) == (
        "new-study-differs", "other values of checks.max_slice_spacing_mm",
    )  # fmt: skip
    results = new_study(tmp_path / "b", hospital, clinical)
    (tmp_path / "b" / "small.yaml").write_text(
        yaml.safe_dump(PARAMETERS | {"setting": {"binWidth": 10}}), encoding="utf-8"
    )
    assert "extraction.params" in str(refused(model, results).found)
    results = new_study(tmp_path / "c", hospital, clinical)
    (results / "tables" / "features.parquet").unlink()
    assert refused(model, results).code == "new-study-without-features"
    (results / "study" / "cases.parquet").unlink()
    assert refused(model, results).code == "new-study-without-images"
