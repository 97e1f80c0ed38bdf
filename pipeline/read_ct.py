"""A CT of any accepted format as one volume: what ingest stores, and what other commands open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.core.geometry import Geometry
from pipeline.core.sources import source_files
from pipeline.core.volumes import NRRD_SUFFIXES, VOLUME_SUFFIXES, read_volume, volume_suffix
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
