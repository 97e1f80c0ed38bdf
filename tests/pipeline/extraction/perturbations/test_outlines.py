"""Masks grown, shrunk and drawn anew: volumes reached, and MIRP's numbers on public CT."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.core.errors import CaseError
from pipeline.extraction.perturbations.noise import noise_level
from pipeline.extraction.perturbations.outlines import (
    changed_volume,
    new_outline,
    supervoxels,
)
from tests.support.refusals import refusal as refused

fractions = st.floats(-0.5, 0.5)


def ellipsoid(axes: tuple[float, ...], pad: int = 8) -> np.ndarray:
    shape = [int(2 * axis) + 1 + 2 * pad for axis in axes]
    grid = np.indices(shape) - (np.array(shape) // 2).reshape(3, 1, 1, 1)
    return sum((part / axis) ** 2 for part, axis in zip(grid, axes, strict=True)) <= 1


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.floats(3, 9)] * 3), fractions, st.integers(0, 2**31 - 1))
def test_a_volume_changes_by_the_fraction_asked_for(axes, fraction, seed):
    mask = ellipsoid(axes)
    changed = changed_volume(mask, fraction, seed)
    wanted = mask.sum() * (1 + fraction)
    assert wanted - 1 - 1e-6 < changed.sum() <= wanted + 1e-6 or round(fraction, 6) == 0
    if fraction > 0:
        assert changed[mask].all()
    else:
        assert mask[changed].all()


def test_only_the_last_layer_is_drawn_at_random():
    mask = ellipsoid((8, 8, 8))
    first, second = (changed_volume(mask, 0.3, seed) for seed in (1, 2))
    assert (first != second).any()
    whole = ndimage.binary_dilation(mask, iterations=1)
    beyond = ndimage.binary_dilation(mask, iterations=2)
    for changed in (first, second):
        # 30% more is between one layer and two of this sphere, or within the first.
        inner = whole if whole.sum() <= 1.3 * mask.sum() else mask
        assert changed[inner].all()
        assert not changed[~beyond].any()
    np.testing.assert_array_equal(first, changed_volume(mask, 0.3, 1))


def test_a_volume_that_is_not_to_change_stays():
    mask = ellipsoid((5, 4, 6))
    np.testing.assert_array_equal(changed_volume(mask, 0.0, 3), mask)


def test_a_mask_in_a_full_box_grows_no_further():
    mask = np.ones((4, 4, 4), bool)
    np.testing.assert_array_equal(changed_volume(mask, 0.5, 0), mask)


def test_a_mask_never_vanishes_by_shrinking():
    mask = np.zeros((9, 9, 9), bool)
    mask[3:6, 3:6, 3:6] = True
    assert 1 <= changed_volume(mask, -0.9, 0).sum() <= 3


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_an_outline_drawn_anew_keeps_what_is_surely_inside(seed):
    mask = ellipsoid((9, 9, 9))
    image = np.random.default_rng(0).normal(size=mask.shape) * 30 + 200 * mask
    parts = supervoxels(image, mask, (1.0, 1.0, 1.0))
    drawn = new_outline(mask, parts, seed)
    for number in np.unique(parts):
        share = mask[parts == number].mean()
        if share >= 0.9:
            assert drawn[parts == number].all()
    dice = 2 * (drawn & mask).sum() / (drawn.sum() + mask.sum())
    assert dice > 0.7
    np.testing.assert_array_equal(drawn, new_outline(mask, parts, seed))


@pytest.mark.parametrize(
    ("axes", "spacing", "found"),
    [
        ((2, 1, 1), (1.0, 1.0, 1.0), "9 mm3; a supervoxel has 500 mm3"),
        ((7, 7, 7), (1.0, 1.0, 1.0), "1419 mm3; a supervoxel has 500 mm3"),
        # Voxels so coarse that 20 of them are more than 500 mm3.
        ((3, 2, 2), (4.0, 4.0, 4.0), "3264 mm3; a supervoxel has 1280 mm3"),
    ],
)
def test_a_region_of_few_supervoxels_has_no_new_outline(axes, spacing, found):
    mask = ellipsoid(axes)
    image = np.random.default_rng(0).normal(size=mask.shape)
    with refused("region-smaller-than-supervoxels", CaseError) as told:
        supervoxels(image, mask, spacing)
    assert told.value.found == found


def test_an_outline_is_drawn_of_a_mask_smaller_than_any_supervoxel():
    mask = np.zeros((20, 20, 20), bool)
    mask[10, 10, 10:13] = True
    parts = np.arange(8000).reshape(20, 20, 20) // 500
    assert new_outline(mask, parts, 5).any()


@pytest.fixture(scope="module")
def public_body(testdata):
    """Voxels of a public CT and of the vertebral body in it, and MIRP's results on them."""
    folder = testdata / "tptbox_ct_vertebra"

    def read(name: str) -> np.ndarray:
        return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"sub-ct_{name}.nii.gz")))

    body = np.isin(read("seg-subreg_label-22_msk"), (49, 50))
    body &= read("seg-vert_label-22_msk") == 22
    return read("label-22_ct").astype(float), body


@pytest.fixture(scope="module")
def mirp(repository):
    path = repository / "tests" / "golden" / "perturbations" / "mirp.json"
    return json.loads(path.read_text())


def test_noise_is_that_of_mirp(public_body, mirp):
    assert noise_level(public_body[0]) == pytest.approx(mirp["noise_hu"], rel=1e-12)


def test_volumes_are_those_of_mirp(public_body, mirp):
    _, body = public_body
    assert body.sum() == mirp["voxels"]
    found = {text: int(changed_volume(body, float(text), 1).sum()) for text in mirp["volumes"]}
    assert found == mirp["volumes"]


def test_outlines_vary_as_those_of_mirp(public_body, mirp):
    # MIRP's supervoxels are scikit-image's, ours ITK's: alike in size and spread, not in voxels.
    image, body = public_body
    places = np.argwhere(body)
    low = np.maximum(places.min(axis=0) - 17, 0)  # 25 mm around, as MIRP cuts out
    part = tuple(slice(a, b) for a, b in zip(low, places.max(axis=0) + 18, strict=True))
    image, body = image[part], body[part]
    parts = supervoxels(image, body, (1.5, 1.5, 1.5))
    drawn = [new_outline(body, parts, seed) for seed in range(mirp["contour"]["draws"])]
    ratios = np.array([each.sum() / body.sum() for each in drawn])
    dice = np.array([2 * (each & body).sum() / (each.sum() + body.sum()) for each in drawn])
    assert ratios.mean() == pytest.approx(mirp["contour"]["volume_ratio_mean"], abs=0.04)
    assert ratios.std(ddof=1) == pytest.approx(mirp["contour"]["volume_ratio_sd"], abs=0.02)
    assert dice.mean() == pytest.approx(mirp["contour"]["dice_mean"], abs=0.04)
