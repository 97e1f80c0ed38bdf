"""The Laplacian of a Gaussian has the bits that ITK gives it, where it is asked for."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from pipeline.extraction.kernels import kernels
from pipeline.extraction.laplacian import laplacian, laplacian_images
from pipeline.extraction.library import radiomics


def of_itk(image: sitk.Image, sigma: float) -> np.ndarray:
    made = sitk.LaplacianRecursiveGaussianImageFilter()
    made.SetNormalizeAcrossScale(True)
    made.SetSigma(sigma)
    return sitk.GetArrayFromImage(made.Execute(image))


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16, np.uint8])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.68359375, 0.7, 2.5)])
@pytest.mark.parametrize("shape", [(21, 34, 47), (4, 5, 33), (17, 4, 16)])
def test_every_bit_is_that_of_itk(shape, spacing, kind):
    values = np.random.default_rng(5).normal(100, 40, shape).astype(kind)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    whole = tuple(slice(0, side) for side in shape)
    part = tuple(slice(side // 4, side - side // 3) for side in shape)
    for sigma in (0.5, 1.0, 2.0, 3.7):
        expected = of_itk(image, sigma)
        np.testing.assert_array_equal(laplacian(values, spacing, sigma, whole), expected)
        found = laplacian(values, spacing, sigma, part)
        assert found.dtype == expected.dtype == np.float32
        np.testing.assert_array_equal(found[part], expected[part])
        found[part] = 0
        assert not found.any()


@pytest.mark.parametrize("shape", [(30, 31, 32), (9, 31, 32), (3, 31, 32)])
def test_images_and_names_are_those_of_the_library(shape):
    image = sitk.GetImageFromArray(np.random.default_rng(6).normal(0, 1, shape))
    image.SetSpacing((1.0, 1.0, 2.0))
    settings = {"sigma": [1.0, 2.5, 20, 0, -1.0, 4], "binWidth": 25}
    whole = tuple(slice(0, side) for side in shape)
    found = list(laplacian_images(image, whole, settings))
    expected = list(radiomics().imageoperations.getLoGImage(image, image, **settings))
    assert [name for _, name, _ in found] == [name for _, name, _ in expected]
    assert len(found) == {30: 4, 9: 3, 3: 0}[shape[0]]
    for (voxels, _, own), (filtered, _, theirs) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(voxels, sitk.GetArrayViewFromImage(filtered))
        assert own == theirs


def test_a_box_beyond_the_image_is_refused():
    values = np.zeros((8, 8, 8))
    table = np.zeros((2, 3, 5, 4))
    for box in ((0, 9, 0, 8, 0, 8), (-1, 8, 0, 8, 0, 8)):
        with pytest.raises(ValueError, match="hold the box"):
            kernels().laplacian(values, table, (1, 1, 1), box, np.zeros((8, 8, 8), np.float32))
    with pytest.raises(ValueError, match="four voxels"):
        kernels().laplacian(
            values[:3], table, (1, 1, 1), (0, 8, 0, 8, 0, 3), np.zeros((3, 8, 8), np.float32)
        )
