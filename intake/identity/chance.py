"""How improbable a match is in data that nobody wrote as text: voxels, packed bytes, base64.

A needle of ``b`` bits occurs by chance ``N * 2**-b`` times in ``N`` bytes. With ``K`` needles a
scan expects ``K * N * 2**-b`` chance hits, and a match counts only where this is less than one in
`SCANS` scans. Bits are measured on the very data around the match: a Markov chain of first order
over its bytes, at the distance of one voxel, without the match itself, gives each byte of the
needle its probability. In random bytes a letter has 7 bits (two cases) and a digit 8; in a smooth
CT of 16 bits a character of UTF-16 has some 5, since its zero byte is certain and grey values
follow their neighbours.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator

import numpy as np

SCANS = 1000
"""Scans of which less than one may have a false alarm by chance."""

SAMPLE, SAMPLES = 1 << 18, 4
"""Bytes of a sample of the data, and how many are taken."""

STRIDES = (1, 2, 4, 8)
"""Distances in bytes at which values may follow one another: of voxels of 8 to 64 bits."""

MOST_BITS = 8.0
"""Bits of one byte at most: what was never seen in a sample is not thereby impossible."""

_RUN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
_HALF = 24
"""Characters on either side of a match by which base64 is told from a path or a sentence."""


def bits_needed(needles: int, size: int) -> float:
    """Return how many bits a match must have to be no chance.

    Parameters
    ----------
    needles : int
        Patterns that are searched for.
    size : int
        Bytes that are searched.

    Examples
    --------
    >>> math.ceil(bits_needed(100_000, 10**9))
    57
    """
    return math.log2(SCANS) + math.log2(max(needles, 1)) + math.log2(max(size, 1))


class Model:
    """What follows what in some bytes.

    Parameters
    ----------
    content : bytes
        The data, ASCII capitals as small letters, as it is searched.
    """

    def __init__(self, content: bytes) -> None:
        starts = range(0, len(content), max(SAMPLE, len(content) // SAMPLES & ~7))
        self.samples = [content[at : at + SAMPLE] for at in starts][:SAMPLES]
        arrays = [np.frombuffer(one, np.uint8) for one in self.samples]
        self.single = sum(np.bincount(one, minlength=256) for one in arrays).astype(float)
        self.pairs = {
            stride: sum(
                np.bincount(one[:-stride].astype(np.int64) * 256 + one[stride:], minlength=1 << 16)
                for one in arrays
            )
            .reshape(256, 256)
            .astype(float)
            for stride in STRIDES
        }

    def bits(self, needle: bytes) -> float:
        """Return the bits of a needle: those of the chain in which it is likeliest."""
        copies = sum(one.count(needle) for one in self.samples)
        values = np.frombuffer(needle, np.uint8)
        single = np.maximum(self.single - copies * np.bincount(values, minlength=256), 0)
        return min(self._bits(values, stride, copies, single) for stride in STRIDES)

    def _bits(self, values: np.ndarray, stride: int, copies: int, single: np.ndarray) -> float:
        first = (single[values[:stride]] + 1) / (single.sum() + 256)
        before, after = values[:-stride].astype(np.int64), values[stride:].astype(np.int64)
        if not len(before):
            return float(_capped(first).sum())
        own = np.bincount(before * 256 + after, minlength=1 << 16).reshape(256, 256)
        pairs = np.maximum(self.pairs[stride][before, after] - copies * own[before, after], 0)
        total = np.maximum(
            self.pairs[stride].sum(axis=1)[before] - copies * own.sum(axis=1)[before], 0
        )
        following = (pairs + 1 / 256) / (total + 1)
        return float(_capped(first).sum() + _capped(following).sum())


def _capped(probability: np.ndarray) -> np.ndarray:
    return np.minimum(-np.log2(probability), MOST_BITS)


def bits_of_text(needle: bytes, encoding: str) -> float:
    """Return the bits of a needle among characters drawn from an alphabet.

    Parameters
    ----------
    needle : bytes
        In small letters.
    encoding : str
        ``hexadecimal ...`` has 16 characters, all others are compared with the 64 of base64,
        whose letters count in both cases.
    """
    if encoding.startswith("hexadecimal"):
        return 4.0 * len(needle)
    return sum(5.0 if 97 <= one <= 122 else 6.0 for one in needle)


def inside_run(content: bytes, start: int, end: int, hexadecimal: bool = False) -> bool:
    """Return whether a match is a piece of a longer run of base64 (or hexadecimal) characters.

    A path or a word of letters only is none: base64 changes between capitals, small letters and
    digits at most places.
    """
    left = bytes(_backwards(content, start))[::-1]
    right = bytes(_forwards(content, end))
    if hexadecimal:
        return bool(re.search(rb"[0-9a-fA-F]$", left) or re.match(rb"[0-9a-fA-F]", right))
    around = left + right
    if len(around) < _HALF:
        return False
    kinds = [0 if 97 <= one <= 122 else 1 if 65 <= one <= 90 else 2 for one in around]
    changes = sum(one != other for one, other in itertools.pairwise(kinds))
    return changes >= 0.35 * len(around) and {0, 1} <= set(kinds)


def _backwards(content: bytes, start: int) -> Iterator[int]:
    for at in range(start - 1, max(-1, start - 1 - _HALF), -1):
        if content[at] not in _RUN:
            return
        yield content[at]


def _forwards(content: bytes, end: int) -> Iterator[int]:
    for at in range(end, min(len(content), end + _HALF)):
        if content[at] not in _RUN:
            return
        yield content[at]
