"""How two masks of one vertebra differ: overlap, distance of the surfaces, volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from pipeline.imaging.geometry import occupied_box

#: Added to a tolerance, so that a distance of ten voxels of 0.1 mm is within 1 mm.
_ROUNDING_MM = 1e-6


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Dice coefficient of two binary masks.

    Parameters
    ----------
    a, b : numpy.ndarray
        0/1, same shape; at least one voxel in one of them.

    Returns
    -------
    float
        Twice the common voxels over the sum of both: 1 for equal masks, 0 for disjoint ones [1]_.

    References
    ----------
    .. [1] Dice LR. Measures of the amount of ecologic association between species. Ecology
       1945;26:297-302.
    """
    common = np.count_nonzero((a != 0) & (b != 0))
    return float(2 * common / (np.count_nonzero(a) + np.count_nonzero(b)))


class Surface(NamedTuple):
    """Surface of a mask, one entry per voxel that shares a face with the outside.

    Attributes
    ----------
    distance_mm : numpy.ndarray
        Distance from the voxel's centre to the nearest surface voxel of the other mask, in mm.
    area_mm2 : numpy.ndarray
        Area of the voxel's faces that look outside, in square millimetres. A voxel of a thick
        slice's rim stands for more surface than one of its flat top.
    """

    distance_mm: np.ndarray
    area_mm2: np.ndarray


def surfaces(a: np.ndarray, b: np.ndarray, spacing: Sequence[float]) -> tuple[Surface, Surface]:
    """Return the surfaces of two masks with the distances from each to the other.

    Beyond the edge of the volume is outside.

    Parameters
    ----------
    a, b : numpy.ndarray
        0/1, shape (z, y, x), each with at least one voxel.
    spacing : sequence of float
        Distance of voxel centres along x, y, z, in mm.

    Returns
    -------
    of_a, of_b : Surface
    """
    sampling = tuple(spacing)[::-1]
    box = _common_box(a, b)
    found, areas, to_surface = [], [], []
    for mask in (a, b):
        # Distances between surfaces inside the common box are the same as in the whole volume.
        inside = np.pad(mask[box] != 0, 1)
        area = _outer_area(inside, sampling)
        surface = area > 0
        found.append(surface)
        areas.append(area[surface])
        to_surface.append(ndimage.distance_transform_edt(~surface, sampling=sampling))
    return (
        Surface(to_surface[1][found[0]], areas[0]),
        Surface(to_surface[0][found[1]], areas[1]),
    )


def _common_box(a: np.ndarray, b: np.ndarray) -> tuple[slice, ...]:
    """Return the smallest box that holds both masks."""
    boxes = [box for box in map(occupied_box, (a, b)) if box]
    return tuple(
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )


def _outer_area(inside: np.ndarray, sampling: Sequence[float]) -> np.ndarray:
    """Return the area of each inner voxel's faces that look outside; the rim must be outside."""
    area = np.zeros(inside.shape)
    for axis, spacing in enumerate(sampling):
        face = float(np.prod(sampling)) / spacing
        for step in (-1, 1):
            # What is rolled around the edge is outside on both sides.
            area += face * (inside & ~np.roll(inside, step, axis=axis))
    return area


def surface_dice(a: Surface, b: Surface, tolerance_mm: float) -> float:
    """Return the share of both surfaces that lies within a tolerance of the other one [1]_.

    Parameters
    ----------
    a, b : Surface
        As `surfaces` returns them.
    tolerance_mm : float
        Distance up to which two surfaces count as the same, in mm.

    Returns
    -------
    float
        Area within the tolerance over the area of both surfaces: 1 where no part of either is
        further away than the tolerance, 0 where all of it is.

    References
    ----------
    .. [1] Nikolov S, Blackwell S, Zverovitch A, et al. Clinically applicable segmentation of head
       and neck anatomy for radiotherapy: deep learning algorithm development and validation study.
       J Med Internet Res 2021;23:e26151.
    """
    limit = tolerance_mm + _ROUNDING_MM
    near = sum(one.area_mm2[one.distance_mm <= limit].sum() for one in (a, b))
    return float(near / (a.area_mm2.sum() + b.area_mm2.sum()))


def compare_masks(
    a: np.ndarray, b: np.ndarray, spacing: Sequence[float], tolerance_mm: float
) -> dict[str, float]:
    """Compare two readers' masks of one vertebra.

    Parameters
    ----------
    a, b : numpy.ndarray
        0/1, shape (z, y, x), each with at least one voxel.
    spacing : sequence of float
        Distance of voxel centres along x, y, z, in mm.
    tolerance_mm : float
        Tolerance of the surface Dice, in mm.

    Returns
    -------
    dict
        ``dice``; ``surface_dice``; ``hausdorff95_mm``, the larger of the two directed 95th
        percentiles of the surface distances [1]_; ``mean_surface_distance_mm``, the mean over the
        voxels of both surfaces; ``volume_a_ml``, ``volume_b_ml``; ``volume_difference_percent``,
        (b - a) over their mean.

    References
    ----------
    .. [1] Maier-Hein L, Reinke A, Godau P, et al. Metrics reloaded: recommendations for image
       analysis validation. Nat Methods 2024;21:195-212.
    """
    box = _common_box(a, b)  # nothing lies outside it
    a, b = a[box], b[box]
    of_a, of_b = surfaces(a, b, spacing)
    distances = of_a.distance_mm, of_b.distance_mm
    voxel_ml = float(np.prod(spacing)) / 1000
    volume_a, volume_b = (float(np.count_nonzero(mask) * voxel_ml) for mask in (a, b))
    return {
        "dice": dice(a, b),
        "surface_dice": surface_dice(of_a, of_b, tolerance_mm),
        "hausdorff95_mm": float(max(np.percentile(each, 95) for each in distances)),
        "mean_surface_distance_mm": float(np.concatenate(distances).mean()),
        "volume_a_ml": volume_a,
        "volume_b_ml": volume_b,
        "volume_difference_percent": 200 * (volume_b - volume_a) / (volume_a + volume_b),
    }
