"""What may be chosen when a CT is read, and the limits that it has to keep."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from pipeline.core.sections import option


@dataclass(frozen=True)
class CtOptions:
    """The section `ingest` of a study's configuration; the defaults are those of the project.

    Attributes
    ----------
    series_rule : {'thinnest', 'most-slices', 'refuse'}
        Which of several CT series in a DICOM folder is taken
        (`pipeline.imaging.dicom.dicom_series`).
    allow_lossy : bool
        Whether lossy compression is a warning instead of an error.
    gantry_tilt : {'refuse', 'correct'}
        Whether a sheared series is resampled onto a grid of right angles (`dicom_tilt`).
    tilt_interpolation : {'linear', 'bspline'}
        How it is resampled, along the columns.
    padding : {'keep', 'replace'}
        Whether pixels that the header calls padding keep their value or get `padding_hu`.
    padding_hu : float
        HU of replaced padding, and of what a corrected tilt leaves empty.
    """

    series_rule: Literal["thinnest", "most-slices", "refuse"] = option(
        "thinnest",
        "which of several CT series in a DICOM folder is taken",
        "thinnest | most-slices | refuse: of several CT series in a DICOM folder, when column "
        "`series` is blank",
    )
    allow_lossy: bool = option(
        False,
        "whether lossy compression is a warning instead of an error",
        "accept lossy compression with a warning; it changes texture",
    )
    gantry_tilt: Literal["refuse", "correct"] = option(
        "refuse",
        "whether a tilted series is refused or resampled",
        "refuse | correct: shear each slice back; masks must be drawn on the corrected volume",
    )
    tilt_interpolation: Literal["linear", "bspline"] = option(
        "linear",
        "how a tilted series is resampled",
        "linear | bspline, along the columns; linear does not overshoot at metal",
    )
    padding: Literal["keep", "replace"] = option(
        "keep",
        "whether padding outside the field of view keeps its value",
        "keep | replace: as published the value outside the field of view stays, so that features "
        "equal those of the files",
    )
    padding_hu: int = option(
        -1024,
        "HU of replaced padding",
        "HU of replaced padding and of what a corrected tilt leaves empty; the lowest value of a "
        "plain CT",
        unit="HU",
        ge=-32768,
        le=0,
    )


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

    min_slices: int = option(
        3, "fewest slices of a volume", "slices; fewer make no volume", unit="slices", ge=1
    )
    max_slice_spacing_mm: float = option(
        6.0,
        "largest distance between slice centres, in mm",
        "mm between slice centres; thicker ones blur endplates beyond use",
        unit="mm",
        gt=0,
    )
    max_slice_thickness_mm: float = option(
        6.0,
        "largest slice thickness, in mm",
        "mm of tissue that a slice blurs, where the header states it",
        unit="mm",
        gt=0,
    )
    hu_range: list[float] = option(
        [-10240, 32767],
        "lowest and highest value that can be a Hounsfield unit",
        "HU; the extended scale of scanners, beyond it no value is a Hounsfield unit",
        unit="HU",
        min_length=2,
        max_length=2,
        remedy="two numbers, such as `hu_range: [-10240, 32767]`",
    )

    @classmethod
    def of(cls, checks: Mapping) -> CtChecks:
        """Return the limits of a CT among all `checks`; the project's where one is not given."""
        return cls(**{one.name: checks[one.name] for one in fields(cls) if one.name in checks})


def add_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add what commands that open a CT take: how it is read, and what is accepted of it."""
    options, limits = CtOptions(), CtChecks()
    arguments.add_argument("--series", help="SeriesInstanceUID or SeriesDescription")
    arguments.add_argument(
        "--series-rule",
        choices=["thinnest", "most-slices", "refuse"],
        default=options.series_rule,
        help="which of several series is taken (default: %(default)s)",
    )
    arguments.add_argument(
        "--allow-lossy", action="store_true", help="accept lossy compression and 8 bits"
    )
    arguments.add_argument(
        "--gantry-tilt",
        choices=["refuse", "correct"],
        default=options.gantry_tilt,
        help="slices that are stacked obliquely (default: %(default)s)",
    )
    arguments.add_argument(
        "--tilt-interpolation",
        choices=["linear", "bspline"],
        default=options.tilt_interpolation,
        help="how a corrected tilt is interpolated (default: %(default)s)",
    )
    arguments.add_argument(
        "--min-slices",
        type=int,
        default=limits.min_slices,
        help="a CT of fewer slices is refused (default: %(default)s)",
    )
    for what in ("spacing", "thickness"):
        arguments.add_argument(
            f"--max-slice-{what}-mm",
            type=float,
            default=getattr(limits, f"max_slice_{what}_mm"),
            metavar="MM",
            help=f"a larger slice {what} is refused (default: %(default)s)",
        )
    arguments.add_argument(
        "--hu-range",
        type=float,
        nargs=2,
        default=limits.hu_range,
        metavar=("LOW", "HIGH"),
        help="values outside are refused, in HU (default: -10240 32767)",
    )


def options_of(arguments: argparse.Namespace) -> CtOptions:
    """Return the options that `add_arguments` added."""
    return CtOptions(
        series_rule=arguments.series_rule,
        allow_lossy=arguments.allow_lossy,
        gantry_tilt=arguments.gantry_tilt,
        tilt_interpolation=arguments.tilt_interpolation,
    )


def limits_of(arguments: argparse.Namespace) -> CtChecks:
    """Return the limits that `add_arguments` added."""
    return CtChecks(
        min_slices=arguments.min_slices,
        max_slice_spacing_mm=arguments.max_slice_spacing_mm,
        max_slice_thickness_mm=arguments.max_slice_thickness_mm,
        hu_range=list(arguments.hu_range),
    )
