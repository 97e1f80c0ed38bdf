"""Ingest as a stage: any format to one, bad scans to findings, nobody's identity anywhere."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk
import yaml

from pipeline.core.errors import CaseError, MachineError, StudyError
from pipeline.core.files import everything_below
from pipeline.core.findings import from_json
from pipeline.core.keeping.store import Store
from pipeline.imaging.ct_checks import (
    check_extent,
    check_grey_levels,
    check_hounsfield,
    check_thickness,
    grey_step,
    mean_and_sd,
    orientation_of,
)
from pipeline.imaging.ct_options import CtChecks, CtOptions
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.sources import content_hash, placed, shown_name, source_files
from pipeline.ingest import COLUMNS, ingest_scan, ingest_scans, scans_of
from tests.support.dicom_files import CANARY, write_series
from tests.support.refusals import refusal

CHECKS = {"min_slices": 3, "max_slice_spacing_mm": 6.0}


@pytest.fixture
def ct(tmp_path) -> Path:
    generator = np.random.default_rng(3)
    image = sitk.GetImageFromArray(generator.integers(-1000, 1500, (5, 6, 7)).astype(np.int16))
    image.SetSpacing((0.7, 0.8, 3.0))
    image.SetOrigin((1.0, -2.0, 3.5))
    sitk.WriteImage(image, str(tmp_path / "ct.nrrd"))
    return tmp_path / "ct.nrrd"


def test_a_scan_is_stored_as_it_stands(ct, tmp_path):
    store = Store(tmp_path / "store")
    row = ingest_scan(ct, None, store, CHECKS)
    source, stored = (sitk.ReadImage(str(path)) for path in (ct, store.path(row["image"])))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(stored), sitk.GetArrayFromImage(source))
    np.testing.assert_allclose(
        Geometry.of(stored).affine, Geometry.of(source).affine, rtol=0, atol=1e-12
    )
    assert stored.GetPixelID() == sitk.sitkInt16
    assert row["status"] == "ok"
    assert (row["format"], row["size_z"], row["spacing_y"]) == ("NRRD", 5, pytest.approx(0.8))
    voxels = sitk.GetArrayFromImage(source)
    assert (row["hu_min"], row["hu_max"]) == (voxels.min(), voxels.max())


def test_a_packed_scan_is_the_same_scan_in_less_space(tmp_path):
    image = sitk.GetImageFromArray(np.zeros((40, 30, 20), np.int16))
    sitk.WriteImage(image, tmp_path / "ct.nrrd")
    stored = {}
    for packed in (True, False):
        store = Store(tmp_path / f"store{packed}")
        row = ingest_scan(tmp_path / "ct.nrrd", None, store, CHECKS, packed=packed)
        stored[packed] = (row, store.path(row["image"]).stat().st_size)
    assert stored[True][0] == stored[False][0]
    assert stored[True][1] < 40 * 30 * 20 < stored[False][1]


def test_every_format_of_one_volume_has_the_same_voxels(ct, tmp_path):
    store = Store(tmp_path / "store")
    sitk.WriteImage(sitk.ReadImage(str(ct)), str(tmp_path / "ct.nii.gz"))
    rows = [ingest_scan(path, None, store, CHECKS) for path in (ct, tmp_path / "ct.nii.gz")]
    arrays = [sitk.GetArrayFromImage(sitk.ReadImage(str(store.path(r["image"])))) for r in rows]
    np.testing.assert_array_equal(*arrays)
    assert [row["format"] for row in rows] == ["NRRD", "NIfTI"]
    assert rows[0]["source_hash"] != rows[1]["source_hash"]


@pytest.mark.parametrize(
    ("size", "spacing", "codes"),
    [
        ((10, 10, 3), (1, 1, 6.0), []),
        ((10, 10, 2), (1, 1, 6.0), ["too-few-slices"]),
        ((10, 10, 3), (1, 1, 6.1), ["slices-too-far-apart"]),
        ((2, 10, 10), (6.1, 1, 1), ["too-few-slices", "slices-too-far-apart"]),
    ],
)
def test_extent(size, spacing, codes):
    assert [one.code for one in check_extent(size, spacing, 3, 6.0)] == codes


@pytest.mark.parametrize(
    ("thickness", "codes"), [(None, []), (6.0, []), (6.5, ["slices-too-thick"])]
)
def test_thickness(thickness, codes):
    assert [one.code for one in check_thickness(thickness, 6.0)] == codes


@pytest.mark.parametrize(
    ("low", "high", "codes"),
    [
        (-1024, 3071, []),
        (-1024, 40000, ["hu-out-of-range"]),  # unsigned numbers that ran over
        (-32768, 3071, ["hu-out-of-range"]),  # filling
        (0, 4095, ["hu-implausible"]),  # stored values without rescaling
        (-160, 149, ["hu-implausible"]),  # a window
        (0, 1, ["hu-implausible"]),  # scaled
    ],
)
def test_values_that_are_no_hounsfield_units(low, high, codes):
    assert [one.code for one in check_hounsfield(low, high, (-10240, 32767))] == codes


NATURAL = np.random.default_rng(5).normal(40, 200, (6, 20, 20)).round().astype(np.int16)


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (NATURAL, None),
        (NATURAL * 0.0625 + 0.03, None),  # a slope that keeps all levels
        (NATURAL // 2 * 2, 2),
        ((NATURAL // 8) * 8.0 - 1000, 8),
        ((NATURAL // 15).astype(np.float32) * np.float32(15.68) + np.float32(3.1), 15.68),
        (np.where(NATURAL > 100, 400, -1000).astype(np.int16), None),  # a phantom of two values
        (NATURAL * 0 + 7, None),
    ],
)
def test_grey_values_far_apart_are_a_warning(values, step):
    found = grey_step(sitk.GetImageFromArray(values))
    assert found == (None if step is None else pytest.approx(step, abs=2e-3))
    codes = [one.code for one in check_grey_levels(found)]
    assert codes == ([] if step is None else ["coarse-grey-levels"])


def test_the_levels_of_a_dicom_series_are_looked_at_too(tmp_path):
    write_series(tmp_path / "dicom", RescaleSlope=4)
    row = ingest_scan(tmp_path / "dicom", None, Store(tmp_path / "store"), CHECKS)
    assert "coarse-grey-levels" in [one.code for one in from_json(row["findings"])]
    write_series(tmp_path / "plain")
    row = ingest_scan(tmp_path / "plain", None, Store(tmp_path / "store"), CHECKS)
    assert from_json(row["findings"]) == []


def test_options_and_limits_are_those_of_the_default_configuration(repository):
    config = yaml.safe_load((repository / "config" / "default.yaml").read_text(encoding="utf-8"))
    assert CtOptions(**config["ingest"]) == CtOptions()
    limits = CtChecks.of(config["checks"])
    assert limits == CtChecks()
    assert {one.name for one in dataclasses.fields(CtChecks)} <= set(config["checks"])


def test_mean_and_sd_are_those_of_itk():
    voxels = np.random.default_rng(1).integers(-1024, 3071, (5, 6, 7)).astype(np.int16)
    for kind in (np.int16, np.int32, np.float64, np.float32):
        image = sitk.GetImageFromArray(voxels.astype(kind))
        expected = sitk.StatisticsImageFilter()
        expected.Execute(image)
        found = mean_and_sd(image)
        np.testing.assert_allclose(found, [expected.GetMean(), expected.GetSigma()], rtol=1e-12)


@pytest.mark.parametrize(
    ("direction", "name"),
    [
        ((1, 0, 0, 0, 1, 0, 0, 0, 1), "LPS"),
        ((-1, 0, 0, 0, -1, 0, 0, 0, 1), "RAS"),
        ((1, 0, 0, 0, 0, 1, 0, -1, 0), "LIP"),
        ((1, 0, 0, 0, 0.95, -0.31, 0, 0.31, 0.95), "LPS"),
    ],
)
def test_orientation(ct, direction, name):
    image = sitk.ReadImage(str(ct))
    image.SetDirection([float(value) for value in direction])
    assert orientation_of(image) == name


def test_a_series_and_its_facts(tmp_path):
    stored = write_series(tmp_path / "dicom", PixelPaddingValue=0)
    store = Store(tmp_path / "store")
    row = ingest_scan(tmp_path / "dicom", None, store, CHECKS)
    assert row["status"] == "ok"
    voxels = stored.astype(float) - 1024
    assert row["orientation"] == "LPS"
    assert (row["hu_mean"], row["hu_sd"]) == pytest.approx((voxels.mean(), voxels.std(ddof=1)))
    assert (row["padding_hu"], row["padding_share"]) == (-1024, (stored == 0).mean())
    assert row["transfer_syntax"] == "Explicit VR Little Endian"
    assert row["series_rule"] == "the only CT series"
    assert "CANARY" not in repr(row)
    replaced = ingest_scan(
        tmp_path / "dicom", None, store, CHECKS, CtOptions(padding="replace", padding_hu=-999)
    )
    assert replaced["image"] != row["image"]


def test_padding_is_no_value_out_of_range(tmp_path):
    """Padding of -32768 and nothing else below -1024, as some scanners write it."""
    write_series(tmp_path / "padded", PixelPaddingValue=-32768)
    write_series(tmp_path / "filled")
    for folder in ("padded", "filled"):
        for path in source_files(tmp_path / folder):
            one = pydicom.dcmread(path)
            values = one.pixel_array.copy()
            values[0] = -32768
            one.PixelData = values.tobytes()
            one.save_as(path)
    store = Store(tmp_path / "store")
    rows = [ingest_scan(tmp_path / name, None, store, CHECKS) for name in ("padded", "filled")]
    assert [row["status"] for row in rows] == ["ok", "error"]
    assert from_json(rows[1]["findings"])[0].code == "hu-out-of-range"
    assert rows[0]["hu_min"] == -33792


def test_no_identity_reaches_a_row_or_the_store(tmp_path):
    """Names, numbers, UIDs, descriptions and paths: two series, one of them named."""
    write_series(tmp_path / CANARY / "a")
    write_series(
        tmp_path / CANARY / "b", 4, SeriesInstanceUID="2.25.77", SeriesDescription="CANARY^B"
    )
    store = Store(tmp_path / "store")
    for series in (None, "2.25.77", "CANARY^B", "CANARY^C"):
        scans = pd.DataFrame(
            {"scan_id": ["s"], "patient_id": "p", "image": str(tmp_path / CANARY), "series": series}
        )
        table = ingest_scans(scans, store, CHECKS)
        text = table.drop(columns="findings").to_csv() + table["findings"][0].replace(
            f"In: {CANARY}", ""
        )
        assert "CANARY" not in text
        assert "2.25." not in text
    for path in store.root.rglob("*"):
        assert "CANARY" not in str(path.relative_to(store.root))
        if path.is_file():
            content = path.read_bytes()
            assert b"CANARY" not in content
            assert b"2.25." not in content


def test_bad_scans_become_rows_and_good_ones_go_on(ct, tmp_path, caplog):
    (tmp_path / "broken.nrrd").write_text("no volume")
    (tmp_path / "slice.dcm").write_text("a file")
    (tmp_path / "labels.seg.nrrd").write_bytes(ct.read_bytes())
    (tmp_path / "empty").mkdir()
    names = ["ct.nrrd", "broken.nrrd", "slice.dcm", "labels.seg.nrrd", "empty", "missing"]
    scans = pd.DataFrame(
        {
            "scan_id": [f"s{index}" for index in range(len(names))],
            "patient_id": "007",
            "image": [str(tmp_path / name) for name in names],
            "series": None,
        }
    )
    table = ingest_scans(scans, Store(tmp_path / "store"), CHECKS)
    assert list(table.columns) == list(COLUMNS)
    assert table["status"].tolist() == ["ok"] + ["error"] * 5
    assert table["image"][1:].tolist() == [None] * 5
    assert table["patient_id"].tolist() == ["007"] * 6
    assert table["kvp"].isna().all()
    messages = [from_json(text)[0].message for text in table["findings"][1:]]
    for name, message in zip(names[1:], messages, strict=True):
        assert message.endswith(f"In: {name}.")
        assert str(tmp_path) not in message
    assert "DICOM folder" in messages[1]
    assert "a segmentation" in messages[2]
    assert "Traceback" not in caplog.text
    assert str(tmp_path) not in caplog.text


def test_a_scan_has_one_image():
    cases = pd.DataFrame(
        {"scan_id": ["s", "s"], "patient_id": "p", "image": ["a", "b"], "series": None}
    )
    with refusal("scan-ambiguous", StudyError, match="different ones for scan s"):
        scans_of(cases)
    assert scans_of(cases[:1]).to_dict("records") == [
        {"scan_id": "s", "patient_id": "p", "image": "a", "series": None}
    ]


# --- sources -----------------------------------------------------------------------------------


def test_the_hash_follows_content_not_names(tmp_path):
    for folder, names in (("a", "xy"), ("b", "yx")):
        (tmp_path / folder).mkdir()
        for name, text in zip(names, ("one", "two"), strict=True):
            (tmp_path / folder / name).write_text(text)
    store = Store(tmp_path / "store")
    hashes = [content_hash(source_files(tmp_path / folder), store) for folder in "ab"]
    assert hashes[0] == hashes[1]
    (tmp_path / "a" / "x").write_text("One")
    assert content_hash(source_files(tmp_path / "a"), store) != hashes[0]


def test_names_of_files_do_not_reach_the_store(tmp_path):
    name = "PHI-CANARY-0010-0010.nrrd"
    (tmp_path / name).write_text("content")
    store = Store(tmp_path / "store")
    content_hash(source_files(tmp_path / name), store)
    for path in store.root.rglob("*"):
        assert "CANARY" not in str(path)
        assert path.is_dir() or b"CANARY" not in path.read_bytes()


def test_hidden_files_and_indexes_are_no_part_of_a_scan(tmp_path):
    for name in ("a", ".hidden", "DICOMDIR", "sub/b", ".git/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert source_files(tmp_path) == [tmp_path / "a", tmp_path / "sub" / "b"]


def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(tmp_path, monkeypatch):
    """Its slices would be missing, and the patient left out for it."""
    (tmp_path / "scan" / "closed").mkdir(parents=True)
    listed = os.scandir

    def denied(path):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", denied)
    for look in (source_files, everything_below):
        with pytest.raises(PermissionError, match="Permission denied"):
            look(tmp_path / "scan")
    scans = pd.DataFrame(
        {"scan_id": ["s1"], "patient_id": "1", "image": str(tmp_path / "scan"), "series": None}
    )
    with refusal("rights-missing", MachineError, match=r"Permission denied\. In: scan\."):
        ingest_scans(scans, Store(tmp_path / "store"), CHECKS)


def test_no_absolute_path_is_shown():
    assert shown_name("../data/s1/ct.nrrd") == "../data/s1/ct.nrrd"
    assert shown_name("/home/someone/ct.nrrd") == "ct.nrrd"


def test_errors_name_the_file_once():
    inner = CaseError("Rule", found=1, where="inside")
    assert placed(inner, "outside").where == "inside"
    assert placed(CaseError("Rule"), "ct.nrrd").where == "ct.nrrd"
    gone = placed(FileNotFoundError(2, "No such file", "/secret/path"), "ct.nrrd")
    assert isinstance(gone, CaseError)
    assert str(gone).startswith("An image or mask must be a readable file. Found: No such file")
    denied = placed(PermissionError(13, "Permission denied", "/secret/path"), "ct.nrrd")
    assert isinstance(denied, MachineError)
    assert "Found: Permission denied. In: ct.nrrd. Remedy: give this user the rights" in str(denied)
    assert "/secret" not in f"{gone} {denied}"
    unexpected = ValueError("x")
    assert placed(unexpected, "ct.nrrd") is unexpected
