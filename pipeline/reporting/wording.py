"""How numbers and lists are put into words, the same way in every table and caption."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

#: Shown where a value does not exist.
NO_VALUE = "–"


def number(value: float | None, digits: int = 3) -> str:
    """Return `value` with `digits` decimals, a dash where it is missing.

    >>> number(0.81251), number(None), number(-0.0001, 2)
    ('0.813', '–', '0.00')
    """
    if _missing(value):
        return NO_VALUE
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if not float(text) else text.replace("-", "−")


def count(value: float | None) -> str:
    """Return a whole number with thousands separated by commas.

    >>> count(1223), count(None)
    ('1,223', '–')
    """
    return NO_VALUE if _missing(value) else f"{int(value):,}"


def share(part: float, whole: float, digits: int = 0) -> str:
    """Return ``part`` of ``whole`` as a percentage; a dash where the whole is empty.

    >>> share(1, 3), share(1, 0)
    ('33%', '–')
    """
    return f"{100 * part / whole:.{digits}f}%" if whole else NO_VALUE


def interval(value: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    """Return a value with its interval; "to" reads well with negative numbers too.

    >>> interval(0.8, 0.7, 0.9), interval(0.8, None, None), interval(None, 0.7, 0.9)
    ('0.800 (0.700 to 0.900)', '0.800', '–')
    """
    text = number(value, digits)
    if text == NO_VALUE or number(low, digits) == NO_VALUE or number(high, digits) == NO_VALUE:
        return text
    return f"{text} ({number(low, digits)} to {number(high, digits)})"


def p_value(value: float | None) -> str:
    """Return a P value with three decimals, never as zero.

    >>> p_value(0.00004), p_value(0.0312), p_value(float("nan"))
    ('<0.001', '0.031', '–')
    """
    if _missing(value):
        return NO_VALUE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


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
