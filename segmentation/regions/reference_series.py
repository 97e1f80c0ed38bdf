"""The series on which a mask was drawn, looked for beside the CT that the table names.

Only where a mask does not fit, or says by UID to which series it belongs, are the headers of the
CT's folder read again. UIDs identify a person: they are compared in memory, never shown.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.files import machine_error
from pipeline.core.findings import Finding
from pipeline.imaging.dicom.dicom_headers import Slice, read_headers
from pipeline.imaging.dicom.dicom_series import ct_series
from pipeline.imaging.geometry import GRID_TOLERANCE_VOXELS, Geometry, GridMismatchError
from pipeline.imaging.sources import source_files
from pipeline.imaging.volumes import plainly_named
from segmentation.structures.segments import MaskFile, Segment

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A series or scan on which a mask may have been drawn.

    Attributes
    ----------
    shown : str
        Its name in a sentence, without anything that identifies a person.
    geometry : Geometry
        Its grid.
    uid : str
        SeriesInstanceUID; never shown. Empty for a volume's file.
    frame : str
        FrameOfReferenceUID; never shown. Empty where none is stated.
    """

    shown: str
    geometry: Geometry
    uid: str = ""
    frame: str = ""


def series_grids(image: str | Path) -> list[Candidate]:
    """Return the CT series of a DICOM folder with their grids, or that of a volume's file.

    Parameters
    ----------
    image : path-like
        A CT as it was handed in.

    Returns
    -------
    list of Candidate
        One per series whose slices lie in a regular stack; none where the files cannot be read,
        since this only helps to explain an error.
    """
    try:
        if not Path(image).is_dir():
            return [Candidate("the volume", _header_grid(image))]
        found = ct_series(read_headers(source_files(image)))
    except (CaseError, OSError, RuntimeError) as error:
        if machine := machine_error(error):
            raise machine from error
        return []
    stacks = [(one, _stack(one.slices)) for one in found]
    return [
        Candidate(str(one), geometry, one.slices[0].series, one.slices[0].frame_of_reference)
        for one, geometry in stacks
        if geometry is not None
    ]


def other_scans(cases: pd.DataFrame, patient_id: str, scan_id: str) -> Iterator[Candidate]:
    """Yield the grids of a patient's other scans, whose headers are read as they are asked for.

    Parameters
    ----------
    cases : pandas.DataFrame
        The whole study's table of cases: ``patient_id, scan_id, image``.
    patient_id, scan_id : str
        The scan whose mask does not fit.
    """
    of_patient = cases[(cases["patient_id"] == patient_id) & (cases["scan_id"] != scan_id)]
    for scan, image in of_patient.groupby("scan_id")["image"].first().items():
        for one in series_grids(image):
            yield Candidate(f"scan {scan} of the patient", one.geometry, one.uid)


def _header_grid(path: str | Path) -> Geometry:
    """Return the grid in the header of a NRRD or NIfTI file."""
    reader = sitk.ImageFileReader()
    with plainly_named(Path(path)) as known:
        reader.SetFileName(str(known))
        reader.ReadImageInformation()
    if reader.GetDimension() != 3:
        raise RuntimeError("no volume")
    return Geometry(
        reader.GetSize(), reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection()
    )


def _stack(slices: tuple[Slice, ...]) -> Geometry | None:
    """Return the grid of slices, None where it is irregular."""
    first = slices[0]
    complete = all(one.position and one.orientation and one.pixel_spacing for one in slices)
    if len(slices) < 2 or not complete:
        return None
    if any((one.shape, one.orientation) != (first.shape, first.orientation) for one in slices):
        return None
    along_row, along_column = np.reshape(first.orientation, (2, 3))
    normal = np.cross(along_row, along_column)
    places = np.array([one.position for one in slices])
    places = places[np.argsort(places @ normal)]
    affine = np.eye(4)
    affine[:3, 0] = along_row * first.pixel_spacing[1]
    affine[:3, 1] = along_column * first.pixel_spacing[0]
    affine[:3, 2] = (places[-1] - places[0]) / (len(places) - 1)
    affine[:3, 3] = places[0]
    step = np.linalg.norm(affine[:3, 2])
    even = places[0] + np.outer(np.arange(len(places)), affine[:3, 2])
    if not step or np.abs(places - even).max() > GRID_TOLERANCE_VOXELS * step:
        return None
    return Geometry.from_affine(affine, (*first.shape[::-1], len(slices)))


def naming_candidates(
    error: GridMismatchError,
    mask_file: MaskFile,
    segment: Segment,
    ct: Geometry,
    candidates: Iterable[Candidate],
) -> GridMismatchError:
    """Return the refusal of a mask with the series and scans on whose grid it does lie.

    Parameters
    ----------
    error : GridMismatchError
        Why the mask does not fit the CT.
    mask_file : MaskFile
        The file's content.
    segment : Segment
        The structure that was wanted.
    ct : Geometry
        Grid of the CT that the table names.
    candidates : iterable of Candidate
        Other series of the CT's folder, other scans of the patient.
    """
    fitting = [
        one.shown
        for one in candidates
        if one.geometry != ct and mask_file.fits(segment, one.geometry)
    ]
    if not fitting:
        return error
    return GridMismatchError(
        error.rule,
        found=f"{error.found}. The mask does lie on the grid of {', '.join(fitting)}",
        where=error.where,
        remedy="name that CT in columns `image` and `series` if the mask was drawn on it; else "
        + (error.remedy or ""),
        code=error.code,
    )


def check_reference(
    mask_file: MaskFile, segment: Segment, candidates: Iterable[Candidate], ct: Geometry
) -> Iterator[Finding]:
    """Yield a warning where a mask that fits says that it was drawn on another series.

    Parameters
    ----------
    mask_file : MaskFile
        The file's content; only DICOM names series and frames of reference.
    segment : Segment
        The structure that was chosen.
    candidates : iterable of Candidate
        CT series of the folder.
    ct : Geometry
        Grid of the CT that was read.
    """
    # Another reconstruction of the same grid is no mistake: the outline is as good on both.
    # A volume's file has no series to compare with, and what is not stated contradicts nothing.
    same = [one for one in candidates if _same(one.geometry, ct)]
    series = {one.uid for one in same if one.uid}
    frames = {one.frame for one in same if one.frame}
    if mask_file.references and series and not series & mask_file.references:
        yield Finding(
            "mask-of-another-series",
            "warning",
            "The mask says that it was drawn on another series than the CT; its grid is the CT's",
            _REPLACED_UIDS,
        )
        return
    stated = mask_file.frames(segment)
    if stated and frames and not stated & frames:
        yield Finding(
            "mask-of-another-frame",
            "warning",
            "The mask says that it lies in another frame of reference than the CT, such as that of "
            "another examination; it fits the CT's slices",
            _REPLACED_UIDS,
        )


_REPLACED_UIDS = (
    "look at the outline on the CT; UIDs that were replaced in only one of the two explain it too"
)


def _same(a: Geometry, b: Geometry) -> bool:
    return a.size == b.size and np.allclose(a.affine, b.affine, atol=1e-2)
