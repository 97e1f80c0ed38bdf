"""Vertebral levels: their order, how people write them, and how large and far apart they are."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path

import yaml

#: Height of a disc in mm, by region: what lies between two bodies.
DISC_MM = {"C": 5.0, "T": 5.0, "L": 10.0}

_WRITTEN = re.compile(
    r"(?<![A-Za-z0-9])(HWK|C|BWK|TH|T|D|LWK|L|SWK|S)[ .]?(\d{1,2})(?!\d)", re.IGNORECASE
)
_REGION = {"TH": "T", "D": "T", "HWK": "C", "BWK": "T", "LWK": "L", "SWK": "S"}
_RANGE = re.compile(r"(?<=\d)\s*(?:-|–|to)\s*(?=[A-Za-z])")


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
        Such as ``L1``, ``Th12``, ``LWK1``, ``T12, L1`` or ``T12-L2``, which means all from T12 to
        L2. A number beside these, as in ``L1/2`` or ``L1-3``, may mean a further level or the disc
        between two, so that nothing is read of such a cell.

    Examples
    --------
    >>> levels_in("Th11-L1 and l3")
    ['T11', 'T12', 'L1', 'L3']
    >>> levels_in("L1/2") is None
    True
    """
    names = list(body_sizes())
    joined = _RANGE.sub("-", text)
    if any(sign.isdigit() for sign in _WRITTEN.sub(" ", joined)):
        return None
    found: list[str] = []
    end = None
    for match in _WRITTEN.finditer(joined.replace("-", " - ")):
        word = match[1].upper()
        level = f"{_REGION.get(word, word)}{int(match[2])}"
        if level not in names:
            return None
        before = joined.replace("-", " - ")[: match.start()].rstrip()
        if before.endswith("-") and end is not None:
            between = names[order(end) + 1 : order(level)]
            found += [name for name in between if name not in ("T13", "L6")]
        found.append(level)
        end = level
    return found or None
