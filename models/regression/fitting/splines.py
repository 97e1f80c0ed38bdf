"""Restricted cubic splines: a predictor whose effect is no straight line, straight in the tails.

Own code: patsy and statsmodels have natural splines with another basis and other knots, whose
coefficients no reader of a paper could compare with those of R's rms.

References
----------
.. [1] Harrell FE. Regression Modeling Strategies. 2nd ed. Springer 2015, sections 2.4.5 and 2.4.6.
.. [2] Stone CJ, Koo CY. Additive splines in statistics. Proc Stat Comp Sect ASA 1985;45-48.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.errors import FitError

#: Fewest and most knots: with fewer there is no curve, with more no table fits.
FEWEST_KNOTS, MOST_KNOTS = 3, 7

#: Share of the values left of the first knot, by number of knots [1]_.
_OUTER = {3: 0.10, 4: 0.05, 5: 0.05, 6: 0.05, 7: 0.025}

#: Fewer values: the outer knots are the fifth value from either end.
_SMALL = 100

#: Share of the values at one end above which that end is no knot but the value beside it.
_TIED = 0.05


def default_knots(values: np.ndarray, number: int) -> tuple[float, ...]:
    """Return Harrell's knots [1]_: at fixed quantiles, the same share of values beyond both ends.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (n,), without missing values.
    number : int
        Knots wished for, from 3 to 7. As in R's Hmisc, there are fewer where a tenth of the values
        or more share the end of the range.

    Raises
    ------
    FitError
        If the values have too few distinct ones for so many knots.
    """
    values = np.sort(np.asarray(values, float))
    distinct = np.unique(values)
    if len(distinct) - 2 <= number:
        raise FitError(
            "A spline needs more distinct values than knots, by three at least",
            found=f"{len(distinct)} distinct values, {number} knots",
            remedy="ask for fewer knots, or take the predictor as linear or as categories",
            code="spline-too-few-values",
        )
    outer, wanted = _OUTER[number], number
    first: list[float] = []
    last: list[float] = []
    inner = values
    counts = np.unique(values, return_counts=True)[1] / len(values)
    if counts[1:-1].max() < _TIED:
        if counts[0] >= _TIED:
            first = [float(inner[inner > inner.min()].min())]
            inner = inner[inner > first[0]]
        if counts[-1] >= _TIED:
            last = [float(inner[inner < inner.max()].max())]
            inner = inner[inner < last[0]]
        wanted -= len(first) + len(last)
    if wanted == 1:
        knots = [float(np.median(inner))]
    else:
        at = np.linspace(0.5 if wanted == 2 else outer, 1 - outer, wanted)
        knots = np.quantile(inner, at).tolist()
        if len(inner) < _SMALL:
            if not first:
                knots[0] = float(inner[4])
            if not last:
                knots[-1] = float(inner[-5])
    knots = sorted({*first, *knots, *last})
    if len(knots) < FEWEST_KNOTS:
        raise FitError(
            "A spline needs three different knots",
            found=f"{len(knots)} different quantiles of the values",
            remedy="too many values are equal: take the predictor as linear or as categories",
            code="spline-knots-coincide",
        )
    return tuple(float(knot) for knot in knots)


def spline_basis(values: np.ndarray, knots: tuple[float, ...]) -> np.ndarray:
    """Return the columns of a restricted cubic spline, the linear one first.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (n,).
    knots : tuple of float
        Ascending, k of them.

    Returns
    -------
    numpy.ndarray
        Shape (n, k - 1). The columns behind the first are in the unit of the values: cubes over the
        squared distance of the outer knots, as R's rms has them (``norm = 2``).
    """
    values = np.asarray(values, float)
    knots = np.asarray(knots, float)
    span = (knots[-1] - knots[0]) ** (2 / 3)

    def cube(knot: float) -> np.ndarray:
        return np.maximum((values - knot) / span, 0) ** 3

    last, before = knots[-1], knots[-2]
    columns = [values]
    for knot in knots[:-2]:
        tail = (before - knot) * cube(last) - (last - knot) * cube(before)
        columns.append(cube(knot) + tail / (last - before))
    return np.column_stack(columns)
