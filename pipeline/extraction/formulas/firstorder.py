"""First-order features, with what they share computed once.

PyRadiomics computes the mean seven times, sorts the values for each percentile, and looks for NaN
in every step: three times as long as all texture formulas together. Definitions: PyRadiomics'
documentation, and IBSI (doi:10.1148/radiol.2020191145) sections 3.3 and 3.4.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.extraction.formulas.binning import BinnedImage


def first_order(binned: BinnedImage) -> dict[str, float]:
    """Return all first-order features of an image, by PyRadiomics' names.

    Parameters
    ----------
    binned : BinnedImage
        Grey values of the region, and how many of them lie in each bin.

    Returns
    -------
    dict of str to float
        In units of the image's grey values; of energies squared, of TotalEnergy times mm3.
    """
    grey, n = binned.grey, len(binned.grey)
    shifted = grey + binned.settings.get("voxelArrayShift", 0)
    energy = float(np.sum(shifted * shifted))
    ordered = np.sort(grey)
    p10, p25, median, p75, p90 = (_quantile(ordered, q) for q in (0.1, 0.25, 0.5, 0.75, 0.9))
    # The sum runs in numpy's pairwise order as PyRadiomics' does: in a region of one grey value the
    # rounding of the mean is all that deviates from it.
    mean = np.add.reduce(grey) / n
    deviation = grey - mean
    squared = deviation * deviation
    m2, m3, m4 = (
        float(np.add.reduce(powers) / n)
        for powers in (squared, squared * deviation, squared * squared)
    )
    inner = ordered[
        np.searchsorted(ordered, p10, side="left") : np.searchsorted(ordered, p90, side="right")
    ]
    p = binned.counts / n
    sd = math.sqrt(m2)
    return {
        "10Percentile": p10,
        "90Percentile": p90,
        "Energy": energy,
        "Entropy": float(-np.sum(p * np.log2(p + np.spacing(1)))),
        "InterquartileRange": p75 - p25,
        "Kurtosis": _ratio(m4, m2**2.0) if m2 else 0.0,
        "Maximum": float(ordered[-1]),
        "Mean": float(mean),
        "MeanAbsoluteDeviation": float(np.add.reduce(np.abs(deviation)) / n),
        "Median": median,
        "Minimum": float(ordered[0]),
        "Range": float(ordered[-1] - ordered[0]),
        "RobustMeanAbsoluteDeviation": float(np.mean(np.abs(inner - np.mean(inner)))),
        "RootMeanSquared": math.sqrt(energy / n),
        "Skewness": _ratio(m3, m2**1.5) if m2 else 0.0,
        "StandardDeviation": sd,
        "TotalEnergy": energy * float(np.multiply.reduce(binned.region.spacing)),
        "Uniformity": float(np.sum(p * p)),
        "Variance": sd**2,
    }


def _ratio(above: float, below: float) -> float:
    """Divide; a spread so small that its power is 0 leaves the feature undefined."""
    return above / below if below else math.nan


def _quantile(ordered: np.ndarray, q: float) -> float:
    """Return a quantile of sorted values, interpolated linearly as numpy does by default."""
    place = q * (len(ordered) - 1)
    below = int(place)
    a, b = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    share = place - below
    # numpy starts from the nearer of the two neighbours.
    return float(a + (b - a) * share if share < 0.5 else b - (b - a) * (1 - share))
