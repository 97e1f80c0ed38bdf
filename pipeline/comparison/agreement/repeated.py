"""Agreement of repeated measurements that have no order: ICC(1,1), and how sure it is.

Each unit is measured several times, and the first measurement of one has nothing to do with the
first of another: a one-way layout. Everything follows from the number, mean and sum of squared
deviations of each unit's measurements, so that a bootstrap of patients is a few matrix products.

References
----------
.. [1] Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability.
   Psychol Bull 1979;86:420-428 (ICC(1,1)).
.. [2] Donner A. A review of inference procedures for the intraclass correlation coefficient in the
   one-way random effects model. Int Stat Rev 1986;54:67-82 (units measured unequally often).
.. [3] Zwanenburg A, Leger S, Agolli L, et al. Assessing robustness of radiomic features by image
   perturbation. Sci Rep 2019;9:614. doi:10.1038/s41598-018-36938-4
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: Relative to its mean, standard deviation of a feature below which its values differ by rounding.
ROUNDING = 1e-12


class Moments(NamedTuple):
    """Measurements of n units on p features, each of shape (n, p).

    Attributes
    ----------
    count : ndarray
        Measurements that have a value.
    mean : ndarray
        Their mean; NaN without any.
    squares : ndarray
        Sum of their squared deviations from it; 0 of fewer than two.
    """

    count: Floats  # type: ignore[assignment]
    mean: Floats
    squares: Floats

    def rows(self, at: ArrayLike) -> Moments:
        """Return the moments of some units, of one named twice twice."""
        return Moments(*(each[np.asarray(at)] for each in self))


class Spread(NamedTuple):
    """What repeated measurements tell of p features, each of shape (p,).

    Attributes
    ----------
    icc : ndarray
        ICC(1,1) [1]_, from -1 to 1; NaN where nothing varies or too little was measured.
    within, between : ndarray
        Standard deviations within a unit and between units, in the feature's unit. Where units
        differ no more than their measurements do, `between` is 0.
    units : ndarray of int
        Units with at least one measurement.
    """

    icc: Floats
    within: Floats
    between: Floats
    units: NDArray[np.int64]

    @property
    def ratio(self) -> Floats:
        """`within` over `between`: infinite where units do not differ, NaN where nothing varies."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.isnan(self.icc), np.nan, self.within / self.between)


def moments(values: ArrayLike, units: ArrayLike, n: int) -> Moments:
    """Return the moments of measurements, one row a measurement.

    Parameters
    ----------
    values : array-like of shape (rows, p)
        Measurements; NaN and infinite ones do not count.
    units : array-like of int, shape (rows,)
        Unit of each, from 0 to n - 1.
    n : int
        Units.
    """
    values, units = np.asarray(values, dtype=np.float64), np.asarray(units, dtype=np.intp)
    known = np.isfinite(values)
    shape = (n, values.shape[1])
    count, total, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    np.add.at(count, units, known)
    np.add.at(total, units, np.where(known, values, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / count
    # From the mean, not by the sum of squares: values such as 1e12 with a deviation of 1 occur.
    apart = np.where(known, values - mean[units], 0.0)
    np.add.at(squares, units, apart**2)
    return Moments(count, mean, squares)


def spread(measured: Moments, weights: ArrayLike | None = None) -> Spread:
    """Return ICC(1,1) and the standard deviations within and between units.

    Parameters
    ----------
    measured : Moments
        Of n units and p features.
    weights : array-like of shape (resamples, n), optional
        How often each unit counts; with it all results have the shape (resamples, p).

    Returns
    -------
    Spread
        Of units measured unequally often, by the analysis of variance [2]_.
    """
    one = weights is None
    n = measured.count.shape[0]
    weight = np.ones((1, n)) if weights is None else np.asarray(weights, dtype=np.float64)
    taken = measured.count > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = np.nansum(measured.count * np.where(taken, measured.mean, 0.0), axis=0)
        centre = centre / measured.count.sum(axis=0)
        apart = np.where(taken, measured.mean - centre, 0.0)
        size = np.abs(centre)
        if measured.count.size and taken.all() and np.ptp(measured.count) == 0:
            # Usual, and a third of the work: every unit measured equally often.
            each = float(measured.count.flat[0])
            units = weight.sum(axis=1, keepdims=True)
            counts, counts_squared = each * units, each**2 * units
            sums, squares = each * (weight @ apart), each * (weight @ apart**2)
        else:
            units = weight @ taken
            counts, counts_squared = weight @ measured.count, weight @ measured.count**2
            sums = weight @ (measured.count * apart)
            squares = weight @ (measured.count * apart**2)
        inside = weight @ measured.squares
        between_square = np.maximum(squares - sums**2 / counts, 0) / (units - 1)
        within_square = inside / (counts - units)
        repeats = (counts - counts_squared / counts) / (units - 1)
        icc = (between_square - within_square) / (between_square + (repeats - 1) * within_square)
        between = np.sqrt(np.maximum((between_square - within_square) / repeats, 0))
        within = np.sqrt(within_square)
        nothing = np.sqrt(between_square) + within <= ROUNDING * size
    undefined = (units < 2) | (counts <= units) | nothing | ~np.isfinite(icc)
    found = (
        np.where(undefined, np.nan, np.clip(icc, -1, 1)),
        np.where(counts > units, within, np.nan),
        np.where(undefined, np.nan, between),
        np.broadcast_to(units, within.shape).astype(np.int64),
    )
    return Spread(*(part[0] for part in found)) if one else Spread(*found)


def lower_limit(
    measured: Moments, patients: ArrayLike, confidence: float, resamples: int, seed: int
) -> Floats:
    """Return the lower limit of ICC(1,1), by a bootstrap of patients.

    Parameters
    ----------
    measured : Moments
        Of n units and p features.
    patients : array-like of shape (n,)
        Patient of each unit: units of one patient are drawn together.
    confidence : float
        Level of the two-sided interval, whose lower percentile is returned.
    resamples : int
        Bootstrap resamples.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray of shape (p,)
        NaN where the coefficient is, or in more than half of the resamples, and where fewer than
        two patients have a value: resamples of one patient are all alike, and would call the
        estimate its own limit.
    """
    names, of_unit = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    iccs = spread(measured, drawn[:, of_unit]).icc
    known = np.isfinite(iccs)
    low = np.full(iccs.shape[1], np.nan)
    valued = np.zeros((len(names), low.size), dtype=bool)
    np.logical_or.at(valued, of_unit, measured.count > 0)
    usable = (known.mean(axis=0) > 0.5) & np.isfinite(spread(measured).icc)
    usable &= valued.sum(axis=0) >= 2
    if usable.any():
        low[usable] = np.nanquantile(iccs[:, usable], (1 - confidence) / 2, axis=0)
    return low
