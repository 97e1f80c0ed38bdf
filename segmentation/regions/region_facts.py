"""Measure one region of a CT: size, place, pieces, gas, dense material, fit to the edge of bone.

Only facts; what they mean is judged in `region_checks`. Shares are fractions of the
region's voxels; places and extents are in mm along the patient's axes (LPS: left, back, head).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from pipeline.imaging.geometry import Geometry, occupied_box

#: Below it lies gas: fat, the darkest tissue, ends near -150 HU, and gas that shares a voxel with
#: bone is lighter than air.
GAS_HU = -200.0
#: Above it lies cement or metal: healthy cortical bone of a vertebra stays below about 1,200 HU at
#: the voxel sizes of clinical CT.
DENSE_HU = 1500.0

#: Tissue beside the region that is looked at, in mm: as far as a shift is searched, and a shell.
MARGIN_MM = 16.0
#: A region is tried in other places up to this far, in mm; farther lies the next vertebra.
SHIFT_SEARCHED_MM = 12.0
#: Thickness of the shells inside and outside the boundary, in mm.
SHELL_MM = 2.5
#: The shells are measured on voxels thinned out to this step, in mm: finer ones change nothing.
STEP_MM = 1.5
#: Gas and metal must not outweigh the bone's edge: HU are cut off here before they are averaged.
EDGE_HU = (-150.0, 500.0)

#: A piece of the mask is bone if its mean is at least this, in HU, and it lies within this distance
#: of the largest piece, in mm.
FRAGMENT_HU, FRAGMENT_MM = 100.0, 6.0

#: Background that an axial cut shows ringed by the mask, or between two arms of it and open to the
#: back, is the spinal canal from this area on, in mm2: the hollow back of a body is shallower. It
#: is open above and below; the hollow of an endplate, which a cut shows ringed too, has bone there,
#: so no more than this share of the column through it may be mask.
CANAL_MM2, CANAL_COLUMN_MM, CANAL_COLUMN_SHARE = 80.0, 8.0, 0.25
#: A body is never longer from front to back, in mm, even one that is tilted.
LONGEST_BODY_MM = 58.0
#: Behind the last coronal cut that is at least this share of the largest begins what sticks out.
BODY_CUT_SHARE = 0.5
#: The body's rounded back holds less than this share of a mask of the body alone: up to 6% on
#: public CT.
BEHIND_SHARE = 0.08


@dataclass(frozen=True)
class Region:
    """A mask and its surroundings, turned so that the axes run as the patient's do.

    Attributes
    ----------
    mask : numpy.ndarray
        Bool, shape (z, y, x): to the head, to the back, to the left.
    hu : numpy.ndarray
        Hounsfield units, same shape.
    spacing : tuple of float
        Distance of voxel centres along (z, y, x), in mm.
    """

    mask: np.ndarray
    hu: np.ndarray
    spacing: tuple[float, float, float]


def slices_around(mask: np.ndarray, geometry: Geometry) -> tuple[int, int]:
    """Return from which to before which slice of the CT all lies that `describe_region` looks at.

    Parameters
    ----------
    mask : numpy.ndarray
        0/1, shape (z, y, x), with at least one voxel.
    geometry : Geometry
        Its grid.
    """
    margin = int(np.ceil(MARGIN_MM / geometry.spacing[2]))
    along = occupied_box(mask)[0]
    return max(along.start - margin, 0), min(along.stop + margin, len(mask))


def describe_region(mask: np.ndarray, ct: np.ndarray, geometry: Geometry) -> dict:
    """Measure a binary mask on its CT.

    Parameters
    ----------
    mask : numpy.ndarray
        0/1, shape (z, y, x), with at least one voxel.
    ct : numpy.ndarray
        Hounsfield units, same shape.
    geometry : Geometry
        Grid of both.

    Returns
    -------
    dict
        ``voxels``; ``volume_ml``; ``mean_hu``; ``tissue_hu``, the mean without gas and dense
        material (None where nothing else is there); ``gas_share``, ``dense_share``; ``slices``,
        the fewest layers of voxels along any axis of the grid; ``components``, where voxels that
        share a corner are one; ``stray_share``, outside the largest component; ``stray_bone``,
        whether all other components are bone beside it; ``holes_share``, enclosed background;
        ``holes_gas_share``, the part of it that is gas; ``touches_border``, whether a voxel lies
        on the outermost layer of the volume; ``extent_x_mm, extent_y_mm, extent_z_mm`` and
        ``centre_x_mm, centre_y_mm, centre_z_mm`` (LPS); ``canal_mm2``, ``behind_share`` and
        ``posterior_elements`` (`posterior_elements`); ``edge_hu``, ``offset_mm``,
        ``offset_gain_hu`` (`edge_facts`).
    """
    around = occupied_box(mask)
    inside = tuple(
        side.start + axis for side, axis in zip(around, np.nonzero(mask[around]), strict=True)
    )
    voxels = len(inside[0])
    low, high = np.min(inside, axis=1), np.max(inside, axis=1)
    values = ct[inside].astype(np.float64)
    gas, dense = values < GAS_HU, values > DENSE_HU
    tissue = values[~(gas | dense)]
    region = _region_around(mask, ct, geometry, low, high)
    return {
        "voxels": voxels,
        "volume_ml": voxels * geometry.voxel_volume_ml,
        "mean_hu": float(values.mean()),
        "tissue_hu": float(tissue.mean()) if len(tissue) else None,
        "gas_share": float(gas.mean()),
        "dense_share": float(dense.mean()),
        "slices": int((high - low).min()) + 1,
        "touches_border": bool((low == 0).any() or (high == np.array(mask.shape) - 1).any()),
        **_place(inside, geometry),
        **_pieces(region),
        **_holes(region),
        **posterior_elements(region),
        **edge_facts(region),
    }


def _place(inside: tuple[np.ndarray, ...], geometry: Geometry) -> dict[str, float]:
    """Return extent and centre along the patient's axes; a voxel counts with its whole size."""
    index = np.stack(inside[::-1])  # (x, y, z)
    axes = geometry.affine[:3, :3]
    centres = axes @ index + geometry.affine[:3, 3:]
    extent = np.ptp(centres, axis=1) + np.abs(axes).sum(axis=1)
    middle = centres.mean(axis=1)
    return {
        **{f"extent_{axis}_mm": float(value) for axis, value in zip("xyz", extent, strict=True)},
        **{f"centre_{axis}_mm": float(value) for axis, value in zip("xyz", middle, strict=True)},
    }


def _region_around(
    mask: np.ndarray, ct: np.ndarray, geometry: Geometry, low: np.ndarray, high: np.ndarray
) -> Region:
    """Crop around the mask and turn the crop to the patient's axes, each to the nearest one."""
    spacing = np.array(geometry.spacing[::-1])
    margin = np.ceil(MARGIN_MM / spacing).astype(int)
    box = tuple(
        slice(max(int(a) - m, 0), int(b) + m + 1) for a, b, m in zip(low, high, margin, strict=True)
    )
    # Columns of the direction are the index axes x, y, z; arrays run z, y, x.
    direction = np.reshape(geometry.direction, (3, 3))
    order, flips = [], []
    left = [0, 1, 2]
    for patient_axis in (2, 1, 0):
        index_axis = max(left, key=lambda axis: abs(direction[patient_axis, axis]))
        left.remove(index_axis)
        order.append(2 - index_axis)
        flips.append(direction[patient_axis, index_axis] < 0)
    turned = [axis for axis in range(3) if flips[axis]]

    def turn(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.flip(array[box].transpose(order), axis=turned))

    return Region(turn(mask) != 0, turn(ct), tuple(float(n) for n in spacing[order]))


def _pieces(region: Region) -> dict:
    labelled, components = ndimage.label(region.mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labelled.ravel())
    sizes[0] = 0
    largest = int(sizes.argmax())
    stray = region.mask & (labelled != largest)
    facts = {
        "components": int(components),
        "stray_share": float(1 - sizes[largest] / sizes.sum()),
        "stray_bone": False,
    }
    if components > 1:
        away = ndimage.distance_transform_edt(labelled != largest, sampling=region.spacing)
        others = [number for number in range(1, components + 1) if number != largest]
        nearest = ndimage.minimum(away, labelled, others)
        facts["stray_bone"] = bool(
            region.hu[stray].mean() >= FRAGMENT_HU and np.max(nearest) <= FRAGMENT_MM
        )
    return facts


def _holes(region: Region) -> dict[str, float]:
    # Background beside the crop's edge is connected outside of it.
    padded = np.pad(region.mask, 1)
    holes = ndimage.binary_fill_holes(padded)[1:-1, 1:-1, 1:-1] & ~region.mask
    count = int(holes.sum())
    return {
        "holes_share": count / int(region.mask.sum()),
        "holes_gas_share": float((region.hu[holes] < GAS_HU).mean()) if count else 0.0,
    }


def posterior_elements(region: Region) -> dict:
    """Say whether a mask holds more of the vertebra than its body.

    Parameters
    ----------
    region : Region
        The mask along the patient's axes.

    Returns
    -------
    dict
        ``canal_mm2``: largest spinal canal that an axial cut shows, ringed by the arch or between
        the pedicles; 0 without one. ``behind_share``: share of the mask behind the
        last coronal cut whose area is at least half of the largest (arch and processes are
        slender). ``posterior_elements``: whether there is a canal, more lies behind, or the mask
        is longer than a body can be (`CANAL_MM2`, `BEHIND_SHARE`, `LONGEST_BODY_MM`).
    """
    coronal = region.mask.sum(axis=(0, 2))
    last = np.flatnonzero(coronal >= BODY_CUT_SHARE * coronal.max())[-1]
    behind = float(coronal[last + 1 :].sum() / coronal.sum())
    rows = np.flatnonzero(coronal)
    length = float((rows[-1] - rows[0] + 1) * region.spacing[1])
    canal = _canal_mm2(region)
    return {
        "canal_mm2": canal,
        "behind_share": behind,
        "posterior_elements": canal > 0 or behind > BEHIND_SHARE or length > LONGEST_BODY_MM,
    }


def _canal_mm2(region: Region) -> float:
    """Return the largest area of an axial cut that is the spinal canal, 0 without one."""
    labelled, _ = ndimage.label(region.mask, structure=np.ones((3, 3, 3)))
    largest_piece = int(np.bincount(labelled.ravel())[1:].argmax()) + 1
    box = ndimage.find_objects(labelled)[largest_piece - 1]
    mask = labelled[box] == largest_piece
    ringed = np.array([ndimage.binary_fill_holes(plane) for plane in mask]) & ~mask
    sides = np.logical_or.accumulate(mask, axis=2) & _accumulate_backwards(mask, axis=2)
    between = ~mask & sides & ~_accumulate_backwards(mask, axis=1)
    in_plane = [np.zeros((3, 3)), np.ones((3, 3)), np.zeros((3, 3))]
    spaces, _ = ndimage.label(ringed | between, structure=in_plane)
    areas = np.bincount(spaces.ravel(), minlength=1)[1:] * np.prod(region.spacing[1:])
    reach = round(CANAL_COLUMN_MM / region.spacing[0])
    places = ndimage.find_objects(spaces)
    largest = 0.0
    for number in np.flatnonzero(areas > CANAL_MM2):
        place = places[number]
        inside = np.nonzero(spaces[place] == number + 1)
        z, y, x = (side.start + round(np.mean(at)) for side, at in zip(place, inside, strict=True))
        column = mask[max(z - reach, 0) : z + reach + 1, y, x]
        if column.sum() / (2 * reach + 1) <= CANAL_COLUMN_SHARE:
            largest = max(largest, float(areas[number]))
    return largest


def _accumulate_backwards(mask: np.ndarray, axis: int) -> np.ndarray:
    """Return where the mask lies at or beyond a voxel along an axis."""
    return np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)


def edge_facts(region: Region) -> dict[str, float]:
    """Say how well the boundary of a mask follows the edge of bone, here and nearby.

    A shell inside the boundary of a vertebra is bone and a shell outside mostly is not. The mean
    difference is taken where the mask lies, and where it would lie if it were shifted.

    Parameters
    ----------
    region : Region
        Mask and Hounsfield units along the patient's axes.

    Returns
    -------
    dict
        ``edge_hu``: mean of the inner minus mean of the outer shell. ``offset_mm``: distance to
        the place, within `SHIFT_SEARCHED_MM`, where that difference is largest.
        ``offset_gain_hu``: how much larger it is there.
    """
    thin = tuple(max(1, round(STEP_MM / step)) for step in region.spacing)
    every = tuple(slice(None, None, step) for step in thin)
    spacing = np.multiply(region.spacing, thin)
    mask = region.mask[every]
    if not mask.any():
        mask, spacing = region.mask, np.array(region.spacing)
        every = (slice(None),) * 3
    hu = np.clip(region.hu[every], *EDGE_HU).astype(np.float32)
    shell = max(SHELL_MM, 1.01 * spacing.max())
    reach = np.ceil(SHIFT_SEARCHED_MM / spacing).astype(int)
    edge = np.ceil(shell / spacing).astype(int)
    inside = np.nonzero(mask)
    # The template needs a shell around the mask, and the CT as much again as the shifts reach;
    # beyond the volume its outermost voxels are repeated.
    before = np.maximum(reach + edge - [axis.min() for axis in inside], 0)
    after = np.maximum(
        reach + edge - [n - 1 - axis.max() for n, axis in zip(mask.shape, inside, strict=True)], 0
    )
    width = list(zip(before, after, strict=True))
    hu, mask = np.pad(hu, width, mode="edge"), np.pad(mask, width)
    box = tuple(
        slice(int(axis.min()) - e, int(axis.max()) + e + 1)
        for axis, e in zip(np.nonzero(mask), edge, strict=True)
    )
    template = _shells(mask[box], spacing, shell)
    field = hu[
        tuple(slice(side.start - r, side.stop + r) for side, r in zip(box, reach, strict=True))
    ]
    scores = _correlated(field, template)
    shifts = np.meshgrid(
        *(np.arange(-r, r + 1) * s for r, s in zip(reach, spacing, strict=True)), indexing="ij"
    )
    distance = np.sqrt(sum(shift**2 for shift in shifts))
    scores = np.where(distance <= SHIFT_SEARCHED_MM, scores, -np.inf)
    here, best = scores[tuple(reach)], np.unravel_index(scores.argmax(), scores.shape)
    return {
        "edge_hu": float(here),
        "offset_mm": float(distance[best]),
        "offset_gain_hu": float(scores[best] - here),
    }


def _correlated(field: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Return the sum of products of a template and a larger field at each place within the field.

    The values of ``scipy.signal.correlate(..., mode="valid", method="fft")``, whose import takes
    longer than the masks of a scan.
    """
    whole = np.add(field.shape, template.shape) - 1
    size = [fft.next_fast_len(int(side), real=True) for side in whole]
    product = fft.rfftn(field, size) * fft.rfftn(np.flip(template), size)
    inside = (slice(t - 1, f) for f, t in zip(field.shape, template.shape, strict=True))
    return fft.irfftn(product, size)[tuple(inside)]


def _shells(mask: np.ndarray, spacing: np.ndarray, shell: float) -> np.ndarray:
    """Return weights whose product with an image is the inner minus the outer shell's mean."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    height = ndimage.distance_transform_edt(~mask, sampling=spacing)
    inner, outer = mask & (depth <= shell), ~mask & (height <= shell)
    return (inner / inner.sum() - outer / outer.sum()).astype(np.float32)
