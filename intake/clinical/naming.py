"""Names of a study's columns, made of the headers of a sheet."""

from __future__ import annotations

import re

from anyascii import anyascii

from intake.clinical.vocabulary import vocabulary
from pipeline.tables.columns import KEYS, RESERVED
from pipeline.tables.dictionary import OF_SPLIT

LONGEST = 40
"""Letters of a name."""

TAKEN = frozenset((*KEYS, *RESERVED, *OF_SPLIT, "scan_id", "reader", "enrolment"))
"""Names that the project gives its own columns."""

_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)
_UNIT = re.compile(r"\s*[\[(]\s*([^\[\]()]{1,12})\s*[\])]\s*")
_RANGE = re.compile(r"(-?\d+)\s*(?:-|–|bis|to|\.\.)\s*(-?\d+)")


def parts_of(header: str) -> tuple[str, str, str]:
    """Return a header without what stands in brackets, the unit, and the range ``low|high``.

    >>> parts_of("VAS prä-OP (0-10)"), parts_of("Größe [cm]")
    (('VAS prä-OP', '', '0|10'), ('Größe', 'cm', ''))
    """
    unit = limits = ""
    for match in _UNIT.finditer(header):
        inside = match[1].strip()
        if told := _RANGE.fullmatch(inside):
            limits = f"{told[1]}|{told[2]}"
        elif inside.casefold() in vocabulary("units"):
            unit = inside
    bare = _UNIT.sub(" ", header).strip()
    return bare or header, unit, limits


def column_name(header: str, taken: set[str]) -> str:
    """Return a name of small letters, digits and '_' that is not yet taken, and take it.

    >>> column_name("VAS prä-OP (0-10)", set()), column_name("1. Größe", set())
    ('vas_prae_op', 'x1_groesse')
    """
    bare, _, _ = parts_of(header)
    word = re.sub(r"[^a-z0-9]+", "_", anyascii(bare.translate(_UMLAUTS)).lower()).strip("_")
    word = word[:LONGEST].strip("_") or "column"
    word = word if word[0].isalpha() else f"x{word}"
    word = f"{word}_value" if word in TAKEN else word
    name, number = word, 2
    while name in taken:
        name, number = f"{word}_{number}", number + 1
    taken.add(name)
    return name
