"""Values of DICOM elements by keyword, looked up as often as a CT has slices."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

#: Representations that other elements decide on: none stated, unknown, a sequence.
_BY_CONTEXT = (None, "UN", "SQ")

#: Values that were read, by all that they depend on; of so many at most.
_KEPT: dict[tuple, Any] = {}
_MOST = 4096


@cache
def tag_of(keyword: str) -> BaseTag:
    """Return the tag of an element of the standard."""
    return Tag(keyword)


def value_of(header: Dataset, keyword: str) -> Any:
    """Return an element's value, None where the header has none.

    The same as ``header.get(keyword)``, which looks for the keyword among the attributes of the
    class first: most of what a slice may state it does not state, and that takes longest.

    What slices state with the same bytes, as most of a series' header, is read once.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        A header, or an item of a sequence.
    keyword : str
        Of the standard.
    """
    tag = tag_of(keyword)
    if tag not in header.keys():  # noqa: SIM118 - a header itself would turn the tag over first
        return None
    stored = header.get_item(tag)
    kept = None
    charset = header.original_character_set
    if (
        isinstance(stored, RawDataElement)
        and stored.VR not in _BY_CONTEXT
        and stored.value
        and charset
    ):
        kept = (tag, stored.VR, stored.value, stored.is_little_endian, str(charset))
        if kept in _KEPT:
            return _KEPT[kept]
    try:
        value = header[tag].value
    except AttributeError:
        return None
    if kept is not None:
        if len(_KEPT) >= _MOST:
            _KEPT.clear()
        _KEPT[kept] = value
    return value
