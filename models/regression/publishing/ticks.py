"""Round numbers on an axis, chosen as R's ``pretty`` does, so that a nomogram equals that of rms.

Own code: matplotlib's locators choose other ticks, and a nomogram's scale depends on them.

References
----------
.. [1] Becker RA, Chambers JM, Wilks AR. The New S Language. Wadsworth 1988; R's ``pretty.c``.
"""

from __future__ import annotations

import math
import sys

import numpy as np

_ROUNDING = 1e-10
_SHRINK = 0.75
_BIAS, _BIAS_OF_FIVE = 1.5, 2.75


def pretty(low: float, high: float, number: int = 10) -> np.ndarray:
    """Return about `number` intervals of equally spaced round numbers that cover a range [1]_.

    Parameters
    ----------
    low, high : float
        The range, ascending.
    number : int
        Intervals aimed at.

    Returns
    -------
    numpy.ndarray
        Shape (n,), ascending, the first at or below `low`, the last at or above `high`.
    """
    least = number // 3
    span = high - low
    if span == 0 and high == 0:
        cell, tiny = 1.0, True
    else:
        cell = max(abs(low), abs(high))
        bound = 1 + (1 / (1 + _BIAS) if _BIAS_OF_FIVE >= 1.5 * _BIAS + 0.5 else 0.4)
        tiny = span < cell * bound * max(1, number) * sys.float_info.epsilon * 3
    if tiny:
        cell = 9 + cell / 10 if cell > 10 else cell
        cell *= _SHRINK / max(least, 1)
    else:
        cell = span / number if number > 1 else span
    unit = _unit(cell)
    first = math.floor(low / unit + _ROUNDING)
    last = math.ceil(high / unit - _ROUNDING)
    while first * unit > low + _ROUNDING * unit:
        first -= 1
    while last * unit < high - _ROUNDING * unit:
        last += 1
    lacking = least - (last - first)
    if lacking > 0:
        if low == 0 and first == 0 and high != 0:
            last += lacking
        elif high == 0 and last == 0 and low != 0:
            first -= lacking
        elif first >= 0:
            last += lacking // 2
            first -= lacking // 2 + lacking % 2
        else:
            first -= lacking // 2
            last += lacking // 2 + lacking % 2
    ticks = np.linspace(first * unit, last * unit, last - first + 1)
    # 0.30000000000000004 is 0.3: the decimals of the unit are all that a tick has.
    decimals = max(0, 1 - math.floor(math.log10(unit)))
    ticks = np.round(ticks, decimals) if decimals < 300 else ticks
    return ticks + 0.0


def _unit(cell: float) -> float:
    base = 10.0 ** math.floor(math.log10(cell))
    unit = base
    if 2 * base - cell < _BIAS * (cell - unit):
        unit = 2 * base
        if 5 * base - cell < _BIAS_OF_FIVE * (cell - unit):
            unit = 5 * base
            if 10 * base - cell < _BIAS * (cell - unit):
                unit = 10 * base
    return unit
