"""Noise of a CT: measured, and added at its own level."""

from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extraction.crops import Normalisation
from pipeline.extraction.perturbations.noise import noise_level, noisy_part, with_noise
from pipeline.extraction.resampling import Scaling, Volume, resample_image
from pipeline.imaging.geometry import Geometry


def volume_of(voxels: np.ndarray) -> Volume:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.7, 0.8, 2.0))
    image.SetOrigin((-10.0, 5.0, 3.0))
    return Volume(voxels, Geometry.of(image))


@settings(max_examples=15, deadline=None)
@given(st.floats(1, 100), st.integers(0, 1000))
def test_white_noise_is_measured_whatever_it_lies_on(level, seed):
    rng = np.random.default_rng(seed)
    slope = np.add.outer(np.add.outer(np.arange(12.0), np.arange(48.0)), np.arange(48.0))
    found = noise_level(slope + rng.normal(0, level, slope.shape))
    assert found == pytest.approx(level, rel=0.08)


def test_a_constant_image_has_no_noise():
    assert noise_level(np.full((4, 20, 20), -1024, np.int16)) == pytest.approx(0, abs=1e-9)


def test_a_part_without_noise_gives_the_values_of_the_whole():
    voxels = np.random.default_rng(1).integers(-1000, 1500, (40, 120, 110)).astype(np.int16)
    whole = volume_of(voxels)
    start = whole.geometry.affine @ [60.3, 55.1, 20.2, 1]
    grid = Geometry((5, 6, 7), (1.0, 1.0, 1.0), tuple(start[:3]), whole.geometry.direction)
    scaling = Scaling(-30.0, 1 / 400.0, math.inf, 100.0)
    same = noisy_part(whole, grid, 0.0, 5)
    assert same.voxels.size < voxels.size
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(resample_image(same, grid, scaling)),
        sitk.GetArrayFromImage(resample_image(whole, grid, scaling)),
        rtol=1e-10,
        atol=1e-10,
    )


def test_noise_has_its_level_and_its_seed():
    whole = volume_of(np.zeros((40, 90, 90), np.int16))
    start = whole.geometry.affine @ [20, 20, 10, 1]
    grid = Geometry((30, 30, 30), (0.9, 0.9, 1.0), tuple(start[:3]), whole.geometry.direction)
    first, again, other = (noisy_part(whole, grid, 12.0, seed).voxels for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    drawn = first[first != 0]
    assert drawn.std() == pytest.approx(12, rel=0.02)
    assert (first != other).any()
    assert not whole.voxels.any()


def test_noise_widens_what_a_ct_is_normalised_by():
    scaling, normalisation = Scaling(-40.0, 1 / 300.0, 3.0, 100.0), Normalisation.of(40, 300, 3)
    scaling, normalisation = with_noise(scaling, normalisation, 400.0, 3)
    assert normalisation == Normalisation.of(40, 500, 3)
    assert (scaling.shift, scaling.scale) == (-40.0, 1 / 500.0)
    assert with_noise(None, None, 5.0, None) == (None, None)
