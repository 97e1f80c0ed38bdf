"""DICOM series: the one that is meant, whole and regular, in Hounsfield units."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from scipy.spatial.transform import Rotation

from pipeline.core.errors import CaseError
from pipeline.core.sources import source_files
from pipeline.dicom_series import choose_series, read_headers
from pipeline.dicom_volume import read_series

CANARY = "PHI-CANARY-0010-0010"


def uid(*names: object) -> str:
    """Return a UID that depends on `names` alone."""
    digest = hashlib.sha256(repr(names).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


def write_slice(path: Path, stored: np.ndarray, position, **attributes) -> None:
    """Write one classic CT slice whose identity fields hold canaries."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    one = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    one.PatientName = one.PatientID = one.InstitutionName = CANARY
    one.AccessionNumber = one.StudyID = CANARY[4:20]
    one.SeriesDescription = one.StudyDescription = one.ImageComments = CANARY
    one.SOPClassUID = CTImageStorage
    one.SOPInstanceUID = uid(path.name, *position)
    one.SeriesInstanceUID = uid("series")
    one.Modality = "CT"
    one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.SeriesNumber = 2
    one.InstanceNumber = 1
    one.Manufacturer, one.ManufacturerModelName = "Maker", "Scanner"
    one.KVP, one.ConvolutionKernel, one.SliceThickness = 120, "B70s", 5
    one.Rows, one.Columns = stored.shape
    one.PixelSpacing = [0.5, 0.75]
    one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    one.ImagePositionPatient = [float(f"{value:.9g}") for value in position]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit = 16, 16, 15
    one.PixelRepresentation = int(stored.dtype.kind == "i")
    one.RescaleSlope, one.RescaleIntercept = 1, -1024
    for keyword, value in attributes.items():
        if value is None:
            delattr(one, keyword)
        else:
            setattr(one, keyword, value)
    one.PixelData = stored.tobytes()
    meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    one.save_as(path, enforce_file_format=True)


def write_series(
    folder: Path, slices: int = 6, step: float = 2.5, turned: Rotation | None = None, **attributes
) -> np.ndarray:
    """Write a series with shuffled names and numbers; return the stored values (z, y, x)."""
    generator = np.random.default_rng(7)
    stored = generator.integers(0, 2500, (slices, 8, 10)).astype(np.int16)
    axes = np.eye(3) if turned is None else turned.as_matrix()
    if turned is not None:
        attributes["ImageOrientationPatient"] = [f"{v:.9g}" for v in axes[:, :2].T.ravel()]
    for place, index in enumerate(generator.permutation(slices)):
        position = np.array([-90.0, -70.0, 33.0]) + axes[:, 2] * step * index
        name = f"{CANARY}_{place}"
        write_slice(
            folder / name,
            stored[index],
            position,
            **attributes | {"InstanceNumber": slices - int(index)},
        )
    return stored


def load(folder: Path, series: str | None = None):
    chosen, findings = choose_series(read_headers(source_files(folder)), series)
    return read_series(chosen), findings


def edit(folder: Path, which: int, **attributes) -> None:
    """Change attributes of the slice with instance number `which`."""
    for path in source_files(folder):
        one = pydicom.dcmread(path)
        if one.InstanceNumber == which:
            for keyword, value in attributes.items():
                setattr(one, keyword, value)
            one.save_as(path)
            return
    raise AssertionError(which)


def remove(folder: Path, *which: int) -> None:
    for path in source_files(folder):
        if pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber in which:
            path.unlink()


def itk_series(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def assert_as_itk_reads(volume, image) -> None:
    np.testing.assert_array_equal(volume.voxels, sitk.GetArrayFromImage(image))
    for index in [(0, 0, 0), (7, 5, 1), tuple(n - 1 for n in image.GetSize())]:
        np.testing.assert_allclose(
            (volume.affine @ (*index, 1))[:3],
            image.TransformIndexToPhysicalPoint(index),
            rtol=0,
            atol=1e-6,
        )


@pytest.mark.parametrize("turned", [None, Rotation.from_euler("xyz", [0.2, -0.1, 0.3])])
def test_a_shuffled_series_reads_as_itk_reads_it(tmp_path, turned):
    stored = write_series(tmp_path, turned=turned)
    volume, findings = load(tmp_path)
    np.testing.assert_array_equal(volume.voxels, stored - 1024)
    assert volume.voxels.dtype == np.int16
    assert_as_itk_reads(volume, itk_series(tmp_path))
    assert findings == volume.findings == []
    # Positions, not the header's thickness of 5 mm, say how far apart slices are.
    assert np.linalg.norm(volume.affine[:3, 2]) == pytest.approx(2.5)
    assert volume.facts == {
        "manufacturer": "Maker",
        "scanner": "Scanner",
        "kvp": 120.0,
        "kernel": "B70s",
        "slice_thickness_mm": 5.0,
    }


def test_headers_hold_nothing_that_identifies_a_person(tmp_path):
    write_series(tmp_path / "scan")
    for one in read_headers(source_files(tmp_path)):
        kept = dataclasses.asdict(one)
        kept.pop("path")
        assert "CANARY" not in repr(kept)


def test_rescaling_keeps_whole_numbers_whole(tmp_path):
    stored = write_series(tmp_path / "wide", RescaleSlope=20)
    volume, _ = load(tmp_path / "wide")
    assert volume.voxels.dtype == np.int32
    np.testing.assert_array_equal(volume.voxels, stored.astype(int) * 20 - 1024)
    stored = write_series(tmp_path / "fraction", RescaleSlope=0.5)
    volume, _ = load(tmp_path / "fraction")
    assert volume.voxels.dtype == np.float64
    np.testing.assert_array_equal(volume.voxels, stored * 0.5 - 1024)


def test_each_slice_has_its_own_rescaling(tmp_path):
    stored = write_series(tmp_path)
    edit(tmp_path, 6, RescaleIntercept=-1000)  # instance 6 is the lowest slice
    volume, _ = load(tmp_path)
    np.testing.assert_array_equal(volume.voxels[0], stored[0] - 1000)
    np.testing.assert_array_equal(volume.voxels[1:], stored[1:] - 1024)


def test_padding_stays(tmp_path):
    write_series(tmp_path, PixelPaddingValue=-2000)
    before = load(tmp_path)[0].voxels
    for path in source_files(tmp_path):
        one = pydicom.dcmread(path)
        values = one.pixel_array.copy()
        values[0, 0] = -2000
        one.PixelData = values.tobytes()
        one.save_as(path)
    after = load(tmp_path)[0].voxels
    assert (after[:, 0, 0] == -3024).all()
    np.testing.assert_array_equal(after[:, 1:], before[:, 1:])


def test_an_empty_sop_class_is_judged_by_its_modality(tmp_path):
    write_series(tmp_path, SOPClassUID="")
    assert load(tmp_path)[0].voxels.shape == (6, 8, 10)


REFUSED = {
    "a missing slice": (lambda f: remove(f, 3), r"1 slice\(s\) missing between instance 4 and 2"),
    "two missing slices": (lambda f: remove(f, 3, 4), r"2 slice\(s\) missing between"),
    "uneven spacing": (
        lambda f: edit(f, 3, ImagePositionPatient=[-90, -70, 41.1]),
        "uneven spacing between instance 4 and 3",
    ),
    "a doubled place": (
        lambda f: edit(f, 3, ImagePositionPatient=[-90, -70, 43.0]),
        r"1 position\(s\) with several slices",
    ),
    "a slice moved sideways": (
        lambda f: edit(f, 3, ImagePositionPatient=[-89, -70, 40.5]),
        r"slices up to 1\.0 mm to the side",
    ),
    "other rows": (lambda f: edit(f, 3, Rows=4, PixelData=b"\0" * 80), "4 x 10, 8 x 10"),
    "another pixel spacing": (lambda f: edit(f, 3, PixelSpacing=[0.5, 0.76]), "0.5 to 0.76 mm"),
    "another orientation": (
        lambda f: edit(f, 3, ImageOrientationPatient=[1, 0, 0, 0, 0.9998, 0.02]),
        "same orientation",
    ),
    "inverted grey": (
        lambda f: edit(f, 3, PhotometricInterpretation="MONOCHROME1"),
        r"MONOCHROME1 x 1 in 1 of 6 slices \(instance 3\)",
    ),
    "loss": (lambda f: edit(f, 3, LossyImageCompression="01"), "compressed with loss"),
    "no rescaling": (lambda f: edit(f, 3, RescaleSlope=None), "slope and intercept"),
    "a slope of zero": (lambda f: edit(f, 3, RescaleSlope=0), "slope and intercept"),
    "no position": (lambda f: edit(f, 3, ImagePositionPatient=None), "orientation and position"),
    "pixels cut short": (lambda f: edit(f, 3, PixelData=b"\0" * 100), "must decode"),
    "several frames": (
        lambda f: edit(f, 3, NumberOfFrames=2, PixelData=b"\0" * 320),
        "several frames in 1 of 6",
    ),
    "one slice": (lambda f: remove(f, 1, 2, 3, 4, 5), "at least 2 slices"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path, name):
    change, message = REFUSED[name]
    write_series(tmp_path)
    change(tmp_path)
    with pytest.raises(CaseError, match=message) as caught:
        load(tmp_path)
    assert "CANARY" not in str(caught.value)
    assert "2.25." not in str(caught.value)


def test_gantry_tilt_is_refused(tmp_path):
    write_series(tmp_path)
    for path in source_files(tmp_path):
        one = pydicom.dcmread(path)
        x, y, z = one.ImagePositionPatient
        one.ImagePositionPatient = [x, y + 0.2 * (z - 33), z]
        one.save_as(path)
    with pytest.raises(CaseError, match=r"a tilt of 11\.3 degrees"):
        load(tmp_path)


def test_axes_that_are_not_perpendicular_are_refused(tmp_path):
    write_series(tmp_path, ImageOrientationPatient=[1, 0, 0, 0.1, 0.995, 0])
    with pytest.raises(CaseError, match="perpendicular unit vectors"):
        load(tmp_path)


def test_values_that_are_not_hu_are_a_warning(tmp_path):
    write_series(tmp_path, RescaleType="US")
    assert [one.code for one in load(tmp_path)[0].findings] == ["rescale-type"]


@pytest.mark.parametrize("kept", [0, 200, 400, 700])
def test_a_damaged_slice_is_not_left_out(tmp_path, kept):
    """The last slice: without it the series would look whole, and short."""
    write_series(tmp_path)
    last = next(p for p in source_files(tmp_path) if pydicom.dcmread(p).InstanceNumber == 1)
    last.write_bytes(last.read_bytes()[:kept])
    with pytest.raises(CaseError, match="must be readable") as caught:
        load(tmp_path)
    assert "CANARY" not in str(caught.value)


def test_odd_values_are_not_quoted_in_a_log(tmp_path, caplog):
    write_series(tmp_path)
    for path in source_files(tmp_path):
        path.write_bytes(path.read_bytes().replace(b"B70s", b"B\\7\0").replace(b"2.25.", b"CANAR"))
    load(tmp_path)
    assert caplog.text == ""


def several(tmp_path) -> None:
    """Write a series of 6 slices, one of 4, a localizer, a capture, a report and a text."""
    write_series(tmp_path / "a")
    write_series(tmp_path / "b", 4, SeriesInstanceUID=uid("other"), SeriesNumber=3)
    scout = np.zeros((8, 10), np.int16)
    write_slice(
        tmp_path / "c" / "1",
        scout,
        (0, 0, 0),
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        SeriesInstanceUID=uid("series"),
    )
    for index in range(9):
        write_slice(
            tmp_path / "d" / str(index),
            scout,
            (0, 0, index),
            SOPClassUID=SecondaryCaptureImageStorage,
            SeriesInstanceUID=uid("capture"),
        )
        write_slice(
            tmp_path / "e" / str(index),
            scout,
            (0, 0, index),
            Modality="MR",
            SeriesInstanceUID=uid("mr"),
        )
    (tmp_path / "DICOMDIR").write_bytes(b"stale")
    (tmp_path / "notes.txt").write_text("no DICOM")


def test_the_series_with_most_slices_is_taken_and_said_so(tmp_path):
    several(tmp_path)
    volume, findings = load(tmp_path)
    assert len(volume.voxels) == 6
    assert [(one.code, one.severity) for one in findings] == [("series-chosen", "warning")]
    assert "series 2 (6 slices, 5 mm thick, kernel B70s); series 3 (4 slices" in findings[0].message
    assert "2.25." not in findings[0].message
    assert "CANARY" not in findings[0].message


def test_a_named_series_is_taken_silently(tmp_path):
    several(tmp_path)
    volume, findings = load(tmp_path, uid("other"))
    assert len(volume.voxels) == 4
    assert findings == []


@pytest.mark.parametrize("named", ["capture", "mr", "nowhere"])
def test_a_named_series_that_is_no_ct_is_refused(tmp_path, named):
    several(tmp_path)
    with pytest.raises(CaseError, match="must be a CT series") as caught:
        load(tmp_path, uid(named))
    assert "2.25." not in str(caught.value)


def test_equal_series_are_refused_and_listed(tmp_path):
    write_series(tmp_path / "a")
    write_series(tmp_path / "b", SeriesInstanceUID=uid("other"), ConvolutionKernel="B30s")
    with pytest.raises(CaseError, match=r"kernel B70s\); series 2 .*kernel B30s") as caught:
        load(tmp_path)
    assert "2.25." not in str(caught.value)


def test_a_folder_without_ct_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no DICOM")
    with pytest.raises(CaseError, match=r"0 DICOM image\(s\), none of them a CT slice"):
        load(tmp_path)


# --- public data -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "shape", "lowest"),
    [
        ("totalseg_ct_dicom/example_ct_dicom", (20, 512, 512), -1024),
        ("crlm1004_abdomen_ct/image", (41, 512, 512), -3024),  # padding stays
        ("dcmqi_ct_seg/ct-3slice", (3, 512, 512), -3024),
    ],
)
def test_real_series_read_as_itk_reads_them(testdata, folder, shape, lowest):
    volume, findings = load(testdata / folder)
    assert volume.voxels.shape == shape
    assert volume.voxels.min() == lowest
    assert_as_itk_reads(volume, itk_series(testdata / folder))
    assert findings == []


def test_thickness_is_not_spacing_in_a_real_series(testdata):
    volume, _ = load(testdata / "totalseg_ct_dicom" / "example_ct_dicom")
    assert volume.facts["slice_thickness_mm"] == 3
    assert np.linalg.norm(volume.affine[:3, 2]) == pytest.approx(2.0)


def test_a_real_tilted_series_beside_localizer_and_capture(testdata):
    with pytest.raises(CaseError, match=r"a tilt of 18\.5 degrees"):
        load(testdata / "dcm_qa_ct" / "Philips_S21610")


def test_an_enhanced_ct_says_that_it_is_not_read_yet(testdata):
    with pytest.raises(CaseError, match="enhanced multi-frame CT, which is not read yet"):
        load(testdata / "pydicom_enhanced_ct_seg")


def test_transfer_syntaxes(testdata, tmp_path):
    """Lossless syntaxes decode to the same voxels; those with loss are refused by name."""
    from pipeline.dicom_volume import _check_pixels, _hounsfield

    files = sorted((testdata / "ct_transfer_syntaxes").glob("CTImage*"))
    lossy, sums = set(), {}
    for header in read_headers(files):
        syntax = header.transfer_syntax
        try:
            _check_pixels([header])
        except CaseError:
            lossy.add(syntax.rpartition(".")[2])
            continue
        sums[syntax] = hashlib.sha256(_hounsfield([header]).tobytes()).hexdigest()
    assert lossy == {"50", "51", "53", "55", "81", "91"}
    assert len(sums) == 9
    assert len(set(sums.values())) == 1
