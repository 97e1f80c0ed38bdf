"""Which label number or segment name means which vertebra, by a study's convention.

Without column `label`, the level of a case (column `level`) chooses its structure through the
convention that the study names; a file that holds other labels is refused, never guessed at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from segmentation.segments import (
    MaskFile,
    Segment,
    check_drawn,
    comparable,
    has_names,
    held_by,
    pick_segment,
)

_CERVICAL = [f"C{number}" for number in range(1, 8)]
_THORACIC = [f"T{number}" for number in range(1, 13)]
_LUMBAR = [f"L{number}" for number in range(1, 6)]

#: TotalSegmentator, task `total` of version 2: from the sacrum's first vertebra upwards.
TOTALSEGMENTATOR = {
    level: 26 + place
    for place, level in enumerate(["S1", *_LUMBAR[::-1], *_THORACIC[::-1], *_CERVICAL[::-1]])
}
#: VerSe 2020: from the atlas downwards; 26 and 27 are sacrum and coccyx, no vertebra of a study.
VERSE = {
    **{level: 1 + place for place, level in enumerate([*_CERVICAL, *_THORACIC, *_LUMBAR, "L6"])},
    "T13": 28,
}
BUILT_IN = {"totalsegmentator": TOTALSEGMENTATOR, "verse": VERSE}


@dataclass(frozen=True)
class Convention:
    """How a study's mask files call the vertebrae.

    Attributes
    ----------
    name : str
        ``totalsegmentator``, ``verse`` or ``own``.
    labels : Mapping
        Level -> label number, or segment name.
    """

    name: str
    labels: Mapping[str, int | str]

    def names(self, level: str) -> set[str]:
        """Return the segment names that mean `level`, in lower case.

        Besides the level itself these are TotalSegmentator's name and that of its extension in
        3D Slicer; a name of an own map stands alone.
        """
        label = self.labels[level]
        if isinstance(label, str):
            return {comparable(label).lower()}
        level = level.lower()
        return {level, f"vertebrae_{level}", f"{level} vertebra"}


def convention_of(option: str | Mapping) -> Convention | None:
    """Return the convention of the option `masks.convention`, None for ``none``."""
    if isinstance(option, Mapping):
        return Convention("own", dict(option))
    return None if option == "none" else Convention(option, BUILT_IN[option])


def choose_segment(
    mask_file: MaskFile, label: str | None, level: str, convention: Convention | None
) -> tuple[Segment, list[Finding]]:
    """Return the structure that a row of the table of cases means.

    Parameters
    ----------
    mask_file : MaskFile
        The file's content.
    label : str or None
        Column `label`; it has the last word.
    level : str
        Column `level`.
    convention : Convention or None
        The study's convention; None takes the one structure of a file that holds one.

    Returns
    -------
    segment : Segment
        The structure.
    findings : list of Finding
        A warning where the label means another level by the convention.

    Raises
    ------
    CaseError
        If nothing fits, or more than one structure does; the file's content is listed.
    """
    if convention is None:
        return pick_segment(mask_file, label), []
    if label is not None:
        segment = pick_segment(mask_file, label)
        return segment, _contradiction(segment, level, convention)
    if level not in convention.labels:
        raise CaseError(
            "The convention of labels must say which label a level has",
            found=f"no {level} in the convention {convention.name}",
            remedy="write the label into column `label`, or add the level to masks.convention",
        )
    check_drawn(mask_file)
    wanted = convention.labels[level]
    if has_names(mask_file):
        names = convention.names(level)
        found = [one for one in mask_file.segments if comparable(one.name or "").lower() in names]
        if not found and convention.name == "own":
            found = [one for one in mask_file.segments if one.value == wanted]
    else:
        found = [one for one in mask_file.segments if one.value == wanted]
    if len(found) == 1:
        mask_file.check(found[0])
        return found[0], []
    if isinstance(wanted, str):
        meant = f"segment '{wanted}'"
    else:
        meant = f"segment '{level}'" if has_names(mask_file) else f"label {wanted}"
    count = "more than one" if found else "no"
    other = _fitting(mask_file, level, convention)
    raise CaseError(
        "Without column `label`, the labels of a mask must follow the study's convention",
        found=f"{count} {meant} (for {level} in the convention {convention.name}); "
        f"{held_by(mask_file)}{other}",
        remedy="write the label into column `label`, or correct masks.convention",
    )


def _contradiction(segment: Segment, level: str, convention: Convention) -> list[Finding]:
    """Warn where a label's number or name means another level by the convention."""
    if segment.name is None:
        meant = [one for one, label in convention.labels.items() if label == segment.value]
    else:
        name = comparable(segment.name).lower()
        meant = [one for one in convention.labels if name in convention.names(one)]
    if not meant or level in meant:
        return []
    return [
        Finding(
            "label-of-another-level",
            "warning",
            f"Label {segment} is {meant[0]} in the convention {convention.name}, but the case is "
            f"{level}",
            "correct column `label` or column `level`",
        )
    ]


def _fitting(mask_file: MaskFile, level: str, convention: Convention) -> str:
    """Name another built-in convention in which all of the file's numbers are vertebrae."""
    values = {one.value for one in mask_file.segments}
    for name, labels in BUILT_IN.items():
        fits = values and values <= set(labels.values()) and labels.get(level) in values
        if name != convention.name and fits and not has_names(mask_file):
            return f"; these would fit the convention {name}"
    return ""
