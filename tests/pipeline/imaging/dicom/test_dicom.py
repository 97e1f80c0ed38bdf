"""DICOM series: the one that is meant, whole and regular, in Hounsfield units."""

from __future__ import annotations

import dataclasses

import numpy as np
import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage
from scipy.spatial.transform import Rotation

from pipeline.core.errors import CaseError
from pipeline.imaging.ct_options import CtOptions
from pipeline.imaging.dicom.dicom_headers import read_headers
from pipeline.imaging.sources import source_files
from tests.support.dicom_files import (
    assert_as_itk_reads,
    edit,
    itk_series,
    load,
    remove,
    uid,
    write_series,
    write_slice,
)
from tests.support.refusals import refusal


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
        "tube_current_ma": None,
        "contrast": None,
        "contrast_phase": None,
        "transfer_syntax": "Explicit VR Little Endian",
        "padding_hu": None,
        "padding_share": None,
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


def write_padding(folder, value: int, rows: int = 1) -> None:
    """Put `value` into the first rows of each slice."""
    for path in source_files(folder):
        one = pydicom.dcmread(path)
        values = one.pixel_array.copy()
        values[:rows] = value
        one.PixelData = values.tobytes()
        one.save_as(path)


def test_padding_stays(tmp_path):
    write_series(tmp_path, PixelPaddingValue=-2000)
    before = load(tmp_path)[0].voxels
    write_padding(tmp_path, -2000)
    volume = load(tmp_path)[0]
    assert (volume.voxels[:, 0] == -3024).all()
    np.testing.assert_array_equal(volume.voxels[:, 1:], before[:, 1:])
    assert volume.facts["padding_hu"] == -3024
    assert volume.facts["padding_share"] == pytest.approx(1 / 8)


def test_padding_is_replaced_where_that_is_asked_for(tmp_path):
    write_series(tmp_path, PixelPaddingValue=-2000)
    before = load(tmp_path)[0].voxels
    write_padding(tmp_path, -2000, rows=2)
    volume = load(tmp_path, options=CtOptions(padding="replace", padding_hu=-1000))[0]
    assert (volume.voxels[:, :2] == -1000).all()
    np.testing.assert_array_equal(volume.voxels[:, 2:], before[:, 2:])
    assert (volume.facts["padding_hu"], volume.facts["padding_share"]) == (-3024, 0.25)


@pytest.mark.parametrize("limit", [-1990, -2010])
def test_a_range_of_padding_is_padding(tmp_path, limit):
    write_series(tmp_path, PixelPaddingValue=-2000, PixelPaddingRangeLimit=limit)
    write_padding(tmp_path, (limit - 2000) // 2)
    volume = load(tmp_path, options=CtOptions(padding="replace"))[0]
    assert (volume.voxels[:, 0] == -1024).all()


def test_padding_of_the_wrong_sign_is_understood(tmp_path):
    """-2000 written as an unsigned number, as some programs do."""
    write_series(tmp_path)
    for path in source_files(tmp_path):
        one = pydicom.dcmread(path)
        one.add_new("PixelPaddingValue", "US", 65536 - 2000)
        one.save_as(path)
    write_padding(tmp_path, -2000)
    facts = load(tmp_path)[0].facts
    assert (facts["padding_hu"], facts["padding_share"]) == (-3024, 1 / 8)


def test_an_empty_sop_class_is_judged_by_its_modality(tmp_path):
    write_series(tmp_path, SOPClassUID="")
    assert load(tmp_path)[0].voxels.shape == (6, 8, 10)


REFUSED = {
    "a missing slice": (
        lambda f: remove(f, 3),
        "slices-unevenly-spaced",
        r"1 slice\(s\) missing between instance 4 and instance 2",
    ),
    "two missing slices": (
        lambda f: remove(f, 3, 4),
        "slices-unevenly-spaced",
        r"2 slice\(s\) missing between",
    ),
    "uneven spacing": (
        lambda f: edit(f, 3, ImagePositionPatient=[-90, -70, 41.1]),
        "slices-unevenly-spaced",
        "uneven spacing between instance 4 and instance 3",
    ),
    "a doubled place": (
        lambda f: edit(f, 3, ImagePositionPatient=[-90, -70, 43.0]),
        "slices-at-one-place",
        r"1 position\(s\) with several slices",
    ),
    "a slice moved sideways": (
        lambda f: edit(f, 3, ImagePositionPatient=[-89, -70, 40.5]),
        "slices-not-in-line",
        r"slices up to 1\.0 mm to the side",
    ),
    "other rows": (
        lambda f: edit(f, 3, Rows=4, PixelData=b"\0" * 80),
        "slices-differ-in-size",
        "4 x 10, 8 x 10",
    ),
    "another pixel spacing": (
        lambda f: edit(f, 3, PixelSpacing=[0.5, 0.76]),
        "slices-differ-in-pixel-spacing",
        "0.5 to 0.76 mm",
    ),
    "another orientation": (
        lambda f: edit(f, 3, ImageOrientationPatient=[1, 0, 0, 0, 0.9998, 0.02]),
        "slices-differ-in-orientation",
        "",
    ),
    "inverted grey": (
        lambda f: edit(f, 3, PhotometricInterpretation="MONOCHROME1"),
        "ct-not-monochrome",
        r"MONOCHROME1 x 1 in 1 of 6 slices \(instance 3\)",
    ),
    "loss": (lambda f: edit(f, 3, LossyImageCompression="01"), "ct-compressed-with-loss", ""),
    "another kernel": (
        lambda f: edit(f, 3, ConvolutionKernel="B30s"),
        "slices-differ",
        "B30s, B70s",
    ),
    "another thickness": (lambda f: edit(f, 3, SliceThickness=3), "slices-differ", "3 mm, 5 mm"),
    "another frame of reference": (
        lambda f: edit(f, 3, FrameOfReferenceUID=uid("elsewhere")),
        "slices-differ-in-frame",
        "",
    ),
    "no rows": (
        lambda f: [edit(f, n, Rows=0) for n in range(1, 7)],
        "slices-differ-in-size",
        "found: 0 x 10|0 x 10",
    ),
    "values too large for HU": (
        lambda f: edit(f, 3, RescaleSlope=1e9),
        "rescaled-values-too-large",
        "",
    ),
    "colours": (
        lambda f: edit(f, 3, PhotometricInterpretation="RGB", SamplesPerPixel=3),
        "ct-not-monochrome",
        "RGB x 3",
    ),
    "an unknown interpretation": (
        lambda f: edit(f, 3, PhotometricInterpretation="CANARY"),
        "ct-not-monochrome",
        "another photometric interpretation x 1",
    ),
    "a high bit in the middle": (
        lambda f: edit(f, 3, HighBit=11),
        "pixel-bits-contradict",
        "16/16/11 in 1 of 6 slices",
    ),
    "more bits than allocated": (
        lambda f: edit(f, 3, BitsStored=17, HighBit=16),
        "pixel-bits-contradict",
        "16/17/16 in 1 of 6 slices",
    ),
    "no rescaling": (lambda f: edit(f, 3, RescaleSlope=None), "rescaling-missing", ""),
    "a slope of zero": (lambda f: edit(f, 3, RescaleSlope=0), "rescaling-missing", ""),
    "no position": (lambda f: edit(f, 3, ImagePositionPatient=None), "slice-geometry-missing", ""),
    "pixels cut short": (lambda f: edit(f, 3, PixelData=b"\0" * 100), "slice-not-decodable", ""),
    "several frames": (
        lambda f: edit(f, 3, NumberOfFrames=2, PixelData=b"\0" * 320),
        "classic-file-of-several-frames",
        "several frames in 1 of 6",
    ),
    "one slice": (lambda f: remove(f, 1, 2, 3, 4, 5), "slices-too-few", ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path, name):
    change, code, message = REFUSED[name]
    write_series(tmp_path)
    change(tmp_path)
    with refusal(code, CaseError, match=message) as caught:
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
    with refusal("gantry-tilt", CaseError, match=r"a tilt of 11\.3 degrees"):
        load(tmp_path)


def test_axes_that_are_not_perpendicular_are_refused(tmp_path):
    write_series(tmp_path, ImageOrientationPatient=[1, 0, 0, 0.1, 0.995, 0])
    with refusal("slice-axes-not-perpendicular", CaseError):
        load(tmp_path)


@pytest.mark.parametrize(("kind", "shown"), [("US", "US"), ("CANARY", "other")])
def test_values_that_are_not_hu_are_a_warning(tmp_path, kind, shown):
    write_series(tmp_path, RescaleType=kind)
    findings = load(tmp_path)[0].findings
    assert [one.code for one in findings] == ["rescale-type"]
    assert f"of type {shown}, not HU" in findings[0].message


def test_rescaling_that_differs_is_a_warning(tmp_path):
    write_series(tmp_path)
    edit(tmp_path, 3, RescaleIntercept=-1000)
    assert [one.code for one in load(tmp_path)[0].findings] == ["rescale-differs"]


def test_rounded_positions_are_even(tmp_path):
    """Positions in hundredths of a millimetre, as some archives write them."""
    write_series(tmp_path, step=0.625)
    for path in source_files(tmp_path):
        one = pydicom.dcmread(path)
        one.ImagePositionPatient = [round(float(value), 2) for value in one.ImagePositionPatient]
        one.save_as(path)
    volume, _ = load(tmp_path)
    assert np.linalg.norm(volume.affine[:3, 2]) == pytest.approx(0.625, abs=0.003)


def test_copies_of_one_image_are_refused_as_such(tmp_path):
    write_series(tmp_path / "a")
    (tmp_path / "b").mkdir()
    one = source_files(tmp_path / "a")[2]
    (tmp_path / "b" / "copy").write_bytes(one.read_bytes())
    with refusal("slices-at-one-place", CaseError, match="copies of one image") as caught:
        load(tmp_path)
    assert "remove the copies" in caught.value.remedy


@pytest.mark.parametrize("kept", [0, 200, 400, 700])
def test_a_damaged_slice_is_not_left_out(tmp_path, kept):
    """The last slice: without it the series would look whole, and short."""
    write_series(tmp_path)
    last = next(p for p in source_files(tmp_path) if pydicom.dcmread(p).InstanceNumber == 1)
    last.write_bytes(last.read_bytes()[:kept])
    with refusal("dicom-unreadable", CaseError) as caught:
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
    assert (
        "took series 2 (6 slices, 2.5 mm apart, 5 mm thick, kernel B70s), not series 3 (4 slices"
        in findings[0].message
    )
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
    with refusal("series-not-in-folder", CaseError) as caught:
        load(tmp_path, uid(named))
    assert "2.25." not in str(caught.value)


def test_equal_series_are_refused_and_listed(tmp_path):
    write_series(tmp_path / "a")
    write_series(tmp_path / "b", SeriesInstanceUID=uid("other"), ConvolutionKernel="B30s")
    with refusal(
        "series-ambiguous", CaseError, match=r"kernel B70s\); series 2 .*kernel B30s"
    ) as caught:
        load(tmp_path)
    assert "2.25." not in str(caught.value)


def test_a_folder_without_ct_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no DICOM")
    with refusal(
        "ct-series-missing", CaseError, match=r"0 DICOM image\(s\), none of them a CT slice"
    ):
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
    with refusal("gantry-tilt", CaseError, match=r"a tilt of 18\.5 degrees"):
        load(testdata / "dcm_qa_ct" / "Philips_S21610")
