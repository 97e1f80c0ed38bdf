"""Names, ids and dates in other spellings than a header's: searched in a text without separators.

Text and needles are folded alike: romanised, in small letters, ``ae oe ue aa`` as ``a o u a``, and
without blanks, hyphens, apostrophes and the like. So Mueller is Müller, van der Berg is vanderBerg,
and a Chinese name is found in pinyin in any grouping and with traditional characters. A match must
not be part of a longer word. Dates with the name of a month are read and compared as days.
"""

from __future__ import annotations

import datetime
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from anyascii import anyascii

from intake.identity.variants import COMMON
from pipeline.imaging.dicom.dicom_identity import Identity
from pipeline.tables.identifying.dates import month_of

MIN_NAME = 5
"""Folded letters of a needle; shorter names are searched as they are written."""

MIN_WORD = 6
"""Folded letters of one word of a name of several, such as half of a double name."""

MIN_ID, MIN_PLAIN_ID = 6, 7
"""Folded characters of an id with letters, and digits of one without."""

MOST_WORDS = 4
"""Words of a name that are tried in every order; of longer names their order and its reverse."""

GAP = 3
"""Characters that may part two letters of a name."""

SIGN = "\x1f"
"""Stands around each romanised Chinese, Japanese or Korean character."""

_KEPT = np.zeros(256, bool)
_KEPT[[*b"abcdefghijklmnopqrstuvwxyz0123456789"]] = True
_DROPPED = bytes(np.flatnonzero(~_KEPT).astype(np.uint8).tobytes()).translate(
    None, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_DIGRAPHS = ((b"ae", b"a"), (b"oe", b"o"), (b"ue", b"u"), (b"aa", b"a"))
_LOWER = bytes(one + 32 if 65 <= one <= 90 else one for one in range(256))
_ID_GAP = re.compile(rb"[A-Za-z0-9]+(?:[-_ ./:#\0\x1f][A-Za-z0-9]+)*")
_PLAIN_GAP = re.compile(rb"[0-9]+(?:[-_ /\0][0-9]+)*")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_TITLES = frozenset("dr prof med mr mrs ms miss herr frau jr sr md phd".split())  # noqa: SIM905

#: Family names of Korea as people write them, by their sign.
_KOREAN = {
    "김": "kim gim", "이": "lee yi i rhee", "박": "park bak pak", "최": "choi choe",
    "정": "jung jeong chung", "강": "kang gang", "조": "cho jo", "윤": "yoon yun", "임": "lim im",
    "신": "shin sin", "유": "yoo yu ryu", "류": "ryu yu", "오": "oh o", "서": "seo suh",
    "권": "kwon gwon", "안": "ahn an", "전": "jeon jun chun", "고": "ko go koh", "문": "moon mun",
    "손": "son sohn", "배": "bae pae", "백": "baek paik", "허": "heo hur huh", "노": "noh no roh",
    "심": "shim sim", "곽": "kwak gwak", "구": "koo ku gu", "우": "woo u", "주": "joo ju chu",
}  # fmt: skip


def _jamo(first: str, vowels: str, last: str) -> tuple[list[str], list[str], list[str]]:
    """Return the spellings of the 19 initials, 21 vowels and 28 finals; `-` stands for none."""
    lists = [["" if one == "-" else one for one in text.split()] for text in (first, vowels, last)]
    return lists[0], lists[1], lists[2]


_FINALS = "- k k k n n n t l k m l l l p l m p p t t ng t t k t p t"
_RR = _jamo(
    "g kk n d tt r m b pp s ss - j jj ch k t p h",
    "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i",
    _FINALS,
)
_MR = _jamo(
    "k kk n t tt r m p pp s ss - ch tch ch' k' t' p' h",
    "a ae ya yae o e yo ye o wa wae oe yo u wo we wi yu u ui i",
    _FINALS,
)
#: Other romanisations of Cyrillic letters than the first, which is anyascii's.
_CYRILLIC = {
    "й": "y i j", "я": "ya ia ja", "ю": "yu iu ju", "ё": "yo e io jo", "х": "kh h x",
    "ц": "ts c tz", "ж": "zh j z", "ч": "ch c tch", "ш": "sh s sch", "щ": "shch sch sc",
    "ы": "y i", "ь": " '",
    "ъ": " '", "в": "v w", "є": "ye ie je", "ї": "yi i ji", "и": "i y", "е": "e ye je",
}  # fmt: skip
MOST_ROMANISATIONS = 64


def letters_of(text: str) -> str:
    """Return a text romanised, each sign of Chinese, Japanese and Korean set apart.

    >>> letters_of("Żółw"), letters_of("Æ")
    ('Zolw', 'Ae')
    """
    return _NOT_ASCII.sub(lambda run: _roman(run[0]), unicodedata.normalize("NFC", text))


@lru_cache(maxsize=1 << 16)
def _roman(run: str) -> str:
    parts = []
    for one in run:
        ascii_ = anyascii(one)
        signs = "\u2e80" <= one <= "\ud7ff" or "\uf900" <= one <= "\ufaff"
        parts.append(f"{SIGN}{ascii_}{SIGN}" if signs else ascii_)
    return "".join(parts)


def readable(content: bytes) -> bytes:
    """Return a content as ASCII: UTF-8, else Latin-1, romanised."""
    if content.isascii():
        return content
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = error.end >= len(content) - 4 or error.start < 4  # by a chunk's edge
        text = content.decode("utf-8", "replace") if cut else content.decode("latin-1")
    return letters_of(text).encode("ascii", "replace")


def skeleton(content: bytes) -> tuple[bytes, np.ndarray]:
    """Return the letters and digits of an ASCII text, folded, and the place of each."""
    lowered = np.frombuffer(content.translate(_LOWER), np.uint8)
    places = np.flatnonzero(_KEPT[lowered])
    kept = lowered[places]
    before = np.concatenate([[0], kept[:-1]]) if len(kept) else kept
    umlaut = (kept == ord("e")) & np.isin(before, [*b"aou"])
    ring = (kept == ord("a")) & (before == ord("a"))
    stay = ~(umlaut | ring)
    return kept[stay].tobytes(), places[stay]


def quick_skeleton(content: bytes) -> bytes:
    """Return what `skeleton` returns but for its places, much faster.

    The two differ after three equal letters in a row only, of which no language has many.
    """
    bare = content.translate(_LOWER, _DROPPED)
    for two, one in _DIGRAPHS:
        bare = bare.replace(two, one)
    return bare


def fold(text: str) -> bytes:
    """Return a needle as `skeleton` makes it.

    >>> fold("Müller"), fold("MUELLER"), fold("van der Åberg")
    (b'muller', b'muller', b'vanderaberg')
    """
    return skeleton(letters_of(text).encode("ascii", "replace"))[0]


def needles(identity: Identity) -> set[bytes]:
    """Return what to search for in folded texts, empty where other spellings mean nothing."""
    private = identity.kind == "private" and "^" in identity.value
    lettered = identity.kind == "id" and not any(one.isdigit() for one in identity.value)
    if identity.kind == "name" or private or lettered:
        found: set[bytes] = set()
        for group in identity.value.replace(",", "^").split("="):
            for spelled in romanised(group):
                found |= _of_words(spelled)
        return found
    if identity.kind in ("id", "serial"):
        one = fold(identity.value)
        plain = one.isdigit()
        enough = len(one) >= (MIN_PLAIN_ID if plain else MIN_ID) and len(set(one)) > 2
        return {one} if enough and any(48 <= sign <= 57 for sign in one) else set()
    return set()


def romanised(name: str) -> Iterator[str]:
    """Yield a name in the usual romanisations of its script; Latin names as they are."""
    yield name
    if any("가" <= one <= "힣" for one in name):
        for system in (_RR, _MR):
            yield "".join(f" {_syllable(one, system)}" if _is_hangul(one) else one for one in name)
            first = next(at for at, one in enumerate(name) if _is_hangul(one))
            for family in _KOREAN.get(name[first], "").split():
                rest = [
                    f" {_syllable(one, system)}" if _is_hangul(one) else one
                    for one in name[first + 1 :]
                ]
                yield f"{name[:first]}{family} {''.join(rest)}"
    lowered = name.lower()
    if any("а" <= one <= "ӿ" for one in lowered):
        ways = {
            one: _CYRILLIC[one].split(" ") for one in dict.fromkeys(lowered) if one in _CYRILLIC
        }
        chosen = sorted(
            itertools.islice(
                itertools.product(*(range(len(each)) for each in ways.values())), 20_000
            ),
            key=lambda numbers: (sum(map(bool, numbers)), sum(numbers)),
        )
        for numbers in chosen[:MOST_ROMANISATIONS]:  # those that depart least from the first
            spelled = dict(zip(ways, numbers, strict=True))
            yield "".join(ways[one][spelled[one]] if one in ways else one for one in lowered)


def _is_hangul(one: str) -> bool:
    return "가" <= one <= "힣"


def _syllable(one: str, system: tuple[list[str], list[str], list[str]]) -> str:
    code = ord(one) - 0xAC00
    first, vowel, last = code // 588, code % 588 // 28, code % 28
    return system[0][first] + system[1][vowel] + system[2][last]


def _of_words(name: str) -> set[bytes]:
    """Return a name's needles: each part alone, and its words in any order."""
    parts = [part.strip() for part in name.split("^") if part.strip()]
    found = {fold(part) for part in parts}
    every = [_words(part) for part in parts]
    words = [word for part in every for word in part]
    found |= {word for part in every if len(part) > 1 for word in part if len(word) >= MIN_WORD}
    for chosen in (words, [word for part in every[:2] for word in part]):
        if 1 < len(chosen) <= MOST_WORDS:
            found |= {b"".join(order) for order in itertools.permutations(chosen)}
    if len(every) > 1:
        wholes = [b"".join(part) for part in every[:MOST_WORDS]]
        for count in range(2, len(wholes) + 1):
            found |= {b"".join(order) for order in itertools.permutations(wholes, count)}
    if len(every) > 1 and every[0] and every[1]:  # the family with the first of the given names
        family, given = b"".join(every[0]), every[1][0]
        found |= {family + given, given + family}
    return {
        one
        for one in found
        if len(one) >= MIN_NAME and one.isalpha() and one.decode() not in COMMON
    }


def _words(part: str) -> list[bytes]:
    texts = re.findall(r"[A-Za-z]+(?:['’`][A-Za-z]+)*", letters_of(part).replace(SIGN, " "))
    return [fold(one) for one in texts if one.lower() not in _TITLES and fold(one)]


def stands_alone(content: bytes, start: int, end: int, needle: bytes) -> bool:
    """Return whether a match in a readable text is a name or an id by itself.

    Parameters
    ----------
    content : bytes
        As `readable` returns it.
    start, end : int
        Place of its first and last character.
    needle : bytes
        As `needles` returns it.
    """
    text = content[start:end]
    before, after = content[start - 1 : start], content[end : end + 1]
    if not needle.isalpha():
        if before.isalnum() or after.isalnum():
            return False
        if needle.isdigit():
            number = after == b"." and content[end + 1 : end + 2].isdigit()
            decimals = before == b"." and content[max(0, start - 2) : start - 1].isdigit()
            return not number and not decimals and _PLAIN_GAP.fullmatch(text) is not None
        return _ID_GAP.fullmatch(text) is not None
    if before.isalpha() or after.isalpha():
        return False
    if re.search(rb"[^A-Za-z]{%d}" % (GAP + 1), text) or re.search(rb"[0-9]", text):
        return False
    mark = SIGN.encode()
    signs = mark in (before, after)
    run = content[start - 2 : start - 1] == mark or content[end + 1 : end + 2] == mark
    return not (signs and run and len(needle) < 2 * MIN_NAME)  # within a sentence of signs


_ORDINAL = rb"(?:st|nd|rd|th|er|o|\.)?"
_OF = rb"(?:[ ._/-]{0,3}(?:de |del |di |do |of )?)"
_YEAR = rb"((?:18|19|20)[0-9]{2})(?![0-9])"
_DAY_FIRST = re.compile(
    rb"(?<![0-9])([0-9]{1,2})" + _ORDINAL + _OF + rb"([A-Za-z']{3,12})\.?,?" + _OF + _YEAR
)
_MONTH = rb"([A-Za-z']{3,12})\.?"
_BETWEEN = rb"[ ._-]{0,3}"
_MONTH_FIRST = re.compile(
    rb"(?<![A-Za-z])" + _MONTH + _BETWEEN + rb"([0-9]{1,2})(?:st|nd|rd|th)?,?" + _BETWEEN + _YEAR
)
_YEAR_FIRST = re.compile(
    rb"(?<![0-9])((?:18|19|20)[0-9]{2})" + _BETWEEN + _MONTH + _BETWEEN + rb"([0-9]{1,2})(?![0-9])"
)
_AROUND = 40
_ORDERS = ((_DAY_FIRST, (3, 2, 1)), (_MONTH_FIRST, (3, 1, 2)), (_YEAR_FIRST, (1, 2, 3)))


def years_of(days: Iterable[datetime.date]) -> list[bytes]:
    """Return the years of some days as they are written."""
    return sorted({b"%d" % day.year for day in days})


def named_days(content: bytes, years: list[bytes]) -> Iterator[tuple[datetime.date, int, int]]:
    """Yield the days that a readable text writes with the name of a month, with their places.

    Parameters
    ----------
    content : bytes
        As `readable` returns it.
    years : list of bytes
        As `years_of` returns it: only what stands beside such a year is read.
    """
    for year in years:
        place = content.find(year)
        while place >= 0:
            end = place + len(year)
            if not (content[place - 1 : place].isdigit() or content[end : end + 1].isdigit()):
                first = max(0, place - _AROUND)
                yield from _named_days(content[first : end + _AROUND], first)
            place = content.find(year, end)


def _named_days(content: bytes, first: int) -> Iterator[tuple[datetime.date, int, int]]:
    for pattern, order in _ORDERS:
        for match in pattern.finditer(content):
            year, word, day = (match[at].decode() for at in order)
            month = month_of(word)
            if month is None:
                continue
            try:
                yield (
                    datetime.date(int(year), month, int(day)),
                    first + match.start(),
                    first + match.end(),
                )
            except ValueError:
                continue
