"""The stage that crops: what passes, what the store spares, what one bad mask does."""

from __future__ import annotations

import argparse
import copy
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml
from radiomics import imageoperations
from scipy.spatial.transform import Rotation

from pipeline import resample
from pipeline.core.errors import StudyError
from pipeline.core.files import read_table, write_table
from pipeline.core.findings import from_json
from pipeline.core.keeping.store import Store
from pipeline.extraction import load_crop, load_params, read_crop
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.stored_volumes import read_nrrd
from pipeline.ingest import ingest_scan
from pipeline.resample import check_clipping, resample_masks, select_masks
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.preflight import Preflight
from pipeline.tables.schemas.study_tables import Cases
from segmentation.masks import prepare_mask
from segmentation.regions.placement import Case
from tests.support.filled import filled
from tests.support.refusals import refusal
from tests.support.store_entries import put_volume, reference

CT = reference("ct", "ct", "ct.nrrd")
PARAMS = {
    "setting": {
        "normalize": True, "normalizeScale": 100, "removeOutliers": 3, "binWidth": 25,
        "resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline", "padDistance": 5,
    },
    "featureClass": {"firstorder": ["Mean"]},
}  # fmt: skip


@pytest.fixture
def params():
    return load_params(PARAMS)


@pytest.fixture
def store(tmp_path) -> Store:
    return store_in(tmp_path)


def store_in(folder: Path) -> Store:
    """Return a store with one CT, two good masks and a stray click."""
    rng = np.random.default_rng(0)
    voxels = rng.normal(40, 100, (10, 24, 24))
    voxels[2:8, 8:16, 8:16] += 300
    masks = {}
    for name, (low, high) in {"a": (8, 16), "b": (9, 16), "click": (8, 9)}.items():
        mask = np.zeros(voxels.shape, np.uint8)
        mask[(2 if name != "click" else 7) : 8, low:high, low:high] = 1
        masks[name] = mask
    store = Store(folder / "store")
    for name, array in {"ct": voxels.astype(np.int16), **masks}.items():
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((0.9, 0.9, 2.0))
        put_volume(store, "ct" if name == "ct" else "mask", name, image)
    return store


def mask_of(name: str) -> str:
    return reference("mask", name, "mask.nrrd")


def masks_table(*names: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "case_id": ["007-L1"] * len(names),
            "scan_id": "007-s1",
            "patient_id": "007",
            "level": "L1",
            "reader": [name.upper() for name in names],
            "image": CT,
            "image_hash": "hash of ct",
            "mask": [mask_of(name) for name in names],
            "mask_hash": [f"hash of {name}" for name in names],
        }
    )


def test_a_stored_crop_is_the_crop_itself(store, params):
    rows = resample_masks(masks_table("a", "b"), store, params)
    assert list(rows.columns) == list(resample.COLUMNS)
    assert set(rows["status"]) <= {"ok", "warning"}
    for row in rows.to_dict("records"):
        stored = read_crop(store.path(row["crop"]))
        fresh = load_crop(store.path(CT), store.path(mask_of(row["reader"].lower())), params)
        assert np.array_equal(
            sitk.GetArrayFromImage(stored.image), sitk.GetArrayFromImage(fresh.image)
        )
        assert stored.clipped_share == fresh.clipped_share == row["clipped_share"]
        assert row["crop_key"] in row["crop"]
    assert rows["crop_key"].nunique() == 2


@pytest.mark.parametrize("suffix", ["nrrd", "nii.gz"])
@pytest.mark.parametrize("seed", range(6))
def test_an_oblique_scan_is_resampled_as_plain_pyradiomics_does(tmp_path, params, suffix, seed):
    """Every second sample lies on a voxel's edge: the last bit of the geometry decides."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((14, 15, 16), np.uint8)
    drawn[3:10, 4:11, 4:12] = rng.random((7, 7, 8)) < 0.7
    files = {}
    for name, array in {"ct": rng.normal(0, 200, drawn.shape), "mask": drawn}.items():
        image = sitk.GetImageFromArray(array.astype(np.int16 if name == "ct" else np.uint8))
        image.SetSpacing((2.0, 2.0, 2.0))
        image.SetOrigin((-101.3, 33.7, 211.9))
        image.SetDirection(Rotation.from_rotvec([0.1, 0.2 + seed, -0.3]).as_matrix().ravel())
        files[name] = str(tmp_path / f"{name}.{suffix}")
        sitk.WriteImage(image, files[name])
    store = Store(tmp_path / "store")
    checks = {
        "min_slices": 3,
        "max_slice_spacing_mm": 6.0,
        "min_voxels": 30,
        "border_is": "error",
        "region": "body",
    }
    ct = ingest_scan(files["ct"], None, store, checks)
    mask = prepare_mask(Case(files["mask"], level="L1"), ct, store, checks)
    row = {name: ct[name] for name in ("image", "image_hash")}
    row |= {name: mask[name] for name in ("mask", "mask_hash")}
    crop = resample_masks(masks_table("a").assign(**row), store, params)["crop"][0]
    found = read_crop(store.path(crop))
    ct, mask = (sitk.ReadImage(files[name]) for name in ("ct", "mask"))
    normalised = imageoperations.normalizeImage(ct, **params.settings)
    expected = imageoperations.resampleImage(normalised, mask, label=1, **params.settings)
    for one, other in zip(found[:2], expected, strict=True):
        assert Geometry.of(one) == Geometry.of(other)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(other))


def test_one_bad_mask_is_a_row_and_the_others_go_on(store, params):
    rows = resample_masks(masks_table("click", "a"), store, params)
    assert rows["status"].isin(["ok", "warning"]).tolist() == [False, True]
    (finding,) = from_json(rows["findings"][0])
    assert finding.code == "resample-failed"
    assert "more than one voxel wide" in finding.message
    assert "stray click" in finding.remedy
    assert pd.isna(rows["crop"][0])


def test_what_the_store_holds_is_not_computed_again(store, params):
    before = resample_masks(masks_table("a"), store, params)
    for kind in ("ct", "mask"):
        shutil.rmtree(store.root / kind)
    pd.testing.assert_frame_equal(resample_masks(masks_table("a"), store, params), before)


@pytest.mark.parametrize(
    ("change", "same"),
    [({"binWidth": 10}, True), ({"padDistance": 6}, False), ({"normalizeScale": 50}, False)],
)
def test_only_a_setting_of_the_crop_makes_another_crop(store, params, change, same):
    content = copy.deepcopy(PARAMS)
    content["setting"].update(change)
    keys = [
        resample_masks(masks_table("a"), store, p)["crop_key"][0]
        for p in (params, load_params(content))
    ]
    assert (keys[0] == keys[1]) is same


@pytest.mark.parametrize("changed", ["image_hash", "mask_hash"])
def test_another_content_makes_another_crop(store, params, changed):
    first = resample_masks(masks_table("a"), store, params)["crop_key"][0]
    other = resample_masks(masks_table("a").assign(**{changed: "x"}), store, params)["crop_key"][0]
    assert first != other


def test_a_ct_is_normalised_once_for_all_its_masks(store, params, monkeypatch):
    calls = []
    opened = resample.open_scan
    monkeypatch.setattr(
        resample,
        "open_scan",
        lambda *given, **options: calls.append(given) or opened(*given, **options),
    )
    resample_masks(masks_table("a", "b"), store, params)
    assert len(calls) == 1


def test_clipping_above_one_percent_is_a_warning(params):
    assert check_clipping(0.01, params) == []
    assert check_clipping(float("nan"), params) == []
    (finding,) = check_clipping(0.0214, params)
    assert finding.severity == "warning"
    assert "2.1% of the region's voxels lie more than 3 standard deviations" in finding.message


def tables(verdicts: dict[str, str]) -> tuple[pd.DataFrame, ...]:
    masks = masks_table(*(name.lower() for name in verdicts))
    shared = masks[["case_id", "scan_id", "patient_id", "level", "reader"]]
    ingest = masks[["scan_id", "image", "image_hash"]].drop_duplicates()
    return (
        shared,
        ingest,
        masks[["case_id", "reader", "mask", "mask_hash"]],
        shared.assign(verdict=verdicts.values()),
    )


def test_masks_with_an_error_go_no_further():
    rows = select_masks(*tables({"B": "warning", "A": "ok", "CLICK": "error"}))
    assert rows["reader"].tolist() == ["A", "B"]
    assert rows["mask"].tolist() == [mask_of("a"), mask_of("b")]
    assert rows["image"].tolist() == [CT] * 2


def test_a_mask_without_a_verdict_is_refused():
    cases, ingest, masks, preflight = tables({"A": "ok", "B": "ok"})
    with refusal(
        "mask-without-verdict",
        StudyError,
        match=r"verdict of the preflight. Found: 1 without: 007-L1 B",
    ):
        select_masks(cases, ingest, masks, preflight[:1])


def test_the_command_writes_the_batch_and_nothing_of_a_batch_without_masks(store, tmp_path):
    results = store.root.parent
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(PARAMS))
    study = results / "s" / "study"
    study.mkdir(parents=True)
    config = {
        "study": "s", "results": str(results), "threads": 1,
        "extraction": {"params": str(tmp_path / "p.yaml"), "engine": "pyradiomics"},
    }  # fmt: skip
    (study / "study.yaml").write_text(yaml.safe_dump(config))
    cases, ingest, masks, preflight = tables({"A": "ok", "B": "error"})
    cases = filled(Cases, cases.assign(batch=["b0", "b1"]))
    write_table(cases, study / "cases.parquet", Cases)
    paths = {"ingest": ingest, "masks": masks, "preflight": preflight}
    for (name, table), schema in zip(paths.items(), (Ingest, Masks, Preflight), strict=True):
        write_table(filled(schema, table), tmp_path / f"{name}.parquet")
    for batch, readers in {"b0": ["A"], "b1": [], None: ["A"]}.items():
        out = tmp_path / f"{batch}.parquet"
        resample.main(
            argparse.Namespace(
                study=study, batch=batch, scan=None, out=out,
                **{name: tmp_path / f"{name}.parquet" for name in paths},
            )
        )  # fmt: skip
        assert read_table(out)["reader"].tolist() == readers
        assert list(read_table(out).columns) == list(resample.COLUMNS)


def test_the_statistics_of_the_normalisation_stand_in_the_table(store, params):
    rows = resample_masks(masks_table("a", "b"), store, params)
    ct = sitk.GetArrayFromImage(read_nrrd(store.path(CT))).astype(float)
    mean, sd = ct.mean(), ct.std(ddof=1)
    expected = {
        "image_mean_hu": mean, "image_sd_hu": sd,
        "clip_low_hu": mean - 3 * sd, "clip_high_hu": mean + 3 * sd,
    }  # fmt: skip
    for column, value in expected.items():
        np.testing.assert_allclose(rows[column], value, rtol=1e-12)


def test_without_normalisation_there_are_no_statistics(store, params):
    content = copy.deepcopy(params.content)
    content["setting"] |= {"normalize": False}
    rows = resample_masks(masks_table("a"), store, load_params(content))
    assert rows[["image_mean_hu", "image_sd_hu", "clip_low_hu", "clip_high_hu"]].isna().all(None)
    content["setting"] |= {"normalize": True, "removeOutliers": None}
    rows = resample_masks(masks_table("a"), store, load_params(content))
    assert rows["image_sd_hu"].notna().all()
    assert rows[["clip_low_hu", "clip_high_hu", "clipped_share"]].isna().all(None)
