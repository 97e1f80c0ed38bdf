"""PyRadiomics' resampling of one region and its margin, from the part of a CT that it needs.

PyRadiomics hands the whole CT to ITK, which turns every voxel into a spline coefficient before it
looks at the region. Here the same grid is laid out, and `spline_resample` and `nearest_label`
(native/spline.c, native/nearest.c) compute its points to ITK's last bit from the voxels around it.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from pipeline.extraction.kernels import kernels
from pipeline.imaging.geometry import Geometry


class Volume(NamedTuple):
    """Voxels and where they lie.

    Attributes
    ----------
    voxels : numpy.ndarray
        Shape (z, y, x), C-contiguous.
    geometry : Geometry
        Grid of the voxels.
    """

    voxels: np.ndarray
    geometry: Geometry

    def fills(self, box: tuple[int, ...]) -> bool:
        """Return whether a box (lowest x, highest x, lowest y, ...) holds every voxel."""
        return tuple(np.subtract(box[1::2], box[0::2]) + 1) == self.geometry.size


class Scaling(NamedTuple):
    """How grey values are normalised: ``clip((value + shift) * scale, -limit, limit) * last``."""

    shift: float
    scale: float
    limit: float
    last: float

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return normalised grey values, float64, computed in ITK's order."""
        # Of float32, numpy would keep the type; ITK normalises in float64 whatever it reads.
        scaled = (values.astype(np.float64) + self.shift) * self.scale
        return np.clip(scaled, -self.limit, self.limit, out=scaled) * self.last


def resampling_grid(
    mask: Geometry, box: tuple[int, ...], spacing: list[float], pad: int
) -> Geometry:
    """Return the grid that PyRadiomics resamples a region to.

    It begins at the corner of the whole mask, not of the region, and reaches `pad` voxels beyond
    the region where the mask's own grid reaches so far.

    Parameters
    ----------
    mask : Geometry
        Grid of the mask.
    box : tuple of int
        Lowest x, highest x, lowest y, ... of the region on this grid.
    spacing : list of float
        ``resampledPixelSpacing`` in mm (x, y, z); 0 means the mask's own, and so does an axis along
        which the region is one voxel wide.
    pad : int
        ``padDistance`` in voxels of the new grid.

    Notes
    -----
    The operations and their order are those of `radiomics.imageoperations.resampleImage`, since
    the last bit of the origin can decide to which voxel a point of the mask belongs.
    """
    old, size = np.array(mask.spacing), np.array(mask.size)
    low, voxels = np.array(box[0::2]), np.array(box[1::2]) - np.array(box[0::2]) + 1
    new = new_spacing(mask, box, spacing)
    ratio = old / new
    first = np.floor((low - 0.5) * ratio - pad)
    last = np.ceil((low + voxels - 0.5) * ratio + pad)
    end = np.ceil(size * ratio) - 1
    first = np.where(first < 0, 0, first)
    last = np.where(last > end, end, last)
    corner = 0.5 * (new - old) / old + first / ratio
    origin = mask.voxel().TransformContinuousIndexToPhysicalPoint(corner.tolist())
    return Geometry(
        tuple(int(n) for n in last - first + 1), tuple(new.tolist()), origin, mask.direction
    )


def new_spacing(mask: Geometry, box: tuple[int, ...], spacing: list[float]) -> np.ndarray:
    """Return the spacing, in mm (x, y, z), of the grid of `resampling_grid`."""
    old = np.array(mask.spacing)
    wide = np.array(box[1::2]) > np.array(box[0::2])
    return np.where(wide & (np.array(spacing) != 0), np.array(spacing), old)


def resample_image(image: Volume, grid: Geometry, scaling: Scaling | None) -> sitk.Image:
    """Interpolate a CT at the points of a grid by cubic B-splines.

    Parameters
    ----------
    image : Volume
        CT in HU.
    grid : Geometry
        From `resampling_grid`.
    scaling : Scaling or None
        Normalisation of the grey values before they are interpolated.

    Returns
    -------
    SimpleITK.Image
        On `grid`; float64 with `scaling`, else of the CT's type, for which ITK cuts values to its
        range and drops what follows the decimal point. Points outside the CT are 0.
    """
    starts, ends = _lines(grid, image.geometry)
    values = np.empty((len(starts), grid.size[0]))
    kernels().spline_resample(image.voxels, scaling, starts, ends, values)
    kind = image.voxels.dtype
    if scaling is None and kind != np.float64:
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            np.clip(values, limits.min, limits.max, out=values)
        values = values.astype(kind)
    return on_grid(values.reshape(grid.size[::-1]), grid)


def resample_region(mask: Volume, label: int, grid: Geometry) -> sitk.Image:
    """Return which points of a grid lie in a region: uint8, 1 inside.

    Parameters
    ----------
    mask : Volume
        Label map.
    label : int
        Voxel value of the region.
    grid : Geometry
        From `resampling_grid`.
    """
    starts, ends = _lines(grid, mask.geometry)
    inside = np.empty((len(starts), grid.size[0]), np.uint8)
    kernels().nearest_label(mask.voxels, label, starts, ends, inside)
    return on_grid(inside.reshape(grid.size[::-1]), grid)


def on_grid(voxels: np.ndarray, grid: Geometry) -> sitk.Image:
    """Return an array of shape (z, y, x) as an image on `grid`."""
    image = sitk.GetImageFromArray(voxels)
    grid.apply_to(image)
    return image


def _lines(grid: Geometry, image: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Return the continuous indices at which each row of `grid` starts and ends in `image`.

    ITK transforms the first point of a row and the one behind its last, and divides the way
    between them; what it does for a point is done here for all rows at once, in its order.

    Returns
    -------
    starts, ends : numpy.ndarray
        Shape (rows, 3), (x, y, z); rows of the grid run with y fastest.
    """
    nx, ny, nz = grid.size
    z, y = (axis.ravel().astype(float) for axis in np.mgrid[:nz, :ny])
    forward, backward = _to_points(grid), _to_indices(image)
    found = []
    for x in (0.0, float(nx)):
        offset = np.empty((3, ny * nz))
        for axis in range(3):
            point = grid.origin[axis] + forward[axis, 0] * x
            offset[axis] = point + forward[axis, 1] * y + forward[axis, 2] * z
            offset[axis] -= image.origin[axis]
        index = [
            backward[axis, 0] * offset[0] + backward[axis, 1] * offset[1]
            + backward[axis, 2] * offset[2]
            for axis in range(3)
        ]  # fmt: skip
        found.append(np.ascontiguousarray(np.transpose(index)))
    return found[0], found[1]


def _to_points(geometry: Geometry) -> np.ndarray:
    """Return ITK's matrix (3, 3) from index to mm; a unit vector brings out a column exactly."""
    voxel = _at_zero(geometry)
    return np.transpose([voxel.TransformIndexToPhysicalPoint(unit) for unit in _units(int)])


def _to_indices(geometry: Geometry) -> np.ndarray:
    """Return ITK's own inverse of that matrix, bit by bit."""
    voxel = _at_zero(geometry)
    return np.transpose(
        [voxel.TransformPhysicalPointToContinuousIndex(unit) for unit in _units(float)]
    )


def _at_zero(geometry: Geometry) -> sitk.Image:
    voxel = geometry.voxel()
    voxel.SetOrigin((0.0, 0.0, 0.0))
    return voxel


def _units(kind: type) -> list[tuple]:
    return sorted(set(itertools.permutations((kind(1), kind(0), kind(0)))), reverse=True)
