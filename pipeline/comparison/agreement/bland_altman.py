"""Bland and Altman's limits of agreement between two readers' measurements.

References
----------
.. [1] Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of
   clinical measurement. Lancet 1986;327:307-310.
.. [2] Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods Med Res
   1999;8:135-160 (variance of the limits).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit


class Estimate(NamedTuple):
    """A value with its confidence limits."""

    value: float
    low: float
    high: float


class BlandAltman(NamedTuple):
    """Agreement of two readers on one measurement, in its unit.

    Attributes
    ----------
    n : int
        Subjects with both readings.
    bias : Estimate
        Mean difference, second reader minus first.
    sd : float
        Standard deviation of the differences (divided by n - 1).
    lower, upper : Estimate
        Limits between which the stated share of differences is expected.
    """

    n: int
    bias: Estimate
    sd: float
    lower: Estimate
    upper: Estimate


def bland_altman(
    a: ArrayLike, b: ArrayLike, confidence: float = 0.95, coverage: float = 0.95
) -> BlandAltman:
    """Return bias and limits of agreement [1]_ with their confidence intervals [2]_.

    Differences are taken as independent and normal; several cases of one patient are neither.

    Parameters
    ----------
    a, b : array-like of shape (n,)
        Readings of n subjects by the first and the second reader, in the same unit. A subject
        with a missing reading is left out.
    confidence : float, default=0.95
        Level of the intervals of bias and limits.
    coverage : float, default=0.95
        Share of differences that the limits are to hold; 0.95 gives bias -/+ 1.96 SD.

    Returns
    -------
    BlandAltman
        Interval limits, and with fewer than two subjects all but the bias, are NaN where they
        cannot be estimated.
    """
    for name, share in (("confidence", confidence), ("coverage", coverage)):
        if not 0 < share < 1:
            raise ValueError(f"{name} must lie between 0 and 1, found {share}")
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"Both readings must have one shape (n,), found {a.shape} and {b.shape}")
    difference = (b - a)[np.isfinite(a) & np.isfinite(b)]
    n = len(difference)
    nothing = Estimate(np.nan, np.nan, np.nan)
    if n < 2:
        bias = float(difference[0]) if n else np.nan
        return BlandAltman(n, Estimate(bias, np.nan, np.nan), np.nan, nothing, nothing)
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    reach = float(ndtri(0.5 + coverage / 2))
    t = float(stdtrit(n - 1, 0.5 + confidence / 2))
    of_bias = t * sd / np.sqrt(n)
    of_limit = t * sd * np.sqrt(1 / n + reach**2 / (2 * (n - 1)))

    def around(value: float, half_width: float) -> Estimate:
        return Estimate(float(value), float(value - half_width), float(value + half_width))

    return BlandAltman(
        n,
        around(bias, of_bias),
        sd,
        around(bias - reach * sd, of_limit),
        around(bias + reach * sd, of_limit),
    )
