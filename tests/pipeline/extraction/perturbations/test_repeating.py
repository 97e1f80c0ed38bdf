"""Repetitions of a mask: shared filters change no bit, and what fails says why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from pipeline.extraction import ENGINES, features_of_crop, load_params, open_scan
from pipeline.extraction.engine import features_of_masks
from pipeline.extraction.perturbations.drawing import Strength, draws_of
from pipeline.extraction.perturbations.grids import Move, measured_noise, place
from pipeline.extraction.perturbations.outlines import changed_volume
from pipeline.extraction.perturbations.repeating import repeat_images, repeat_masks

SMALL = {
    "setting": {
        "normalize": True, "normalizeScale": 100, "removeOutliers": 3, "binWidth": 25,
        "resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline", "padDistance": 5,
        "additionalInfo": False,
    },
    "imageType": {"Original": {}, "LoG": {"sigma": [1.0]}, "Wavelet": {}, "Gradient": {}},
    "featureClass": {
        "shape": ["MeshVolume", "Sphericity"], "firstorder": ["Mean", "Entropy"],
        "glcm": ["Correlation"], "glszm": ["ZoneEntropy"],
    },
}  # fmt: skip


def images(radius: float = 8) -> tuple[sitk.Image, sitk.Image]:
    rng = np.random.default_rng(11)
    z, y, x = np.indices((36, 50, 50)) - np.array([18, 24, 25]).reshape(3, 1, 1, 1)
    inside = x**2 + y**2 + (1.3 * z) ** 2 <= radius**2
    ct = (rng.normal(20, 12, inside.shape) + 180 * inside).astype(np.int16)
    made = [sitk.GetImageFromArray(ct), sitk.GetImageFromArray(inside.astype(np.uint8))]
    for image in made:
        image.SetSpacing((0.8, 0.8, 1.0))
    return made[0], made[1]


@pytest.fixture(scope="module")
def params():
    return load_params(SMALL)


@pytest.fixture(scope="module")
def scan(params):
    return open_scan(images()[0], params)


@pytest.mark.parametrize("engine", ENGINES)
def test_masks_that_share_filters_have_the_features_of_each_alone(scan, params, engine):
    crop = scan.crop(images()[1], 1)
    inside = sitk.GetArrayViewFromImage(crop.mask) != 0
    masks = []
    for fraction in (0.0, 0.2, -0.2):
        mask = sitk.GetImageFromArray(changed_volume(inside, fraction, 1).astype(np.uint8))
        mask.CopyInformation(crop.mask)
        masks.append(mask)
    together = features_of_masks(crop.image, masks, params, engine=engine)
    for mask, found in zip(masks, together, strict=True):
        alone = features_of_crop(crop._replace(mask=mask), params, engine=engine).values
        pd.testing.assert_series_equal(found, alone, check_exact=True)
    assert features_of_masks(crop.image, [], params, engine=engine) == []


def test_repetitions_without_any_change_are_the_study_s_features(scan, params):
    mask = images()[1]
    crop = scan.crop(mask, 1)
    known = features_of_crop(crop, params).values
    nothing = draws_of(Strength(()), [1, 2], 1, "S", "C")
    assert all(draw.move == Move() for draw in nothing)
    placed = place(scan, mask, 1)
    for repetitions in (
        repeat_masks(crop, nothing, params, "fast"),
        repeat_images(scan, placed, nothing, 10.0, params, "fast"),
    ):
        for each in repetitions:
            pd.testing.assert_series_equal(each.features, known, check_exact=True)
            assert each.noise_hu == 0
            assert each.voxels == each.voxels_before


def test_a_chain_changes_volume_outline_and_image(params):
    scan, mask = open_scan(images(11)[0], params), images(11)[1]
    placed = place(scan, mask, 1)
    level = measured_noise(scan, placed)
    draws = draws_of(
        Strength(("noise", "translation", "volume", "contour")), [1, 2, 3], 5, "S", "C"
    )
    found = list(repeat_images(scan, placed, draws, level, params, "fast"))
    assert [each.noise_hu for each in found] == [level] * 3
    assert len({each.features["original_firstorder_Mean"] for each in found}) == 3
    again = list(repeat_images(scan, placed, draws[1:2], level, params, "fast"))
    pd.testing.assert_series_equal(again[0].features, found[1].features, check_exact=True)


@pytest.mark.parametrize("chain", [("translation",), ("translation", "contour")])
def test_a_shift_that_loses_a_small_region_stops_no_other_repetition(scan, params, chain):
    voxels = np.zeros((36, 50, 50), np.uint8)
    voxels[18:20, 24:26, 24:26] = 1
    mask = sitk.GetImageFromArray(voxels)
    mask.CopyInformation(images()[1])
    draws = draws_of(Strength(chain), range(1, 11), 1, "S", "C")
    found = list(repeat_images(scan, place(scan, mask, 1), draws, 0.0, params, "fast"))
    assert [each.draw for each in found] == draws
    without = [each.problem for each in found if each.features is None]
    assert any(problem.startswith("A region must be more than one voxel") for problem in without)
    assert all(each.features is not None for each in found if each.problem is None)
    assert (len(without) < 10) == ("contour" not in chain)


def test_a_region_that_a_perturbation_leaves_too_small_says_why(scan, params):
    strict = load_params(SMALL | {"setting": SMALL["setting"] | {"minimumROISize": 1300}})
    crop = scan.crop(images()[1], 1)
    inside = int(sitk.GetArrayViewFromImage(crop.mask).sum())
    draws = draws_of(Strength(("volume",), volume=0.4), range(1, 11), 5, "S", "C")
    found = list(repeat_masks(crop, draws, strict, "fast"))
    assert {each.voxels_before for each in found} == {inside}
    for each in found:
        assert (each.features is None) == (each.voxels <= 1300) == (each.problem is not None)
    assert {each.features is None for each in found} == {True, False}
    assert "minimumROISize" in next(each.problem for each in found if each.problem)
