"""Which label number or segment name means which vertebra, by a study's convention.

Without column `label`, the level of a case (column `level`) chooses its structure through the
convention that the study names; a file that holds other labels is refused, never guessed at. Names
in a file decide over numbers, which other versions of a convention give to other vertebrae.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from segmentation.structures.level_names import levels_in_name, vertebra_of
from segmentation.structures.segments import (
    MaskFile,
    Segment,
    check_drawn,
    comparable,
    has_names,
    held_by,
    label_number,
    pick_segment,
)

_CERVICAL = [f"C{number}" for number in range(1, 8)]
_THORACIC = [f"T{number}" for number in range(1, 13)]
_LUMBAR = [f"L{number}" for number in range(1, 6)]

#: TotalSegmentator, task `total` of version 1 (class_map["total_v1"]): from L5 upwards.
TOTALSEGMENTATOR_V1 = {
    level: 18 + place
    for place, level in enumerate([*_LUMBAR[::-1], *_THORACIC[::-1], *_CERVICAL[::-1]])
}
#: The same, version 2 (class_map["total"]): from the sacrum's first vertebra upwards.
TOTALSEGMENTATOR = {
    level: 26 + place
    for place, level in enumerate(["S1", *_LUMBAR[::-1], *_THORACIC[::-1], *_CERVICAL[::-1]])
}
#: Its tasks `vertebrae_pp` and `vertebrae_pp_refined`: from the atlas downwards.
TOTALSEGMENTATOR_PP = {
    level: 1 + place for place, level in enumerate([*_CERVICAL, *_THORACIC, *_LUMBAR])
}
#: VerSe 2020: from the atlas downwards; 26 and 27 are sacrum and coccyx, no vertebra of a study.
VERSE = {**TOTALSEGMENTATOR_PP, "L6": 25, "T13": 28}
BUILT_IN = {
    "totalsegmentator_v1": TOTALSEGMENTATOR_V1,
    "totalsegmentator": TOTALSEGMENTATOR,
    "totalsegmentator_pp": TOTALSEGMENTATOR_PP,
    "verse": VERSE,
}


@dataclass(frozen=True)
class Convention:
    """How a study's mask files call the vertebrae.

    Attributes
    ----------
    name : str
        One of `BUILT_IN`, or ``own``.
    labels : Mapping
        Level -> label number, or segment name.
    """

    name: str
    labels: Mapping[str, int | str]


def convention_of(option: str | Mapping) -> Convention | None:
    """Return the convention of the option `masks.convention`, None for ``none``."""
    if isinstance(option, Mapping):
        labels = {level: label_number(str(label)) for level, label in option.items()}
        own = {level: option[level] if one is None else one for level, one in labels.items()}
        return Convention("own", own)
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
        A warning where the label means another level by the convention or by its name.

    Raises
    ------
    CaseError
        If nothing fits, or more than one structure does; the file's content is listed.
    """
    if convention is None or label is not None:
        segment = pick_segment(mask_file, label)
        findings = check_name(segment, level, label)
        if convention is not None and not levels_of(segment):
            findings += _contradiction(segment, level, convention)
        return segment, findings
    check_drawn(mask_file)
    found = named_segments(mask_file, level, convention)
    wanted = convention.labels.get(level)
    if not found and wanted is None:
        raise CaseError(
            "The convention of labels must say which label a level has",
            found=f"no {level} in the convention {convention.name}",
            remedy="write the label into column `label`, or add the level to masks.convention",
            code="convention-without-level",
        )
    if not found and numbers_count(mask_file, convention):
        found = [one for one in mask_file.segments if one.value == wanted]
    if len(found) != 1:
        raise _not_chosen(mask_file, level, convention, found)
    (segment,) = found
    mask_file.check(segment)
    findings = check_name(segment, level, label)
    if mask_file.numbered and convention.name != "own" and segment.value != wanted:
        findings.append(
            Finding(
                "names-over-numbers",
                "info",
                f"The file names its label {segment.value} {level}, and names decide; in the "
                f"convention {convention.name} {level} is "
                + (f"label {wanted}" if wanted is not None else "no label"),
                "nothing to do if the names are right",
            )
        )
    return segment, findings


def named_segments(
    mask_file: MaskFile, level: str, convention: Convention | None = None
) -> list[Segment]:
    """Return the structures whose name is that of a level.

    Parameters
    ----------
    mask_file : MaskFile
        The file's content.
    level : str
        Vertebral level.
    convention : Convention, optional
        The study's convention; a name in an own map stands alone.
    """
    wanted = None if convention is None else convention.labels.get(level)
    if isinstance(wanted, str):
        wanted = comparable(wanted).casefold()
        return [
            one for one in mask_file.segments if comparable(one.name or "").casefold() == wanted
        ]
    return [one for one in mask_file.segments if _vertebra(one) == level]


def levels_of(segment: Segment) -> set[str]:
    """Return the levels of which a structure's name speaks, else the codes beside it."""
    coded = {level for one in segment.meanings if (level := vertebra_of(one))}
    return levels_in_name(segment.name or "") or coded


def _vertebra(segment: Segment) -> str | None:
    """Return the level of a structure: by its name, else by the codes beside it."""
    if levels_in_name(segment.name or ""):
        return vertebra_of(segment.name)
    levels = levels_of(segment)
    return next(iter(levels)) if len(levels) == 1 else None


def check_name(segment: Segment, level: str, label: str | None) -> list[Finding]:
    """Compare a structure's name in its file with the level of the case.

    Parameters
    ----------
    segment : Segment
        The structure that was chosen.
    level : str
        Column `level`; blank where nobody asks for one.
    label : str or None
        Column `label`. Who writes a name there knows it; a number is easily that of another
        version of a convention.

    Returns
    -------
    list of Finding
        A warning where the column names a structure of another level by its name.

    Raises
    ------
    CaseError
        If the file calls the structure by another level, and the column does not.
    """
    named = levels_of(segment)
    if not level or not named:
        return []
    other = {one for one in map(vertebra_of, segment.meanings) if one} - named
    if level in named and not other:
        return []
    if label is not None and label_number(label) is None:
        said, by = (other, "code") if level in named else (named, "name")
        return [_other_level(f"Label {segment} is {' and '.join(sorted(said))} by its {by}", level)]
    if level in named:
        raise CaseError(
            "The name of a structure and its code must mean the same level",
            found=f"{segment}, whose code means {' and '.join(sorted(other))}",
            remedy="correct the name or the code (terminology) in the program that drew it; or "
            "write the name into column `label`, if it is right",
            code="structure-code-disagrees",
        )
    raise CaseError(
        "A structure must not bear the name of another level than its case",
        found=f"{segment} for {level}",
        remedy="correct column `level` or `label`; if this structure is meant, write its name into "
        "column `label`, or rename it in the file",
        code="structure-of-another-level",
    )


def numbers_count(mask_file: MaskFile, convention: Convention) -> bool:
    """Return whether a number may choose where no name does.

    A label map's numbers do not if its names show that it follows another convention; in other
    formats programs number the segments from one, so that only an own map may speak of them.
    """
    if convention.name == "own" or not has_names(mask_file):
        return True
    for one in mask_file.segments:
        number = convention.labels.get(_vertebra(one))
        if number is not None and number != one.value:
            return False
    return mask_file.numbered


def _not_chosen(
    mask_file: MaskFile, level: str, convention: Convention, found: list[Segment]
) -> CaseError:
    wanted = convention.labels.get(level)
    if isinstance(wanted, str):
        meant = f"segment '{wanted}'"
    else:
        meant = f"segment '{level}'" if has_names(mask_file) else f"label {wanted}"
    return CaseError(
        "Without column `label`, the labels of a mask must follow the study's convention",
        found=f"{'more than one' if found else 'no'} {meant} (for {level} in the convention "
        f"{convention.name}); {held_by(mask_file)}{_fitting(mask_file, level, convention)}",
        remedy="write the label into column `label`, or correct masks.convention",
        code="labels-off-convention",
    )


def _contradiction(segment: Segment, level: str, convention: Convention) -> list[Finding]:
    """Warn where a label's number, or a name of an own map, means another level."""
    meant = [
        one
        for one, label in convention.labels.items()
        if label == segment.value
        or (isinstance(label, str) and comparable(label) == comparable(segment.name or ""))
    ]
    if segment.name is not None and convention.name != "own":
        return []  # programs number the segments of a file from one
    if not meant or level in meant or not level:
        return []
    return [
        _other_level(f"Label {segment} is {meant[0]} in the convention {convention.name}", level)
    ]


def _other_level(said: str, level: str) -> Finding:
    return Finding(
        "label-of-another-level",
        "warning",
        f"{said}, but the case is {level}",
        "correct column `label` or column `level`",
    )


def _fitting(mask_file: MaskFile, level: str, convention: Convention) -> str:
    """Name the built-in conventions in which all of the file's numbers are vertebrae."""
    values = {one.value for one in mask_file.segments}
    if not values or any(map(levels_of, mask_file.segments)):
        return ""
    fits = [
        name
        for name, labels in BUILT_IN.items()
        if name != convention.name
        and values <= set(labels.values())
        and labels.get(level) in values
    ]
    if not fits or (has_names(mask_file) and not mask_file.numbered):
        return ""
    word = "convention" if len(fits) == 1 else "conventions"
    return f"; these would fit the {word} {' and '.join(fits)}"
