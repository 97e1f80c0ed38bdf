"""DICOM segmentations: every kind that highdicom writes comes back as drawn, or is refused."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.encaps import encapsulate
from pydicom.sr.codedict import codes
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from demo.anatomy import Grid
from demo.ct_series import Scan, write_series
from pipeline.core.errors import CaseError
from pipeline.imaging.geometry import Geometry, GridMismatchError
from pipeline.imaging.read_ct import read_ct
from pipeline.imaging.sources import source_files
from segmentation.formats.dicom_seg import read_dicom_seg
from segmentation.formats.mask_files import read_mask_file
from segmentation.structures.segments import Segment, pick_segment
from tests.support.refusals import refusal

SHAPE = (6, 33, 35)  # slices, rows, columns: 1,155 pixels do not fill whole bytes
CANARY = "PHI-CANARY-0010-0010"
L1, L2 = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
L1[1:4, 2:7, 3:9] = True
L2[3:5, 1:5, 2:6] = True  # overlaps L1 in slice 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with a CT series."""
    folder = tmp_path_factory.mktemp("ct")
    scan = Scan(CANARY, "F", ("seg", "test"), "Model", "B30f", 120)
    grid = Grid(SHAPE, (3.0, 0.75, 0.5), (-40.0, -20.0, -10.0))
    volume = np.random.default_rng(3).integers(-200, 900, SHAPE).astype(np.int16)
    write_series(volume, grid, scan, folder)
    return folder


@pytest.fixture(scope="module")
def slices(folder) -> list[pydicom.Dataset]:
    """Return its slices from foot to head."""
    found = [pydicom.dcmread(path) for path in source_files(folder)]
    return sorted(found, key=lambda one: one.ImagePositionPatient[2])


@pytest.fixture(scope="module")
def ct(folder) -> Geometry:
    """Return its grid as ingest reads it."""
    return Geometry.of(read_ct(folder).image)


def described(number: int, label: str) -> highdicom.seg.SegmentDescription:
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.Vertebra,
        algorithm_type="MANUAL",
    )


def written(path: Path, slices, pixels, kind="BINARY", labels=("L1", "L2"), **options) -> Path:
    """Write a segmentation by highdicom."""
    highdicom.seg.Segmentation(
        source_images=list(slices),
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=[described(n, label) for n, label in enumerate(labels, start=1)],
        series_instance_uid=highdicom.UID(),
        series_number=9,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="Maker",
        manufacturer_model_name="Model",
        software_versions="1",
        device_serial_number="1",
        **options,
    ).save_as(path)
    return path


def both() -> np.ndarray:
    return np.stack([L1, L2], axis=-1).astype(np.uint8)


def mask_of(path: Path, label: str | None, ct: Geometry, **options) -> np.ndarray:
    held = read_mask_file(path, **options)
    return held.on_grid(pick_segment(held, label), ct).voxels


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless], ids=lambda one: one.name
)
@pytest.mark.parametrize("sparse", [True, False])
def test_overlapping_binary_segments_come_back(tmp_path, slices, ct, syntax, sparse):
    kind = "FRACTIONAL" if syntax == RLELossless else "BINARY"  # highdicom packs no bits by RLE
    path = written(
        tmp_path / "a.dcm", slices, both(), kind,
        transfer_syntax_uid=syntax, omit_empty_frames=sparse,
    )  # fmt: skip
    np.testing.assert_array_equal(mask_of(path, "L1", ct), L1)
    np.testing.assert_array_equal(mask_of(path, "2", ct), L2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_label_map_comes_back(tmp_path, slices, ct, dtype):
    labels = L1.astype(dtype) + 2 * (L2 & ~L1)
    path = written(tmp_path / "a.dcm", slices, labels.astype(dtype), "LABELMAP")
    held = read_mask_file(path)
    assert held.segments == [Segment("L1", 1), Segment("L2", 2)]
    np.testing.assert_array_equal(mask_of(path, "L1", ct), L1)
    np.testing.assert_array_equal(mask_of(path, "L2", ct), L2 & ~L1)


@pytest.mark.parametrize("threshold", [0.5, 0.75, 0.2])
def test_fractions_are_cut_at_the_stated_threshold(tmp_path, slices, ct, threshold):
    shares = np.rint(np.linspace(0, 200, SHAPE[-1])) / 200 * np.ones(SHAPE)
    path = written(
        tmp_path / "a.dcm", slices, shares, "FRACTIONAL", ["L1"], max_fractional_value=200
    )
    held = read_mask_file(path, fractional_threshold=threshold)
    placed = held.on_grid(held.segments[0], ct)
    np.testing.assert_array_equal(placed.voxels, shares >= threshold)
    assert 0 < placed.voxels.mean() < 1
    (finding,) = placed.findings
    assert (finding.code, finding.severity) == ("mask-was-fractional", "info")
    assert f"at least {threshold:g} of" in finding.message


def test_flipped_frames_of_a_part_of_the_ct_are_mapped_exactly(tmp_path, slices, ct):
    """A program may turn rows round, cut the edges off, and start from the head."""
    affine = np.array(ct.affine)
    start, size = np.array([2, 1, 1]), np.array([8, 6, 5])
    part = Geometry.from_affine(
        affine @ np.array([[-1, 0, 0, 9], [0, 1, 0, 1], [0, 0, -1, 5], [0, 0, 0, 1.0]]), size
    )
    box = tuple(slice(a, a + n) for a, n in zip(start[::-1], size[::-1], strict=True))
    volume = highdicom.Volume(
        L1[box][::-1, :, ::-1].astype(np.uint8)[..., None],
        affine=part.affine[:, [2, 1, 0, 3]],
        coordinate_system="PATIENT",
        frame_of_reference_uid=slices[0].FrameOfReferenceUID,
        channels={"SegmentNumber": [1]},
    )
    path = written(tmp_path / "a.dcm", slices, volume, labels=["L1"], omit_empty_frames=False)
    held = read_mask_file(path)
    placed = held.on_grid(held.segments[0], ct)
    np.testing.assert_array_equal(placed.voxels, L1)
    assert placed.reoriented


def test_frames_of_the_ct_s_own_orientation_are_not_reoriented(tmp_path, slices, ct):
    held = read_mask_file(written(tmp_path / "a.dcm", slices, both()))
    assert not held.on_grid(held.segments[0], ct).reoriented


@pytest.mark.parametrize("label", ["腰椎一", "поясничный L1", "فقرة ١", "L\u00e9sion", "척추"])
def test_labels_in_any_script(tmp_path, slices, ct, label):
    path = written(tmp_path / "a.dcm", slices, both(), labels=[label, "L2"])
    dataset = pydicom.dcmread(path)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SegmentSequence[0].SegmentLabel = label
    dataset.save_as(path)
    np.testing.assert_array_equal(mask_of(path, label, ct), L1)


def test_a_label_in_a_chinese_character_set(tmp_path, slices, ct):
    dataset = pydicom.dcmread(written(tmp_path / "a.dcm", slices, both()))
    dataset.SpecificCharacterSet = "GB18030"
    dataset.SegmentSequence[0].SegmentLabel = "腰椎一"
    dataset.save_as(tmp_path / "b.dcm")
    np.testing.assert_array_equal(mask_of(tmp_path / "b.dcm", "腰椎一", ct), L1)


def reencoded(path: Path, encode, syntax: str) -> Path:
    """Store the frames of a binary segmentation in an encoding that highdicom does not write."""
    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array
    packed = [np.packbits(frame.ravel(), bitorder="little").tobytes() for frame in frames]
    dataset.PixelData = encapsulate([encode(frame) for frame in packed])
    # pydicom does not write what it does not know: the name is put in afterwards, padded alike.
    placeholder = JPEGLosslessSV1
    dataset.file_meta.TransferSyntaxUID = placeholder
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(placeholder.encode(), syntax.encode().ljust(22, b"\0"), 1))
    return path


def run_lengths(packed: bytes) -> bytes:
    """Return one RLE segment of literal runs."""
    pieces = [packed[start : start + 128] for start in range(0, len(packed), 128)]
    body = b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)
    header = np.zeros(16, "<u4")
    header[:2] = 1, 64
    return header.tobytes() + body + b"\0" * (len(body) % 2)


def deflated(packed: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    body = engine.compress(packed) + engine.flush()
    return body + b"\0" * (len(body) % 2)


@pytest.mark.parametrize(
    ("encode", "syntax"), [(run_lengths, RLELossless), (deflated, "1.2.840.10008.1.2.8.1")]
)
def test_packed_bits_in_newer_encodings(tmp_path, slices, ct, encode, syntax):
    path = reencoded(written(tmp_path / "a.dcm", slices, both()), encode, syntax)
    np.testing.assert_array_equal(mask_of(path, "L1", ct), L1)
    np.testing.assert_array_equal(mask_of(path, "L2", ct), L2)


# --- what is refused -----------------------------------------------------------------------------


def changed(path: Path, change) -> Path:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return path


def own_frame(dataset, index):
    return dataset.PerFrameFunctionalGroupsSequence[index]


def move_frame(dataset, z):
    own_frame(dataset, 0).PlanePositionSequence[0].ImagePositionPatient = [-10, -20, z]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            lambda d: setattr(d, "SegmentationType", "SURFACE"),
            "seg-undescribed",
            "no segmentation type",
        ),
        (lambda d: setattr(d, "Rows", 60000), "seg-undescribed", "Rows outside 1 to 8192"),
        (lambda d: setattr(d, "Columns", 0), "seg-undescribed", "Columns outside"),
        (
            lambda d: setattr(d, "BitsAllocated", 32),
            "seg-undescribed",
            "32 bits per pixel for BINARY frames",
        ),
        (lambda d: delattr(d, "PixelData"), "seg-undescribed", "no pixels"),
        (lambda d: setattr(d, "NumberOfFrames", 1000), "seg-undescribed", "frames announced and"),
        (
            lambda d: setattr(d, "PixelData", d.PixelData[:20]),
            "seg-cut-short",
            r"Found: 20 of \d+ bytes",
        ),
        (lambda d: delattr(d, "SegmentSequence"), "seg-undescribed", "no segment described"),
        (
            lambda d: delattr(own_frame(d, 1), "SegmentIdentificationSequence"),
            "seg-undescribed",
            "frame 2 without a segment",
        ),
        (
            lambda d: setattr(d.file_meta, "TransferSyntaxUID", "1.2.3.4"),
            "seg-undescribed",
            "an unknown transfer syntax",
        ),
    ],
)
def test_a_file_that_does_not_describe_itself_is_refused(tmp_path, slices, change, code, message):
    path = changed(written(tmp_path / "a.dcm", slices, both()), change)
    with refusal(code, CaseError, match=message) as caught:
        read_dicom_seg(path)
    assert CANARY not in str(caught.value)
    assert "2.25." not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            lambda d: delattr(d.SegmentSequence[0], "SegmentNumber"),
            "seg-undescribed",
            "segment 'L1' without number",
        ),
        (
            lambda d: delattr(own_frame(d, 1), "PlanePositionSequence"),
            "seg-frame-unplaced",
            "frame 2 without a valid position",
        ),
        (
            lambda d: setattr(
                d.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0],
                "ImageOrientationPatient",
                [1, 0, 0, 1, 0, 0],
            ),
            "seg-frame-unplaced",
            "frame 1 without a valid position, orientation",
        ),
        (
            lambda d: setattr(
                d.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0],
                "PixelSpacing",
                [0, 1],
            ),
            "seg-frame-unplaced",
            "pixel spacing",
        ),
    ],
)
def test_a_segment_that_is_not_described_is_refused_where_it_is_wanted(
    tmp_path, slices, ct, change, code, message
):
    path = changed(written(tmp_path / "a.dcm", slices, both()), change)
    held = read_dicom_seg(path)
    with refusal(code, CaseError, match=message) as caught:
        pick_segment(held, "L1")
    assert "2.25." not in str(caught.value)
    with refusal(code, CaseError, match=message):
        held.on_grid(held.segments[0], ct)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: delattr(d.SegmentSequence[0], "SegmentNumber"),
        lambda d: delattr(own_frame(d, 1), "PlanePositionSequence"),
        lambda d: setattr(d.SegmentSequence[0], "SegmentNumber", 77),
    ],
)
def test_a_segment_spoils_no_other(tmp_path, slices, ct, change):
    path = changed(written(tmp_path / "a.dcm", slices, both()), change)
    assert (
        pydicom.dcmread(path).PerFrameFunctionalGroupsSequence[1][0x0062000A][0][0x0062000B].value
        == 1
    )
    np.testing.assert_array_equal(mask_of(path, "L2", ct), L2)


def test_two_segments_of_one_number_are_refused(tmp_path, slices):
    path = written(tmp_path / "a.dcm", slices, both())
    path = changed(path, lambda d: setattr(d.SegmentSequence[1], "SegmentNumber", 1))
    with refusal(
        "seg-undescribed", CaseError, match="two segments of one number, 1: 'L1' and 'L2'"
    ):
        pick_segment(read_dicom_seg(path), "L2")


def test_lossy_frames_are_refused(tmp_path, slices):
    dataset = pydicom.dcmread(written(tmp_path / "a.dcm", slices, both(), "FRACTIONAL"))
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xd9"] * int(dataset.NumberOfFrames))
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.save_as(tmp_path / "b.dcm")
    with refusal("seg-compressed-with-loss", CaseError):
        read_dicom_seg(tmp_path / "b.dcm")


def test_fractions_without_a_largest_value_are_refused(tmp_path, slices):
    path = written(tmp_path / "a.dcm", slices, both(), "FRACTIONAL")
    changed(path, lambda dataset: delattr(dataset, "MaximumFractionalValue"))
    with refusal("seg-undescribed", CaseError, match="MaximumFractionalValue"):
        read_dicom_seg(path)


@pytest.mark.parametrize("syntax", [RLELossless, "1.2.840.10008.1.2.8.1"])
def test_a_frame_that_does_not_decode_is_named(tmp_path, slices, ct, syntax):
    path = reencoded(written(tmp_path / "a.dcm", slices, both()), lambda _: b"\x07\x99", syntax)
    with refusal("seg-frame-unreadable", CaseError, match="frame 1, which does not decode"):
        mask_of(path, "L1", ct)


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("place", ["in the pixels", "behind them"])
def test_inserted_bytes_are_refused(tmp_path, slices, kind, place):
    pixels = both() if kind == "BINARY" else both()[..., 0]
    path = written(tmp_path / "a.dcm", slices, pixels, kind, ("L1", "L2")[: 1 + (kind == "BINARY")])
    content, stored = path.read_bytes(), pydicom.dcmread(path).PixelData
    start = content.rindex(stored)
    assert start + len(stored) == len(content)
    cut = start + len(stored) // 2 if place == "in the pixels" else len(content)
    path.write_bytes(content[:cut] + b"\0\1" + content[cut:])
    with refusal("seg-spare-bytes", CaseError):
        read_dicom_seg(path)


def test_elements_behind_the_pixels_are_passed_over(tmp_path, slices, ct):
    path = written(tmp_path / "a.dcm", slices, both())
    before = mask_of(path, "L1", ct)
    changed(path, lambda one: one.add_new("DataSetTrailingPadding", "OB", b"\0" * 10))
    assert np.array_equal(mask_of(path, "L1", ct), before)


def test_frames_between_the_slices_are_refused(tmp_path, slices, ct):
    path = written(tmp_path / "a.dcm", slices, both())

    def lift(dataset):
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            x, y, z = frame.PlanePositionSequence[0].ImagePositionPatient
            frame.PlanePositionSequence[0].ImagePositionPatient = [x, y, float(z) + 1.5]

    changed(path, lift)
    with refusal(
        "mask-off-grid", GridMismatchError, match=r"between the voxels .*, off by 0 x 0 x 1\.5 mm"
    ):
        mask_of(path, "L1", ct)


def test_frames_beyond_the_ct_are_refused(tmp_path, slices, ct):
    path = written(tmp_path / "a.dcm", slices, both())
    changed(path, lambda dataset: move_frame(dataset, -100))
    with refusal("mask-outside-ct", GridMismatchError, match="30 voxels of frame 1 outside"):
        mask_of(path, "L1", ct)


def test_two_frames_at_one_place_are_refused(tmp_path, slices, ct):
    path = written(tmp_path / "a.dcm", slices, both())
    changed(path, lambda dataset: move_frame(dataset, -34))
    with refusal(
        "seg-frame-repeated",
        CaseError,
        match=r"frames 1 and 2 of 'L1' \(label 1\) at the same place",
    ):
        mask_of(path, "L1", ct)


def test_a_segmentation_of_thicker_slices_is_refused(tmp_path, slices, ct):
    """Its frames fall on every second slice: nothing is interpolated between them."""
    path = written(
        tmp_path / "a.dcm", slices[::2], np.ones((3, 33, 35, 1), np.uint8), labels=["L1"]
    )
    with refusal(
        "mask-skips-slices", GridMismatchError, match="frames that lie 2 slices of the CT apart"
    ):
        mask_of(path, "L1", ct)


def test_pixels_of_another_size_are_refused_with_both_geometries(tmp_path, slices, ct):
    path = written(tmp_path / "a.dcm", slices, both())

    def widen(dataset):
        shared = dataset.SharedFunctionalGroupsSequence[0]
        shared.PixelMeasuresSequence[0].PixelSpacing = [0.75, 0.6]

    changed(path, widen)
    with refusal("mask-off-grid", GridMismatchError) as caught:
        mask_of(path, "L1", ct)
    assert "0.6 v 0.5 mm" in caught.value.found
    assert "Mask: size 35 x 33 x " in caught.value.found
    assert f"CT: {ct}" in caught.value.found
    assert "Specify geometry" in caught.value.remedy


def test_an_empty_segment_is_no_choice(tmp_path, slices):
    pixels = both()
    pixels[..., 1] = 0
    held = read_mask_file(written(tmp_path / "a.dcm", slices, pixels, omit_empty_frames=False))
    assert pick_segment(held, None) == Segment("L1", 1)
    assert held.is_empty(held.segments[1])


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("mask-of-unknown-kind", 0.0),
        ("mask-of-unknown-kind", 0.02),
        ("dicom-mask-unreadable", 0.3),
        ("dicom-mask-unreadable", 0.6),
        ("seg-cut-short", 0.9),
    ],
)
def test_a_file_cut_short_is_refused_without_its_path(code, tmp_path, slices, ct, kept):
    path = written(tmp_path / "a.dcm", slices, both())
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with refusal(code, CaseError) as caught:
        mask_of(path, "L1", ct)
    assert str(tmp_path) not in str(caught.value)


# --- a folder as mask ----------------------------------------------------------------------------


def test_a_folder_with_one_segmentation_among_other_files(tmp_path, slices, ct):
    (tmp_path / "mask").mkdir()
    written(tmp_path / "mask" / "IM1", slices, both())
    slices[0].save_as(tmp_path / "mask" / "IM2")
    (tmp_path / "mask" / "notes.txt").write_text("no DICOM")
    np.testing.assert_array_equal(mask_of(tmp_path / "mask", "L1", ct), L1)


def test_a_folder_with_two_or_no_segmentations_is_refused(tmp_path, slices):
    slices[0].save_as(tmp_path / "IM2")
    with refusal(
        "mask-folder-ambiguous", CaseError, match=r"exactly one.* Found: 1 other DICOM file\(s\)"
    ):
        read_mask_file(tmp_path)
    for name in ("a", "b"):
        written(tmp_path / name, slices, both())
    with refusal(
        "mask-folder-ambiguous", CaseError, match=r"Found: 2 DICOM segmentation\(s\), 1 other DICOM"
    ):
        read_mask_file(tmp_path)


def test_a_damaged_file_beside_a_segmentation_is_told_and_the_remedy_works(tmp_path, slices, ct):
    path = written(tmp_path / "a", slices, both())
    damaged = path.read_bytes().replace(b"\x08\0\x16\0UI", b"\x08\0\x16\0QQ")
    (tmp_path / "b").write_bytes(damaged)
    with refusal(
        "mask-folder-ambiguous",
        CaseError,
        match=r"1 DICOM segmentation\(s\), 1 DICOM file\(s\) that cannot",
    ):
        read_mask_file(tmp_path)
    np.testing.assert_array_equal(mask_of(path, "L1", ct), L1)


def test_an_empty_folder_is_refused(tmp_path):
    with refusal("mask-folder-ambiguous", CaseError, match="an empty folder"):
        read_mask_file(tmp_path)


def test_a_ct_slice_is_no_mask(tmp_path, slices):
    slices[0].save_as(tmp_path / "a.dcm")
    with refusal("mask-of-unknown-kind", CaseError, match="a DICOM file that is neither"):
        read_mask_file(tmp_path / "a.dcm")


def test_an_empty_sop_class_leaves_the_choice_to_the_modality(tmp_path, slices, ct):
    path = written(tmp_path / "a.dcm", slices, both())
    changed(path, lambda dataset: setattr(dataset, "SOPClassUID", ""))
    np.testing.assert_array_equal(mask_of(path, "L1", ct), L1)


# --- public data ---------------------------------------------------------------------------------


def grid_of(folder: Path) -> Geometry:
    return Geometry.of(read_ct(folder).image)


@pytest.mark.parametrize(
    "name",
    ["liver", "liver_deflate", "liver_expb", "liver_j2k", "liver_nonbyte_aligned",
     "liver_nonbyte_aligned_deflate", "liver_nonbyte_aligned_j2k", "liver_nonbyte_aligned_rle",
     "liver_rle"],
)  # fmt: skip
def test_nine_encodings_of_one_segmentation_are_equal(testdata, name):
    """The three frames lie on the three-slice CT of another set, where a label map says what."""
    folder = testdata / "dcmqi_ct_seg"
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "liver_seg.nrrd")))
    path = testdata / "pydicom_enhanced_ct_seg" / f"{name}.dcm"
    found = mask_of(path, "Liver", grid_of(folder / "ct-3slice"))
    np.testing.assert_array_equal(found, expected)


def test_five_overlapping_segments(testdata):
    folder = testdata / "dcmqi_ct_seg"
    held = read_mask_file(folder / "partial_overlaps.dcm")
    ct = grid_of(folder / "ct-3slice")
    maps = [
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"partial_overlaps-{n}.nrrd")))
        for n in (1, 2, 3)
    ]
    for segment, image in zip(held.segments, (0, 1, 2, 0, 0), strict=True):
        found = held.on_grid(segment, ct).voxels
        np.testing.assert_array_equal(found, maps[image] == segment.value)


@pytest.mark.parametrize("name", ["23x38x3", "24x38x3"])
@pytest.mark.parametrize("given", ["seg", "seg/label.seg"])
def test_pixels_that_do_not_fill_bytes(testdata, name, given):
    folder = testdata / "dcmqi_ct_seg" / name
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "nrrd" / "label.nrrd")))
    found = mask_of(folder / given, None, grid_of(folder / "image"))
    np.testing.assert_array_equal(found, expected != 0)


@pytest.mark.parametrize("name", ["noppv", "ppv5"])
def test_label_maps_that_leave_a_slice_out(testdata, name):
    """The middle slice holds background alone, whose number is 0 or the padding value."""
    folder = testdata / "dcmqi_ct_seg"
    held = read_mask_file(folder / f"sparse-labelmap-{name}.dcm")
    assert held.segments == [Segment("Liver", 1)]
    image = sitk.ReadImage(str(folder / f"sparse_labelmap_{name}_seg.nrrd"))
    found = held.on_grid(held.segments[0], Geometry.of(image)).voxels
    np.testing.assert_array_equal(found, sitk.GetArrayFromImage(image) == 1)


def test_a_segmentation_of_an_enhanced_ct(testdata, tmp_path):
    """Two frames of one file, their rows running against the patient's axes."""
    source = testdata / "pydicom_enhanced_ct_seg" / "eCT_Supplemental.dcm"
    (tmp_path / "ct").mkdir()
    shutil.copy(source, tmp_path / "ct")
    image = read_ct(tmp_path / "ct").image
    drawn = np.zeros((2, 512, 512), np.uint8)
    drawn[0, 100:200, 150:300] = 1
    drawn[1, 110:200, 150:310] = 1
    dataset = pydicom.dcmread(source)
    path = written(tmp_path / "a.dcm", [dataset], drawn, labels=["L1"])
    held = read_mask_file(path)
    placed = held.on_grid(held.segments[0], Geometry.of(image))
    # What was drawn on a frame lies on the voxels that hold the frame's values.
    hu = sitk.GetArrayFromImage(image)
    frames = highdicom.Image.from_dataset(dataset).get_frames(apply_modality_transform=True)
    values = np.sort(frames[drawn != 0])
    np.testing.assert_allclose(np.sort(hu[placed.voxels != 0]), values)
    assert placed.voxels.sum() == drawn.sum()


def test_the_reference_reader_agrees(testdata):
    """highdicom decodes the same frames, where it reads the file at all."""
    compared = 0
    for path in sorted(testdata.glob("*_ct_seg/*liver*.dcm")):
        try:
            reference = highdicom.seg.segread(path)
            pixels = reference.pixel_array
        except (ValueError, RuntimeError):
            continue  # big endian, deflated frames, packed bits by RLE
        heights = [
            frame.PlanePositionSequence[0].ImagePositionPatient[2]
            for frame in reference.PerFrameFunctionalGroupsSequence
        ]
        held = read_dicom_seg(path)
        found = held.on_grid(held.segments[0], held.geometry).voxels
        np.testing.assert_array_equal(found, pixels[np.argsort(heights)])
        compared += 1
    assert compared == 5


def test_a_claimed_length_of_gigabytes_asks_for_no_memory(tmp_path, slices):
    import resource

    path = written(tmp_path / "a.dcm", slices, both())
    content = path.read_bytes()
    manufacturer = b"\x08\0\x70\0LO\x06\0Maker "
    assert manufacturer in content
    claims = b"\x08\0\x70\0UN\0\0\xf0\xff\xff\xffMa"  # four gigabytes
    path.write_bytes(content.replace(manufacturer, claims))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with refusal("dicom-mask-unreadable", CaseError, match="DICOM"):
        read_mask_file(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 100_000  # kB
