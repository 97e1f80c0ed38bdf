"""What every mask file is to the pipeline: structures to choose from, and a way onto a CT's grid.

Each format has a module of its own (label_maps, slicer_segmentations, dicom_seg, rtstruct), whose
reader returns a `MaskFile`.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.imaging.geometry import Geometry, GridMismatchError

#: An error lists at most this many structures of a file.
LISTED_SEGMENTS = 40

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(\.0*)?")

#: Marks that only steer the direction of text: editors of Arabic and Hebrew add them unseen.
_DIRECTION_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u061c\u2066\u2067\u2068\u2069\ufeff"))


@dataclass(frozen=True)
class Segment:
    """One structure of a mask file.

    Attributes
    ----------
    name : str or None
        Name of a segment or region of interest; label maps have some where a table names them.
    value : int
        Label number; in DICOM the number of the segment or region of interest.
    layer : int
        Layer that holds it, in formats with layers.
    meanings : tuple of str
        What codes beside the name say that it is, in words.
    """

    name: str | None
    value: int
    layer: int = 0
    meanings: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return str(self.value) if self.name is None else f"'{self.name}' (label {self.value})"


class Described(NamedTuple):
    """What a DICOM file says of a structure.

    Attributes
    ----------
    name : str
        As the file calls it.
    number : int or None
        None where it states none.
    meanings : tuple of str
        As of `Segment`.
    """

    name: str
    number: int | None
    meanings: tuple[str, ...] = ()


def numbered_once(
    described: Iterable[Described],
    called: tuple[str, str],
    contradiction: Callable[[str], CaseError],
) -> tuple[list[Segment], dict[int, CaseError]]:
    """Return the structures of a DICOM file, and what is wrong with the numbers of some.

    Parameters
    ----------
    described : iterable of Described
        The structures, in the order of the file.
    called : (str, str)
        What one and several are called in errors.
    contradiction : callable
        Makes the error of what was found.

    Returns
    -------
    segments : list of Segment
        One without a number gets a negative one, which no structure has: it can be named, and is
        then refused.
    faults : dict of int to CaseError
        By number: structures without one, and those that share one.
    """
    segments, faults = [], {}
    for place, one in enumerate(described, start=1):
        number = -place if one.number is None else one.number
        if one.number is None:
            faults[number] = contradiction(f"{called[0]} '{one.name}' without number")
        segments.append(Segment(one.name, number, meanings=one.meanings))
    for number in {one.value for one in segments}:
        alike = [f"'{one.name}'" for one in segments if one.value == number]
        if len(alike) > 1:
            faults[number] = contradiction(
                f"two {called[1]} of one number, {number}: {' and '.join(alike)}"
            )
    return segments, faults


@dataclass(frozen=True)
class PlacedMask:
    """One structure on a CT's grid.

    Attributes
    ----------
    voxels : numpy.ndarray
        uint8 0/1, shape (z, y, x) of the CT.
    reoriented : bool
        Whether the mask's axes ran in other directions than the CT's.
    findings : list of Finding
        What a person should know about how it came there.
    """

    voxels: np.ndarray
    reoriented: bool = False
    findings: list[Finding] = field(default_factory=list)


class MaskFile(ABC):
    """What a mask file holds.

    Attributes
    ----------
    segments : list of Segment
        Structures to choose from.
    findings : list of Finding
        Warnings about the header.
    references : frozenset of str
        SeriesInstanceUIDs of the images on which the file says it was drawn, where it says so.
        They identify a person and are never shown or stored.
    numbered : bool
        Whether numbers may mean something beside names: so in label maps. Programs number the
        segments of other formats from one.
    """

    segments: list[Segment]
    findings: list[Finding]
    references: frozenset[str] = frozenset()
    numbered: bool = False

    def check(self, segment: Segment) -> None:  # noqa: B027
        """Refuse a structure about which the file contradicts itself.

        Only the structure that is wanted is checked: what is wrong with others is no matter.

        Raises
        ------
        CaseError
            Naming the structure, and what is wrong.
        """

    def frames(self, segment: Segment) -> frozenset[str]:
        """Return the FrameOfReferenceUIDs of a structure, as far as the file states them.

        They identify a person and are never shown or stored.
        """
        return frozenset()

    @abstractmethod
    def is_empty(self, segment: Segment) -> bool:
        """Return whether nothing was drawn of `segment`."""

    @abstractmethod
    def on_grid(self, segment: Segment, target: Geometry) -> PlacedMask:
        """Return `segment` as a binary mask on the CT's grid.

        Raises
        ------
        GridMismatchError
            If the grids do not match exactly.
        CaseError
            If the structure itself cannot be read.
        """

    def fits(self, segment: Segment, target: Geometry) -> bool:
        """Return whether `segment` lies on the grid `target`."""
        try:
            self.on_grid(segment, target)
        except CaseError:
            return False
        return True


def comparable(name: str) -> str:
    """Return a segment's name in the form in which two names are compared.

    The same letters may be stored composed or decomposed (an accent of its own, Hangul in parts);
    NFC makes them equal. Blanks around the name and invisible marks of direction do not count.
    """
    return unicodedata.normalize("NFC", name.translate(_DIRECTION_MARKS)).strip()


def held_by(mask_file: MaskFile) -> str:
    """Return the structures of a file as an error lists them."""
    segments = mask_file.segments
    if not segments:
        return "the file is empty"
    more = len(segments) - LISTED_SEGMENTS
    listed = ", ".join(map(str, segments[:LISTED_SEGMENTS]))
    return f"the file holds {listed}" + (f" and {more} more" if more > 0 else "")


def has_names(mask_file: MaskFile) -> bool:
    """Return whether the file's structures have names."""
    return any(one.name is not None for one in mask_file.segments)


def first_drawn(mask_file: MaskFile) -> Segment | None:
    """Return a structure by which a file's grid may be tried: drawn and sound, where one is.

    None stands for a file without structures.
    """
    for segment in mask_file.segments:
        try:
            mask_file.check(segment)
            if not mask_file.is_empty(segment):
                return segment
        except CaseError:
            continue  # it is not the one that is wanted, as far as is known
    return mask_file.segments[0] if mask_file.segments else None


def pick_segment(mask_file: MaskFile, label: str | None) -> Segment:
    """Return the structure that a table's `label` means.

    Parameters
    ----------
    mask_file : MaskFile
        The file's content.
    label : str or None
        A segment's name, as the program that drew it shows it, or a label number. None takes the
        one structure of a file that holds one.

    Raises
    ------
    CaseError
        If nothing fits, or more than one structure does; the file's content is listed.
    """
    segments = mask_file.segments
    check_drawn(mask_file)
    if label is None:
        found = segments
        if len(found) > 1:
            found = [one for one in segments if not mask_file.is_empty(one)] or segments
    else:
        wanted = comparable(label)
        number = label_number(label)
        found = [
            one
            for one in segments
            if number == one.value or (one.name is not None and wanted == comparable(one.name))
        ]
    if len(found) == 1:
        mask_file.check(found[0])
        return found[0]
    raise CaseError(
        "The label of a mask must name exactly one structure in its file"
        if label is not None
        else "Without a label, a mask file must hold exactly one structure",
        found=(f"label '{label.strip()}'; " if label is not None else "") + held_by(mask_file),
        remedy=_how_to_name(mask_file, found),
        code="structure-ambiguous",
    )


def _how_to_name(mask_file: MaskFile, found: list[Segment]) -> str:
    """Return what makes a label name one structure of those that it fits."""
    if not has_names(mask_file):
        return "write the label's number into column `label`"
    called = [(one.value, comparable(one.name or "")) for one in found]
    if len(set(called)) < len(called):
        return (
            "give each structure a name of its own in the program that drew them, and export again"
        )
    if len({name for _, name in called}) < len(called):
        return "write the segment's number into column `label`"
    return "write the segment's name or number into column `label`"


def label_number(label: str) -> int | None:
    """Return the number that a `label` of a table is, None where it is a name.

    Spreadsheets and pandas write whole numbers of a column with blanks as ``20.0``.

    Examples
    --------
    >>> label_number("20"), label_number(" 20.0 "), label_number("20.5"), label_number("L1")
    (20, 20, None, None)
    """
    return int(label.strip().partition(".")[0]) if _WHOLE.fullmatch(label.strip()) else None


def check_drawn(mask_file: MaskFile) -> None:
    """Refuse a file without structures: no label or convention could mend it."""
    if not mask_file.segments:
        raise CaseError(
            "Something must be drawn in a mask",
            found="the file is empty",
            remedy="draw the vertebra, and export the mask again",
            code="mask-empty",
        )


def check_slices_follow(slices: Sequence[int], what: str) -> None:
    """Refuse a structure that was drawn on every second (third, ...) slice of its CT.

    Parameters
    ----------
    slices : sequence of int
        Slices of the CT that hold the structure, in any order.
    what : str
        What lies on the slices: ``frames``, ``contours``.

    Raises
    ------
    GridMismatchError
        If three slices or more follow each other at one and the same distance above one.
    """
    steps = np.unique(np.diff(np.unique(slices)))
    if len(set(slices)) > 2 and len(steps) == 1 and steps[0] > 1:
        raise GridMismatchError(
            "A mask must be drawn on every slice of its CT",
            found=f"{what} that lie {int(steps[0])} slices of the CT apart, with none between",
            remedy="name the series on which the mask was drawn, or fill the slices between in "
            "3D Slicer (Segment Editor, Fill between slices) and save as .seg.nrrd",
            code="mask-skips-slices",
        )
