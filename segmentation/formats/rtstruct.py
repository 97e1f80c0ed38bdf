"""RT structure sets: closed contours in the patient, filled on the slices of the CT.

A contour belongs to the slice in whose plane it lies; one that lies between two slices, or is
turned against them, was drawn on another series and is refused. Which pixels a contour holds is
the rule of `segmentation.formats.contours`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.imaging.geometry import Geometry, GridMismatchError
from segmentation.formats.contours import fill
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
from segmentation.structures.segments import (
    Described,
    MaskFile,
    PlacedMask,
    Segment,
    check_slices_follow,
    numbered_once,
)

#: Largest distance of a contour's points from the plane of a slice, in slices. Structure sets
#: round millimetres to two decimals or one; half a slice would mean a neighbour.
PLANE_TOLERANCE_SLICES = 0.1

#: Largest distance by which a contour may reach beyond the outermost pixel centres, in pixels:
#: half a pixel is the edge of the image.
BORDER_TOLERANCE_PIXELS = 0.5 + 1e-3

#: Contours that enclose an area; with the second, holes are contours of their own by definition.
CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")

#: Vertices nearer than this to a pixel's centre, in pixels, lie on it, along rows and columns.
CENTRE_TOLERANCE_PIXELS = 0.01
#: A region with more than this share of its vertices on pixel centres was traced from a label map
#: through the centres of its outermost pixels: by the rule, half of these lie outside.
CENTRE_SHARE = 0.9

_LISTED = 5  # places that an error names


@dataclass(frozen=True)
class ContourSet(MaskFile):
    """A RT structure set.

    Attributes
    ----------
    contours : dict of int to list of numpy.ndarray
        Number of the region of interest -> its closed contours, each in mm (LPS), shape (n, 3).
    faults : dict of int to CaseError
        Number of a region -> what is wrong with it; only the region that is wanted is judged.
    frames_of_reference : dict of int to frozenset of str
        Number of a region -> FrameOfReferenceUIDs that it states.
    """

    contours: dict[int, list[np.ndarray]]
    segments: list[Segment]
    findings: list[Finding]
    references: frozenset[str]
    faults: dict[int, CaseError] = field(default_factory=dict)
    frames_of_reference: dict[int, frozenset[str]] = field(default_factory=dict)

    def check(self, segment: Segment) -> None:
        """Refuse a region whose number or contours are not what a mask needs."""
        if segment.value in self.faults:
            raise self.faults[segment.value]

    def frames(self, segment: Segment) -> frozenset[str]:
        """Return the frame of reference of a region (`MaskFile.frames`)."""
        return self.frames_of_reference.get(segment.value, frozenset())

    def is_empty(self, segment: Segment) -> bool:
        """Return whether `segment` has no closed contour; a faulty one may have some."""
        return not self.contours.get(segment.value) and segment.value not in self.faults

    def on_grid(self, segment: Segment, target: Geometry) -> PlacedMask:
        """Fill the contours on the slices of the CT (`MaskFile.on_grid`)."""
        self.check(segment)
        if self.is_empty(segment):
            raise CaseError(
                "A region of interest must have closed contours",
                found=f"none for {segment}; regions with contours: {self._drawn()}",
                remedy="draw it, or name another region in column `label`",
                code="contours-missing",
            )
        to_index = np.linalg.inv(target.affine)
        contours = [
            points @ to_index[:3, :3].T + to_index[:3, 3] for points in self.contours[segment.value]
        ]
        where = f"Contours: {_extent(self.contours[segment.value])}. CT: {target}"
        axis = _slice_axis(contours, where)
        slices = _slices_of(contours, axis, target, where)
        _check_inside(contours, target, where)
        check_slices_follow(slices, "contours")
        in_plane = [other for other in range(3) if other != axis]
        # Index order is (x, y, z): the lower axis of the plane runs along the columns.
        shape = (target.size[in_plane[1]], target.size[in_plane[0]])
        placed = np.zeros(target.size[::-1], np.uint8)
        crossing = 0
        for number in sorted(set(slices)):
            members = [
                contour[:, in_plane]
                for contour, place in zip(contours, slices, strict=True)
                if place == number
            ]
            np.moveaxis(placed, 2 - axis, 0)[number] = fill(members, shape)
            crossing += _cross(members, shape)
        return PlacedMask(placed, findings=_findings(contours, in_plane, crossing))

    def _drawn(self) -> str:
        """Name the regions with contours, and say if contours are of regions that are not told."""
        drawn = [str(one) for one in self.segments if not self.is_empty(one)]
        described = {one.value for one in self.segments}
        if any(number not in described for number in {*self.contours, *self.faults}):
            drawn.append("one that the file does not describe")
        return ", ".join(drawn) or "none"


def _extent(contours: list[np.ndarray]) -> str:
    """Describe where contours lie in the patient: their number, the box around them in mm."""
    points = np.concatenate(contours)
    box = [
        f"{axis} {low:.2f} to {high:.2f}"
        for axis, low, high in zip("xyz", points.min(axis=0), points.max(axis=0), strict=True)
    ]
    heights = np.unique(np.round([contour[:, 2].mean() for contour in contours], 2))
    steps = np.diff(heights)
    apart = f", mostly {np.median(steps):.4g} mm apart in z" if steps.size else ""
    return f"{len(contours)} contours{apart}, {', '.join(box)} mm"


def _slice_axis(contours: list[np.ndarray], where: str) -> int:
    """Return the CT's axis across which all contours are flat."""
    spread = np.max([np.ptp(contour, axis=0) for contour in contours], axis=0)
    flat = [axis for axis in range(3) if spread[axis] <= 2 * PLANE_TOLERANCE_SLICES]
    if flat:
        # Of several, the axis on which contours lie on slices of their own.
        return min(flat, key=lambda axis: (spread[axis], -axis))
    raise GridMismatchError(
        "Contours must lie in the planes of the CT's slices",
        found=f"contours that run through {spread.min():.2g} slices. {where}",
        remedy="name the CT on which they were drawn",
        code="contours-off-planes",
    )


def _slices_of(contours: list[np.ndarray], axis: int, target: Geometry, where: str) -> list[int]:
    """Return the slice in which each contour lies."""
    nearest = [int(np.rint(np.median(contour[:, axis]))) for contour in contours]
    off = [
        float(np.abs(contour[:, axis] - slice_).max())
        for contour, slice_ in zip(contours, nearest, strict=True)
    ]
    between = [index for index, distance in enumerate(off) if distance > PLANE_TOLERANCE_SLICES]
    if between:
        millimetres = [f"{off[index] * target.spacing[axis]:.3g}" for index in between[:_LISTED]]
        raise GridMismatchError(
            "Contours must lie in the planes of the CT's slices",
            found=f"{len(between)} of {len(contours)} contours between slices, off by "
            f"{', '.join(millimetres)}{' ...' * (len(between) > _LISTED)} mm, where "
            f"{PLANE_TOLERANCE_SLICES:g} of {target.spacing[axis]:.6g} mm are allowed. {where}",
            remedy="name the CT on which they were drawn, or draw them on its slices",
            code="contours-off-planes",
        )
    return nearest


def _check_inside(contours: list[np.ndarray], target: Geometry, where: str) -> None:
    """Refuse contours that reach beyond the CT."""
    size = np.array(target.size)
    outside = 0
    for contour in contours:
        low, high = contour.min(axis=0), contour.max(axis=0)
        beyond = (low < -BORDER_TOLERANCE_PIXELS) | (high > size - 1 + BORDER_TOLERANCE_PIXELS)
        outside += bool(beyond.any())
    if outside:
        raise GridMismatchError(
            "A mask must lie inside its CT",
            found=f"{outside} of {len(contours)} contours outside. {where}",
            remedy="name the CT on which the mask was drawn",
            code="mask-outside-ct",
        )


def _cross(contours: list[np.ndarray], shape: tuple[int, int]) -> bool:
    """Return whether two contours of a slice overlap without one holding the other as its hole."""
    if len(contours) < 2:
        return False
    areas = [fill([contour], shape) for contour in contours]
    for index, area in enumerate(areas):
        for other in areas[:index]:
            both, least, most = (
                np.count_nonzero(area & other),
                *sorted((np.count_nonzero(area), np.count_nonzero(other))),
            )
            if both and not (both == least < most):
                return True
    return False


def _findings(contours: list[np.ndarray], in_plane: list[int], crossing: int) -> list[Finding]:
    """Tell what the rule of filling makes of contours that were hardly meant so."""
    findings = []
    if crossing:
        findings.append(
            Finding(
                "contours-cross",
                "warning",
                f"Contours cross or repeat each other on {crossing} slice(s): where two overlap, "
                "the mask has a hole",
                "merge them into one contour where no hole is meant",
            )
        )
    vertices = np.concatenate(contours)[:, in_plane]
    centred = np.abs(vertices - np.rint(vertices)).max(axis=1) < CENTRE_TOLERANCE_PIXELS
    if centred.mean() > CENTRE_SHARE:
        findings.append(
            Finding(
                "contours-through-centres",
                "warning",
                "Contours run through the centres of pixels: those on the lower rows and columns "
                "belong to the mask, those on the higher ones do not",
                "hand in the label map or DICOM segmentation from which the contours were traced",
            )
        )
    return findings


def read_rtstruct(path: str | Path) -> ContourSet:
    """Read a RT structure set.

    Parameters
    ----------
    path : path-like
        DICOM file of the RT Structure Set storage class.

    Raises
    ------
    CaseError
        If the file is damaged or describes no region. What is wrong with a region is said where
        that region is wanted.
    """
    with careful():
        dataset = read_dicom(Path(path))
        segments, faults = _regions(dataset)
        contours: dict[int, list[np.ndarray]] = {one.value: [] for one in segments}
        names = {one.value: str(one) for one in segments}
        seen: set[int | None] = set()
        for item in items(dataset, "ROIContourSequence"):
            number = whole_number(item, "ReferencedROINumber")
            if number in seen:
                # The second may be those of a region whose number was lost.
                twice = f"two sets of contours for {names.get(number, 'a region')}"
                faults.setdefault(number, _contradiction(twice))
                continue
            seen.add(number)
            try:
                closed = _closed_contours(item, names.get(number, "a region"))
            except CaseError as error:
                faults.setdefault(number, error)
                continue
            # Contours of a region that is not described are nobody's.
            contours.setdefault(number, []).extend(closed)
        return ContourSet(
            contours, segments, [], referenced_series(dataset), faults, _frames(dataset)
        )


def _regions(dataset: pydicom.Dataset) -> tuple[list[Segment], dict[int, CaseError]]:
    """Return the regions of interest, and what is wrong with the numbers of some."""
    meanings: dict[int, tuple[str, ...]] = {}
    for item in items(dataset, "RTROIObservationsSequence"):
        number = whole_number(item, "ReferencedROINumber")
        label = str(item.get("ROIObservationLabel") or "").strip()
        if number is not None:
            told = (*meanings_of(item), *([label] * bool(label)))
            meanings[number] = (*meanings.get(number, ()), *told)
    described = (
        Described(str(roi.get("ROIName") or "").strip(), number, meanings.get(number, ()))
        for roi in items(dataset, "StructureSetROISequence")
        for number in [whole_number(roi, "ROINumber")]
    )
    segments, faults = numbered_once(
        described, ("region of interest", "regions of interest"), _contradiction
    )
    if not segments:
        raise _contradiction("no region of interest")
    return segments, faults


def _frames(dataset: pydicom.Dataset) -> dict[int, frozenset[str]]:
    """Return the frame of reference of each region: its own, or that of the whole file."""
    whole = frames_of_reference(dataset)
    found = {}
    for roi in items(dataset, "StructureSetROISequence"):
        own = roi.get("ReferencedFrameOfReferenceUID")
        number = whole_number(roi, "ROINumber")
        found[number] = frozenset([str(own)]) if own else whole
    return found


def _closed_contours(roi: pydicom.Dataset, region: str) -> list[np.ndarray]:
    """Return the contours of a region that enclose an area; points and lines enclose none.

    Parameters
    ----------
    roi : pydicom.Dataset
        Item of the ROIContourSequence.
    region : str
        The region in an error.
    """
    closed = []
    for number, contour in enumerate(items(roi, "ContourSequence"), start=1):
        shown = f"contour {number} of {region}"
        kind = str(contour.get("ContourGeometricType") or "")
        if kind == "POINT":
            continue
        points = numbers(contour, "ContourData")
        # A patient is not a kilometre long: NaN and what overflows later are kept out here.
        if len(points) % 3 or not points or not (np.abs(points) < FARTHEST_MM).all():
            raise _contradiction(f"{shown}, without whole points in three dimensions")
        if any(numbers(contour, "ContourOffsetVector")):
            raise _contradiction(f"{shown}, moved by an offset, which DICOM has given up")
        stated = numbers(contour, "NumberOfContourPoints")
        if stated and stated != [len(points) / 3]:
            raise _contradiction(
                f"{shown}, which states {stated[0]:g} points and holds {len(points) // 3}"
            )
        if kind not in CLOSED:
            raise CaseError(
                "Contours of a mask must be closed and flat (CLOSED_PLANAR)",
                found=f"{shown}, which is open or of an unknown kind",
                remedy="close the contours in the program that drew them, and export again",
                code="contours-not-closed",
            )
        vertices = np.reshape(points, (-1, 3))
        if len(vertices) > 2:  # one point, or two, enclose nothing
            closed.append(vertices)
    return closed


def _contradiction(found: str) -> CaseError:
    return CaseError(
        "A RT structure set must describe its regions and contours",
        found=found,
        remedy="copy or export it again from the program that made it",
        code="rtstruct-undescribed",
    )
