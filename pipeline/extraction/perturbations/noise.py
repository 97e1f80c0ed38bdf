"""How noisy a CT is, and the same CT with as much noise again.

References
----------
.. [1] Chang SG, Yu B, Vetterli M. Adaptive wavelet thresholding for image denoising and
   compression. IEEE Trans Image Process 2000;9:1532-1546. doi:10.1109/83.862633
.. [2] Zwanenburg A, Loeck S. MIRP: a Python package for standardised radiomics. J Open Source
   Softw 2024;9:6413 (version 2.7.0, ``GenericImage.estimate_noise``).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pywt
from scipy import ndimage

from pipeline.extraction.crops import Normalisation
from pipeline.extraction.resampling import Scaling, Volume
from pipeline.imaging.geometry import Geometry

#: Wavelet whose high-pass filter lets noise through, and little else.
WAVELET = "coif1"

#: Median of the absolute value of a standard normal variable, as [2]_ writes it (exactly 0.6745;
#: the level is 0.13% lower for it).
MEDIAN_OF_NORMAL = 0.6754

#: Voxels around the points that are interpolated which noise is added to: a voxel farther away
#: counts less than 0.268^12 = 1e-7 of its value in them.
NOISY_MARGIN = 12

#: Voxels around those which are read for the spline: 0.268^32 is below a double's last bit.
READ_MARGIN = 32


def noise_level(voxels: np.ndarray) -> float:
    """Return the standard deviation of the noise of a CT.

    The diagonal detail of a wavelet transform within slices holds noise and hardly any anatomy;
    its median is little moved by the edges that it does hold [1]_, [2]_.

    Parameters
    ----------
    voxels : numpy.ndarray
        Grey values, shape (z, y, x).

    Returns
    -------
    float
        In the unit of `voxels`; 0 of a constant image.
    """
    high_pass = np.array(pywt.Wavelet(WAVELET).dec_hi)
    detail = ndimage.convolve1d(voxels.astype(np.float64), high_pass, axis=1)
    detail = ndimage.convolve1d(detail, high_pass, axis=2)
    return float(np.median(np.abs(detail)) / MEDIAN_OF_NORMAL)


def around(grid: Geometry, volume: Volume, margin: int) -> tuple[slice, ...]:
    """Return the part of a CT's array (z, y, x) that holds a grid and `margin` voxels around it."""
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in grid.size])).reshape(3, -1)
    ones = np.ones((1, corners.shape[1]))
    to_index = np.linalg.inv(volume.geometry.affine) @ grid.affine
    places = (to_index @ np.vstack([corners, ones]))[:3]
    low = np.maximum(np.floor(places.min(axis=1)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(places.max(axis=1)).astype(int) + margin + 1, volume.geometry.size)
    return tuple(slice(int(a), int(b)) for a, b in zip(low[::-1], high[::-1], strict=True))


def part_of(volume: Volume, part: tuple[slice, ...]) -> Volume:
    """Return a part of a CT as a CT of its own, float64."""
    start = [each.start for each in part[::-1]]
    origin = volume.geometry.voxel().TransformIndexToPhysicalPoint(start)
    size = tuple(each.stop - each.start for each in part[::-1])
    voxels = np.ascontiguousarray(volume.voxels[part], dtype=np.float64)
    return Volume(voxels, replace(volume.geometry, size=size, origin=tuple(origin)))


def noisy_part(volume: Volume, grid: Geometry, level: float, seed: int) -> Volume:
    """Return the surroundings of a grid with Gaussian noise added.

    Parameters
    ----------
    volume : Volume
        The whole CT, in HU.
    grid : Geometry
        Points that will be interpolated.
    level : float
        Standard deviation of the noise, in HU.
    seed : int
        Of the noise.

    Returns
    -------
    Volume
        A part of the CT that gives the grid's points the values which the whole would give.
    """
    outer = around(grid, volume, NOISY_MARGIN + READ_MARGIN)
    inner = around(grid, volume, NOISY_MARGIN)
    part = part_of(volume, outer)
    within = tuple(
        slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True)
    )
    target = part.voxels[within]
    target += level * np.random.default_rng(seed).standard_normal(target.shape)
    return part


def with_noise(
    scaling: Scaling | None,
    normalisation: Normalisation | None,
    level: float,
    outliers: float | None,
) -> tuple[Scaling | None, Normalisation | None]:
    """Return the normalisation of a CT all of whose voxels had noise added.

    The mean stays and variances add; this is what the whole noisy CT would give up to chance, which
    of a million voxels is nothing, and spares its drawing.
    """
    if scaling is None or normalisation is None:
        return scaling, normalisation
    sd = math.hypot(normalisation.sd, level)
    return (
        scaling._replace(scale=1.0 / sd),
        Normalisation.of(normalisation.mean, sd, outliers),
    )
