"""Values that hardly can be: outside the range that the dictionary states, or far from all others.

Clinical numbers alone are judged: a lost decimal point (BMI 191953) or a code for "not known" (999)
among them. Radiomic features may have any tail.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

MIN_VALUES = 20
"""Values from which on the others say what is far."""
FAR = 10.0
"""Interquartile ranges beyond the quartiles from which on a value is far, on its own scale."""
FAR_LOG = 5.0
"""The same on the logarithmic scale, on which long tails to the right are short."""
FAR_SIGNED = 20.0
"""Interquartile ranges for columns with negative values, which have no logarithms to look at."""
GAP = 2.5
"""Times that a far value must lie farther from the median than the last that is not far."""
FEW = 0.05
"""Largest share of far values: more are a group of their own."""
NARROW = math.log(2.0)
"""Logarithm of the ratio of the quartiles below which values that are too small are told."""
NEGATIVE_CODES = (-1.0, -9.0, -99.0, -999.0, -9999.0)

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_RANGE = re.compile(
    rf"[\[(]?\s*({_NUMBER})?\s*(?:\||to|\.\.|;|,|\u2013|-)\s*({_NUMBER})?\s*[\])]?", re.IGNORECASE
)


class Odd(NamedTuple):
    """A value that is named.

    Attributes
    ----------
    at : object
        Its place on the index.
    value : float
        The value.
    why : str
        What it is compared with.
    """

    at: object
    value: float
    why: str


def parse_range(text: str | None) -> tuple[float, float] | None:
    """Return the bounds that a dictionary states, infinite where blank; None if it states none.

    Raises
    ------
    ValueError
        If the text is no range, or its lower bound is above the upper one.

    Examples
    --------
    >>> parse_range("10|80"), parse_range("0|"), parse_range("-5 to 5"), parse_range(None)
    ((10.0, 80.0), (0.0, inf), (-5.0, 5.0), None)
    """
    if not text:
        return None
    match = _RANGE.fullmatch(text.strip())
    if match is None or match[1] is match[2] is None:
        raise ValueError("no range")
    low = float(match[1]) if match[1] else -math.inf
    high = float(match[2]) if match[2] else math.inf
    if low > high:
        raise ValueError("upside down")
    return low, high


def implausible(values: pd.Series, bounds: tuple[float, float] | None = None) -> list[Odd]:
    """Return the values of a clinical column that hardly can be.

    Parameters
    ----------
    values : pandas.Series
        float64, NaN where missing.
    bounds : (float, float), optional
        Lowest and highest plausible value; where they are stated, nothing else is asked.

    Returns
    -------
    list of Odd
        Values outside `bounds`. Without them, few values that lie far from all others on the scale
        of the column and, where its values are positive, on the logarithmic one; and negative
        codes such as -9 among numbers that are not negative.
    """
    known = values.dropna().astype(float)
    if bounds is not None:
        low, high = bounds
        out = known[(known < low) | (known > high)]
        said = f"the range {_shown(low)} to {_shown(high)} of the data dictionary"
        return [Odd(at, value, f"outside {said}") for at, value in out.items()]
    if len(known) < MIN_VALUES:
        return []
    codes = known[known.isin(NEGATIVE_CODES)]
    rest = known.drop(codes.index)
    found = []
    if len(codes) and (rest >= 0).all() and len(codes) <= len(known) / 2:
        found = [Odd(at, value, "negative, as no other value is") for at, value in codes.items()]
        known = rest
    return found + _far(known)


def _far(known: pd.Series) -> list[Odd]:
    judged = known
    if (known >= 0).all():
        judged = known[known > 0]  # a column of mostly zeros has no quartiles
    if len(judged) < MIN_VALUES or judged.nunique() < 5:
        return []
    low, middle, high = np.quantile(judged, (0.25, 0.5, 0.75))
    spread = high - low
    if spread == 0:
        return []
    positive = bool((judged > 0).all())
    reach = (FAR if positive else FAR_SIGNED) * spread
    far = (judged > high + reach) | (judged < low - reach)
    if positive:
        logs = np.log(judged)
        lower, upper = np.quantile(logs, (0.25, 0.75))
        far &= logs > upper + FAR_LOG * (upper - lower)
        if upper - lower < NARROW:  # such as ages, of which 7.1 is none
            far |= logs < lower - 2 * FAR_LOG * (upper - lower)
    if not far.any():
        return []
    one_value = judged[far].nunique() == 1  # a code for "not known", which may stand there often
    if far.sum() > max(1, (0.25 if one_value else FEW) * len(judged)):
        return []
    distance = np.abs(np.log(judged / middle) if positive else judged - middle)
    above = far & (judged > middle)
    odd = pd.Series(False, index=judged.index)
    for side, mine in (("above", above), ("below", far & ~above)):
        others = distance[~far & ((judged > middle) == (side == "above"))]
        if mine.any() and distance[mine].min() >= GAP * others.max() if len(others) else mine.any():
            odd |= mine
    why = f"half of all values lie from {_shown(low)} to {_shown(high)}"
    return [Odd(at, value, why) for at, value in judged[odd].items()]


def _shown(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "any"


def implausible_columns(
    table: pd.DataFrame, dictionary: pd.DataFrame
) -> Iterator[tuple[str, list[Odd]]]:
    """Yield the columns of a typed clinical table that hold implausible values, with these.

    Parameters
    ----------
    table : pandas.DataFrame
        As `pipeline.core.clinical_table.type_clinical` returns it, on any index.
    dictionary : pandas.DataFrame
        As `pipeline.core.dictionary.read_dictionary` returns it. Its numbers without levels are
        judged; ids, splits and columns of no use are not.
    """
    for _, entry in dictionary.iterrows():
        name = entry["column"]
        if name not in table.columns or entry["role"] in ("id", "split", "other"):
            continue
        if entry["type"] not in ("continuous", "ordinal") or entry["levels"]:
            continue
        odd = implausible(table[name], parse_range(entry.get("range")))
        if odd:
            yield name, odd
