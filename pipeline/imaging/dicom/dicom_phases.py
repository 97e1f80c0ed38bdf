"""One phase of a series that holds several: named in column `series` by what parts them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pipeline.core.errors import CaseError
from pipeline.core.problems import listing
from pipeline.imaging.dicom.dicom_headers import PHASES, Slice

#: Attributes whose values are numbers that may be shown and named. Of times only digests are kept.
NAMED = tuple(one for one in PHASES if not one.endswith("Time") and one != "ImageType")
_PHASE = re.compile(rf"(?:^|\s)({'|'.join(NAMED)})\s*=\s*(\d+(?:\.\d+)?)\s*$")


def parted(series: str | None) -> tuple[str | None, tuple[str, str] | None]:
    """Return what column `series` names, apart from the phase, and attribute and value of that.

    >>> parted("thin bone AcquisitionNumber=2")
    ('thin bone', ('AcquisitionNumber', '2'))
    >>> parted("KVP = 80.0"), parted("1.2.3")
    ((None, ('KVP', '80.0')), ('1.2.3', None))
    """
    match = _PHASE.search(series or "")
    if match is None:
        return series, None
    return series[: match.start()].strip() or None, (match[1], match[2])


def of_phase(slices: Sequence[Slice], attribute: str, value: str) -> list[Slice]:
    """Return the slices of one phase.

    Parameters
    ----------
    slices : sequence of Slice
        Of one series.
    attribute : str
        One of `NAMED`.
    value : str
        A number; 2 and 2.0 are the same.

    Raises
    ------
    CaseError
        If no slice is of it.
    """
    found = [one for one in slices if _is_value(one.phase.get(attribute, ""), value)]
    if not found:
        told = numbers_of(slices, attribute)
        raise CaseError(
            "The phase named in column `series` must be one of the series",
            found=f"no slice of {attribute}={value}, but "
            + (listing(told) if told else f"none that states {attribute} as a number"),
            remedy="correct the value; vertebromics series FOLDER lists the phases",
            code="phase-not-in-series",
        )
    return found


def numbers_of(slices: Sequence[Slice], attribute: str) -> list[str]:
    """Return the values of an attribute as column `series` names them, with the slices of each."""
    counts = Counter(one.phase.get(attribute, "") for one in slices)
    numbers = [text for text in counts if _is_number(text)]
    return [f"{attribute}={one} ({counts[one]} slices)" for one in sorted(numbers, key=float)]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(?:\.\d+)?", text) is not None


def _is_value(text: str, value: str) -> bool:
    return _is_number(text) and float(text) == float(value)
