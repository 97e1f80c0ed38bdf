"""Which mask belongs to which CT series: by references, by name, by folder; geometry is the check.

Every rule votes for patients; rules that contradict each other match nothing, and the report says
which did. Among a patient's series the one on whose grid the mask lies is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from intake.handover.folders import in_utf_8
from intake.handover.names import Pattern, Told, is_telling, level_of, normal, read_path
from intake.handover.persons import canonical
from intake.handover.sources import Handover, Series
from pipeline.core.errors import CaseError
from pipeline.imaging.volumes import volume_suffix
from segmentation.formats.mask_files import read_mask_file
from segmentation.structures.label_conventions import (
    Convention,
    check_name,
    levels_of,
    numbers_count,
)
from segmentation.structures.segments import MaskFile, Segment, comparable, first_drawn

#: What programs write into a mask of one structure.
BINARY = (1, 255)


@dataclass(frozen=True)
class Row:
    """One mask of one vertebra by one reader, matched.

    Attributes
    ----------
    series : Series
        Its CT.
    mask : pathlib.Path
        Its file.
    level : str
        Vertebral level.
    reader : str or None
        As the path tells; None where nothing does.
    label : str or None
        Number (or name) of the structure in the file.
    rule : str
        What matched it.
    note : str
        What a person should check.
    version : int
        1 for the reader's first mask, 2 and up for corrections, as the name tells.
    days : int or None
        Days from surgery to the scan, where a table says so.
    """

    series: Series
    mask: Path
    level: str
    reader: str | None
    label: str | None
    rule: str
    note: str = ""
    version: int = 1
    days: int | None = None


@dataclass
class Matched:
    """What was matched and what was not.

    Attributes
    ----------
    rows : list of Row
        Matched masks.
    failed : list of (pathlib.Path, str)
        Masks that were not matched, with the reason.
    convention : str
        The convention that intake was told, where every mask follows it by its numbers; the study's
        configuration may name it then. Else empty.
    """

    rows: list[Row] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    convention: str = ""


@dataclass(frozen=True)
class Rules:
    """How masks are read and matched.

    Attributes
    ----------
    pattern : Pattern or None
        ``--mask-pattern``.
    readers : tuple of str
        ``--readers``: names to look for.
    convention : Convention or None
        ``--convention``: which label number means which level.
    """

    pattern: Pattern | None = None
    readers: tuple[str, ...] = ()
    convention: Convention | None = None


def is_volume(path: Path) -> bool:
    """Return whether a file name is that of a label map or a Slicer segmentation."""
    return volume_suffix(path) is not None


def match_masks(
    masks: Sequence[Path],
    mask_root: Path,
    dicom_root: Path,
    handover: Handover,
    rules: Rules,
    progress: Callable[[int, int, int], None] = lambda done, total, matched: None,
) -> Matched:
    """Match every mask to a series.

    Parameters
    ----------
    masks : sequence of pathlib.Path
        Mask files below `mask_root`.
    mask_root, dicom_root : pathlib.Path
        The folders that were handed over.
    handover : Handover
        Series, and patients of DICOM masks.
    rules : Rules
        How.
    progress : callable
        Told how many masks were looked at, of how many, and how many of them were matched.
    """
    known: dict[str, set[str]] = {}
    short: dict[str, set[str]] = {}
    folders: dict[str, set[str]] = {}
    for series in handover.series:
        for texts, meant in ((series.known_as, known), (series.folders, folders)):
            for text in map(normal, texts):
                if is_telling(text):
                    meant.setdefault(text, set()).add(series.patient)
        for text in series.known_as:
            for spelled in (normal(text), normal(canonical(text))):
                short.setdefault(spelled, set()).add(series.patient)
    readers = rules.readers or _reader_folders(masks, mask_root, known.keys() | folders.keys())
    result = Matched(convention=rules.convention.name if rules.convention else "")
    for done, path in enumerate(masks, start=1):
        told = read_path(path.relative_to(mask_root), known, rules.pattern, readers, folders, short)
        try:
            with in_utf_8(path) as readable:
                mask_file = read_mask_file(readable)
                series, rule, note = _series_of(
                    path, told, mask_file, mask_root, dicom_root, handover
                )
                for level, segment in structures(mask_file, told, rules.convention):
                    label = label_of(mask_file, segment)
                    if not _follows(segment, level, rules.convention):
                        result.convention = ""
                    result.rows.append(
                        Row(series, path, level, told.reader, label, rule, note, told.version)
                    )
        except CaseError as error:
            result.failed.append((path, reason_of(error)))
        progress(done, len(masks), done - len(result.failed))
    return without_doubles(result)


def _reader_folders(masks: Iterable[Path], root: Path, known: set[str]) -> tuple[str, ...]:
    """Return the first folders below the root where they are readers: few, and no patients."""
    first = {path.relative_to(root).parts[0] for path in masks if path.parent != root}
    several = 2 <= len(first) <= 6 and not any(normal(one) in known for one in first)
    return tuple(sorted(first)) if several and not any(map(level_of, first)) else ()


def _series_of(
    path: Path,
    told: Told,
    mask_file: MaskFile,
    mask_root: Path,
    dicom_root: Path,
    handover: Handover,
) -> tuple[Series, str, str]:
    """Return the series of a mask, the rule that found it, and what to check."""
    if told.stranger:
        raise CaseError(
            "The patient that --mask-pattern reads in a name must have a CT series",
            found="an id or name that no header bears",
            remedy="correct the name or the pattern, or hand in the CT",
            code="mask-of-a-stranger",
        )
    referenced = [one for one in handover.series if one.uid in mask_file.references]
    votes = {
        "DICOM reference": {one.patient for one in referenced},
        "DICOM patient": _known({handover.mask_headers.get(path)}, handover),
        "name": set(told.patients),
        "folder": _by_folder(path, mask_root, dicom_root, handover),
    }
    votes = {rule: patients for rule, patients in votes.items() if patients}
    if not votes:
        for one in handover.series:
            if any(path.parent in file.parents for file in one.files):
                _sound(one)
        fits = _fitting(mask_file, handover.series)
        folders = sorted({one.files[0].parent.as_posix() for one in fits})
        hint = f"; it lies on the grid of the series in {', '.join(folders[:3])}" if fits else ""
        raise CaseError(
            "A mask must be matched to a patient by reference, name or folder",
            found=f"neither{hint}",
            remedy="write the patient's id into the file's name (ids of one or two letters need "
            "--mask-pattern), or hand in a table (--cases)",
            code="mask-matches-no-patient",
        )
    common = set.intersection(*votes.values())
    if not common:
        raise CaseError(
            "What tells a mask's patient must agree",
            found=" against ".join(votes),
            remedy="correct the file's name or its folder, or hand in a table (--cases)",
            code="mask-patients-disagree",
        )
    if len(common) > 1:
        raise CaseError(
            "A mask must be matched to one patient",
            found=f"{len(common)} patients by {', '.join(votes)}",
            remedy="name one patient in the file's path, or hand in a table (--cases)",
            code="mask-matches-several-patients",
        )
    patient = common.pop()
    candidates = [one for one in referenced or handover.series if one.patient == patient]
    fits = _fitting(mask_file, candidates)
    rule = " and ".join(votes)
    if len(fits) == 1:
        return _sound(fits[0]), f"{rule}, grid", "; ".join(fits[0].notes)
    if len(candidates) == 1:
        one = _sound(candidates[0])
        return one, rule, "; ".join([_why_not(mask_file, one), *one.notes])
    for one in candidates:
        _sound(one)
    raise CaseError(
        "A mask must be matched to one series of its patient",
        found=f"{len(fits)} of {len(candidates)} series with its grid",
        remedy="hand in the series on which it was drawn only, or a table (--cases)",
        code="mask-matches-no-one-series",
    )


def _sound(series: Series) -> Series:
    """Return a series, or refuse it where its headers contradict one another."""
    if series.problem:
        raise CaseError(series.problem, code="series-contradictory")
    return series


def _why_not(mask_file: MaskFile, series: Series) -> str:
    """Return why a mask does not lie on the grid of the only series that it can belong to."""
    if not mask_file.segments or all(map(mask_file.is_empty, mask_file.segments)):
        return "nothing is drawn in the mask"
    if series.grid is None:
        return "the slices of its CT do not lie in a regular stack"
    return "the mask does not lie on the grid of its CT"


def _known(patients: set, handover: Handover) -> set[str]:
    return patients & {one.patient for one in handover.series}


def _by_folder(path: Path, mask_root: Path, dicom_root: Path, handover: Handover) -> set[str]:
    """Return the one patient whose series lie in the same folder, or in a folder of one name."""
    below = path.relative_to(mask_root).parent
    for folder in (below, *below.parents):
        if folder == Path():
            return set()
        for place in (mask_root / folder, dicom_root / folder):
            there = {
                one.patient
                for one in handover.series
                if any(place in file.parents for file in one.files)
            }
            if len(there) == 1:
                return there
    return set()


def _fitting(mask_file: MaskFile, series: Iterable[Series]) -> list[Series]:
    segment = first_drawn(mask_file)
    if segment is None:
        return []
    return [one for one in series if one.grid is not None and mask_file.fits(segment, one.grid)]


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


def _follows(segment: Segment | None, level: str, convention: Convention | None) -> bool:
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


def reason_of(error: CaseError) -> str:
    """Return an error in the words of the hospital's report, whose row names the file."""
    found = f" (found: {error.found})" if error.found is not None else ""
    remedy = f". Remedy: {error.remedy}" if error.remedy else ""
    return f"{error.rule}{found}{remedy}"


def without_doubles(matched: Matched) -> Matched:
    """Move masks that claim the same vertebra and reader to those that were not matched."""
    claims: dict[tuple, list[Row]] = {}
    for row in matched.rows:
        reader = (row.reader or "").casefold()
        key = (row.series.patient, row.series.uid, row.level, reader, row.version)
        claims.setdefault(key, []).append(row)
    doubled = {id(row) for rows in claims.values() if len(rows) > 1 for row in rows}
    for row in matched.rows:
        if id(row) in doubled:
            reason = (
                f"Another file is of the same CT, level ({row.level}) and reader "
                f"({row.reader or 'none told'}). Remedy: name the readers by --readers or "
                "--mask-pattern (column reader of a table), end the name of a correction in _v2, "
                "or remove the copy"
            )
            matched.failed.append((row.mask, reason))
    matched.rows = [row for row in matched.rows if id(row) not in doubled]
    return matched
