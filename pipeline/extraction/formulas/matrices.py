"""Texture matrices of binned regions, counted by the compiled kernel.

What belongs to the region alone (its voxels, the steps to neighbours) is laid out once and serves
every filtered image of the region.
"""

from __future__ import annotations

import functools
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
    drawn : numpy.ndarray of uint8
        The region in its box, 1 inside.
    size : int
        Number of voxels.
    """

    def __init__(self, mask: np.ndarray, spacing: tuple[float, ...]) -> None:
        mask = np.ascontiguousarray(mask).view(np.uint8)
        box = kernels().label_box(mask, 1)
        self.box = tuple(slice(box[2 * axis], box[2 * axis + 1] + 1) for axis in (2, 1, 0))
        self.shape = tuple(side.stop - side.start for side in self.box)
        self.drawn = mask[self.box]
        self.inside = np.flatnonzero(mask.view(bool))
        self.size = len(self.inside)
        self.spacing = spacing
        self._layouts: dict[tuple, Layout] = {}

    def layout(self, settings: dict) -> Layout:
        """Return the region's neighbours by the settings ``distances`` and ``force2D``."""
        plane = (bool(settings.get("force2D", False)), int(settings.get("force2Ddimension", 0)))
        key = (tuple(settings.get("distances", [1])), *plane)
        if key not in self._layouts:
            self._layouts[key] = Layout(self, *key)
        return self._layouts[key]

    def shares_lines(self, direction: np.ndarray) -> bool:
        """Return whether two voxels lie on one line along `direction` (z, y, x), gaps or not."""
        places = np.transpose(self.drawn.nonzero())
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
        self.rim = rim = max(1, *(int(distance) for distance in distances))
        shape = [side + 2 * rim for side in region.shape]
        strides = np.array([shape[1] * shape[2], shape[2], 1], dtype=np.int64)
        self.grid = np.zeros(shape, dtype=np.uint16)
        self.bin, self.zone = (np.zeros(shape, dtype=np.int32) for _ in range(2))
        drawn = np.zeros(shape, dtype=bool)
        drawn[tuple(slice(rim, rim + side) for side in region.shape)] = region.drawn
        self.where = np.flatnonzero(drawn)
        self.angle_steps = self.angles @ strides
        self.direction_steps = self.directions @ strides
        self.links = _links(tuple(self.direction_steps.tolist()))
        self.longest = max(region.shape)


@functools.lru_cache(maxsize=8)
def _links(directions: tuple[int, ...]) -> np.ndarray:
    """Return which neighbours a voxel has to be joined to (native/runs.c)."""
    links = np.zeros(1 << len(directions), np.uint16)
    kernels().zone_links(np.array(directions, np.int64), links)
    return links


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
    levels : numpy.ndarray of uint16
        Level of each voxel of the region: 1 for the first that occurs, then without gaps.
    values : numpy.ndarray of int
        Bin that each level stands for.
    alpha : float
        ``gldm_a``: largest difference of dependent neighbours, in bins.
    """
    ng = len(values)
    # Column 0 of the kernel's matrix counts neighbours outside the region.
    glcm = np.zeros((ng, ng + 1, len(layout.angles)), np.uint32)
    glrlm = np.zeros((ng, layout.longest, len(layout.directions)), np.uint32)
    gldm = np.zeros((ng, 2 * len(layout.angles) + 1), np.uint32)
    ngtdm = np.zeros((ng, 2))
    zone_levels, sizes = np.empty(len(levels), np.uint16), np.empty(len(levels), np.int32)
    zones = kernels().texture_matrices(
        layout.grid, layout.bin, layout.zone, layout.where, levels, values.astype(np.int32),
        layout.angle_steps, layout.direction_steps, layout.links, layout.rim, alpha,
        glcm, glrlm, gldm, ngtdm, zone_levels, sizes,
    )  # fmt: skip
    for n in np.flatnonzero(~glrlm[:, 1:].any(axis=(0, 1))):
        # PyRadiomics counts no runs in a direction in which every voxel is alone on its line.
        if not layout.region.shares_lines(layout.directions[n]):
            glrlm[..., n] = 0
    # Zones by size, for each size that occurs.
    sizes, zone_levels = sizes[:zones], zone_levels[:zones].astype(np.intp) - 1
    found = np.bincount(sizes)
    zone_sizes = np.flatnonzero(found)
    column = np.empty(len(found), np.intp)
    column[zone_sizes] = np.arange(len(zone_sizes))
    glszm = np.bincount(
        zone_levels * len(zone_sizes) + column[sizes], minlength=ng * len(zone_sizes)
    ).reshape(ng, -1)
    return Matrices(
        *(counts.astype(np.float64) for counts in (glcm[:, 1:], glrlm, gldm)),
        ngtdm,
        *(counts.astype(np.float64) for counts in (glszm, zone_sizes)),
    )
