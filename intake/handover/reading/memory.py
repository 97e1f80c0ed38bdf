"""What an earlier intake read of files that did not change: headers of DICOM files, facts of masks.

One SQLite file beside the linkage. It holds names and ids, so only its owner may read it; no study
needs it, and without it everything is read again. A file is known by its path, size and time of
change. Another version of the code that reads, or of a library, begins anew.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import chain
from pathlib import Path

import pydicom

from intake.handover.people import persons
from intake.handover.people.persons import Person
from intake.handover.reading import facts
from intake.handover.reading.facts import Facts, Place
from intake.handover.reading.outlines import Outline, outline_of
from intake.handover.reading.sources import Series
from intake.identity import identities
from pipeline.core.files import file_hash, json_hash
from pipeline.imaging.dicom import dicom_contrast, dicom_identity
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.imaging.geometry import Geometry
from pipeline.running.workers.parallel import Workers
from segmentation.structures.segments import MaskFile, PlacedMask, Segment

#: Files after which what was read is kept, so that a killed intake need not read it again.
KEPT_AFTER = 4000
#: Files for which processes are worth their start, and those that one reads at a time.
WORTH, AT_A_TIME = 500, 100

_TABLES = """
CREATE TABLE IF NOT EXISTS version (text TEXT);
CREATE TABLE IF NOT EXISTS texts (id INTEGER PRIMARY KEY, text TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS headers (
    path BLOB PRIMARY KEY, size INTEGER, mtime INTEGER, shared INTEGER, alike INTEGER, own TEXT);
CREATE TABLE IF NOT EXISTS masks (path BLOB PRIMARY KEY, size INTEGER, mtime INTEGER, told TEXT);
"""


def memory_path(linkage_path: Path) -> Path:
    """Return where the memory lies: beside the linkage."""
    name = linkage_path.name.removesuffix(".json").removesuffix(".linkage")
    return linkage_path.with_name(f"{name}.memory.sqlite")


class Memory:
    """What was read of files before.

    Parameters
    ----------
    path : pathlib.Path, optional
        The file; None remembers nothing beyond this run.

    Attributes
    ----------
    read, known : int
        Files whose headers were read, and those that were known.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._file = self._opened(path)
        self.read = self.known = 0
        self._before: frozenset[Identity] = frozenset()
        self._masks: list[RememberedMask] = []
        self._text = lru_cache(4096)(self._text_of)
        self._alike = lru_cache(4096)(self._identities_of)

    def _opened(self, path: Path | None) -> sqlite3.Connection:
        """Return the file, emptied where another version wrote it or it is damaged."""
        file = sqlite3.connect(path or ":memory:")
        try:
            file.executescript(_TABLES)
            found = file.execute("SELECT text FROM version").fetchone()
        except sqlite3.DatabaseError:
            found = ("",)
        if found is not None and found[0] != _version():
            file.close()
            path.write_bytes(b"")
            file = sqlite3.connect(path)
            file.executescript(_TABLES)
            found = None
        if found is None:
            file.execute("INSERT INTO version VALUES (?)", (_version(),))
            file.commit()
        return file

    def close(self) -> None:
        """Keep what was learned, and let go of the file."""
        for one in self._masks:
            if one.changed:
                self._file.execute(
                    "REPLACE INTO masks VALUES (?, ?, ?, ?)",
                    (os.fsencode(one.path), *one.stamp, json.dumps(one.told)),
                )
        self._file.commit()
        self._file.close()

    def facts(
        self, paths: Sequence[Path], read: Callable[[Path], Facts], workers: Workers
    ) -> Iterator[tuple[Path, Facts]]:
        """Yield each file with what its header says, read before or now.

        Parameters
        ----------
        paths : sequence of pathlib.Path
            The files.
        read : callable
            Reads one; a function of a module, which other processes can import.
        workers : Workers
            Processes that read.
        """
        for start in range(0, len(paths), KEPT_AFTER):
            some = paths[start : start + KEPT_AFTER]
            stamps = [_stamp(path) for path in some]
            found = [self._found(path, stamp) for path, stamp in zip(some, stamps, strict=True)]
            new = [path for path, told in zip(some, found, strict=True) if told is None]
            told_now = iter(_read_all(new, read, workers))
            for path, stamp, known in zip(some, stamps, found, strict=True):
                if known is not None:
                    self.known += 1
                    yield path, known
                    continue
                told = next(told_now)
                self.read += 1
                self._keep(path, *stamp, told)
                yield path, told
            if new:
                self._file.commit()

    def _found(self, path: Path, stamp: tuple[int, int]) -> Facts | None:
        """Return what is remembered of a file."""
        found = self._file.execute(
            "SELECT shared, alike, own FROM headers WHERE path = ? AND size = ? AND mtime = ?",
            (os.fsencode(path), *stamp),
        ).fetchone()
        return None if found is None else self._facts(*found)

    def _keep(self, path: Path, size: int, mtime: int, told: Facts) -> None:
        shared = told._asdict()
        places = shared.pop("places")
        own = [shared.pop("instance"), [list(place.position or ()) for place in places]]
        shared["places"] = [list(place._replace(position=None)) for place in places[:1]]
        several = [list(place) for place in places] if len({p[:2] for p in places}) > 1 else None
        shared["person"] = None if told.person is None else asdict(told.person)
        del shared["identity"]
        alike = told.identity & self._before
        self._before = told.identity
        own += [several, _listed(told.identity - alike)]
        self._file.execute(
            "REPLACE INTO headers VALUES (?, ?, ?, ?, ?, ?)",
            (os.fsencode(path), size, mtime, self._id(json.dumps(shared)),
             self._id(json.dumps(_listed(alike))), json.dumps(own)),
        )  # fmt: skip

    def _facts(self, shared: int, alike: int, own: str) -> Facts:
        told = dict(self._text(shared))
        instance, positions, several, further = json.loads(own)
        person = told.pop("person")
        first = told.pop("places")
        if several is not None:
            places = tuple(_place(one) for one in several)
        else:
            places = tuple(_place(first[0])._replace(position=tuple(one) or None)
                           for one in positions)  # fmt: skip
        return Facts(
            **told, instance=instance, places=places,
            person=None if person is None else Person(**person | {"born": tuple(person["born"])}),
            identity=self._alike(alike) | {Identity(*one) for one in further},
        )  # fmt: skip

    def _id(self, text: str) -> int:
        self._file.execute("INSERT OR IGNORE INTO texts (text) VALUES (?)", (text,))
        return self._file.execute("SELECT id FROM texts WHERE text = ?", (text,)).fetchone()[0]

    def _text_of(self, number: int) -> object:
        text = self._file.execute("SELECT text FROM texts WHERE id = ?", (number,)).fetchone()[0]
        return json.loads(text)

    def _identities_of(self, number: int) -> frozenset[Identity]:
        return frozenset(Identity(*one) for one in self._text_of(number))

    def mask(self, path: Path, read: Callable[[], MaskFile]) -> RememberedMask:
        """Return a mask file of which only what nobody asked before is read.

        Raises
        ------
        CaseError
            If the file is no mask that can be read.
        """
        stamp = _stamp(path)
        found = self._file.execute(
            "SELECT told FROM masks WHERE path = ? AND size = ? AND mtime = ?",
            (os.fsencode(path), *stamp),
        ).fetchone()
        one = RememberedMask(path, stamp, None if found is None else json.loads(found[0]), read)
        self._masks.append(one)
        return one

    def told(self) -> str:
        """Return how much had to be read, for the screen."""
        opened = sum(one.was_read for one in self._masks)
        return (
            f"Read: {self.read} DICOM headers and other files, {opened} masks; unchanged since the "
            f"last time: {self.known} and {len(self._masks) - opened}"
        )


class RememberedMask(MaskFile):
    """A mask file whose answers are remembered; it is opened for a question that is new.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    stamp : (int, int)
        Its size and time of change.
    told : dict or None
        What is remembered of it.
    read : callable
        Reads it.
    """

    def __init__(
        self, path: Path, stamp: tuple[int, int], told: dict | None, read: Callable[[], MaskFile]
    ) -> None:
        self.path, self.stamp, self._read = path, stamp, read
        self._real: MaskFile | None = None
        self.changed = told is None
        if told is None:
            real = self._opened()
            told = {
                "segments": [[one.name, one.value, one.layer, list(one.meanings)]
                             for one in real.segments],
                "numbered": real.numbered, "references": sorted(real.references),
                "empty": {}, "sound": {}, "fits": {}, "outlines": {},
            }  # fmt: skip
        self.told = told
        self.segments = [
            Segment(name, value, layer, tuple(meanings))
            for name, value, layer, meanings in told["segments"]
        ]
        self.numbered, self.references = told["numbered"], frozenset(told["references"])
        self.findings = []

    @property
    def was_read(self) -> bool:
        """Whether the file was opened."""
        return self._real is not None

    def _opened(self) -> MaskFile:
        if self._real is None:
            self._real = self._read()
        return self._real

    def _remember(self, kind: str, key: str, answer: Callable[[MaskFile], object]) -> object:
        if key not in self.told[kind]:
            self.told[kind][key] = answer(self._opened())
            self.changed = True
        return self.told[kind][key]

    def _key(self, segment: Segment) -> str:
        return str(self.segments.index(segment))

    def check(self, segment: Segment) -> None:
        """Refuse a structure about which the file contradicts itself."""
        if self.told["sound"].get(self._key(segment)):
            return
        self._opened().check(segment)
        self.told["sound"][self._key(segment)] = self.changed = True

    def is_empty(self, segment: Segment) -> bool:
        """Return whether nothing was drawn of a structure."""
        return bool(
            self._remember("empty", self._key(segment), lambda real: bool(real.is_empty(segment)))
        )

    def on_grid(self, segment: Segment, target: Geometry) -> PlacedMask:
        """Return a structure as a binary mask on the CT's grid."""
        return self._opened().on_grid(segment, target)

    def fits(self, segment: Segment, target: Geometry) -> bool:
        """Return whether a structure lies on a grid."""
        key = f"{self._key(segment)} {json_hash(list(asdict(target).values()))}"
        return bool(self._remember("fits", key, lambda real: real.fits(segment, target)))

    def outline(self, segment: Segment | None, series: Series) -> Outline | None:
        """Return where a structure lies on its CT (`reading.outlines.outline_of`)."""
        if segment is None or series.grid is None:
            return None
        key = f"{self._key(segment)} {json_hash(list(asdict(series.grid).values()))}"

        def cut(real: MaskFile) -> list | None:
            found = outline_of(real, segment, series)
            if found is None:
                return None
            return [found.start, found.shape, base64.b64encode(found.bits).decode()]

        kept = self._remember("outlines", key, cut)
        if kept is None:
            return None
        start, shape, bits = kept
        return Outline(tuple(start), tuple(shape), base64.b64decode(bits))


def _read_all(
    paths: Sequence[Path], read: Callable[[Path], Facts], workers: Workers
) -> Iterable[Facts]:
    """Return what the headers of files say, read in several processes where that is worth it."""
    if workers.count == 1 or len(paths) < WORTH:
        return map(read, paths)
    tasks = [(read, paths[start : start + AT_A_TIME])
             for start in range(0, len(paths), AT_A_TIME)]  # fmt: skip
    return chain.from_iterable(workers.map(_read_some, tasks))


def _read_some(_: object, task: tuple[Callable[[Path], Facts], Sequence[Path]]) -> list[Facts]:
    read, paths = task
    return [read(path) for path in paths]


def _place(values: Iterable) -> Place:
    return Place(*(tuple(one) if isinstance(one, list) else one for one in values))


def _listed(found: Iterable[Identity]) -> list[list[str]]:
    return sorted([one.kind, one.tag, one.value] for one in found)


def _stamp(path: Path) -> tuple[int, int]:
    facts_ = path.stat()
    return facts_.st_size, facts_.st_mtime_ns


@lru_cache(1)
def _version() -> str:
    """Return what changes where the same file would be read otherwise."""
    modules = (facts, persons, identities, dicom_identity, dicom_contrast)
    files = [Path(module.__file__) for module in modules]
    files += sorted(Path(facts.__file__).parents[3].glob("segmentation/[fs]*/*.py"))
    with contextlib.suppress(OSError):
        return json_hash([pydicom.__version__, *map(file_hash, [*files, Path(__file__)])])
    return ""
