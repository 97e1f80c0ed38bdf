"""One outline, handed in in every format, becomes the same mask; no identity comes along."""

from __future__ import annotations

from pathlib import Path

import contourpy
import highdicom
import nibabel
import nrrd
import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from demo.anatomy import Grid
from demo.ct_series import Scan, write_series
from pipeline.core.keeping.store import Store
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.read_ct import read_ct
from pipeline.ingest import ingest_scans, scans_of
from segmentation.formats.contours import fill
from segmentation.formats.dicom_files import RTSTRUCT_CLASS
from segmentation.formats.mask_files import read_mask_file
from segmentation.masks import prepare_masks
from segmentation.regions.placement import Reading
from segmentation.structures.segments import pick_segment

CANARY = "PHI-CANARY-0010-0010"
SHAPE = (8, 24, 28)
CHECKS = {
    "min_slices": 3, "max_slice_spacing_mm": 6, "min_voxels": 30, "border_is": "warning",
    "region": "vertebra",
}  # fmt: skip


def vertebra() -> np.ndarray:
    """Return a ring, as a vertebra is around its canal, that leans from slice to slice."""
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    body = np.hypot((y - 10 - z * 0.3) / 8, (x - 13) / 10) < 1
    canal = np.hypot(y - 14 - z * 0.3, x - 13) < 2.5
    return (body & ~canal & (z > 0) & (z < 7)).astype(np.uint8)


def outlines(mask: np.ndarray, geometry: Geometry) -> list[np.ndarray]:
    """Trace the slices of a mask half-way between pixel centres; mm (LPS), shape (n, 3)."""
    found = []
    for number in np.nonzero(mask.any(axis=(1, 2)))[0]:
        padded = np.pad(mask[number], 1).astype(float)
        for line in contourpy.contour_generator(z=padded).lines(0.5):
            index = np.c_[line[:-1] - 1, np.full(len(line) - 1, number)]
            found.append(index @ geometry.affine[:3, :3].T + geometry.affine[:3, 3])
    return found


def write_structure_set(path: Path, contours: list[np.ndarray], series: str) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = RTSTRUCT_CLASS, "2.25.77"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.PatientName = data.PatientID = data.SeriesDescription = CANARY
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = RTSTRUCT_CLASS, "2.25.77", "RTSTRUCT"
    referenced, study, frame = Dataset(), Dataset(), Dataset()
    referenced.SeriesInstanceUID = series
    study.RTReferencedSeriesSequence = [referenced]
    frame.RTReferencedStudySequence = [study]
    data.ReferencedFrameOfReferenceSequence = [frame]
    roi, drawn = Dataset(), Dataset()
    roi.ROINumber, roi.ROIName, drawn.ReferencedROINumber = 1, "L1", 1
    drawn.ContourSequence = []
    for points in contours:
        contour = Dataset()
        contour.ContourGeometricType = "CLOSED_PLANAR"
        contour.ContourData = [f"{value:.3f}" for value in points.ravel()]
        drawn.ContourSequence.append(contour)
    data.StructureSetROISequence, data.ROIContourSequence = [roi], [drawn]
    data.save_as(path, enforce_file_format=True)


def write_segmentation(path: Path, slices: list[Dataset], mask: np.ndarray, kind: str) -> None:
    highdicom.seg.Segmentation(
        source_images=slices,
        pixel_array=mask.astype(float) if kind == "FRACTIONAL" else mask,
        segmentation_type=kind,
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
        device_serial_number=CANARY,
        series_description=CANARY,
    ).save_as(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder with a CT series and one mask in every format."""
    scan = Scan(CANARY, "F", ("formats", "test"), "Model", "B30f", 120)
    volume = np.random.default_rng(3).integers(100, 400, SHAPE).astype(np.int16)
    write_series(
        volume, Grid(SHAPE, (3.0, 0.75, 0.5), (-40.0, -20.0, -10.0)), scan, tmp_path / "ct"
    )
    ct = read_ct(tmp_path / "ct").image
    geometry = Geometry.of(ct)
    slices = sorted(
        map(pydicom.dcmread, (tmp_path / "ct").iterdir()),
        key=lambda one: one.ImagePositionPatient[2],
    )
    mask = vertebra()
    image = sitk.GetImageFromArray(mask * 31)
    geometry.apply_to(image)
    sitk.WriteImage(image, str(tmp_path / "plain.nrrd"))
    sitk.WriteImage(sitk.PermuteAxes(sitk.Flip(image, (True, True, False)), (1, 2, 0)),
                    str(tmp_path / "turned.nrrd"))  # fmt: skip
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.affine
    nibabel.save(
        nibabel.Nifti1Image(mask.transpose(2, 1, 0) * np.int16(31), ras), tmp_path / "n.nii.gz"
    )
    cropped = mask[1:7, 1:22]
    nrrd.write(
        str(tmp_path / "s.seg.nrrd"),
        cropped.transpose(2, 1, 0),
        {
            "space": "left-posterior-superior",
            "space directions": geometry.affine[:3, :3].T,
            "space origin": (geometry.affine @ [0, 1, 1, 1])[:3],
            "kinds": ["domain"] * 3,
            "Segment0_ID": "S1",
            "Segment0_Name": "L1",
            "Segment0_LabelValue": "1",
            "Segment0_Layer": "0",
        },
    )
    for kind in ("BINARY", "FRACTIONAL", "LABELMAP"):
        write_segmentation(tmp_path / f"{kind}.dcm", slices, mask, kind)
    series = str(slices[0].SeriesInstanceUID)
    write_structure_set(tmp_path / "rs.dcm", outlines(mask, geometry), series)
    return tmp_path


FILES = ["plain.nrrd", "turned.nrrd", "n.nii.gz", "s.seg.nrrd", "BINARY.dcm", "FRACTIONAL.dcm",
         "LABELMAP.dcm", "rs.dcm"]  # fmt: skip


def test_every_format_gives_the_same_mask_and_no_identity(folder, caplog):
    cases = pd.DataFrame(
        {
            "patient_id": "007", "scan_id": "s1", "case_id": "c1", "level": "L1",
            "reader": [f"R{number}" for number in range(len(FILES))],
            "image": str(folder / "ct"), "series": None, "label": None,
            "mask": [str(folder / name) for name in FILES],
        }
    )  # fmt: skip
    store = Store(folder / "store")
    with caplog.at_level("DEBUG"):
        scans = ingest_scans(scans_of(cases), store, CHECKS)
        table = prepare_masks(cases, scans, store, CHECKS, Reading("totalsegmentator"))
    assert table["mask_hash"].nunique() == 1
    assert not table["mask_hash"].isna().any()
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(store.path(table["mask"][0]))))
    np.testing.assert_array_equal(stored, vertebra())
    assert table["reoriented"].tolist() == [name == "turned.nrrd" for name in FILES]
    assert table["label"].tolist() == ["31"] * 3 + ["L1"] * 5

    secrets = [CANARY, str(folder)]
    for path in [*(folder / "ct").iterdir(), folder / "BINARY.dcm"]:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        secrets += [str(header.SeriesInstanceUID), str(header.SOPInstanceUID)]
    seen = table.to_csv() + scans.to_csv() + caplog.text
    contents = [path.read_bytes() for path in store.root.rglob("*") if path.is_file()]
    for secret in secrets:
        assert secret not in seen
        assert not any(secret.encode() in content for content in contents)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_any_mask_survives_being_traced_and_filled(seed, share):
    """Islands, holes, diagonals: tracing between centres and filling by centre undo each other."""
    mask = np.random.default_rng(seed).random((12, 14)) < share
    lines = contourpy.contour_generator(z=np.pad(mask, 1).astype(float)).lines(0.5)
    np.testing.assert_array_equal(fill([line[:-1] - 1 for line in lines], mask.shape), mask)


def test_a_real_vertebra_survives_being_traced_and_filled(testdata, tmp_path):
    """T12 of a public series with its canal and processes: 23,576 voxels, by its documentation."""
    folder = testdata / "totalseg_ct_dicom"
    ct = Geometry.of(read_ct(folder / "example_ct_dicom").image)
    labels = read_mask_file(folder / "example_seg_dicom.nii.gz")
    given_mask = labels.on_grid(pick_segment(labels, "32"), ct)
    assert given_mask.reoriented
    write_structure_set(tmp_path / "rs.dcm", outlines(given_mask.voxels, ct), "2.25.5")
    held = read_mask_file(tmp_path / "rs.dcm")
    placed = held.on_grid(held.segments[0], ct)
    np.testing.assert_array_equal(placed.voxels, given_mask.voxels)
    assert placed.voxels.sum() == 23576
    assert placed.findings == []
