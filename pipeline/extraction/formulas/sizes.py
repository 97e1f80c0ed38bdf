"""Features of the matrices that count what has a grey level and a size: GLRLM, GLSZM, GLDM.

Runs have a length, zones a number of voxels, voxels a number of dependent neighbours. The formulas
are the same sixteen under three sets of names. Definitions: PyRadiomics' documentation of
its classes ``glrlm``, ``glszm`` and ``gldm``, and IBSI (doi:10.1148/radiol.2020191145) sections
3.7, 3.8 and 3.11.
"""

from __future__ import annotations

import numpy as np

#: What PyRadiomics adds to a probability before it takes the logarithm.
EPS = np.spacing(1.0)

#: PyRadiomics' names of the features, in the order of `size_features`; None where a class has none.
NAMES: dict[str, tuple[str | None, ...]] = {
    "glrlm": (
        "ShortRunEmphasis", "LongRunEmphasis", "GrayLevelNonUniformity",
        "GrayLevelNonUniformityNormalized", "RunLengthNonUniformity",
        "RunLengthNonUniformityNormalized", "RunPercentage", "GrayLevelVariance", "RunVariance",
        "RunEntropy", "LowGrayLevelRunEmphasis", "HighGrayLevelRunEmphasis",
        "ShortRunLowGrayLevelEmphasis", "ShortRunHighGrayLevelEmphasis",
        "LongRunLowGrayLevelEmphasis", "LongRunHighGrayLevelEmphasis",
    ),
    "glszm": (
        "SmallAreaEmphasis", "LargeAreaEmphasis", "GrayLevelNonUniformity",
        "GrayLevelNonUniformityNormalized", "SizeZoneNonUniformity",
        "SizeZoneNonUniformityNormalized", "ZonePercentage", "GrayLevelVariance", "ZoneVariance",
        "ZoneEntropy", "LowGrayLevelZoneEmphasis", "HighGrayLevelZoneEmphasis",
        "SmallAreaLowGrayLevelEmphasis", "SmallAreaHighGrayLevelEmphasis",
        "LargeAreaLowGrayLevelEmphasis", "LargeAreaHighGrayLevelEmphasis",
    ),
    "gldm": (
        "SmallDependenceEmphasis", "LargeDependenceEmphasis", "GrayLevelNonUniformity",
        None, "DependenceNonUniformity",
        "DependenceNonUniformityNormalized", None, "GrayLevelVariance", "DependenceVariance",
        "DependenceEntropy", "LowGrayLevelEmphasis", "HighGrayLevelEmphasis",
        "SmallDependenceLowGrayLevelEmphasis", "SmallDependenceHighGrayLevelEmphasis",
        "LargeDependenceLowGrayLevelEmphasis", "LargeDependenceHighGrayLevelEmphasis",
    ),
}  # fmt: skip


def size_features(
    feature_class: str, counts: np.ndarray, levels: np.ndarray, sizes: np.ndarray
) -> dict[str, float]:
    """Return all features of one matrix that are not deprecated, by PyRadiomics' names.

    Parameters
    ----------
    feature_class : {'glrlm', 'glszm', 'gldm'}
        Whose names are wanted.
    counts : numpy.ndarray of float64
        Shape (levels, sizes, directions); a mean over the directions is returned.
    levels : numpy.ndarray of float64
        Bin of each level, from 1.
    sizes : numpy.ndarray of float64
        Run length, voxels of a zone, or dependent voxels, from 1.

    Returns
    -------
    dict of str to float
        NaN where nothing was counted.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.array(_by_direction(counts, levels, sizes))
        # Not numpy's mean, which warns where there is no direction at all.
        values = values.sum(axis=1) / values.shape[1]
    names = NAMES[feature_class]
    return {
        name: value for name, value in zip(names, values.tolist(), strict=True) if name is not None
    }


def _by_direction(counts: np.ndarray, levels: np.ndarray, sizes: np.ndarray) -> list[np.ndarray]:
    """Return the features in the order of `NAMES`, each with one value per direction."""
    of_size, of_level = counts.sum(axis=0), counts.sum(axis=1)
    total = of_level.sum(axis=0)
    p_size, p_level, p = of_size / total, of_level / total, counts / total
    # Sums come before the division: without runs PyRadiomics leaves nothing to sum, and NaN counts.
    emphases = np.array([sizes**-2, sizes**2])
    small, large = emphases @ of_size / total
    levels_squared = np.array([levels**-2, levels**2])
    low, high = levels_squared @ of_level / total
    along_sizes = (levels_squared @ counts.reshape(len(counts), -1)).reshape(2, *of_size.shape)
    (small_low, large_low), (small_high, large_high) = emphases @ along_sizes / total
    level_uniformity, size_uniformity = (of_level**2).sum(axis=0), (of_size**2).sum(axis=0)
    return [
        small,
        large,
        level_uniformity / total,
        level_uniformity / total**2,
        size_uniformity / total,
        size_uniformity / total**2,
        total / (sizes @ of_size),
        _variance(p_level, levels),
        _variance(p_size, sizes),
        -np.sum(p * np.log2(p + EPS), axis=(0, 1)),
        low,
        high,
        small_low,
        small_high,
        large_low,
        large_high,
    ]


def _variance(p: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the variance of `values` under the probabilities `p` (values, directions)."""
    return (p * (values[:, None] - values @ p) ** 2).sum(axis=0)
