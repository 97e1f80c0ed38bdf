"""A CT of any accepted format as one volume: what ingest stores, and what other commands open.

``python -m pipeline.read_ct FOLDER --out ct.nrrd`` writes the volume that ingest would store: for
masks that have to be drawn on a volume whose gantry tilt is corrected.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import CaseError
from pipeline.core.files import whole_file
from pipeline.core.findings import Finding
from pipeline.core.geometry import Geometry
from pipeline.core.sources import source_files
from pipeline.core.volumes import (
    NRRD_SUFFIXES,
    VOLUME_SUFFIXES,
    read_volume,
    volume_suffix,
    write_nrrd,
)
from pipeline.ct_options import CtOptions
from pipeline.dicom_headers import read_headers
from pipeline.dicom_series import choose_series
from pipeline.dicom_volume import read_series


@dataclass(frozen=True)
class Ct:
    """One CT.

    Attributes
    ----------
    image : SimpleITK.Image
        Hounsfield units on the file's own grid, without metadata.
    facts : dict
        What is known of ``manufacturer, scanner, kvp, kernel, slice_thickness_mm,
        transfer_syntax, series_rule, padding_hu, padding_share``.
    findings : list of Finding
        Warnings.
    lowest : float or None
        Lowest value outside the padding, in HU; None where nothing is called padding.
    """

    image: sitk.Image
    facts: dict
    findings: list[Finding]
    lowest: float | None = None


def format_of(path: str | Path) -> str:
    """Return ``DICOM``, ``NRRD`` or ``NIfTI``, or raise where a CT cannot be read from `path`."""
    path = Path(path)
    if path.is_dir():
        return "DICOM"
    if not path.exists():
        raise CaseError(
            "A CT must exist",
            found="no such file or folder",
            remedy="check the path and the mount",
        )
    suffix = volume_suffix(path)
    if suffix is None or path.name.lower().endswith(".seg.nrrd"):
        raise CaseError(
            f"A CT must be a DICOM folder or a file ending in {', '.join(VOLUME_SUFFIXES)}",
            found="a segmentation (.seg.nrrd)" if suffix else f"name ending '{path.suffix}'",
            remedy="for DICOM name the folder that holds the slices, not one file",
        )
    return "NRRD" if suffix in NRRD_SUFFIXES else "NIfTI"


def read_ct(
    path: str | Path,
    series: str | None = None,
    options: CtOptions | None = None,
    files: list[Path] | None = None,
) -> Ct:
    """Read a CT.

    Parameters
    ----------
    path : path-like
        DICOM folder, or a NIfTI or NRRD file.
    series : str, optional
        SeriesInstanceUID or SeriesDescription of the series that is meant, for a DICOM folder.
    options : CtOptions, optional
        How a series is chosen, and what to do about loss, tilt and padding.
    files : list of pathlib.Path, optional
        `path` itself or the files below it, where they are known already
        (`pipeline.core.sources.source_files`).

    Raises
    ------
    CaseError
        If it is no CT of an accepted format, or not one whole, regular volume.
    """
    options = options or CtOptions()
    if format_of(path) != "DICOM":
        image, findings = read_volume(path)
        return Ct(image, {}, findings)
    choice = choose_series(read_headers(files or source_files(path)), series, options.series_rule)
    volume = read_series(choice.slices, options)
    image = sitk.GetImageFromArray(volume.voxels)
    Geometry.from_affine(volume.affine, image.GetSize()).apply_to(image)
    facts = volume.facts | {"series_rule": choice.rule}
    return Ct(image, facts, choice.findings + volume.findings, volume.lowest)


def main(options: argparse.Namespace) -> None:
    """Write a CT as ingest would store it, and print what there is to say about it."""
    chosen = CtOptions(
        series_rule=options.series_rule,
        gantry_tilt=options.gantry_tilt,
        tilt_interpolation=options.tilt_interpolation,
    )
    if not options.out.name.lower().endswith(NRRD_SUFFIXES):
        raise CaseError("The file to write must end in .nrrd", found=options.out.name)
    ct = read_ct(options.image, options.series, chosen)
    with whole_file(options.out) as beside:
        write_nrrd(ct.image, beside)
    print(Geometry.of(ct.image))
    for finding in ct.findings:
        print(f"{finding.severity}: {finding.message}. Remedy: {finding.remedy}")


if __name__ == "__main__":
    defaults = CtOptions()
    arguments = command.parser("pipeline.read_ct", __doc__)
    arguments.add_argument("image", type=Path, help="DICOM folder, NIfTI or NRRD file")
    arguments.add_argument("--out", required=True, type=Path, help="file to write (.nrrd)")
    arguments.add_argument("--series", help="SeriesInstanceUID or SeriesDescription")
    arguments.add_argument(
        "--series-rule",
        choices=["thinnest", "most-slices", "refuse"],
        default=defaults.series_rule,
        help="which of several series is taken (default: %(default)s)",
    )
    arguments.add_argument(
        "--gantry-tilt",
        choices=["refuse", "correct"],
        default=defaults.gantry_tilt,
        help="(default: %(default)s)",
    )
    arguments.add_argument(
        "--tilt-interpolation",
        choices=["linear", "bspline"],
        default=defaults.tilt_interpolation,
        help="(default: %(default)s)",
    )
    command.run(main, arguments)
