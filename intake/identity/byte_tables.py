"""Many patterns in little memory: their endings, lengths and hashes, instead of the patterns.

A million patterns as objects of Python take 600 MiB and 12 s. Here whole columns of them are made
and hashed at once (numpy), and of each 12 bytes are kept. A match of a hash says which pattern it
would be; whoever asks makes that one anew and compares byte by byte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

import numpy as np

LONG = 8
"""Bytes of a pattern that is also searched in voxels and other bulk data."""

FEW = 1 << 14
"""Bytes up to which the windows of a content are looked at in one step."""

LOWER = bytes(one + 32 if 65 <= one <= 90 else one for one in range(256))
"""Translation of ASCII capitals: patterns and contents are compared without case."""

_LOWERED = np.frombuffer(LOWER, np.uint8)
_CODED = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".translate(LOWER), np.uint8
)
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_MIX = 0x9E3779B97F4A7C15
_WHOLE = (1 << 64) - 1


def lowered(rows: np.ndarray) -> np.ndarray:
    """Return texts of one length, an array of (texts, bytes), in small letters."""
    return _LOWERED[rows]


def base64_of(rows: np.ndarray, shift: int) -> np.ndarray:
    """Return what base64 makes of texts of one length behind `shift` other bytes, in small letters.

    Parameters
    ----------
    rows : numpy.ndarray of uint8
        (texts, bytes).
    shift : int
        0, 1 or 2. Characters that depend on the other bytes, or on what follows, have any value.

    Returns
    -------
    numpy.ndarray of uint8
        (texts, characters), a multiple of four.
    """
    count, length = rows.shape
    padded = np.zeros((count, -(-(shift + length) // 3) * 3), np.uint8)
    padded[:, shift : shift + length] = rows
    first, second, third = (padded[:, at::3] for at in range(3))
    coded = np.empty((count, padded.shape[1] // 3 * 4), np.uint8)
    coded[:, 0::4] = first >> 2
    coded[:, 1::4] = (first & 3) << 4 | second >> 4
    coded[:, 2::4] = (second & 15) << 2 | third >> 6
    coded[:, 3::4] = third & 63
    return _CODED[coded]


def hexadecimal_of(rows: np.ndarray) -> np.ndarray:
    """Return the hexadecimal digits of texts of one length."""
    digits = np.empty((len(rows), 2 * rows.shape[1]), np.uint8)
    digits[:, 0::2], digits[:, 1::2] = _DIGITS[rows >> 4], _DIGITS[rows & 15]
    return digits


def hash_of(text: bytes) -> int:
    """Return the hash of a text as `hashes_of` makes it of many."""
    words = -(-len(text) // 8)
    found = len(text)
    for word in struct.unpack(f"<{words}Q", text.ljust(8 * words, b"\0")):
        found = (found ^ word) * _MIX & _WHOLE
        found ^= found >> 29
    return found


def hashes_of(rows: np.ndarray) -> np.ndarray:
    """Return a hash of 64 bits of each of many texts of one length, (texts, bytes)."""
    count, length = rows.shape
    padded = np.zeros((count, -(-length // 8) * 8), np.uint8)
    padded[:, :length] = rows
    found = np.full(count, length, np.uint64)
    for words in padded.view("<u8").T:
        found = (found ^ words) * np.uint64(_MIX)
        found ^= found >> np.uint64(29)
    return found


def _tail(before: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return a hash of the last sixteen bytes of texts."""
    found = (before ^ (anchors >> np.uint64(31))) * np.uint64(_MIX)
    return (found ^ (anchors * np.uint64(_MIX | 2))) * np.uint64(_MIX)


class Table:
    """Texts by their last eight or four bytes, the anchor.

    Parameters
    ----------
    kind : {'<u8', '<u4'}
        What reads an anchor.
    """

    def __init__(self, kind: str) -> None:
        self.kind = np.dtype(kind)
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, int]] = []
        self._tails: list[np.ndarray] = []

    def add(self, rows: np.ndarray, numbers: np.ndarray) -> None:
        """Add texts of one length, (texts, bytes), and the number by which each is known."""
        width = self.kind.itemsize
        anchors = np.ascontiguousarray(rows[:, -width:]).view(self.kind).ravel()
        self._parts.append((anchors, hashes_of(rows), numbers, rows.shape[1]))
        if width == LONG and rows.shape[1] >= 2 * LONG:
            before = np.ascontiguousarray(rows[:, -2 * LONG : -LONG]).view(self.kind).ravel()
            self._tails.append(np.unique(_tail(before, anchors)))

    def finish(self) -> int:
        """Make the table ready for a search, and return how many different texts it has."""
        parts, self._parts = self._parts, []
        none = np.zeros(0, np.int64)
        anchors = np.concatenate([one[0] for one in parts] or [none.astype(self.kind)])
        lengths = np.concatenate(
            [np.full(len(one[0]), one[3], np.uint16) for one in parts] or [none.astype(np.uint16)]
        )
        hashes = np.concatenate([one[1] for one in parts] or [none.astype(np.uint64)])
        numbers = np.concatenate([one[2] for one in parts] or [none])
        del parts
        order = np.lexsort((numbers, hashes))
        self.hashes, self.numbers = hashes[order], numbers[order]
        self._by_anchor(anchors, lengths, numbers)
        return len(hashes) and 1 + int(np.count_nonzero(self.hashes[1:] != self.hashes[:-1]))

    def _by_anchor(self, anchors: np.ndarray, lengths: np.ndarray, numbers: np.ndarray) -> None:
        """Keep each anchor once, with the lengths of its texts in the order of their numbers."""
        order = np.lexsort((numbers, lengths, anchors))
        anchors, lengths, numbers = anchors[order], lengths[order], numbers[order]
        first = np.ones(len(anchors), bool)
        first[1:] = (anchors[1:] != anchors[:-1]) | (lengths[1:] != lengths[:-1])
        anchors, lengths, numbers = anchors[first], lengths[first], numbers[first]
        order = np.lexsort((numbers, anchors))
        anchors, self.lengths = anchors[order], lengths[order]
        starts = np.ones(len(anchors), bool)
        starts[1:] = anchors[1:] != anchors[:-1]
        self.anchors = anchors[starts]
        self.starts = np.append(np.flatnonzero(starts), len(anchors)).astype(np.int64)
        bits = max(16, min(26, (32 * len(self.anchors)).bit_length()))
        self.shift = self.kind.type(8 * self.kind.itemsize - bits)
        self.odd = self.kind.type(_MIX >> (64 - 8 * self.kind.itemsize) | 1)
        self.seen = np.zeros(1 << bits, dtype=bool)
        self.seen[self._place(self.anchors)] = True
        least = (
            np.minimum.reduceat(self.lengths, self.starts[:-1]) if len(anchors) else self.lengths
        )
        self.short = least < 2 * LONG
        bits = max(16, min(24, (8 * len(self.lengths)).bit_length()))
        self.tail_shift = np.uint64(64 - bits)
        self.tails = np.zeros(1 << bits, dtype=bool)
        for one in self._tails:
            self.tails[one >> self.tail_shift] = True
        self._tails = []

    def _place(self, values: np.ndarray) -> np.ndarray:
        return (values * self.odd) >> self.shift

    def _likely(
        self, content: bytes, ends: np.ndarray, places: np.ndarray, anchors: np.ndarray
    ) -> np.ndarray:
        """Return at which anchors a text may end, by the eight bytes before them.

        Anchors of two digits, as texts of four bytes a character have, stand all over a picture.
        """
        long = ends >= 2 * LONG
        windows = np.ndarray((len(content) - LONG + 1,), self.kind, content, 0, (1,))
        before = windows[np.where(long, ends - 2 * LONG, 0)]
        return self.short[places] | (long & self.tails[_tail(before, anchors) >> self.tail_shift])

    def __len__(self) -> int:
        return len(self.numbers)

    def numbers_of(self, text: bytes) -> list[int]:
        """Return the numbers of the texts that have the hash of `text`, the least first."""
        value = np.uint64(hash_of(text))
        first = int(np.searchsorted(self.hashes, value))
        last = first
        while last < len(self.hashes) and self.hashes[last] == value:
            last += 1
        return self.numbers[first:last].tolist()

    def hits(
        self, content: bytes, text_of: Callable[[int], bytes]
    ) -> Iterator[tuple[int, int, int]]:
        """Yield start and end of every text in `content`, and its number.

        Parameters
        ----------
        content : bytes
            In small letters.
        text_of : callable
            Returns the text of a number, for the comparison byte by byte.
        """
        width = self.kind.itemsize
        if not len(self):
            return
        # All windows at once where there are few; else in steps of a window, which are aligned.
        step = 1 if len(content) < FEW else width
        for offset in range(step):
            count = (len(content) - offset - width) // step + 1
            if count <= 0:
                continue
            windows = np.ndarray((count,), self.kind, content, offset, (step,))
            near = np.flatnonzero(self.seen[self._place(windows)])
            values = windows[near]
            places = np.minimum(np.searchsorted(self.anchors, values), len(self.anchors) - 1)
            there = self.anchors[places] == values
            places, values = places[there], values[there]
            ends = near[there] * step + (offset + width)
            if width == LONG:
                kept = self._likely(content, ends, places, values)
                places, ends = places[kept], ends[kept]
            for end, place in zip(ends.tolist(), places.tolist(), strict=True):
                lengths = self.lengths[self.starts[place] : self.starts[place + 1]].tolist()
                for length in lengths:
                    if end < length:
                        continue
                    text = content[end - length : end]
                    for number in self.numbers_of(text):
                        if text_of(number) == text:
                            yield end - length, end, number
                            break


def by_length(texts: Iterable[tuple[bytes, int]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield texts of one length at a time, as an array of (texts, bytes), with their numbers."""
    groups: dict[int, tuple[list[bytes], list[int]]] = {}
    for text, number in texts:
        several, numbers = groups.setdefault(len(text), ([], []))
        several.append(text)
        numbers.append(number)
    for length, (several, numbers) in groups.items():
        if length:
            rows = np.frombuffer(b"".join(several), np.uint8).reshape(len(several), length)
            yield rows, np.array(numbers, np.int64)
