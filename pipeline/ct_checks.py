"""Checks and facts of a CT volume, whatever file it came from."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from pipeline.core.findings import Finding

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
                "ask for a thinner reconstruction, or raise checks.max_slice_spacing_mm",
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
            "ask for a thinner reconstruction, or raise checks.max_slice_thickness_mm",
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
    squares = sum(float(np.square(plane - np.float64(mean)).sum()) for plane in voxels)
    return mean, (squares / max(voxels.size - 1, 1)) ** 0.5
