"""RT structure sets: contours become the voxels whose centres they hold, or are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from scipy.spatial.transform import Rotation

from intake.handover.writing.cleaning import clean_dicom
from pipeline.core.errors import CaseError
from pipeline.imaging.dicom.dicom_unknown import known_element
from pipeline.imaging.geometry import Geometry, GridMismatchError
from segmentation.formats.contours import fill
from segmentation.formats.dicom_files import RTSTRUCT_CLASS
from segmentation.formats.mask_files import read_mask_file
from segmentation.formats.rtstruct import PLANE_TOLERANCE_SLICES
from segmentation.structures.segments import Segment, first_drawn, pick_segment
from tests.support.refusals import refusal

CANARY = "PHI-CANARY-0010-0010"
SERIES = "2.25.1234567"

#: 24 columns of 0.5 mm, 20 rows of 0.75 mm, 9 slices of 3 mm.
CT = Geometry((24, 20, 9), (0.5, 0.75, 3.0), (-10.0, 5.0, 100.0), tuple(np.eye(3).ravel()))
BOX = [(3, 4), (11, 4), (11, 9), (3, 9)]
HOLE = [(5, 5), (8, 5), (8, 7), (5, 7)]


# --- contours to pixels --------------------------------------------------------------------------


def box_mask(columns, rows, shape=(20, 24)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def test_an_edge_through_centres_belongs_to_the_lower_side():
    np.testing.assert_array_equal(fill([np.array(BOX)], (20, 24)), box_mask((3, 11), (4, 9)))
    between = np.array(BOX) - 0.5
    np.testing.assert_array_equal(fill([between], (20, 24)), box_mask((3, 11), (4, 9)))


def test_a_contour_in_a_contour_is_a_hole_and_one_in_the_hole_an_island():
    island = [(6, 5.5), (7.5, 5.5), (7.5, 6.5), (6, 6.5)]
    expected = box_mask((3, 11), (4, 9)) ^ box_mask((5, 8), (5, 7)) ^ box_mask((6, 8), (6, 7))
    found = fill([np.array(one, dtype=float) for one in (BOX, HOLE, island)], (20, 24))
    np.testing.assert_array_equal(found, expected)


def test_a_hole_through_a_keyhole():
    """Some programs join hole and outline by a line that is walked to and fro."""
    keyhole = [(3, 4), (5, 5), (5, 7), (8, 7), (8, 5), (5, 5), (3, 4), (11, 4), (11, 9), (3, 9)]
    expected = box_mask((3, 11), (4, 9)) ^ box_mask((5, 8), (5, 7))
    np.testing.assert_array_equal(fill([np.array(keyhole)], (20, 24)), expected)


def test_what_lies_beyond_the_image_is_cut_off():
    around = np.array([(-50, -50), (90, -50), (90, 90), (-50, 90)])
    assert fill([around], (20, 24)).all()
    assert not fill([around + 500], (20, 24)).any()
    assert not fill([], (20, 24)).any()


@given(
    st.integers(0, 2**32 - 1),
    st.integers(3, 40),
)
def test_random_polygons_equal_those_of_another_library(seed, corners):
    """Random corners lie on no pixel centre, where libraries differ."""
    generator = np.random.default_rng(seed)
    angles = np.sort(generator.uniform(0, 2 * np.pi, corners))
    radius = generator.uniform(2, 14, corners)
    polygon = np.c_[15 + radius * np.cos(angles), 14 + radius * np.sin(angles)]
    row, column = np.mgrid[:30, :32]
    outline = Outline(np.r_[polygon, polygon[:1]], closed=True)
    expected = outline.contains_points(np.c_[column.ravel(), row.ravel()]).reshape(30, 32)
    np.testing.assert_array_equal(fill([polygon], (30, 32)), expected)


@given(st.floats(8, 20), st.floats(8, 20), st.floats(2, 7), st.floats(2, 7), st.floats(0, np.pi))
def test_an_ellipse_equals_its_equation(x, y, a, b, angle):
    """A contour of many points holds the centres for which the ellipse's equation says inside."""
    phase = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    polygon = (turn @ [a * np.cos(phase), b * np.sin(phase)]).T + np.array([x, y])
    row, column = np.mgrid[:30, :30]
    along = turn.T @ np.stack([column - x, row - y]).reshape(2, -1)
    level = np.hypot(along[0] / a, along[1] / b).reshape(30, 30)
    clear = np.abs(level - 1) > 1e-3  # the polygon cuts the ellipse's bow by less than this
    np.testing.assert_array_equal(fill([polygon], (30, 30))[clear], (level < 1)[clear])


@given(
    st.lists(st.tuples(st.integers(1, 18), st.integers(1, 18)), min_size=1, max_size=6, unique=True)
)
def test_parts_of_an_area_share_no_pixel_and_leave_none_out(inner):
    """Triangles from whole-numbered corners cross many centres; each belongs to one triangle."""
    from scipy.spatial import Delaunay

    corners = np.array([(0, 0), (19, 0), (19, 19), (0, 19), *inner], dtype=float)
    parts = [fill([corners[triangle]], (20, 20)) for triangle in Delaunay(corners).simplices]
    whole = fill([corners[:4]], (20, 20))
    np.testing.assert_array_equal(np.sum(parts, axis=0), whole.astype(int))


# --- structure sets ------------------------------------------------------------------------------


def to_patient(geometry: Geometry, points, slice_index: float, axis: int = 2) -> np.ndarray:
    """Return in-plane index coordinates as millimetres."""
    index = np.insert(np.asarray(points, dtype=float), axis, slice_index, axis=1)
    return index @ geometry.affine[:3, :3].T + geometry.affine[:3, 3]


def structure_set(path: Path, regions: dict[str, list], *, decimals: int = 2, kinds=None) -> Path:
    """Write a structure set; each region is a list of contours in mm, shape (n, 3)."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = RTSTRUCT_CLASS
    meta.MediaStorageSOPInstanceUID = "2.25.1"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PatientName = data.PatientID = CANARY
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = RTSTRUCT_CLASS, "2.25.1", "RTSTRUCT"
    series = Dataset()
    series.SeriesInstanceUID = SERIES
    study = Dataset()
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.RTReferencedStudySequence = [study]
    data.ReferencedFrameOfReferenceSequence = [frame]
    data.StructureSetROISequence, data.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(regions.items(), start=5):
        roi = Dataset()
        roi.ROINumber, roi.ROIName = number, name
        data.StructureSetROISequence.append(roi)
        drawn = Dataset()
        drawn.ReferencedROINumber = number
        drawn.ContourSequence = []
        for place, points in enumerate(contours):
            contour = Dataset()
            contour.ContourGeometricType = (kinds or {}).get(place, "CLOSED_PLANAR")
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{value:.{decimals}f}" for value in np.ravel(points)]
            drawn.ContourSequence.append(contour)
        data.ROIContourSequence.append(drawn)
    data.save_as(path, enforce_file_format=True)
    return path


def mask_of(path: Path, ct: Geometry, label: str | None = None) -> np.ndarray:
    held = read_mask_file(path)
    return held.on_grid(pick_segment(held, label), ct).voxels


def drawn_on(*slices: float, ct: Geometry = CT) -> list[np.ndarray]:
    return [to_patient(ct, np.array(BOX) - 0.5, place) for place in slices]


def expected_on(*slices: int) -> np.ndarray:
    mask = np.zeros((9, 20, 24), bool)
    mask[list(slices)] = box_mask((3, 11), (4, 9))
    return mask


def test_contours_fill_their_slices(tmp_path):
    path = structure_set(tmp_path / "rs.dcm", {"L1": drawn_on(2, 3, 4), "L2": drawn_on(6)})
    held = read_mask_file(path)
    assert held.segments == [Segment("L1", 5), Segment("L2", 6)]
    assert held.references == {SERIES}
    np.testing.assert_array_equal(mask_of(path, CT, "L1"), expected_on(2, 3, 4))
    np.testing.assert_array_equal(mask_of(path, CT, "6"), expected_on(6))


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_a_hole_and_several_contours_on_a_slice(tmp_path, kind):
    hole = to_patient(CT, np.array(HOLE) - 0.5, 3)
    beside = to_patient(CT, np.array([(15, 2), (18, 2), (18, 6), (15, 6)]) - 0.5, 3)
    contours = [*drawn_on(3), hole, beside]
    path = structure_set(tmp_path / "rs.dcm", {"L1": contours}, kinds=dict.fromkeys(range(3), kind))
    expected = expected_on(3)
    expected[3] ^= box_mask((5, 8), (5, 7)) | box_mask((15, 18), (2, 6))
    held = read_mask_file(path)
    placed = held.on_grid(held.segments[0], CT)
    np.testing.assert_array_equal(placed.voxels, expected)
    assert placed.findings == []


def test_contours_that_cross_are_a_warning(tmp_path):
    other = to_patient(CT, np.array([(8, 6), (14, 6), (14, 12), (8, 12)]) - 0.5, 3)
    path = structure_set(tmp_path / "rs.dcm", {"L1": [*drawn_on(3, 4), other]})
    held = read_mask_file(path)
    (finding,) = held.on_grid(held.segments[0], CT).findings
    assert (finding.code, finding.severity) == ("contours-cross", "warning")
    assert "on 1 slice(s)" in finding.message


def test_a_contour_twice_is_a_warning(tmp_path):
    """Exclusive or leaves nothing of it."""
    path = structure_set(tmp_path / "rs.dcm", {"L1": [*drawn_on(3, 4), *drawn_on(4)]})
    held = read_mask_file(path)
    placed = held.on_grid(held.segments[0], CT)
    np.testing.assert_array_equal(placed.voxels, expected_on(3))
    assert [one.code for one in placed.findings] == ["contours-cross"]


def test_contours_traced_through_pixel_centres_are_a_warning(tmp_path):
    path = structure_set(tmp_path / "rs.dcm", {"L1": [to_patient(CT, BOX, 3)]}, decimals=4)
    held = read_mask_file(path)
    placed = held.on_grid(held.segments[0], CT)
    np.testing.assert_array_equal(placed.voxels, expected_on(3))
    assert [(one.code, one.severity) for one in placed.findings] == [
        ("contours-through-centres", "warning")
    ]


@given(st.integers(0, 2**32 - 1))
def test_an_oblique_scan_is_filled_like_a_straight_one(seed):
    from segmentation.formats.rtstruct import ContourSet

    generator = np.random.default_rng(seed)
    turned = Rotation.random(rng=generator).as_matrix()
    ct = Geometry(
        CT.size, CT.spacing, tuple(generator.uniform(-300, 300, 3)), tuple(turned.ravel())
    )
    contours = [*drawn_on(2, 3, ct=ct), to_patient(ct, np.array(HOLE) - 0.5, 3)]
    held = ContourSet({1: contours}, [Segment("L1", 1)], [], frozenset())
    expected = expected_on(2, 3)
    expected[3] ^= box_mask((5, 8), (5, 7))
    np.testing.assert_array_equal(held.on_grid(held.segments[0], ct).voxels, expected)


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0), (0, 2, 1)])
def test_a_ct_whose_slices_are_not_its_last_axis(tmp_path, order):
    """A NIfTI of the CT may store its axes in another order; contours stay axial."""
    axes = CT.affine[:, [*order, 3]]
    ct = Geometry.from_affine(axes, [CT.size[axis] for axis in order])
    path = structure_set(tmp_path / "rs.dcm", {"L1": drawn_on(2, 3)})
    found = mask_of(path, ct)
    turned = expected_on(2, 3).transpose(2, 1, 0).transpose(order).transpose(2, 1, 0)
    np.testing.assert_array_equal(found, turned)


@pytest.mark.parametrize("name", ["腰椎一", "позвонок L1", "فقرة", "L\u00e9sion"])
def test_names_in_any_script(tmp_path, name):
    path = structure_set(tmp_path / "rs.dcm", {name: drawn_on(2), "other": drawn_on(5)})
    np.testing.assert_array_equal(mask_of(path, CT, name), expected_on(2))


def test_points_and_lines_enclose_nothing(tmp_path):
    marks = [to_patient(CT, [(5, 5)], 7), to_patient(CT, [(5, 5), (6, 6)], 7)]
    path = structure_set(tmp_path / "rs.dcm", {"L1": [*marks, *drawn_on(2)]}, kinds={0: "POINT"})
    np.testing.assert_array_equal(mask_of(path, CT), expected_on(2))


# --- what is refused -----------------------------------------------------------------------------


def test_rounded_planes_are_taken_and_contours_between_slices_are_refused(tmp_path):
    off = PLANE_TOLERANCE_SLICES * 0.9
    path = structure_set(tmp_path / "a.dcm", {"L1": drawn_on(2 + off, 3 - off)})
    np.testing.assert_array_equal(mask_of(path, CT), expected_on(2, 3))
    path = structure_set(tmp_path / "b.dcm", {"L1": drawn_on(2, 3.5, 4)})
    with refusal("contours-off-planes", GridMismatchError) as caught:
        mask_of(path, CT)
    found = caught.value.found
    assert found.startswith("1 of 3 contours between slices, off by 1.5 mm, where 0.1 of 3 mm are")
    assert "Contours: 3 contours, mostly 3 mm apart in z, x -8.75 to -4.75, y 7.62 to" in found
    assert f"CT: {CT}" in found


def test_contours_on_every_second_slice_are_refused(tmp_path):
    path = structure_set(tmp_path / "a.dcm", {"L1": drawn_on(2, 4, 6)})
    with refusal(
        "mask-skips-slices", GridMismatchError, match="contours that lie 2 slices of the CT apart"
    ):
        mask_of(path, CT)


def test_contours_turned_against_the_slices_are_refused(tmp_path):
    turned = Rotation.from_euler("xyz", [30, 20, 0], degrees=True).as_matrix()
    path = structure_set(tmp_path / "a.dcm", {"L1": [drawn_on(2)[0] @ turned.T]})
    with refusal("contours-off-planes", GridMismatchError):
        mask_of(path, CT)


@pytest.mark.parametrize("moved", [(40.0, 0.0, 0.0), (0.0, 40.0, 0.0), (0.0, 0.0, 60.0)])
def test_contours_outside_the_ct_are_refused(tmp_path, moved):
    path = structure_set(tmp_path / "a.dcm", {"L1": [one + moved for one in drawn_on(2, 3)]})
    with refusal("mask-outside-ct", GridMismatchError, match="2 of 2 contours outside"):
        mask_of(path, CT)


def test_a_region_without_contours_says_which_have_some(tmp_path):
    path = structure_set(tmp_path / "a.dcm", {"L1": [], "L2": drawn_on(2)})
    assert pick_segment(read_mask_file(path), None) == Segment("L2", 6)
    with refusal(
        "contours-missing",
        CaseError,
        match=r"none for 'L1' \(label 5\); regions .*'L2' \(label 6\)",
    ):
        mask_of(path, CT, "L1")


def test_open_contours_are_refused_where_their_region_is_wanted(tmp_path):
    path = structure_set(
        tmp_path / "a.dcm", {"L1": drawn_on(2, 3), "L2": drawn_on(4)}, kinds={1: "OPEN_PLANAR"}
    )
    with refusal("contours-not-closed", CaseError, match=r"contour 2 of 'L1' \(label 5\), wh"):
        mask_of(path, CT, "L1")
    np.testing.assert_array_equal(mask_of(path, CT, "L2"), expected_on(4))
    with refusal("structure-ambiguous", CaseError):
        pick_segment(read_mask_file(path), None)  # something is drawn in both


#: Changes to the first of two regions of a structure set, and what is then said of it.
FIRST_REGION = [
    (
        lambda d: delattr(d.StructureSetROISequence[0], "ROINumber"),
        "rtstruct-undescribed",
        "'L1' without number",
    ),
    (
        lambda d: setattr(d.ROIContourSequence[0], "ReferencedROINumber", 9),
        "contours-missing",
        r"none for 'L1' .*'L2' \(label 6\), one that the file does not describe",
    ),
    (
        lambda d: delattr(d.ROIContourSequence[0], "ReferencedROINumber"),
        "contours-missing",
        r"none for 'L1' .*'L2' \(label 6\), one that the file does not describe",
    ),
    (
        lambda d: delattr(d.ROIContourSequence[0], "ContourSequence"),
        "contours-missing",
        "none for 'L1'",
    ),
    (
        lambda d: setattr(d.ROIContourSequence[0].ContourSequence[0], "ContourData", ["1", "2"]),
        "rtstruct-undescribed",
        r"contour 1 of 'L1' \(label 5\), without whole points",
    ),
    (
        lambda d: setattr(d.ROIContourSequence[0].ContourSequence[0], "ContourData", ["1e300"] * 9),
        "rtstruct-undescribed",
        r"contour 1 of 'L1' \(label 5\), without whole points",
    ),
    (
        lambda d: setattr(d.ROIContourSequence[0].ContourSequence[0], "NumberOfContourPoints", 40),
        "rtstruct-undescribed",
        "states 40 points and holds 4",
    ),
    (
        lambda d: setattr(
            d.ROIContourSequence[0].ContourSequence[0], "ContourOffsetVector", [0, 0, 9]
        ),
        "rtstruct-undescribed",
        "moved by an offset",
    ),
    (
        lambda d: setattr(
            d.ROIContourSequence[0].ContourSequence[0], "ContourGeometricType", "OPEN_NONPLANAR"
        ),
        "contours-not-closed",
        "which is open or of an unknown kind",
    ),
]


def test_a_structure_set_without_regions_is_refused(tmp_path):
    path = structure_set(tmp_path / "a.dcm", {"L1": drawn_on(2)})
    data = pydicom.dcmread(path)
    del data.StructureSetROISequence
    data.save_as(path)
    with refusal("rtstruct-undescribed", CaseError, match="no region of interest"):
        read_mask_file(path)


@pytest.mark.parametrize(("change", "code", "message"), FIRST_REGION)
def test_only_the_region_that_is_wanted_is_judged(tmp_path, change, code, message):
    path = structure_set(tmp_path / "a.dcm", {"L1": drawn_on(2), "L2": drawn_on(3)})
    data = pydicom.dcmread(path)
    change(data)
    data.save_as(path)
    with refusal(code, CaseError, match=message) as caught:
        mask_of(path, CT, "L1")
    assert CANARY not in str(caught.value)
    np.testing.assert_array_equal(mask_of(path, CT, "L2"), expected_on(3))


def test_two_regions_of_one_number_are_refused_and_spoil_no_third(tmp_path):
    path = structure_set(
        tmp_path / "a.dcm", {"L1": drawn_on(2), "T12": drawn_on(3), "L2": drawn_on(4)}
    )
    data = pydicom.dcmread(path)
    data.StructureSetROISequence[1].ROINumber = 5
    data.ROIContourSequence[1].ReferencedROINumber = 5
    data.save_as(path)
    with refusal("rtstruct-undescribed", CaseError, match="of one number, 5: 'L1' and 'T12'"):
        mask_of(path, CT, "L1")
    np.testing.assert_array_equal(mask_of(path, CT, "L2"), expected_on(4))


def test_two_sets_of_contours_of_one_region_are_refused_and_spoil_no_other(tmp_path):
    path = structure_set(
        tmp_path / "a.dcm", {"L1": drawn_on(2), "T12": drawn_on(3), "L2": drawn_on(4)}
    )
    data = pydicom.dcmread(path)
    first = data.ROIContourSequence[0].ReferencedROINumber
    data.ROIContourSequence[1].ReferencedROINumber = first
    data.save_as(path)
    with refusal("rtstruct-undescribed", CaseError, match="two sets of contours for 'L1'"):
        mask_of(path, CT, "L1")
    np.testing.assert_array_equal(mask_of(path, CT, "L2"), expected_on(4))


def test_two_regions_of_one_name_can_be_told_by_number(tmp_path):
    path = structure_set(tmp_path / "a.dcm", {"L1": drawn_on(2), "L1 ": drawn_on(3)})
    with refusal("structure-ambiguous", CaseError, match=r"'L1' \(label 5\), 'L1' \(label 6\)"):
        mask_of(path, CT, "L1")
    np.testing.assert_array_equal(mask_of(path, CT, "6"), expected_on(3))


LONG = 1500  # repetitions of four points of three numbers: more than 65,534 bytes
LONG_TEXT = pytest.mark.filterwarnings(r"ignore:(.|\n)*The value for the data element:UserWarning")


@pytest.mark.parametrize("wanted", ["L1", "BODY"])
@LONG_TEXT
def test_a_contour_of_more_than_64_kb_is_read(tmp_path, wanted):
    """Explicit encodings have no room for its length: its value representation is unknown."""
    (outline,) = drawn_on(3)
    body = np.repeat(outline, LONG, axis=0)
    path = structure_set(tmp_path / "a.dcm", {"L1": drawn_on(2), "BODY": [body]})
    contours = pydicom.dcmread(path).ROIContourSequence[1].ContourSequence
    assert contours[0]["ContourData"].VR == "UN"
    expected = expected_on(2 if wanted == "L1" else 3)
    np.testing.assert_array_equal(mask_of(path, CT, wanted), expected)
    copy = tmp_path / "copy.dcm"
    clean_dicom(path, copy, lambda uid: f"2.25.{len(uid)}", lambda name, number: name)
    assert CANARY.encode() not in copy.read_bytes()
    np.testing.assert_array_equal(mask_of(copy, CT, wanted), expected)


@LONG_TEXT
def test_sequences_that_an_archive_wrote_as_unknown_are_read(tmp_path):
    """An archive that does not know an attribute writes it as UN, in implicit encoding."""
    outline, other = drawn_on(2, 3)
    path = structure_set(tmp_path / "a.dcm", {"L1": [outline, np.repeat(other, LONG, axis=0)]})
    data = pydicom.dcmread(path)
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = True, True
    write_sequence(stream, data["ROIContourSequence"], ["utf-8"])
    unknown = DataElement(0x30060039, "UN", stream.getvalue(), already_converted=True)
    data[0x30060039] = unknown
    data.save_as(path)
    assert pydicom.dcmread(path)["ROIContourSequence"].VR == "UN"
    np.testing.assert_array_equal(mask_of(path, CT, "L1"), expected_on(2, 3))


def test_unknown_bytes_that_are_no_numbers_are_no_contour(tmp_path):
    damaged = DataElement(0x30060050, "UN", b"\xff" * 70000, already_converted=True)
    with pytest.raises(ValueError, match="ascii"):
        known_element(damaged)
    path = structure_set(tmp_path / "a.dcm", {"L1": drawn_on(2), "L2": drawn_on(3)})
    data = pydicom.dcmread(path)
    data.ROIContourSequence[0].ContourSequence[0][0x30060050] = damaged
    data.save_as(path)
    with refusal("rtstruct-undescribed", CaseError, match="without whole points"):
        mask_of(path, CT, "L1")
    np.testing.assert_array_equal(mask_of(path, CT, "L2"), expected_on(3))


def test_a_structure_set_in_a_folder(tmp_path):
    structure_set(tmp_path / "a", {"L1": drawn_on(2)})
    np.testing.assert_array_equal(mask_of(tmp_path, CT), expected_on(2))


def test_a_structure_set_without_preamble(tmp_path):
    """Some planning systems leave out the first 132 bytes."""
    path = structure_set(tmp_path / "a.dcm", {"L1": drawn_on(2)})
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    data.save_as(path)
    content = path.read_bytes()
    (tmp_path / "c").write_bytes(content[content.index(b"\x08\0\x05\0") :])
    np.testing.assert_array_equal(mask_of(tmp_path / "c", CT), expected_on(2))


def test_a_damaged_value_is_one_error_without_its_content(tmp_path):
    """pydicom reads values as they are asked for, and fails there in many ways."""
    path = structure_set(tmp_path / "a.dcm", {"L1": drawn_on(2)})
    content = path.read_bytes()
    damaged = content.replace(b"\x06\x30\x26\x00LO", b"\x06\x30\x26\x00QQ")
    assert damaged != content
    path.write_bytes(damaged)
    with refusal("dicom-mask-unreadable", CaseError) as caught:
        read_mask_file(path)
    assert "NotImplementedError" in str(caught.value)


@pytest.mark.parametrize("missing", [*range(2, 60, 4), 100, 300, 600, 900])
def test_a_file_cut_short_anywhere_is_refused(tmp_path, missing):
    """Half of the contours would be another mask."""
    path = structure_set(tmp_path / "a.dcm", {"L1": drawn_on(2, 3, 4), "L2": drawn_on(5, 6)})
    content = path.read_bytes()
    path.write_bytes(content[:-missing])
    code = "rtstruct-undescribed" if missing == 900 else "dicom-mask-unreadable"
    with refusal(code, CaseError):
        read_mask_file(path)


def test_a_grid_is_tried_by_a_region_that_is_sound(tmp_path):
    """An open catheter that stands first must not say that the structure set fits no series."""
    path = structure_set(
        tmp_path / "a.dcm", {"Catheter": drawn_on(2), "L1": drawn_on(3)}, kinds={0: "OPEN_PLANAR"}
    )
    data = pydicom.dcmread(path)
    data.ROIContourSequence[1].ContourSequence[0].ContourGeometricType = "CLOSED_PLANAR"
    data.save_as(path)
    held = read_mask_file(path)
    assert first_drawn(held).name == "L1"
    assert held.fits(first_drawn(held), CT)
    assert not held.fits(held.segments[0], CT)
