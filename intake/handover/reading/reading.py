"""Headers of what a hospital hands over, read once each.

This is the only place that reads names and dates of patients: for the series that a file belongs
to, for who was scanned (`intake.handover.reading.patients`), and for the identity values that must
never be seen again.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from intake.handover.people.persons import (
    Person,
    canonical,
    contradictions,
    one_person,
)
from intake.handover.reading.damage import DamagedError, named, read_mapped
from intake.handover.reading.facts import Facts, facts_of
from intake.handover.reading.memory import Memory
from intake.handover.reading.patients import settle
from intake.handover.reading.sources import Handover, Image
from intake.identity.identities import of_path
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.running.workers.parallel import Workers

#: More processes than these read no faster from one disk.
MOST = 8

#: Share of the smallest slice's size above which an unknown file beside slices may be one.
ALIKE = 0.8

#: Headers of a slice that a copy with a corrected name must share.
SAME_SLICE = (
    *("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"),
    *("RescaleSlope", "RescaleIntercept", "BitsStored", "PixelRepresentation"),
)


def read_handover(root: Path, files: Iterable[Path], *, by: str = "header") -> Handover:
    """Read the headers of `files`, which lie below `root`.

    Parameters
    ----------
    root : pathlib.Path
        Folder whose parts below it may name patients.
    files : iterable of pathlib.Path
        Files of any kind.
    by : {'header', 'folder', 'table'}
        What tells patients apart (`intake.handover.reading.patients.settle`).
    """
    return read_handovers([(root, files)], by=by)


def read_handovers(
    folders: Iterable[tuple[Path, Iterable[Path]]],
    *,
    by: str = "header",
    memory: Memory | None = None,
    workers: Workers | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Handover:
    """Read the headers of files below several roots, each with its files, as one handover.

    Parameters
    ----------
    folders : iterable of (pathlib.Path, iterable of pathlib.Path)
        Roots, each with its files.
    by : {'header', 'folder', 'table'}
        What tells patients apart.
    memory : Memory, optional
        What was read before.
    workers : Workers, optional
        Processes that read; by default this one alone does.
    progress : callable
        Told how many files were looked at, of how many.
    """
    reading = _Reading(memory or Memory())
    several = [(root, sorted(files)) for root, files in folders]
    done, total = 0, sum(len(files) for _, files in several)
    for root, files in several:
        fresh = reading.not_seen(files, root)
        for path, told in reading.memory.facts(fresh, facts_of_file, workers or Workers()):
            reading.take(path, root, told)
            done += 1
            progress(done, total)
        done += len(files) - len(fresh)
    progress(total, total)
    reading.find_torn()
    return settle(reading.found, reading.images, reading.masks, reading.told, by)


def usual_number() -> int:
    """Return in how many processes headers are read and slices copied."""
    return min(MOST, len(os.sched_getaffinity(0)))


class _Reading:
    """Headers as they are read, file by file.

    Attributes
    ----------
    found : Handover
        What is no CT so far.
    images : list of Image
        CT files.
    masks : list of (pathlib.Path, str, Person)
        Structure sets and segmentations with folder and person.
    memory : Memory
        What was read before.
    told : dict of str to dict of str to int
        By series, what a person should know of its files, and of how many.
    """

    def __init__(self, memory: Memory) -> None:
        self.found = Handover()
        self.memory = memory
        self.images: list[Image] = []
        self.masks: list[tuple[Path, str, Person]] = []
        self.told: dict[str, dict[str, int]] = {}
        self._first: dict[tuple[str, str], Image] = {}
        self._kept: dict[Any, Any] = {}
        self._seen: set[str] = set()
        self._real: dict[str, str] = {}
        self._unknown: list[Path] = []

    def not_seen(self, files: Iterable[Path], root: Path) -> list[Path]:
        """Return those of some files that were not read below another root, nor by another link."""
        fresh = []
        for path in files:
            self.found.identity.update(_of_path(path, root))
            real = self._real_path(path)
            if real not in self._seen:
                self._seen.add(real)
                fresh.append(path)
        return fresh

    def _real_path(self, path: Path) -> str:
        """Return where a file lies; of a folder's many files its links are followed once."""
        if path.is_symlink():
            return os.path.realpath(path)
        folder = str(path.parent)
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return f"{self._real[folder]}/{path.name}"

    def take(self, path: Path, root: Path, told: Facts) -> None:
        """Take in what the header of a file says."""
        if told.kind == "unknown":
            self._unknown.append(path)
            return
        if told.kind == "damaged":
            self.found.damaged.append(path)
            return
        self.found.identity.update(told.identity)
        if told.kind == "mask":
            self.found.masks.append(path)
            self.masks.append((path, top_folder(path, root), told.person))
        elif told.kind == "CT":
            self._take_slice(_image(path, root, told, self._shared))
        else:
            self.found.other.append((path, told.kind))
            if told.kind != "a localizer":
                self._tell(
                    told.uid, "images of its series say that they are no CT, and were left out"
                )

    def _shared(self, value: Any) -> Any:
        """Return one object for all equal ones: slices of a series say the same."""
        return self._kept.setdefault(value, value)

    def find_torn(self) -> None:
        """Count files of no known kind as damaged where they look like the slices beside them.

        The first bytes of a slice without a preamble may be what is damaged.
        """
        slices: dict[tuple[Path, str], list[Path]] = {}
        for image in self.images:
            slices.setdefault((image.path.parent, image.path.suffix), []).append(image.path)
        for path in self._unknown:
            beside = slices.get((path.parent, path.suffix), ())
            if len(beside) > 1:
                least = min(one.stat().st_size for one in beside)
                if path.stat().st_size > ALIKE * least:
                    self.found.damaged.append(path)

    def _take_slice(self, image: Image) -> None:
        """Take a CT file, unless it is another's copy."""
        first = self._first.setdefault((image.uid, image.instance), image)
        if first is not image:
            if filecmp.cmp(first.path, image.path, shallow=False):
                self.found.other.append((image.path, "a copy of a slice, byte for byte"))
                return
            if _same_slice(first, image):
                self.found.other.append((image.path, "a copy of a slice with another header"))
                what = "slices were there twice, with other headers, as after a name was corrected"
                self._tell(image.uid, what)
                return
        self.images.append(image)

    def _tell(self, uid: str, what: str) -> None:
        counts = self.told.setdefault(uid, {})
        counts[what] = counts.get(what, 0) + 1


def _of_path(path: Path, root: Path) -> Iterator[Identity]:
    """Yield what a path says of a person; names that are no UTF-8 in each encoding that fits."""
    for one in of_path(path, root):
        raw = os.fsencode(one.value)
        if raw.decode(errors="ignore").encode() == raw:
            yield one
            continue
        for encoding in ("cp1252", "gb18030", "shift_jis", "cp437"):
            with contextlib.suppress(UnicodeDecodeError):
                yield replace(one, value=raw.decode(encoding))


def facts_of_file(path: Path) -> Facts:
    """Return what a file's header says; ``unknown`` of a file that is no DICOM."""
    try:
        with named():
            header = _header_of(path)
            return Facts("unknown") if header is None else facts_of(header)
    except DamagedError:
        return Facts("damaged")


def _header_of(path: Path) -> Dataset | None:
    """Return the header of a DICOM file; None for another file."""
    try:
        return read_mapped(path, stop_before_pixels=True)
    except InvalidDicomError:
        if _was_dicom(path):
            raise ValueError from None
        return None


def _image(path: Path, root: Path, told: Facts, shared: Callable[[Any], Any]) -> Image:
    """Return a CT file as the series are made of it."""
    return Image(
        path, shared(path.relative_to(root).parts[:-1]), shared(top_folder(path, root)),
        shared(told.person), uid=shared(told.uid or str(path.parent)),
        instance=told.instance or str(path), known_as=shared(frozenset(told.known_as)),
        date=shared(told.date), number=told.number, description=shared(told.description),
        places=[one._replace(spacing=shared(one.spacing), orientation=shared(one.orientation))
                for one in told.places],
        accession=shared(told.accession), families=shared(frozenset(told.families)),
        acquisition=told.acquisition, temporal=told.temporal, contrast=told.contrast,
        thickness=told.thickness, frame=shared(told.frame),
    )  # fmt: skip


def _same_slice(one: Image, other: Image) -> bool:
    """Return whether two files of one SOPInstanceUID hold the same slice: pixels and place.

    A series that was sent again after a name was corrected is such a copy. Of two persons' slices
    none is.
    """
    who = (one.person, other.person)
    ids = {canonical(person.id) for person in who if person.id}
    if contradictions(who, stated=True) or (len(ids) > 1 and not one_person(*who)):
        return False
    try:
        with named():
            first, second = read_mapped(one.path), read_mapped(other.path)
            return first.get("PixelData") == second.get("PixelData") and all(
                first.get(keyword) == second.get(keyword) for keyword in SAME_SLICE
            )
    except DamagedError:
        return False


def top_folder(path: Path, root: Path) -> str:
    """Return the folder directly below `root` in which a file lies, else the root's own name."""
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else root.resolve().name


def _was_dicom(path: Path) -> bool:
    """Return whether a file that is no DICOM any more was a slice: emptied, or its mark damaged."""
    with open(path, "rb") as stream:
        start = stream.read(136)
    emptied = not start.strip(b"\0") and path.suffix.lower() in ("", ".dcm", ".ima", ".img")
    return emptied or start[132:] == b"\2\0\0\0"
