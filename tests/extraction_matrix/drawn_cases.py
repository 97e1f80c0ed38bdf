"""Cases drawn at random, for what nobody thought of: grids, orientations, masks and parameters.

A number makes a case, the same one on every machine; a case that failed is told by its number.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from tests.extraction_matrix.case import Inputs
from tests.extraction_matrix.parameters import CLASSES, ORIGINAL
from tests.extraction_matrix.volumes import DIRECTIONS, IDENTITY, ball, vertebra

#: mm; many of them meet a target grid in exact halves.
SPACINGS = (
    0.4,
    0.5,
    0.625,
    0.703125,
    0.75,
    0.8,
    0.9765625,
    1.0,
    1.25,
    1.5,
    2.0,
    2.5,
    3.0,
    4.0,
    5.0,
)
TARGETS = ([1, 1, 1], [2, 2, 2], [1, 1, 0], [0.75, 0.75, 0.75], [1.5, 1.5, 1.5], [0.8, 0.8, 3])
FILTERS = ({"LoG": {"sigma": [2.0]}}, {"Wavelet": {"wavelet": "haar"}}, {"Gradient": {}})
TYPES = (np.int16, np.int16, np.int16, np.int32, np.float32, np.float64)


def drawn_case(number: int) -> tuple[Inputs, dict]:
    """Return image and mask, and the content of a parameter file."""
    rng = np.random.default_rng(number)
    spacing = rng.choice(SPACINGS, 3).tolist()
    size = rng.integers(14, 34, 3).tolist()
    region = ball(size[::-1], rng.uniform(0.2, 0.95, 3), rng.uniform(-0.6, 0.6, 3))
    if rng.random() < 0.15:
        region &= rng.random(region.shape) < 0.5
    image, mask = vertebra(
        size, spacing, region=region, seed=number, direction=_direction(rng),
        dtype=TYPES[rng.integers(len(TYPES))],
    )  # fmt: skip
    return (image, _changed(mask, rng)), _parameters(rng)


def _direction(rng: np.random.Generator) -> tuple[float, ...]:
    kind = rng.integers(3)
    if kind == 0:
        return IDENTITY
    if kind == 1:
        return list(DIRECTIONS.values())[rng.integers(len(DIRECTIONS))]
    angles = rng.uniform(-30, 30, 3)
    return tuple(Rotation.from_euler("xyz", angles, degrees=True).as_matrix().ravel().tolist())


def _changed(mask: sitk.Image, rng: np.random.Generator) -> sitk.Image:
    """Return the mask as it is, with other rows, cut, or on a grid of its own."""
    kind = rng.integers(6)
    if kind == 0:
        return sitk.Flip(mask, [bool(yes) for yes in rng.integers(0, 2, 3)])
    if kind == 1:
        x, y, z = rng.integers(0, 3, 3).tolist()
        return mask[x : mask.GetWidth() - 1, y:, z : mask.GetDepth() - 1]
    if kind == 2:
        factor = float(rng.choice([0.5, 0.75, 1.25]))
        onto = sitk.Image([int(n / factor) for n in mask.GetSize()], sitk.sitkUInt8)
        onto.SetSpacing([mm * factor for mm in mask.GetSpacing()])
        onto.SetOrigin(mask.GetOrigin())
        onto.SetDirection(mask.GetDirection())
        return sitk.Resample(mask, onto, sitk.Transform(), sitk.sitkNearestNeighbor)
    return mask


def _parameters(rng: np.random.Generator) -> dict:
    setting = {
        "binWidth": float(rng.choice([5, 25, 50])),
        "resampledPixelSpacing": TARGETS[rng.integers(len(TARGETS))],
        "padDistance": int(rng.choice([0, 2, 5, 10])),
    }
    if rng.random() < 0.5:
        outliers = float(rng.choice([3, 1.5]))
        setting |= {"normalize": True, "normalizeScale": 100, "removeOutliers": outliers}
    if rng.random() < 0.2:
        setting |= {"distances": [1, 2], "gldm_a": 1}
    if rng.random() < 0.2:
        setting |= {"force2D": True, "force2Ddimension": int(rng.integers(3))}
    return {
        "imageType": ORIGINAL | FILTERS[rng.integers(len(FILTERS))],
        "featureClass": CLASSES,
        "setting": setting,
    }
