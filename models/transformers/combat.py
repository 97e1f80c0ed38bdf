"""ComBat: location and scale of features by site, estimated with empirical Bayes.

Written here because the kept library of this shape, combatlearn 2.3.0, takes the means and
variances of its priors over the sites of a feature, where the published method takes them over the
features of a site: on test data its values lie up to 0.3 standard deviations from those of R's sva
and of neuroCombat, which agree (tests/golden/README.md). What is here equals sva.

References
----------
.. [1] Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using
   empirical Bayes methods. Biostatistics 2007;8:118-127.
.. [2] Fortin JP, et al. Harmonization of cortical thickness measurements across scanners and sites.
   NeuroImage 2018;167:104-120 (covariates kept).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CONVERGED = 1e-10
"""Largest relative change at which the iteration of an empirical Bayes estimate ends. sva stops at
1e-4, which leaves its estimates up to about that far from the fixed point."""
MOST_STEPS = 10_000
FEWEST_FEATURES = 3
"""Features below which a prior over features cannot be estimated: then nothing is shrunken."""


@dataclass(frozen=True)
class Combat:
    """What a fit learned: arrays alone, so that it can leave its study.

    Attributes
    ----------
    sites : tuple of str
        Sites that were learned from.
    reference : str or None
        Site whose values stay as they are.
    adjusted : ndarray of bool, shape (n_features,)
        Features that are adjusted: those that vary at every site.
    center, spread : ndarray of shape (n_features,)
        Grand mean and pooled standard deviation within sites.
    weights : ndarray of shape (n_covariates, n_features)
        Effects of the covariates, which are kept.
    shift, stretch : ndarray of shape (n_sites, n_features)
        Location and scale of each site, in pooled standard deviations: 0 and 1 change nothing.
    """

    sites: tuple[str, ...]
    reference: str | None
    adjusted: np.ndarray
    center: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    shift: np.ndarray
    stretch: np.ndarray


def fit_combat(
    values: np.ndarray,
    sites: np.ndarray,
    covariates: np.ndarray,
    reference: str | None = None,
) -> Combat:
    """Learn location and scale of each site.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Features, without missing values.
    sites : ndarray of str, shape (n_rows,)
        Site of each row; at least two rows of each.
    covariates : ndarray of shape (n_rows, n_covariates)
        What is kept, such as age: numbers, without a constant. No outcome.
    reference : str, optional
        Site to which the others are brought; without it, their common mean.

    Raises
    ------
    ValueError
        If a site has one row, if the reference is no site, or if the sites determine a covariate.
    """
    names = tuple(sorted(set(map(str, sites))))
    member = np.column_stack([sites == name for name in names]).astype(float)
    counts = member.sum(axis=0)
    if counts.min() < 2:
        raise ValueError(f"site {names[int(counts.argmin())]} has one row")
    if reference is not None and reference not in names:
        raise ValueError(f"the reference {reference} is none of the sites")
    design = np.hstack([member, covariates])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError("the sites determine a covariate, or covariates one another")
    adjusted = np.all([np.ptp(values[row > 0], axis=0) > 0 for row in member.T], axis=0)
    effects = np.linalg.lstsq(design, values, rcond=None)[0]
    weights = effects[len(names) :]
    if reference is None:
        center, rows = counts @ effects[: len(names)] / len(values), np.full(len(values), True)
    else:
        at = names.index(reference)
        center, rows = effects[at], member[:, at] > 0
    spread = np.sqrt(np.mean((values - design @ effects)[rows] ** 2, axis=0))
    spread = np.where(adjusted & (spread > 0), spread, 1.0)
    adjusted &= np.isfinite(spread)
    standard = (values - center - covariates @ weights) / spread
    shift, stretch = np.zeros((2, len(names), values.shape[1]))
    stretch += 1.0
    for place, name in enumerate(names):
        if name != reference:
            own = standard[np.ix_(member[:, place] > 0, adjusted)]
            shift[place, adjusted], stretch[place, adjusted] = site_effect(own)
    return Combat(names, reference, adjusted, center, spread, weights, shift, stretch)


def site_effect(standard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return location and scale of one site, shrunken towards those of its other features.

    Parameters
    ----------
    standard : ndarray of shape (n_rows, n_features)
        The site's rows in pooled standard deviations from the grand mean; at least two.

    Returns
    -------
    shift, stretch : ndarray of shape (n_features,)
        Estimates of equations 3.2 of Johnson et al., at the fixed point of their iteration.
    """
    n = len(standard)
    mean, variance = standard.mean(axis=0), standard.var(axis=0, ddof=1)
    if standard.shape[1] < FEWEST_FEATURES or np.ptp(variance) == 0 or np.ptp(mean) == 0:
        return mean, np.sqrt(variance)
    prior_mean, prior_variance = mean.mean(), mean.var(ddof=1)
    m, s2 = variance.mean(), variance.var(ddof=1)
    shape, rate = (2 * s2 + m**2) / s2, (m * s2 + m**3) / s2
    squares = (n - 1) * variance
    shift, scale = mean, variance
    for _ in range(MOST_STEPS):
        before = shift, scale
        shift = (prior_variance * n * mean + scale * prior_mean) / (prior_variance * n + scale)
        scale = (0.5 * (squares + n * (mean - shift) ** 2) + rate) / (n / 2 + shape - 1)
        moved = max(np.max(np.abs(shift - before[0])), np.max(np.abs(scale / before[1] - 1)))
        if moved < CONVERGED:
            break
    return shift, np.sqrt(scale)


def standardised(fitted: Combat, values: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Return values in pooled standard deviations from what the covariates make expected."""
    return (values - fitted.center - covariates @ fitted.weights) / fitted.spread


def apply_combat(
    fitted: Combat,
    values: np.ndarray,
    sites: np.ndarray,
    covariates: np.ndarray,
    own: dict[str, tuple[np.ndarray, np.ndarray]] | None = None,
) -> np.ndarray:
    """Return values brought to the common location and scale.

    Parameters
    ----------
    fitted : Combat
        From `fit_combat`.
    values, sites, covariates
        As for `fit_combat`, of any rows.
    own : dict, optional
        Location and scale, over the adjusted features, of sites that were not learned from.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        Rows of another site than those learned from and in `own` stay as they are.
    """
    standard = standardised(fitted, values, covariates)
    result = values.copy()
    effects = {
        name: (fitted.shift[place][fitted.adjusted], fitted.stretch[place][fitted.adjusted])
        for place, name in enumerate(fitted.sites)
        if name != fitted.reference
    } | (own or {})
    back = values - standard * fitted.spread  # grand mean and covariates
    for name, (shift, stretch) in effects.items():
        at = np.ix_(sites == name, fitted.adjusted)
        moved = (standard[at] - shift) / stretch
        result[at] = moved * fitted.spread[fitted.adjusted] + back[at]
    return result
