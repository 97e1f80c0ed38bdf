"""Masks on the CT's grid, measured, checked, and kept in the store."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import highdicom
import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.sr.codedict import codes

from demo.anatomy import Grid
from demo.ct_series import Scan, write_series
from pipeline.core.errors import CaseError, MachineError, ProgramError
from pipeline.core.findings import from_json
from pipeline.core.keeping.store import Store
from pipeline.imaging.geometry import Geometry, GridMismatchError
from pipeline.imaging.read_ct import read_ct
from pipeline.ingest import ingest_scans, scans_of
from segmentation.formats.dicom_files import careful
from segmentation.formats.mask_files import read_mask_file
from segmentation.masks import COLUMNS, check_file_name, prepare_masks
from segmentation.regions.placement import DEFAULTS, Case, Reading, place_mask
from segmentation.regions.reference_series import series_grids
from tests.support.refusals import refusal

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
    return write_files(tmp_path)


def write_files(tmp_path: Path) -> Path:
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


# --- orientation, other series -------------------------------------------------------------------


def test_a_mask_whose_axes_run_otherwise_is_told_and_recorded(folder, tmp_path):
    store = Store(tmp_path / "store")
    table = prepare([case(folder, "A", "plain.nrrd"), case(folder, "B", "flipped.nii.gz")], store)
    assert table["reoriented"].tolist() == [False, True]
    assert table["status"][0] == table["status"][1] != "error"
    told = [[one.code for one in from_json(text)] for text in table["findings"]]
    assert "mask-reoriented" not in told[0]
    assert "mask-reoriented" in told[1]


CANARY = "PHI-CANARY-0010-0010"


def series(folder: Path, name: str, z: float, step: float, number: int) -> list[Path]:
    """Write a CT series of six slices into `folder`; return its files."""
    scan = Scan(CANARY, "F", ("masks", name), "Model", "B30f", 120)
    grid = Grid((6, 20, 16), (step, 0.75, 0.5), (z, -20.0, -10.0))
    volume = np.random.default_rng(5).integers(-200, 900, grid.shape).astype(np.int16)
    write_series(volume, grid, scan, folder / name)
    files = []
    for path in sorted((folder / name).iterdir()):
        one = pydicom.dcmread(path)
        one.SeriesNumber = number
        files.append(path.rename(folder / f"{name}-{path.name}"))
        one.save_as(files[-1])
    (folder / name).rmdir()
    return files


def dicom_mask(path: Path, sources: list[Path]) -> Path:
    """Write a DICOM segmentation of a block on the given slices."""
    drawn = np.zeros((len(sources), 20, 16, 1), np.uint8)
    drawn[1:5, 5:15, 4:12] = 1
    slices = sorted(map(pydicom.dcmread, sources), key=lambda one: one.ImagePositionPatient[2])
    highdicom.seg.Segmentation(
        source_images=slices,
        pixel_array=drawn,
        segmentation_type="BINARY",
        segment_descriptions=[
            highdicom.seg.SegmentDescription(
                1, "L1", codes.SCT.AnatomicalStructure, codes.SCT.Vertebra, "MANUAL"
            )
        ],
        series_instance_uid=highdicom.UID(),
        series_number=9,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="Maker",
        manufacturer_model_name="Model",
        software_versions="1",
        device_serial_number="1",
    ).save_as(path)
    return path


def dicom_case(tmp_path: Path, reader: str, mask: Path, image="ct", scan_id="s1") -> dict:
    return case(
        tmp_path, reader, mask.name, image=str(tmp_path / image), scan_id=scan_id,
        case_id=f"c-{scan_id}",
    )  # fmt: skip


def test_a_dicom_mask_of_the_ct_s_own_series(tmp_path):
    mask = dicom_mask(tmp_path / "a.dcm", series(tmp_path / "ct", "one", -40, 3, 2))
    table = prepare([dicom_case(tmp_path, "A", mask)], Store(tmp_path / "store"))
    assert table["voxels"][0] == 4 * 10 * 8
    assert table["label"][0] == "L1"
    assert "mask-of-another-series" not in table["findings"][0]


def test_a_refusal_names_the_series_of_the_folder_whose_grid_matches(tmp_path):
    series(tmp_path / "ct", "thick", -40, 3, 2)
    more = series(tmp_path / "ct", "thin", -40, 1.25, 3)
    mask = dicom_mask(tmp_path / "a.dcm", more)
    ct = prepare_ct_of(tmp_path / "ct", "thick")
    with refusal("mask-off-grid", GridMismatchError) as caught:
        place_mask(Case(mask, image=tmp_path / "ct"), ct, DEFAULTS)
    message = str(caught.value)
    assert "The mask does lie on the grid of series 3 (6 slices, 1.25 mm apart" in message
    assert "Mask: size 16 x 20 x 4 voxels, spacing 0.5 x 0.75 x 1.25 mm" in message
    assert "CT: size 16 x 20 x 6 voxels, spacing 0.5 x 0.75 x 3 mm" in message
    assert "columns `image` and `series`" in message
    assert "Specify geometry" in message
    assert CANARY not in message
    assert "2.25." not in message


def prepare_ct_of(folder: Path, name: str) -> Geometry:
    """Return the grid of one of the series of `folder`."""
    uid = pydicom.dcmread(next(folder.glob(f"{name}-*"))).SeriesInstanceUID
    return next(one.geometry for one in series_grids(folder) if one.uid == uid)


def test_a_refusal_names_another_scan_of_the_patient(tmp_path):
    series(tmp_path / "ct", "one", -40, 3, 2)
    mask = dicom_mask(tmp_path / "a.dcm", series(tmp_path / "ct2", "two", -41, 3, 2))
    rows = [
        dicom_case(tmp_path, "A", mask),
        dicom_case(tmp_path, "A", mask, image="ct2", scan_id="s2"),
    ]
    table = prepare(rows, Store(tmp_path / "store")).set_index("scan_id")
    assert table["status"]["s2"] != "error"
    assert table["status"]["s1"] == "error"
    message = from_json(table["findings"]["s1"])[0].message
    assert "The mask does lie on the grid of scan s2 of the patient" in message
    assert "off by 0 x 0 x 1 mm" in message


def test_a_refusal_names_a_volume_of_another_batch(folder, tmp_path):
    """Batches are dealt by scan: the patient's other scan may be prepared elsewhere."""
    moved = sitk.ReadImage(str(folder / "ct.nrrd"))
    moved.SetOrigin((-20.25, 5.0, 100.0))
    sitk.WriteImage(moved, str(folder / "ct2.nii.gz"))
    rows = [
        case(folder, "A", "plain.nrrd"),
        case(folder, "A", "plain.nrrd", scan_id="s2", image=str(folder / "ct2.nii.gz")),
        case(folder, "A", "plain.nrrd", scan_id="s3", image=str(folder / "missing.nrrd")),
    ]
    store = Store(tmp_path / "store")
    batch = pd.DataFrame(rows[1:2])
    scans = ingest_scans(scans_of(batch), store, CHECKS)
    table = prepare_masks(batch, scans, store, CHECKS, of_study=pd.DataFrame(rows))
    message = from_json(table["findings"][0])[0].message
    assert "The mask does lie on the grid of scan s1 of the patient" in message


def test_a_mask_that_names_another_series_is_a_warning_where_it_fits(tmp_path):
    series(tmp_path / "ct", "one", -40, 3, 2)
    mask = dicom_mask(tmp_path / "a.dcm", series(tmp_path / "gone", "other", -40, 3, 2))
    table = prepare([dicom_case(tmp_path, "A", mask)], Store(tmp_path / "store"))
    found = {one.code: one.severity for one in from_json(table["findings"][0])}
    assert found["mask-of-another-series"] == "warning"
    assert "2.25." not in table["findings"][0]


@pytest.mark.parametrize("names_series", [True, False])
def test_a_mask_of_another_frame_of_reference_is_a_warning(tmp_path, names_series):
    mask = dicom_mask(tmp_path / "a.dcm", series(tmp_path / "ct", "one", -40, 3, 2))
    ct = prepare_ct_of(tmp_path / "ct", "one")
    assert place_mask(Case(mask, image=tmp_path / "ct"), ct, DEFAULTS)[2] == []
    data = pydicom.dcmread(mask)
    data.FrameOfReferenceUID = "2.25.99"
    if not names_series:
        del data.ReferencedSeriesSequence
    data.save_as(mask)
    _, _, (finding,) = place_mask(Case(mask, image=tmp_path / "ct"), ct, DEFAULTS)
    assert (finding.code, finding.severity) == ("mask-of-another-frame", "warning")
    assert "2.25." not in finding.message
    # What is not stated contradicts nothing.
    del data.FrameOfReferenceUID
    data.save_as(mask)
    assert place_mask(Case(mask, image=tmp_path / "ct"), ct, DEFAULTS)[2] == []


def test_a_ct_that_names_no_series_is_not_compared(tmp_path):
    mask = dicom_mask(tmp_path / "a.dcm", series(tmp_path / "ct", "one", -40, 3, 2))
    ct = read_ct(tmp_path / "ct").image
    sitk.WriteImage(ct, str(tmp_path / "ct.nii.gz"))
    case_of_file = Case(mask, image=tmp_path / "ct.nii.gz")
    _, _, findings = place_mask(case_of_file, Geometry.of(ct), DEFAULTS)
    assert findings == []


def test_another_reconstruction_of_the_same_grid_is_no_mistake(tmp_path):
    series(tmp_path / "ct", "soft", -40, 3, 2)
    bone = series(tmp_path / "ct", "bone", -40, 3, 3)
    mask = dicom_mask(tmp_path / "a.dcm", bone)
    ct = prepare_ct_of(tmp_path / "ct", "soft")
    _, _, findings = place_mask(Case(mask, image=tmp_path / "ct"), ct, DEFAULTS)
    assert findings == []


def test_no_series_is_named_where_none_can_be_read(tmp_path):
    assert series_grids(tmp_path / "missing") == []
    (tmp_path / "one.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    assert series_grids(tmp_path) == []
    broken = series(tmp_path / "ct", "one", -40, 3, 2)
    broken[2].unlink()
    assert series_grids(tmp_path / "ct") == []  # a gap: no stack


def test_the_convention_of_a_study_reaches_its_masks(folder, tmp_path):
    labels = sitk.GetImageFromArray(block() * 31 + block(box=(slice(9, 11),) * 3) * 30)
    labels.CopyInformation(sitk.ReadImage(str(folder / "ct.nrrd")))
    sitk.WriteImage(labels, str(folder / "labels.nrrd"))
    rows = [case(folder, "A", "labels.nrrd")]
    store = Store(tmp_path / "store")
    assert prepare(rows, store)["status"].tolist() == ["error"]
    scans = ingest_scans(scans_of(pd.DataFrame(rows)), store, CHECKS)
    table = prepare_masks(
        pd.DataFrame(rows), scans, store, CHECKS, Reading(convention="totalsegmentator")
    )
    assert (table["label"][0], table["voxels"][0]) == ("31", 125)


def test_the_voxels_of_an_uncompressed_sibling_are_never_read(folder, tmp_path):
    """ITK reads the header of a.nii.gz and, without a word, the voxels of a.nii beside it."""
    shutil.copy(folder / "flipped.nii.gz", tmp_path / "a.nii.gz")
    other = sitk.ReadImage(str(folder / "flipped.nii.gz")) * 0
    sitk.WriteImage(other, str(tmp_path / "a.nii"))
    with refusal("nifti-packed-and-plain", CaseError):
        read_mask_file(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    ("raised", "ends"),
    [
        (MemoryError(), MachineError),
        (OSError(errno.ENOSPC, "No space left on device"), MachineError),
        (PermissionError(errno.EACCES, "Permission denied"), MachineError),
        (KeyError("PHI-CANARY-0010-0010"), ProgramError),
    ],
)
def test_what_is_no_fault_of_a_mask_ends_the_job(folder, tmp_path, monkeypatch, raised, ends):
    rows = [case(folder, "A", "plain.nrrd"), case(folder, "B", "flipped.nii.gz")]
    store = Store(tmp_path / "store")
    scans = ingest_scans(scans_of(pd.DataFrame(rows)), store, CHECKS)

    def read(*_, **__):
        raise raised

    monkeypatch.setattr("segmentation.regions.placement.read_mask_file", read)
    with pytest.raises(ends) as caught:
        prepare_masks(pd.DataFrame(rows), scans, store, CHECKS)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("memory-exhausted", MemoryError()),
        ("machine-files-unreadable", OSError(errno.EIO, "Input/output error")),
    ],
)
def test_a_fault_of_the_machine_is_no_damage_of_a_dicom_file(code, raised):
    with refusal(code, (MachineError, OSError)) as caught, careful():
        raise raised
    assert not isinstance(caught.value, CaseError)


def test_a_mistake_of_the_program_is_no_damage_of_a_dicom_file():
    with pytest.raises(BufferError, match="a mistake"), careful():
        raise BufferError("a mistake")
    with (
        refusal(
            "dicom-mask-unreadable", CaseError, match="a header with a value that cannot be read"
        ),
        careful(),
    ):
        raise ValueError("PHI-CANARY-0010-0010")


def test_a_file_named_after_another_level_is_a_warning():
    (finding,) = check_file_name("masks/P001_T12_A.nii.gz", "L1")
    assert (finding.code, finding.severity) == ("file-of-another-level", "warning")
    assert "speaks of T12, but the case is L1" in finding.message
    for name in ("masks/P001_L1_A.nrrd", "T12/P001_A.nrrd", "P001-ct1_R1.seg.nrrd", "T12-L1.nrrd"):
        assert check_file_name(name, "L1") == []


# --- public data -------------------------------------------------------------------------------


def test_real_masks(testdata, tmp_path):
    """Counts and means from the data's own documentation; volumes from its published report."""

    def real(case_id: str, image: str, mask: str, label: str) -> dict:
        image, scan = str(testdata / image), image
        level = {"three": "L1", "cut": "T11"}.get(case_id, case_id)
        return case(
            testdata, "A", mask, label, image=image, scan_id=scan, case_id=case_id, level=level
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
            level=f"L{number}",
        )
        for number in range(1, 6)
    ]
    table = prepare(rows, Store(tmp_path))
    expected = [published[f"vertebrae_L{number}_volume_ml"] for number in range(1, 6)]
    assert table["volume_ml"].round(2).tolist() == expected
