"""Grids moved by parts of a voxel and turned: nothing moves nothing, and the region stays whole."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import CaseError
from pipeline.extraction import load_params, open_scan
from pipeline.extraction.perturbations.grids import (
    Move,
    measured_noise,
    moved_crop,
    moved_grid,
    place,
)
from tests.support.refusals import refusal

SETTINGS = {
    "normalize": True, "normalizeScale": 100, "removeOutliers": 3, "binWidth": 25,
    "resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline", "padDistance": 5,
    "additionalInfo": False,
}  # fmt: skip


def params_of(**changes):
    return load_params(
        {
            "setting": SETTINGS | changes,
            "imageType": {"Original": {}},
            "featureClass": {"firstorder": ["Mean"]},
        }
    )


def images(direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)) -> tuple[sitk.Image, sitk.Image]:
    """Return a noisy CT with a dense ellipsoid, and its mask, finer than the resampled grid."""
    rng = np.random.default_rng(7)
    z, y, x = np.indices((80, 90, 110)) - np.array([40, 46, 54]).reshape(3, 1, 1, 1)
    inside = (x * 0.26 / 7) ** 2 + (y * 0.27 / 6) ** 2 + (z * 0.23 / 5) ** 2 <= 1
    ct = (rng.normal(0, 15, inside.shape) + 200 * inside).astype(np.int16)
    made = []
    for voxels in (ct, inside.astype(np.uint8)):
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing((0.26, 0.27, 0.23))
        image.SetOrigin((-20.0, 14.0, 100.0))
        image.SetDirection(direction)
        made.append(image)
    return made[0], made[1]


@pytest.fixture(scope="module")
def scan_and_mask():
    ct, mask = images()
    return open_scan(ct, params_of()), mask


def centroid(mask: sitk.Image) -> np.ndarray:
    """Return the centre of a region in mm from the first voxel of its grid (x, y, z)."""
    places = np.argwhere(sitk.GetArrayViewFromImage(mask) != 0)
    return places.mean(axis=0)[::-1] * np.array(mask.GetSpacing())


def in_body(mask: sitk.Image) -> np.ndarray:
    """Return the centre of a region in the patient's mm."""
    index = centroid(mask) / np.array(mask.GetSpacing())
    return np.array(mask.TransformContinuousIndexToPhysicalPoint(index.tolist()))


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), (0, 0, 1, 0, -1, 0, 1, 0, 0)])
def test_a_move_of_nothing_is_the_crop_of_the_study_bit_by_bit(direction):
    ct, mask = images(direction)
    scan = open_scan(ct, params_of())
    crop = scan.crop(mask, 1)
    for move in (Move(), Move((0.0, 0.0, 0.0), 0.0), Move((-0.0, 0.0, 0.0), -0.0)):
        found = moved_crop(scan, place(scan, mask, 1), move)
        for a, b in ((found.image, crop.image), (found.mask, crop.mask)):
            np.testing.assert_array_equal(
                sitk.GetArrayViewFromImage(a), sitk.GetArrayViewFromImage(b)
            )
            assert a.GetOrigin() == b.GetOrigin()
            assert a.GetDirection() == b.GetDirection()
        assert found.normalisation == crop.normalisation


shifts = st.tuples(*[st.floats(-0.9, 0.9)] * 3)


@settings(max_examples=15, deadline=None)
@given(shifts)
def test_a_shift_moves_the_centre_by_its_millimetres(scan_and_mask, shift):
    scan, mask = scan_and_mask
    placed = place(scan, mask, 1)
    still, moved = (moved_crop(scan, placed, Move(s)) for s in ((0.0, 0.0, 0.0), shift))
    # The grid moves, so that the region goes the other way on it. A point takes the
    # nearest voxel: half of 0.27 mm is left to chance, and a little for the few points.
    np.testing.assert_allclose(
        centroid(moved.mask) - centroid(still.mask), -np.array(shift), atol=0.16
    )
    np.testing.assert_allclose(in_body(moved.mask), in_body(still.mask), atol=0.16)


@settings(max_examples=15, deadline=None)
@given(st.floats(-40, 40))
def test_a_turned_grid_holds_the_whole_region_where_it_was(scan_and_mask, degrees):
    scan, mask = scan_and_mask
    placed = place(scan, mask, 1)
    still, turned = (moved_crop(scan, placed, Move(degrees=d)) for d in (0.0, degrees))
    inside = sitk.GetArrayViewFromImage(turned.mask)
    before = int(sitk.GetArrayViewFromImage(still.mask).sum())
    assert int(inside.sum()) == pytest.approx(before, rel=0.04)
    np.testing.assert_allclose(in_body(turned.mask), in_body(still.mask), atol=0.16)
    places = np.argwhere(inside)
    assert (places.min(axis=0) >= 4).all()
    assert (np.array(inside.shape) - 1 - places.max(axis=0) >= 4).all()
    # The dense ellipsoid is sampled where it lies: its mean stays.
    means = [
        sitk.GetArrayViewFromImage(c.image)[sitk.GetArrayViewFromImage(c.mask) != 0].mean()
        for c in (still, turned)
    ]
    assert means[1] == pytest.approx(means[0], rel=0.02)


def test_a_turn_is_about_the_axis_from_feet_to_head(scan_and_mask):
    scan, mask = scan_and_mask
    grid = moved_grid(place(scan, mask, 1), Move(degrees=90))
    np.testing.assert_allclose(
        np.reshape(grid.direction, (3, 3)), [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12
    )


def test_a_grid_moves_as_far_as_that_of_mirp(repository):
    golden = repository / "tests" / "golden" / "perturbations" / "mirp.json"
    mirp = json.loads(golden.read_text())["translation"]
    ct, mask = images()
    scan = open_scan(ct, params_of(resampledPixelSpacing=[mirp["new_spacing_mm"]] * 3))
    placed = place(scan, mask, 1)
    moved = moved_grid(placed, Move(tuple(mirp["fractions_zyx"][::-1])))
    found = np.array(moved.origin) - np.array(placed.grid.origin)
    np.testing.assert_allclose(found[::-1], mirp["origin_moved_mm_zyx"], atol=1e-9)


def test_noise_reaches_the_crop_at_its_level(scan_and_mask):
    scan, mask = scan_and_mask
    placed = place(scan, mask, 1)
    assert measured_noise(scan, placed) == pytest.approx(15, rel=0.1)
    still = moved_crop(scan, placed, Move())
    first, again, other = (moved_crop(scan, placed, Move(), 15.0, seed) for seed in (1, 1, 2))

    def values(crop):
        return sitk.GetArrayViewFromImage(crop.image)

    np.testing.assert_array_equal(values(first), values(again))
    assert (values(first) != values(other)).any()
    # Of the normalised scale: 100 is a standard deviation of the CT. Interpolation smooths.
    added = (values(first) - values(still)).std() / 100 * first.normalisation.sd
    assert 8 < added < 15


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"resampledPixelSpacing": None}, "no resampledPixelSpacing"),
        ({"interpolator": "sitkLinear"}, "the interpolator sitkLinear"),
    ],
)
def test_a_ct_that_cannot_be_interpolated_is_named(changes, found):
    ct, mask = images()
    with pytest.raises(CaseError) as error:
        place(open_scan(ct, params_of(**changes)), mask, 1)
    assert error.value.code == "perturbation-needs-interpolation"
    assert error.value.found == found


def test_an_empty_mask_is_refused():
    ct, mask = images()
    with refusal("label-missing-in-mask", CaseError, match="voxels of the value 1"):
        place(open_scan(ct, params_of()), mask * 0, 1)


def test_a_region_outlives_the_mask_that_it_was_found_in(scan_and_mask):
    """Voxels that SimpleITK lends are those of an image that may be gone."""
    scan, mask = scan_and_mask
    placed = place(scan, sitk.Image(mask), 1)
    junk = [sitk.Image(mask) * 0 for _ in range(3)]
    found, known = (moved_crop(scan, p, Move()) for p in (placed, place(scan, mask, 1)))
    assert junk
    np.testing.assert_array_equal(
        sitk.GetArrayViewFromImage(found.mask), sitk.GetArrayViewFromImage(known.mask)
    )
