"""Surface, volume and diameters of a region's mesh, without measuring every pair of its vertices.

PyRadiomics wraps a region into triangles by marching cubes and measures the distance of every two
vertices; nothing else takes as long in a region of its own. Here

- area and volume are sums over the cubes of 2 x 2 x 2 voxels. What a cube adds depends only on
  which of its voxels lie inside: 256 cases, which PyRadiomics' own function is asked for once
  (`_cube_table`), so that its triangles stay its own;
- a diameter is measured between the outermost vertices only (native/shape.c).
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from pipeline.extraction.kernels import kernels
from pipeline.extraction.library import Prepared, radiomics

#: The corners (z, y, x) of a cube; corner k is bit k of a case.
CORNERS = tuple(itertools.product((0, 1), repeat=3))


class _Shape(Prepared):
    """PyRadiomics' shape class, whose formulas read what is prepared here."""

    def __init__(self, inside: np.ndarray, spacing: tuple[float, ...], settings: dict) -> None:
        super().__init__(settings)
        # PyRadiomics adds a rim as well; without it coordinates would round otherwise.
        padded = np.zeros([side + 2 for side in inside.shape], dtype=bool)
        padded[1:-1, 1:-1, 1:-1] = inside
        self.pixelSpacing = np.array(spacing[::-1])
        self.SurfaceArea, self.Volume, self.diameters = mesh(padded, spacing[::-1])
        self.eigenValues = principal_moments(padded, spacing[::-1])
        # Its formulas ask for no more than how many voxels there are.
        self.labelledVoxelCoordinates = (range(np.count_nonzero(inside)),)


def shape_features(
    inside: np.ndarray, spacing: tuple[float, ...], settings: dict, wanted: list[str] | None
) -> dict[str, object]:
    """Return the shape features of a region, by PyRadiomics' names.

    Parameters
    ----------
    inside : numpy.ndarray of bool
        Shape (z, y, x); the region in its box.
    spacing : tuple of float
        In mm (x, y, z).
    settings : dict
        PyRadiomics' settings.
    wanted : list of str or None
        Features; all that are not deprecated by default.
    """
    return _shape_class()(inside, spacing, settings).features(wanted)


@functools.cache
def _shape_class() -> type:
    return type("PreparedShape", (_Shape, radiomics().getFeatureClasses()["shape"]), {})


def mesh(inside: np.ndarray, spacing: tuple[float, ...]) -> tuple[float, float, tuple[float, ...]]:
    """Return area, volume and diameters of the mesh around a region.

    Parameters
    ----------
    inside : numpy.ndarray of bool
        Shape (z, y, x), with a rim of one voxel outside the region on every side.
    spacing : tuple of float
        In mm (z, y, x).

    Returns
    -------
    area, volume : float
        In mm2 and mm3.
    diameters : tuple of float
        In mm, largest distance of two vertices with the same z, with the same y, with the same x,
        and of any two.
    """
    counts, places = np.zeros(256), np.zeros((3, 256))
    inside = np.ascontiguousarray(inside).view(np.uint8)
    kernels().cube_cases(inside, counts, places)
    area, volume, drift = _cube_table(tuple(float(mm) for mm in spacing))
    total = volume @ counts + np.sum(drift * places)
    squared = kernels().squared_diameters(inside, spacing[::-1])
    return float(area @ counts), float(total), tuple(math.sqrt(value) for value in squared)


def principal_moments(inside: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Return the eigenvalues of the voxels' covariance, in mm2, smallest first.

    Parameters
    ----------
    inside, spacing
        As in `mesh`.

    Notes
    -----
    Operations and their order are PyRadiomics', since in a flat region the smallest eigenvalue is
    nothing but rounding. What is done to a coordinate is done once for each index that occurs.
    """
    inside = np.ascontiguousarray(inside).view(np.uint8)
    coordinates = np.empty((3, np.count_nonzero(inside)))
    of_index = [np.arange(size) * mm for size, mm in zip(inside.shape, spacing, strict=True)]
    kernels().coordinates(inside, *of_index, coordinates)
    means, n = coordinates.sum(axis=1) / coordinates.shape[1], np.sqrt(coordinates.shape[1])
    of_index = [(mm - mean) / n for mm, mean in zip(of_index, means, strict=True)]
    kernels().coordinates(inside, *of_index, coordinates)
    values = np.linalg.eigvals(np.dot(coordinates, coordinates.T.copy(order="F")))
    values[(values < 0) & (values > -1e-10)] = 0
    return np.sort(values)


@functools.lru_cache(maxsize=8)
def _cube_table(spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a cube of each case adds: area (256), volume (256), volume per step (3, 256).

    Cubes at the rim see a part of a region's voxels, too; a block of 2 x 2 x 2 voxels touches 27 of
    them. In a sum over all blocks the cubes beside a face of a block are counted by both its
    neighbours, so that each case leaves out those of its low faces (inclusion and exclusion over
    the three axes). The volume grows with the distance from the corner where the triangles of
    PyRadiomics leave a gap; hence the third part.
    """
    measure = radiomics().cShape.calculate_coefficients
    mm = np.array(spacing)
    corners = np.array(CORNERS)
    cases = np.arange(256)
    inside = (cases[:, None] >> np.arange(8) & 1).astype(bool)

    def of_blocks(step: tuple[int, ...]) -> np.ndarray:
        """Return area and volume (256, 2) of each block; it begins `step` behind the rim."""
        found = np.zeros((256, 2))
        for case in cases[1:]:
            block = np.zeros(tuple(4 + s for s in step), bool)
            block[tuple((corners[inside[case]] + 1 + step).T)] = True
            found[case] = measure(block, mm)[:2]
        return found

    def own(step: tuple[int, ...]) -> np.ndarray:
        blocks = of_blocks(step)
        total = np.zeros((256, 2))
        for faces in CORNERS:
            kept = ~(corners & faces).any(axis=1)
            total += (-1) ** sum(faces) * blocks[cases & (1 << np.flatnonzero(kept)).sum()]
        return total

    # A block begins at voxel 1 of its array, behind the rim; a region's first cube at voxel 0.
    here = own((0, 0, 0))
    steps = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    drift = np.array([own(step)[:, 1] - here[:, 1] for step in steps])
    return here[:, 0], here[:, 1] - drift.sum(axis=0), drift
