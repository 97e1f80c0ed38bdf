"""Features computed a second time: who is drawn, what counts as equal, what a difference stops."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml

from pipeline import extract
from pipeline import verify as verify_study
from pipeline.core.errors import MachineError, StudyError
from pipeline.core.files import read_json, read_table, write_table
from pipeline.core.findings import from_json
from pipeline.core.keeping.store import Store
from pipeline.extract import extract_crops
from pipeline.extraction import load_params, verification
from pipeline.extraction.library import radiomics
from pipeline.extraction.params import schema_warnings_ignored
from pipeline.extraction.verification import (
    Sources,
    check_verified,
    lots,
    quarantine,
    verify,
    without_far_ends,
)
from pipeline.resample import resample_masks
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.resample import Resample
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled
from tests.support.refusals import refusal
from tests.support.store_entries import put_volume, reference

CT = reference("ct", "ct", "ct.nrrd")
MASKS = [reference("mask", name, "mask.nrrd") for name in "AB"]
PARAMS = {
    "setting": {
        "normalize": True, "normalizeScale": 100, "removeOutliers": 3, "binWidth": 25,
        "resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline", "padDistance": 5,
        "label": 7,  # the store's masks hold 1
    },
    "imageType": {"Original": {}, "Gradient": {}},
    "featureClass": {"shape": ["MeshVolume"], "firstorder": ["Mean", "Energy"], "glcm": ["Idm"]},
}  # fmt: skip
FEATURES = 1 + 2 * 3
KEYS = ["case_id", "scan_id", "patient_id", "level", "reader"]


@pytest.fixture
def params():
    return load_params(PARAMS)


@pytest.fixture
def store(tmp_path) -> Store:
    return store_in(tmp_path)


def store_in(folder: Path) -> Store:
    """Return a store with one CT and two readers' masks."""
    values = np.random.default_rng(0).normal(40, 100, (12, 24, 24))
    values[3:9, 8:16, 8:16] += 300
    store = Store(folder / "results" / "store")
    for name, low in {"ct": None, "A": 8, "B": 9}.items():
        array = values.astype(np.int16)
        if low:
            array = np.zeros(values.shape, np.uint8)
            array[3:9, low:16, low:16] = 1
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((0.9, 0.9, 2.0))
        put_volume(store, "mask" if low else "ct", name, image)
    return store


@pytest.fixture
def sources() -> Sources:
    return both_sources()


def both_sources() -> Sources:
    """Return the tables of the stages before, of this store."""
    masks = pd.DataFrame(
        {
            "case_id": "007-L1", "scan_id": "007-s1", "patient_id": "007", "level": "L1",
            "reader": ["A", "B"], "mask": MASKS, "mask_hash": ["a", "b"],
        }
    )  # fmt: skip
    ingest = pd.DataFrame({"scan_id": ["007-s1"], "image": CT, "image_hash": "ct"})
    return Sources(ingest, masks)


@pytest.fixture
def crops(store, sources, params) -> pd.DataFrame:
    return resample_masks(sources.masks.merge(sources.ingest, on="scan_id"), store, params)


@pytest.fixture
def extracted(crops, store, params) -> tuple[pd.DataFrame, pd.DataFrame]:
    features, extraction = extract_crops(crops, store, params)
    assert len(features) == 2
    return extraction, features


def test_what_the_engine_computes_is_what_plain_pyradiomics_computes(
    extracted, sources, store, params
):
    extraction, features = extracted
    table = verify(extraction, features, sources, store, params)
    assert list(table.columns) == list(verification.COLUMNS)
    assert table["reader"].tolist() == ["A", "B"]
    assert table["status"].tolist() == ["equal", "equal"]
    assert table["features"].tolist() == [FEATURES] * 2
    assert (table["max_relative_difference"] < 1e-9).all()
    assert (table[["seconds_engine", "seconds_plain"]] > 0).all(axis=None)
    assert table["engine"].tolist() == extraction["engine"].tolist()
    verified = check_verified(table)
    assert verified == {"verified": 2, "largest": table["max_relative_difference"].max()}


def wrong(features: pd.DataFrame, relative: float = 2e-6) -> pd.DataFrame:
    """Return features in which one of reader B is wrong."""
    features = features.copy()
    features.loc[features["reader"] == "B", "gradient_glcm_Idm"] *= 1 + relative
    return features


def test_a_wrong_value_is_quarantined_and_stops_the_study(extracted, sources, store, params):
    extraction, features = extracted
    table = verify(extraction, wrong(features), sources, store, params)
    assert table["status"].tolist() == ["equal", "different"]
    assert table["feature"][1] == "gradient_glcm_Idm"
    assert table["max_relative_difference"][1] == pytest.approx(2e-6, rel=1e-3)
    kept_rows, kept = quarantine(extraction, wrong(features), table)
    assert kept_rows["status"].tolist() == [extraction["status"][0], "error"]
    assert kept["reader"].tolist() == ["A"]
    assert "error" not in extraction["status"].tolist()
    finding = from_json(kept_rows["findings"][1])[-1]
    assert finding.code == "differs-from-pyradiomics"
    assert "gradient_glcm_Idm differs by 2.0e-06" in finding.message
    assert "extraction.engine: pyradiomics" in finding.remedy
    with refusal(
        "features-differ-from-pyradiomics",
        StudyError,
        match=r"Found: 007-L1 B: gradient_glcm_Idm differs by 2\.0e-06",
    ):
        check_verified(table)


def test_a_difference_below_the_limit_passes(extracted, sources, store, params):
    extraction, features = extracted
    table = verify(extraction, wrong(features, 5e-7), sources, store, params)
    assert check_verified(table)["largest"] == pytest.approx(5e-7, rel=1e-3)
    assert quarantine(extraction, features, table)[1]["reader"].tolist() == ["A", "B"]


def test_the_worst_of_several_is_named(extracted, sources, store, params):
    extraction, features = extracted
    features = wrong(features)
    features.loc[0, "original_firstorder_Mean"] = np.nan
    table = verify(extraction, features, sources, store, params)
    with refusal(
        "features-differ-from-pyradiomics",
        StudyError,
        match=r"007-L1 A and 1 more: original_firstorder_Mean: nothing",
    ):
        check_verified(table)


def test_other_features_are_different(extracted, sources, store, params):
    extraction, features = extracted
    table = verify(extraction, features.drop(columns="gradient_glcm_Idm"), sources, store, params)
    assert table["feature"][0] == "1 features in one of both only"
    assert table["status"].tolist() == ["different"] * 2


def test_what_pyradiomics_refuses_is_different(extracted, sources, store, params):
    extraction, features = extracted
    empty = sitk.GetImageFromArray(np.zeros((12, 24, 24), np.uint8))
    empty.SetSpacing((0.9, 0.9, 2.0))
    put_volume(store, "mask", "B", empty)
    table = verify(extraction, features, sources, store, params)
    assert table["status"].tolist() == ["equal", "different"]
    with refusal(
        "features-differ-from-pyradiomics",
        StudyError,
        match=r"PyRadiomics refuses the region \(ValueError\): nothing",
    ):
        check_verified(table)


def test_a_machines_fault_is_no_difference(extracted, sources, store, params, monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError

    from radiomics.featureextractor import RadiomicsFeatureExtractor

    monkeypatch.setattr(RadiomicsFeatureExtractor, "execute", exhausted)
    with refusal("memory-exhausted", MachineError):
        verify(*extracted, sources, store, params)
    assert not (store.root / "plain").exists() or not list((store.root / "plain").glob("*/*/*"))


def test_plain_values_are_kept(extracted, sources, store, params, monkeypatch):
    first = verify(*extracted, sources, store, params)
    monkeypatch.setattr(verification, "radiomics", None)
    pd.testing.assert_frame_equal(verify(*extracted, sources, store, params), first)


def test_lots_depend_on_seed_case_and_reader_alone():
    cases = pd.DataFrame({"case_id": [f"{n:04d}-L1" for n in range(4000)], "reader": "A"})
    all_lots = lots(cases, 1)
    assert all_lots.between(0, 1, inclusive="left").all()
    shuffled = cases.sample(frac=0.5, random_state=3)
    pd.testing.assert_series_equal(lots(shuffled, 1), all_lots[shuffled.index])
    # Of 4,000 rows 2% are 80; a binomial's standard deviation is 9.
    assert 53 <= (all_lots < 0.02).sum() <= 107
    assert abs(np.corrcoef(all_lots, lots(cases, 2))[0, 1]) < 0.06
    assert abs(np.corrcoef(all_lots, lots(cases.assign(reader="B"), 1))[0, 1]) < 0.06


@pytest.fixture
def study(store, sources, crops, tmp_path) -> argparse.Namespace:
    return study_of(store, sources, crops, tmp_path)


def study_of(
    store: Store, sources: Sources, crops: pd.DataFrame, tmp_path: Path
) -> argparse.Namespace:
    """Return the options of `pipeline.extract` for a study of these two masks."""
    folder = store.root.parent / "s" / "study"
    folder.mkdir(parents=True)
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(PARAMS))
    cases = filled(Cases, sources.masks[KEYS].assign(batch="b0"))
    write_table(cases, folder / "cases.parquet")
    given = ((Resample, crops), (Ingest, sources.ingest), (Masks, sources.masks))
    for schema, table in given:
        name = schema.__name__.lower()
        write_table(filled(schema, table), tmp_path / f"{name}.parquet")
    settle(folder, tmp_path, 1.0)
    return argparse.Namespace(
        study=folder, batch="b0", scan=None, resample=tmp_path / "resample.parquet",
        ingest=tmp_path / "ingest.parquet", masks=tmp_path / "masks.parquet",
        out=tmp_path / "features.parquet", status=tmp_path / "extraction.parquet",
        verification=tmp_path / "b0" / "verification.parquet",
    )  # fmt: skip


def settle(folder: Path, work: Path, fraction: float) -> None:
    config = {
        "study": "s", "results": str(work / "results"), "threads": 1, "on_bad_case": "stop",
        "seed": 5,
        "extraction": {
            "params": str(work / "p.yaml"), "engine": "pyradiomics", "verify_fraction": fraction,
        },
    }  # fmt: skip
    (folder / "study.yaml").write_text(yaml.safe_dump(config))


def gather(study: argparse.Namespace, work: Path, **changes) -> pd.DataFrame:
    options = {
        "study": study.study, "extraction": study.status, "features": study.out,
        "ingest": study.ingest, "masks": study.masks, "check": None,
        "out": work / "gathered.parquet", "batches": work,
    }  # fmt: skip
    verify_study.main(argparse.Namespace(**{**options, **changes}))
    assert (work / "gathered.csv").exists()
    return read_table(work / "gathered.parquet")


def check(work: Path) -> dict:
    verify_study.main(
        argparse.Namespace(check=work / "gathered.parquet", out=work / "verified.json")
    )
    return read_json(work / "verified.json")


def test_the_stage_verifies_the_fraction_that_the_study_asks_for(study, tmp_path):
    extract.main(study)
    assert len(read_table(study.verification)) == 2
    settle(study.study, tmp_path, 0.0)
    extract.main(study)
    assert read_table(study.verification).empty
    # Half of the lots: those below.
    rows = read_table(study.status)
    numbers = lots(rows, 5)
    settle(study.study, tmp_path, float(numbers.mean()))
    extract.main(study)
    drawn = read_table(study.verification)["reader"].tolist()
    assert drawn == rows.loc[numbers.nsmallest(1).index, "reader"].tolist()


def test_a_study_of_which_none_was_drawn_verifies_one(study, tmp_path):
    settle(study.study, tmp_path, 0.0)
    extract.main(study)
    gathered = gather(study, tmp_path)
    rows = read_table(study.status)
    assert gathered["reader"].tolist() == [rows.loc[lots(rows, 5).idxmin(), "reader"]]
    assert check(tmp_path)["verified"] == 1
    # The row with the lowest lot may be the very one that failed.
    rows.loc[lots(rows, 5).idxmin(), "status"] = "error"
    write_table(rows, study.status)
    other = gather(study, tmp_path)
    assert other["reader"].tolist() != gathered["reader"].tolist()
    write_table(rows.assign(status="error"), study.status)
    assert gather(study, tmp_path).empty
    assert check(tmp_path) == {"verified": 0, "largest": None}


def test_a_wrong_engine_stops_the_study_and_keeps_the_rest(study, tmp_path, monkeypatch):
    engine = extract.features_of_crop

    def slightly_wrong(crop, *args, **options):
        result = engine(crop, *args, **options)
        if sitk.GetArrayViewFromImage(crop.mask).sum() > 500:  # reader A's
            result.values["original_firstorder_Mean"] += 0.01
        return result

    monkeypatch.setattr(extract, "features_of_crop", slightly_wrong)
    extract.main(study)  # on_bad_case: stop is about patients, not about the engine
    assert read_table(study.out)["reader"].tolist() == ["B"]
    assert (read_table(study.status)["status"] == "error").tolist() == [True, False]
    gathered = gather(study, tmp_path)
    assert gathered["status"].tolist() == ["different", "equal"]
    with refusal(
        "features-differ-from-pyradiomics",
        StudyError,
        match="007-L1 A: original_firstorder_Mean differs by",
    ):
        check(tmp_path)
    assert not (tmp_path / "verified.json").exists()
    assert (tmp_path / "gathered.parquet").exists()


def test_gathering_says_what_it_needs(study, tmp_path):
    with refusal("verification-tables-missing", StudyError, match="In: --features"):
        gather(study, tmp_path, features=None)


@pytest.mark.parametrize("pixels", [None, [1, 1, 0]])
def test_without_far_ends_no_bit_differs(pixels):
    values = np.random.default_rng(1).normal(40, 100, (16, 100, 110))
    region = np.zeros(values.shape, np.uint8)
    region[4:9, 12:20, 8:15] = 1
    image, mask = sitk.GetImageFromArray(values), sitk.GetImageFromArray(region)
    for each in (image, mask):
        each.SetSpacing((0.83, 0.97, 2.1))
        each.SetDirection((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))
        each.SetOrigin((-31.7, 12.9, 400.1))
    content = {**PARAMS, "imageType": {"Original": {}, "LoG": {"sigma": [2.0]}, "Wavelet": {}}}
    content["setting"] = {**content["setting"], "normalize": False}
    if pixels:
        content["setting"]["resampledPixelSpacing"] = pixels
    with schema_warnings_ignored():
        library = radiomics().featureextractor.RadiomicsFeatureExtractor(content)
    small = without_far_ends(image, mask, library.settings)
    assert small[0].GetSize() == small[1].GetSize() == (87, 91, 16)
    whole = library.execute(image, mask, label=1)
    cut = library.execute(*small, label=1)
    names = [name for name in whole if not name.startswith("diagnostics")]
    assert len(names) == 1 + 10 * 3
    assert [float(cut[name]) for name in names] == [float(whole[name]) for name in names]


@pytest.mark.parametrize(
    "changed", [{"resampledPixelSpacing": None}, {"interpolator": "sitkLinear"}]
)
def test_what_may_look_at_the_whole_volume_gets_it(changed):
    image = sitk.Image(90, 90, 90, sitk.sitkUInt8)
    image[1, 1, 1] = 1
    settings = {"resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline", "padDistance": 5}
    assert without_far_ends(image, image, settings)[0].GetSize() == (72, 72, 72)
    assert without_far_ends(image, image, settings | changed)[0].GetSize() == (90, 90, 90)
