"""Cases drawn at random, for what nobody thought of: grids, orientations, masks and parameters.

A number makes a case, the same one on every machine; a case that failed is told by its number.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from tests.extraction_matrix.case import Inputs
from tests.extraction_matrix.parameters import CLASSES, ORIGINAL
from tests.extraction_matrix.volumes import (
    DIRECTIONS,
    IDENTITY,
    VOXEL_TYPES,
    as_type,
    ball,
    vertebra,
)

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
GREYS = {
    "binCount": lambda rng: {"binCount": int(rng.integers(8, 65))},
    "binWidth": lambda rng: {"binWidth": float(rng.choice([5, 25, 50]))},
}
INTERPOLATORS = ("sitkLinear", "sitkNearestNeighbor", "sitkGaussian")


def drawn_case(number: int) -> tuple[Inputs, dict]:
    """Return image and mask, and the content of a parameter file."""
    rng = np.random.default_rng(number)
    spacing = rng.choice(SPACINGS, 3).tolist()
    size = rng.integers(14, 34, 3).tolist()
    region = ball(size[::-1], rng.uniform(0.2, 0.95, 3), rng.uniform(-0.6, 0.6, 3))
    if rng.random() < 0.15:
        region &= rng.random(region.shape) < 0.5
    image, mask = vertebra(size, spacing, region=region, seed=number, direction=_direction(rng))
    image = _typed(image, VOXEL_TYPES[rng.integers(len(VOXEL_TYPES))])
    return (image, _changed(mask, rng)), _parameters(rng, spacing)


def _typed(image: sitk.Image, dtype: type) -> sitk.Image:
    typed = sitk.GetImageFromArray(as_type(sitk.GetArrayFromImage(image), dtype).astype(dtype))
    typed.CopyInformation(image)
    return typed


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


def _parameters(rng: np.random.Generator, own: list[float]) -> dict:
    """Return the content of a parameter file for a CT of the spacing `own`, in mm."""
    setting = GREYS[str(rng.choice(list(GREYS)))](rng) | _grid(rng, own)
    if rng.random() < 0.5:
        setting |= {"normalize": True, "normalizeScale": float(rng.choice([1, 100]))}
        if setting["normalizeScale"] == 1 and "binWidth" in setting:
            setting["binWidth"] /= 100
        if rng.random() < 0.7:
            setting["removeOutliers"] = float(rng.choice([3, 1.5]))
    if rng.random() < 0.2:
        setting |= {"distances": [1, 2], "gldm_a": 1}
    if rng.random() < 0.2:
        setting |= {"force2D": True, "force2Ddimension": int(rng.integers(3))}
    if rng.random() < 0.15:
        setting["voxelArrayShift"] = 500
    if rng.random() < 0.15:
        setting |= {"resegmentRange": [-2, 2.5], "resegmentMode": "sigma"}
    if rng.random() < 0.1:
        setting["symmetricalGLCM"] = False
    if rng.random() < 0.1:
        setting["weightingNorm"] = str(rng.choice(["manhattan", "euclidean", "infinity"]))
    return {
        "imageType": ORIGINAL | FILTERS[rng.integers(len(FILTERS))],
        "featureClass": CLASSES,
        "setting": setting,
    }


def _grid(rng: np.random.Generator, own: list[float]) -> dict:
    """Return how a CT is resampled, cut out, or taken as it is."""
    pad = {"padDistance": int(rng.choice([0, 2, 5, 10]))}
    kind = rng.random()
    if kind < 0.25:
        return pad | {"preCrop": True} if kind < 0.08 else {}
    if kind < 0.4:
        return pad | {"resampledPixelSpacing": own}
    target = pad | {"resampledPixelSpacing": TARGETS[rng.integers(len(TARGETS))]}
    if kind < 0.47:
        target["interpolator"] = str(rng.choice(INTERPOLATORS))
    return target
