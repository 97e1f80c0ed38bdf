"""Grids map onto one another exactly or not at all."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.core.errors import CaseError
from pipeline.imaging.geometry import (
    GRID_TOLERANCE_VOXELS,
    Geometry,
    GridMap,
    GridMismatchError,
    difference,
    map_grid,
    paste,
    place_on_grid,
)
from tests.support.refusals import refusal

SIZE = (5, 6, 7)


@st.composite
def images(draw) -> sitk.Image:
    """Return a small volume of random labels in an arbitrary place and orientation."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    image = sitk.GetImageFromArray(generator.integers(0, 3, SIZE[::-1]).astype(np.uint8))
    image.SetSpacing(generator.uniform(0.3, 5, 3).tolist())
    image.SetOrigin(generator.uniform(-400, 400, 3).tolist())
    turned = Rotation.random(rng=generator).as_matrix()
    image.SetDirection(turned.ravel().tolist())
    return image


@given(
    images(),
    st.permutations([0, 1, 2]),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)),
)
def test_flips_swaps_and_crops_are_undone_exactly(ct, axes, flips, start):
    """SimpleITK permutes, flips and crops with their geometry; the way back must be exact."""
    kept = [int(n) - 2 for n in ct.GetSize()]
    cropped = sitk.RegionOfInterest(ct, kept, start)
    mask = sitk.Flip(sitk.PermuteAxes(cropped, axes), flips)
    placed = place_on_grid(sitk.GetArrayFromImage(mask), Geometry.of(mask), Geometry.of(ct))
    expected = np.zeros_like(sitk.GetArrayFromImage(ct))
    box = tuple(slice(a, a + n) for a, n in zip(start[::-1], kept[::-1], strict=True))
    expected[box] = sitk.GetArrayFromImage(ct)[box]
    np.testing.assert_array_equal(placed, expected)


@given(images())
def test_affine_and_geometry_say_the_same(image):
    geometry = Geometry.of(image)
    index = (1, 2, 3)
    point = geometry.affine @ (*index, 1)
    np.testing.assert_allclose(point[:3], image.TransformIndexToPhysicalPoint(index), rtol=1e-9)
    again = Geometry.from_affine(geometry.affine, image.GetSize())
    np.testing.assert_allclose(again.affine, geometry.affine, rtol=1e-12, atol=1e-9)
    assert geometry.voxel_volume_ml == pytest.approx(np.prod(image.GetSpacing()) / 1000)


def grid(**changed) -> Geometry:
    straight = {
        "size": (10, 10, 10),
        "spacing": (1.0, 1.0, 2.0),
        "origin": (0.0, 0.0, 0.0),
        "direction": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    }
    return Geometry(**straight | changed)


@pytest.mark.parametrize(
    "other",
    [
        grid(origin=(0.5, 0.0, 0.0)),
        grid(origin=(2 * GRID_TOLERANCE_VOXELS, 0.0, 0.0)),
        grid(spacing=(1.0, 1.0, 1.0)),
        grid(spacing=(1.02, 1.0, 2.0)),
        grid(direction=tuple(Rotation.from_euler("z", 2, degrees=True).as_matrix().ravel())),
        grid(direction=tuple(Rotation.from_euler("x", 90, degrees=True).as_matrix().ravel())),
    ],
    ids=["half a voxel", "beyond tolerance", "thinner", "wider", "rotated", "unequal axes swapped"],
)
def test_another_lattice_is_refused_with_both_geometries(other):
    assert map_grid(other, grid()) is None
    labels = np.ones((10, 10, 10), dtype=np.uint8)
    with refusal("mask-off-grid", CaseError) as caught:
        place_on_grid(labels, other, grid(), where="mask.nrrd")
    assert str(other) in str(caught.value)
    assert str(grid()) in str(caught.value)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (grid(origin=(0.5, 0.0, 0.0)), "off by 0.5 x 0 x 0 mm"),
        (grid(origin=(0.0, 0.0, 3.0)), "off by 0 x 0 x 1 mm"),
        (grid(spacing=(1.0, 1.0, 1.0)), "differ in size (1 v 2 mm)"),
        (grid(spacing=(1.02, 1.1, 2.0)), "differ in size (1.02 v 1 mm, 1.1 v 1 mm)"),
        (
            grid(direction=tuple(Rotation.from_euler("z", 2, degrees=True).as_matrix().ravel())),
            "turned by 2 degrees",
        ),
        (
            grid(direction=tuple(Rotation.from_euler("x", 90, degrees=True).as_matrix().ravel())),
            "differ in size (1 v 2 mm, 2 v 1 mm)",
        ),
    ],
)
def test_a_refusal_says_what_differs(other, words):
    with refusal("mask-off-grid", GridMismatchError) as caught:
        place_on_grid(np.ones((10, 10, 10), np.uint8), other, grid())
    assert words in caught.value.found
    assert "3D Slicer" in caught.value.remedy


@given(images())
def test_any_turned_grid_is_explained(ct):
    """Whatever is refused has a reason, and the words never fail."""
    geometry = Geometry.of(ct)
    found = difference(grid(), geometry)
    assert found.startswith(("the axes of the mask are turned", "the voxels of mask and CT differ"))


def test_a_grid_is_printed_for_people():
    flipped = grid(direction=(1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
    assert str(flipped) == (
        "size 10 x 10 x 10 voxels, spacing 1 x 1 x 2 mm, origin (0.000, 0.000, 0.000) mm, "
        "direction LAS (1 0 0 0 -1 0 0 0 1)"
    )


def test_what_is_pasted_lies_over_what_was_there():
    """Frames of one segment are pasted one by one; zeros of a later one erase nothing."""
    placed = np.zeros((10, 10, 10), np.uint8)
    labels = np.zeros((2, 2, 2), np.uint8)
    labels[0, 0, 0] = 1
    for start in ((3, 4, 5), (4, 4, 5), (9, 9, 9)):
        assert paste(labels, GridMap((0, 1, 2), (False, False, False), start), placed) == 0
    assert np.argwhere(placed).tolist() == [[5, 4, 3], [5, 4, 4], [9, 9, 9]]
    assert paste(labels, GridMap((0, 1, 2), (True, False, False), (9, 0, 0)), placed) == 1


def test_rounded_headers_are_the_same_lattice():
    rounded = grid(origin=(GRID_TOLERANCE_VOXELS / 2, 0.0, 0.0), spacing=(1.000001, 1.0, 2.0))
    assert map_grid(rounded, grid()) == map_grid(grid(), grid())


def test_zeros_outside_the_ct_are_cropped_and_ones_are_refused():
    labels = np.zeros((10, 10, 10), dtype=np.uint8)
    labels[5, 5, 5] = 1
    moved = grid(origin=(-3.0, 0.0, 0.0))
    assert np.argwhere(place_on_grid(labels, moved, grid())).tolist() == [[5, 5, 2]]
    labels[0, 0, 0] = 1
    with refusal("mask-outside-ct", CaseError, match="1 of 2 voxels outside"):
        place_on_grid(labels, moved, grid())


def test_a_mask_far_from_its_ct_is_outside():
    labels = np.ones((10, 10, 10), dtype=np.uint8)
    with refusal("mask-outside-ct", CaseError, match="1000 of 1000 voxels outside"):
        place_on_grid(labels, grid(origin=(100.0, 0.0, 0.0)), grid())


def test_an_affine_without_spacing_is_refused():
    with refusal("volume-axes-missing", CaseError):
        Geometry.from_affine(np.diag([1.0, 0.0, 1.0, 1.0]), (2, 2, 2))
