"""Agreement of readers on measurements: Lin's concordance and the intraclass correlation.

All functions work on many features at once, one feature per column. A subject with a missing
reading of a feature is left out for that feature only.

Over subjects of several groups, such as vertebrae of several levels, a coefficient is inflated by
whatever differs between the groups: two readers who tell a lumbar from a thoracic vertebra, and
nothing else, agree on its volume. So Lin's coefficient can be taken within groups [5]_: it then
compares the readers' disagreement with how much the subjects of one group differ.

With more than two readers the pair that agrees least decides (`lowest_pair`), in the filter of the
models and in what a study is told of its features alike: a feature is reproducible if it is so
whichever two readers are taken. The overall coefficient of all readers [6]_ weighs all pairs
together and stands beside it.

References
----------
.. [1] Lin LI. A concordance correlation coefficient to evaluate reproducibility. Biometrics
   1989;45:255-268.
.. [2] Lin LI. A note on the concordance correlation coefficient. Biometrics 2000;56:324-325
   (corrects the variance of [1]_).
.. [3] Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability.
   Psychol Bull 1979;86:420-428.
.. [4] McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients.
   Psychol Methods 1996;1:30-46.
.. [5] King TS, Chinchilli VM. A generalized concordance correlation coefficient for continuous and
   categorical data. Stat Med 2001;20:2131-2147 (stratified coefficient); by variance components:
   Carrasco JL, Jover L. Biometrics 2003;59:849-858.
.. [6] Barnhart HX, Haber M, Song J. Overall concordance correlation coefficient for evaluating
   agreement among multiple observers. Biometrics 2002;58:1020-1027 (the coefficient that [1]_
   proposes for several observers, as corrected in [2]_).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtri, ndtri

STABLE_CCC = 0.85
"""CCC from which a feature counts as stable where the filter by agreement is off: that of the
published protocol."""


def stable_from(threshold: float | None) -> float:
    """Return the CCC from which features are described as stable, given the filter's threshold."""
    return STABLE_CCC if threshold is None else threshold


class _PairMoments(NamedTuple):
    """Moments per feature, each of shape (p,); variances and covariance are divided by n."""

    n: NDArray[np.int64]
    shift_squared: NDArray[np.float64]
    variance_a: NDArray[np.float64]
    variance_b: NDArray[np.float64]
    covariance: NDArray[np.float64]


def lin_ccc(a: ArrayLike, b: ArrayLike, groups: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return Lin's concordance correlation coefficient of each feature [1]_.

    Twice the covariance over the sum of both variances and the squared difference of the means,
    with moments divided by n. It is at most the absolute Pearson correlation, and falls with every
    shift in location or scale between the readings, so it is meant for raw, unscaled values.

    Parameters
    ----------
    a, b : array-like of shape (n, p)
        Readings of n subjects on p features by the first and the second reader, in the same unit.
    groups : array-like of shape (n,), optional
        Group of each subject, such as its level: the coefficient within groups [5]_. Variances and
        covariance are pooled within groups, twice the covariance estimating the subjects' own
        variance; the disagreement, mean of (a - b)^2, stays whole, so that a shift between readers
        counts, in all groups or in one. One group gives the coefficient without groups.

    Returns
    -------
    ndarray of shape (p,)
        From -1 to 1; NaN where no two subjects (of one group) have both readings, or where all
        readings are one and the same value, since agreement is undefined without variation.
    """
    return _ccc(_moments(a, b, groups))


def lin_ccc_interval(
    a: ArrayLike, b: ArrayLike, confidence: float = 0.95, groups: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return Lin's coefficient of each feature with its confidence limits.

    The interval is symmetric on Fisher's z scale, with the asymptotic variance of [1]_ as
    corrected in [2]_.

    Parameters
    ----------
    a, b : array-like of shape (n, p)
        As in `lin_ccc`.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.
    groups : array-like of shape (n,), optional
        As in `lin_ccc`. Each group's mean costs a subject: of n subjects in g groups, the interval
        is that of n - g + 1.

    Returns
    -------
    ccc, low, high : ndarray of shape (p,)
        The limits are NaN where fewer than three subjects remain, or one reader's values do not
        vary; they equal the coefficient where it is 1 or -1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, found {confidence}")
    moments = _moments(a, b, groups)
    ccc = _ccc(moments)
    scale = np.sqrt(moments.variance_a * moments.variance_b)
    total = moments.variance_a + moments.variance_b + moments.shift_squared
    with np.errstate(divide="ignore", invalid="ignore"):
        # The published variance divides by Pearson's r; with ccc = bias_correction * r every
        # quotient can be written without r, so that r = 0 needs no special case.
        bias_correction = 2 * scale / total
        shift_squared = moments.shift_squared / scale
        spread = 1 - ccc**2
        variance = (
            (bias_correction**2 - ccc**2) / spread
            + 2 * bias_correction * ccc**2 * (1 - ccc) * shift_squared / spread**2
            - bias_correction**2 * ccc**2 * shift_squared**2 / (2 * spread**2)
        ) / (moments.n - 2)
        half_width = ndtri(0.5 + confidence / 2) * np.sqrt(np.maximum(variance, 0))
        z = np.arctanh(ccc)
        low, high = np.tanh(z - half_width), np.tanh(z + half_width)
    undefined = (moments.n < 3) | (scale == 0)
    exact = (np.abs(ccc) == 1) & ~undefined
    low, high = (np.where(exact, ccc, limit) for limit in (low, high))
    low, high = (np.where(undefined, np.nan, limit) for limit in (low, high))
    return ccc, low, high


class LowestPair(NamedTuple):
    """The pair of readers that agrees least on each feature, each field of shape (p,).

    Attributes
    ----------
    ccc, low, high : ndarray
        Lin's coefficient of that pair and its confidence limits.
    first, second : ndarray of int
        The two readers of the pair, by their place in what was handed in.
    lowest_low : ndarray
        Lowest lower limit over all pairs, which may be another pair's.
    n : ndarray of int
        Subjects with both readings of the pair.
    """

    ccc: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    lowest_low: NDArray[np.float64]
    n: NDArray[np.int64]


def lowest_pair(
    readings: Sequence[ArrayLike], confidence: float = 0.95, groups: ArrayLike | None = None
) -> LowestPair:
    """Return, for each feature, the two readers that agree least, and how well they agree.

    One pair without a coefficient leaves the agreement of all undefined, and is the pair returned:
    a reader who did not measure a feature agrees with nobody.

    Parameters
    ----------
    readings : sequence of array-like of shape (n, p)
        The readings of n subjects on p features by each of two or more readers, in the same unit.
    confidence : float, default=0.95
        Level of the intervals.
    groups : array-like of shape (n,), optional
        As in `lin_ccc`.
    """
    if len(readings) < 2:
        raise ValueError(f"a pair needs two readers, found {len(readings)}")
    given = [np.asarray(values, dtype=np.float64) for values in readings]
    pairs = list(combinations(range(len(given)), 2))
    found = np.array([lin_ccc_interval(given[a], given[b], confidence, groups) for a, b in pairs])
    # Where a coefficient is NaN, argmin takes the first such pair.
    which = np.argmin(found[:, 0], axis=0)
    ccc, low, high = np.take_along_axis(found, which[np.newaxis, np.newaxis], axis=0)[0]
    finite = np.isfinite(np.stack(given))
    both = np.array([(finite[a] & finite[b]).sum(axis=0) for a, b in pairs])
    first, second = np.array(pairs)[which].T
    return LowestPair(
        ccc,
        low,
        high,
        first,
        second,
        np.min(found[:, 1], axis=0),
        np.take_along_axis(both, which[np.newaxis], axis=0)[0],
    )


def overall_ccc(ratings: ArrayLike) -> NDArray[np.float64]:
    """Return the overall concordance correlation coefficient of several readers [6]_.

    Twice the sum of the covariances of all pairs of readers, over the sum of what each pair would
    disagree by if its readings were independent (both variances and the squared difference of the
    means); moments are divided by n, as in [1]_. It is the mean of the pairs' coefficients weighted
    by that sum, and Lin's coefficient with two readers.

    Parameters
    ----------
    ratings : array-like of shape (n, readers, p)
        Readings of n subjects by each reader on p features. A subject counts for a feature where
        all readers have a value.

    Returns
    -------
    ndarray of shape (p,)
        From -1 to 1; NaN with fewer than two subjects or readers, or where nothing varies.
    """
    ratings = np.asarray(ratings, dtype=np.float64)
    if ratings.ndim != 3:
        raise ValueError(f"ratings must have shape (n, readers, p), found {ratings.shape}")
    readers = ratings.shape[1]
    complete = np.isfinite(ratings).all(axis=1, keepdims=True)
    n = complete.sum(axis=0).ravel()
    kept = np.where(complete, ratings, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Around the mean over readers: values such as 1e12 with a variance of 1 occur.
        kept = np.where(complete, kept - kept.sum(axis=(0, 1)) / (n * readers), 0.0)
        kept = np.where(_constant(ratings, complete), 0.0, kept)
        means = kept.sum(axis=0) / n
        # One reader's values may be all the same, while their mean is off by rounding.
        centred = np.where(complete & _varies(ratings, complete, 0), kept - means, 0.0)
        variances = (centred**2).sum(axis=(0, 1)) / n
        covariances = (centred.sum(axis=1) ** 2).sum(axis=0) / n - variances  # twice their sum
        shifts = readers * ((means - means.mean(axis=0)) ** 2).sum(axis=0)
        occc = covariances / ((readers - 1) * variances + shifts)
    return np.where((n < 2) | (readers < 2), np.nan, np.clip(occc, -1, 1))


def icc_2_1(ratings: ArrayLike) -> NDArray[np.float64]:
    """Return ICC(2,1) of each feature: two-way random effects, absolute agreement, one rater.

    Parameters
    ----------
    ratings : array-like of shape (n, raters, p)
        Readings of n subjects by each rater on p features. A subject counts for a feature where
        all raters have a value.

    Returns
    -------
    ndarray of shape (p,)
        ICC(2,1) of [3]_, named ICC(A,1) in [4]_; NaN with fewer than two subjects or raters, or
        where nothing varies. It may be negative where raters disagree more than subjects differ;
        of few subjects the formula may fall below -1, and is cut there, as its limits are.
    """
    # No agreement is poorer than -1, but mean squares of few subjects can say so.
    return np.maximum(_icc(_mean_squares(ratings)), -1)


def icc_2_1_interval(
    ratings: ArrayLike, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return ICC(2,1) of each feature with the confidence limits of [3]_ (also [4]_, table 7).

    Parameters
    ----------
    ratings : array-like of shape (n, raters, p)
        As in `icc_2_1`.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    icc, low, high : ndarray of shape (p,)
        The limits are NaN where the coefficient is or no degree of freedom is left, and equal 1
        where all readings agree exactly.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, found {confidence}")
    squares = _mean_squares(ratings)
    n, k = squares.n, squares.raters
    icc = _icc(squares)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Satterthwaite's degrees of freedom of the raters' and the residual mean square together.
        of_raters = k * icc / (n * (1 - icc)) * squares.between_raters
        of_error = (1 + k * icc * (n - 1) / (n * (1 - icc))) * squares.error
        freedom = (of_raters + of_error) ** 2 / (
            of_raters**2 / (k - 1) + of_error**2 / ((n - 1) * (k - 1))
        )
        rest = k * squares.between_raters + (k * n - k - n) * squares.error
        level = 0.5 + confidence / 2
        # Of scipy.special: importing scipy.stats takes longer than all of a study's figures.
        below, above = fdtri(n - 1, freedom, level), fdtri(freedom, n - 1, level)
        low = _limit(squares, rest, 1 / below)
        high = _limit(squares, rest, above)
    exact = icc == 1
    icc, low, high = (np.clip(values, -1, 1) for values in (icc, low, high))
    return icc, np.where(exact, 1.0, low), np.where(exact, 1.0, high)


def _limit(
    squares: _MeanSquares, rest: NDArray[np.float64], quantile: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the limit that belongs to a quantile of F, of any size.

    Where hardly any freedom is left, a quantile may be 0, infinite, or too small to divide by:
    of the two mean squares that it weighs against each other, it is the smaller that it scales.
    """
    subjects = squares.n * squares.subjects * np.minimum(quantile, 1)
    shrunk = 1 / np.maximum(quantile, 1)
    return (subjects - squares.n * squares.error * shrunk) / (rest * shrunk + subjects)


class _MeanSquares(NamedTuple):
    """Mean squares of a two-way analysis of variance per feature, each of shape (p,)."""

    n: NDArray[np.int64]
    raters: int
    subjects: NDArray[np.float64]
    between_raters: NDArray[np.float64]
    error: NDArray[np.float64]


def _mean_squares(ratings: ArrayLike) -> _MeanSquares:
    ratings = np.asarray(ratings, dtype=np.float64)
    if ratings.ndim != 3:
        raise ValueError(f"ratings must have shape (n, raters, p), found {ratings.shape}")
    raters = ratings.shape[1]
    complete = np.isfinite(ratings).all(axis=1, keepdims=True)
    n = complete.sum(axis=0).ravel()
    kept = np.where(complete, ratings, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        centred = np.where(complete, ratings - kept.sum(axis=(0, 1)) / (n * raters), 0.0)
        # A column of one value must have no variance at all; its mean may be off by rounding.
        centred = np.where(_constant(ratings, complete), 0.0, centred)
        of_subjects = raters * (centred.mean(axis=1) ** 2).sum(axis=0)
        of_raters = n * ((centred.sum(axis=0) / n) ** 2).sum(axis=0)
        residual = (centred**2).sum(axis=(0, 1)) - of_subjects - of_raters
        between_raters = of_raters / (raters - 1) if raters > 1 else np.full(n.shape, np.nan)
        error = np.maximum(residual, 0) / ((n - 1) * (raters - 1))
        return _MeanSquares(n, raters, of_subjects / (n - 1), between_raters, error)


def _icc(squares: _MeanSquares) -> NDArray[np.float64]:
    n, raters, subjects, between_raters, error = squares
    with np.errstate(divide="ignore", invalid="ignore"):
        icc = (subjects - error) / (
            subjects + (raters - 1) * error + raters * (between_raters - error) / n
        )
    return np.where((n < 2) | (raters < 2), np.nan, icc)


def _pair_moments(a: ArrayLike, b: ArrayLike) -> _PairMoments:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"Both readings must have one shape (n, p), found {a.shape} and {b.shape}")
    both = np.isfinite(a) & np.isfinite(b)
    n = both.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_a, mean_b = (np.where(both, x, 0.0).sum(axis=0) / n for x in (a, b))
        # Centred before squaring: feature values such as 1e12 with a variance of 1 occur.
        centred_a, centred_b = (
            np.where(both & ~_constant(x, both), x - mean, 0.0)
            for x, mean in ((a, mean_a), (b, mean_b))
        )
        shift = np.where(both, a - b, 0.0).sum(axis=0) / n
        return _PairMoments(
            n,
            shift**2,
            (centred_a**2).sum(axis=0) / n,
            (centred_b**2).sum(axis=0) / n,
            (centred_a * centred_b).sum(axis=0) / n,
        )


def _moments(a: ArrayLike, b: ArrayLike, groups: ArrayLike | None) -> _PairMoments:
    return _pair_moments(a, b) if groups is None else _moments_within(a, b, groups)


def _moments_within(a: ArrayLike, b: ArrayLike, groups: ArrayLike) -> _PairMoments:
    """Pool moments within groups, so that one group gives the very moments without groups."""
    a, b, groups = (np.asarray(values) for values in (a, b, groups))
    if groups.shape != (len(a),):
        raise ValueError(f"groups must have shape ({len(a)},), found {groups.shape}")
    parts = [_pair_moments(a[groups == group], b[groups == group]) for group in np.unique(groups)]
    sizes = np.stack([part.n for part in parts])
    n, used = sizes.sum(axis=0), (sizes > 0).sum(axis=0)

    def total(name: str) -> NDArray[np.float64]:
        """Sum of squares or products within groups."""
        sums = [np.where(part.n > 0, getattr(part, name) * part.n, 0.0) for part in parts]
        return np.sum(sums, axis=0)

    a, b = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Unbiased within groups; the factor is Lin's, whose moments are divided by n.
        weight = (n - 1) / n / (n - used)
        variance_a, variance_b, covariance = (
            total(name) * weight for name in ("variance_a", "variance_b", "covariance")
        )
        disagreement = np.nansum((a - b) ** 2, axis=0) / n
        # Of the disagreement, what the spread of the differences within groups leaves: a component
        # of variance, estimated by a difference that chance may make negative, and then nothing.
        shift_squared = disagreement - (variance_a + variance_b - 2 * covariance)
        shift_squared = np.maximum(shift_squared, 0)
    return _PairMoments(n - used + 1, shift_squared, variance_a, variance_b, covariance)


def _constant(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which features have one value only, over every axis but the last."""
    axes = tuple(range(values.ndim - 1))
    return ~_varies(values, valid, axes)


def _varies(
    values: NDArray[np.float64], valid: NDArray[np.bool_], axes: int | tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return where there is more than one value over `axes`."""
    largest = np.where(valid, values, -np.inf).max(axis=axes, initial=-np.inf)
    smallest = np.where(valid, values, np.inf).min(axis=axes, initial=np.inf)
    return largest > smallest


def _ccc(moments: _PairMoments) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        total = moments.variance_a + moments.variance_b + moments.shift_squared
        ccc = 2 * moments.covariance / total
    # Rounding may bring readings that hardly differ above 1.
    return np.where(moments.n < 2, np.nan, np.clip(ccc, -1, 1))
