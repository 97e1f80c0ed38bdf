"""The stage that extracts: rows and columns, the store, what one bad crop does."""

from __future__ import annotations

import argparse
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml

from pipeline import extract
from pipeline.core.errors import CaseError, MachineError
from pipeline.core.files import read_table, write_table
from pipeline.core.findings import Finding, from_json, to_json
from pipeline.core.keeping.store import Store
from pipeline.extract import check_features, extract_crops
from pipeline.extraction import DEFAULT_ENGINE, Crop, features_of_crop, load_params, write_crop
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.resample import Resample
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled
from tests.support.refusals import refusal
from tests.support.store_entries import put, reference

CROP_A, CROP_B = reference("crop", "a"), reference("crop", "b")
PARAMS = {
    "setting": {"binWidth": 25},
    "imageType": {"Original": {}, "Gradient": {}},
    "featureClass": {"shape": ["MeshVolume"], "firstorder": ["Mean"], "glcm": ["Idm", "Imc1"]},
}


@pytest.fixture
def params():
    return load_params(PARAMS)


def crop_of(seed: int) -> Crop:
    values = np.random.default_rng(seed).normal(0, 100, (9, 10, 11))
    mask = np.zeros(values.shape, np.uint8)
    mask[2:7, 2:8, 2:9] = 1
    return Crop(sitk.GetImageFromArray(values), sitk.GetImageFromArray(mask), 0.0)


@pytest.fixture
def store(tmp_path) -> Store:
    return store_in(tmp_path)


def store_in(folder: Path) -> Store:
    """Return a store with two good crops."""
    store = Store(folder / "store")
    for seed, name in enumerate("ab"):
        put(store, "crop", name, partial(write_crop, crop_of(seed)))
    return store


def crops_table(**changes) -> pd.DataFrame:
    table = {
        "case_id": ["007-L1"] * 2, "scan_id": "007-s1", "patient_id": "007", "level": "L1",
        "reader": ["A", "B"], "status": "ok", "findings": "[]", "crop": [CROP_A, CROP_B],
        "crop_key": ["key of a", "key of b"], "clipped_share": 0.0,
    }  # fmt: skip
    return pd.DataFrame({**table, **changes})


def test_a_row_of_the_table_is_what_the_crop_yields(store, params):
    features, status = extract_crops(crops_table(), store, params)
    assert features.columns[:3].tolist() == ["case_id", "reader", "original_shape_MeshVolume"]
    assert features.shape == (2, 2 + 1 + 2 * 3)
    for row, seed in zip(features.to_dict("records"), (0, 1), strict=True):
        expected = features_of_crop(crop_of(seed), params).values
        found = {name: row[name] for name in expected.index}
        assert found == expected.to_dict()
    assert list(status.columns) == list(extract.STATUS_COLUMNS)
    assert status["status"].tolist() == ["ok", "ok"]
    assert (status["seconds"] > 0).all()
    assert status["features_key"].nunique() == 2


def test_what_the_store_holds_is_not_computed_again(store, params):
    features, status = extract_crops(crops_table(), store, params)
    shutil.rmtree(store.root / "crop")
    again = extract_crops(crops_table(), store, params)
    pd.testing.assert_frame_equal(again[0], features, check_exact=True)
    pd.testing.assert_frame_equal(again[1], status)


def test_other_parameters_are_computed_anew(store, params):
    first = extract_crops(crops_table(), store, params)[1]["features_key"]
    other = load_params({**PARAMS, "setting": {"binWidth": 10}})
    assert (first != extract_crops(crops_table(), store, other)[1]["features_key"]).all()


def spoil(store: Store) -> None:
    """Take the region out of crop a."""
    crop = crop_of(0)
    put(store, "crop", "a", partial(write_crop, crop._replace(mask=crop.mask * 0)))


def test_a_bad_crop_is_a_row_and_the_others_go_on(store, params):
    spoil(store)
    features, status = extract_crops(crops_table(), store, params)
    assert features["reader"].tolist() == ["B"]
    assert status["status"].tolist() == ["error", "ok"]
    (finding,) = from_json(status["findings"][0])
    assert finding.code == "extract-failed"
    assert pd.isna(status["seconds"][0])


def test_a_cleared_store_is_no_patients_fault(store, params):
    with refusal("store-entry-missing", MachineError, match="--forcerun resample"):
        extract_crops(crops_table(crop=["crop/go/gone", CROP_B]), store, params)


def test_what_failed_before_fails_here_and_warnings_go_on(store, params):
    error = Finding("resample-failed", "error", "thin", "draw again")
    warning = Finding("clipped-by-normalisation", "warning", "clipped")
    table = crops_table(
        status=["error", "warning"], findings=[to_json([error]), to_json([warning])],
        crop=[None, CROP_B],
    )  # fmt: skip
    features, status = extract_crops(table, store, params)
    assert features["reader"].tolist() == ["B"]
    assert status["status"].tolist() == ["error", "warning"]
    assert [from_json(text) for text in status["findings"]] == [[error], [warning]]


def test_a_batch_without_success_still_has_all_columns(store, params):
    for table in (crops_table(status="error"), crops_table()[:0]):
        features, status = extract_crops(table, store, params)
        assert features.shape == (0, 9)
        assert (features.dtypes[2:] == np.float64).all()
        assert len(status) == len(table)


def test_undefined_features_are_a_warning():
    assert check_features(pd.Series({"a": 1.0, "b": -2.0})) == []
    (finding,) = check_features(pd.Series({"a": 1.0, "b": np.nan, "c": np.inf}))
    assert finding.severity == "warning"
    assert finding.message.startswith("2 of 3 features are undefined for this region, such as b")


def command_of(store: Store, tmp_path: Path, on_bad_case: str) -> argparse.Namespace:
    """Return the options of the command on a frozen study of these crops."""
    results = store.root.parent
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(PARAMS))
    study = results / "s" / "study"
    study.mkdir(parents=True, exist_ok=True)
    config = {
        "study": "s", "results": str(results), "threads": 1, "on_bad_case": on_bad_case, "seed": 1,
        "extraction": {
            "params": str(tmp_path / "p.yaml"), "engine": DEFAULT_ENGINE, "verify_fraction": 0.0,
        },
    }  # fmt: skip
    (study / "study.yaml").write_text(yaml.safe_dump(config))
    crops = crops_table()
    write_table(filled(Cases, crops.assign(batch="b0")), study / "cases.parquet")
    # Nothing is drawn to be verified, so that of these tables the keys are enough.
    for name, schema in (("resample", Resample), ("ingest", Ingest), ("masks", Masks)):
        write_table(filled(schema, crops), tmp_path / f"{name}.parquet")
    return argparse.Namespace(
        study=study, batch=None, scan="007-s1", resample=tmp_path / "resample.parquet",
        ingest=tmp_path / "ingest.parquet", masks=tmp_path / "masks.parquet",
        out=tmp_path / "features.parquet", status=tmp_path / "extraction.parquet",
        verification=tmp_path / "verification.parquet",
    )  # fmt: skip


@pytest.mark.parametrize("on_bad_case", ["exclude", "stop"])
def test_the_command_excludes_or_stops(store, tmp_path, on_bad_case):
    spoil(store)
    options = command_of(store, tmp_path, on_bad_case)
    if on_bad_case == "stop":
        with refusal("cases-without-features", CaseError, match=r"Found: 1 without: 007-L1 A"):
            extract.main(options)
        assert not options.out.exists()
    else:
        extract.main(options)
        assert read_table(options.out)["reader"].tolist() == ["B"]
        assert read_table(options.status)["status"].tolist() == ["error", "ok"]
