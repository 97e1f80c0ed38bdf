"""How two masks of one vertebra differ: overlap, distance of the surfaces, volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage


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


def surface_distances(
    a: np.ndarray, b: np.ndarray, spacing: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances from the surface of each mask to that of the other.

    The surface is the centres of the voxels that share a face with the outside; beyond the edge
    of the volume is outside.

    Parameters
    ----------
    a, b : numpy.ndarray
        0/1, shape (z, y, x), each with at least one voxel.
    spacing : sequence of float
        Distance of voxel centres along x, y, z, in mm.

    Returns
    -------
    a_to_b, b_to_a : numpy.ndarray
        One distance per surface voxel, in mm.
    """
    either = np.nonzero((a != 0) | (b != 0))
    box = tuple(slice(axis.min(), axis.max() + 1) for axis in either)
    surfaces, to_surface = [], []
    for mask in (a, b):
        # Distances between surfaces inside the common box are the same as in the whole volume.
        inside = np.pad(mask[box] != 0, 1)
        surface = inside & ~ndimage.binary_erosion(inside)
        surfaces.append(surface)
        to_surface.append(ndimage.distance_transform_edt(~surface, sampling=tuple(spacing)[::-1]))
    return to_surface[1][surfaces[0]], to_surface[0][surfaces[1]]


def compare_masks(a: np.ndarray, b: np.ndarray, spacing: Sequence[float]) -> dict[str, float]:
    """Compare two readers' masks of one vertebra.

    Parameters
    ----------
    a, b : numpy.ndarray
        0/1, shape (z, y, x), each with at least one voxel.
    spacing : sequence of float
        Distance of voxel centres along x, y, z, in mm.

    Returns
    -------
    dict
        ``dice``; ``hausdorff95_mm``, the larger of the two directed 95th percentiles of the
        surface distances [1]_; ``mean_surface_distance_mm``, the mean over the voxels of both
        surfaces; ``volume_a_ml``, ``volume_b_ml``; ``volume_difference_percent``, (b - a) over
        their mean.

    References
    ----------
    .. [1] Maier-Hein L, Reinke A, Godau P, et al. Metrics reloaded: recommendations for image
       analysis validation. Nat Methods 2024;21:195-212.
    """
    a_to_b, b_to_a = surface_distances(a, b, spacing)
    voxel_ml = float(np.prod(spacing)) / 1000
    volume_a, volume_b = (float(np.count_nonzero(mask) * voxel_ml) for mask in (a, b))
    return {
        "dice": dice(a, b),
        "hausdorff95_mm": float(max(np.percentile(a_to_b, 95), np.percentile(b_to_a, 95))),
        "mean_surface_distance_mm": float(np.concatenate([a_to_b, b_to_a]).mean()),
        "volume_a_ml": volume_a,
        "volume_b_ml": volume_b,
        "volume_difference_percent": 200 * (volume_b - volume_a) / (volume_a + volume_b),
    }
