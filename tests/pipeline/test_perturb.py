"""The stage that perturbs: rows and columns, the store, blocks of ten, what one bad mask does."""

from __future__ import annotations

import argparse
from functools import partial
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml

from pipeline import perturb
from pipeline.core.files import read_table, write_table
from pipeline.core.keeping.store import Store
from pipeline.extraction import feature_names, features_of_crop, load_params, open_scan, write_crop
from pipeline.extraction.perturbations.drawing import Strength
from pipeline.perturb import Plan, masks_to_perturb, perturb_masks
from pipeline.tables.schemas.features.perturbations import Perturbations, PerturbedFeatures
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.resample import Resample
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled
from tests.support.store_entries import put, put_volume

PARAMS = {
    "setting": {
        "binWidth": 25, "resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline",
        "padDistance": 5, "minimumROISize": 20,
    },
    "imageType": {"Original": {}, "Gradient": {}},
    "featureClass": {"shape": ["MeshVolume"], "firstorder": ["Mean"]},
}  # fmt: skip
MASKS_ALONE, IMAGES = ("volume", "contour"), ("noise", "translation", "volume")


def volumes(radius: int = 6) -> tuple[sitk.Image, sitk.Image]:
    rng = np.random.default_rng(2)
    z, y, x = np.indices((24, 30, 30)) - np.array([12, 14, 15]).reshape(3, 1, 1, 1)
    inside = x**2 + y**2 + z**2 <= radius**2
    ct = (rng.normal(50, 10, inside.shape) + 150 * inside).astype(np.int16)
    return sitk.GetImageFromArray(ct), sitk.GetImageFromArray(inside.astype(np.uint8))


@pytest.fixture(scope="module")
def params():
    return load_params(PARAMS)


@pytest.fixture
def made(tmp_path, params):
    """A store with one CT and two readers' masks and crops, and the tables that name them."""
    store = Store(tmp_path / "store")
    ct, _ = volumes()
    scan = open_scan(ct, params)
    image = put_volume(store, "ct", "scan", ct)
    rows = []
    for reader, radius in (("A", 9), ("B", 8), ("A.2", 5)):
        _, mask = volumes(radius)
        rows.append(
            {
                "case_id": "c1", "scan_id": "s1", "patient_id": "p1", "level": "L1",
                "reader": reader, "status": "ok", "findings": "[]",
                "crop": put(store, "crop", reader, partial(write_crop, scan.crop(mask, 1))),
                "crop_key": f"key of {reader}", "clipped_share": 0.0,
                "mask": put_volume(store, "mask", reader, mask), "mask_hash": f"mask {reader}",
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    resample = filled(Resample, table.drop(columns=["mask", "mask_hash"]))
    masks = filled(Masks, table[["case_id", "scan_id", "reader", "mask", "mask_hash"]])
    ingest = filled(Ingest, [{"scan_id": "s1", "image": image, "image_hash": "ct"}])
    return store, resample, ingest, masks


def plan_of(params, chain, repetitions=10, seed=1):
    return Plan(Strength(chain), repetitions, seed, params, "fast")


def test_the_first_masks_of_one_reader_are_perturbed(made):
    _, resample, ingest, masks = made
    chosen = masks_to_perturb(resample, ingest, masks, "A")
    assert chosen["reader"].tolist() == ["A"]
    assert chosen["mask_hash"].tolist() == ["mask A"]
    failed = resample.assign(status=["error", "ok", "ok"])
    assert masks_to_perturb(failed, ingest, masks, "A").empty


@pytest.mark.parametrize("chain", [MASKS_ALONE, IMAGES])
def test_one_row_per_repetition(made, params, chain):
    store, *tables = made
    masks = masks_to_perturb(*tables, "A")
    features, status = perturb_masks(masks, store, plan_of(params, chain))
    names = feature_names(params)
    assert list(features.columns) == ["case_id", "reader", "repetition", *names]
    assert features["repetition"].tolist() == list(range(1, 11))
    assert np.isfinite(features[names].to_numpy()).all()
    # Outlines of a small ball along few supervoxels may come twice.
    assert features["original_shape_MeshVolume"].nunique() > 4
    assert (status["status"] == "ok").all()
    assert status["volume_ratio"].between(0.3, 2).all()
    assert (status["noise_hu"] > 0).all() == ("noise" in chain)
    assert (status["shift_x"] != 0).all() == ("translation" in chain)
    assert (status["degrees"] == 0).all()


def test_a_chain_of_nothing_gives_the_study_s_own_features(made, params):
    store, *tables = made
    masks = masks_to_perturb(*tables, "B")
    features, _ = perturb_masks(masks, store, plan_of(params, ()))
    crop = open_scan(volumes()[0], params).crop(volumes(8)[1], 1)
    known = features_of_crop(crop, params).values
    for _, row in features[known.index].iterrows():
        pd.testing.assert_series_equal(row, known, check_exact=True, check_names=False)


def test_a_larger_set_keeps_what_a_smaller_one_computed(made, params):
    store, *tables = made
    masks = masks_to_perturb(*tables, "A")
    small, _ = perturb_masks(masks, store, plan_of(params, MASKS_ALONE))
    with mock.patch.object(perturb, "repeat_masks", wraps=perturb.repeat_masks) as computed:
        large, status = perturb_masks(masks, store, plan_of(params, MASKS_ALONE, 30))
        assert computed.call_count == 2
        perturb_masks(masks, store, plan_of(params, MASKS_ALONE, 30))
        assert computed.call_count == 2
    assert status["repetition"].tolist() == list(range(1, 31))
    pd.testing.assert_frame_equal(large.iloc[:10], small, check_exact=True)


@pytest.mark.parametrize("change", ["seed", "chain", "strength", "parameters"])
def test_what_decides_about_a_repetition_makes_it_anew(made, params, change):
    store, *tables = made
    masks = masks_to_perturb(*tables, "A")
    plan = plan_of(params, ("volume",))
    before, _ = perturb_masks(masks, store, plan)
    other = {
        "seed": plan._replace(seed=2),
        "chain": plan._replace(strength=Strength(("volume", "contour"))),
        "strength": plan._replace(strength=Strength(("volume",), volume=0.3)),
        "parameters": plan._replace(
            params=load_params(PARAMS | {"setting": PARAMS["setting"] | {"binWidth": 50}})
        ),
    }[change]
    with mock.patch.object(perturb, "repeat_masks", wraps=perturb.repeat_masks) as computed:
        after, _ = perturb_masks(masks, store, other)
    assert computed.call_count == 1
    assert after.equals(before) == (change == "parameters")  # no texture is asked for here


def test_a_mask_that_cannot_be_perturbed_does_not_stop_the_others(made, caplog):
    store, *tables = made
    linear = PARAMS["setting"] | {"interpolator": "sitkLinear"}
    params = load_params(PARAMS | {"setting": linear})
    features, status = perturb_masks(masks_to_perturb(*tables, "A"), store, plan_of(params, IMAGES))
    assert features.empty
    assert status["status"].tolist() == ["error"] * 10
    assert status["problem"].str.contains("the interpolator sitkLinear").all()
    assert "c1 A: Image perturbations need" in caplog.text


def test_a_small_region_says_how_many_repetitions_failed(made, params, caplog):
    store, *tables = made
    masks = masks_to_perturb(*tables, "A")
    _, small = volumes(2)
    masks = masks.assign(mask=put_volume(store, "mask", "small", small), mask_hash="small")
    chain = ("translation", "contour")
    features, status = perturb_masks(masks, store, plan_of(params, chain))
    assert features.empty
    assert status["problem"].str.contains("must hold 4 supervoxels").all()
    assert "c1 A: 10 of 10 repetitions have no features. A region must hold 4" in caplog.text


def test_a_repetition_without_features_is_named(made):
    store, *tables = made
    strict = load_params(PARAMS | {"setting": PARAMS["setting"] | {"minimumROISize": 3040}})
    plan = plan_of(strict, ("volume",))
    features, status = perturb_masks(masks_to_perturb(*tables, "A"), store, plan)
    failed = status[status["status"] == "error"]
    assert 0 < len(failed) < 10
    assert failed["problem"].str.contains("minimumROISize").all()
    assert set(features["repetition"]) == set(range(1, 11)) - set(failed["repetition"])


def test_the_command(repository, made, tmp_path):
    _store, resample, ingest, masks = made
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    config |= {"study": "s", "results": str(tmp_path), "model_reader": "B"}
    config["extraction"]["params"] = str(tmp_path / "few.yaml")
    config["perturbations"] |= {"repetitions": 10, "chain": ["volume"]}
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(PARAMS))
    folder = tmp_path / "s" / "study"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(config))
    cases = [
        {"patient_id": "p1", "scan_id": "s1", "case_id": "c1", "reader": r, "version": 1,
         "batch": "b0"} for r in "AB"
    ]  # fmt: skip
    write_table(filled(Cases, cases), folder / "cases.parquet", Cases)
    given = {}
    for name, table, schema in (
        ("resample", resample, Resample), ("ingest", ingest, Ingest), ("masks", masks, Masks)
    ):  # fmt: skip
        given[name] = tmp_path / f"{name}.parquet"
        write_table(table, given[name], schema)
    out = {"out": tmp_path / "perturbed.parquet", "status": tmp_path / "perturbations.parquet"}
    perturb.main(argparse.Namespace(study=folder, batch="b0", scan=None, **given, **out))
    assert set(read_table(out["out"], PerturbedFeatures)["reader"]) == {"B"}
    assert len(read_table(out["status"], Perturbations)) == 10
