"""What the path of a mask says: whose it is, of which vertebra, by which reader.

The rules, in this order: a pattern if one is given; words of the path that are a vertebral level,
a known patient, a known reader.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from intake.handover.people.persons import canonical
from pipeline.core.errors import StudyError
from segmentation.structures.level_names import worded_levels

FIELDS = ("patient", "level", "reader")

#: A vertebral level as people write it: L1, Th12, D12, t12, LWK1, BWK12.
LEVEL = re.compile(
    r"((?:HWK|C)0?[1-7]|(?:BWK|TH|T|D)(?:0?[1-9]|1[0-3])|(?:LWK|L)0?[1-6]|(?:SWK|S)0?1)",
    re.IGNORECASE,
)
_LETTERS = {"TH": "T", "D": "T", "BWK": "T", "HWK": "C", "LWK": "L", "SWK": "S"}
_NAMED_LEVEL = re.compile(
    r"(?:vertebrae?|body|corpus)?[-_ ]?" + LEVEL.pattern + "(?:椎体|椎體|椎)?", re.IGNORECASE
)
_READER = re.compile(r"(?:reader|observer|obs|rater|annotator)[-_ ]?([^\W\d_]+|[0-9]+)", re.I)
_SHORT_READER = re.compile(r"([Rr][0-9]{1,2}|[A-Ea-e])|(?:r([A-E])|[Rr]([ABab]))")
#: A title before a name: Dr. Wang, DrWang, Prof_Li; not the beginning of a word such as drawn.
_TITLED = re.compile(r"(?:^|[/_\-. ])(?i:dr|prof|doctor)(?:[-_. ]+|(?=[A-ZÄÖÜŠŽ]))([^\W\d_]{2,})")
#: What people add to the name of a mask that takes the place of another.
CORRECTED = frozenset(
    (
        *("corrected", "corr", "correction", "corrections", "fixed", "revised", "edited", "final"),
        *("korrigiert", "korrektur", "korr", "endgültig", "endgueltig", "überarbeitet"),
        *("corrigé", "corrige", "corrigee", "corrigée", "corregido", "corregida", "definitivo"),
        *("修正", "已修正", "修改", "最终", "最終"),
    )
)
_CORRECTED = "|".join(sorted(CORRECTED, key=len, reverse=True))
_VERSION_END = re.compile(rf"[-_. ]?(?:(?:v|version|rev)[2-9]|(?<=[-_. ])(?:{_CORRECTED}))$", re.I)
#: Other words for the state of a mask, which make no order of versions.
_STATES = frozenset(
    (
        *("old", "new", "neu", "alt", "orig", "original", "originals", "backup", "copy", "kopie"),
        *("draft", "entwurf", "v1", "first", "raw", "tmp", "temp", "旧", "新"),
    )
)
_ENDING = re.compile(r"(?:\.seg)?\.(?:nrrd|nii|nii\.gz|dcm|ima)$", re.IGNORECASE)
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
    levels : frozenset of str
        Levels between which the path leaves it.
    stranger : bool
        Whether a pattern reads a patient whom nobody knows.
    families : Mapping
        Surnames that the name of the file holds -> patients who bear it.
    """

    patients: frozenset[str] = frozenset()
    level: str | None = None
    reader: str | None = None
    version: int = 1
    contradiction: str | None = None
    levels: frozenset[str] = frozenset()
    stranger: bool = False
    families: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Pattern:
    """``--mask-pattern``, compiled.

    Attributes
    ----------
    expression : re.Pattern
        With groups of the names in `FIELDS`.
    whole : bool
        Whether it describes the path below the masks' folder, not the file's name alone.
    """

    expression: re.Pattern
    whole: bool

    def match(self, whole: str, stem: str) -> dict[str, str | None] | None:
        """Return what a path tells, None where it does not fit; ``_v2`` at its end is no part."""
        text = whole if self.whole else stem
        for one in (_VERSION_END.sub("", text), text):
            if match := self.expression.fullmatch(one):
                return match.groupdict()
        return None


def level_of(word: str) -> str | None:
    """Return the level that a word means, in our spelling.

    >>> level_of("th12"), level_of("vertebrae_L1"), level_of("LWK1"), level_of("L7")
    ('T12', 'L1', 'L1', None)
    >>> level_of("第1腰椎"), level_of("ThXII"), level_of("lumbalis2")
    ('L1', 'T12', 'L2')
    """
    match = _NAMED_LEVEL.fullmatch(word.strip())
    if match is None:
        found = worded_levels(word.strip())
        return found.pop() if len(found) == 1 else None
    letters, digits = re.fullmatch(r"([A-Za-z]+)0?(\d+)", match[1]).groups()
    return f"{_LETTERS.get(letters.upper(), letters.upper())}{digits}"


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


def pattern_of(text: str) -> Pattern:
    """Return ``--mask-pattern`` as a regular expression over a name or a path without its ending.

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
            code="mask-pattern-invalid",
        )
    parts = re.split(r"\{(\w+)\}", text)
    shape = {"level": LEVEL.pattern[1:-1], "patient": "[^/]+?", "reader": "[^/]+?"}
    expression = "".join(
        f"(?P<{part}>{shape[part]})" if place % 2 else re.escape(part)
        for place, part in enumerate(parts)
    )
    return Pattern(re.compile(expression, re.IGNORECASE), "/" in text)


def stem_of(name: str) -> str:
    """Return a file's name without the ending of a mask; a dot inside an id is no ending.

    >>> stem_of("KH.471_L1.seg.nrrd"), stem_of("1.2.840_L1.nii.gz"), stem_of("IM0001")
    ('KH.471_L1', '1.2.840_L1', 'IM0001')
    """
    return _ENDING.sub("", name) or name


def read_path(
    relative: PurePath,
    known: Mapping[str, set[str]],
    pattern: Pattern | None = None,
    readers: Iterable[str] = (),
    folders: Mapping[str, set[str]] | None = None,
    short: Mapping[str, set[str]] | None = None,
    families: Mapping[str, set[str]] | None = None,
) -> Told:
    """Return what a path below the masks' folder tells.

    Parameters
    ----------
    relative : pathlib.PurePath
        The path, with its ending.
    known : Mapping
        Normalised id or name -> patients that it means (`normal`).
    pattern : Pattern, optional
        From `pattern_of`; a path that it does not fit is read by its words.
    readers : iterable of str
        Names of readers to look for.
    folders : Mapping, optional
        Normalised name of an image's folder -> patients. A folder such as ``bone`` may say what an
        image is and not whose, so these are asked only where no id or name is met.
    short : Mapping, optional
        Ids and names that are too short, or spelt too freely, to be looked for among words; a
        pattern says where they stand.
    families : Mapping, optional
        Normalised surname -> patients who bear it.
    """
    folders, short = folders or {}, short or {}
    relative = PurePath(unicodedata.normalize("NFC", str(relative)))
    stem = stem_of(relative.name)
    whole = relative.with_name(stem).as_posix()
    told = None if pattern is None else pattern.match(whole, stem)
    if told is not None:
        written = told.get("patient") or ""
        keys = (normal(written), normal(canonical(written)) if written else "")
        met = [names[key] for names in (known, short, folders) for key in keys if key in names]
        return Told(
            frozenset(met[0] if met else ()),
            level_of(told["level"]) if told.get("level") else None,
            told.get("reader"),
            _version(stem, ()),
            stranger=bool(written and not met),
        )
    by_part = [re.findall(r"[^\W_]+", part) for part in (*relative.parts[:-1], stem)]
    levels = _levels(by_part)
    level = next(iter(levels)) if len(levels) == 1 else None
    doubt = f"its name holds the levels {', '.join(sorted(levels))}" if len(levels) > 1 else None
    reader = _reader(whole, by_part, readers)
    patients = _patients(by_part, known) or _patients(by_part, folders)
    version = _version(stem, relative.parts[:-1])
    met = {
        run: frozenset(families[run])
        for words in by_part
        for _, run in _runs(words)
        if families and run in families and run != normal(reader or "")
    }
    return Told(patients, level, reader, version, doubt, levels if doubt else frozenset(),
                families=met)  # fmt: skip


def _version(stem: str, folders: Iterable[str]) -> int:
    """Return the version that a name tells, or a folder that is called nothing but a version."""
    for text, whole in ((stem, False), *((folder, True) for folder in folders)):
        words = re.findall(r"[^\W_]+", text)
        numbers = [int(match[1]) for word in words if (match := _VERSION.fullmatch(word))]
        corrected = [2 for word in words if word.casefold() in CORRECTED]
        found = numbers or corrected
        if found and (not whole or len(words) == len(numbers) + len(corrected)):
            return found[-1]
    return 1


def says_version(folder: str) -> bool:
    """Return whether a folder is called nothing but a version, so that it names no reader.

    >>> says_version("corrected"), says_version("v2"), says_version("old"), says_version("DrLi")
    (True, True, True, False)
    """
    words = re.findall(r"[^\W_]+", folder.casefold())
    return bool(words) and all(
        word in CORRECTED or word in _STATES or _VERSION.fullmatch(word) for word in words
    )


def _levels(by_part: list[list[str]]) -> frozenset[str]:
    """Return the levels that the last part of a path names which names any."""
    for words in reversed(by_part):
        found = frozenset(one for word in words if (one := level_of(word)) is not None)
        found = found or frozenset(worded_levels(" ".join(words)))  # LWK 1, vertebra lumbalis I
        if found:
            return found
    return frozenset()


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
    if match := _TITLED.search(whole):
        return match[1]
    for words in reversed(by_part):
        for word in reversed(words):
            if match := _SHORT_READER.fullmatch(word):
                return next(filter(None, match.groups()))
    return None
