"""Checks and facts of a CT volume, whatever file it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.imaging.ct_options import CtChecks

#: Voxels closer than this, in mm, are lengths in another unit: those of the finest clinical CT are
#: ten times as wide.
SMALLEST_SPACING_MM = 0.01

#: Fewest stored bits that hold a CT; a picture of 8 bits has lost its grey levels.
FEWEST_BITS = 9

#: Grey values further apart than this, in HU, are fewer than a scanner writes: steps of 1 HU.
COARSE_STEP_HU = 1.5
#: Fewer grey values than this are a phantom's, whose steps say nothing.
FEWEST_LEVELS = 16

#: A voxel of bone reaches at least this, in HU, even in thick slices of an osteoporotic spine.
BONE_HU = 150.0


def check_extent(
    size: tuple[int, ...], spacing: tuple[float, ...], min_slices: int, max_slice_spacing_mm: float
) -> list[Finding]:
    """Check that a CT has slices enough, close enough.

    A volume that is no DICOM series does not say which axis its slices are stacked along; the
    shortest and the coarsest axis are judged.

    Parameters
    ----------
    size : tuple of int
        Voxels along each axis.
    spacing : tuple of float
        Distance of voxel centres along each axis, in mm.
    min_slices : int
        Fewer voxels along an axis are an error.
    max_slice_spacing_mm : float
        A larger spacing is an error, in mm.
    """
    findings = []
    if min(size) < min_slices:
        findings.append(
            Finding(
                "too-few-slices",
                "error",
                f"The CT has {min(size)} slices; at least {min_slices} are needed",
                "export the whole series",
            )
        )
    if max(spacing) > max_slice_spacing_mm:
        findings.append(
            Finding(
                "slices-too-far-apart",
                "error",
                f"The CT's slices lie {max(spacing):g} mm apart; at most "
                f"{max_slice_spacing_mm:g} mm are accepted",
                "ask for a thinner reconstruction, or raise checks.max_slice_spacing_mm "
                "(--max-slice-spacing-mm of a command)",
            )
        )
    if min(spacing) < SMALLEST_SPACING_MM:
        findings.append(
            Finding(
                "voxels-too-small",
                "error",
                f"The CT's voxels lie {min(spacing):g} mm apart; at least {SMALLEST_SPACING_MM:g} "
                "mm are expected",
                "the lengths may be in metres: convert the DICOM again, in millimetres",
            )
        )
    return findings


def check_thickness(thickness_mm: float | None, max_slice_thickness_mm: float) -> list[Finding]:
    """Check that slices, where their thickness is known, are not thicker than the limit, in mm."""
    if thickness_mm is None or thickness_mm <= max_slice_thickness_mm:
        return []
    return [
        Finding(
            "slices-too-thick",
            "error",
            f"The CT's slices are {thickness_mm:g} mm thick; at most {max_slice_thickness_mm:g} mm "
            "are accepted",
            "ask for a thinner reconstruction, or raise checks.max_slice_thickness_mm "
            "(--max-slice-thickness-mm of a command)",
        )
    ]


def check_hounsfield(
    low: float, high: float, hu_range: tuple[float, float] | list[float]
) -> list[Finding]:
    """Check that voxel values can be Hounsfield units.

    Parameters
    ----------
    low, high : float
        Lowest and highest value outside the padding.
    hu_range : pair of float
        Values below or above it are an error, in HU.
    """
    if low < hu_range[0] or high > hu_range[1]:
        return [
            Finding(
                "hu-out-of-range",
                "error",
                f"The values go from {low:g} to {high:g}; Hounsfield units lie within "
                f"{hu_range[0]:g} to {hu_range[1]:g}",
                "convert the DICOM again with its rescaling; if the extremes are filling outside "
                "the field of view, write -1024 there",
            )
        ]
    if low >= 0 or high < BONE_HU:
        return [
            Finding(
                "hu-implausible",
                "warning",
                f"The values go from {low:g} to {high:g}: a CT of a vertebra holds fat or air "
                f"below 0 HU and bone above {BONE_HU:g} HU",
                "compare the values of air and of bone in a viewer; the file may hold stored "
                "values or a window",
            )
        ]
    return []


def loss_of(found: str, allow_lossy: bool) -> list[Finding]:
    """Refuse a CT that has lost grey levels, or warn of it with `allow_lossy`; `found` says how."""
    if not allow_lossy:
        raise CaseError(
            "A CT for radiomics must never have been compressed with loss",
            found=found,
            remedy="export the original series from the archive; ingest.allow_lossy (--allow-lossy "
            "of a command) accepts it",
            code="ct-compressed-with-loss",
        )
    return [
        Finding(
            "lossy-compression",
            "warning",
            f"The CT was compressed with loss, which changes texture features: {found}",
            "export the original series from the archive",
        )
    ]


def grey_step(image: sitk.Image) -> float | None:
    """Return the smallest distance of two different grey values, in HU, where it is a large one.

    Returns
    -------
    float or None
        None where it is at most `COARSE_STEP_HU`, which the first slices show, or where there are
        fewer values than `FEWEST_LEVELS`.
    """
    seen = np.empty(0)
    for plane in sitk.GetArrayViewFromImage(image):
        # Of float32, rounding makes neighbours of one value; they are no grey levels.
        seen = np.unique(np.concatenate([seen, np.unique(plane).astype(np.float64).round(3)]))
        if len(seen) > 1 and np.diff(seen).min() <= COARSE_STEP_HU:
            return None
    return float(np.diff(seen).min()) if len(seen) >= FEWEST_LEVELS else None


def check_grey_levels(step: float | None) -> list[Finding]:
    """Warn of a CT whose grey values lie far apart, such as one that was squeezed into 8 bits.

    Parameters
    ----------
    step : float or None
        From `grey_step`, in HU.
    """
    if step is None:
        return []
    return [
        Finding(
            "coarse-grey-levels",
            "warning",
            f"The grey values lie at least {step:.4g} HU apart: grey levels were lost, which "
            "changes texture features",
            "convert the DICOM again, into 16-bit whole numbers with a slope of 1; if the scanner "
            "itself wrote such steps, as for an extended HU range, compare such scans with others",
        )
    ]


def check_ct(
    facts: Mapping[str, Any], lowest: float, limits: CtChecks, findings: Iterable[Finding] = ()
) -> list[Finding]:
    """Return all that there is to say about a CT: what reading it found, and what limits say.

    Parameters
    ----------
    facts : Mapping
        ``size_x, spacing_x`` and the other axes, ``hu_max``, and ``slice_thickness_mm`` where it
        is known.
    lowest : float
        Lowest value outside the padding, in HU.
    limits : CtChecks
        What the study accepts.
    findings : iterable of Finding, optional
        What reading the file found.
    """
    return [
        *findings,
        *check_extent(
            tuple(int(facts[f"size_{axis}"]) for axis in "xyz"),
            tuple(facts[f"spacing_{axis}"] for axis in "xyz"),
            limits.min_slices,
            limits.max_slice_spacing_mm,
        ),
        *check_thickness(facts.get("slice_thickness_mm"), limits.max_slice_thickness_mm),
        *check_hounsfield(lowest, facts["hu_max"], limits.hu_range),
    ]


def orientation_of(image: sitk.Image) -> str:
    """Return where the index axes x, y, z run to, to the nearest axis of the patient: ``LPS``.

    L left or R right, P posterior or A anterior, S superior or I inferior, as 3D Slicer and ITK
    name it.
    """
    return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())


def mean_and_sd(image: sitk.Image) -> tuple[float, float]:
    """Return the mean and the standard deviation (n - 1, as PyRadiomics normalises) of all voxels.

    Slice by slice, so that no second volume is needed.
    """
    voxels = sitk.GetArrayViewFromImage(image)
    mean = sum(float(plane.sum(dtype=np.float64)) for plane in voxels) / voxels.size
    squares, away = 0.0, np.empty(voxels.shape[1:])
    for plane in voxels:
        np.subtract(plane, np.float64(mean), out=away)
        squares += float(np.square(away, out=away).sum())
    return mean, (squares / max(voxels.size - 1, 1)) ** 0.5
