"""DICOM segmentations (SEG): binary, fractional and label map frames, placed one by one.

Every frame says where it lies, and is put onto the slice of the CT at that place: the order of
frames, missing empty frames and overlapping segments do not matter. highdicom's own volumes would
ask for frames at even distances and refuse big endian files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.imaging.dicom.dicom_series import SAME_PLACE_MM
from pipeline.imaging.dicom.dicom_streams import check_end, is_native
from pipeline.imaging.geometry import (
    Geometry,
    GridMap,
    GridMismatchError,
    map_grid,
    mismatch,
    paste,
)
from segmentation.formats.dicom_files import (
    FARTHEST_MM,
    careful,
    frames_of_reference,
    items,
    meanings_of,
    numbers,
    read_dicom,
    referenced_series,
    whole_number,
)
from segmentation.formats.dicom_frames import DEFLATED_FRAMES, LOSSLESS, decode_frame
from segmentation.structures.segments import (
    Described,
    MaskFile,
    PlacedMask,
    Segment,
    check_slices_follow,
    numbered_once,
)

#: Largest rows or columns of a frame: no scanner reaches it, and a damaged header that claims
#: more must not fill the memory.
MAX_SIDE = 8192


@dataclass(frozen=True)
class Frame:
    """Where one frame lies.

    Attributes
    ----------
    index : int
        Number of the frame in the file, from 0.
    segment : int or None
        Number of its segment; None in a label map, whose pixels are the numbers.
    position : tuple of float
        Centre of the first pixel in mm (LPS).
    orientation : tuple of float
        Direction cosines (LPS) along a row, then along a column.
    spacing : tuple of float
        Distance of rows, distance of columns, in mm.
    """

    index: int
    segment: int | None
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]


@dataclass(frozen=True)
class FrameStack(MaskFile):
    """A DICOM segmentation.

    Attributes
    ----------
    dataset : pydicom.Dataset
        The file, its frames not yet decoded.
    placed_frames : list of Frame
        Where they lie.
    threshold : float
        Share of the largest fraction from which on a voxel belongs to a fractional segment.
    faults : dict of int to CaseError
        Number of a segment -> what is wrong with it; only the segment that is wanted is judged.
    """

    dataset: pydicom.Dataset
    placed_frames: list[Frame]
    threshold: float
    segments: list[Segment]
    findings: list[Finding]
    references: frozenset[str]
    faults: dict[int, CaseError] = field(default_factory=dict)

    def check(self, segment: Segment) -> None:
        """Refuse a segment whose number or frames are not what a mask needs."""
        if segment.value in self.faults:
            raise self.faults[segment.value]

    def frames(self, segment: Segment) -> frozenset[str]:
        """Return the frame of reference of the file (`MaskFile.frames`)."""
        return frames_of_reference(self.dataset)

    def is_empty(self, segment: Segment) -> bool:
        """Return whether no frame holds a pixel of `segment`; a faulty one may have some."""
        return segment.value not in self.faults and not any(
            mask.any() for _, mask in self._masks(segment)
        )

    def on_grid(self, segment: Segment, target: Geometry) -> PlacedMask:
        """Put each frame onto the slice of the CT at its place (`MaskFile.on_grid`)."""
        self.check(segment)
        placed = np.zeros(target.size[::-1], np.uint8)
        taken: dict[int, int] = {}
        reoriented = False
        for frame, mask in self._masks(segment):
            grid, along = self._map(frame, target)
            reoriented |= grid.reoriented
            if not mask.any():
                continue
            slice_index = grid.start[along]
            if slice_index in taken:
                raise CaseError(
                    "A DICOM segmentation must have one frame per segment and slice",
                    found=f"frames {taken[slice_index] + 1} and {frame.index + 1} of {segment} "
                    "at the same place",
                    remedy="open it in 3D Slicer, check the segment, and save it as .seg.nrrd",
                    code="seg-frame-repeated",
                )
            taken[slice_index] = frame.index
            if lost := paste(mask[None], grid, placed):
                raise GridMismatchError(
                    "A mask must lie inside its CT",
                    found=f"{lost} voxels of frame {frame.index + 1} outside. "
                    f"Mask: {self.geometry}. CT: {target}",
                    remedy="name the CT on which the mask was drawn",
                    code="mask-outside-ct",
                )
        check_slices_follow(list(taken), "frames")
        findings = []
        if self.dataset.SegmentationType == "FRACTIONAL":
            findings.append(
                Finding(
                    "mask-was-fractional",
                    "info",
                    f"The segmentation holds fractions: voxels of at least {self.threshold:g} of "
                    "the largest belong to the mask",
                    "hand in a binary segmentation, or check masks.fractional_threshold",
                )
            )
        return PlacedMask(placed, reoriented, findings)

    def _masks(self, segment: Segment) -> Iterator[tuple[Frame, np.ndarray]]:
        """Yield each frame that may hold `segment`, and its 0/1 pixels of shape (row, column)."""
        for frame in self.placed_frames:
            if frame.segment not in (None, segment.value):
                continue
            stored = decode_frame(self.dataset, frame.index)
            if frame.segment is None:
                mask = stored == segment.value
            elif self.dataset.SegmentationType == "FRACTIONAL":
                # 0.7 x 10 is a trifle above 7 in binary numbers.
                least = self.threshold * int(self.dataset.MaximumFractionalValue) - 1e-9
                mask = stored >= least
            else:
                mask = stored != 0
            yield frame, mask.astype(np.uint8)

    def _map(self, frame: Frame, target: Geometry) -> tuple[GridMap, int]:
        """Return how a frame lies on the CT, and the CT's axis across it."""
        rows, columns = int(self.dataset.Rows), int(self.dataset.Columns)
        along_row, along_column = np.reshape(frame.orientation, (2, 3))
        across = target.affine[:3, :3].T @ np.cross(along_row, along_column)
        axis = int(np.abs(across / target.spacing).argmax())
        affine = np.eye(4)
        affine[:3, 0] = along_row * frame.spacing[1]
        affine[:3, 1] = along_column * frame.spacing[0]
        # One slice thick, its depth is the CT's: only the place of the frame counts.
        affine[:3, 2] = target.affine[:3, axis] * np.sign(across[axis])
        affine[:3, 3] = frame.position
        plane = Geometry.from_affine(affine, (columns, rows, 1))
        grid = map_grid(plane, target)
        if grid is None:
            whole = self.geometry if map_grid(self.geometry, target) is None else plane
            raise mismatch(whole, target)
        return grid, axis

    @property
    def geometry(self) -> Geometry:
        """Box of all frames, as an error prints it: frames at their smallest distance."""
        first = self.placed_frames[0]
        along_row, along_column = np.reshape(first.orientation, (2, 3))
        normal = np.cross(along_row, along_column)
        places = np.array([frame.position for frame in self.placed_frames])
        depths = places @ normal
        steps = np.diff(np.sort(depths))
        steps = steps[steps > SAME_PLACE_MM]
        step = float(steps.min()) if steps.size else 1.0
        affine = np.eye(4)
        affine[:3, 0] = along_row * first.spacing[1]
        affine[:3, 1] = along_column * first.spacing[0]
        affine[:3, 2] = normal * step
        affine[:3, 3] = places[depths.argmin()]
        count = round(float(np.ptp(depths)) / step) + 1
        return Geometry.from_affine(
            affine, (int(self.dataset.Columns), int(self.dataset.Rows), count)
        )


def read_dicom_seg(path: str | Path, fractional_threshold: float = 0.5) -> FrameStack:
    """Read a DICOM segmentation; its frames are decoded as they are asked for.

    Parameters
    ----------
    path : path-like
        DICOM file of the Segmentation or Label Map Segmentation storage class.
    fractional_threshold : float, optional
        Share of the largest fraction from which on a voxel belongs to a fractional segment.

    Raises
    ------
    CaseError
        If the file is damaged, lossy, or does not describe its frames. What is wrong with a
        segment is said where that segment is wanted.
    """
    with careful():
        dataset = read_dicom(Path(path))
        _check_pixels(dataset)
        _check_end(Path(path), dataset)
        segments, faults = _segments(dataset)
        frames = _frames(dataset, faults)
        references = referenced_series(dataset)
    return FrameStack(dataset, frames, fractional_threshold, segments, [], references, faults)


def _check_pixels(dataset: pydicom.Dataset) -> None:
    """Check what decoding relies on before anything is unpacked."""
    kind = dataset.get("SegmentationType")
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise _contradiction("no segmentation type BINARY, FRACTIONAL or LABELMAP")
    for keyword in ("Rows", "Columns"):
        side = dataset.get(keyword)
        if not isinstance(side, int) or not 0 < side <= MAX_SIDE:
            raise _contradiction(f"{keyword} outside 1 to {MAX_SIDE}")
    bits = dataset.get("BitsAllocated")
    allowed = {"BINARY": (1, 8), "FRACTIONAL": (8,), "LABELMAP": (8, 16)}[kind]
    if bits not in allowed or dataset.get("SamplesPerPixel", 1) != 1:
        raise _contradiction(f"{bits} bits per pixel for {kind} frames")
    if kind == "FRACTIONAL" and not (
        isinstance(dataset.get("MaximumFractionalValue"), int)
        and dataset.MaximumFractionalValue > 0
    ):
        raise _contradiction("fractions without a largest value (MaximumFractionalValue)")
    if "PixelData" not in dataset:
        raise _contradiction("no pixels")
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if pydicom.uid.UID(syntax).is_private or not syntax:
        raise _contradiction("an unknown transfer syntax")
    frames = _frame_count(dataset)
    compressed = syntax == DEFLATED_FRAMES or pydicom.uid.UID(syntax).is_encapsulated
    if compressed and syntax not in LOSSLESS:
        raise CaseError(
            "A DICOM segmentation must be stored without loss",
            found=f"transfer syntax {syntax}",
            remedy="export it uncompressed",
            code="seg-compressed-with-loss",
        )
    if not compressed:
        needed = dataset.Rows * dataset.Columns * frames * bits
        if len(dataset.PixelData) * 8 < needed:
            raise CaseError(
                "A DICOM segmentation must hold all of its pixels",
                found=f"{len(dataset.PixelData)} of {(needed + 7) // 8} bytes",
                remedy="copy or export it again",
                code="seg-cut-short",
            )


def _check_end(path: Path, dataset: pydicom.Dataset) -> None:
    """Refuse native pixels behind which no element stands: some were inserted or lost."""
    if not is_native(dataset):
        return
    try:
        check_end(path, dataset)
    except ValueError:
        raise CaseError(
            "A DICOM segmentation must end with its pixels, or with whole elements behind them",
            found="other bytes behind the pixels: some were inserted or lost before them",
            remedy="copy or export it again",
            code="seg-spare-bytes",
        ) from None


def _frame_count(dataset: pydicom.Dataset) -> int:
    count = numbers(dataset, "NumberOfFrames") or [1]
    found = len(items(dataset, "PerFrameFunctionalGroupsSequence"))
    if len(count) != 1 or count[0] != found or not found:
        raise _contradiction(f"{count[0]:g} frames announced and {found} described")
    return found


def _segments(dataset: pydicom.Dataset) -> tuple[list[Segment], dict[int, CaseError]]:
    """Return the segments, and what is wrong with the numbers of some."""
    background = set()
    if dataset.SegmentationType == "LABELMAP":
        background = {0, dataset.get("PixelPaddingValue")} - {None}
    described = (
        Described(
            str(item.get("SegmentLabel") or "").strip(),
            whole_number(item, "SegmentNumber"),
            meanings_of(item),
        )
        for item in items(dataset, "SegmentSequence")
    )
    segments, faults = numbered_once(
        (one for one in described if one.number not in background),
        ("segment", "segments"),
        _contradiction,
    )
    if not segments:
        raise _contradiction("no segment described")
    return segments, faults


def _frames(dataset: pydicom.Dataset, faults: dict[int, CaseError]) -> list[Frame]:
    """Read where every frame lies, from what frames share and from what each has of its own.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The file.
    faults : dict of int to CaseError
        Takes up the segments of which a frame does not say where it lies.
    """
    shared = (items(dataset, "SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    described = items(dataset, "PerFrameFunctionalGroupsSequence")

    def group(own: pydicom.Dataset, keyword: str) -> pydicom.Dataset:
        return (items(own, keyword) or items(shared, keyword) or [pydicom.Dataset()])[0]

    frames = []
    for index, own in enumerate(described):
        segment = None
        if dataset.SegmentationType != "LABELMAP":
            identified = group(own, "SegmentIdentificationSequence")
            segment = whole_number(identified, "ReferencedSegmentNumber")
            if segment is None:
                # It may be one of the segment that is wanted.
                raise _contradiction(f"frame {index + 1} without a segment")
        position = numbers(group(own, "PlanePositionSequence"), "ImagePositionPatient")
        orientation = numbers(group(own, "PlaneOrientationSequence"), "ImageOrientationPatient")
        spacing = numbers(group(own, "PixelMeasuresSequence"), "PixelSpacing")
        if not (
            (len(position), len(orientation), len(spacing)) == (3, 6, 2)
            and (np.abs(position + orientation + spacing) < FARTHEST_MM).all()
            and min(spacing) > 0
            and _perpendicular(orientation)
        ):
            fault = CaseError(
                "Every frame of a DICOM segmentation must say where it lies in the patient",
                found=f"frame {index + 1} without a valid position, orientation or pixel spacing",
                remedy="export it again from the program that made it",
                code="seg-frame-unplaced",
            )
            if segment is None:
                raise fault
            faults.setdefault(segment, fault)
            continue
        frames.append(Frame(index, segment, tuple(position), tuple(orientation), tuple(spacing)))
    return frames


def _perpendicular(orientation: list[float]) -> bool:
    along_row, along_column = np.reshape(orientation, (2, 3))
    lengths = np.linalg.norm([along_row, along_column], axis=1)
    return bool(np.allclose(lengths, 1, atol=1e-3) and abs(along_row @ along_column) < 1e-3)


def _contradiction(found: str) -> CaseError:
    return CaseError(
        "A DICOM segmentation must describe its frames and segments",
        found=found,
        remedy="copy or export it again from the program that made it",
        code="seg-undescribed",
    )
