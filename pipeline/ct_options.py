"""What may be chosen when a CT is read, and the limits that it has to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal


@dataclass(frozen=True)
class CtOptions:
    """The section `ingest` of a study's configuration; the defaults are those of the project.

    Attributes
    ----------
    series_rule : {'thinnest', 'most-slices', 'refuse'}
        Which of several CT series in a DICOM folder is taken (`pipeline.dicom_series`).
    allow_lossy : bool
        Whether lossy compression is a warning instead of an error.
    gantry_tilt : {'refuse', 'correct'}
        Whether a sheared series is resampled onto a grid of right angles (`pipeline.dicom_tilt`).
    tilt_interpolation : {'linear', 'bspline'}
        How it is resampled, along the columns.
    padding : {'keep', 'replace'}
        Whether pixels that the header calls padding keep their value or get `padding_hu`.
    padding_hu : float
        HU of replaced padding, and of what a corrected tilt leaves empty.
    """

    series_rule: Literal["thinnest", "most-slices", "refuse"] = "thinnest"
    allow_lossy: bool = False
    gantry_tilt: Literal["refuse", "correct"] = "refuse"
    tilt_interpolation: Literal["linear", "bspline"] = "linear"
    padding: Literal["keep", "replace"] = "keep"
    padding_hu: int = -1024


@dataclass(frozen=True)
class CtChecks:
    """What of the section `checks` of a study's configuration concerns a CT.

    Attributes
    ----------
    min_slices : int
        Fewer voxels along an axis are an error.
    max_slice_spacing_mm : float
        A larger distance of voxel centres along an axis is an error, in mm.
    max_slice_thickness_mm : float
        Thicker slices are an error, in mm.
    hu_range : pair of float
        Values below or above it are an error, in HU.
    """

    min_slices: int = 3
    max_slice_spacing_mm: float = 6.0
    max_slice_thickness_mm: float = 6.0
    hu_range: tuple[float, float] = (-10240, 32767)

    @classmethod
    def of(cls, checks: Mapping) -> CtChecks:
        """Return the limits of a CT among all `checks`; the project's where one is not given."""
        return cls(**{one.name: checks[one.name] for one in fields(cls) if one.name in checks})
