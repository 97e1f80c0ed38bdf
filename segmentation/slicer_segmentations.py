"""3D Slicer segmentations (.seg.nrrd): named segments on one or several layers."""

from __future__ import annotations

import re
from pathlib import Path

import nrrd
import slicerio

from pipeline.core.errors import CaseError
from pipeline.core.geometry import Geometry
from pipeline.dicom_headers import quiet
from segmentation.label_maps import LabelLayers
from segmentation.segments import Segment

_NAME = re.compile(rb"^Segment(\d+)_Name:=(.*)$")

_ESCAPED = re.compile(r"\\[n\\]")
_ESCAPES = {"\\n": "\n", "\\\\": "\\"}

#: Header keys of the representation from which Slicer makes the others; its name changed in 2023.
_REPRESENTATION = ("Segmentation_SourceRepresentation", "masterRepresentation")


def is_slicer_segmentation(path: str | Path) -> bool:
    """Return whether a NRRD file describes Slicer segments, whatever its name."""
    try:
        with quiet():
            header = nrrd.read_header(str(path))
    except (nrrd.NRRDError, OSError, ValueError, StopIteration):
        if Path(path).name.lower().endswith(".seg.nrrd"):
            raise _damaged() from None
        return False  # reading it as a label map says what is wrong
    return "Segment0_ID" in header or "Segment0_Name" in header


def read_slicer_segmentation(path: str | Path) -> LabelLayers:
    """Read a .seg.nrrd through slicerio; layers come first, index order is turned to (z, y, x).

    Raises
    ------
    CaseError
        If the file is damaged, does not hold binary labels, or contradicts itself.
    """
    try:
        with quiet():
            read = slicerio.read_segmentation(str(path))
        names = _names(Path(path))
    except CaseError:
        raise
    except Exception:
        # pynrrd, zlib and slicerio each raise their own kinds, some with the file's path.
        raise _damaged() from None
    representation = next((read[key] for key in _REPRESENTATION if key in read), "Binary labelmap")
    if representation != "Binary labelmap":
        raise CaseError(
            "A segmentation must hold binary labels",
            found=f"master representation '{representation}'",
            remedy="in 3D Slicer make the binary labelmap the source representation, and save",
        )
    voxels = read["voxels"]
    layers = voxels if voxels.ndim == 4 else voxels[None]
    described = read.get("segments", [])
    if len(names) != len(described):
        raise _damaged()
    segments = [
        Segment(name, one.get("labelValue", 1), one.get("layer", 0))
        for name, one in zip(names, described, strict=True)
    ]
    beyond = [str(one) for one in segments if not 0 <= one.layer < len(layers)]
    if beyond:
        raise CaseError(
            "Every segment must lie on a layer of the file",
            found=f"{', '.join(beyond)} on a layer beyond the file's {len(layers)}",
            remedy="open it in 3D Slicer and save it again",
        )
    geometry = Geometry.from_affine(read["ijkToLPS"], layers.shape[1:])
    return LabelLayers(layers.transpose(0, 3, 2, 1), geometry, segments, [])


def _names(path: Path) -> list[str | None]:
    """Return the segments' names in the order of their numbers in the header.

    pynrrd drops every letter outside ASCII without a word, so that the Chinese words for left and
    right would both be blank; Slicer writes UTF-8, and escapes backslash and line break.
    """
    names: dict[int, str | None] = {}
    with open(path, "rb") as stream:
        for stored in stream:
            line = stored.rstrip(b"\r\n")
            if not line:
                break
            if match := re.match(rb"^Segment(\d+)_", line):
                names.setdefault(int(match[1]), None)
            if match := _NAME.match(line):
                try:
                    name = match[2].decode("utf-8")
                except UnicodeDecodeError:
                    raise CaseError(
                        "The names of segments must be stored as UTF-8",
                        found=f"other bytes in the name of segment number {int(match[1]) + 1}",
                        remedy="open it in 3D Slicer 5 or later, check the names, and save again",
                    ) from None
                names[int(match[1])] = _ESCAPED.sub(lambda one: _ESCAPES[one[0]], name).strip()
    return [names[number] for number in sorted(names)]


def _damaged() -> CaseError:
    return CaseError(
        "A .seg.nrrd file must be a whole segmentation saved by 3D Slicer",
        found="a file that is cut short or has no valid header",
        remedy="open it in 3D Slicer and save it again",
    )
