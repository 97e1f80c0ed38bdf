"""Mask files: which structure a label means, in label maps and Slicer segmentations."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
import slicerio

from pipeline.core.errors import CaseError
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.volumes import read_volume
from segmentation.formats.mask_files import read_mask_file
from segmentation.regions.reference_series import series_grids
from segmentation.structures.segments import Segment, pick_segment
from tests.support.refusals import refusal


def mask_on_grid(held, segment, target: Geometry) -> np.ndarray:
    return held.on_grid(segment, target).voxels


#: Segmentations saved by 3D Slicer, which come with slicerio.
SLICER = Path(slicerio.__file__).parent / "data"


def label_map(path: Path, labels: np.ndarray, spacing=(0.7, 0.7, 3.0)) -> Path:
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))
    return path


LABELS = np.zeros((4, 5, 6), np.uint8)
LABELS[1, 1:3, 1:3] = 22
LABELS[2, 3, 4] = 23


@pytest.mark.parametrize("name", ["m.nrrd", "m.nii.gz", "m.nii"])
def test_a_label_is_picked_by_number(tmp_path, name):
    held = read_mask_file(label_map(tmp_path / name, LABELS))
    segment = pick_segment(held, " 22 ")
    mask = mask_on_grid(held, segment, held.geometry)
    np.testing.assert_array_equal(mask, LABELS == 22)
    assert mask.dtype == np.uint8


def test_one_label_needs_no_name(tmp_path):
    held = read_mask_file(label_map(tmp_path / "m.nrrd", np.minimum(LABELS, 22) * (LABELS == 22)))
    assert pick_segment(held, None) == Segment(None, 22)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (None, "Found: the file holds 22, 23"),
        ("24", "label '24'; the file holds 22, 23"),
        ("L3", "label 'L3'; the file holds 22, 23"),
        ("2", "label '2'; the file holds 22, 23"),
    ],
)
def test_another_label_lists_what_the_file_holds(tmp_path, label, message):
    held = read_mask_file(label_map(tmp_path / "m.nrrd", LABELS))
    with refusal("structure-ambiguous", CaseError, match=message):
        pick_segment(held, label)


def test_an_empty_file_says_so(tmp_path):
    held = read_mask_file(label_map(tmp_path / "m.nrrd", LABELS * 0))
    for label in ("1", None):
        with refusal("mask-empty", CaseError, match="Found: the file is empty"):
            pick_segment(held, label)


def test_whole_numbers_in_floating_point_are_labels_and_fractions_are_not(tmp_path):
    held = read_mask_file(label_map(tmp_path / "a.nrrd", LABELS.astype(np.float32)))
    assert held.segments == [Segment(None, 22), Segment(None, 23)]
    label_map(tmp_path / "b.nrrd", LABELS * np.float32(0.01))
    with refusal("label-map-fractional", CaseError, match=r"fractions from 0 to 0\.23"):
        read_mask_file(tmp_path / "b.nrrd")


def rescaled(path: Path, labels: np.ndarray, stored: type) -> Path:
    """Write a label map as nibabel does whose numbers are floating and whose type is `stored`."""
    image = nibabel.Nifti1Image(labels.astype(float).transpose(2, 1, 0), np.diag([1.0, 1, 1, 1]))
    image.set_data_dtype(stored)
    nibabel.save(image, path)
    assert image.dataobj is not None
    return path


MANY = np.zeros((4, 5, 6), np.uint8)
MANY.ravel()[:117] = np.arange(1, 118)


def test_a_label_map_saved_again_with_a_slope_is_read_where_rounding_left_whole_numbers(tmp_path):
    held = read_mask_file(rescaled(tmp_path / "a.nii.gz", MANY, np.int16))
    assert nibabel.load(tmp_path / "a.nii.gz").dataobj.slope != 1
    assert [one.value for one in held.segments] == list(range(1, 118))
    mask = mask_on_grid(held, pick_segment(held, "31"), held.geometry)
    np.testing.assert_array_equal(mask, MANY == 31)


def test_a_slope_that_leaves_fractions_is_named_and_its_remedy_works(tmp_path):
    path = rescaled(tmp_path / "a.nii.gz", MANY, np.uint8)
    with refusal(
        "label-map-fractional",
        CaseError,
        match=r"header multiplies stored numbers by scl_slope 0\.458",
    ):
        read_mask_file(path)
    image = nibabel.Nifti1Image(MANY.transpose(2, 1, 0), np.diag([1.0, 1, 1, 1]))
    nibabel.save(image, path)
    assert len(read_mask_file(path).segments) == 117


def test_a_label_map_without_finite_numbers_is_refused(tmp_path):
    label_map(tmp_path / "a.nrrd", np.full((4, 5, 6), np.nan, np.float32))
    with refusal(
        "label-map-fractional", CaseError, match="none finite, 120 voxels that are no number"
    ):
        read_mask_file(tmp_path / "a.nrrd")


@pytest.mark.parametrize(
    "name", ["m.nii.GZ", "M.Nii.gz", "m.NII.GZ", "m.NII", "m.NRRD", "m.Seg.NRRD", "m.seg.Nrrd"]
)
def test_an_ending_in_any_letters(tmp_path, name, capfd):
    plain = tmp_path / f"plain{''.join(Path(name).suffixes[-2:]).lower()}"
    if "seg" in name.lower():
        seg_nrrd(plain, LABELS, NAMED)
    else:
        label_map(plain, LABELS)
    plain.rename(tmp_path / name)
    held = read_mask_file(tmp_path / name)
    mask = mask_on_grid(held, pick_segment(held, "22"), held.geometry)
    np.testing.assert_array_equal(mask, LABELS == 22)
    (grid,) = series_grids(tmp_path / name)
    assert grid.geometry.size == held.geometry.size
    assert capfd.readouterr() == ("", "")


def test_layers_of_a_file_whose_ending_is_in_any_letters(tmp_path, capfd):
    header = segments({"Name": "T12"}, {"Name": "L1"})
    path = layered(tmp_path / "m.seg.nrrd", np.stack([UPPER, LOWER]), header)
    held = read_mask_file(path.rename(tmp_path / "m.Seg.Nrrd"))
    mask = mask_on_grid(held, pick_segment(held, "L1"), held.geometry)
    np.testing.assert_array_equal(mask, LOWER)
    assert capfd.readouterr() == ("", "")


def test_a_sibling_of_an_ending_in_capitals_is_noticed(tmp_path):
    label_map(tmp_path / "m.nii.gz", LABELS).rename(tmp_path / "m.nii.GZ")
    label_map(tmp_path / "m.nii", LABELS)
    with refusal("nifti-packed-and-plain", CaseError):
        read_mask_file(tmp_path / "m.nii.GZ")


@pytest.mark.parametrize("name", ["m.dcm", "m.mha", "m.nhdr", "m"])
def test_other_formats_are_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(200))
    with refusal("mask-of-unknown-kind", CaseError, match=r"\.nrrd, \.seg\.nrrd, \.nii, \.nii\.gz"):
        read_mask_file(tmp_path / name)


# --- 3D Slicer ---------------------------------------------------------------------------------


def test_segments_by_name_or_number():
    held = read_mask_file(SLICER / "Segmentation.seg.nrrd")
    assert held.layers.shape == (1, 34, 128, 128)
    assert pick_segment(held, "ribs") == pick_segment(held, "1") == Segment("ribs", 1)


def test_the_geometry_is_that_of_itk():
    held = read_mask_file(SLICER / "Segmentation.seg.nrrd")
    image = sitk.ReadImage(str(SLICER / "Segmentation.seg.nrrd"))
    np.testing.assert_allclose(held.geometry.affine, Geometry.of(image).affine, atol=1e-9)
    np.testing.assert_array_equal(held.layers[0], sitk.GetArrayFromImage(image))


def test_a_segment_lies_on_its_ct():
    held = read_mask_file(SLICER / "Segmentation.seg.nrrd")
    ct = Geometry.of(sitk.ReadImage(str(SLICER / "CTChest4.nrrd")))
    mask = mask_on_grid(held, pick_segment(held, "thoracic vertebral column"), ct)
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(SLICER / "CTChest4.nrrd")))
    assert mask.shape == values.shape
    assert 150 < values[mask == 1].mean() < 400  # bone, in HU


def test_overlapping_segments_lie_on_layers():
    """Numbers repeat across layers; names decide, and a number that is not unique is refused."""
    held = read_mask_file(SLICER / "SegmentationOverlapping.seg.nrrd")
    assert held.layers.shape == (2, 34, 128, 128)
    sphere = pick_segment(held, "overlapping sphere")
    assert sphere == Segment("overlapping sphere", 1, 1)
    ribs = pick_segment(held, "ribs")
    first, second = (mask_on_grid(held, one, held.geometry) for one in (ribs, sphere))
    assert (first & second).any() or not np.array_equal(first, second)
    with refusal(
        "structure-ambiguous", CaseError, match=r"label '1'; the file holds 'ribs' \(label 1\)"
    ):
        pick_segment(held, "1")


def seg_nrrd(path: Path, labels: np.ndarray, header: dict) -> Path:
    nrrd.write(
        str(path),
        labels.transpose(2, 1, 0),
        {
            "space": "left-posterior-superior",
            "space directions": np.diag([0.7, 0.7, 3.0]),
            "space origin": [0.0, 0.0, 0.0],
            "kinds": ["domain"] * 3,
            **header,
        },
    )
    return path


NAMED = {
    "Segment0_ID": "Segment_1",
    "Segment0_Name": "L3",
    "Segment0_LabelValue": "22",
    "Segment0_Layer": "0",
    "Segmentation_MasterRepresentation": "Binary labelmap",
}


def test_a_cropped_segmentation_goes_to_its_place(tmp_path):
    """Slicer saves the smallest box that holds the segments; the origin says where."""
    cropped = LABELS[1:, 1:, 1:]
    path = seg_nrrd(tmp_path / "m.seg.nrrd", cropped, {**NAMED, "space origin": [0.7, 0.7, 3.0]})
    held = read_mask_file(path)
    full = Geometry.from_affine(np.diag([0.7, 0.7, 3.0, 1.0]), (6, 5, 4))
    mask = mask_on_grid(held, pick_segment(held, "L3"), full)
    np.testing.assert_array_equal(mask, LABELS == 22)


def test_slicer_segments_are_recognised_under_a_plain_name(tmp_path):
    held = read_mask_file(seg_nrrd(tmp_path / "m.nrrd", LABELS, NAMED))
    assert pick_segment(held, None) == Segment("L3", 22)


def test_empty_segments_are_no_choice(tmp_path):
    header = {**NAMED, "Segment1_ID": "s", "Segment1_Name": "L4", "Segment1_LabelValue": "9"}
    held = read_mask_file(seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, header))
    assert pick_segment(held, None).name == "L3"
    assert pick_segment(held, "L4").name == "L4"


def test_two_segments_of_one_name_are_refused(tmp_path):
    header = {**NAMED, "Segment1_ID": "s", "Segment1_Name": "L3", "Segment1_LabelValue": "23"}
    held = read_mask_file(seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, header))
    with refusal("structure-ambiguous", CaseError, match=r"'L3' \(label 22\), 'L3' \(label 23\)"):
        pick_segment(held, "L3")
    assert pick_segment(held, "23").value == 23


def test_a_fractional_segmentation_is_refused(tmp_path):
    header = {**NAMED, "Segmentation_MasterRepresentation": "Fractional labelmap"}
    with refusal("seg-nrrd-not-binary", CaseError, match="Fractional labelmap"):
        read_mask_file(seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, header))


def segments(*stated: dict) -> dict:
    """Return the header of segments, from what each of them states."""
    return {
        f"Segment{place}_{key}": value
        for place, one in enumerate(stated)
        for key, value in ({"ID": f"Segment_{place + 1}"} | one).items()
    }


def layered(path: Path, layers: np.ndarray, header: dict) -> Path:
    """Write a .seg.nrrd of several layers, shape (layer, z, y, x)."""
    directions = np.vstack([[np.nan] * 3, np.diag([0.7, 0.7, 3.0])])
    kinds = {"kinds": ["list", "domain", "domain", "domain"], "space directions": directions}
    voxels = np.asfortranarray(layers.transpose(0, 3, 2, 1))
    header = {"space": "left-posterior-superior", "space origin": [0.0] * 3, **kinds, **header}
    nrrd.write(str(path), voxels, header)
    return path


UPPER, LOWER = (LABELS == 23).astype(np.uint8), (LABELS == 22).astype(np.uint8)


def test_a_layer_beyond_the_file_is_refused_where_its_segment_is_wanted(tmp_path):
    header = segments({"Name": "L3", "LabelValue": "22", "Layer": "1"}, {"Name": "L4", **FOURTH})
    held = read_mask_file(seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, header))
    with refusal("seg-nrrd-layer-missing", CaseError, match=r"segment 'L3' on layer 2 of 1\."):
        pick_segment(held, "L3")
    assert pick_segment(held, "L4") == Segment("L4", 23, 0)


FOURTH = {"LabelValue": "23", "Layer": "0"}


@pytest.mark.parametrize("first", [{}, {"Layer": "0"}, {"Layer": "0", "LabelValue": "1"}])
@pytest.mark.parametrize("second", [{}, {"LabelValue": "1"}])
def test_a_segment_without_layer_lies_on_that_of_its_place(tmp_path, first, second):
    """As 3D Slicer reads its files of before 2020, which state neither layer nor label value."""
    header = segments({"Name": "T12", **first}, {"Name": "L1", **second})
    held = read_mask_file(layered(tmp_path / "m.seg.nrrd", np.stack([UPPER, LOWER]), header))
    for name, drawn in (("T12", UPPER), ("L1", LOWER)):
        segment = pick_segment(held, name)
        np.testing.assert_array_equal(mask_on_grid(held, segment, held.geometry), drawn)


def test_on_the_one_layer_of_a_file_label_values_suffice(tmp_path):
    header = segments({"Name": "L3", "LabelValue": "22"}, {"Name": "L4", "LabelValue": "23"})
    held = read_mask_file(seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, header))
    mask = mask_on_grid(held, pick_segment(held, "L4"), held.geometry)
    np.testing.assert_array_equal(mask, UPPER)


@pytest.mark.parametrize(
    ("stated", "code", "message"),
    [
        (
            [{"Name": "T12", "Layer": "0"}, {"Name": "L1", "Layer": "0"}],
            "seg-nrrd-shared-label",
            "the segments 'T12', 'L1' share label value 1 on layer 1",
        ),
        (
            [{"Name": "T12", "LabelValue": "22", "Layer": "0"}, {"Name": "L1", "LabelValue": "22"}],
            "seg-nrrd-shared-label",
            "the segments 'T12', 'L1' share label value 22 on layer 1",
        ),
        (
            [{"Name": "T12"}, {"Name": "L1"}],
            "seg-nrrd-layer-missing",
            r"segment 'L1' on layer 2 of 1 \(the file states none",
        ),
        (
            [{"Name": "L1"}],
            "seg-nrrd-undescribed",
            "no label value for segment 'L1', .* the numbers 22, 23",
        ),
        (
            [{"Name": "L1", "LabelValue": "x"}],
            "seg-nrrd-undescribed",
            "no whole number as LabelValue of segment 'L1'",
        ),
        (
            [{"Name": "L1", "LabelValue": "0"}],
            "seg-nrrd-undescribed",
            "label value 0, which is the background",
        ),
        (
            [{"Name": "L1", "LabelValue": "22", "Layer": ""}],
            "seg-nrrd-undescribed",
            "no whole number as Layer",
        ),
    ],
)
def test_a_segment_that_cannot_be_told_is_refused(tmp_path, stated, code, message):
    held = read_mask_file(seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, segments(*stated)))
    with refusal(code, CaseError, match=message):
        pick_segment(held, "L1")
    (wanted,) = [one for one in held.segments if one.name == "L1"]
    with refusal(code, CaseError, match=message):
        held.on_grid(wanted, held.geometry)


def test_gaps_in_the_numbers_of_segments_leave_a_missing_layer_open(tmp_path):
    header = segments({"Name": "T12"}, {}, {"Name": "L1"})
    header = {key: value for key, value in header.items() if "Segment1" not in key}
    held = read_mask_file(layered(tmp_path / "m.seg.nrrd", np.stack([UPPER, LOWER]), header))
    with refusal(
        "seg-nrrd-undescribed",
        CaseError,
        match="no layer for segment 'L1', and the segments' numbers",
    ):
        pick_segment(held, "L1")
    assert pick_segment(held, "T12").layer == 0


def test_segments_numbered_from_one_have_no_layer_unless_they_state_one(tmp_path):
    header = segments({}, {"Name": "T12"}, {"Name": "L1"})
    header = {key: value for key, value in header.items() if "Segment0" not in key}
    held = read_mask_file(layered(tmp_path / "m.seg.nrrd", np.stack([UPPER, LOWER]), header))
    for name in ("T12", "L1"):
        with refusal("seg-nrrd-undescribed", CaseError, match=f"no layer for segment '{name}'"):
            pick_segment(held, name)


def test_segments_that_share_their_voxels_spoil_no_other(tmp_path):
    header = segments(
        {"Name": "a", "LabelValue": "22", "Layer": "0"},
        {"Name": "b", "LabelValue": "22", "Layer": "0"},
        {"Name": "L1", "LabelValue": "23", "Layer": "0"},
    )
    held = read_mask_file(seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, header))
    assert pick_segment(held, "L1").value == 23


@pytest.mark.parametrize(
    "odd",
    [
        {"Segment0_Tags": "TerminologyEntry:Anatomy~SCT^123037004^Anatomical Structure|"},
        {"Segment0_Tags": "no colon|"},
        {"Segment0_Color": "red"},
        {"Segment0_Extent": "all of it"},
        {"Segment0_NameAutoGenerated": "perhaps"},
        {"Segmentation_ConversionParameters": "Smoothing factor|0.5&"},
        {"Segmentation_ReferenceImageExtentOffset": "none"},
    ],
)
def test_tags_that_no_mask_needs_are_no_matter(tmp_path, odd):
    held = read_mask_file(seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, {**NAMED, **odd}))
    mask = mask_on_grid(held, pick_segment(held, "L3"), held.geometry)
    np.testing.assert_array_equal(mask, LOWER)


@pytest.mark.parametrize("name", ["m.nrrd", "m.seg.nrrd"])
def test_a_key_that_is_not_utf_8_is_no_matter(tmp_path, name):
    """As a program with a Latin alphabet of its own writes it."""
    path = seg_nrrd(tmp_path / name, LABELS, {**NAMED, "Groesse": "PHI-CANARY-0010-0010"})
    path.write_bytes(path.read_bytes().replace(b"Groesse", b"Gr\xf6sse"))
    image, _ = read_volume(path)
    assert image.GetMetaDataKeys() == ()
    held = read_mask_file(path)
    mask = mask_on_grid(held, pick_segment(held, "L3"), held.geometry)
    np.testing.assert_array_equal(mask, LOWER)


def test_a_segment_without_name_is_called_by_its_id(tmp_path):
    header = segments({"ID": "L3", "LabelValue": "22", "Layer": "0"})
    held = read_mask_file(seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, header))
    assert pick_segment(held, "L3").value == 22


@pytest.mark.parametrize("key", ["SourceRepresentation", "MasterRepresentation"])
def test_a_closed_surface_as_source_is_refused(tmp_path, key):
    """Slicer renamed the key in 2023."""
    header = {name: value for name, value in NAMED.items() if "Representation" not in name}
    header[f"Segmentation_{key}"] = "Closed surface"
    with refusal("seg-nrrd-not-binary", CaseError, match="Closed surface"):
        read_mask_file(seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, header))


def named(path: Path, *names: bytes) -> Path:
    """Write a segmentation whose names are stored as Slicer stores them, in UTF-8."""
    header = dict(NAMED)
    for index in range(len(names)):
        header |= {f"Segment{index}_ID": f"S{index}", f"Segment{index}_Name": f"NAME{index}"}
        header |= {f"Segment{index}_LabelValue": str(22 + index), f"Segment{index}_Layer": "0"}
    seg_nrrd(path, LABELS, header)
    content = path.read_bytes()
    for index, name in enumerate(names):
        content = content.replace(f"NAME{index}".encode(), name)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("第一腰椎", "第二腰椎"),
        ("腰椎左", "腰椎右"),
        ("Поясничный позвонок 1", "Поясничный позвонок 2"),
        ("الفقرة القطنية ١", "الفقرة القطنية ٢"),
        ("요추 1", "요추 2"),
        ("κυρτός", "κοίλος"),
        ("L1 é", "L1 e"),
        ("😀 L1", "L1"),
    ],
)
def test_names_in_any_script(tmp_path, first, second):
    """pynrrd drops letters outside ASCII: both names of a pair would become equal."""
    path = named(tmp_path / "m.seg.nrrd", first.encode(), second.encode())
    held = read_mask_file(path)
    assert [one.name for one in held.segments] == [first, second]
    assert pick_segment(held, second) == Segment(second, 23)
    full = mask_on_grid(held, pick_segment(held, first), held.geometry)
    np.testing.assert_array_equal(full, LABELS == 22)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", ["Wirbelkörper L1", "요추", "पृष्ठ", "Ǻngström"])
def test_composed_and_decomposed_letters_are_one_name(tmp_path, form, name):
    """macOS hands over decomposed names, most other programs composed ones."""
    stored = unicodedata.normalize("NFD", name).encode()
    held = read_mask_file(named(tmp_path / "m.seg.nrrd", stored, b"other"))
    assert pick_segment(held, unicodedata.normalize(form, name)).value == 22


def test_unseen_marks_of_direction_and_blanks_do_not_count(tmp_path):
    held = read_mask_file(named(tmp_path / "m.seg.nrrd", "\u200fفقرة L1\u200e ".encode(), b"x"))
    assert pick_segment(held, " فقرة L1").value == 22


def test_escaped_letters_in_a_header(tmp_path):
    """A NRRD header escapes backslash and line break."""
    held = read_mask_file(named(tmp_path / "m.seg.nrrd", b"L1\\\\body", b"two\\nlines"))
    assert [one.name for one in held.segments] == ["L1\\body", "two\nlines"]


def test_a_name_that_is_not_utf_8_is_said_and_its_number_can_be_named(tmp_path):
    path = named(tmp_path / "m.seg.nrrd", b"L1", "腰椎".encode("gb18030"))
    held = read_mask_file(path)
    assert pick_segment(held, "L1").value == 22
    with refusal(
        "structure-ambiguous", CaseError, match=r"\(a name not stored as UTF-8\)' \(label 23\)"
    ):
        pick_segment(held, "腰椎")
    assert pick_segment(held, "23").value == 23


def test_a_file_of_layers_keeps_its_names(tmp_path):
    held = read_mask_file(SLICER / "SegmentationOverlapping.seg.nrrd")
    reference = slicerio.read_segmentation(str(SLICER / "SegmentationOverlapping.seg.nrrd"))
    assert [one.name for one in held.segments] == [one["name"] for one in reference["segments"]]


@pytest.mark.parametrize(
    ("kept", "code"),
    [
        *((kept, "nrrd-header-damaged") for kept in (0.0, 0.01)),
        *((kept, "compressed-volume-damaged") for kept in (0.5, 0.98)),
    ],
)
def test_a_damaged_segmentation_is_refused_without_its_path(tmp_path, kept, code):
    content = (SLICER / "Segmentation.seg.nrrd").read_bytes()
    path = tmp_path / "m.seg.nrrd"
    path.write_bytes(content[: int(kept * len(content))])
    with refusal(code, CaseError) as caught:
        read_mask_file(path)
    assert str(tmp_path) not in str(caught.value)


# --- a Slicer segmentation gets the checks of every NRRD ----------------------------------------


def raw_segmentation(path: Path, **fields: object) -> bytes:
    """Write a segmentation whose voxels are not packed, and return its bytes."""
    header = {**NAMED, **fields}
    directions = np.diag([0.7, 0.7, 3.0])
    origin = {"space directions": directions, "space origin": [0.0] * 3, "kinds": ["domain"] * 3}
    space = {} if header.pop("space", "") is None else {"space": "left-posterior-superior"}
    header = {**space, **origin, **header, "encoding": "raw"}
    if not space:
        header |= {"space dimension": 3}
    nrrd.write(str(path), LABELS.transpose(2, 1, 0), header)
    return path.read_bytes()


def test_more_bytes_than_voxels_are_refused(tmp_path):
    path = tmp_path / "m.seg.nrrd"
    path.write_bytes(raw_segmentation(path) + b"\0")
    with refusal("nrrd-spare-bytes", CaseError):
        read_mask_file(path)


def test_one_wrong_bit_of_packed_voxels_is_refused(tmp_path):
    content = bytearray((SLICER / "Segmentation.seg.nrrd").read_bytes())
    content[-6] ^= 1  # of the checksum
    (tmp_path / "m.seg.nrrd").write_bytes(content)
    with refusal("compressed-volume-damaged", CaseError):
        read_mask_file(tmp_path / "m.seg.nrrd")


def test_voxels_in_another_file_are_refused(tmp_path):
    path = tmp_path / "m.seg.nrrd"
    content = raw_segmentation(path)
    head, _, voxels = content.partition(b"\n\n")
    (tmp_path / "other.raw").write_bytes(voxels)
    path.write_bytes(head + b"\ndata file: other.raw\n\n")
    with refusal("nrrd-detached", CaseError):
        read_mask_file(path)


def test_another_unit_is_refused(tmp_path):
    path = seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, {**NAMED, "space units": ["cm"] * 3})
    with refusal("nrrd-unit", CaseError):
        read_mask_file(path)


def test_no_patient_space_is_a_warning(tmp_path):
    path = tmp_path / "m.seg.nrrd"
    raw_segmentation(path, space=None)
    assert [one.code for one in read_mask_file(path).findings] == ["no-patient-space"]


def test_sheared_axes_are_refused(tmp_path):
    sheared = np.diag([0.7, 0.7, 3.0])
    sheared[0, 1] = 0.2
    path = seg_nrrd(tmp_path / "m.seg.nrrd", LABELS, {**NAMED, "space directions": sheared})
    with refusal("volume-axes-skewed", CaseError):
        read_mask_file(path)
    layers = np.stack([UPPER, LOWER])
    sheared = np.vstack([[np.nan] * 3, sheared])
    path = layered(tmp_path / "n.seg.nrrd", layers, {**NAMED, "space directions": sheared})
    with refusal("seg-nrrd-axes", CaseError):
        read_mask_file(path)


def test_fractions_are_refused(tmp_path):
    path = seg_nrrd(tmp_path / "m.seg.nrrd", LABELS * np.float32(0.01), NAMED)
    with refusal("label-map-fractional", CaseError, match=r"fractions from 0 to 0\.23"):
        read_mask_file(path)


def test_a_segmentation_in_four_dimensions_without_layers_is_refused(tmp_path):
    header = {**NAMED, "kinds": ["domain"] * 3 + ["time"]}
    directions = np.vstack([np.diag([0.7, 0.7, 3.0]), [np.nan] * 3])
    header |= {"space directions": directions, "space": "left-posterior-superior"}
    voxels = np.stack([LABELS, LABELS]).transpose(3, 2, 1, 0)
    nrrd.write(str(tmp_path / "m.seg.nrrd"), voxels, header)
    with refusal("seg-nrrd-layers", CaseError):
        read_mask_file(tmp_path / "m.seg.nrrd")
