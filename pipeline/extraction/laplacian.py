"""The Laplacian of a Gaussian as PyRadiomics takes it from ITK, where a region needs it.

ITK filters a whole crop along nine axes for each sigma. Here `laplacian` (native/laplacian.c)
repeats its recursions to the last bit, many lines side by side, and of the later axes only the
lines through the region.

References
----------
.. [1] Deriche R. Recursively implementing the Gaussian and its derivatives. INRIA report 1893,
   1993.
.. [2] Farneback G, Westin CF. Improving Deriche-style recursive Gaussian filters. J Math Imaging
   Vis 2006;26:293-299. doi:10.1007/s10851-006-8464-z
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from pipeline.extraction.kernels import kernels

#: Fewest voxels along an axis that the recursions take.
SMALLEST_SIDE = 4

#: The two damped waves that a Gaussian is made of: frequency and damping of each [2]_.
_WAVES = ((0.6681, -1.3932), (2.0787, -1.3732))
#: Their cosine and sine in the Gaussian and in its second derivative [2]_.
_GAUSSIAN = ((1.3530, 1.8151), (-0.3531, 0.0902))
_SECOND = ((-1.3563, 5.2318), (0.3446, -2.2355))


class _Moments(NamedTuple):
    """Sums over four coefficients: themselves, times their place, times its square."""

    zeroth: float
    first: float
    second: float


class _Waves(NamedTuple):
    """The waves one voxel on: sine, cosine and decay of both."""

    sin: tuple[float, float]
    cos: tuple[float, float]
    exp: tuple[float, float]

    @classmethod
    def of(cls, sigma: float) -> _Waves:
        """Return them for a sigma in voxels."""
        return cls(
            *(
                tuple(function(wave[place] / sigma) for wave in _WAVES)
                for function, place in ((math.sin, 0), (math.cos, 0), (math.exp, 1))
            )
        )


def _forward(waves: _Waves, weights: tuple[tuple[float, float], ...]) -> tuple[list, _Moments]:
    """Return the coefficients N of a line, and their moments, in ITK's order of operations."""
    (a1, b1), (a2, b2) = weights
    (sin1, sin2), (cos1, cos2), (exp1, exp2) = waves
    n1 = exp2 * (b2 * sin2 - (a2 + 2 * a1) * cos2)
    n1 += exp1 * (b1 * sin1 - (a1 + 2 * a2) * cos1)
    n2 = (a1 + a2) * cos2 * cos1
    n2 -= b1 * cos2 * sin1 + b2 * cos1 * sin2
    n2 *= 2 * exp1 * exp2
    n2 += a2 * exp1 * exp1 + a1 * exp2 * exp2
    n3 = exp2 * exp1 * exp1 * (b2 * sin2 - a2 * cos2)
    n3 += exp1 * exp2 * exp2 * (b1 * sin1 - a1 * cos1)
    n = [a1 + a2, n1, n2, n3]
    return n, _Moments(n[0] + n1 + n2 + n3, n1 + 2 * n2 + 3 * n3, n1 + 4 * n2 + 9 * n3)


def _recursive(waves: _Waves) -> tuple[list, _Moments]:
    """Return the coefficients D of what is known of the result, and their moments."""
    _, (cos1, cos2), (exp1, exp2) = waves
    d3 = -2 * cos1 * exp1 * exp2 * exp2
    d3 += -2 * cos2 * exp2 * exp1 * exp1
    d2 = 4 * cos2 * cos1 * exp1 * exp2
    d2 += exp1 * exp1 + exp2 * exp2
    d1 = -2 * (exp2 * cos2 + exp1 * cos1)
    d4 = exp1 * exp1 * exp2 * exp2
    zeroth = 1.0 + d1 + d2 + d3 + d4
    first = d1 + 2 * d2 + 3 * d3 + 4 * d4
    return [d1, d2, d3, d4], _Moments(zeroth, first, d1 + 4 * d2 + 9 * d3 + 16 * d4)


def _table(n: list[float], d: list[float]) -> np.ndarray:
    """Return all coefficients of a symmetric filter, shape (5, 4), in the order of kernels.h."""
    m = [n[1] - d[0] * n[0], n[2] - d[1] * n[0], n[3] - d[2] * n[0], -d[3] * n[0]]
    of_line, of_line_back = n[0] + n[1] + n[2] + n[3], m[0] + m[1] + m[2] + m[3]
    of_result = 1.0 + d[0] + d[1] + d[2] + d[3]
    before = [each * of_line / of_result for each in d]
    behind = [each * of_line_back / of_result for each in d]
    return np.array([n, d, m, before, behind])


def smoothing(sigma: float) -> np.ndarray:
    """Return the coefficients that smooth by a Gaussian of `sigma` voxels, shape (5, 4)."""
    waves = _Waves.of(sigma)
    n, sums = _forward(waves, _GAUSSIAN)
    d, known = _recursive(waves)
    alpha = 2 * sums.zeroth / known.zeroth - n[0]
    return _table([each * (1.0 / alpha) for each in n], d)


def second_derivative(sigma: float, sigma_mm: float) -> np.ndarray:
    """Return the coefficients of the second derivative times ``sigma_mm ** 2``, shape (5, 4).

    Parameters
    ----------
    sigma, sigma_mm : float
        Of the Gaussian, in voxels and in mm.
    """
    waves = _Waves.of(sigma)
    n_0, of_0 = _forward(waves, _GAUSSIAN)
    n_2, of_2 = _forward(waves, _SECOND)
    d, known = _recursive(waves)
    sd, dd, ed = known
    beta = -(2 * of_2.zeroth - sd * n_2[0]) / (2 * of_0.zeroth - sd * n_0[0])
    n = [two + beta * zero for two, zero in zip(n_2, n_0, strict=True)]
    sn, dn, en = (two + beta * zero for two, zero in zip(of_2, of_0, strict=True))
    alpha = en * sd * sd - ed * sn * sd - 2 * dn * dd * sd + 2 * dd * dd * sn
    alpha /= sd * sd * sd
    return _table([each * (sigma_mm * sigma_mm / alpha) for each in n], d)


@functools.lru_cache(maxsize=64)
def _recursions(spacing: tuple[float, ...], sigma: float) -> np.ndarray:
    """Return the coefficients of both filters along x, y and z, shape (2, 3, 5, 4)."""
    voxels = [sigma / step for step in spacing]
    return np.array(
        [[smoothing(each) for each in voxels], [second_derivative(each, sigma) for each in voxels]]
    )


def laplacian(
    voxels: np.ndarray, spacing: Sequence[float], sigma: float, box: tuple[slice, ...]
) -> np.ndarray:
    """Return the Laplacian of a Gaussian, normalised across scales.

    Parameters
    ----------
    voxels : numpy.ndarray
        Shape (z, y, x), C-contiguous, at least `SMALLEST_SIDE` along each axis, of a type that the
        kernels read.
    spacing : sequence of float
        Distance of voxel centres along x, y, z, in mm.
    sigma : float
        Of the Gaussian, in mm.
    box : tuple of slice
        Along z, y, x: what is asked for.

    Returns
    -------
    numpy.ndarray of float32
        Of the shape of `voxels`; 0 outside the box.
    """
    spacing = tuple(float(step) for step in spacing)
    out = np.empty(voxels.shape, np.float32)
    scale = tuple(1.0 / (step * step) for step in spacing)
    ends = tuple(int(end) for side in box[::-1] for end in (side.start, side.stop))
    kernels().laplacian(voxels, _recursions(spacing, float(sigma)), scale, ends, out)
    return out


def laplacian_images(
    image: sitk.Image, box: tuple[slice, ...], settings: Mapping
) -> Iterator[tuple[np.ndarray, str, Mapping]]:
    """Yield what ``radiomics.imageoperations.getLoGImage`` yields, as arrays.

    Parameters
    ----------
    image : SimpleITK.Image
        A crop of three dimensions.
    box : tuple of slice
        Along z, y, x: where the images are looked at.
    settings : mapping
        ``sigma``: widths in mm.

    Yields
    ------
    voxels : numpy.ndarray
        From `laplacian`.
    name : str
        Such as ``log-sigma-1-0-mm-3D``.
    settings : mapping
        As they came.

    Notes
    -----
    As there, a sigma that is not above zero, or too wide for the crop, yields nothing.
    """
    voxels, spacing = sitk.GetArrayViewFromImage(image), image.GetSpacing()
    if min(voxels.shape) < SMALLEST_SIDE:
        return
    size = np.array(image.GetSize())
    for sigma in settings.get("sigma", []):
        if sigma > 0.0 and np.all(size >= np.ceil(sigma / np.array(spacing)) + 1):
            name = f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D"
            yield laplacian(voxels, spacing, sigma, box), name, settings
