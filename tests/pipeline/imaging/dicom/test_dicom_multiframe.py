"""Enhanced multi-frame CT: frames are slices, wherever the header keeps what is said of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
)

from pipeline.core.errors import CaseError
from pipeline.imaging.dicom.dicom_headers import read_headers
from pipeline.imaging.sources import source_files
from tests.pipeline.imaging.dicom.test_dicom_decode import encode
from tests.support.dicom_files import (
    CANARY,
    assert_as_itk_reads,
    edit,
    itk_series,
    load,
    write_slice,
)
from tests.support.refusals import refusal

ORDER = [2, 0, 5, 1, 4, 3]  # places of the frames, in the order of the file


def group(name: str, **attributes) -> Dataset:
    """Return a functional group in the sequence called `name`."""
    inner, item = Dataset(), Dataset()
    for keyword, value in attributes.items():
        setattr(inner, keyword, value)
    setattr(item, name, Sequence([inner]))
    return item


def joined(*groups: Dataset) -> Dataset:
    item = Dataset()
    for one in groups:
        item.update(one)
    return item


def write_enhanced(
    path: Path, shared_rescale: bool = True, sop_class: str = EnhancedCTImageStorage, **attributes
) -> np.ndarray:
    """Write an enhanced CT of six frames in a mixed order; return its stored values by place."""
    stored = np.random.default_rng(4).integers(0, 2500, (6, 8, 10)).astype(np.int16)
    shared = [
        group("PixelMeasuresSequence", PixelSpacing=[0.5, 0.75], SliceThickness=5),
        group("PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        group("CTReconstructionSequence", ConvolutionKernel="B70s"),
        group("CTXRayDetailsSequence", KVP=120.0),
        group("CTImageFrameTypeSequence", FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]),
        group("FrameContentSequence", FrameComments=CANARY),
    ]
    frames = []
    for place in ORDER:
        own = [group("PlanePositionSequence", ImagePositionPatient=[-90, -70, 33 + 2.5 * place])]
        rescale = {"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}
        if not shared_rescale:
            rescale["RescaleIntercept"] = -1024 - place
        (shared if shared_rescale and not frames else own).append(
            group("PixelValueTransformationSequence", **rescale)
        )
        frames.append(joined(*own))
    write_slice(
        path,
        stored[0],
        (0, 0, 0),
        **{
            "SOPClassUID": sop_class,
            "PixelSpacing": None,
            "ImageOrientationPatient": None,
            "ImagePositionPatient": None,
            "RescaleSlope": None,
            "RescaleIntercept": None,
            "KVP": None,
            "ConvolutionKernel": None,
            "SliceThickness": None,
        },
    )
    one = pydicom.dcmread(path)
    one.file_meta.MediaStorageSOPClassUID = sop_class
    one.NumberOfFrames = len(frames)
    one.SharedFunctionalGroupsSequence = Sequence([joined(*shared)])
    one.PerFrameFunctionalGroupsSequence = Sequence(frames)
    one.PixelData = stored[ORDER].tobytes()
    for keyword, value in attributes.items():
        setattr(one, keyword, value)
    one.save_as(path)
    return stored


@pytest.mark.parametrize(
    "sop_class", [EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage]
)
@pytest.mark.parametrize(
    "syntax", [None, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless]
)
def test_frames_are_slices(tmp_path, sop_class, syntax):
    stored = write_enhanced(tmp_path / "one", sop_class=sop_class)
    if syntax:
        encode(tmp_path, syntax)
    volume, findings = load(tmp_path)
    np.testing.assert_array_equal(volume.voxels, stored - 1024)
    read = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "one"), imageIO="GDCMImageIO"))
    np.testing.assert_array_equal(volume.voxels[ORDER], read)
    np.testing.assert_allclose(np.linalg.norm(volume.affine[:3, :3], axis=0), [0.75, 0.5, 2.5])
    np.testing.assert_allclose(volume.affine[:3, 3], [-90, -70, 33])
    assert (volume.facts["kernel"], volume.facts["kvp"]) == ("B70s", 120)
    assert volume.facts["slice_thickness_mm"] == 5
    assert findings == volume.findings == []


def test_an_enhanced_ct_equals_the_classic_one(tmp_path):
    stored = write_enhanced(tmp_path / "enhanced" / "one")
    for place, values in enumerate(stored):
        write_slice(tmp_path / "classic" / str(place), values, (-90, -70, 33 + 2.5 * place))
    volume, _ = load(tmp_path / "enhanced")
    assert_as_itk_reads(volume, itk_series(tmp_path / "classic"))


def test_each_frame_has_its_own_rescaling(tmp_path):
    stored = write_enhanced(tmp_path / "one", shared_rescale=False)
    volume, _ = load(tmp_path)
    shifts = np.arange(6)[:, None, None]
    np.testing.assert_array_equal(volume.voxels, stored - 1024 - shifts)
    assert [one.code for one in volume.findings] == ["rescale-differs"]


def test_nothing_of_a_frame_identifies_a_person(tmp_path):
    write_enhanced(tmp_path / "one")
    headers = read_headers(source_files(tmp_path))
    assert len(headers) == 6
    assert all("CANARY" not in repr({**vars(one), "path": None}) for one in headers)


def test_headers_of_frames_must_be_there(tmp_path):
    write_enhanced(tmp_path / "one", NumberOfFrames=5)
    with refusal(
        "dicom-unreadable", CaseError, match="enhanced CT of 5 frames with the headers of 6"
    ):
        load(tmp_path)


def test_frames_cut_short_are_refused(tmp_path):
    write_enhanced(tmp_path / "one", PixelData=b"\0" * 900)
    with refusal("slice-not-decodable", CaseError):
        load(tmp_path)


def test_a_doubled_frame_is_refused_by_number(tmp_path):
    write_enhanced(tmp_path / "one")
    one = pydicom.dcmread(tmp_path / "one")
    frames = one.PerFrameFunctionalGroupsSequence
    frames[1].PlanePositionSequence = frames[0].PlanePositionSequence
    one.save_as(tmp_path / "one")
    with refusal("slices-at-one-place", CaseError, match=r"\(frame 1 and frame 2\)"):
        load(tmp_path)


def test_a_classic_file_of_several_frames_is_refused(tmp_path):
    write_slice(tmp_path / "one", np.zeros((8, 10), np.int16), (0, 0, 0))
    write_slice(tmp_path / "two", np.zeros((8, 10), np.int16), (0, 0, 1), InstanceNumber=2)
    edit(tmp_path, 2, NumberOfFrames=2, PixelData=b"\0" * 320)
    with refusal(
        "classic-file-of-several-frames",
        CaseError,
        match=r"several frames in 1 of 2 slices \(instance 2\)",
    ):
        load(tmp_path)


# --- public data -------------------------------------------------------------------------------


def test_a_public_enhanced_ct(testdata):
    """Two frames, of which the second lies higher and the rows run to the right."""
    path = testdata / "pydicom_enhanced_ct_seg" / "eCT_Supplemental.dcm"
    volume, _ = load(path.parent)
    read = sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
    # The slices' normal points to the feet, and the file begins there.
    np.testing.assert_array_equal(volume.voxels, read[::-1])
    np.testing.assert_allclose(volume.affine[:3, 2], [0, 0, -10])
    np.testing.assert_allclose(volume.affine[:3, 3], [99.5, -301.5, -149])
    assert [one.code for one in volume.findings] == ["rescale-type"]


@pytest.mark.parametrize("name", ["23x38x3", "24x38x3"])
def test_a_public_legacy_converted_ct_equals_its_series(testdata, name):
    folder = testdata / "dcmqi_ct_seg" / name
    volumes = [load(folder / kind)[0] for kind in ("image", "multiframe")]
    np.testing.assert_array_equal(volumes[0].voxels, volumes[1].voxels)
    np.testing.assert_array_equal(volumes[0].affine, volumes[1].affine)
    with refusal(
        "series-ambiguous", CaseError, match=r"2\.5 mm thick\); series 123456 .*multi-frame\)"
    ):
        load(folder)
