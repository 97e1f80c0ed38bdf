"""3D Slicer segmentations (.seg.nrrd): named segments on one or several layers.

The voxels are read with the checks of every other NRRD; of what the header says of segments only
that is read which a mask needs. What a file does not state is taken as 3D Slicer takes it [1]_:
a segment without layer lies on the layer of its own number, one without label value has the value
1. Where that leaves a doubt, the segment is refused, and only if it is asked for.

References
----------
.. [1] Slicer/Slicer, vtkMRMLSegmentationStorageNode::ReadBinaryLabelmapRepresentation, and
   DEFAULT_LABEL_VALUE of vtkSegmentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.imaging.geometry import Geometry, occupied_box
from pipeline.imaging.volume_headers import check_nrrd_header, check_nrrd_length
from pipeline.imaging.volumes import read_volume, without_metadata
from segmentation.formats.label_maps import LabelLayers, whole_labels
from segmentation.structures.level_names import level_of_code
from segmentation.structures.segments import PlacedMask, Segment

_KEY = re.compile(rb"Segment(\d{1,6})_(ID|Name|LabelValue|Layer|Tags):=(.*)", re.DOTALL)
#: A code of a terminology in the tags of a segment: scheme, value, meaning.
_CODE = re.compile(r"([^~^|]+)\^([^~^|]+)\^([^~^|]+)")
#: Header keys of the representation from which Slicer makes the others; its name changed in 2023.
_REPRESENTATION = re.compile(rb"Segmentation_(?:Master|Source)Representation:=(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\[n\\]")
_ESCAPES = {"\\n": "\n", "\\\\": "\\"}
_WHOLE = re.compile(r"\s*[+-]?\d{1,9}(?:\.0*)?\s*")

#: Longest header that is searched, in bytes; Slicer's own take some kilobytes a segment.
LONGEST_HEADER = 1 << 24

#: Largest cosine of the angle between two axes that counts as a right angle; it is that of slices.
PERPENDICULAR_TOLERANCE = 1e-3

#: Label value of a segment that states none, as 3D Slicer has it.
DEFAULT_LABEL_VALUE = 1


@dataclass(frozen=True)
class SlicerLayers(LabelLayers):
    """A 3D Slicer segmentation.

    Attributes
    ----------
    faults : dict of int to CaseError
        Place of a segment in `segments` -> why it cannot be told from the file's voxels.
    """

    faults: dict[int, CaseError] = field(default_factory=dict)

    def check(self, segment: Segment) -> None:
        """Refuse a segment of which the file does not say for certain where it lies."""
        if fault := self._fault(segment):
            raise fault

    def is_empty(self, segment: Segment) -> bool:
        """Return whether no voxel has the number of `segment`; a doubtful one may have some."""
        return self._fault(segment) is None and super().is_empty(segment)

    def on_grid(self, segment: Segment, target: Geometry) -> PlacedMask:
        """Map the layer onto the CT's grid (`MaskFile.on_grid`)."""
        self.check(segment)
        return super().on_grid(segment, target)

    def _fault(self, segment: Segment) -> CaseError | None:
        places = (place for place, one in enumerate(self.segments) if one == segment)
        return next((self.faults[place] for place in places if place in self.faults), None)


def is_slicer_segmentation(path: str | Path) -> bool:
    """Return whether a NRRD file describes Slicer segments, whatever its name."""
    return any(_KEY.fullmatch(line) for line in _header_lines(Path(path)))


def read_slicer_segmentation(path: str | Path) -> SlicerLayers:
    """Read a .seg.nrrd.

    Raises
    ------
    CaseError
        If the file is damaged, or does not hold binary labels.
    """
    path = Path(path)
    described: dict[int, dict[str, str]] = {}
    for line in _header_lines(path):
        if match := _KEY.fullmatch(line):
            described.setdefault(int(match[1]), {}).setdefault(match[2].decode(), _text(match[3]))
        elif match := _REPRESENTATION.fullmatch(line):
            _check_binary(_text(match[1]))
    image, findings = _read(path)
    voxels = whole_labels(sitk.GetArrayFromImage(image))
    layers = voxels[np.newaxis] if voxels.ndim == 3 else np.moveaxis(voxels, -1, 0)
    numbers = sorted(described)
    segments, faults = [], {}
    for place, number in enumerate(numbers):
        try:
            segment = _segment(described[number], number, numbers, len(layers))
        except CaseError as error:
            segment, faults[place] = Segment(_name(described[number]), 0, -1), error
        segments.append(segment)
    held = SlicerLayers(layers, Geometry.of(image), segments, findings, faults=faults)
    for place, number in enumerate(numbers):
        if place not in faults and (doubt := _doubt(held, place, described[number])):
            faults[place] = doubt
    return held


def _header_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a NRRD's header without their ends, as far as there is one."""
    left = LONGEST_HEADER
    with open(path, "rb") as stream:
        if stream.read(4) != b"NRRD":
            return
        while left > 0 and (stored := stream.readline(left)):
            left -= len(stored)
            line = stored.rstrip(b"\r\n")
            if not line:
                return
            yield line


def _read(path: Path) -> tuple[sitk.Image, list[Finding]]:
    """Read the voxels with the checks of every NRRD; layers are the values of a voxel."""
    if not any(re.fullmatch(rb"dimension:\s*4\s*", line) for line in _header_lines(path)):
        image, findings = read_volume(path)
        _check_axes(path, image)
        return image, findings
    findings, *_ = check_nrrd_header(path)
    try:
        image = sitk.ReadImage(str(path), imageIO="NrrdImageIO")
    except RuntimeError:
        image = None
    if image is None or image.GetDimension() != 3 or "complex" in image.GetPixelIDTypeAsString():
        raise CaseError(
            "The layers of a .seg.nrrd file must be the first of its four dimensions",
            found="four dimensions of other kinds than a list and three of space",
            remedy="open it in 3D Slicer and save it again",
            code="seg-nrrd-layers",
        )
    check_nrrd_length(path, sitk.GetArrayViewFromImage(image).nbytes)
    _check_axes(path, image)
    return without_metadata(image), findings


def _check_axes(path: Path, image: sitk.Image) -> None:
    """Refuse axes without a length, for which ITK puts 1 mm, and axes that are sheared."""
    stated = any(
        line.startswith((b"space directions:", b"spacings:")) for line in _header_lines(path)
    )
    axes = np.reshape(image.GetDirection(), (3, 3))
    if not stated or np.abs(axes.T @ axes - np.eye(3)).max() > PERPENDICULAR_TOLERANCE:
        raise CaseError(
            "A .seg.nrrd file must state three perpendicular axes",
            found="axes that are not perpendicular" if stated else "no space directions",
            remedy="open it in 3D Slicer, check the segments on the CT, and save it again",
            code="seg-nrrd-axes",
        )


def _text(stored: bytes) -> str:
    """Return a value of the header.

    Slicer writes UTF-8, and escapes backslash and line break; pynrrd would drop every letter
    outside ASCII, so that the Chinese words for left and right would both be blank.
    """
    try:
        text = stored.decode("utf-8")
    except UnicodeDecodeError:
        # The segment can still be named by its number.
        text = stored.decode("utf-8", "replace") + " (a name not stored as UTF-8)"
    return _ESCAPED.sub(lambda one: _ESCAPES[one[0]], text).strip()


def _check_binary(representation: str) -> None:
    if representation != "Binary labelmap":
        raise CaseError(
            "A segmentation must hold binary labels",
            found=f"master representation '{representation}'",
            remedy="in 3D Slicer make the binary labelmap the source representation, and save",
            code="seg-nrrd-not-binary",
        )


def _name(stated: dict[str, str]) -> str:
    """Return a segment's name; Slicer shows its ID where it has none."""
    return stated.get("Name") or stated.get("ID") or ""


def _segment(stated: dict[str, str], number: int, numbers: list[int], layers: int) -> Segment:
    """Return what the header says of one segment.

    Parameters
    ----------
    stated : dict of str to str
        What stands behind the keys of the segment.
    number : int
        Its number in the keys.
    numbers : list of int
        The numbers of all segments.
    layers : int
        Layers of the file.
    """
    name = _name(stated)
    shown = f"segment '{name}'"
    values = {}
    for key in ("LabelValue", "Layer"):
        if key in stated:
            if not _WHOLE.fullmatch(stated[key]):
                raise _contradiction(f"no whole number as {key} of {shown}")
            values[key] = int(float(stated[key]))
    value = values.get("LabelValue", DEFAULT_LABEL_VALUE)
    if "Layer" in values:
        layer = values["Layer"]
    elif layers == 1 and "LabelValue" in values:
        layer = 0  # there is no other
    elif numbers.index(number) != number:
        raise _contradiction(f"no layer for {shown}, and the segments' numbers have gaps")
    else:
        layer = number
    if not 0 <= layer < layers:
        raise CaseError(
            "Every segment must lie on a layer of the file",
            found=f"{shown} on layer {layer + 1} of {layers}"
            + ("" if "Layer" in values else " (the file states none: it is the segment's place)"),
            remedy="open it in 3D Slicer, check the segment, and save it again",
            code="seg-nrrd-layer-missing",
        )
    if value == 0:
        raise _contradiction(f"label value 0, which is the background, for {shown}")
    return Segment(name, value, layer, _meanings(stated.get("Tags", "")))


def _meanings(tags: str) -> tuple[str, ...]:
    """Return what the terminology of a segment means; a vertebra's code is its level."""
    found = []
    for scheme, code, meaning in _CODE.findall(tags):
        level = level_of_code(scheme, code)
        found += [meaning, f"{level} vertebra" * bool(level)]
    return tuple(dict.fromkeys(one for one in found if one))


def _doubt(held: SlicerLayers, place: int, stated: dict[str, str]) -> CaseError | None:
    """Return why the voxels of a segment cannot be told from those of others, or None."""
    segment = held.segments[place]
    alike = [
        one.name
        for one in held.segments
        if (one.value, one.layer) == (segment.value, segment.layer)
    ]
    if len(alike) > 1:
        names = ", ".join(f"'{name}'" for name in alike)
        return CaseError(
            "Every segment must have a layer or a label value of its own",
            found=f"the segments {names} share label value {segment.value} on layer "
            f"{segment.layer + 1}",
            remedy="open it in 3D Slicer, check that each segment shows its own vertebra, and save "
            "it again",
            code="seg-nrrd-shared-label",
        )
    if "LabelValue" in stated:
        return None
    known = {0, *(one.value for one in held.segments if one.layer == segment.layer)}
    layer = held.layers[segment.layer]
    box = occupied_box(layer)
    found = sorted(set(np.unique(layer[box]).tolist()) - known) if box else []
    if found:
        return _contradiction(
            f"no label value for segment '{segment.name}', and its layer holds the numbers "
            f"{', '.join(map(str, found[:5]))}"
        )
    return None


def _contradiction(found: str) -> CaseError:
    return CaseError(
        "A .seg.nrrd file must say where each of its segments lies",
        found=found,
        remedy="open it in 3D Slicer, check the segment, and save it again",
        code="seg-nrrd-undescribed",
    )
