"""Vertebral levels: their order, how people write them, and how large and far apart they are."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path

import yaml

#: Height of a disc in mm, by region: what lies between two bodies.
DISC_MM = {"C": 5.0, "T": 5.0, "L": 10.0}

_ORDINAL = r"(?<!\d)(\d{1,2})\. ?([HBL]WK?|SWK)(?![A-Z]|[ .]?\d)"
"""Such as ``1. LWK``."""
_WRITTEN = re.compile(
    rf"{_ORDINAL}|(?<![A-Z])(?:([HBL]WK?|SWK|TH)(?:\.? ?|[-_])|([CTDLS])[ ._-]?)(\d{{1,2}})"
    rf"(?!\d|[- ]?(?:W\b|WI\b|GEW|WEIGHT)|\. ?(?:[HBL]WK?|SWK)(?![A-Z]|[ .]?\d))",
    re.IGNORECASE,
)
_REGION = {"TH": "T", "D": "T", "H": "C", "B": "T"}
_BLANKS = re.compile(r"\s+|[\u200b\u200e\u200f\ufeff]+")
_AS_ASCII = str.maketrans(
    {
        **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63", "-"),
        **dict.fromkeys("\u223c\u301c", "~"),
    }
)
"""Letters and digits of full width, dashes and tildes."""

_RANGE = re.compile(r" ?(?:-+|~|to|bis|till?|until|thru|through|tot) ?| (?:à|a|al) ", re.IGNORECASE)
"""What stands between two levels where all between them are meant."""
_PERHAPS_RANGE = re.compile(r"(?:[-~>→…]|\.\.) ?$|\b(?:bis|until|thru|through)\b", re.IGNORECASE)
_EXCEPT = re.compile(
    r"\b(?:kein\w*|nicht|ohne|no|not|without|except|excluding|außer|ausser)\b[^,;/]*$",
    re.IGNORECASE,
)
_ROMAN = re.compile(
    r"(?<![A-Za-z])(?:(?i:(?:[HBL]WK?|SWK|TH)[ .]*[IVX]+)|[CTDLS] ?[IVX]{2,})(?![A-Za-z])"
)


@cache
def body_sizes() -> dict[str, tuple[float, float, float] | None]:
    """Return mean width, depth and height of each level's body in mm, from head to foot."""
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    return {level: tuple(size) if size else None for level, size in yaml.safe_load(text).items()}


def order(level: str) -> int:
    """Return the place of a level from head (0) to foot."""
    return list(body_sizes()).index(level)


def body_volume_ml(level: str) -> float | None:
    """Return the mean volume of a level's body: an elliptic cylinder; None without a body.

    Examples
    --------
    >>> round(body_volume_ml("L1"), 1)
    26.3
    """
    size = body_sizes()[level]
    return None if size is None else math.pi / 4 * math.prod(size) / 1000


def distance_mm(upper: str, lower: str) -> float | None:
    """Return the usual distance of the centres of two levels along the spine, in mm.

    None where a level on the way has no body. T13 and L6 lie between others only in the few who
    have them, so they are passed over unless they are meant.

    Examples
    --------
    >>> round(distance_mm("L1", "L2"), 1)
    34.0
    """
    names = list(body_sizes())
    way = names[order(upper) : order(lower) + 1]
    way = [name for name in way if name not in ("T13", "L6") or name in (upper, lower)]
    sizes = [body_sizes()[name] for name in way]
    if any(size is None for size in sizes):
        return None
    heights = [size[2] for size in sizes]
    return sum(
        (heights[i] + heights[i + 1]) / 2 + DISC_MM[way[i + 1][0]] for i in range(len(way) - 1)
    )


def levels_in(text: str) -> list[str] | None:
    """Return the levels that a cell of a clinical table names; None where it cannot be read.

    Parameters
    ----------
    text : str
        Such as ``L1``, ``Th12``, ``LWK1``, ``12. BWK``, ``T12, L1`` or ``T12-L2``, which means all
        from T12 to L2. A number beside these, as in ``L1/2`` or ``L1-3``, may mean a further level
        or the disc between two, so that nothing is read of such a cell; nor of one with a Roman
        number, with a level that is excluded (``L1, no fracture of L2``), or with what may be a
        range (``L1 > L3``).

    Examples
    --------
    >>> levels_in("Th11-L1 and l3")
    ['T11', 'T12', 'L1', 'L3']
    >>> levels_in("L1/2") is None
    True
    """
    names = list(body_sizes())
    plain = _BLANKS.sub(" ", text.translate(_AS_ASCII))
    rest = _WRITTEN.sub(",", plain)
    if any(sign.isdigit() for sign in rest) or _ROMAN.search(rest):
        return None
    found: list[str] = []
    end = 0
    for match in _WRITTEN.finditer(plain):
        word = (match[2] or match[3] or match[4]).upper()
        letter = "TH" if word == "TH" else word[0]
        level = f"{_REGION.get(letter, letter)}{int(match[1] or match[5])}"
        between = plain[end : match.start()]
        if level not in names or _EXCEPT.search(between):
            return None
        if found and _RANGE.fullmatch(between):
            down = 1 if order(level) >= order(found[-1]) else -1
            passed = names[order(found[-1]) + down : order(level) : down]
            found += [name for name in passed if name not in ("T13", "L6")]
        elif found and _PERHAPS_RANGE.search(between):
            return None
        found.append(level)
        end = match.end()
    return list(dict.fromkeys(found)) or None
