"""The pseudonymous study on disk: numbered files, the table of masks, templates, the marker."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd

from intake.handover.pairing.matching import Row, reason_of
from intake.handover.people.linkage import Linkage
from intake.handover.reading.metaimage import as_nrrd, is_metaimage
from intake.handover.reading.sources import Series
from intake.handover.writing.cleaning import WORDS, clean_dicom, texts_of
from intake.handover.writing.cleaning_volumes import clean_volume
from intake.handover.writing.copying import Task, copy_slices
from intake.identity.byte_search import Search, SearchWhenAsked
from intake.identity.identities import read_header
from intake.identity.variants import is_dicom_term
from pipeline.core.errors import CaseError
from pipeline.core.files import (
    csv_text,
    file_hash,
    json_hash,
    unescaped,
    whole_file,
    whole_folder,
)
from pipeline.imaging.volumes import volume_suffix
from pipeline.running.workers.parallel import Workers
from pipeline.tables.cases import HANDED_IN
from pipeline.tables.registered import write_marker

Headers = Literal["clean", "keep"]
Changed = Literal["version", "replace"]

DICTIONARY = [
    ["column", "label", "type", "unit", "levels", "timing", "role"],
    ["enrolment", "Order of enrolment", "ordinal", "", "", "preoperative", "split"],
]


class Names:
    """Names of segments that may stay, and texts of headers.

    Parameters
    ----------
    search : Search or SearchWhenAsked
        Everything that identifies.
    people : sequence of str, optional
        Kinds of identity that tell patients and staff apart. Texts about a machine are compared
        with these only, since other fields of a header repeat the machine's own words. By default
        with all.

    Attributes
    ----------
    replaced : int
        Names that were replaced.
    left_out : Counter
        Texts that were left out, by keyword.
    known : dict of str to bool
        Texts that were asked for, and whether they may stay.
    harmless : set of str
        Names that were asked for and may stay.
    """

    def __init__(
        self, search: Search | SearchWhenAsked, people: Sequence[str] | None = None
    ) -> None:
        self.search, self.people = search, people
        self.replaced = 0
        self.left_out: Counter[str] = Counter()
        self.known: dict[str, bool] = {}
        self.harmless: set[str] = set()

    def __call__(self, name: str, number: object) -> str:
        """Return a segment's name, or a number in its place where it identifies a person."""
        if name in self.harmless:
            return name
        if next(self.search.matches(name.encode()), None) is None:
            self.harmless.add(name)
            return name
        self.replaced += 1
        return f"structure {number}"

    def allows(self, keyword: str, text: str) -> bool:
        """Return whether a text of a header names nobody; what may not stay is counted."""
        if text not in self.known:
            hits = () if is_dicom_term(text) else self.search.matches(text.encode())
            kinds = (hit.pattern.identity.kind for hit in hits)
            self.known[text] = not any(self.people is None or one in self.people for one in kinds)
        if not self.known[text]:
            self.left_out[keyword] += 1
        return self.known[text]


class StudyTree:
    """Writes images and masks under pseudonymous names.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the study.
    linkage : Linkage
        Gives pseudonyms, and remembers what is written.
    headers : {'clean', 'keep'}
        Copies without identity; or hard links (copies where the disk cannot link) with it.
    names : Names
        Renames segments that identify.
    changed : {'version', 'replace'}
        What a mask is whose content changed since it was registered.
    workers : Workers, optional
        Processes that copy slices; by default this one alone does.

    Attributes
    ----------
    edited : dict of pathlib.Path to str
        Masks that were edited in place since the last registration, or whose copies in the study
        were, with what became of them.
    """

    def __init__(
        self, out: Path, linkage: Linkage, headers: Headers, names: Names,
        changed: Changed = "version", workers: Workers | None = None,
    ) -> None:  # fmt: skip
        self.out, self.linkage, self.headers, self.names = out, linkage, headers, names
        self.changed = changed
        self.workers = workers or Workers()
        self.linked = self.copied = self.untouched = 0
        self.edited: dict[Path, str] = {}
        self._series_of: dict[str, str] = {}

    def know(self, series: Iterable[Series]) -> None:
        """Learn which SeriesInstanceUIDs are one series, where each slice has its own."""
        for one in series:
            if len(one.uids) > 1:
                self._series_of |= dict.fromkeys(one.uids, one.uid)

    def uid(self, original: str) -> str:
        """Return the UID that stands for another in the study."""
        return self.linkage.uid(self._series_of.get(original, original))

    def clear_orphans(self) -> None:
        """Remove images and masks that the table of masks does not name.

        A registration that was killed leaves such files, and so does a patient whose mask could
        not be copied after the CT was.
        """
        named: set[str] = set()
        table = self.out / "cases.csv"
        if table.exists():
            cases = pd.read_csv(table, dtype=str)
            named = {*cases["image"], *cases["mask"]}
        for folder in (self.out / "images", self.out / "masks"):
            for path in folder.iterdir() if folder.is_dir() else ():
                scan_id = re.match(r"[A-Z0-9]+-ct\d+", path.name)
                ours = scan_id is not None and scan_id[0] in self.linkage.scans
                if ours and path.relative_to(self.out).as_posix() not in named:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            with contextlib.suppress(OSError):
                folder.rmdir()  # where nothing is left
        with contextlib.suppress(OSError):
            self.out.rmdir()

    def image(self, row: Row) -> tuple[str, str]:
        """Write a series, unless it lies there already; return its scan and its path."""
        series = row.series
        if self.headers == "keep" and len(series.uids) > 1:
            raise CaseError(
                "A series must have one SeriesInstanceUID where headers are kept",
                found=f"{len(series.uids)}",
                remedy="leave out --headers keep: copies get one",
                code="series-uid-ambiguous",
            )
        patient = self.linkage.patient(series.patient)
        scan_id = self.linkage.scan(patient, series.uid)
        known = self.linkage.scans[scan_id]
        known["date"] = series.date
        known["accessions"] = sorted(series.accessions)
        known["source"] = str(series.files[0].parent)
        state = [self.headers, *sorted(_state(file) for file in series.files)]
        volume = volume_suffix(series.files[0]) if len(series.files) == 1 else None
        target = self.out / "images" / (scan_id + (volume or ""))
        if known.get("state") == json_hash(state) and target.exists():
            self.untouched += len(series.files)
        elif volume:
            self._write(series.files[0], target)
        else:
            width = max(4, len(str(len(series.files))))
            with whole_folder(target) as beside:
                self._write_slices(
                    [(file, beside / f"{number:0{width}d}.dcm")
                     for number, file in enumerate(sorted(series.files), start=1)]
                )  # fmt: skip
        known["state"] = json_hash(state)
        return scan_id, target.relative_to(self.out).as_posix()

    def mask(self, row: Row, scan_id: str, reader: str, *, shared: bool) -> tuple[str, int, str]:
        """Write a mask, unless it lies there already; return its case, version and path.

        Parameters
        ----------
        row : Row
            The mask.
        scan_id, reader : str
            Pseudonyms.
        shared : bool
            Whether the file holds several cases: it is named by the scan then.
        """
        case_id = f"{scan_id}-{row.level}"
        before = self.linkage.masks.get(f"{case_id}|{reader}", ())
        in_place = any(known["source"] == str(row.mask) for known in before)
        version, new = self.linkage.version(
            case_id, reader, file_hash(row.mask), str(row.mask),
            row.version if self.changed == "replace" else None,
        )  # fmt: skip
        suffix = _mask_suffix(row.mask)
        mark = f"_v{version}" if version > 1 else ""
        name = f"{scan_id if shared else case_id}_{reader}{mark}{suffix}"
        target = self.out / "masks" / name
        if target.exists() and not new:
            self.untouched += 1
            self._check_copy(row.mask, target, self.linkage.copy_of(case_id, reader, version))
        else:
            self._write(row.mask, target)
            self.linkage.written(case_id, reader, version, file_hash(target))
        if new and in_place:
            instead = "" if self.changed == "version" else ", in place of the old one"
            self.edited[row.mask] = (
                f"edited in place since the last time: taken as version {version}{instead}"
            )
        return case_id, version, target.relative_to(self.out).as_posix()

    def _check_copy(self, source: Path, target: Path, written: str | None) -> None:
        """Say of a copy in the study that somebody edited it: no later intake takes that in."""
        if written is not None and file_hash(target) != written:
            self.edited[source] = (
                f"its copy {target.relative_to(self.out).as_posix()} in the study was edited: save "
                "that file beside this original, with _v2 behind its name, and run the intake again"
            )

    def _write_slices(self, files: list[tuple[Path, Path]]) -> None:
        if self.headers == "keep":
            for source, target in files:
                self._write(source, target)
            return

        def clean(source: Path, target: Path) -> None:
            clean_dicom(source, target, self.uid, self.names, self.names.allows, whole=False)

        def task(some: Sequence[tuple[Path, Path]]) -> Task:
            names = self.names
            return Task(
                some, self.linkage.key, self._series_of, names.known, frozenset(names.harmless)
            )

        self.names.left_out.update(copy_slices(files, clean, task, self.workers))
        self.copied += len(files)

    def _write(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.headers == "keep" and not is_metaimage(source):
            self._check_words(source)
            target.unlink(missing_ok=True)
            try:
                os.link(source.resolve(), target)
                self.linked += 1
            except OSError:
                shutil.copyfile(source, target)
                self.copied += 1
            return
        if volume_suffix(source) is not None or is_metaimage(source):
            with as_nrrd(source) as readable:
                clean_volume(readable, target, self.names, self.names.allows)
        else:
            clean_dicom(source, target, self.uid, self.names, self.names.allows)
        self.copied += 1

    def _check_words(self, source: Path) -> None:
        """Raise `CaseError` where a word that results repeat, such as the scanner, names somebody.

        With ``--headers keep`` the files stay as they are, and nothing can be left out of them.
        """
        header = None if volume_suffix(source) else read_header(source)
        for keyword in sorted(WORDS) if header is not None else ():
            texts = texts_of(header[keyword]) if keyword in header else ()
            if not all(self.names.allows(keyword, one) for one in texts):
                raise CaseError(
                    "A word of the header that results repeat must not name a patient",
                    found=keyword,
                    remedy="run the intake with --headers clean, which leaves it out",
                    code="header-word-names-patient",
                )


def _state(file: Path) -> str:
    facts = file.stat()
    return f"{facts.st_size} {facts.st_mtime_ns}"


def _mask_suffix(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(".seg.nrrd"):
        return ".seg.nrrd"
    return ".nrrd" if is_metaimage(path) else volume_suffix(path) or ".dcm"


def write_rows(
    rows: Iterable[Row],
    tree: StudyTree,
    failed: list[tuple[Path, str]],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[tuple[Row, dict]]:
    """Write the files of all rows and return each with its row of the table of masks.

    A file that cannot be copied without identity is left out with all of its rows and added to
    `failed`.

    Parameters
    ----------
    rows : iterable of Row
        What was matched.
    tree : StudyTree
        Writes the files.
    failed : list of (pathlib.Path, str)
        Masks that were not matched, with the reason; added to.
    progress : callable
        Told how many masks are written with their CTs, of how many.
    """
    rows = sorted(rows, key=lambda row: (row.series.patient, row.level, row.version))
    cases_of: dict[Path, int] = {}
    for row in rows:
        cases_of[row.mask] = cases_of.get(row.mask, 0) + 1
    written = []
    for done, row in enumerate(rows):
        progress(done, len(rows))
        reader = tree.linkage.reader(row.reader or "A")
        try:
            scan_id, image = tree.image(row)
            shared = cases_of[row.mask] > 1
            case_id, version, mask = tree.mask(row, scan_id, reader, shared=shared)
        except CaseError as error:
            failed.append((row.mask, reason_of(error)))
            continue
        label = None if row.label is None else tree.names(row.label, "")
        values = [
            tree.linkage.scans[scan_id]["patient"],
            *(scan_id, case_id, row.level, reader, str(version), image, None, mask),
            *(label, None if row.days is None else str(row.days)),
        ]
        note = "; ".join(filter(None, (row.note, tree.edited.get(row.mask, ""))))
        written.append((replace(row, note=note), dict(zip(HANDED_IN, values, strict=True))))
    progress(len(rows), len(rows))
    return written


def merge_cases(out: Path, new: list[dict]) -> pd.DataFrame:
    """Return the study's table of masks: what was registered before, and what is new."""
    table = pd.DataFrame(new, columns=HANDED_IN, dtype=object)
    path = out / "cases.csv"
    if path.exists():
        before = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
        before = before.map(unescaped, na_action="ignore").reindex(columns=HANDED_IN)
        table = pd.concat([before.astype(object).where(before.notna(), None), table])
    key = ["case_id", "reader", "version"]
    table = table.drop_duplicates(key, keep="last").sort_values(key, ignore_index=True)
    return table


def write_tables(
    out: Path, cases: pd.DataFrame, template: pd.DataFrame, linkage: Linkage, headers: Headers,
    rules: dict[str, str], convention: str = "",
) -> None:  # fmt: skip
    """Write the table of masks, the templates, and last the marker.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the study.
    cases : pandas.DataFrame
        From `merge_cases`.
    template : pandas.DataFrame
        ``patient_id, enrolment``.
    linkage : Linkage
        For keyed hashes of the series.
    headers : {'clean', 'keep'}
        What images and masks still hold.
    rules : dict of str to str
        By which rule each new scan was matched.
    convention : str
        What all masks follow, where intake was told.
    """
    for name, table in (
        ("cases.csv", cases),
        ("clinical_template.csv", template),
        ("dictionary_template.csv", pd.DataFrame(DICTIONARY[1:], columns=DICTIONARY[0])),
    ):
        text = csv_text(table)
        path = out / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            with whole_file(path) as beside:
                beside.write_text(text, encoding="utf-8")
    scans = {}
    for scan_id in sorted(cases["scan_id"].unique()):
        known = linkage.scans[scan_id]
        if scan_id in rules:
            known["rule"] = rules[scan_id]
        scans[scan_id] = {
            "series_key": linkage.series_key(known["series"]),
            "rule": known.get("rule", "unknown"),
        }
    told = {"convention": convention} if convention else {}
    write_marker(out, "register", cases, scans, headers=headers, **told)
