"""The linkage: which pseudonym is whom. It lies outside the study, and no stage ever reads it.

Pseudonyms come from a keyed hash (HMAC-SHA-256) whose random key lies in the linkage: who has the
study but not the linkage cannot try out names, and who has both gets the same pseudonym again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from intake.handover.people.persons import Person, canonical
from pipeline.core.errors import StudyError
from pipeline.imaging.dicom.dicom_identity import Identity

SCHEMA = 1
WARNING = "This file says who the patients are. Keep it outside the study and give it to nobody."

#: Letters and digits that are not taken for one another; no vowels, so that no word appears.
ALPHABET = "23456789BCDFGHJKMNPQRSTVWXZ"
LENGTH = 6

#: Readers' names that identify nobody and stay as they are.
HARMLESS_READER = re.compile(r"[A-Za-z]|[Rr]?[0-9]{1,2}")


@dataclass
class Linkage:
    """Everything that leads from a pseudonym back to a person.

    Attributes
    ----------
    key : str
        Random, 32 bytes in hexadecimal.
    patients : dict of str to str
        Pseudonym -> original patient.
    scans : dict of str to dict
        Scan -> ``patient, series, date, accessions, source`` (folder), ``state`` (of its files).
    masks : dict of str to list of dict
        ``<case>|<reader>`` -> its versions: ``source, sha256, copy`` (content of the study's copy).
    readers : dict of str to str
        Letter -> original reader.
    persons : dict of str to list of dict
        Pseudonym -> what headers of its images said of the person, so that a later handover that
        contradicts them is noticed.
    identity : dict of str to dict
        Kind -> tag -> values, for ``vertebromics phi-scan --against``.
    clinical : dict of str to str
        Digest of the clinical table that was made of the hospital's sheets.
    proposed : dict
        What the last intake proposed by name and birth date (`intake.clinical.check_words`).
    """

    key: str = field(default_factory=lambda: secrets.token_hex(32))
    patients: dict[str, str] = field(default_factory=dict)
    scans: dict[str, dict] = field(default_factory=dict)
    masks: dict[str, list[dict]] = field(default_factory=dict)
    readers: dict[str, str] = field(default_factory=dict)
    identity: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    persons: dict[str, list[dict]] = field(default_factory=dict)
    clinical: dict[str, str] = field(default_factory=dict)
    proposed: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_original: dict[str, str] = {}
        self._by_id: dict[str, str] = {}
        self._by_series: dict[tuple[str, str], str] = {}
        self._count: Counter[str] = Counter()
        self._found = 0

    def digest(self, *words: str) -> bytes:
        """Return the keyed hash of `words`."""
        return _digest(self.key, *words)

    def patient(self, original: str) -> str:
        """Return the pseudonym of a patient, drawing one for a new patient."""
        if (pseudonym := self.known(original)) is not None:
            return pseudonym
        for attempt in range(1000):
            number = int.from_bytes(self.digest("patient", original, str(attempt)), "big")
            word = ""
            for _ in range(LENGTH):
                number, place = divmod(number, len(ALPHABET))
                word += ALPHABET[place]
            pseudonym = f"P{word}"
            if pseudonym not in self.patients:
                self.patients[pseudonym] = original
                self._by_original[original] = pseudonym
                if not original.startswith("folder "):
                    self._by_id.setdefault(canonical(original), pseudonym)
                return pseudonym
        raise AssertionError("no free pseudonym")

    def known(self, original: str) -> str | None:
        """Return the pseudonym of a patient who has one, also where the id is spelt otherwise."""
        self._look_up()
        if original in self._by_original:
            return self._by_original[original]
        return None if original.startswith("folder ") else self._by_id.get(canonical(original))

    def _look_up(self) -> None:
        """Bring what finds patients and scans up to date; neither is ever taken away."""
        if len(self._by_original) != len(self.patients):
            self._by_original, self._by_id = {}, {}
            for pseudonym, known in self.patients.items():
                self._by_original.setdefault(known, pseudonym)
                if not known.startswith("folder "):
                    self._by_id.setdefault(canonical(known), pseudonym)
        if self._found != len(self.scans):
            self._by_series, self._count = {}, Counter()
            self._found = len(self.scans)
            for scan_id, known in self.scans.items():
                self._by_series.setdefault((known["patient"], known["series"]), scan_id)
                self._count[known["patient"]] += 1

    def held(self, pseudonym: str) -> set[Person]:
        """Return what headers of a patient's images have said of the person so far."""
        return {
            Person(**one | {"born": tuple(one["born"])}) for one in self.persons.get(pseudonym, ())
        }

    def keep(self, pseudonym: str, persons: Iterable[Person]) -> None:
        """Remember what headers of a patient's images say of the person."""
        self.persons[pseudonym] = [
            asdict(one) for one in sorted(self.held(pseudonym) | set(persons))
        ]

    def scan(self, patient: str, series: str) -> str:
        """Return the pseudonym of a series, drawing one for a new series of `patient`."""
        self._look_up()
        if (patient, series) in self._by_series:
            return self._by_series[patient, series]
        scan_id = f"{patient}-ct{self._count[patient] + 1}"
        self.scans[scan_id] = {"patient": patient, "series": series}
        self._by_series[patient, series] = scan_id
        self._count[patient] += 1
        self._found += 1
        return scan_id

    def reader(self, original: str) -> str:
        """Return the letter of a reader; one that is a letter or number already keeps it."""
        for letter, known in self.readers.items():
            if known.casefold() == original.casefold():
                return letter
        wanted = original.upper() if HARMLESS_READER.fullmatch(original) else None
        letters = (wanted, *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *(f"R{n}" for n in range(1, 100)))
        letter = next(one for one in letters if one and one not in self.readers)
        self.readers[letter] = original
        return letter

    def version(
        self, case_id: str, reader: str, sha256: str, source: str, replaces: int | None = None
    ) -> tuple[int, bool]:
        """Return which version of a reader's mask a file is, and whether its content is new.

        A new content is the next version, so that no original is lost; or it takes the place of
        the version `replaces`, as after a mere technical fault.
        """
        versions = self.masks.setdefault(f"{case_id}|{reader}", [])
        for number, known in enumerate(versions, start=1):
            if known["sha256"] == sha256:
                return number, False
        entry = {"sha256": sha256, "source": source}
        if replaces is not None and replaces <= len(versions):
            versions[replaces - 1] = entry
            return replaces, True
        versions.append(entry)
        return len(versions), True

    def written(self, case_id: str, reader: str, version: int, sha256: str) -> None:
        """Remember the content of the study's copy of a mask."""
        self.masks[f"{case_id}|{reader}"][version - 1]["copy"] = sha256

    def copy_of(self, case_id: str, reader: str, version: int) -> str | None:
        """Return the content of the study's copy of a mask as it was written."""
        return self.masks[f"{case_id}|{reader}"][version - 1].get("copy")

    def uid(self, original: str) -> str:
        """Return the UID that stands for another in cleaned files: equal for equal originals."""
        return uid_of(self.key, original)

    def series_key(self, series: str) -> str:
        """Return the keyed hash by which results name a series."""
        return self.digest("series", series).hex()[:16]

    def remember(self, identities: Iterable[Identity]) -> None:
        """Keep what must not be seen in results."""
        held = self.identities() | set(identities)
        self.identity = {}
        for one in sorted(held):
            self.identity.setdefault(one.kind, {}).setdefault(one.tag, []).append(one.value)

    def identities(self) -> set[Identity]:
        """Return all values that must not be seen in results."""
        return {
            Identity(kind, tag, value)
            for kind, tags in self.identity.items()
            for tag, values in tags.items()
            for value in values
        }


def uid_of(key: str, original: str) -> str:
    """Return the UID that stands for another in files cleaned with the key of a linkage."""
    number = uuid.UUID(bytes=_digest(key, "uid", original)[:16], version=4).int
    return f"2.25.{number}"


def _digest(key: str, *words: str) -> bytes:
    text = "\x1f".join(words)
    return hmac.digest(bytes.fromhex(key), os.fsencode(text), hashlib.sha256)


def read_linkage(path: Path) -> Linkage:
    """Read a linkage, or begin a new one where there is no file.

    Raises
    ------
    StudyError
        If the file is no linkage of this version.
    """
    if not path.exists():
        return Linkage()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("schema") != SCHEMA:
            raise ValueError
        content.pop("warning")
        return Linkage(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise StudyError(
            f"The linkage must be a file that vertebromics intake wrote, schema {SCHEMA}",
            where=path.name,
            remedy="name the right file by --linkage; without it patients get new pseudonyms",
            code="linkage-invalid",
        ) from None


def write_linkage(linkage: Linkage, path: Path) -> None:
    """Write a linkage, readable by its owner only."""
    told = {one.name: getattr(linkage, one.name) for one in fields(linkage)}
    content = {"schema": SCHEMA, "warning": WARNING, **told}
    write_private(path, json.dumps(content, ensure_ascii=False, indent=1))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read (mode 0600), whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Bytes of a file's name that are no UTF-8 stand as JSON escapes them.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
