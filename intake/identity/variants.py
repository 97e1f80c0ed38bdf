"""The forms in which an identity value may stand in a file, and which values are worth a search.

A form is a text; `intake.identity.byte_patterns` encodes it. The rules against false alarms are
here and in docs/privacy.md: a value that is short or common would be found everywhere by chance.
"""

from __future__ import annotations

import datetime
import math
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from anyascii import anyascii

from pipeline.imaging.dicom.dicom_identity import Identity

MIN_LETTERS = 4
"""Letters of a name that is searched by itself; shorter parts only together with the others."""

MIN_LETTERS_OF_TEXT = 8
"""Letters of a single word of free text, of a private field or of a file name."""

MIN_CJK = 2
"""Chinese, Japanese or Korean characters."""

MIN_DIGITS = 6
"""Digits of a number; shorter ones stand in every table."""

MIN_MIXED = 5
"""Characters of an id of letters and digits."""

LONGEST = 120
"""Characters of a form; of longer texts each line and sentence is searched up to here."""

#: Words that occur in any report, or that anonymisers write in the place of a name.
COMMON = frozenset(Path(__file__).with_name("common_words.txt").read_text(encoding="utf-8").split())

#: DICOM's own words, which stand in every file and report: modalities, image types, positions.
DICOM_TERMS = frozenset(
    Path(__file__).with_name("dicom_terms.txt").read_text(encoding="utf-8").casefold().splitlines()
)

#: Names of files and folders that every export has: a word of the format and a number, which may
#: begin with several zeros, as files that are counted.
GENERIC_NAME = re.compile(
    r"(im|img|image|ima|ct|i|s|se|ser|series|st|study|pa|pat|slice|dicom|dcm|file|data|mask|seg"
    r"|segmentation|label|labels|volume|vol|scan|reader|masks|images|export)?"
    r"([-_ ]?[a-z]?[0-9]{0,5}|[-_ ]?[a-z]?0{2,}[0-9]{0,5})",
    re.IGNORECASE,
)

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_SIGNS = "〇一二三四五六七八九"
_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_JOINS = ("", " ", ", ", "^", "_", "-", ".", ",")
_DATE = re.compile(r"((?:19|20)\d\d)[-/.]?(\d\d)[-/.]?(\d\d)")
_TIME = re.compile(r"(\d\d):?(\d\d):?(\d\d)(?:\.(\d+))?")


def forms(identity: Identity) -> set[str]:
    """Return the texts to search for; empty where the value is too short or too common."""
    makers = {
        "name": _of_name,
        "date": _of_date,
        "time": _of_time,
        "uid": _of_uid,
        "id": _of_id,
        "serial": _of_id,
    }
    maker = makers.get(identity.kind, _of_text)
    found: set[str] = set()
    if identity.kind != "name" and is_dicom_term(identity.value):
        return found
    for text in maker(identity):
        for raw in (text, *_lines(text)):
            one = unicodedata.normalize("NFC", raw).strip(" ^=\t\r\n")
            if searchable(one, identity.kind):
                found.update(_spellings(one))
    return found


def searchable(text: str, kind: str) -> bool:
    """Return whether a text is long and rare enough to be searched for."""
    compact = [one for one in text if one.isalnum()]
    says_nothing = len(set(compact)) < 2 or len(text) > LONGEST
    if says_nothing or (kind != "name" and is_dicom_term(text)):
        return False
    cjk = sum(_is_cjk(one) for one in compact)
    if cjk:
        return cjk >= MIN_CJK
    if kind == "date":
        return len(text) >= 8
    if kind == "path" and GENERIC_NAME.fullmatch(text):
        return False
    if kind == "time" or all(one.isdigit() for one in compact):
        return len(compact) >= MIN_DIGITS
    return len(compact) >= _least_characters(text, kind)


def is_dicom_term(text: str) -> bool:
    r"""Return whether a text is one of DICOM's own words, or several: no identity.

    >>> is_dicom_term("RTstruct"), is_dicom_term(r"ORIGINAL\PRIMARY"), is_dicom_term("RTanna")
    (True, True, False)
    """
    folded = " ".join(text.casefold().split())
    parts = re.findall(r"[^\s\\/,;_-]+", folded)
    return folded in DICOM_TERMS or (bool(parts) and DICOM_TERMS.issuperset(parts))


def _least_characters(text: str, kind: str) -> float:
    """Return how long a text with letters must be, or infinity where it says nothing."""
    words = re.findall(r"[^\W\d_]+", text)
    known = all(word.lower() in COMMON or len(word) < 3 for word in words)
    free = kind in ("text", "private", "path", "institution")
    if any(one.isdigit() for one in text):
        return 10 if known and free else MIN_MIXED
    if known and len(words) < 4:
        return MIN_LETTERS + 1 if kind == "name" and len(words) > 1 else math.inf
    return MIN_LETTERS_OF_TEXT if free and len(words) == 1 else MIN_LETTERS


def _is_cjk(one: str) -> bool:
    return "\u2e80" <= one <= "\ud7ff" or "\uf900" <= one <= "\ufaff" or one >= "\U00020000"


def _spellings(text: str) -> Iterator[str]:
    """Yield a text, its romanisation, its decomposed form, and other cases beyond ASCII."""
    yield text
    if text.isascii():
        return  # ASCII letters are compared without case
    yield unicodedata.normalize("NFD", text)
    yield unicodedata.normalize("NFKC", text)
    yield from (text.lower(), text.upper(), text.title())
    roman = anyascii(text).strip()
    if searchable(roman, "name"):
        yield roman


def _lines(text: str) -> Iterator[str]:
    """Yield the lines and sentences of a long text."""
    if len(text) > 40 or "\n" in text:
        parts = re.split(r"[\r\n]+|(?<=[.;!?。]) ", text)
        yield from (part.strip()[:LONGEST] for part in parts if len(parts) > 1)
    if len(text) > LONGEST:
        yield text[:LONGEST]


def _of_name(identity: Identity) -> Iterator[str]:
    yield identity.value
    for group in identity.value.split("="):
        raw = [part.strip() for part in group.split("^")]
        for parts in (raw, [anyascii(part).strip() for part in raw]):
            yield from _of_parts([part for part in parts[:3] if part])
        yield group


def _of_parts(parts: list[str]) -> Iterator[str]:
    """Yield family, given and middle name alone and in every usual order and join."""
    yield from parts
    orders = [parts, parts[::-1]]
    if len(parts) > 2:
        family, given, middle = parts
        orders += [[family, given], [given, family], [given, middle, family]]
    for order in orders:
        for join in _JOINS:
            yield join.join(order)
            yield join.join(part.replace(" ", join) for part in order)


def _of_id(identity: Identity) -> Iterator[str]:
    yield identity.value
    yield re.sub(r"[-_ ./]", "", identity.value)
    yield identity.value.lstrip("0")


def _of_uid(identity: Identity) -> Iterator[str]:
    if len(identity.value) >= 12:  # '1.2.3' is no real UID, and a version number
        yield identity.value


def _of_text(identity: Identity) -> Iterator[str]:
    yield identity.value
    if identity.kind == "private":
        if _DATE.fullmatch(identity.value[:8]):
            yield from _of_date(identity)
        if "^" in identity.value:
            yield from _of_name(identity)


def _of_date(identity: Identity) -> Iterator[str]:
    match = _DATE.match(identity.value)
    if match is None:
        return
    try:
        day = datetime.date(*map(int, match.groups()))
    except ValueError:
        yield identity.value
        return
    yield from date_forms(day)
    rest = identity.value[match.end() :].lstrip("T ")
    if _TIME.match(rest):  # a date-time
        yield identity.value
        yield from _of_time(Identity("time", identity.tag, rest))


def day_of(identity: Identity) -> datetime.date | None:
    """Return the day of a date, None for other values."""
    match = _DATE.match(identity.value) if identity.kind == "date" else None
    try:
        return None if match is None else datetime.date(*map(int, match.groups()))
    except ValueError:
        return None


def date_forms(day: datetime.date) -> Iterator[str]:
    """Yield a date as people and programs write it; two-digit years are left out."""
    y, m, d = f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}"
    for month, number in ((m, d), (str(day.month), str(day.day))):
        for mark in "-/.":
            yield mark.join((y, month, number))
            yield mark.join((number, month, y))
            yield mark.join((month, number, y))
        yield from (f"{number} {month} {y}", f"{y} {month} {number}", f"{month} {number} {y}")
        yield from (f"{number}. {month}. {y}", f"{number} / {month} / {y}")
        yield f"{y}年{month}月{number}日"
        yield f"{y}年 {month}月 {number}日"
        yield f"{y}년 {month}월 {number}일"
    yield from (f"{y}{m}{d}", f"{d}{m}{y}", f"{m}{d}{y}", f"{y}_{m}_{d}", f"{d}_{m}_{y}")
    signs = "".join(_SIGNS[int(one)] for one in y)
    yield f"{signs}年{_in_signs(day.month)}月{_in_signs(day.day)}日"
    for era, began in _ERAS.items():
        if 0 < day.year - began < 65:
            yield f"{era}{day.year - began}年{day.month}月{day.day}日"
    name = _MONTHS[day.month - 1]
    for word in (name, name[:3]):
        for number in {d, str(day.day)}:
            yield from (f"{number} {word} {y}", f"{number}-{word}-{y}", f"{number}. {word} {y}")
            yield from (f"{word} {number}, {y}", f"{word} {number} {y}", f"{number}{word}{y}")


def _in_signs(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else "十" if tens == 1 else f"{_SIGNS[tens]}十") + (
        _SIGNS[ones] if ones else ""
    )


def _of_time(identity: Identity) -> Iterator[str]:
    match = _TIME.match(identity.value)
    if match is None:
        return
    hour, minute, second, fraction = match.groups()
    if (minute, second) != ("00", "00"):  # a round hour is a number like any other
        yield f"{hour}{minute}{second}"
        yield f"{hour}:{minute}:{second}"
    if fraction and len(fraction) > 1:
        yield f"{hour}{minute}{second}.{fraction}"
