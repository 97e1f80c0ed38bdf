"""How numbers and lists are put into words, the same way in every table and caption."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from pipeline.study.metric_registry import METRICS

#: Shown where a value does not exist.
NO_VALUE = "–"

#: Least and largest value that a quantity can have.
Bounds = tuple[float, float]

#: Of shares and areas; of differences of them, of correlations and other coefficients.
UNIT: Bounds = (0.0, 1.0)
SIGNED: Bounds = (-1.0, 1.0)

#: Of each metric; one that is not listed has no bound that rounding could reach.
METRIC_BOUNDS: dict[str, Bounds] = {
    name: (metric.least, metric.largest)
    for name, metric in METRICS.items()
    if math.isfinite(metric.least) or math.isfinite(metric.largest)
}


def number(value: float | None, digits: int = 3, bounds: Bounds | None = None) -> str:
    """Return `value` with `digits` decimals, a dash where it is missing.

    Parameters
    ----------
    value : float or None
        The number.
    digits : int
        Decimals.
    bounds : tuple of float, optional
        Least and largest value that the quantity can have: rounding never reaches them.

    Examples
    --------
    >>> number(0.81251), number(None), number(-0.0001, 2)
    ('0.813', '–', '0.00')
    >>> number(0.9953, 2, UNIT), number(0.0004, bounds=UNIT), number(1.0, 2, UNIT)
    ('>0.99', '<0.001', '1.00')
    """
    if _missing(value):
        return NO_VALUE
    text = f"{value:.{digits}f}"
    for bound, sign, inwards in zip(bounds or (), "<>", (1, -1), strict=False):
        if float(text) == bound != value:
            return f"{sign}{number(bound + inwards * 10.0**-digits, digits)}"
    return text.lstrip("-") if not float(text) else text.replace("-", "−")


def count(value: float | None) -> str:
    """Return a whole number with thousands separated by commas.

    >>> count(1223), count(None)
    ('1,223', '–')
    """
    return NO_VALUE if _missing(value) else f"{int(value):,}"


def share(part: float, whole: float, digits: int = 0) -> str:
    """Return ``part`` of ``whole`` as a percentage; a dash where the whole is empty.

    Neither some of it is printed as nothing nor most of it as all.

    >>> share(1, 3), share(1, 0), share(299, 300), share(1, 300), share(300, 300)
    ('33%', '–', '>99%', '<1%', '100%')
    """
    if not whole:
        return NO_VALUE
    return f"{number(100 * part / whole, digits, (0.0, 100.0))}%"


def interval(
    value: float | None,
    low: float | None,
    high: float | None,
    digits: int = 3,
    bounds: Bounds | None = None,
) -> str:
    """Return a value with its interval; "to" reads well with negative numbers too.

    >>> interval(0.8, 0.7, 0.9), interval(0.8, None, None), interval(None, 0.7, 0.9)
    ('0.800 (0.700 to 0.900)', '0.800', '–')
    """
    text, *limits = (number(each, digits, bounds) for each in (value, low, high))
    if NO_VALUE in (text, *limits):
        return text
    return f"{text} ({limits[0]} to {limits[1]})"


def p_value(value: float | None) -> str:
    """Return a P value with three decimals, never as zero, nor as one unless it is.

    >>> p_value(0.00004), p_value(0.0312), p_value(0.9998), p_value(float("nan"))
    ('<0.001', '0.031', '>0.999', '–')
    """
    if not _missing(value) and value < 0.001:
        return "<0.001"
    return number(value, 3, UNIT)


def sentence_list(parts: Iterable[str]) -> str:
    """Join `parts` as a sentence does.

    >>> sentence_list(["a", "b", "c"])
    'a, b and c'
    """
    parts = list(parts)
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def plural(amount: int, singular: str, several: str | None = None) -> str:
    """Return an amount with its noun in the right number.

    >>> plural(1, "case"), plural(2, "case"), plural(2, "vertebra", "vertebrae")
    ('1 case', '2 cases', '2 vertebrae')
    """
    return f"{count(amount)} {singular if amount == 1 else several or singular + 's'}"


def first_upper(text: str) -> str:
    """Return `text` with a capital first letter, the rest untouched.

    >>> first_upper("mRMR and CCC")
    'MRMR and CCC'
    """
    return text[:1].upper() + text[1:]


def first_lower(text: str) -> str:
    """Return a sentence with a small first letter, to go on within another; names stay.

    Examples
    --------
    >>> first_lower("Corrected AUROC"), first_lower("AUROC above 1")
    ('corrected AUROC', 'AUROC above 1')
    """
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _missing(value: object) -> bool:
    """Return whether `value` is null of any kind, or infinite."""
    return bool(pd.isna(value)) or not math.isfinite(value)
