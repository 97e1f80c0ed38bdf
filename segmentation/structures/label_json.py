"""Names of a label map's numbers in JSON: nnU-Net's dataset.json, MITK's groups, and their like.

There is no standard for them. A table is a mapping of numbers to names or of names to numbers, or a
list of entries that each hold a number and a name. A mapping stands below a word for labels, or
names vertebrae by numbers; others, as measurements or a sidecar of BIDS, are no tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from segmentation.structures.level_names import vertebra_of

#: Keys of an entry, without signs between words: what holds its number, what its name.
_NUMBERS = ("value", "labelvalue", "labelid", "label", "id", "index", "idx", "number", "key")
_NAMES = (
    "name",
    "labelname",
    "segmentlabel",
    "segmentdescription",
    "title",
    "structure",
    "text",
    "description",
    "label",
    "value",
)

#: Keys above a table.
_TABLES = frozenset(
    """
    label labels labelmap labelmapping labeltable labelnames labelsmap classmap classes classnames
    structures segments segmentnames regions mapping map names lookup lut legend annotations
    """.split()  # noqa: SIM905
)
#: Keys of nnU-Net that number images, and may call one T1.
_IMAGES = ("channel_names", "modality")

_WHOLE = re.compile(r"\s*([0-9]{1,9})(?:\.0*)?\s*")
_SIGNS = re.compile(r"[\W_]+")


def json_labels(text: str, *, bare: bool = True) -> list[tuple[int, str]]:
    """Return the numbers and names of a table in JSON; none where it holds no such table.

    Parameters
    ----------
    text : str
        JSON.
    bare : bool, default=True
        Whether vertebrae with numbers are a table where no word for labels stands above them: in a
        file of measurements they are volumes or heights.

    Raises
    ------
    ValueError
        If the text is no JSON.

    Examples
    --------
    >>> json_labels('{"labels": {"background": 0, "L1": 22, "T4": 31}}')
    [(22, 'L1'), (31, 'T4')]
    >>> json_labels('[{"labels": [{"name": "L1", "value": 22}]}]')
    [(22, 'L1')]
    >>> json_labels('{"EchoNumbers": 1, "Slices": 20}')
    []
    """
    try:
        held = json.loads(text)
    except RecursionError:
        raise ValueError from None
    found = _tables(held, "", bare)
    return [(number, name.strip()) for number, name in found if number and name.strip()]


def _tables(held: object, below: str, bare: bool) -> Iterator[tuple[int, str]]:
    """Yield the pairs of all tables in a value; `below` is the key above it."""
    if isinstance(held, list):
        for one in held:
            yield from _tables(one, below, bare)
    if not isinstance(held, dict):
        return
    entry = _entry(held)
    if entry is not None:
        yield entry
        pairs = []
    else:
        pairs = list(_pairs(held))
        if below in _TABLES or (
            any(vertebra_of(name) for _, name in pairs)
            and (bare or all(_whole(key) is not None for key in held))
        ):
            yield from pairs
    for key, value in held.items():
        if key in _IMAGES:
            continue
        if isinstance(value, dict | list) and not (pairs and _whole(key) is not None):
            yield from _tables(value, _SIGNS.sub("", key).casefold(), bare)


def _entry(held: dict) -> tuple[int, str] | None:
    """Return the number and the name of an entry of a list, None where it lacks one."""
    plain = {_SIGNS.sub("", key).casefold(): value for key, value in held.items()}
    number = next(
        (_whole(plain[key]) for key in _NUMBERS if _whole(plain.get(key)) is not None), None
    )
    name = next((plain[key] for key in _NAMES if _is_name(plain.get(key))), None)
    return None if number is None or name is None else (number, name)


def _pairs(held: dict) -> Iterator[tuple[int, str]]:
    """Yield numbers with names, whichever of the two is the key."""
    for key, value in held.items():
        number = _whole(key)
        name = value
        if isinstance(value, dict):
            name = next((value[one] for one in value if one.casefold() in _NAMES), None)
        if number is not None and _is_name(name):
            yield number, name
        elif number is None and _whole(value) is not None:
            yield _whole(value), key


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _whole(value) is None


def _whole(value: object) -> int | None:
    """Return the whole number that a value is, as a number or in digits, else None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _WHOLE.fullmatch(str(value))
    return int(match[1]) if match else None
