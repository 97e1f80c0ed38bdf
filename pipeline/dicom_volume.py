"""A DICOM series as one volume in Hounsfield units, after checks that it is whole and regular."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydicom
from pydicom.uid import UID

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.dicom_series import Slice, quiet

#: Attributes read to decode a slice.
PIXELS = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "NumberOfFrames",
    "PixelData",
)

#: Transfer syntaxes that always lose information: JPEG baseline, extended, spectral selection and
#: full progression, JPEG XL of former JPEGs, and lossy JPEG XL.
LOSSY_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 111, 112))
#: Transfer syntaxes that may lose information: near-lossless JPEG-LS, JPEG 2000, HTJ2K. They pass
#: where the header states that no lossy compression took place.
MAYBE_LOSSY_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (81, 91, 203))

#: Largest difference of a direction cosine within a series, and from perpendicular unit axes.
ORIENTATION_TOLERANCE = 1e-4
#: Largest difference of in-plane pixel spacing within a series, relative.
PIXEL_SPACING_RELATIVE_TOLERANCE = 1e-4
#: Largest deviation of one slice's distance from the median distance, relative.
SLICE_SPACING_RELATIVE_TOLERANCE = 1e-2
#: Slices closer than this, in mm, lie at the same place.
SAME_POSITION_MM = 1e-2
#: Largest distance, in pixels, of a slice's corner from the line that the others' corners follow
#: along the normal; a gantry tilt shears the volume by far more.
SHEAR_TOLERANCE_PIXELS = 0.1


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
        ``manufacturer, scanner, kvp, kernel, slice_thickness_mm``.
    findings : list of Finding
        Warnings.
    """

    voxels: np.ndarray
    affine: np.ndarray
    facts: dict
    findings: list[Finding]


def read_series(slices: Sequence[Slice], min_slices: int = 1) -> Volume:
    """Check that `slices` make one regular volume, and read it.

    Parameters
    ----------
    slices : sequence of Slice
        Headers of one series, in any order.
    min_slices : int, optional
        Fewer slices are refused.

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
    if len(slices) < max(min_slices, 2):
        raise CaseError(
            f"A CT must have at least {max(min_slices, 2)} slices",
            found=len(slices),
            remedy="export the whole series",
        )
    findings = _check_pixels(slices)
    rows, columns = _check_planes(slices)
    normal = np.cross(rows, columns)
    slices, spacing = _sorted_along(slices, normal)
    first = slices[0]
    affine = np.eye(4)
    affine[:3, 0] = rows * first.pixel_spacing[1]
    affine[:3, 1] = columns * first.pixel_spacing[0]
    affine[:3, 2] = normal * spacing
    affine[:3, 3] = first.position
    return Volume(_hounsfield(slices), affine, first.facts, findings)


def _check_pixels(slices: Sequence[Slice]) -> list[Finding]:
    """Check what each slice says about its pixels; return warnings."""

    def numbers_of(wrong: list[Slice]) -> str:
        shown = ", ".join(one.label for one in wrong[:5])
        return f"{len(wrong)} of {len(slices)} slices (instance {shown}{' ...' * (len(wrong) > 5)})"

    def refuse(rule: str, wrong: list[Slice], what: str, remedy: str) -> None:
        if wrong:
            raise CaseError(rule, found=f"{what} in {numbers_of(wrong)}", remedy=remedy)

    refuse(
        "A CT file must hold one slice",
        [one for one in slices if one.frames != 1],
        "several frames",
        "export it as classic CT Image Storage, or as NRRD from 3D Slicer",
    )
    wrong = [one for one in slices if one.photometric != "MONOCHROME2" or one.samples != 1]
    refuse(
        "A CT must be stored as MONOCHROME2 with one sample per pixel",
        wrong,
        ", ".join(sorted({f"{one.photometric or 'nothing'} x {one.samples}" for one in wrong})),
        "export the original series, no screenshots",
    )
    wrong = [
        one
        for one in slices
        if one.lossy == "01"
        or one.transfer_syntax in LOSSY_SYNTAXES
        or (one.transfer_syntax in MAYBE_LOSSY_SYNTAXES and one.lossy != "00")
    ]
    refuse(
        "A CT for radiomics must never have been compressed with loss",
        wrong,
        "lossy compression ("
        + ", ".join(sorted({UID(one.transfer_syntax).name for one in wrong}))
        + ")",
        "export the original series from the archive",
    )
    refuse(
        "A CT must state its rescale slope and intercept",
        [one for one in slices if not one.slope or one.intercept is None],
        "none, or a slope of zero,",
        "export the original series from the archive",
    )
    other = sorted({one.rescale_type for one in slices} - {"", "HU"})
    if not other:
        return []
    return [
        Finding(
            "rescale-type",
            "warning",
            f"The header says that the values are {', '.join(other)}, not HU",
            "compare the values of air and of muscle with what they should be",
        )
    ]


def _check_planes(slices: Sequence[Slice]) -> tuple[np.ndarray, np.ndarray]:
    """Check that all slices have one size and orientation; return its two unit vectors (LPS)."""
    if any(None in (one.pixel_spacing, one.orientation, one.position) for one in slices):
        raise CaseError(
            "Every CT slice must state its pixel spacing, orientation and position",
            found="a slice without one of them",
            remedy="export the original series from the archive",
        )
    shapes = sorted({one.shape for one in slices})
    if len(shapes) > 1:
        raise CaseError(
            "All slices of a series must have the same rows and columns",
            found=", ".join(f"{rows} x {columns}" for rows, columns in shapes),
            remedy="export the series again; name it in column `series` if the folder holds others",
        )
    spacings = np.array([one.pixel_spacing for one in slices])
    if np.ptp(spacings, axis=0).max() > PIXEL_SPACING_RELATIVE_TOLERANCE * spacings.min() or (
        spacings.min() <= 0
    ):
        raise CaseError(
            "All slices of a series must have the same pixel spacing above zero",
            found=f"{spacings.min():g} to {spacings.max():g} mm",
            remedy="export the series again",
        )
    orientations = np.array([one.orientation for one in slices])
    if np.ptp(orientations, axis=0).max() > ORIENTATION_TOLERANCE:
        raise CaseError(
            "All slices of a series must have the same orientation",
            found=f"direction cosines that differ by {np.ptp(orientations, axis=0).max():.4f}",
            remedy="export the series without its reformations",
        )
    rows, columns = orientations[0, :3], orientations[0, 3:]
    lengths = np.linalg.norm([rows, columns], axis=1)
    if np.abs(lengths - 1).max() > ORIENTATION_TOLERANCE or abs(rows @ columns) > (
        ORIENTATION_TOLERANCE
    ):
        raise CaseError(
            "Rows and columns of a slice must be perpendicular unit vectors",
            found=f"lengths {lengths[0]:.4f} and {lengths[1]:.4f}, cosine {rows @ columns:.4f}",
            remedy="export the original series from the archive",
        )
    rows = rows / lengths[0]
    columns = columns - (columns @ rows) * rows
    return rows, columns / np.linalg.norm(columns)


def _sorted_along(slices: Sequence[Slice], normal: np.ndarray) -> tuple[list[Slice], float]:
    """Sort `slices` along `normal`, check that they are evenly spaced; return them and the spacing.

    The spacing, in mm, is that of the positions: the slice thickness of a header says how much
    tissue a slice blurs, not how far the next one is.
    """
    ordered = sorted(slices, key=lambda one: float(np.dot(one.position, normal)))
    positions = np.array([one.position for one in ordered])
    along = positions @ normal
    steps = np.diff(along)
    doubled = np.flatnonzero(steps < SAME_POSITION_MM)
    if doubled.size:
        at = ordered[doubled[0]]
        raise CaseError(
            "No two slices of a series may lie at the same place",
            found=f"{doubled.size} position(s) with several slices, the first at "
            f"{along[doubled[0]]:.2f} mm (instance {at.label} and {ordered[doubled[0] + 1].label})",
            remedy="export one phase and reconstruction only, each slice once",
        )
    sideways = (positions - positions[0]) - np.outer(along - along[0], normal)
    shear = np.linalg.norm(sideways, axis=1).max()
    if shear > SHEAR_TOLERANCE_PIXELS * min(ordered[0].pixel_spacing):
        tilt = np.degrees(np.arctan2(np.linalg.norm(sideways[-1]), along[-1] - along[0]))
        raise CaseError(
            "Slices must be stacked at a right angle (no gantry tilt)",
            found=f"a tilt of {tilt:.1f} degrees, slices up to {shear:.1f} mm to the side",
            remedy="ask for a reconstruction without tilt; a sheared grid has no cubic voxels",
        )
    median = float(np.median(steps))
    uneven = np.flatnonzero(np.abs(steps - median) > SLICE_SPACING_RELATIVE_TOLERANCE * median)
    if uneven.size:
        after, before = ordered[uneven[0]], ordered[uneven[0] + 1]
        step = steps[uneven[0]]
        missing = round(step / median) - 1
        whole = abs(step / median - missing - 1) <= SLICE_SPACING_RELATIVE_TOLERANCE * (missing + 1)
        what = f"{missing} slice(s) missing" if missing > 0 and whole else "uneven spacing"
        raise CaseError(
            "The slices of a series must be evenly spaced",
            found=f"{what} between instance {after.label} and {before.label}: {step:.3f} mm apart "
            f"where the others are {median:.3f} mm; {uneven.size} such place(s)",
            remedy="export the whole series, and one reconstruction only",
        )
    return ordered, float((along[-1] - along[0]) / (len(ordered) - 1))


def _hounsfield(slices: Sequence[Slice]) -> np.ndarray:
    """Decode `slices` and return their Hounsfield units, shape (z, y, x)."""
    whole = all(
        float(one.slope).is_integer() and float(one.intercept).is_integer() for one in slices
    )
    voxels = np.empty((len(slices), *slices[0].shape), dtype=np.int32 if whole else np.float64)
    for one, plane in zip(slices, voxels, strict=True):
        stored = _decode(one)
        if whole:
            plane[...] = stored.astype(np.int64) * int(one.slope) + int(one.intercept)
        else:
            plane[...] = stored * one.slope + one.intercept
    small = np.iinfo(np.int16)
    if whole and voxels.min() >= small.min and voxels.max() <= small.max:
        return voxels.astype(np.int16)
    return voxels


def _decode(one: Slice) -> np.ndarray:
    """Return the stored values of a slice, shape (rows, columns)."""
    try:
        with quiet():
            pixels = pydicom.dcmread(one.path, specific_tags=list(PIXELS)).pixel_array
    except Exception as error:
        # Decoders raise whatever they like, and their messages may hold the file's path.
        raise CaseError(
            "Every CT slice must decode",
            found=f"instance {one.label}, {UID(one.transfer_syntax).name}: {type(error).__name__}",
            remedy="export the series again, uncompressed (Explicit VR Little Endian)",
        ) from None
    if pixels.shape != one.shape or pixels.dtype.kind not in "iu":
        raise CaseError(
            "The pixels of a CT slice must be whole numbers in the stated rows and columns",
            found=f"instance {one.label}: {pixels.dtype} of shape {pixels.shape}",
            remedy="export the series again",
        )
    return pixels
