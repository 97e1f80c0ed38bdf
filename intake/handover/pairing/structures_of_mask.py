"""Which vertebrae a mask file holds: by its path's level, its structures' names, their numbers."""

from __future__ import annotations

from collections.abc import Iterable

from intake.handover.pairing.mask_paths import Told, level_of
from pipeline.core.errors import CaseError
from segmentation.structures.label_conventions import (
    Convention,
    check_name,
    levels_of,
    numbers_count,
)
from segmentation.structures.segments import MaskFile, Segment, comparable

#: What programs write into a mask of one structure.
BINARY = (1, 255)


def structures(
    mask_file: MaskFile, told: Told, convention: Convention | None
) -> list[tuple[str, Segment | None]]:
    """Return the vertebrae of a mask file, each with its structure.

    The path's level goes with the file's only structure, or with the one of this level. Without a
    level in the path, the structures' names tell, or their numbers by the convention.

    Raises
    ------
    CaseError
        If nothing tells, or if path and names contradict each other.
    """
    levels: dict[str, list[Segment]] = {}
    for segment in mask_file.segments:
        level = _level_of_segment(mask_file, segment, convention)
        if level is not None:
            levels.setdefault(level, []).append(segment)
    if told.contradiction is not None and told.levels != levels.keys():
        raise CaseError(
            "A mask's name must hold one level, or the levels of its structures",
            found=told.contradiction,
            remedy="name the file by one level, or its structures by those levels",
            code="mask-levels-contradict",
        )
    if told.level is not None and not mask_file.segments:
        return [(told.level, None)]  # nothing drawn: preflight tells the reader
    if told.level is not None:
        fitting = levels.get(told.level, [])
        if not fitting and len(mask_file.segments) == 1 and not levels:
            fitting = mask_file.segments
        elif not fitting and len(mask_file.segments) == 1 and _is_number(mask_file):
            _check_number(mask_file.segments[0], told.level, levels, convention)
            fitting = mask_file.segments
        if len(fitting) == 1:
            check_name(fitting[0], told.level, None)
            return [(told.level, fitting[0])]
        raise CaseError(
            "A mask file must hold one structure of the level in its name",
            found=f"{len(mask_file.segments)} structures, {len(fitting)} of them of {told.level}",
            remedy="name the structures by level, give --convention, or hand in a table (--cases)",
            code="mask-structures-ambiguous",
        )
    chosen = [(level, found[0]) for level, found in levels.items() if len(found) == 1]
    for level, segment in chosen:
        check_name(segment, level, None)
    if not chosen:
        raise CaseError(
            "A mask must tell its level, in its name or in those of its structures",
            found=f"{len(mask_file.segments)} structures without a level",
            remedy="rename the file, give --mask-pattern or --convention, or a table (--cases)",
            code="mask-level-unknown",
        )
    return chosen


def follows(segment: Segment | None, level: str, convention: Convention | None) -> bool:
    """Return whether a structure's number is that of its level by the convention."""
    return (
        convention is not None
        and segment is not None
        and segment.name is None
        and convention.labels.get(level) == segment.value
    )


def _check_number(
    segment: Segment, level: str, levels: Iterable[str], convention: Convention | None
) -> None:
    """Refuse a label map whose one number is another level than its name says.

    Drawn is 1 or 255 in a mask of one structure, whatever the convention says of them.
    """
    meant = next(iter(levels), None)
    if convention is not None and meant not in (None, level) and segment.value not in BINARY:
        raise CaseError(
            "The name of a mask and its label must mean the same level",
            found=f"{level} in its name, label {segment.value}, which is {meant} in the convention "
            f"{convention.name}",
            remedy="correct the name; or leave out --convention if it does not hold for this file",
            code="mask-level-disagrees",
        )


def _is_number(mask_file: MaskFile) -> bool:
    """Return whether the first structure of a file is a number, with no name that tells a level."""
    first = mask_file.segments[0]
    return first.name is None or (mask_file.numbered and not levels_of(first))


def _level_of_segment(
    mask_file: MaskFile, segment: Segment, convention: Convention | None
) -> str | None:
    """Return the level of a structure: by its name, else by its number where numbers count."""
    if segment.name is not None:
        name = comparable(segment.name)
        words = [name, *name.replace("_", " ").replace("-", " ").split()]
        found = {one for word in words if (one := level_of(word)) is not None}
        found = found or levels_of(segment)
        if found or not mask_file.numbered:
            return found.pop() if len(found) == 1 else None
    if convention is None or not numbers_count(mask_file, convention):
        return None
    return next((one for one, label in convention.labels.items() if label == segment.value), None)


def label_of(mask_file: MaskFile, segment: Segment | None) -> str | None:
    """Return what column `label` says of a structure: its number where that is enough."""
    if segment is None or len(mask_file.segments) == 1:
        return None
    alike = [one for one in mask_file.segments if one.value == segment.value]
    return str(segment.value) if len(alike) == 1 else segment.name
