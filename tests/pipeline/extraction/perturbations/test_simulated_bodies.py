"""Simulated vertebral bodies: volume and mean HU survive the default chain, pure noise does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from pipeline.comparison.agreement.repeated import moments, spread
from pipeline.extraction import load_params, open_scan
from pipeline.extraction.perturbations.drawing import Strength, draws_of
from pipeline.extraction.perturbations.grids import measured_noise, place
from pipeline.extraction.perturbations.repeating import repeat_images

BODIES, REPETITIONS = 10, 4
NOISE = ["original_firstorder_Skewness", "original_glcm_Correlation", "original_glcm_Imc1"]
SETTINGS = {
    "normalize": False, "binWidth": 25, "resampledPixelSpacing": [1, 1, 1],
    "interpolator": "sitkBSpline", "padDistance": 5, "additionalInfo": False,
}  # fmt: skip


def bodies():
    """Yield CTs and masks: volumes and HU differ as patients do, within a body is noise alone."""
    rng = np.random.default_rng(0)
    for _ in range(BODIES):
        axes = np.array([12, 15, 19]) * np.exp(rng.normal(0, 0.25 / 3)) * rng.uniform(0.95, 1.05, 3)
        spacing = np.array([2.0, 0.9, 0.9])
        grid = np.indices((28, 60, 66)) * spacing.reshape(3, 1, 1, 1)
        centre = np.array([28, 60, 66]) * spacing / 2
        apart = (grid - centre.reshape(3, 1, 1, 1)) / axes.reshape(3, 1, 1, 1)
        inside = (np.abs(apart) ** 4).sum(axis=0) <= 1
        ct = np.where(inside, rng.normal(150, 45), 40) + rng.normal(0, 15, inside.shape)
        pair = [sitk.GetImageFromArray(ct.astype(np.int16))]
        pair.append(sitk.GetImageFromArray(inside.astype(np.uint8)))
        for image in pair:
            image.SetSpacing((0.9, 0.9, 2.0))
        yield pair


@pytest.fixture(scope="module")
def icc() -> pd.Series:
    params = load_params(
        {
            "setting": SETTINGS,
            "imageType": {"Original": {}},
            "featureClass": {
                "shape": ["MeshVolume"], "firstorder": ["Mean", "Skewness"],
                "glcm": ["Correlation", "Imc1"],
            },
        }
    )  # fmt: skip
    chain = Strength(("noise", "translation", "volume", "contour"))
    rows, of = [], []
    for number, (ct, mask) in enumerate(bodies()):
        scan = open_scan(ct, params)
        placed = place(scan, mask, 1)
        noise = measured_noise(scan, placed)
        draws = draws_of(chain, range(1, REPETITIONS + 1), 1, "scan", str(number))
        for each in repeat_images(scan, placed, draws, noise, params, "fast"):
            rows.append(each.features)
            of.append(number)
    table = pd.DataFrame(rows)
    return pd.Series(spread(moments(table.to_numpy(), of, BODIES)).icc, index=table.columns)


@pytest.mark.parametrize("name", ["original_shape_MeshVolume", "original_firstorder_Mean"])
def test_what_is_the_patient_s_survives(icc, name):
    assert icc[name] > 0.95


@pytest.mark.parametrize("name", NOISE)
def test_what_is_noise_does_not(icc, name):
    assert icc[name] < 0.9
