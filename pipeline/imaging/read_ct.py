"""A CT of any accepted format as one volume: what ingest stores, and what other commands open.

``vertebromics read-ct FOLDER --out ct.nrrd`` writes the volume that ingest would
store: for masks that have to be drawn on a volume whose gantry tilt is corrected.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import CaseError
from pipeline.core.files import whole_file
from pipeline.core.findings import Finding
from pipeline.imaging.ct_checks import (
    FEWEST_BITS,
    check_ct,
    check_grey_levels,
    grey_step,
    loss_of,
    orientation_of,
)
from pipeline.imaging.ct_options import CtChecks, CtOptions, add_arguments, limits_of, options_of
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.sources import placed, shown_name, source_files
from pipeline.imaging.stored_volumes import write_nrrd
from pipeline.imaging.volume_headers import StoredAs
from pipeline.imaging.volumes import (
    NRRD_SUFFIXES,
    VOLUME_SUFFIXES,
    check_finite,
    read_stored,
    volume_suffix,
)


@dataclass(frozen=True)
class Ct:
    """One CT.

    Attributes
    ----------
    image : SimpleITK.Image
        Hounsfield units on the file's own grid, without metadata.
    facts : dict
        ``size_x, spacing_x`` and the other axes, ``orientation, hu_min, hu_max``, and what is known
        of ``manufacturer, scanner, kvp, kernel, slice_thickness_mm, tube_current_ma, contrast,
        contrast_phase, transfer_syntax, series_rule, padding_hu, padding_share``.
    findings : list of Finding
        Warnings.
    lowest : float
        Lowest value outside the padding, in HU.
    """

    image: sitk.Image
    facts: dict
    findings: list[Finding]
    lowest: float


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
            code="ct-missing",
        )
    suffix = volume_suffix(path)
    if suffix is None or path.name.lower().endswith(".seg.nrrd"):
        raise CaseError(
            f"A CT must be a DICOM folder or a file ending in {', '.join(VOLUME_SUFFIXES)}",
            found="a segmentation (.seg.nrrd)" if suffix else f"name ending '{path.suffix}'",
            remedy="name the CT on which it was drawn"
            if suffix
            else "for DICOM name the folder that holds the slices, not one file; export a volume "
            "of another format as NRRD or NIfTI",
            code="ct-of-unknown-kind",
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
        (`pipeline.imaging.sources.source_files`).

    Raises
    ------
    CaseError
        If it is no CT of an accepted format, or not one whole, regular volume.
    """
    options = options or CtOptions()
    lowest = None
    if format_of(path) != "DICOM":
        image, findings, stored = read_stored(path)
        findings += check_bits(stored, options.allow_lossy)
        facts = {}
    else:
        # Importing pydicom takes as long as the features of a region, and no other format needs it.
        from pipeline.imaging.dicom.dicom_headers import read_headers
        from pipeline.imaging.dicom.dicom_series import choose_series
        from pipeline.imaging.dicom.dicom_volume import read_series

        choice = choose_series(
            read_headers(files or source_files(path)), series, options.series_rule
        )
        volume = read_series(choice.slices, options)
        image = sitk.GetImageFromArray(volume.voxels)
        Geometry.from_affine(volume.affine, image.GetSize()).apply_to(image)
        findings, lowest = choice.findings + volume.findings, volume.lowest
        facts = volume.facts | {"series_rule": choice.rule}
    low, high = check_finite(image)
    findings += check_grey_levels(grey_step(image))
    facts = facts | facts_of(image, low, high)
    return Ct(image, facts, findings, low if lowest is None else lowest)


def facts_of(image: sitk.Image, low: float, high: float) -> dict:
    """Return what a volume itself says: size, spacing in mm, orientation, range in HU."""
    sizes = zip(("size_x", "size_y", "size_z"), image.GetSize(), strict=True)
    spacings = zip(("spacing_x", "spacing_y", "spacing_z"), image.GetSpacing(), strict=True)
    return dict(
        [*sizes, *spacings],
        orientation=orientation_of(image),
        hu_min=low,
        hu_max=high,
    )


def check_bits(stored: StoredAs, allow_lossy: bool) -> list[Finding]:
    """Refuse, or with `allow_lossy` warn of, a CT whose file has fewer bits than a CT needs.

    A DICOM series is judged alike (`pipeline.imaging.dicom.dicom_decode.check_pixels`).
    """
    if not 0 < stored.bits < FEWEST_BITS:
        return []
    scaled = "" if stored.slope in (None, 1) else f" with a slope of {stored.slope:g}"
    return loss_of(
        f"grey values of {stored.bits} bits{scaled}, {2**stored.bits} levels at most",
        allow_lossy,
    )


def accepted_ct(
    path: str | Path,
    series: str | None = None,
    options: CtOptions | None = None,
    limits: CtChecks | None = None,
) -> Ct:
    """Read a CT as a study does, and refuse what a study would not compute features of.

    Parameters
    ----------
    path, series, options
        As in `read_ct`, whose errors this function shares.
    limits : CtChecks, optional
        What is accepted; by default what a study accepts by default.

    Raises
    ------
    CaseError
        Also if the CT has too few slices or too large a spacing, or its values are no HU.
    """
    try:
        return refuse_errors(read_ct(path, series, options), limits or CtChecks())
    except (CaseError, OSError) as error:
        raise placed(error, shown_name(path)) from None


def refuse_errors(ct: Ct, limits: CtChecks) -> Ct:
    """Return a CT with all its warnings, or raise where a study would not take it."""
    findings = check_ct(ct.facts, ct.lowest, limits, ct.findings)
    wrong = [one for one in findings if one.severity == "error"]
    if wrong:
        raise CaseError(
            "; ".join(one.message for one in wrong),
            remedy="; ".join(dict.fromkeys(one.remedy for one in wrong)),
            code="ct-refused",
        )
    return replace(ct, findings=findings)


def main(options: argparse.Namespace) -> None:
    """Write a CT as ingest would store it, and print what there is to say about it."""
    if not options.out.name.lower().endswith(NRRD_SUFFIXES):
        raise CaseError(
            "The file to write must end in .nrrd",
            found=options.out.name,
            remedy="let the name of --out end in .nrrd",
            code="output-not-nrrd",
        )
    ct = accepted_ct(options.image, options.series, options_of(options), limits_of(options))
    with whole_file(options.out) as beside:
        write_nrrd(ct.image, beside)
    print(Geometry.of(ct.image))
    for finding in ct.findings:
        print(f"{finding.severity}: {finding.message}. Remedy: {finding.remedy}")


if __name__ == "__main__":
    arguments = command.parser("pipeline.imaging.read_ct", __doc__)
    arguments.add_argument("image", type=Path, help="DICOM folder, NIfTI or NRRD file")
    arguments.add_argument("--out", required=True, type=Path, help="file to write (.nrrd)")
    add_arguments(arguments)
    command.run(main, arguments)
