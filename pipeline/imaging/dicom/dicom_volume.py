"""A DICOM series as one volume in Hounsfield units, after checks that it is whole and regular."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.core.problems import listing
from pipeline.imaging.ct_options import CtOptions
from pipeline.imaging.dicom.dicom_contrast import of_series
from pipeline.imaging.dicom.dicom_decode import check_pixels, stored_values, syntax_name
from pipeline.imaging.dicom.dicom_headers import PHASES, Slice
from pipeline.imaging.dicom.dicom_tilt import SHEAR_TOLERANCE_PIXELS, unshear

#: Largest difference of a direction cosine within a series.
ORIENTATION_TOLERANCE = 1e-4
#: Largest deviation of a slice's axes from perpendicular unit vectors: archives round direction
#: cosines, some to three decimals.
UNIT_VECTOR_TOLERANCE = 1e-3
#: Largest difference of in-plane pixel spacing within a series, relative.
PIXEL_SPACING_RELATIVE_TOLERANCE = 1e-4
#: Largest difference of slice thickness within a series, relative.
THICKNESS_RELATIVE_TOLERANCE = 1e-2
#: Largest deviation of one slice's distance from the median distance, relative.
SLICE_SPACING_RELATIVE_TOLERANCE = 1e-2
#: The same in mm, where it is larger: archives round positions to hundredths of a millimetre.
SLICE_SPACING_ROUNDING_MM = 0.011
#: Slices closer than this, in mm, lie at the same position.
SAME_POSITION_MM = 1e-2

_HIGHEST = np.iinfo(np.int32).max
_LOWEST_16, _HIGHEST_16 = np.iinfo(np.int16).min, np.iinfo(np.int16).max


@dataclass(frozen=True)
class Volume:
    """A whole series as one array.

    Attributes
    ----------
    voxels : numpy.ndarray
        Hounsfield units, shape (z, y, x) with z along the slices' normal: int16 or int32 where
        slope and intercept are whole numbers, float64 otherwise.
    affine : numpy.ndarray
        Shape (4, 4), index (x, y, z, 1) to millimetres (LPS).
    facts : dict
        ``manufacturer, scanner, kvp, kernel, slice_thickness_mm, tube_current_ma, contrast,
        contrast_phase, transfer_syntax, padding_hu, padding_share``.
    findings : list of Finding
        Warnings.
    lowest : float or None
        Lowest value outside the padding, in HU; None where nothing is called padding.
    """

    voxels: np.ndarray
    affine: np.ndarray
    facts: dict
    findings: list[Finding]
    lowest: float | None


def read_series(slices: Sequence[Slice], options: CtOptions | None = None) -> Volume:
    """Check that `slices` make one regular volume, and read it.

    Parameters
    ----------
    slices : sequence of Slice
        Headers of one series, in any order.
    options : CtOptions, optional
        What to do about lossy compression, gantry tilt and padding.

    Returns
    -------
    Volume
        Sorted along the slices' normal, as ITK's series reader does; nothing is re-oriented.

    Raises
    ------
    CaseError
        If a slice is missing, doubled, tilted, of another size or orientation, lossy, or cannot
        be decoded.
    """
    options = options or CtOptions()
    if len(slices) < 2:
        raise CaseError(
            "A CT must have at least 2 slices",
            found=len(slices),
            remedy="export the whole series",
            code="slices-too-few",
        )
    findings = check_pixels(slices, allow_lossy=options.allow_lossy)
    rows, columns = _check_planes(slices)
    findings += _check_mixture(slices)
    normal = np.cross(rows, columns)
    slices, spacing = _sorted_along(slices, normal)
    shifts = _shifts_along_columns(slices, normal, columns, options)
    voxels, padding, lowest = _hounsfield(slices, options)
    first = slices[0]
    affine = np.eye(4)
    affine[:3, 0] = rows * first.pixel_spacing[1]
    affine[:3, 1] = columns * first.pixel_spacing[0]
    affine[:3, 2] = normal * spacing
    affine[:3, 3] = first.position
    if shifts is not None:
        voxels, row = unshear(voxels, shifts, options.padding_hu, options.tilt_interpolation)
        affine[:3, 3] += row * affine[:3, 1]
        findings.append(_tilt_corrected(shifts, first.pixel_spacing[0], spacing, options))
    names = sorted({syntax_name(one.transfer_syntax) for one in slices})
    stated = first.facts | of_series([one.facts for one in slices])
    facts = stated | {"transfer_syntax": "; ".join(names)} | padding
    return Volume(voxels, affine, facts, findings, lowest)


def _check_planes(slices: Sequence[Slice]) -> tuple[np.ndarray, np.ndarray]:
    """Check that all slices have one size and orientation; return its two unit vectors (LPS)."""
    if any(None in (one.pixel_spacing, one.orientation, one.position) for one in slices):
        raise CaseError(
            "Every CT slice must state its pixel spacing, orientation and position",
            found="a slice without one of them",
            remedy="export the original series from the archive",
            code="slice-geometry-missing",
        )
    shapes = sorted({one.shape for one in slices})
    if len(shapes) > 1 or 0 in shapes[0]:
        raise CaseError(
            "All slices of a series must have the same rows and columns",
            found=listing(f"{rows} x {columns}" for rows, columns in shapes),
            remedy="export the series again; name it in column `series` if the folder holds others",
            code="slices-differ-in-size",
        )
    spacings = np.array([one.pixel_spacing for one in slices])
    if np.ptp(spacings, axis=0).max() > PIXEL_SPACING_RELATIVE_TOLERANCE * spacings.min() or (
        spacings.min() <= 0
    ):
        raise CaseError(
            "All slices of a series must have the same pixel spacing above zero",
            found=f"{spacings.min():g} to {spacings.max():g} mm",
            remedy="export the series again",
            code="slices-differ-in-pixel-spacing",
        )
    orientations = np.array([one.orientation for one in slices])
    if np.ptp(orientations, axis=0).max() > ORIENTATION_TOLERANCE:
        raise CaseError(
            "All slices of a series must have the same orientation",
            found=f"direction cosines that differ by {np.ptp(orientations, axis=0).max():.4f}",
            remedy="export the series without its reformations",
            code="slices-differ-in-orientation",
        )
    rows, columns = orientations[0, :3], orientations[0, 3:]
    lengths = np.linalg.norm([rows, columns], axis=1)
    if np.abs(lengths - 1).max() > UNIT_VECTOR_TOLERANCE or abs(rows @ columns) > (
        UNIT_VECTOR_TOLERANCE
    ):
        raise CaseError(
            "Rows and columns of a slice must be perpendicular unit vectors",
            found=f"lengths {lengths[0]:.4f} and {lengths[1]:.4f}, cosine {rows @ columns:.4f}",
            remedy="export the original series from the archive",
            code="slice-axes-not-perpendicular",
        )
    rows = rows / lengths[0]
    columns = columns - (columns @ rows) * rows
    return rows, columns / np.linalg.norm(columns)


def _check_mixture(slices: Sequence[Slice]) -> list[Finding]:
    """Refuse slices of several reconstructions under one series; warn where rescaling differs."""

    def refuse(what: str, values: set[str]) -> None:
        if len(values) > 1:
            raise CaseError(
                f"All slices of a series must have the same {what}",
                found=listing(sorted(values)),
                remedy="export each reconstruction as a series of its own",
                code="slices-differ",
            )

    refuse("kernel", {one.facts["kernel"] or "none stated" for one in slices})
    stated = [one.facts["slice_thickness_mm"] for one in slices]
    thick = sorted(one for one in stated if one is not None)
    if thick and len(thick) < len(stated):
        refuse("slice thickness", {"none stated", f"{thick[-1]:g} mm"})
    if thick and thick[-1] - thick[0] > THICKNESS_RELATIVE_TOLERANCE * abs(thick[-1]):
        refuse("slice thickness", {f"{thick[0]:g} mm", f"{thick[-1]:g} mm"})
    frames = len({one.frame_of_reference for one in slices})
    if frames > 1:
        raise CaseError(
            "All slices of a series must have the same frame of reference",
            found=f"{frames} of them, so that positions cannot be compared",
            remedy="export the series again",
            code="slices-differ-in-frame",
        )
    findings = []
    kinds = {one.rescale_type for one in slices} - {"", "HU"}
    if kinds:
        # The value is free text of the header; those of the standard are shown.
        shown = sorted(
            kind if kind in ("US", "OD", "HU_MOD", "MGML") else "other" for kind in kinds
        )
        findings.append(
            Finding(
                "rescale-type",
                "warning",
                f"The header says that the values are of type {listing(shown)}, not HU",
                "compare the values of air and of muscle with what they should be",
            )
        )
    if len({one.pixels.signed for one in slices}) > 1:
        findings.append(
            Finding(
                "sign-differs",
                "warning",
                "The stored values of some slices have a sign and those of others have none; each "
                "was read as its header says",
                "compare neighbouring slices in a viewer",
            )
        )
    rescaled = {(one.slope, one.intercept) for one in slices}
    if len(rescaled) > 1:
        findings.append(
            Finding(
                "rescale-differs",
                "warning",
                f"The slices have {len(rescaled)} different rescale slopes and intercepts; each "
                "was read with its own",
                "compare neighbouring slices in a viewer",
            )
        )
    return findings


def _sorted_along(slices: Sequence[Slice], normal: np.ndarray) -> tuple[list[Slice], float]:
    """Sort `slices` along `normal`, check that they are evenly spaced; return them and the spacing.

    The spacing, in mm, is that of the positions: the slice thickness of a header says how much
    tissue a slice blurs, not how far the next one is.
    """
    ordered = sorted(slices, key=lambda one: float(np.dot(one.position, normal)))
    along = np.array([one.position for one in ordered]) @ normal
    steps = np.diff(along)
    doubled = np.flatnonzero(steps < SAME_POSITION_MM)
    if doubled.size:
        at, other = ordered[doubled[0]], ordered[doubled[0] + 1]
        copies = at.frame is None and at.uid == other.uid
        parted = None if copies else _phases_of(ordered, along)
        if parted:
            raise CaseError(
                "A series must hold one phase only",
                found=f"{len(ordered)} slices at {len(steps) + 1 - doubled.size} places, which "
                f"{parted}",
                remedy="name one in column `series`, such as AcquisitionNumber=2, where a number "
                "parts them; else export each as a series of its own",
                code="several-phases",
            )
        raise CaseError(
            "No two slices of a series may lie at the same place",
            found=f"{doubled.size} position(s) with several slices, the first at "
            f"{along[doubled[0]]:.2f} mm ({at.label} and {other.label}"
            f"{', copies of one image' * copies})",
            remedy="remove the copies from the folder"
            if copies
            else "export one phase and reconstruction only, each slice once",
            code="slices-at-one-place",
        )
    median = float(np.median(steps))
    tolerance = max(SLICE_SPACING_RELATIVE_TOLERANCE * median, SLICE_SPACING_ROUNDING_MM)
    uneven = np.flatnonzero(np.abs(steps - median) > tolerance)
    if uneven.size:
        after, before = ordered[uneven[0]], ordered[uneven[0] + 1]
        step = steps[uneven[0]]
        missing = round(step / median) - 1
        whole = abs(step - (missing + 1) * median) <= tolerance * (missing + 1)
        what = f"{missing} slice(s) missing" if missing > 0 and whole else "uneven spacing"
        raise CaseError(
            "The slices of a series must be evenly spaced",
            found=f"{what} between {after.label} and {before.label}: {step:.3f} mm apart "
            f"where the others are {median:.3f} mm; {uneven.size} such place(s)",
            remedy="export the whole series, and one reconstruction only",
            code="slices-unevenly-spaced",
        )
    return ordered, float((along[-1] - along[0]) / (len(ordered) - 1))


def _phases_of(ordered: Sequence[Slice], along: np.ndarray) -> str | None:
    """Say which attribute parts a series into phases of one slice a place; None where none does."""
    for keyword in PHASES:
        values = [one.phase.get(keyword, "") for one in ordered]
        kinds = sorted(set(values), key=lambda value: (len(value), value))
        if not 1 < len(kinds) < len(ordered):
            continue
        places = [
            [x for x, own in zip(along, values, strict=True) if own == kind] for kind in kinds
        ]
        if all(len(one) > 1 and np.diff(one).min() >= SAME_POSITION_MM for one in places):
            # Numbers are shown; what else a header says may be free text.
            shown = all(value.replace(".", "", 1).isdigit() for value in kinds)
            return f"{keyword} parts into {len(kinds)} phases" + (
                f" ({listing(kinds, 6)})" if shown else ""
            )
    return None


def _shifts_along_columns(
    slices: Sequence[Slice], normal: np.ndarray, columns: np.ndarray, options: CtOptions
) -> np.ndarray | None:
    """Return how far, in pixels, each slice lies along its columns; None where they lie straight.

    Raises
    ------
    CaseError
        If slices are moved sideways, but not as a tilted gantry moves them, or if tilt is refused.
    """
    positions = np.array([one.position for one in slices])
    along = positions @ normal - positions[0] @ normal
    sideways = (positions - positions[0]) - np.outer(along, normal)
    tolerance = SHEAR_TOLERANCE_PIXELS * min(slices[0].pixel_spacing)
    farthest = np.linalg.norm(sideways, axis=1).max()
    if farthest <= tolerance:
        return None
    slope = float((sideways @ columns) @ along / (along @ along))
    straight = np.outer(along, columns) * slope
    if np.linalg.norm(sideways - straight, axis=1).max() > tolerance:
        raise CaseError(
            "The slices of a series must be stacked along one straight line in the plane of their "
            "columns",
            found=f"slices up to {farthest:.1f} mm to the side",
            remedy="export the original series; reformations with a curved path are no volume",
            code="slices-not-in-line",
        )
    if options.gantry_tilt == "refuse":
        raise CaseError(
            "Slices must be stacked at a right angle (no gantry tilt)",
            found=f"a tilt of {np.degrees(np.arctan(abs(slope))):.1f} degrees, "
            f"slices up to {farthest:.1f} mm to the side",
            remedy="ask for a reconstruction without tilt, or let ingest.gantry_tilt correct it; "
            "masks must then be drawn on the corrected volume",
            code="gantry-tilt",
        )
    return along * slope / slices[0].pixel_spacing[0]


def _tilt_corrected(
    shifts: np.ndarray, pixel: float, spacing: float, options: CtOptions
) -> Finding:
    step = (shifts[-1] - shifts[0]) * pixel / (len(shifts) - 1)
    return Finding(
        "tilt-corrected",
        "warning",
        f"A gantry tilt of {np.degrees(np.arctan2(abs(step), spacing)):.1f} degrees was corrected: "
        f"each slice was resampled along its columns ({options.tilt_interpolation})",
        "masks must be drawn on the corrected volume",
    )


def _hounsfield(
    slices: Sequence[Slice], options: CtOptions
) -> tuple[np.ndarray, dict, float | None]:
    """Decode `slices` into Hounsfield units.

    The volume grows from 16 to 32 bits only when a value asks for it, so that a CT needs its own
    size in memory and no more.

    Returns
    -------
    voxels : numpy.ndarray
        Shape (z, y, x).
    padding : dict
        ``padding_hu, padding_share`` as handed in; None where the header names no padding.
    lowest : float or None
        Lowest value outside the padding; None where the header names no padding.
    """
    whole = all(
        float(one.slope).is_integer() and float(one.intercept).is_integer() for one in slices
    )
    rescale = _rescale_whole if whole else _rescale_fractional
    voxels: np.ndarray | None = None
    padded, lowest = 0, np.inf
    for index, (one, stored) in enumerate(zip(slices, stored_values(slices), strict=True)):
        plane = rescale(stored, one)
        if one.pixels.padding is None:
            lowest = min(lowest, float(plane.min()))
        else:
            outside = _padding_of(one.pixels.padding, stored)
            padded += int(np.count_nonzero(outside))
            lowest = min(lowest, float(plane.min(where=~outside, initial=_highest(plane))))
            if options.padding == "replace":
                plane[outside] = options.padding_hu
        if voxels is None:
            # Only now: a damaged header may claim more than there is memory.
            voxels = np.empty((len(slices), *one.shape), dtype=np.int16 if whole else np.float64)
        if voxels.dtype == np.int16 and not _fits(plane, np.int16):
            voxels = voxels.astype(np.int32)
        if voxels.dtype == np.int32 and not _fits(plane, np.int32):
            raise CaseError(
                "Rescaled values must be of the size of Hounsfield units",
                found=f"{plane.min()} to {plane.max()} ({one.label})",
                remedy="export the original series from the archive",
                code="rescaled-values-too-large",
            )
        voxels[index] = plane
    named = next((one for one in slices if one.pixels.padding is not None), None)
    if named is None:
        return voxels, {"padding_hu": None, "padding_share": None}, None
    value = float(named.pixels.padding[0] * named.slope + named.intercept)
    facts = {"padding_hu": value, "padding_share": padded / voxels.size}
    return voxels, facts, lowest if padded < voxels.size else value


def _padding_of(padding: tuple[int, int], stored: np.ndarray) -> np.ndarray:
    """Return which of a slice's stored values stand for pixels outside the field of view."""
    lowest, highest = padding
    return (stored >= lowest) & (stored <= highest)


def _rescale_whole(stored: np.ndarray, one: Slice) -> np.ndarray:
    slope, intercept = int(one.slope), int(one.intercept)
    if slope == 1 and stored.dtype.itemsize == 2 and stored.size:
        # As most CTs are: 16 bits in, 16 bits out. Between them, sums run around without harm.
        ends = int(stored.min()) + intercept, int(stored.max()) + intercept
        if min(*ends, intercept) >= _LOWEST_16 and max(*ends, intercept) <= _HIGHEST_16:
            return stored.view(stored.dtype.str.replace("u", "i")) + np.int16(intercept)
    limits = np.iinfo(stored.dtype)
    largest = max(-limits.min, limits.max) * abs(slope) + abs(intercept)
    # Half as long and as exact, where no stored value can leave it.
    plane = stored.astype(np.int32 if largest <= _HIGHEST else np.int64)
    if slope != 1:
        plane *= slope
    plane += intercept
    return plane


def _rescale_fractional(stored: np.ndarray, one: Slice) -> np.ndarray:
    return stored * np.float64(one.slope) + np.float64(one.intercept)


def _highest(plane: np.ndarray) -> float:
    """Return the highest value that a slice can hold: what a slice without values has as lowest."""
    return np.iinfo(plane.dtype).max if plane.dtype.kind == "i" else np.inf


def _fits(plane: np.ndarray, kind: Callable) -> bool:
    if plane.dtype == kind:
        return True
    limits = np.iinfo(kind)
    return limits.min <= plane.min() and plane.max() <= limits.max
