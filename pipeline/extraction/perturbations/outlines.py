"""Masks that are a little larger or smaller, and masks whose outline is drawn anew.

Both follow the definitions of MIRP [2]_, with which [1]_ was computed. Supervoxels are those of
SimpleITK's SLIC, since scikit-image, whose SLIC MIRP takes, is no part of this installation; the
same size and compactness are asked of it.

References
----------
.. [1] Zwanenburg A, Leger S, Agolli L, et al. Assessing robustness of radiomic features by image
   perturbation. Sci Rep 2019;9:614. doi:10.1038/s41598-018-36938-4
.. [2] Zwanenburg A, Loeck S. MIRP: a Python package for standardised radiomics. J Open Source
   Softw 2024;9:6413 (version 2.7.0, ``MaskImage.fractional_volume_change``, ``randomise_mask``).
.. [3] Achanta R, Shaji A, Smith K, et al. SLIC superpixels compared to state-of-the-art superpixel
   methods. IEEE Trans Pattern Anal Mach Intell 2012;34:2274-2282.
"""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from pipeline.core.errors import CaseError

#: Voxels that touch by a face: what a mask grows and shrinks by.
_BY_FACES = ndimage.generate_binary_structure(3, 1)

#: Volume of a supervoxel, mm3, and the fewest voxels that it has [2]_.
SUPERVOXEL_MM3, SUPERVOXEL_VOXELS = 500.0, 20.0

#: Supervoxels that must fit into a region. Balls of noise, with and without contrast: in regions of
#: one or two all thirty draws are one outline, which overlaps by a Dice of 0.15 where contrast is
#: missing and is up to a hundred times as large as a mask of 24 voxels.
FEWEST_SUPERVOXELS = 4

#: Weight of distance against grey value: of a range of grey values of 1 [2]_.
COMPACTNESS = 0.05

#: Share of the range of grey values by which it is widened at both ends before values are cut to
#: it [2]_.
WIDENED = 0.1

#: Passes of SLIC; scikit-image takes ten.
PASSES = 10

#: Share of a supervoxel within the mask from which on it belongs to every new outline, and below
#: which it belongs to none [2]_.
ALWAYS, NEVER = 0.90, 0.20


def changed_volume(mask: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Grow or shrink a mask by a fraction of its volume.

    Whole layers are added or taken off by faces; of the last layer, as many voxels as are wanted,
    drawn at random.

    Parameters
    ----------
    mask : numpy.ndarray of bool
        Shape (z, y, x).
    fraction : float
        0.1 for a tenth more, -0.1 for a tenth less; above -1.
    seed : int
        Of the voxels of the last layer.

    Returns
    -------
    numpy.ndarray of bool
        A new mask whose volume is the nearest number of voxels at or below the one asked for. One
        that meets the edge of the array, or would vanish, changes less.
    """
    mask = np.asarray(mask, dtype=bool)
    before = int(mask.sum())
    # What MIRP takes as nothing; the floor of a product such as 100 * 1.1 needs the rounding.
    wanted = math.floor(round(before * (1.0 + fraction), 6))
    if round(fraction, 6) == 0.0 or wanted == before:
        return mask.copy()
    step = ndimage.binary_dilation if fraction > 0 else ndimage.binary_erosion
    inner, now = mask, before
    while True:
        layer = step(inner, structure=_BY_FACES)
        count = int(layer.sum())
        if count in (0, now) or (count >= wanted if fraction > 0 else count <= wanted):
            break
        inner, now = layer, count
    rim = np.flatnonzero(inner ^ layer)
    drawn = np.random.default_rng(seed).choice(
        rim, size=min(abs(wanted - now), len(rim)), replace=False
    )
    changed = inner.copy()
    changed.ravel()[drawn] = fraction > 0
    return changed


def supervoxels(image: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Part an image into supervoxels of like grey values.

    Parameters
    ----------
    image : numpy.ndarray
        Grey values, shape (z, y, x).
    mask : numpy.ndarray of bool
        The region, whose range of grey values counts.
    spacing : tuple of float
        Of the voxels, in mm (x, y, z).

    Returns
    -------
    numpy.ndarray of int
        Number of each voxel's supervoxel, shape (z, y, x).

    Raises
    ------
    CaseError
        If the region holds fewer than `FEWEST_SUPERVOXELS`: its new outlines would be one and the
        same each time, or another region.
    """
    voxels = max(SUPERVOXEL_VOXELS, SUPERVOXEL_MM3 / math.prod(spacing))
    if (size := int(mask.sum())) < FEWEST_SUPERVOXELS * voxels:
        each = math.prod(spacing)
        raise CaseError(
            f"A region must hold {FEWEST_SUPERVOXELS} supervoxels for its outline to be drawn anew",
            found=f"{size * each:.0f} mm3; a supervoxel has {voxels * each:.0f} mm3",
            remedy="leave contour out of perturbations.chain for all cases; with it this one does "
            "not count",
            code="region-smaller-than-supervoxels",
        )
    inside = image[mask]
    low, high = float(inside.min()), float(inside.max())
    wider = WIDENED * (high - low)
    low, high = low - wider, high + wider
    scaled = np.clip(image.astype(np.float64), low, high) - low
    scaled /= (high - low) or 1.0
    smallest = min(spacing)
    # A Gaussian of one smallest spacing, along each axis in its own voxels.
    smooth = ndimage.gaussian_filter(scaled, [smallest / each for each in spacing[::-1]])
    side = (voxels * math.prod(spacing)) ** (1 / 3)
    slic = sitk.SLICImageFilter()
    slic.SetSuperGridSize([max(1, round(side / each)) for each in spacing])
    # ITK adds squared differences and squared distances by grid steps, each times this weight.
    slic.SetSpatialProximityWeight(COMPACTNESS)
    slic.SetMaximumNumberOfIterations(PASSES)
    slic.SetEnforceConnectivity(True)
    slic.SetNumberOfThreads(1)
    return sitk.GetArrayFromImage(slic.Execute(sitk.GetImageFromArray(smooth.astype(np.float32))))


def new_outline(mask: np.ndarray, parts: np.ndarray, seed: int) -> np.ndarray:
    """Draw the outline of a mask anew, along supervoxels.

    A supervoxel is taken with a chance of its share within the mask, and gaps are closed.

    Parameters
    ----------
    mask : numpy.ndarray of bool
        Shape (z, y, x).
    parts : numpy.ndarray of int
        From `supervoxels`.
    seed : int
        Of the draw.

    Returns
    -------
    numpy.ndarray of bool
        A new mask; never an empty one.
    """
    numbers, flat = np.unique(parts, return_inverse=True)
    flat = flat.reshape(parts.shape)
    whole = np.bincount(flat.ravel(), minlength=len(numbers))
    share = np.bincount(flat[mask], minlength=len(numbers)) / whole
    met = share > 0
    share[np.argmax(share)] = 1.0
    share[share >= ALWAYS] = 1.0
    share[share < NEVER] = 0.0
    # One number for each supervoxel that the mask meets, in the order of their numbers.
    chance = np.ones(len(numbers))
    chance[met] = np.random.default_rng(seed).random(int(met.sum()))
    return ndimage.binary_closing((chance < share)[flat])
