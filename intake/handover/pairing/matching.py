"""Which mask belongs to which CT series: by references, by name, by folder; geometry is the check.

Every rule votes for patients (`intake.handover.pairing.choosing`); rules that contradict each other
match nothing, and the report says which did. Among a patient's series the one on whose grid the
mask lies is taken. Readers are told by the path, or by what parts the masks of one vertebra.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath

from intake.handover.pairing.choosing import Choosing, surname_conflicts
from intake.handover.pairing.mask_paths import Pattern, level_of, normal, read_path
from intake.handover.pairing.parting import readers_by_parting
from intake.handover.pairing.structures_of_mask import follows, label_of, structures
from intake.handover.people.linkage import Linkage
from intake.handover.reading.folders import in_utf_8
from intake.handover.reading.memory import Memory
from intake.handover.reading.metaimage import as_nrrd, is_metaimage
from intake.handover.reading.outlines import Outline
from intake.handover.reading.sources import Handover, Series
from pipeline.core.errors import CaseError, StudyError
from pipeline.core.files import file_hash
from pipeline.imaging.volumes import volume_suffix
from segmentation.formats.mask_files import read_mask_file
from segmentation.structures.label_conventions import BUILT_IN, Convention, convention_of
from segmentation.structures.segments import MaskFile

#: Masks of VerSe bear this in their names, and follow its convention.
_VERSE = "seg-vert_msk"


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
    outline : Outline or None
        Where it lies on its CT.
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
    outline: Outline | None = None


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
    copies : list of (pathlib.Path, str)
        Masks that are another's copy, byte for byte, with what they are.
    """

    rows: list[Row] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    convention: str = ""
    copies: list[tuple[Path, str]] = field(default_factory=list)


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
    sources : Mapping
        Conventions of some folders, by their name: ``--convention FOLDER=NAME``.
    phase : str
        ``--phase``: which phase of a series is meant, where a mask lies on the grid of several.
    """

    pattern: Pattern | None = None
    readers: tuple[str, ...] = ()
    convention: Convention | None = None
    sources: Mapping[str, Convention | None] = field(default_factory=dict)
    phase: str = "ask"

    def convention_of(self, relative: PurePath) -> Convention | None:
        """Return the convention of a mask: its folder's, else VerSe's by its name, else of all."""
        for folder in reversed(relative.parts[:-1]):
            if folder in self.sources:
                return self.sources[folder]
        if self.convention is None and _VERSE in relative.name:
            return convention_of("verse")
        return self.convention


def is_volume(path: Path) -> bool:
    """Return whether a file name is that of a label map or a Slicer segmentation."""
    return volume_suffix(path) is not None or is_metaimage(path)


def match_masks(
    masks: Sequence[Path],
    mask_root: Path,
    dicom_root: Path,
    handover: Handover,
    rules: Rules,
    progress: Callable[[int, int, int], None] = lambda done, total, matched: None,
    memory: Memory | None = None,
    linkage: Linkage | None = None,
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
    memory : Memory, optional
        What was read of masks before.
    linkage : Linkage, optional
        Of the registrations before: a correction of a study's copy bears its pseudonym.
    """
    memory = memory or Memory()
    choosing = Choosing(handover, mask_root, dicom_root, rules.phase, linkage)
    patients = choosing.known.keys() | choosing.folders.keys()
    readers = rules.readers or _reader_folders(masks, mask_root, patients, choosing.holds_cts)
    result = Matched(convention=rules.convention.name if rules.convention else "")
    families = {}
    for done, path in enumerate(masks, start=1):
        relative = path.relative_to(mask_root)
        told = read_path(
            relative, choosing.known, rules.pattern, readers, choosing.folders, choosing.short,
            choosing.families,
        )  # fmt: skip
        families[path] = told.families
        reader = choosing.reader_of(relative, told.reader)
        convention = rules.convention_of(relative)
        try:
            with in_utf_8(path) as named, ExitStack() as opened:
                mask_file = memory.mask(path, partial(_opened, named, opened))
                series, rule, note = choosing.series_of(path, told, mask_file)
                for level, segment in structures(mask_file, told, convention):
                    label = label_of(mask_file, segment)
                    if convention != rules.convention or not follows(segment, level, convention):
                        result.convention = ""
                    result.rows.append(
                        Row(series, path, level, reader, label, rule, note, told.version,
                            outline=mask_file.outline(segment, series))
                    )  # fmt: skip
        except CaseError as error:
            result.failed.append((path, reason_of(error)))
        progress(done, len(masks), done - len(result.failed))
    _refuse_surnames(result, families)
    parting = readers_by_parting(
        [(one.mask.relative_to(mask_root), (one.series.uid, one.series.patient, one.level),
          one.reader, one.version) for one in result.rows],
        patients | choosing.families.keys(),
    )  # fmt: skip
    result.rows = [
        replace(one, reader=one.reader or parting.get(one.mask.relative_to(mask_root)))
        for one in result.rows
    ]
    return without_doubles(_without_copies(result))


def _opened(path: Path, opened: ExitStack) -> MaskFile:
    """Read a mask file; a MetaImage is converted only where the file has to be read."""
    return read_mask_file(opened.enter_context(as_nrrd(path)))


def _refuse_surnames(
    result: Matched, families: Mapping[Path, Mapping[str, frozenset[str]]]
) -> None:
    """Refuse masks whose name holds the surname of another patient than the one matched."""
    conflicts = surname_conflicts(
        (str(one.mask), one.series.patient, families[one.mask]) for one in result.rows
    )
    for path in sorted({one.mask for one in result.rows if str(one.mask) in conflicts}):
        reason = (
            "What tells a mask's patient must agree (found: the surname of another patient in its "
            "path). Remedy: correct the file's name or its folder, or hand in a table (--cases)"
        )
        result.failed.append((path, reason))
    result.rows = [one for one in result.rows if str(one.mask) not in conflicts]


def _reader_folders(
    masks: Iterable[Path], root: Path, known: set[str], holds_cts: Callable[[Path], bool]
) -> tuple[str, ...]:
    """Return the first folders below the root where they are readers: few, and no patients.

    A folder in which CTs lie too is a site or a data set.
    """
    first = {path.relative_to(root).parts[0] for path in masks if path.parent != root}
    if any(holds_cts(root / folder) for folder in first):
        return ()
    several = 2 <= len(first) <= 6 and not any(normal(one) in known for one in first)
    return tuple(sorted(first)) if several and not any(map(level_of, first)) else ()


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
                "--mask-pattern (column reader of a table), end the name of a correction in _v2 "
                "(of its correction in _v3), or remove the copy"
            )
            matched.failed.append((row.mask, reason))
    matched.rows = [row for row in matched.rows if id(row) not in doubled]
    return matched


def _without_copies(matched: Matched) -> Matched:
    """Keep one of several files of one vertebra and reader that are alike, byte for byte."""
    claims: dict[tuple, dict[Path, Row]] = {}
    for row in matched.rows:
        key = (row.series.patient, row.series.uid, row.level, (row.reader or "").casefold())
        claims.setdefault(key, {})[row.mask] = row
    copies = set()
    for files in claims.values():
        first: dict[str, Path] = {}
        for path in sorted(files, key=lambda one: (files[one].version, len(one.name), one.name)):
            if len(files) < 2 or path in copies:
                continue
            original = first.setdefault(file_hash(path), path)
            if original != path:
                copies.add(path)
                if files[path].version > files[original].version:
                    reason = (
                        f"A correction must differ from its original, {original.name} (found: the "
                        "same, byte for byte). Remedy: save the corrected mask under this name, or "
                        "remove the file"
                    )
                    matched.failed.append((path, reason))
                else:
                    matched.copies.append((path, f"a copy of {original.name}, byte for byte"))
    matched.rows = [row for row in matched.rows if row.mask not in copies]
    return matched


def conventions_of(options: Sequence[str]) -> tuple[Convention | None, dict]:
    """Return the convention of all masks, and those of some folders (``FOLDER=NAME``).

    Raises
    ------
    StudyError
        If a name is none that is known, or several are told for all masks.
    """
    everywhere, sources = [], {}
    for option in options:
        folder, _, name = option.rpartition("=")
        if name not in ("none", *BUILT_IN):
            raise StudyError(
                "--convention must be NAME or FOLDER=NAME, with a convention that is known",
                found=option,
                remedy=f"write one of none, {', '.join(BUILT_IN)}",
                code="convention-unknown",
            )
        if folder:
            sources[folder] = convention_of(name)
        else:
            everywhere.append(name)
    if len(everywhere) > 1:
        raise StudyError(
            "One --convention may hold for all masks",
            found=", ".join(everywhere),
            remedy="write FOLDER=NAME for those of a folder below MASK_ROOT",
            code="convention-twice",
        )
    return convention_of(everywhere[0]) if everywhere else None, sources
