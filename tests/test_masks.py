"""Masks on the CT's grid, measured, checked, and kept in the store."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from pipeline.core.findings import from_json
from pipeline.core.geometry import Geometry
from pipeline.core.store import Store
from pipeline.ingest import ingest_scans, scans_of
from segmentation.masks import COLUMNS, prepare_masks

CHECKS = {
    "min_slices": 3,
    "max_slice_spacing_mm": 6,
    "min_voxels": 30,
    "border_is": "warning",
    "region": "body",
}


def block(shape=(12, 12, 12), box=(slice(3, 8),) * 3) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[box] = 1
    return mask


CT = np.arange(12**3, dtype=np.int16).reshape(12, 12, 12)


def case(folder: Path, reader: str, mask: str, label=None, **changed) -> dict:
    return {
        "patient_id": "007",
        "scan_id": "s1",
        "case_id": "c1",
        "level": "L1",
        "reader": reader,
        "image": str(folder / "ct.nrrd"),
        "series": None,
        "mask": str(folder / mask),
        "label": label,
        **changed,
    }


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder with a CT, and masks good and bad."""
    spacing, origin = (0.5, 0.75, 2.0), (-20.0, 5.0, 100.0)

    def write(name: str, voxels: np.ndarray, flips=(False, False, False)) -> None:
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        sitk.WriteImage(sitk.Flip(image, flips), str(tmp_path / name))

    write("ct.nrrd", CT)
    write("plain.nrrd", block() * 3)
    write("flipped.nii.gz", block() * 3, (False, True, True))
    write("empty.nrrd", block() * 0)
    write("other.nrrd", block((12, 12, 13), (slice(1, 4),) * 3)[:, :, :11])
    image = sitk.GetImageFromArray(block())
    sitk.WriteImage(image, str(tmp_path / "elsewhere.nrrd"))
    return tmp_path


def prepare(rows: list[dict], store: Store, checks=CHECKS) -> pd.DataFrame:
    cases = pd.DataFrame(rows)
    return prepare_masks(cases, ingest_scans(scans_of(cases), store, checks), store, checks)


def test_masks_lie_on_the_grid_of_the_ct_and_bad_ones_stop_nobody(folder, tmp_path):
    store = Store(tmp_path / "store")
    table = prepare(
        [
            case(folder, "A", "plain.nrrd", "3"),
            case(folder, "B", "flipped.nii.gz"),
            case(folder, "C", "empty.nrrd"),
            case(folder, "D", "elsewhere.nrrd"),
            case(folder, "E", "missing.nrrd"),
        ],
        store,
    )
    assert list(table.columns) == list(COLUMNS)
    assert (table["status"] == "error").tolist() == [False, False, True, True, True]
    ct = Geometry.of(sitk.ReadImage(str(next((tmp_path / "store" / "ct").rglob("ct.nrrd")))))
    for reference in table["mask"][:2]:
        mask = sitk.ReadImage(str(store.path(reference)))
        assert mask.GetPixelID() == sitk.sitkUInt8
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), block())
        np.testing.assert_allclose(Geometry.of(mask).affine, ct.affine, rtol=0, atol=1e-12)
    assert table["mask_hash"][0] == table["mask_hash"][1]
    assert table["mask"][2:].tolist() == [None] * 3
    assert table["label"].tolist()[:2] == ["3", "3"]
    assert table["volume_ml"][0] == pytest.approx(125 * 0.75 / 1000)
    messages = [from_json(text)[0].message for text in table["findings"][2:]]
    assert "the file is empty" in messages[0]
    assert "nothing is resampled" in messages[1]
    assert "no such file" in messages[2]
    assert all("In: " in message and str(tmp_path) not in message for message in messages)


def test_a_ct_with_errors_is_an_error_of_its_masks(folder, tmp_path):
    rows = [case(folder, "A", "plain.nrrd"), case(folder, "B", "plain.nrrd")]
    table = prepare(rows, Store(tmp_path / "store"), CHECKS | {"max_slice_spacing_mm": 1})
    assert table["status"].tolist() == ["error", "error"]
    assert {from_json(text)[0].code for text in table["findings"]} == {"ct-failed"}
    assert table["mask"].isna().all()


def test_the_store_spares_a_second_run_and_thresholds_are_judged_anew(folder, tmp_path):
    store = Store(tmp_path / "store")
    rows = [case(folder, "A", "plain.nrrd")]
    first = prepare(rows, store)
    made = {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.is_file()}
    pd.testing.assert_frame_equal(prepare(rows, store), first)
    strict = prepare(rows, store, CHECKS | {"min_voxels": 126})
    assert strict["status"].tolist() == ["error"]
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.is_file()} == (
        made
    )


def test_a_changed_mask_of_equal_size_and_time_is_read_again(folder, tmp_path):
    """Unpacked archives carry old times: size and modification time alone would be fooled."""
    import os

    store = Store(tmp_path / "store")
    path = folder / "plain.nrrd"
    image = sitk.GetImageFromArray(block())
    image.CopyInformation(sitk.ReadImage(str(path)))
    sitk.WriteImage(image, str(path), useCompression=False)
    first = prepare([case(folder, "A", "plain.nrrd")], store)
    before = path.stat()
    image[6, 6, 6] = 0
    sitk.WriteImage(image, str(path), useCompression=False)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    second = prepare([case(folder, "A", "plain.nrrd")], store)
    assert (first["voxels"][0], second["voxels"][0]) == (125, 124)
    assert first["mask_hash"][0] != second["mask_hash"][0]


# --- public data -------------------------------------------------------------------------------


def test_real_masks(testdata, tmp_path):
    """Counts and means from the data's own documentation; volumes from its published report."""

    def real(case_id: str, image: str, mask: str, label: str) -> dict:
        return case(
            testdata, "A", mask, label, image=str(testdata / image), scan_id=image, case_id=case_id
        )

    dicom = ("totalseg_ct_dicom/example_ct_dicom", "totalseg_ct_dicom/example_seg_dicom.nii.gz")
    spine = (
        "totalseg_ct_spine/example_ct.nii.gz",
        "totalseg_ct_spine/spine_report/totalseg.nii.gz",
    )
    slices = ("dcmqi_ct_seg/ct-3slice", "dcmqi_ct_seg/spine_seg.nrrd")
    tptbox = (
        "tptbox_ct_vertebra/sub-ct_label-22_ct.nii.gz",
        "tptbox_ct_vertebra/sub-ct_seg-vert_label-22_msk.nii.gz",
    )
    table = prepare(
        [
            real("T12", *dicom, "32"),  # y runs the other way in this mask
            real("T11", *dicom, "33"),
            real("three", *slices, "2"),
            real("L1", *spine, "31"),
            real("cut", *spine, "33"),
            real("L3", *tptbox, "22"),
        ],
        Store(tmp_path),
        CHECKS | {"region": "vertebra"},
    ).set_index("case_id")
    assert table.loc[["T12", "T11", "three"], "voxels"].tolist() == [23576, 9930, 12439]
    np.testing.assert_allclose(
        table.loc[["T12", "T11", "three"], "mean_hu"], [267.0, 291.7, 327.5], atol=0.05
    )
    assert table.loc[["L1", "L3"], "status"].tolist() == ["ok", "ok"]
    assert table.loc["cut", "status"] == "warning"
    assert table.loc["cut", "touches_border"]


def test_real_volumes_equal_the_published_ones(testdata, tmp_path):
    folder = testdata / "totalseg_ct_spine" / "spine_report"
    published = json.loads((folder / "spine_report.json").read_text())["results"]
    image = str(testdata / "totalseg_ct_spine" / "example_ct.nii.gz")
    rows = [
        case(
            folder,
            "A",
            "totalseg_vertebrae_pp_refined.nii.gz",
            str(19 + number),
            image=image,
            case_id=f"L{number}",
        )
        for number in range(1, 6)
    ]
    table = prepare(rows, Store(tmp_path))
    expected = [published[f"vertebrae_L{number}_volume_ml"] for number in range(1, 6)]
    assert table["volume_ml"].round(2).tolist() == expected
