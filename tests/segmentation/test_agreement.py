"""Readers compared: numbers against a second way of computing them, pictures as people see them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from pipeline.core.keeping.store import Store
from pipeline.ingest import ingest_scans, scans_of
from segmentation.agreement import COLUMNS, compare_cases, pairs_of
from segmentation.masks import prepare_masks
from segmentation.pages.pictures import STYLES, picture, write_picture
from segmentation.regions.compare import compare_masks, dice, surface_dice, surfaces

CHECKS = {
    "min_slices": 3,
    "max_slice_spacing_mm": 6,
    "min_voxels": 1,
    "border_is": "warning",
    "region": "body",
}


def surface_points(mask: np.ndarray, spacing) -> np.ndarray:
    """Return, in mm, the centres of voxels with a background neighbour, one by one."""
    padded = np.pad(mask != 0, 1)
    points = []
    for z, y, x in np.argwhere(padded):
        neighbours = [
            padded[z - 1, y, x],
            padded[z + 1, y, x],
            padded[z, y - 1, x],
            padded[z, y + 1, x],
            padded[z, y, x - 1],
            padded[z, y, x + 1],
        ]
        if not all(neighbours):
            points.append(((x - 1) * spacing[0], (y - 1) * spacing[1], (z - 1) * spacing[2]))
    return np.array(points)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_distances_equal_those_of_a_search_tree(seed):
    generator = np.random.default_rng(seed)
    spacing = tuple(generator.uniform(0.4, 4, 3))
    a, b = (generator.random((5, 6, 7)) < generator.uniform(0.05, 0.95) for _ in "ab")
    a[2, 3, 4] = b[1, 1, 1] = True
    points = [surface_points(mask, spacing) for mask in (a, b)]
    expected = [cKDTree(points[1]).query(points[0])[0], cKDTree(points[0]).query(points[1])[0]]
    for found, wanted in zip(surfaces(a, b, spacing), expected, strict=True):
        distance = np.sort(found.distance_mm)
        np.testing.assert_allclose(distance, np.sort(wanted), rtol=1e-12, atol=1e-12)
    compared = compare_masks(a, b, spacing, 1.0)
    assert compared["hausdorff95_mm"] == pytest.approx(max(np.percentile(d, 95) for d in expected))
    assert compared["mean_surface_distance_mm"] == pytest.approx(np.concatenate(expected).mean())
    swapped = compare_masks(b, a, spacing, 1.0)
    for name in ("dice", "surface_dice", "hausdorff95_mm", "mean_surface_distance_mm"):
        assert compared[name] == pytest.approx(swapped[name])
    assert compared["volume_difference_percent"] == pytest.approx(
        -swapped["volume_difference_percent"]
    )


def test_dice_equals_that_of_itk():
    generator = np.random.default_rng(0)
    a, b = (generator.integers(0, 2, (6, 7, 8)).astype(np.uint8) for _ in "ab")
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(sitk.GetImageFromArray(a), sitk.GetImageFromArray(b))
    assert dice(a, b) == pytest.approx(overlap.GetDiceCoefficient())


def test_a_box_moved_by_one_slice():
    """Hand-computed: 4 x 4 x 4 voxels of 1 x 1 x 3 mm, moved by one slice of 3 mm."""
    a = np.zeros((8, 8, 8), np.uint8)
    a[1:5, 2:6, 2:6] = 1
    compared = compare_masks(a, np.roll(a, 1, axis=0), (1.0, 1.0, 3.0), 1.0)
    # Of 6 faces' area (4 walls of 4 x 12 mm, 2 lids of 4 x 4 mm), the walls of 3 of 4 slices are
    # within 1 mm; the lid at the far end of each box is 3 mm away, and so is its slice's wall.
    assert compared["surface_dice"] == pytest.approx((4 * 4 * 9 + 16) / (4 * 4 * 12 + 2 * 16))
    assert compare_masks(a, np.roll(a, 1, axis=0), (1, 1, 3), 3.0)["surface_dice"] == 1
    assert compared["dice"] == pytest.approx(0.75)
    assert compared["hausdorff95_mm"] == pytest.approx(3.0)
    assert compared["volume_a_ml"] == compared["volume_b_ml"] == pytest.approx(0.192)
    assert compared["volume_difference_percent"] == 0


def test_equal_and_disjoint_masks():
    a = np.zeros((6, 6, 6), np.uint8)
    a[2, 2, 2] = 1
    b = np.roll(a, 2, axis=2)
    same = compare_masks(a, a, (1, 1, 1), 0.5)
    assert (same["dice"], same["hausdorff95_mm"], same["mean_surface_distance_mm"]) == (1, 0, 0)
    apart = compare_masks(a, b, (0.5, 1, 1), 0.5)
    assert (apart["dice"], apart["hausdorff95_mm"]) == (0, 1.0)
    assert (same["surface_dice"], apart["surface_dice"]) == (1, 0)


def ball(radius_mm: float, spacing) -> np.ndarray:
    """Return a ball around the middle of 48 mm cubed, shape (z, y, x)."""
    axes = [(np.arange(round(48 / step)) + 0.5) * step - 24 for step in tuple(spacing)[::-1]]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return x**2 + y**2 + z**2 <= radius_mm**2


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (0.5, 0.5, 2.0)])
def test_two_balls_around_one_centre(spacing):
    """Every point of a ball's surface is the difference of the radii away from the other's."""
    compared = compare_masks(ball(15, spacing), ball(18, spacing), spacing, 1.0)
    wanted = 3.0
    coarse = max(spacing) / 2
    assert compared["mean_surface_distance_mm"] == pytest.approx(wanted, abs=0.25 + coarse / 4)
    assert compared["hausdorff95_mm"] == pytest.approx(wanted, abs=0.5 + coarse)
    assert compared["dice"] == pytest.approx(2 * 15**3 / (15**3 + 18**3), rel=0.01)
    assert compared["volume_difference_percent"] == pytest.approx(
        200 * (18**3 - 15**3) / (18**3 + 15**3), rel=0.02
    )
    assert compared["volume_a_ml"] == pytest.approx(4 / 3 * np.pi * 15**3 / 1000, rel=0.01)
    assert compared["surface_dice"] == pytest.approx(0, abs=0.01)
    assert compare_masks(ball(15, spacing), ball(18, spacing), spacing, 4.5)["surface_dice"] == 1


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.5, 1, 2), (2, 2, 0.5)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_cube_moved_by_a_few_millimetres(spacing, axis):
    """The surface Dice of a cube of 24 mm moved by 4 mm, tolerance below it: the sides that slid.

    Of the four side walls 20 of 24 mm lie on each other, both ends do not; with the voxels' own
    size as a margin of the count.
    """
    step = tuple(spacing)[::-1]
    mask = np.zeros([round(48 / one) for one in step], bool)
    mask[tuple(slice(round(8 / one), round(32 / one)) for one in step)] = True
    moved = np.roll(mask, round(4 / step[axis]), axis=axis)
    expected = (4 * 24 * 20) / (6 * 24 * 24)
    found = compare_masks(mask, moved, spacing, 0.1)
    assert found["surface_dice"] == pytest.approx(expected, abs=0.06)
    assert found["dice"] == pytest.approx(20 / 24)
    assert compare_masks(mask, moved, spacing, 4.0)["surface_dice"] == 1


def test_the_surface_dice_grows_with_its_tolerance():
    a, b = surfaces(ball(12, (1, 1, 1)), np.roll(ball(12, (1, 1, 1)), 3, axis=1), (1, 1, 1))
    shares = [surface_dice(a, b, tolerance) for tolerance in (0.5, 1, 1.5, 2, 3)]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] == 1
    # Ten voxels of 0.1 mm are 1 mm, whatever the last bit says.
    thin = np.zeros((3, 3, 40), bool)
    thin[1, 1, 5] = True
    pair = surfaces(thin, np.roll(thin, 10, axis=2), (0.1, 1, 1))
    assert surface_dice(*pair, 1.0) == 1


# --- pictures ----------------------------------------------------------------------------------


def marked_ct(orientation: str) -> tuple[sitk.Image, sitk.Image]:
    """Return a CT with bright marks at the patient's left, back and head, and a mask amid."""
    voxels = np.full((40, 40, 40), -400, np.int16)  # (z, y, x) in LPS: x left, y back, z head
    voxels[16:24, 16:24, 30:36] = 1000
    voxels[16:24, 30:36, 16:24] = 600
    voxels[30:36, 16:24, 16:24] = 200
    mask = np.zeros_like(voxels, dtype=np.uint8)
    mask[14:26, 14:26, 14:26] = 1
    images = [sitk.GetImageFromArray(array) for array in (voxels, mask)]
    return tuple(sitk.DICOMOrient(image, orientation) for image in images)


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "SAL"])
def test_radiologists_orientation(orientation):
    """Left is at the right of the picture, the head up, and in the sagittal cut the back right."""
    ct, mask = marked_ct(orientation)
    figure = picture(ct, {"A": mask}, "case")

    def shown(panel: int) -> tuple[float, float, dict]:
        image = figure.axes[panel].images[0]
        values = np.asarray(image.get_array())
        left, right, bottom, top = image.get_extent()
        origin_at_top = image.origin == "upper"
        places = {}
        for mark in (1000, 600, 200):
            rows, columns = np.nonzero(values == mark)
            if rows.size:
                across = (columns.mean() + 0.5) / values.shape[1]
                down = (rows.mean() + 0.5) / values.shape[0]
                places[mark] = across, down if origin_at_top else 1 - down
        assert right > left
        assert (bottom > top) == origin_at_top
        return places

    axial, sagittal, coronal = map(shown, range(3))
    assert axial[1000][0] > 0.6  # patient's left at the right
    assert axial[600][1] > 0.6  # back below
    assert sagittal[600][0] > 0.6  # back at the right
    assert sagittal[200][1] < 0.4  # head up
    assert coronal[1000][0] > 0.6
    assert coronal[200][1] < 0.4


def test_panels_are_to_scale_and_name_the_readers(tmp_path):
    ct, mask = marked_ct("LPS")
    for image in (ct, mask):
        image.SetSpacing((0.7, 0.7, 3.0))
    figure = picture(ct, {"A": mask, "B": mask}, "case")
    assert all(axes.get_aspect() in ("equal", 1.0) for axes in figure.axes)
    for axes in figure.axes:
        assert len(axes.collections) == 2
        colours = [tuple(c.get_edgecolor()[0][:3]) for c in axes.collections]
        assert len(set(colours)) == 2
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["reader A", "reader B"]
    letters = [text.get_text() for text in figure.axes[0].texts]
    assert letters[:4] == ["R", "L", "A", "P"]
    for name in ("one.png", "two.png"):
        write_picture(ct, {"A": mask}, "case", tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_few_slices_and_many_readers_can_be_drawn(tmp_path):
    ct, mask = marked_ct("LPS")
    thin = [sitk.RegionOfInterest(image, (40, 40, 3), (0, 0, 18)) for image in (ct, mask)]
    masks = {f"reader {index}": thin[1] for index in range(len(STYLES) + 1)}
    write_picture(thin[0], masks, "case", tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


# --- the stage ---------------------------------------------------------------------------------


def test_pairs_and_pictures(tmp_path):
    ct, mask = marked_ct("LPS")
    sitk.WriteImage(ct, str(tmp_path / "ct.nrrd"))
    for reader, size in (("A", 12), ("B", 10), ("C", 8)):
        array = np.zeros((40, 40, 40), np.uint8)
        array[14 : 14 + size, 14:26, 14:26] = 1
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"{reader}.nrrd"))
    sitk.WriteImage(mask * 0, str(tmp_path / "none.nrrd"))
    rows = [("c1", "A", "A"), ("c1", "B", "B"), ("c1", "C", "C"), ("c2", "A", "A")]
    rows += [("c2", "B", "none"), ("c3", "A", "none")]
    cases = pd.DataFrame(
        [
            {
                "patient_id": "p",
                "scan_id": "s",
                "case_id": case,
                "level": "L1",
                "reader": reader,
                "image": str(tmp_path / "ct.nrrd"),
                "series": None,
                "mask": str(tmp_path / f"{name}.nrrd"),
                "label": "1",
            }
            for case, reader, name in rows
        ]
    )
    store = Store(tmp_path / "store")
    ingested = ingest_scans(scans_of(cases), store, CHECKS)
    masks = prepare_masks(cases, ingested, store, CHECKS)
    folder = tmp_path / "pictures"
    folder.mkdir()
    table = compare_cases(masks, ingested, store, folder, 1.0)
    assert list(table.columns) == list(COLUMNS)
    assert table[["case_id", "reader_a", "reader_b"]].to_numpy().tolist() == [
        ["c1", "A", "B"],
        ["c1", "A", "C"],
        ["c1", "B", "C"],
    ]
    assert set(table["comparison"]) == {"readers"}
    assert table["dice"][0] == pytest.approx(2 * 10 / 22)
    assert table["volume_difference_percent"][0] == pytest.approx(100 * (10 - 12) / 11)
    assert sorted(path.name for path in folder.iterdir()) == ["c1.png", "c2.png"]


def test_corrected_masks_are_compared_with_their_original_only():
    assert pairs_of(["A", "A.v2", "A.v3", "B", "C"]) == [
        ("A", "B", "readers"),
        ("A", "C", "readers"),
        ("B", "C", "readers"),
        ("A", "A.v3", "correction"),
    ]
    assert pairs_of(["A.v2", "B"]) == []
