"""A first mask of one vertebral body by density, level limits and shape, for a reader to correct.

Arrays are (z, y, x) with x to the patient's left, y to the back and z to the head; lengths are in
mm. The steps: gas inside the bone is evened out; the discs above and below give two planes; the
front of the spinal canal gives a third, behind which the arch begins; what is dense between them is
closed, its holes and clefts are filled, and what is no wider than a pedicle falls away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.core.errors import CaseError

#: Half of the box around a seed in which is looked, along z, y, x: the largest lumbar bodies and a
#: half of the discs beside them.
REACH_MM = (26.0, 28.0, 34.0)
#: How far from the seed an endplate may lie.
ENDPLATE_MM = (5.0, 22.0)
#: Half of the square of columns around the seed in which endplates are sought.
CORE_MM = 12.0
#: How far behind the seed the front of the canal may lie, and half of the strip it is sought in.
CANAL_MM, CANAL_STRIP_MM = (8.0, 30.0), 4.0
#: An endplate is where density falls first by this share of the steepest fall of its column.
FIRST_FALL_SHARE = 0.7
#: Beyond the plane through an endplate the mask may go so far: endplates are bent.
ENDPLATE_MARGIN_MM = 1.0
#: In a slice the body is what a disc of this radius fits into; a pedicle's half width is less.
BODY_RADIUS_MM = 8.0
#: Smoothing of the image before the threshold, and of the profiles on which endplates are found.
SMOOTH_MM, PROFILE_SMOOTH_MM = 0.7, 1.0
#: Density above this does not count as more, so that cement's edge is no endplate.
DENSE_HU = 350.0
#: Below this is gas; the shell around it whose density it takes.
GAS_HU, SHELL_MM = -100.0, 2.0
#: Density falls at an endplate by at least so much, in HU per mm, and in at least this share of the
#: columns; otherwise the plane is not trusted.
FALL_HU_PER_MM, SHOWN_SHARE = 10.0, 0.5


@dataclass(frozen=True)
class Limits:
    """Where one level ends, relative to the seed.

    Attributes
    ----------
    above, below : numpy.ndarray or None
        Endplate as height over (1, y, x): coefficients of a plane, heights counted away from the
        seed; None where no endplate was found.
    back : float or None
        Distance from the seed to the front of the canal; None where none was found.
    """

    above: np.ndarray | None
    below: np.ndarray | None
    back: float | None

    @property
    def tilt(self) -> float:
        """Shift to the back per mm to the head, in mm, of an axis at right angles to the plates."""
        slopes = [sign * plane[1] for sign, plane in ((-1, self.above), (1, self.below))
                  if plane is not None]  # fmt: skip
        return float(np.mean(slopes)) if slopes else 0.0


def propose_body(
    hu: np.ndarray,
    spacing: tuple[float, float, float],
    seed: tuple[int, int, int],
    threshold_hu: float,
    closing_mm: float,
    box: tuple[slice, slice, slice] | None = None,
    level_mm: tuple[float, float] | None = None,
) -> tuple[np.ndarray, list[str]]:
    """Propose the mask of a vertebral body.

    Parameters
    ----------
    hu : numpy.ndarray
        Hounsfield units, shape (z, y, x), axes as above.
    spacing : tuple of float
        Distance of voxel centres along z, y, x, in mm.
    seed : tuple of int
        Voxel (z, y, x) about the middle of the body.
    threshold_hu : float
        Bone is at or above it.
    closing_mm : float
        Gaps of up to twice this width are closed.
    box : tuple of slice, optional
        The mask stays inside; without it, inside `REACH_MM` around the seed.
    level_mm : tuple of float, optional
        Lowest and highest z relative to the seed, instead of limits found at the discs.

    Returns
    -------
    mask : numpy.ndarray
        bool, shape of `hu`.
    notes : list of str
        What could not be found, as sentences.

    Raises
    ------
    CaseError
        If there is no bone around the seed, or nothing as wide as a body.
    """
    around = _around(hu.shape, spacing, seed)
    if box is not None:
        around = tuple(
            slice(max(a.start, b.start), min(a.stop, b.stop))
            for a, b in zip(around, box, strict=True)
        )
    centre = tuple(at - part.start for at, part in zip(seed, around, strict=True))
    even = _without_gas(hu[around].astype(np.float32), spacing)
    z, y, x = np.meshgrid(
        *(
            (np.arange(n) - at) * step
            for n, at, step in zip(even.shape, centre, spacing, strict=True)
        ),
        indexing="ij",
    )
    limits, notes = find_limits(even, spacing, centre)
    level = np.ones(even.shape, bool)
    if level_mm is not None:
        level &= (z >= level_mm[0]) & (z <= level_mm[1])
        notes = [note for note in notes if "endplate" not in note]
    else:
        if limits.above is not None:
            level &= z <= _height(limits.above, y, x) + ENDPLATE_MARGIN_MM
        if limits.below is not None:
            level &= -z <= _height(limits.below, y, x) + ENDPLATE_MARGIN_MM
    behind = np.zeros(even.shape, bool)
    if limits.back is not None:
        behind = y > limits.back + limits.tilt * z
    region = level & ~behind
    bone = _smoothed(even, spacing, SMOOTH_MM) >= threshold_hu
    body = _closed(bone & region, closing_mm, spacing) & region
    if not body.any():
        raise CaseError(
            "There must be bone around the seed",
            found=f"nothing at or above {threshold_hu:g} HU",
            remedy="set the seed into the middle of the vertebral body, or lower --threshold",
            code="no-bone-at-seed",
        )
    # The plane behind which the arch lies closes the body's back, so that its holes are enclosed.
    body = _filled(body | behind) & region
    body = _filled(_widest(body, spacing, centre) | behind) & region
    mask = np.zeros(hu.shape, bool)
    mask[around] = _piece(body, centre)
    return mask, notes


def find_limits(
    hu: np.ndarray, spacing: tuple[float, float, float], centre: tuple[int, int, int]
) -> tuple[Limits, list[str]]:
    """Find endplates and the front of the canal around a seed.

    Parameters
    ----------
    hu : numpy.ndarray
        Hounsfield units without gas, shape (z, y, x).
    spacing : tuple of float
        Along z, y, x, in mm.
    centre : tuple of int
        The seed's voxel.
    """
    smooth = _smoothed(np.minimum(hu, DENSE_HU), spacing, PROFILE_SMOOTH_MM)
    above = _endplate(smooth, spacing, centre, up=True)
    below = _endplate(smooth, spacing, centre, up=False)
    limits = Limits(above, below, None)
    back = _canal_front(smooth, spacing, centre, limits)
    names = (("endplate above", above), ("endplate below", below), ("spinal canal", back))
    notes = [f"No {name} was found near the seed: the box is the limit there"
             for name, found in names if found is None]  # fmt: skip
    return Limits(above, below, back), notes


def _endplate(smooth, spacing, centre, up: bool) -> np.ndarray | None:
    """Fit a plane through the first steep fall of density of each column around the seed."""
    near, far = (round(one / spacing[0]) for one in ENDPLATE_MM)
    at_z, at_y, at_x = centre
    half_y, half_x = (int(CORE_MM / one) for one in spacing[1:])
    low_y, low_x = max(at_y - half_y, 0), max(at_x - half_x, 0)
    block = smooth[:, low_y : at_y + half_y + 1, low_x : at_x + half_x + 1]
    way = block[at_z:] if up else block[at_z::-1]
    falls = np.diff(way[: far + 1], axis=0)[near:]
    if len(falls) < 2:
        return None
    first = np.argmax(falls <= FIRST_FALL_SHARE * falls.min(axis=0), axis=0)
    shown = falls.min(axis=0) <= -FALL_HU_PER_MM * spacing[0]
    if shown.mean() < SHOWN_SHARE:
        return None
    y, x = np.nonzero(shown)
    heights = (first[y, x] + near + 0.5) * spacing[0]
    places = [(y + low_y - at_y) * spacing[1], (x + low_x - at_x) * spacing[2]]
    return _trimmed_plane(np.column_stack([np.ones(len(y)), *places]), heights)


def _trimmed_plane(terms: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Fit by least squares to what stays near the fit, again and again."""
    kept = np.ones(len(heights), bool)
    for _ in range(8):
        plane = np.linalg.lstsq(terms[kept], heights[kept], rcond=None)[0]
        residual = np.abs(heights - terms @ plane)
        kept = residual <= max(2.0, 1.5 * float(np.median(residual)))
    return plane


def _canal_front(smooth, spacing, centre, limits: Limits) -> float | None:
    """Return how far behind the body's axis density falls into the canal (median of the slices)."""
    at_z, at_y, at_x = centre
    half = int(CANAL_STRIP_MM / spacing[2])
    midline = smooth[:, :, max(at_x - half, 0) : at_x + half + 1].mean(axis=2)
    found = []
    for index, profile in enumerate(midline):
        z = (index - at_z) * spacing[0]
        above = limits.above[0] if limits.above is not None else ENDPLATE_MM[1]
        below = limits.below[0] if limits.below is not None else ENDPLATE_MM[1]
        if not -below <= z <= above:
            continue
        axis = at_y + limits.tilt * z / spacing[1]
        first, last = (int(axis + one / spacing[1]) for one in CANAL_MM)
        falls = np.diff(profile)[max(first - 1, 0) : last]
        if len(falls) > 1 and falls.min() < 0:
            found.append((max(first - 1, 0) + int(np.argmin(falls)) + 0.5 - axis) * spacing[1])
    return float(np.median(found)) if found else None


def _around(shape, spacing, seed) -> tuple[slice, slice, slice]:
    return tuple(
        slice(max(at - int(reach / step), 0), min(at + int(reach / step) + 1, n))
        for n, step, at, reach in zip(shape, spacing, seed, REACH_MM, strict=True)
    )


def _without_gas(hu: np.ndarray, spacing) -> np.ndarray:
    """Give enclosed gas the density around it: a cleft is bone then, gas in a disc is disc."""
    labelled, _ = ndimage.label(hu < GAS_HU)
    even = hu.copy()
    for number, box in enumerate(ndimage.find_objects(labelled), start=1):
        if any(part.start == 0 or part.stop == n for part, n in zip(box, hu.shape, strict=True)):
            continue  # lung or bowel, which goes on outside
        margin = [int(np.ceil(SHELL_MM / step)) for step in spacing]
        wide = tuple(
            slice(max(part.start - edge, 0), part.stop + edge)
            for part, edge in zip(box, margin, strict=True)
        )
        gas = labelled[wide] == number
        shell = _within(gas, SHELL_MM, spacing) & (labelled[wide] == 0)
        if shell.any():
            even[wide][gas] = np.median(hu[wide][shell])
    return even


def _height(plane: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return plane[0] + plane[1] * y + plane[2] * x


def _smoothed(hu: np.ndarray, spacing, millimetres: float) -> np.ndarray:
    return ndimage.gaussian_filter(hu, [millimetres / step for step in spacing])


def _within(mask: np.ndarray, millimetres: float, spacing) -> np.ndarray:
    """Return what lies no further than so many mm from a mask."""
    if not mask.any():
        return mask
    return ndimage.distance_transform_edt(~mask, sampling=spacing) <= millimetres + 1e-6


def _closed(mask: np.ndarray, millimetres: float, spacing) -> np.ndarray:
    edge = [int(np.ceil(millimetres / step)) + 1 for step in spacing]
    grown = _within(np.pad(mask, [(n, n) for n in edge]), millimetres, spacing)
    inner = tuple(slice(n, -n) for n in edge)
    return (~_within(~grown, millimetres, spacing))[inner] | mask


def _filled(mask: np.ndarray) -> np.ndarray:
    """Fill what is enclosed in space, or in any slice of any of the three directions."""
    filled = ndimage.binary_fill_holes(mask)
    for axis in range(3):
        planes = np.moveaxis(filled, axis, 0)
        filled = np.moveaxis(
            np.array([ndimage.binary_fill_holes(plane) for plane in planes]), 0, axis
        )
    return filled


def _widest(mask: np.ndarray, spacing, centre) -> np.ndarray:
    """Drop, slice by slice, what a disc of `BODY_RADIUS_MM` does not fit into, and loose pieces."""
    kept = np.zeros_like(mask)
    for index, plane in enumerate(mask):
        inner = ndimage.distance_transform_edt(np.pad(plane, 1), sampling=spacing[1:])[1:-1, 1:-1]
        fits = inner > BODY_RADIUS_MM
        kept[index] = plane & _within(fits, BODY_RADIUS_MM, spacing[1:])
    if not kept.any():
        raise CaseError(
            "A proposal must be as wide as a vertebral body",
            found=f"nothing that a disc of {BODY_RADIUS_MM:g} mm radius fits into",
            remedy="set the seed into the middle of the vertebral body, or change --threshold; "
            "cervical bodies are too small for this command",
            code="proposal-too-narrow",
        )
    return _piece(kept, centre)


def _piece(mask: np.ndarray, centre) -> np.ndarray:
    """Return the connected piece at the seed, or the largest one where the seed lies beside it."""
    labelled, _ = ndimage.label(mask)
    number = labelled[centre] or int(np.argmax(np.bincount(labelled.ravel())[1:])) + 1
    return labelled == number
