"""From a row of the table of cases to a binary mask on its CT's grid."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.imaging.geometry import Geometry, GridMismatchError
from segmentation.formats.mask_files import read_mask_file
from segmentation.regions.reference_series import (
    Candidate,
    check_reference,
    naming_candidates,
    series_grids,
)
from segmentation.structures.label_conventions import choose_segment, convention_of
from segmentation.structures.segments import PlacedMask, Segment


@dataclass(frozen=True)
class Reading:
    """The study's options `masks`: how a file is read.

    Attributes
    ----------
    convention : str or dict
        ``none``, one of `label_conventions.BUILT_IN`, or an own map of level to label.
    fractional_threshold : float
        Share of the largest fraction from which on a voxel belongs to a fractional segment.
    """

    convention: str | dict = "none"
    fractional_threshold: float = 0.5


REORIENTED = Finding(
    "mask-reoriented",
    "info",
    "The mask's axes run in other directions than the CT's; it was mapped exactly",
    "nothing to do; plain PyRadiomics on the two files as handed in gives other values "
    "(radiomics_params/README.md)",
)

#: What config/default.yaml says.
DEFAULTS = Reading()


@dataclass(frozen=True)
class Case:
    """What the table of cases says about one mask.

    Attributes
    ----------
    mask : path-like
        File, or folder with one DICOM file.
    label : str or None
        Number or name of the structure.
    level : str
        Vertebral level.
    image : path-like
        The CT as it was handed in.
    """

    mask: str | Path
    label: str | None = None
    level: str = ""
    image: str | Path = ""


def place_mask(
    case: Case,
    ct: Geometry,
    reading: Reading,
    others: Iterable[Candidate] = (),
) -> tuple[PlacedMask, Segment, list[Finding]]:
    """Read a mask file, choose its structure, and bring it onto the CT's grid.

    Parameters
    ----------
    case : Case
        Row of the table of cases.
    ct : Geometry
        Grid of the CT.
    reading : Reading
        The study's options.
    others : iterable of Candidate, optional
        Other scans of the patient, named where the mask lies on the grid of one of them; looked
        at only where the mask does not fit.

    Returns
    -------
    placed : PlacedMask
        The mask on the CT's grid.
    segment : Segment
        The structure that was chosen.
    findings : list of Finding
        All that reading it had to say.

    Raises
    ------
    CaseError
        If the mask cannot be read, chosen or placed.
    """
    held = read_mask_file(case.mask, fractional_threshold=reading.fractional_threshold)
    segment, chosen = choose_segment(
        held, case.label, case.level, convention_of(reading.convention)
    )
    try:
        placed = held.on_grid(segment, ct)
    except GridMismatchError as error:
        candidates = [*series_grids(case.image), *others]
        raise naming_candidates(error, held, segment, ct, candidates) from None
    if not placed.voxels.any():
        raise CaseError(
            "A mask must not be empty",
            found=f"no voxel of {segment}",
            remedy="draw the vertebra, or correct the label",
            code="mask-empty",
        )
    findings = held.findings + chosen + placed.findings
    if placed.reoriented:
        findings.append(REORIENTED)
    if held.references or held.frames(segment):
        findings += check_reference(held, segment, _grids(str(case.image)), ct)
    return placed, segment, findings


#: The headers of a CT are read once for all of its DICOM masks.
_grids = functools.lru_cache(maxsize=1)(series_grids)
