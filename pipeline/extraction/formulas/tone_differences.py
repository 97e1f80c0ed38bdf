"""NGTDM features of one image.

Definitions: PyRadiomics' documentation of its class ``ngtdm``, and IBSI
(doi:10.1148/radiol.2020191145) section 3.10.
"""

from __future__ import annotations

import numpy as np

#: PyRadiomics' coarseness of an image without differences, in place of a division by zero.
LARGEST_COARSENESS = 1e6


def ngtdm_features(counts: np.ndarray, differences: np.ndarray, levels: np.ndarray) -> dict:
    """Return all NGTDM features, by PyRadiomics' names.

    Parameters
    ----------
    counts : numpy.ndarray of float64
        Voxels of each level that have neighbours in the region; more than 0.
    differences : numpy.ndarray of float64
        Sum over them of the absolute difference from the mean of the neighbours, in bins.
    levels : numpy.ndarray of float64
        Bin of each level.

    Returns
    -------
    dict of str to float
        Complexity is NaN where no voxel has a neighbour.
    """
    voxels, kinds = counts.sum(), len(counts)
    p = counts / voxels if kinds else counts
    weighted = p * differences
    total, spread = float(weighted.sum()), float(differences.sum())
    apart = np.abs(levels[:, None] - levels)
    squared, pairs = apart * apart, p[:, None] + p
    tones = levels * p
    imbalance = float(np.abs(tones[:, None] - tones).sum())
    contrast = float(p @ squared @ p) * spread
    return {
        "Busyness": total / imbalance if imbalance else 0.0,
        "Coarseness": 1 / total if total else LARGEST_COARSENESS,
        "Complexity": float(np.sum(apart * (weighted[:, None] + weighted) / pairs) / voxels)
        if kinds
        else np.nan,
        "Contrast": contrast / voxels / (kinds * (kinds - 1)) if kinds > 1 else 0.0,
        "Strength": float(np.sum(pairs * squared)) / spread if spread else 0.0,
    }
