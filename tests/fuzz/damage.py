"""Ways in which a file is damaged, each drawn from a seed."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

#: Where headers lie: half of the damage is done here, since pixels are most of a file and headers
#: most of what can go wrong.
HEADER = 1200

Random = np.random.Generator


def _place(data: bytearray, random: Random) -> int:
    end = min(len(data), HEADER) if random.random() < 0.5 else len(data)
    return int(random.integers(0, end))


def cut(data: bytearray, random: Random) -> None:
    """Leave the end of the file out, sometimes just a byte."""
    at = len(data) - 1 if random.random() < 0.1 else _place(data, random)
    del data[at:]


def flip_a_bit(data: bytearray, random: Random) -> None:
    """Turn one bit."""
    data[_place(data, random)] ^= 1 << int(random.integers(0, 8))


def flip_bits(data: bytearray, random: Random) -> None:
    """Turn a few bits of a few neighbouring bytes."""
    at = _place(data, random)
    for index in range(at, min(at + 8, len(data))):
        data[index] ^= int(random.integers(0, 256))


def blank(data: bytearray, random: Random) -> None:
    """Overwrite a run with zeros, as a lost block of a disk is."""
    at = _place(data, random)
    length = min(int(random.integers(1, 200)), len(data) - at)
    data[at : at + length] = bytes(length)


def lose(data: bytearray, random: Random) -> None:
    """Leave some bytes of the middle out."""
    at = _place(data, random)
    del data[at : at + int(random.integers(1, 200))]


def repeat(data: bytearray, random: Random) -> None:
    """Write some bytes twice."""
    at = _place(data, random)
    data[at:at] = data[at : at + int(random.integers(1, 200))]


def claim_much(data: bytearray, random: Random) -> None:
    """Put a large number where a number may stand: a size, a length, an offset."""
    at = _place(data, random) & ~1
    number = (b"\xff\xff", b"\xff\x7f", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x80")
    chosen = number[int(random.integers(0, len(number)))]
    data[at : at + len(chosen)] = chosen


def claim_much_in_words(data: bytearray, random: Random) -> None:
    """Put another number where one stands as text; in a file without text, where one might."""
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", bytes(data[:HEADER])))
    if not numbers:
        claim_much(data, random)
        return
    one = numbers[int(random.integers(0, len(numbers)))]
    values = (b"1000000", b"0", b"-1", b"nan", b"1e30", b"99999999999999999999")
    data[one.start() : one.end()] = values[int(random.integers(0, len(values)))]


WAYS: tuple[Callable[[bytearray, Random], None], ...] = (
    cut,
    cut,
    flip_a_bit,
    flip_a_bit,
    flip_a_bit,
    flip_bits,
    blank,
    lose,
    repeat,
    claim_much,
    claim_much_in_words,
)


def damaged(data: bytes, seed: int, number: int) -> tuple[bytes, str]:
    """Return damaged `data`, and the name of the way.

    Parameters
    ----------
    data : bytes
        A good file.
    seed, number : int
        Which damage to do; the same numbers do the same.
    """
    random = np.random.default_rng([seed, number])
    way = WAYS[int(random.integers(0, len(WAYS)))]
    changed = bytearray(data)
    way(changed, random)
    return bytes(changed), way.__name__
