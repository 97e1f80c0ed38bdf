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

from pipeline.tables.values.body_size import body_columns, odd_sizes

MIN_DIFFERENT = 10
"""Different values from which on those of one unit have a width."""
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
UNITS = {
    1e6: "a million", 1000.0: "1000", 365.25: "365 (years and days)", 100.0: "100", 10.0: "10",
    88.42: "88.4 (creatinine)", 30.44: "30.4 (months and days)", 18.02: "18 (glucose)",
    17.1: "17.1 (bilirubin)", 12.0: "12 (years and months)", 38.67: "38.7 (cholesterol)",
    2.54: "2.54 (inches)", 2.2046: "2.2 (pounds)", 7.0: "7 (weeks and days)", 60.0: "60",
}  # fmt: skip
"""Ratios of the units in which one thing is given."""
MOST_IN_OTHER_UNITS = 0.45
"""Largest share of a column's values that are in another unit than the rest."""
APART = 1.0
"""Gap between the values of two units, in the width of those of one, on the logarithmic scale."""
ALIKE = 0.25
"""Largest distance of the medians of both, in that width, once one unit became the other."""
SEVERAL, NARROWER = 4, 0.15
"""Values of another unit from which on they reach over this share of the width of the rest."""
MIN_ALIKE = 0.02
"""The same on the logarithmic scale where that width is small."""
WIDEST = math.log(10.0)
"""Largest width of the values of one unit: longer tails may have gaps of their own."""
CODES = (9.0, 77.0, 88.0, 99.0, 777.0, 888.0, 999.0, 7777.0, 8888.0, 9999.0, 99999.0)
"""Numbers that stand for "not known" where all others are whole and far smaller."""
FAR_BELOW = 5.0
"""Times that such a code is above the largest other value; 9 beside 0, 1 and 2 is one as well."""
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
    if low > high or any(each and math.isinf(float(each)) for each in match.groups()):
        raise ValueError("upside down, or beyond all numbers")
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
    found += _codes(known)
    known = known.drop([odd.at for odd in found if odd.at in known.index])
    found += _far(known)
    return found + _other_units(known.drop([odd.at for odd in found if odd.at in known.index]))


def _codes(known: pd.Series) -> list[Odd]:
    """Return codes such as 99 among whole numbers that all are far smaller."""
    codes = known[known.isin(CODES)].astype(float)
    if codes.empty or not (known % 1 == 0).all() or (known < 0).any():
        return []
    large = codes[codes > CODES[0]]
    small = set(known.drop(large.index))
    if 9.0 in small and small - {9.0} <= {0.0, 1.0, 2.0} and len(small) > 2:
        odd = codes
    else:
        odd = large if large.empty or not small else large[large >= FAR_BELOW * max(small)]
    if odd.empty or len(odd) > len(known) / 2:
        return []
    rest = known.drop(odd.index)
    why = f"perhaps a code for `not known`: all others lie from {rest.min():g} to {rest.max():g}"
    return [Odd(at, value, why) for at, value in odd.items()]


def _other_units(known: pd.Series) -> list[Odd]:
    """Return values that seem to be given in another unit, as metres among centimetres.

    They lie apart from all others, and a ratio of two units brings them into the midst of these.
    """
    positive = known[known > 0]
    if len(positive) < max(MIN_VALUES, 0.9 * len(known)) or (known < 0).any():
        return []
    logs = np.log(positive.sort_values(kind="stable"))
    gaps = np.diff(logs)
    at = int(np.argmax(gaps)) + 1
    below, above = logs.iloc[:at], logs.iloc[at:]
    few, many = sorted((below, above), key=len)
    width, of_few = (float(each.max() - each.min()) for each in (many, few))
    long_tailed = width > NARROW and (len(few) < SEVERAL - 1 or len(logs) < 1.5 * MIN_VALUES)
    if (
        not 2 <= len(few) <= MOST_IN_OTHER_UNITS * len(logs)  # `_far` judges single values
        or many.nunique() < MIN_DIFFERENT
        or gaps[at - 1] < APART * max(width, of_few)
        or width > WIDEST
        or long_tailed
        or (len(few) >= SEVERAL and of_few < NARROWER * width)
    ):
        return []
    apart = float(above.median() - below.median())
    ratio = min(UNITS, key=lambda each: abs(apart - math.log(each)))
    turned = few + math.copysign(math.log(ratio), float(many.median() - few.median()))
    near = max(ALIKE * width, MIN_ALIKE)
    inside = (turned >= many.min() - 2 * near) & (turned <= many.max() + 2 * near)
    if not inside.all() or abs(apart - math.log(ratio)) > near:
        return []
    low, high = np.exp(many.min()), np.exp(many.max())
    why = (
        f"perhaps in another unit, since {UNITS[ratio]} times apart; all others lie from "
        f"{_shown(low)} to {_shown(high)}"
    )
    return [Odd(place, positive[place], why) for place in sorted(few.index)]


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
        As `pipeline.tables.clinical.clinical_table.type_clinical` returns it, on any index.
    dictionary : pandas.DataFrame
        As `pipeline.tables.dictionary.read_dictionary` returns it. Its numbers without levels are
        judged; ids, splits and columns of no use are not.
    """
    found: dict[str, list[Odd]] = {}
    judged: list[str] = []
    for _, entry in dictionary.iterrows():
        name = entry["column"]
        if name not in table.columns or entry["role"] in ("id", "split", "other"):
            continue
        if entry["type"] not in ("continuous", "ordinal") or entry["levels"]:
            continue
        bounds = parse_range(entry.get("range"))
        found[name] = implausible(table[name], bounds)
        if bounds is None:
            judged.append(name)
    body = body_columns(judged)
    if body.height and body.weight:
        known = {odd.at for name in (body.height, body.weight) for odd in found[name]}
        for row, why in odd_sizes(table, body).items():
            if row not in known:
                found[body.weight].append(Odd(row, float(table.loc[row, body.weight]), why))
    yield from ((name, odd) for name, odd in found.items() if odd)
