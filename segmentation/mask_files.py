"""Masks as radiologists hand them in: label maps and 3D Slicer segmentations, one structure picked.

A label map (NRRD, NIfTI) holds numbers; a Slicer segmentation (.seg.nrrd) holds named segments,
each with a number, on one or several layers so that segments may overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nrrd
import numpy as np
import SimpleITK as sitk
import slicerio

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.core.geometry import Geometry, place_on_grid
from pipeline.core.volumes import read_volume, volume_suffix

ACCEPTED = (".nrrd", ".seg.nrrd", ".nii", ".nii.gz")

#: An error lists at most this many labels of a file.
LISTED_LABELS = 40


@dataclass(frozen=True)
class Segment:
    """One structure of a mask file.

    Attributes
    ----------
    name : str or None
        Name in a Slicer segmentation; label maps have none.
    value : int
        Label number.
    layer : int
        Layer that holds it.
    """

    name: str | None
    value: int
    layer: int = 0

    def __str__(self) -> str:
        return str(self.value) if self.name is None else f"'{self.name}' (label {self.value})"


@dataclass(frozen=True)
class MaskFile:
    """What a mask file holds.

    Attributes
    ----------
    layers : numpy.ndarray
        Label numbers, shape (layer, z, y, x).
    geometry : Geometry
        Grid of the layers.
    segments : list of Segment
        Structures to choose from.
    findings : list of Finding
        Warnings about the header.
    """

    layers: np.ndarray
    geometry: Geometry
    segments: list[Segment]
    findings: list[Finding]


def read_mask_file(path: str | Path) -> MaskFile:
    """Read a label map or a Slicer segmentation.

    Parameters
    ----------
    path : path-like
        File whose name ends with one of `ACCEPTED`.

    Raises
    ------
    CaseError
        If the format is not accepted, the file is damaged, or it holds no label numbers.
    """
    path = Path(path)
    if path.is_dir() or volume_suffix(path) is None:
        raise CaseError(
            f"A mask must be a file ending in {', '.join(ACCEPTED)}",
            found="a folder" if path.is_dir() else f"name ending '{path.suffix}'",
            remedy="export it as NRRD or NIfTI; DICOM SEG and RTSTRUCT open in 3D Slicer, which "
            "saves them as .seg.nrrd",
        )
    if _is_slicer_segmentation(path):
        return _read_slicer_segmentation(path)
    image, findings = read_volume(path)
    labels = sitk.GetArrayFromImage(image)
    if labels.dtype.kind == "f":
        # Some programs save label maps as floating point; only whole numbers are labels.
        whole = np.isfinite(labels).all() and (labels == np.rint(labels)).all()
        if not whole:
            raise CaseError(
                "A mask must hold label numbers",
                found=f"fractions from {np.nanmin(labels):g} to {np.nanmax(labels):g}",
                remedy="export a label map, not an image or a probability map",
            )
        labels = labels.astype(np.int64)
    values = np.unique(labels)
    segments = [Segment(None, int(value)) for value in values[values != 0]]
    return MaskFile(labels[np.newaxis], Geometry.of(image), segments, findings)


def _is_slicer_segmentation(path: Path) -> bool:
    """Return whether a NRRD file describes Slicer segments, whatever its name."""
    if volume_suffix(path) != ".nrrd":
        return False
    try:
        header = nrrd.read_header(str(path))
    except (nrrd.NRRDError, OSError, ValueError, StopIteration):
        if path.name.lower().endswith(".seg.nrrd"):
            raise _damaged() from None
        return False  # reading it as a label map says what is wrong
    return "Segment0_ID" in header or "Segment0_Name" in header


def _damaged() -> CaseError:
    return CaseError(
        "A .seg.nrrd file must be a whole segmentation saved by 3D Slicer",
        found="a file that is cut short or has no valid header",
        remedy="open it in 3D Slicer and save it again",
    )


def _read_slicer_segmentation(path: Path) -> MaskFile:
    """Read a .seg.nrrd through slicerio; layers come first, index order is turned to (z, y, x)."""
    try:
        read = slicerio.read_segmentation(str(path))
    except Exception:
        # pynrrd, zlib and slicerio each raise their own kinds, some with the file's path.
        raise _damaged() from None
    representation = read.get("masterRepresentation", "Binary labelmap")
    if representation != "Binary labelmap":
        raise CaseError(
            "A segmentation must hold binary labels",
            found=f"master representation '{representation}'",
            remedy="in 3D Slicer make the binary labelmap the source representation, and save",
        )
    voxels = read["voxels"]
    layers = voxels if voxels.ndim == 4 else voxels[np.newaxis]
    segments = [
        Segment(one.get("name"), one.get("labelValue", 1), one.get("layer", 0))
        for one in read["segments"]
    ]
    beyond = [str(one) for one in segments if not 0 <= one.layer < len(layers)]
    if beyond:
        raise CaseError(
            "Every segment must lie on a layer of the file",
            found=f"{', '.join(beyond)} on a layer beyond the file's {len(layers)}",
            remedy="open it in 3D Slicer and save it again",
        )
    geometry = Geometry.from_affine(read["ijkToLPS"], layers.shape[1:])
    return MaskFile(layers.transpose(0, 3, 2, 1), geometry, segments, [])


def pick_segment(mask_file: MaskFile, label: str | None) -> Segment:
    """Return the structure that a table's `label` means.

    Parameters
    ----------
    mask_file : MaskFile
        The file's content.
    label : str or None
        A segment's name, exactly as in 3D Slicer, or a label number. None takes the one
        structure of a file that holds one.

    Raises
    ------
    CaseError
        If nothing fits, or more than one structure does; the file's content is listed.
    """
    segments = mask_file.segments
    if label is None:
        if len(segments) == 1:
            return segments[0]
        found = [
            one for one in segments if (mask_file.layers[one.layer] == one.value).any()
        ] or segments
        if len(found) == 1:
            return found[0]
    else:
        wanted = label.strip()
        found = [one for one in segments if wanted in (one.name, str(one.value))]
        if len(found) == 1:
            return found[0]
    held = ", ".join(map(str, segments[:LISTED_LABELS])) + " ..." * (len(segments) > LISTED_LABELS)
    names = any(one.name is not None for one in segments)
    raise CaseError(
        "The label of a mask must name exactly one structure in its file"
        if label is not None
        else "Without a label, a mask file must hold exactly one structure",
        found=(f"label '{label.strip()}'; " if label is not None else "")
        + (f"the file holds {held}" if segments else "the file is empty"),
        remedy="write the segment's name or number into column `label`"
        if names
        else "write the label's number into column `label`",
    )


def mask_on_grid(mask_file: MaskFile, segment: Segment, target: Geometry) -> np.ndarray:
    """Return a structure as a binary mask on the CT's grid.

    Parameters
    ----------
    mask_file : MaskFile
        The file's content.
    segment : Segment
        Structure to take.
    target : Geometry
        Grid of the CT.

    Returns
    -------
    numpy.ndarray
        uint8 0/1, shape (z, y, x) of the CT.

    Raises
    ------
    CaseError
        If the grids do not match exactly (`pipeline.core.geometry.place_on_grid`).
    """
    binary = (mask_file.layers[segment.layer] == segment.value).astype(np.uint8)
    return place_on_grid(binary, mask_file.geometry, target)
