"""Gantry tilt: slices that are parallel, but stacked at an angle to their normal.

A CT whose gantry was tilted is a sheared stack: each slice is moved along its columns against the
one before. The correction resamples every slice along its columns only, onto one grid of cubic
angles whose axes are those of the slices; nothing is blurred across slices or rows.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Interpolation = Literal["linear", "bspline"]

#: Largest distance, in pixels, of a slice's corner from the line that the others' corners follow
#: along the normal; a gantry tilt shears the volume by far more.
SHEAR_TOLERANCE_PIXELS = 0.1

_ORDER = {"linear": 1, "bspline": 3}
_ROUNDING = 1e-6  # pixels


def unshear(
    voxels: np.ndarray, shifts: np.ndarray, outside: float, interpolation: Interpolation
) -> tuple[np.ndarray, int]:
    """Bring the slices of a sheared volume onto one grid.

    Parameters
    ----------
    voxels : numpy.ndarray
        Shape (z, y, x), Hounsfield units.
    shifts : numpy.ndarray
        Shape (z,): how far each slice lies along its columns from the first one, in pixels.
    outside : float
        Value, in HU, where a slice holds nothing.
    interpolation : {'linear', 'bspline'}
        Along the columns; cubic B-spline as in PyRadiomics' resampling. Both keep a slice that is
        moved by whole pixels as it is.

    Returns
    -------
    corrected : numpy.ndarray
        Shape (z, y + extra, x), type of `voxels`; whole numbers are rounded. It is tall enough to
        hold every slice.
    first : int
        Row of the first slice's grid at which the corrected volume begins (zero or below).
    """
    # Takes longer to import than all other modules of ingest, and few CTs are tilted.
    from scipy import ndimage

    first = int(np.floor(shifts.min()))
    last = int(np.ceil(shifts.max()))
    rows = voxels.shape[1] + last - first
    corrected = np.empty((len(voxels), rows, voxels.shape[2]), dtype=voxels.dtype)
    wanted = np.arange(rows, dtype=float)
    for plane, source, shift in zip(corrected, voxels, shifts, strict=True):
        moved = ndimage.affine_transform(
            source.astype(np.float64),
            np.ones(2),
            offset=(first - shift, 0.0),
            output_shape=plane.shape,
            order=_ORDER[interpolation],
            mode="mirror",
            prefilter=interpolation == "bspline",
        )
        # Where the source ends is stated, not extrapolated.
        inside = wanted + first - shift
        moved[(inside < -_ROUNDING) | (inside > voxels.shape[1] - 1 + _ROUNDING)] = outside
        if np.issubdtype(voxels.dtype, np.integer):
            limits = np.iinfo(voxels.dtype)
            np.clip(np.rint(moved), limits.min, limits.max, out=moved)
        plane[...] = moved
    return corrected, first
