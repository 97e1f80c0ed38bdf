"""Forms of identity values as bytes, in every encoding, and a search for all of them at once.

The search looks at every window of four and of eight bytes through a table of hashes (numpy), and
compares byte by byte only where the table hits. Its time hardly depends on the number of patterns:
some 40 s a gigabyte for eight hundred thousand (one core).
"""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from intake.identity.folded import (
    named_days,
    needles,
    quick_skeleton,
    readable,
    skeleton,
    stands_alone,
    years_of,
)
from intake.identity.variants import day_of, forms
from pipeline.imaging.dicom.dicom_identity import Identity

ENCODINGS = {
    "UTF-8": "utf-8",
    "UTF-16": "utf-16-le",
    "UTF-16 (big endian)": "utf-16-be",
    "UTF-32": "utf-32-le",
    "GB18030": "gb18030",
    "Shift-JIS": "shift_jis",
    "Latin-1": "latin-1",
    "EUC-KR": "euc_kr",
    "EUC-JP": "euc_jp",
    "Big5": "big5",
    "ISO 8859-5": "iso8859_5",
    "Windows-1251": "cp1251",
    "ISO 8859-7": "iso8859_7",
}

#: Those in which ASCII has bytes of its own: in all others they are those of UTF-8.
_OF_ASCII = {name: codec for name, codec in ENCODINGS.items() if name.startswith("UTF")}

#: Encodings whose bytes are also searched as base64 and as hexadecimal digits.
WRAPPED = ("UTF-8", "UTF-16", "GB18030", "Shift-JIS", "Latin-1")

MIN_BYTES = 4
"""A pattern of fewer bytes is left out: it would occur by chance."""

MIN_BASE64 = 8
MIN_HEX = 12
"""Characters of a pattern in base64 and in hexadecimal; hashes are full of shorter ones."""

LONG = 8
"""Bytes of a pattern that is also searched in voxels and other bulk data."""

FOLDED, NAMED_DAY = b"\0spelling\0", b"\0day\0"
"""Marks of patterns that are searched in folded texts, and of days (`intake.identity.folded`)."""

FEW = 1 << 14
"""Bytes up to which the windows of a content are looked at in one step."""

MANY_UIDS = 50_000
"""Beyond so many UIDs (one a slice) they are searched as UTF-8 and UTF-16 only."""

LOWER = bytes(one + 32 if 65 <= one <= 90 else one for one in range(256))
"""Translation of ASCII capitals: patterns and contents are compared without case."""

_CLOCK = re.compile(rb"([0-9]{4}-[0-9]{2}-[0-9]{2}[ t]|[a-z]{3} +[0-9]{1,2} )$")
_DECIMALS = re.compile(rb"\.[0-9]+(e[+-]?[0-9]+)?(?![0-9a-z._-])")
_DIGITS, _WORD = frozenset(b"0123456789"), frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes to search for.

    Attributes
    ----------
    identity : Identity
        The value that they are a form of.
    encoding : str
        In words, such as ``base64 of GB18030``.
    width : int
        Bytes of a character.
    left, right : frozenset of int
        Bytes that must not stand beside a match.
    clock : bool
        A time of day: no match where it stands in a timestamp of the run itself.
    """

    identity: Identity
    encoding: str
    width: int
    left: frozenset
    right: frozenset
    clock: bool


@dataclass(frozen=True)
class Match:
    """Where a pattern was found: ``start`` and ``end`` in the content, or in what is `readable`."""

    pattern: Pattern
    start: int
    end: int
    readable: bytes | None = None


def patterns_of(
    identities: Iterable[Identity], *, plain: bool = False
) -> tuple[dict[bytes, Pattern], list[Identity]]:
    """Return what to search for by its bytes, and the identities that are too short or common.

    Parameters
    ----------
    identities : iterable of Identity
        What to search for.
    plain : bool
        Whether only text as it stands in a cell is searched, without base64 and other encodings:
        that takes a fifth of the time.
    """
    identities = sorted(set(identities))
    sparing = sum(one.kind == "uid" for one in identities) > MANY_UIDS
    patterns: dict[bytes, Pattern] = {}
    left_out = []
    for identity in identities:
        found, searched = _patterns_of_one(identity, plain or (sparing and identity.kind == "uid"))
        for data, pattern in found:
            patterns.setdefault(data, pattern)
        if not searched:
            left_out.append(identity)
    return patterns, left_out


@lru_cache(maxsize=500)
def _patterns_of_one(
    identity: Identity, sparing: bool
) -> tuple[tuple[tuple[bytes, Pattern], ...], bool]:
    """Return the patterns of one value, and whether it is long and rare enough for a search.

    They are kept for a while: a registration asks for those of a patient more than once.
    """
    texts = forms(identity)
    found = [(FOLDED + one, _of_spelling(identity)) for one in (needles(identity) if texts else ())]
    if (day := day_of(identity)) is not None:
        found.append((NAMED_DAY + day.isoformat().encode(), _of_spelling(identity)))
    for text in texts:
        found += _encoded(text, identity, sparing=sparing)
    return tuple(found), bool(texts)


def _of_spelling(identity: Identity) -> Pattern:
    return Pattern(identity, "another spelling", 1, frozenset(), frozenset(), False)


def _encoded(text: str, identity: Identity, *, sparing: bool) -> Iterator[tuple[bytes, Pattern]]:
    left, right = _boundaries(text)
    clock = identity.kind in ("time", "date") and re.fullmatch(r"\d\d:\d\d:\d\d", text) is not None
    for name, codec in ENCODINGS.items() if not text.isascii() else _OF_ASCII.items():
        if sparing and name not in ("UTF-8", "UTF-16"):
            continue
        try:
            data = text.encode(codec)
        except UnicodeEncodeError:
            continue
        width = {"UTF-16": 2, "UTF-32": 4}.get(name[:6], 1)
        if len(data) >= MIN_BYTES:
            yield data.translate(LOWER), Pattern(identity, name, width, left, right, clock)
        if name not in WRAPPED or sparing:
            continue
        none = frozenset()
        for piece, edges in _base64(data):
            yield (
                piece.translate(LOWER),
                Pattern(identity, f"base64 of {name}", 1, edges, edges, False),
            )
        if len(data) * 2 >= MIN_HEX:
            digits = data.hex().encode()
            yield digits, Pattern(identity, f"hexadecimal of {name}", 1, none, none, False)


def _base64(data: bytes) -> Iterator[tuple[bytes, frozenset]]:
    """Yield the base64 characters that `data` alone determines, at each of the three alignments."""
    whole = base64.b64encode(data)
    if len(whole) >= MIN_BASE64:
        yield whole, _WORD
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + data)
        start = (0, 2, 3)[shift]
        end = len(coded) - (0, 3, 2)[(shift + len(data)) % 3]
        piece = coded[start:end]
        for one in {piece, piece.replace(b"+", b"-").replace(b"/", b"_")}:
            if len(one) >= MIN_BASE64:
                yield one, frozenset()


def _boundaries(text: str) -> tuple[frozenset, frozenset]:
    """Return what must not stand beside a form: part of a longer number or word."""
    short = len(text) < LONG and text.isascii()

    def beside(one: str) -> frozenset:
        if short:
            return _WORD
        return _DIGITS if one in "0123456789" else frozenset()

    return beside(text[0]), beside(text[-1])


class Search:
    """All patterns, ready to be searched for.

    Parameters
    ----------
    patterns : dict of bytes to Pattern
        As `patterns_of` returns it.
    """

    def __init__(self, patterns: dict[bytes, Pattern]) -> None:
        self.patterns = patterns
        self.longest = max(map(len, patterns), default=0)
        spellings = [one for one in patterns if one.startswith(FOLDED)]
        days = {one for one in patterns if one.startswith(NAMED_DAY)}
        plain = patterns.keys() - days - set(spellings)
        folded = [one.removeprefix(FOLDED) for one in spellings]
        self._tables, self._folded = _tables(plain), _tables(folded)
        self._days = {datetime.date.fromisoformat(one.removeprefix(NAMED_DAY).decode()): one
                      for one in days}  # fmt: skip
        self._years = years_of(self._days)

    def matches(
        self, content: bytes, *, bulk: bool = False, spellings: bool = True
    ) -> Iterator[Match]:
        """Yield every match in `content`.

        Parameters
        ----------
        content : bytes
            What a file or a part of it holds.
        bulk : bool, default=False
            Voxels and the like, where short patterns occur by chance: only those of `LONG`
            bytes or more are searched; whether a match says anything `intake.identity.chance`
            tells.
        spellings : bool, default=True
            Whether text is also searched for other spellings (`intake.identity.folded`).
        """
        lowered = content.translate(LOWER)
        for table in self._tables[: 1 if bulk else 2]:
            for start, end in table.hits(lowered):
                pattern = self.patterns[lowered[start:end]]
                if _stands_alone(lowered, start, end, pattern):
                    yield Match(pattern, start, end)
        if spellings and not bulk:
            yield from self._in_other_spellings(content)

    def _in_other_spellings(self, content: bytes) -> Iterator[Match]:
        """Yield matches in the folded text, and days with the name of a month."""
        if not (self._days or any(table.by_anchor for table in self._folded)):
            return
        text = readable(content)
        quick = quick_skeleton(text)
        if any(next(table.hits(quick), None) is not None for table in self._folded):
            bare, places = skeleton(text)
            for table in self._folded:
                for start, end in table.hits(bare):
                    first, last = int(places[start]), int(places[end - 1]) + 1
                    if last < len(text) and text[last] in b"eE" and text[last - 1] in b"aouAOU":
                        last += 1  # an umlaut at the end
                    needle = bare[start:end]
                    if stands_alone(text, first, last, needle):
                        yield Match(self.patterns[FOLDED + needle], first, last, text)
        if self._days:
            for day, start, end in named_days(text, self._years):
                if day in self._days:
                    yield Match(self.patterns[self._days[day]], start, end, text)


class SearchWhenAsked:
    """A search that is made ready for its first question: many values make many patterns.

    Parameters
    ----------
    identities : iterable of Identity
        What to search for.
    first : sequence of str
        Kinds whose patterns are told by their own identity where other kinds have them too.
    """

    def __init__(self, identities: Iterable[Identity], first: Sequence[str] = ()) -> None:
        self._identities, self._first = frozenset(identities), first
        self._search: Search | None = None

    def matches(self, content: bytes) -> Iterator[Match]:
        """Yield every match in `content`, as `Search.matches` does."""
        if self._search is None:
            first = {one for one in self._identities if one.kind in self._first}
            patterns = patterns_of(first)[0]
            for data, pattern in patterns_of(self._identities - first)[0].items():
                patterns.setdefault(data, pattern)
            self._search = Search(patterns)
        return self._search.matches(content)


def _tables(patterns: Iterable[bytes]) -> list[_Table]:
    every = list(patterns)
    return [
        _Table([one for one in every if len(one) >= LONG], "<u8"),
        _Table([one for one in every if len(one) < LONG], "<u4"),
    ]


class _Table:
    """Patterns by their last eight or four bytes, the anchor."""

    def __init__(self, patterns: list[bytes], kind: str) -> None:
        self.kind = np.dtype(kind)
        width = self.kind.itemsize
        self.by_anchor: dict[int, dict[int, set[bytes]]] = {}
        for one in patterns:
            anchor = int.from_bytes(one[-width:], "little")
            self.by_anchor.setdefault(anchor, {}).setdefault(len(one), set()).add(one)
        self.anchors = np.array(sorted(self.by_anchor), dtype=self.kind)
        bits = max(16, min(26, (32 * len(self.anchors)).bit_length()))
        self.shift = self.kind.type(8 * width - bits)
        self.odd = self.kind.type(0x9E3779B97F4A7C15 >> (64 - 8 * width) | 1)
        self.seen = np.zeros(1 << bits, dtype=bool)
        self.seen[self._hash(self.anchors)] = True

    def _hash(self, values: np.ndarray) -> np.ndarray:
        return (values * self.odd) >> self.shift

    def hits(self, content: bytes) -> Iterator[tuple[int, int]]:
        width = self.kind.itemsize
        if not self.by_anchor:
            return
        # All windows at once where there are few; else in steps of a window, which are aligned.
        step = 1 if len(content) < FEW else width
        for offset in range(step):
            count = (len(content) - offset - width) // step + 1
            if count <= 0:
                continue
            windows = np.ndarray((count,), self.kind, content, offset, (step,))
            for index in np.flatnonzero(self.seen[self._hash(windows)]).tolist():
                groups = self.by_anchor.get(int(windows[index]))
                if groups is None:
                    continue
                end = offset + index * step + width
                for length, members in groups.items():
                    if end >= length and content[end - length : end] in members:
                        yield end - length, end


def _stands_alone(content: bytes, start: int, end: int, pattern: Pattern) -> bool:
    """Return whether a match is no part of a longer word or number, nor a clock of the run."""
    width = pattern.width
    before = content[max(0, start - 2 * width) : start]
    after = content[end : end + width]
    if width > 1:  # a character beyond ASCII is no digit or letter of ours
        before = bytes(one for one in before if one)
        after = bytes(one for one in after if one)
    if before and before[-1] in pattern.left:
        return False
    number = content[start] in _DIGITS and pattern.identity.kind != "uid"
    if number and len(before) > 1 and before[-1:] == b"." and before[-2] in _DIGITS:
        return False  # the decimals of a number
    if after and after[0] in pattern.right:
        return False
    if number and width == 1 and _DECIMALS.match(content, end) and content[start:end].isdigit():
        return False  # a number with decimals
    return not (pattern.clock and _CLOCK.search(content[max(0, start - 16) : start]))
