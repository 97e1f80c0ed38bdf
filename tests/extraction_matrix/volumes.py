"""Synthetic scans and regions, made of whole numbers so that every machine makes the same bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

#: Place of the first voxel, in mm; no multiple of any spacing.
ORIGIN = (-31.25, 17.3, -402.7)

IDENTITY = (1, 0, 0, 0, 1, 0, 0, 0, 1)
#: Directions of the axes, as ITK has them: columns are x, y, z of the voxels.
DIRECTIONS = {
    "flipped x and y": (-1, 0, 0, 0, -1, 0, 0, 0, 1),
    "flipped z": (1, 0, 0, 0, 1, 0, 0, 0, -1),
    "sagittal": (0, 0, 1, 1, 0, 0, 0, -1, 0),
    "coronal": (1, 0, 0, 0, 0, 1, 0, -1, 0),
    "oblique": tuple(
        Rotation.from_euler("xyz", [11, -7, 23], degrees=True).as_matrix().ravel().tolist()
    ),
    "tilted": tuple(Rotation.from_euler("x", -18.5, degrees=True).as_matrix().ravel().tolist()),
}


#: Voxel types of a CT.
VOXEL_TYPES = (
    np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.float32, np.float64,
)  # fmt: skip
_BYTES = {"i": (-128, 127), "u": (0, 255)}


def body(shape: Sequence[int], seed: int = 1) -> np.ndarray:
    """Return HU of soft tissue in air, with noise of several sizes; int64, (z, y, x)."""
    rng = np.random.default_rng(seed)
    values = np.full(shape, 40, np.int64)
    for step, amplitude in ((7, 50), (3, 60), (1, 40)):
        coarse = rng.integers(-amplitude, amplitude + 1, [n // step + 1 for n in shape])
        for axis in range(3):
            coarse = coarse.repeat(step, axis)
        values += coarse[tuple(slice(n) for n in shape)]
    far = ~ball(shape, (1.0, 0.95, 0.95), power=4)
    values[far] = -1000 + values[far] // 8
    return values


def ball(
    shape: Sequence[int],
    radii: Sequence[float] = (0.55, 0.55, 0.55),
    centre: Sequence[float] = (0, 0, 0),
    power: int = 2,
) -> np.ndarray:
    """Return a (super)ellipsoid; radii and centre count in half widths of the volume, (z, y, x)."""
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    total = 0.0
    for axis, n, radius, middle in zip(axes, shape, radii, centre, strict=True):
        total = total + (((2 * axis - (n - 1)) / n - middle) / radius) ** power
    return total < 1


def as_type(values: np.ndarray, dtype: type) -> np.ndarray:
    """Return HU as values that the type holds: in steps, without a sign, or with fractions."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return values * 0.9765625 + 0.1
    if kind.kind == "u":
        values = np.maximum(values + 1100, 0)
    return np.clip(values // 8, *_BYTES[kind.kind]) if kind.itemsize == 1 else values


def scan(
    values: np.ndarray,
    region: np.ndarray,
    spacing: Sequence[float] = (0.8, 0.8, 3.0),
    direction: Sequence[float] = IDENTITY,
    dtype: type = np.int16,
) -> tuple[sitk.Image, sitk.Image]:
    """Return image and mask of one geometry; `region` is boolean or holds labels."""
    pair = []
    for array in (values.astype(dtype), region.astype(np.uint8)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing([float(mm) for mm in spacing])
        image.SetOrigin(ORIGIN)
        image.SetDirection([float(cosine) for cosine in direction])
        pair.append(image)
    return pair[0], pair[1]


def vertebra(
    size: Sequence[int] = (36, 34, 14),
    spacing: Sequence[float] = (0.8, 0.8, 3.0),
    *,
    region: np.ndarray | None = None,
    seed: int = 1,
    direction: Sequence[float] = IDENTITY,
    dtype: type = np.int16,
) -> tuple[sitk.Image, sitk.Image]:
    """Return a scan with a bone of an ellipsoid's form; `size` is (x, y, z) in voxels."""
    shape = tuple(size[::-1])
    if region is None:
        region = ball(shape)
    values = body(shape, seed)
    values[region != 0] += 180
    return scan(values, region, spacing, direction, dtype)
