"""Masks as radiologists hand them in: the format of a file is recognised, and its reader called.

Label maps (NRRD, NIfTI) hold numbers; 3D Slicer's segmentations (.seg.nrrd), DICOM segmentations
and RT structure sets hold named structures.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import CaseError
from pipeline.imaging.volumes import volume_suffix
from segmentation.formats.dicom_files import is_dicom, kind_of, mask_of_folder
from segmentation.formats.dicom_seg import read_dicom_seg
from segmentation.formats.label_maps import read_label_map
from segmentation.formats.rtstruct import read_rtstruct
from segmentation.formats.slicer_segmentations import (
    is_slicer_segmentation,
    read_slicer_segmentation,
)
from segmentation.structures.segments import MaskFile

ACCEPTED = (".nrrd", ".seg.nrrd", ".nii", ".nii.gz")


def format_of(path: str | Path) -> str:
    """Return ``NRRD``, ``NIfTI``, ``Slicer``, ``SEG`` or ``RTSTRUCT``.

    The name tells volumes; DICOM is recognised by its content, whatever the name.

    Raises
    ------
    CaseError
        If it is none of them.
    """
    path = Path(path)
    suffix = volume_suffix(path)
    if suffix == ".nrrd":
        return "Slicer" if is_slicer_segmentation(path) else "NRRD"
    if suffix is not None:
        return "NIfTI"
    found = f"name ending '{path.suffix}'"
    if path.is_file() and is_dicom(path):
        kind = kind_of(path)
        if kind in ("SEG", "RTSTRUCT"):
            return kind
        found = "a DICOM file that is neither a segmentation by frames nor a structure set"
    raise CaseError(
        f"A mask must be a file ending in {', '.join(ACCEPTED)}, a DICOM segmentation or an RT "
        "structure set",
        found=found,
        remedy="export the segmentation from the program that made it in one of these formats",
        code="mask-of-unknown-kind",
    )


def read_mask_file(path: str | Path, *, fractional_threshold: float = 0.5) -> MaskFile:
    """Read a mask of any accepted format.

    Parameters
    ----------
    path : path-like
        File, or a folder that holds one DICOM segmentation or RT structure set.
    fractional_threshold : float, optional
        Share of the largest fraction from which on a voxel belongs to a fractional segment.

    Raises
    ------
    CaseError
        If the format is not accepted, the file is damaged, or it holds no structures.
    """
    path = Path(path)
    if path.is_dir():
        path = mask_of_folder(path)
    kind = format_of(path)
    if kind == "SEG":
        return read_dicom_seg(path, fractional_threshold)
    if kind == "RTSTRUCT":
        return read_rtstruct(path)
    if kind == "Slicer":
        return read_slicer_segmentation(path)
    return read_label_map(path)
