"""Texture matrices of binned regions, counted by the compiled kernel.

What belongs to the region alone (its voxels, the steps to neighbours) is laid out once and serves
every filtered image of the region.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.extraction.kernels import kernels
from pipeline.extraction.library import radiomics


class Region:
    """The voxels of a region, laid out for the kernel.

    Parameters
    ----------
    mask : numpy.ndarray of bool
        Shape (z, y, x); the region and whatever lies around it.
    spacing : tuple of float
        Of the grid, in mm (x, y, z).

    Attributes
    ----------
    inside : numpy.ndarray of int64
        Places of the region's voxels in the flattened `mask`, rising.
    box : tuple of slice
        Smallest box around the region.
    size : int
        Number of voxels.
    """

    def __init__(self, mask: np.ndarray, spacing: tuple[float, ...]) -> None:
        self.inside = np.flatnonzero(mask)
        self.size = len(self.inside)
        self.spacing = spacing
        places = np.unravel_index(self.inside, mask.shape)
        self.box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in places)
        self.shape = tuple(side.stop - side.start for side in self.box)
        self._places = [axis - side.start for axis, side in zip(places, self.box, strict=True)]
        self._layouts: dict[tuple, Layout] = {}

    def layout(self, settings: dict) -> Layout:
        """Return the region's neighbours by the settings ``distances`` and ``force2D``."""
        plane = (bool(settings.get("force2D", False)), int(settings.get("force2Ddimension", 0)))
        key = (tuple(settings.get("distances", [1])), *plane)
        if key not in self._layouts:
            self._layouts[key] = Layout(self, *key)
        return self._layouts[key]

    def places(self) -> list[np.ndarray]:
        """Return the indices z, y, x of the voxels in the box."""
        return self._places

    def shares_lines(self, direction: np.ndarray) -> bool:
        """Return whether two voxels lie on one line along `direction` (z, y, x), gaps or not."""
        places = np.transpose(self._places)
        axis = np.flatnonzero(direction)[0]
        # Where a voxel's line meets the plane 0 of that axis.
        met = places - np.outer(places[:, axis] * direction[axis], direction)
        return len(np.unique(met, axis=0)) < self.size


class Layout:
    """A region on a grid with a rim as wide as the longest step, for one set of steps.

    Attributes
    ----------
    angles, directions : numpy.ndarray of int
        Steps (z, y, x) to neighbours, shape (steps, 3): at all distances, and at distance 1. Each
        stands for its opposite too. PyRadiomics names them, since weights and the deletion of
        steps that no pair takes go by them. None where the box is too small for any.
    """

    def __init__(self, region: Region, distances: tuple, force2d: bool, dimension: int) -> None:
        def steps(at: tuple) -> np.ndarray:
            size = np.array(region.shape)
            sides = np.delete(size, dimension) if force2d else size
            if sides.max() <= min(at):
                # PyRadiomics ends here with an error; not every class of features needs steps.
                return np.empty((0, 3), dtype=np.int64)
            return radiomics().cMatrices.generate_angles(
                size, np.array(at), False, force2d, dimension
            )

        self.region = region
        self.angles, self.directions = steps(distances), steps((1,))
        rim = max(1, *(int(distance) for distance in distances))
        shape = [side + 2 * rim for side in region.shape]
        strides = np.array([shape[1] * shape[2], shape[2], 1], dtype=np.int64)
        self.where = sum(
            (axis.astype(np.int64) + rim) * stride
            for axis, stride in zip(region.places(), strides, strict=True)
        )
        self.rim = rim
        self.grid, self.bin = (np.zeros(shape, dtype=np.int32) for _ in range(2))
        self.number = np.zeros(self.grid.size, dtype=np.int32)
        self.number[self.where] = np.arange(region.size, dtype=np.int32)
        self.angle_steps = self.angles @ strides
        self.direction_steps = self.directions @ strides
        self.longest = max(region.shape)


class Matrices(NamedTuple):
    """Counts of one binned image, in the order of its levels.

    Attributes
    ----------
    glcm : numpy.ndarray of float64
        Shape (levels, levels, steps), one way only.
    glrlm : numpy.ndarray of float64
        Shape (levels, longest run, directions).
    gldm : numpy.ndarray of float64
        Shape (levels, neighbours + 1).
    ngtdm : numpy.ndarray of float64
        Shape (levels, 2): voxels with neighbours, sum of differences.
    glszm : numpy.ndarray of float64
        Shape (levels, sizes that occur).
    zone_sizes : numpy.ndarray of float64
        Voxels of a zone, for the columns of `glszm`.
    """

    glcm: np.ndarray
    glrlm: np.ndarray
    gldm: np.ndarray
    ngtdm: np.ndarray
    glszm: np.ndarray
    zone_sizes: np.ndarray


def count(layout: Layout, levels: np.ndarray, values: np.ndarray, alpha: float) -> Matrices:
    """Count all texture matrices of one image.

    Parameters
    ----------
    layout : Layout
        Of the region.
    levels : numpy.ndarray of int32
        Level of each voxel of the region: 1 for the first that occurs, then without gaps.
    values : numpy.ndarray of int
        Bin that each level stands for.
    alpha : float
        ``gldm_a``: largest difference of dependent neighbours, in bins.
    """
    ng = len(values)
    # Column 0 of the kernel's matrix counts neighbours outside the region.
    glcm = np.zeros((ng, ng + 1, len(layout.angles)))
    glrlm = np.zeros((ng, layout.longest, len(layout.directions)))
    gldm = np.zeros((ng, 2 * len(layout.angles) + 1))
    ngtdm = np.zeros((ng, 2))
    sizes = np.empty(len(levels), np.int32)
    kernels().texture_matrices(
        layout.grid, layout.bin, layout.where, layout.number, levels, values.astype(np.int32),
        layout.angle_steps, layout.direction_steps, layout.rim, alpha,
        glcm, glrlm, gldm, ngtdm, sizes,
    )  # fmt: skip
    for n in np.flatnonzero(~glrlm[:, 1:].any(axis=(0, 1))):
        # PyRadiomics counts no runs in a direction in which every voxel is alone on its line.
        if not layout.region.shares_lines(layout.directions[n]):
            glrlm[..., n] = 0
    roots = np.flatnonzero(sizes)
    zone_sizes, column = np.unique(sizes[roots], return_inverse=True)
    glszm = np.bincount(
        (levels[roots] - 1) * len(zone_sizes) + column, minlength=ng * len(zone_sizes)
    ).reshape(ng, -1)
    return Matrices(
        glcm[:, 1:], glrlm, gldm, ngtdm, glszm.astype(np.float64), zone_sizes.astype(np.float64)
    )
