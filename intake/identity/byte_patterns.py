"""What to search for by its bytes: forms of identity values in every encoding.

A thousand patients have a million patterns. They are no objects, of which each would take 600
bytes and 10 microseconds: whole columns of forms are encoded at once, a table keeps their hashes
(`intake.identity.byte_tables`), and a pattern is made anew of its form where it is found.
"""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from intake.identity.byte_tables import (
    LONG,
    LOWER,
    Table,
    base64_of,
    by_length,
    hexadecimal_of,
    lowered,
)
from intake.identity.folded import needles
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

_CODECS = tuple(ENCODINGS.items())

#: Those in which ASCII has bytes of its own: in all others they are those of UTF-8.
_OF_ASCII = frozenset(name for name in ENCODINGS if name.startswith("UTF"))

#: What a form is searched as that is searched sparingly.
_SPARING = frozenset(("UTF-8", "UTF-16"))

#: Encodings whose bytes are also searched as base64 and as hexadecimal digits.
WRAPPED = ("UTF-8", "UTF-16", "GB18030", "Shift-JIS", "Latin-1")

MIN_BYTES = 4
"""A pattern of fewer bytes is left out: it would occur by chance."""

MIN_BASE64 = 8
MIN_HEX = 12
"""Characters of a pattern in base64 and in hexadecimal; hashes are full of shorter ones."""

MANY_UIDS = 50_000
"""Beyond so many UIDs (one a slice) they are searched as UTF-8 and UTF-16 only."""

#: How the bytes of a form are written: as they are; as base64 by itself, and behind 0, 1 or 2 other
#: bytes in the usual and in the URL's alphabet; as hexadecimal digits.
_PLAIN, _WHOLE, _PIECES, _HEX = 0, 1, ((2, 3), (4, 5), (6, 7)), 8
_WAYS = 9
_NUMBERS = 128
"""Numbers of a form: one for each encoding and way of writing it."""

_OF_URLS = bytes.maketrans(b"+/", b"-_")
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


class Patterns:
    """The patterns of many identity values.

    Parameters
    ----------
    identities : iterable of Identity
        What to search for.
    plain : bool
        Whether only text as it stands in a cell is searched, without base64 and other encodings:
        that takes a fifth of the time.
    first : sequence of str
        Kinds whose patterns are told by their own identity where other kinds have them too.

    Attributes
    ----------
    left_out : list of Identity
        What is too short or too common.
    tables : (Table, Table)
        Patterns of eight bytes or more, and shorter ones; of a number `text` and `pattern` tell.
    folded : (Table, Table)
        The same of what is searched in folded texts (`intake.identity.folded`): `needle`.
    days : dict of datetime.date to Pattern
        What is searched as a day with the name of its month.
    """

    def __init__(
        self, identities: Iterable[Identity], *, plain: bool = False, first: Sequence[str] = ()
    ) -> None:
        self._identities = sorted(set(identities), key=lambda one: (one.kind not in first, one))
        self._forms: list[str] = []
        self._of: list[int] = []
        self._needles: dict[bytes, int] = {}
        self.left_out: list[Identity] = []
        self.days: dict[datetime.date, Pattern] = {}
        for number, identity in enumerate(self._identities):
            texts = sorted(forms(identity))
            self._forms += texts
            self._of += [number] * len(texts)
            if not texts:
                self.left_out.append(identity)
            for needle in needles(identity) if texts else ():
                self._needles.setdefault(needle, number)
            if (day := day_of(identity)) is not None:
                self.days.setdefault(day, _of_spelling(identity))
        self.tables, self.folded = (Table("<u8"), Table("<u4")), (Table("<u8"), Table("<u4"))
        many = sum(one.kind == "uid" for one in self._identities) > MANY_UIDS
        sparing = np.array(
            [plain or (many and one.kind == "uid") for one in self._identities], bool
        )
        self._encode(sparing[np.array(self._of, np.int64)])
        for rows, numbers in by_length(zip(self._needles, range(len(self._needles)), strict=True)):
            self._add(self.folded, rows, numbers)
        self._needles = list(self._needles.items())
        self._count = sum(one.finish() for one in (*self.tables, *self.folded)) + len(self.days)

    def __len__(self) -> int:
        """Return how many different patterns there are."""
        return self._count

    def __contains__(self, text: bytes) -> bool:
        """Return whether a text in small letters is a pattern by itself."""
        table = self.tables[0 if len(text) >= LONG else 1]
        return any(self.text(number) == text for number in table.numbers_of(text))

    def _encode(self, sparing: np.ndarray) -> None:
        """Fill the tables with every form in every encoding.

        Parameters
        ----------
        sparing : numpy.ndarray of bool
            Of each form whether it is searched in few encodings, and not as base64.
        """
        for at, (name, codec) in enumerate(_CODECS):
            for rows, numbers in by_length(self._encoded(name, codec, sparing)):
                codes = numbers * _NUMBERS + at * _WAYS
                if rows.shape[1] >= MIN_BYTES:
                    self._add(self.tables, lowered(rows), codes + _PLAIN)
                if name in WRAPPED and not (few := sparing[numbers]).all():
                    self._wrap(rows[~few], codes[~few])

    def _encoded(self, name: str, codec: str, sparing: np.ndarray) -> Iterator[tuple[bytes, int]]:
        for number, (text, few) in enumerate(zip(self._forms, sparing.tolist(), strict=True)):
            if (text.isascii() and name not in _OF_ASCII) or (few and name not in _SPARING):
                continue
            try:
                yield text.encode(codec), number
            except UnicodeEncodeError:
                continue

    def _wrap(self, rows: np.ndarray, codes: np.ndarray) -> None:
        """Add what base64 at each alignment and hexadecimal digits make of texts of one length."""
        length = rows.shape[1]
        whole = base64_of(rows, 0)
        if whole.shape[1] >= MIN_BASE64:
            padding = -length % 3
            whole[:, whole.shape[1] - padding :] = ord("=")
            self._add(self.tables, whole, codes + _WHOLE)
        for shift, (usual, of_urls) in enumerate(_PIECES):
            pieces = base64_of(rows, shift)
            pieces = pieces[:, slice(*_edges(length, shift, pieces.shape[1]))]
            if pieces.shape[1] < MIN_BASE64:
                continue
            self._add(self.tables, pieces, codes + usual)
            other = np.isin(pieces, [*b"+/"]).any(axis=1)
            if other.any():
                urls = np.frombuffer(pieces[other].tobytes().translate(_OF_URLS), np.uint8)
                self._add(self.tables, urls.reshape(-1, pieces.shape[1]), codes[other] + of_urls)
        if 2 * length >= MIN_HEX:
            self._add(self.tables, hexadecimal_of(rows), codes + _HEX)

    @staticmethod
    def _add(tables: tuple[Table, Table], rows: np.ndarray, codes: np.ndarray) -> None:
        tables[0 if rows.shape[1] >= LONG else 1].add(rows, codes)

    def text(self, code: int) -> bytes:
        """Return the bytes of a pattern, in small letters."""
        number, _, codec, way = self._meant(code)
        data = self._forms[number].encode(codec)
        if way == _HEX:
            return data.hex().encode()
        if way == _WHOLE:
            data = base64.b64encode(data)
        elif way != _PLAIN:
            shift, of_urls = divmod(way - _PIECES[0][0], 2)
            coded = base64.b64encode(b"\0" * shift + data)
            data = coded[slice(*_edges(len(data), shift, len(coded)))]
            data = data.translate(_OF_URLS) if of_urls else data
        return data.translate(LOWER)

    def pattern(self, code: int) -> Pattern:
        """Return a pattern by its number."""
        number, name, _, way = self._meant(code)
        identity, text = self._identities[self._of[number]], self._forms[number]
        if way == _PLAIN:
            left, right = _boundaries(text)
            timed = identity.kind in ("time", "date")
            clock = timed and re.fullmatch(r"\d\d:\d\d:\d\d", text) is not None
            width = {"UTF-16": 2, "UTF-32": 4}.get(name[:6], 1)
            return Pattern(identity, name, width, left, right, clock)
        if way == _HEX:
            none = frozenset()
            return Pattern(identity, f"hexadecimal of {name}", 1, none, none, False)
        edges = _WORD if way == _WHOLE else frozenset()
        return Pattern(identity, f"base64 of {name}", 1, edges, edges, False)

    def _meant(self, code: int) -> tuple[int, str, str, int]:
        """Return of a number the form's, the encoding, its codec, and the way it is written."""
        number, rest = divmod(code, _NUMBERS)
        at, way = divmod(rest, _WAYS)
        name, codec = _CODECS[at]
        return number, name, codec, way

    def needle(self, number: int) -> bytes:
        """Return what is searched in folded texts, by its number."""
        return self._needles[number][0]

    def spelling(self, number: int) -> Pattern:
        """Return the pattern of a needle by its number."""
        return _of_spelling(self._identities[self._needles[number][1]])


def _of_spelling(identity: Identity) -> Pattern:
    return Pattern(identity, "another spelling", 1, frozenset(), frozenset(), False)


def _edges(length: int, shift: int, characters: int) -> tuple[int, int]:
    """Return which characters of base64 a text behind `shift` bytes determines alone."""
    return (0, 2, 3)[shift], characters - (0, 3, 2)[(shift + length) % 3]


def _boundaries(text: str) -> tuple[frozenset, frozenset]:
    """Return what must not stand beside a form: part of a longer number or word."""
    short = len(text) < LONG and text.isascii()

    def beside(one: str) -> frozenset:
        if short:
            return _WORD
        return _DIGITS if one in "0123456789" else frozenset()

    return beside(text[0]), beside(text[-1])
