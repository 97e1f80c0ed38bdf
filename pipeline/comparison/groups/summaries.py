"""How a variable is described in a group: mean and deviation, median and quartiles, counts.

All values of a row are printed with the same decimals, which suit its spread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

NOTHING = "–"
"""Printed where a group has no value."""

ROUNDING = 1e-6
"""Share of the largest value up to which values differ by rounding alone (single precision)."""


def varies(values: np.ndarray) -> bool:
    """Return whether values differ by more than rounding, so that there is something to compare.

    Parameters
    ----------
    values : numpy.ndarray
        Numbers without missing ones.

    Examples
    --------
    >>> varies(np.array([3.0, 3.0 + 7e-15])), varies(np.array([0.7, 0.7001])), varies(np.array([]))
    (False, True, False)
    """
    return bool(len(values) and np.ptp(values) > ROUNDING * np.abs(values).max())


def decimals(values: np.ndarray) -> int:
    """Return the decimals that suit a spread: three leading digits' worth, six at most.

    Examples
    --------
    >>> decimals(np.array([51.2, 93.7])), decimals(np.array([0.1, 0.4])), decimals(np.array([3.0]))
    (1, 3, 2)
    """
    spread = float(np.ptp(values)) if varies(values) else 0.0
    return min(max(2 - math.floor(math.log10(spread)), 0), 6) if spread > 0 else 2


def means(groups: Sequence[np.ndarray], digits: int) -> list[str]:
    """Return mean ± standard deviation of each group.

    Examples
    --------
    >>> means([np.array([1.0, 2.0, 3.0]), np.array([4.0])], 1)
    ['2.0 ± 1.0', '4.0 ± –']
    """
    texts = []
    for values in groups:
        spread = f"{values.std(ddof=1):.{digits}f}" if len(values) > 1 else NOTHING
        texts.append(f"{_signed(values.mean(), digits)} ± {spread}" if len(values) else NOTHING)
    return texts


def medians(groups: Sequence[np.ndarray], digits: int) -> list[str]:
    """Return median [first quartile, third quartile] of each group."""
    texts = []
    for values in groups:
        if not len(values):
            texts.append(NOTHING)
            continue
        middle, low, high = (_signed(each, digits) for each in np.percentile(values, [50, 25, 75]))
        texts.append(f"{middle} [{low}, {high}]")
    return texts


def value_range(values: np.ndarray, digits: int) -> str:
    """Return the least and the largest value."""
    if not len(values):
        return NOTHING
    return f"{_signed(values.min(), digits)} to {_signed(values.max(), digits)}"


def count(part: int, whole: int) -> str:
    """Return a count with its share in per cent, one decimal.

    Examples
    --------
    >>> count(25, 452), count(0, 0)
    ('25 (5.5%)', '–')
    """
    return f"{part:,} ({100 * part / whole:.1f}%)" if whole else NOTHING


def digits_of_range(values: np.ndarray, digits: int) -> int:
    """Return decimals for least and largest: of whole numbers none."""
    return 0 if len(values) and (values == values.round()).all() else digits


def digits_of_medians(values: np.ndarray) -> int:
    """Return decimals for medians: of whole numbers none, unless a quartile lies between two."""
    if len(values) and (values == values.round()).all():
        quartiles = np.percentile(values, [50, 25, 75])
        return 0 if (quartiles == quartiles.round()).all() else 1
    return decimals(values)


def _signed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if not float(text) else text.replace("-", "−")
