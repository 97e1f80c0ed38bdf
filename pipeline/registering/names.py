"""What the path of a mask says: whose it is, of which vertebra, by which reader.

The rules, in this order: a pattern if one is given; words of the path that are a vertebral level,
a known patient, a known reader.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from pipeline.core.errors import StudyError

FIELDS = ("patient", "level", "reader")

#: A vertebral level as people write it: L1, Th12, D12, t12.
LEVEL = re.compile(r"(C[1-7]|(?:TH|T|D)(?:0?[1-9]|1[0-3])|L[1-6]|S1)", re.IGNORECASE)
_NAMED_LEVEL = re.compile(r"(?:vertebrae?|body|corpus)?[-_ ]?" + LEVEL.pattern, re.IGNORECASE)
_READER = re.compile(r"(?:reader|observer|obs|rater|annotator)[-_ ]?([^\W\d_]+|[0-9]+)", re.I)
_SHORT_READER = re.compile(r"(R[0-9]{1,2}|[A-E])", re.IGNORECASE)
_VERSION = re.compile(r"(?:v|version|rev)([2-9])", re.IGNORECASE)

#: Beginnings of Unicode names of signs that hold a syllable or a word.
_SIGNS = ("CJK UNIFIED IDEOGRAPH", "HANGUL SYLLABLE", "HIRAGANA", "KATAKANA")

#: Consecutive words of a path that are tried together as a patient's id or name.
LONGEST_RUN = 6


@dataclass(frozen=True)
class Told:
    """What a path tells; None where it does not.

    Attributes
    ----------
    patients : frozenset of str
        Known patients that its words name.
    level, reader : str or None
        Level in our spelling; the reader as written.
    version : int
        1, or what a word such as ``v2`` says: a correction of the reader's first mask.
    contradiction : str or None
        What is ambiguous, for the report.
    """

    patients: frozenset[str] = frozenset()
    level: str | None = None
    reader: str | None = None
    version: int = 1
    contradiction: str | None = None


def level_of(word: str) -> str | None:
    """Return the level that a word means, in our spelling.

    >>> level_of("th12"), level_of("vertebrae_L1"), level_of("L7")
    ('T12', 'L1', None)
    """
    match = _NAMED_LEVEL.fullmatch(word.strip())
    if match is None:
        return None
    letters, digits = re.fullmatch(r"([A-Za-z]+)0?(\d+)", match[1]).groups()
    letter = "T" if letters.upper() in ("TH", "D") else letters.upper()
    return f"{letter}{digits}"


def normal(text: str) -> str:
    """Return a text without case and separators, as names of patients are compared.

    Letters are composed first: file systems of Macs take accents off their letters.
    """
    composed = unicodedata.normalize("NFC", text.casefold())
    return "".join(one for one in composed if one.isalnum())


def is_telling(text: str) -> bool:
    """Return whether a normalised text is long enough to mean a patient where it is met.

    Three letters or digits; two signs in scripts where many names have no more.

    >>> is_telling("li"), is_telling("李伟"), is_telling("lee")
    (False, True, True)
    """
    signs = sum(unicodedata.name(one, "").startswith(_SIGNS) for one in text)
    return len(text) >= 3 or signs == 2


def pattern_of(text: str) -> re.Pattern:
    """Return ``--mask-pattern`` as a regular expression over a path without its ending.

    Raises
    ------
    StudyError
        If it names other fields than ``{patient}``, ``{level}``, ``{reader}``, or one twice.
    """
    fields = re.findall(r"\{(.*?)\}", text)
    unknown = [one for one in fields if one not in FIELDS]
    if unknown or len(set(fields)) < len(fields) or not fields:
        raise StudyError(
            "--mask-pattern must name each of {patient}, {level}, {reader} at most once",
            found=text,
            remedy="such as '{patient}_{level}_{reader}' or '{reader}/{patient}/{level}'",
        )
    parts = re.split(r"\{(\w+)\}", text)
    shape = {"level": LEVEL.pattern[1:-1], "patient": "[^/]+?", "reader": "[^/]+?"}
    expression = "".join(
        f"(?P<{part}>{shape[part]})" if place % 2 else re.escape(part)
        for place, part in enumerate(parts)
    )
    return re.compile(expression, re.IGNORECASE)


def read_path(
    relative: PurePath,
    known: Mapping[str, set[str]],
    pattern: re.Pattern | None = None,
    readers: Iterable[str] = (),
    folders: Mapping[str, set[str]] | None = None,
) -> Told:
    """Return what a path below the masks' folder tells.

    Parameters
    ----------
    relative : pathlib.PurePath
        The path, with its ending.
    known : Mapping
        Normalised id or name -> patients that it means (`normal`).
    pattern : re.Pattern, optional
        From `pattern_of`; a path that it does not fit is read by its words.
    readers : iterable of str
        Names of readers to look for.
    folders : Mapping, optional
        Normalised name of an image's folder -> patients. A folder such as ``bone`` may say what an
        image is and not whose, so these are asked only where no id or name is met.
    """
    folders = folders or {}
    relative = PurePath(unicodedata.normalize("NFC", str(relative)))
    stem = relative.name.split(".")[0]
    whole = relative.with_name(stem).as_posix()
    if pattern is not None:
        match = pattern.fullmatch(whole if "/" in pattern.pattern else stem)
        if match is not None:
            told = match.groupdict()
            patient = normal(told.get("patient") or "")
            return Told(
                frozenset(known.get(patient) or folders.get(patient, ())),
                level_of(told["level"]) if told.get("level") else None,
                told.get("reader"),
                _version(stem),
            )
    by_part = [re.findall(r"[^\W_]+", part) for part in (*relative.parts[:-1], stem)]
    level, doubt = _level(by_part)
    reader = _reader(whole, by_part, readers)
    patients = _patients(by_part, known) or _patients(by_part, folders)
    return Told(patients, level, reader, _version(stem), doubt)


def _version(stem: str) -> int:
    found = [match for word in re.findall(r"[^\W_]+", stem) if (match := _VERSION.fullmatch(word))]
    return int(found[-1][1]) if found else 1


def _level(by_part: list[list[str]]) -> tuple[str | None, str | None]:
    """Return the level of the last part of a path that names one, and what is ambiguous."""
    for words in reversed(by_part):
        found = {one for word in words if (one := level_of(word)) is not None}
        if len(found) > 1:
            return None, f"its name holds the levels {', '.join(sorted(found))}"
        if found:
            return found.pop(), None
    return None, None


def _patients(by_part: list[list[str]], known: Mapping[str, set[str]]) -> frozenset[str]:
    """Return the patients whom all known runs of words mean; if none, those whom any means.

    A run inside of a longer one that is known says nothing: ``KH-1`` in ``KH-1-2``.
    """
    found = []
    for words in by_part:
        met = [(span, known[run]) for span, run in _runs(words) if run in known]
        found += [
            patients
            for span, patients in met
            if not any(_inside(span, other) for other, _ in met if other != span)
        ]
    return frozenset(set.intersection(*found) or set.union(*found)) if found else frozenset()


def _inside(span: range, other: range) -> bool:
    return other.start <= span.start and span.stop <= other.stop


def _runs(words: list[str]) -> Iterator[tuple[range, str]]:
    """Yield words, and words that follow one another, without separators, with their places."""
    for start in range(len(words)):
        for end in range(start + 1, min(len(words), start + LONGEST_RUN) + 1):
            yield range(start, end), normal("".join(words[start:end]))


def _reader(whole: str, by_part: list[list[str]], readers: Iterable[str]) -> str | None:
    wanted = {normal(one): one for one in readers}
    for words in reversed(by_part):
        for _, run in _runs(words):
            if run in wanted:
                return wanted[run]
    if match := re.search(rf"(?:^|[/_\-. ]){_READER.pattern}(?:$|[/_\-. ])", whole, re.I):
        return match[1]
    for words in reversed(by_part):
        for word in reversed(words):
            if _SHORT_READER.fullmatch(word):
                return word
    return None
