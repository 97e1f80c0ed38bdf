"""Whether a file is DICOM by how it begins, whatever its name: one rule for all."""

from __future__ import annotations

import re
from pathlib import Path

#: Bytes that tell: a preamble of 128, the letters DICM, and the first element's head.
START = 140
PREAMBLE = 128

_GROUPS = (0x0002, 0x0008)
_VR = re.compile(rb"AE|AS|AT|CS|DA|DS|DT|FD|FL|IS|LO|LT|O[BDFLVW]|PN|S[HLQSTV]|TM|U[CILNRSTV]")
#: Longest value, in bytes, with which a file of implicit VR begins.
_LONGEST = 1 << 16


def has_mark(start: bytes) -> bool:
    """Return whether a file that begins with `start` has a preamble and the letters DICM."""
    return start[PREAMBLE : PREAMBLE + 4] == b"DICM"


def is_bare(start: bytes) -> bool:
    """Return whether a file that begins with `start` is DICOM without a preamble.

    It begins with an element of group 2 or 8, whichever, in explicit or implicit VR, little or big
    endian: some planning systems, and archives of the 1990s, write so.
    """
    if len(start) < 8 or has_mark(start):
        return False
    if int.from_bytes(start[:2], "little") in _GROUPS:
        length = int.from_bytes(start[4:8], "little")
        return bool(_VR.fullmatch(start[4:6])) or length <= _LONGEST or length == 0xFFFFFFFF
    return int.from_bytes(start[:2], "big") in _GROUPS and bool(_VR.fullmatch(start[4:6]))


def start_of(path: str | Path) -> bytes:
    """Return the first bytes of a file, enough for `has_mark` and `is_bare`."""
    with open(path, "rb") as stream:
        return stream.read(START)
