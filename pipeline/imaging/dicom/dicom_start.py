"""Whether a file is DICOM by how it begins, whatever its name: one rule for all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydicom.datadict import dictionary_has_tag, dictionary_VR

#: Bytes that tell: a preamble of 128, the letters DICM, the heads of the first elements.
START = 1024
PREAMBLE = 128
#: Bytes of the shortest file: a preamble, the letters, an element's head.
SHORTEST = 140

_GROUPS = (0x0002, 0x0008)
#: A file begins with no higher group; pydicom takes a higher one for another byte order.
_HIGHEST = 0x0400
_VR = re.compile(rb"AE|AS|AT|CS|DA|DS|DT|FD|FL|IS|LO|LT|O[BDFLVW]|PN|S[HLQSTV]|TM|U[CILNRSTV]")
#: Representations whose length has 4 bytes, behind 2 that say nothing.
_LONG = re.compile(rb"O[BDFLVW]|S[QV]|U[CNRTV]")
#: Longest value, in bytes, with which a file of implicit VR begins.
_LONGEST = 1 << 16
#: Elements of the standard that prove a file which begins with another group.
_ENOUGH = 2


def has_mark(start: bytes) -> bool:
    """Return whether a file that begins with `start` has a preamble and the letters DICM."""
    return start[PREAMBLE : PREAMBLE + 4] == b"DICM"


def is_bare(start: bytes) -> bool:
    """Return whether a file that begins with `start` is DICOM without a preamble.

    It begins with an element of group 2 or 8, whichever, in explicit or implicit VR, little or big
    endian, as some planning systems and archives of the 1990s write; or, where these groups were
    taken out, with elements of any other group, of which the first ones are looked at.
    """
    if len(start) < 8 or has_mark(start):
        return False
    if int.from_bytes(start[:2], "little") in _GROUPS:
        length = int.from_bytes(start[4:8], "little")
        return bool(_VR.fullmatch(start[4:6])) or length <= _LONGEST or length == 0xFFFFFFFF
    if int.from_bytes(start[:2], "big") in _GROUPS and _VR.fullmatch(start[4:6]):
        return True
    return any(_is_row(start, order) for order in ("little", "big"))


def _is_row(start: bytes, order: Literal["little", "big"]) -> bool:
    """Return whether bytes begin with elements in the order of their tags, some of the standard."""
    place, last, known = 0, 0, 0
    while known < _ENOUGH:
        head = start[place : place + 12]
        group, element = (int.from_bytes(head[k : k + 2], order) for k in (0, 2))
        tag = group << 16 | element
        if place and len(head) < 12:
            break  # a long value, or the end of a short file
        if tag <= last or group >= _HIGHEST or len(head) < 8:
            return False
        explicit = bool(_VR.fullmatch(head[4:6]))
        if explicit and _LONG.fullmatch(head[4:6]):
            first, length = 12, int.from_bytes(head[8:12], order)
        elif explicit:
            first, length = 8, int.from_bytes(head[6:8], order)
        else:
            first, length = 8, int.from_bytes(head[4:8], order)
        if (not explicit and order == "big") or (length % 2 and length != 0xFFFFFFFF):
            return False
        known += _fits(tag, head[4:6] if explicit else None)
        if length == 0xFFFFFFFF:
            break
        place, last = place + first + length, tag
    return known >= _ENOUGH


def _fits(tag: int, vr: bytes | None) -> bool:
    """Return whether the standard knows an element, and with this representation if one stands."""
    if not dictionary_has_tag(tag):
        return False
    return vr is None or vr in (b"UN", *dictionary_VR(tag).encode().split(b" or "))


def start_of(path: str | Path) -> bytes:
    """Return the first bytes of a file, enough for `has_mark` and `is_bare`."""
    with open(path, "rb") as stream:
        return stream.read(START)
