"""What Firth's fit says of each coefficient and of the risks: profiles, tests, FLIC and FLAC.

References
----------
.. [1] Heinze G, Schemper M. A solution to the problem of separation in logistic regression. Stat
   Med 2002;21:2409-2419.
.. [2] Puhr R, Heinze G, Nold M, Lusa L, Geroldinger A. Firth's logistic regression with rare
   events: accurate effect estimates and predictions? Stat Med 2017;36:2302-2317.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit

from models.regression.fitting.newton import Maximum, maximise
from pipeline.core.errors import FitError

#: How far from the estimate a limit is looked for, in standard errors, doubled so often.
_DOUBLINGS = 12


def penalised_test(
    design: np.ndarray, outcome: np.ndarray, full: Maximum, columns: Sequence[int]
) -> tuple[float, float]:
    """Test that some coefficients are zero, by the ratio of the penalised likelihoods [1]_.

    Parameters
    ----------
    design : numpy.ndarray
        Shape (n, p), the column of ones included.
    outcome : numpy.ndarray
        Shape (n,), 0 or 1.
    full : Maximum
        Firth's fit of all columns.
    columns : sequence of int
        Coefficients in question; their number is the degrees of freedom.

    Returns
    -------
    statistic, p_value : float
    """
    start = full.coefficients.copy()
    start[list(columns)] = 0
    without = _restricted(design, outcome, columns, start)
    statistic = max(2 * (full.loglik - without.loglik), 0.0)
    return statistic, float(stats.chi2.sf(statistic, len(columns)))


def profile_limits(
    design: np.ndarray, outcome: np.ndarray, full: Maximum, column: int, confidence: float
) -> tuple[float, float]:
    """Return the limits of a coefficient from the profile of the penalised likelihood [1]_.

    Parameters
    ----------
    design, outcome, full
        As `penalised_test` takes them.
    column : int
        The coefficient.
    confidence : float
        Level, such as 0.95.

    Returns
    -------
    low, high : float
        Infinite where the profile never falls so far.
    """
    drop = float(stats.chi2.ppf(confidence, 1)) / 2
    middle = float(full.coefficients[column])
    error = math.sqrt(full.covariance[column, column])
    along = full.covariance[:, column] / full.covariance[column, column]

    def fall(value: float) -> float:
        # Where the others go as this one moves, by the curvature at the maximum: a start from which
        # the steps arrive although one of the others is hardly known.
        start = full.coefficients + along * (value - middle)
        return full.loglik - _restricted(design, outcome, [column], start).loglik - drop

    limits = []
    for sign in (-1, 1):
        inner, width = middle, error
        for _ in range(_DOUBLINGS):
            outer = middle + sign * 2 * width
            if fall(outer) > 0:
                found = brentq(fall, *sorted((inner, outer)), xtol=1e-12 * max(1, abs(outer)))
                limits.append(float(found))
                break
            inner, width = outer, 2 * width
        else:
            limits.append(sign * math.inf)
    return limits[0], limits[1]


def _restricted(
    design: np.ndarray, outcome: np.ndarray, fixed: Sequence[int], start: np.ndarray
) -> Maximum:
    """Fit with some coefficients held; begin at zero where the near start leads nowhere."""
    try:
        return maximise(design, outcome, firth=True, fixed=fixed, start=start)
    except FitError:
        afresh = np.zeros_like(start)
        afresh[list(fixed)] = start[list(fixed)]
        return maximise(design, outcome, firth=True, fixed=fixed, start=afresh)


def recentred_intercept(offset: np.ndarray, outcome: np.ndarray) -> float:
    """Return the intercept at which the mean risk is the event share, all else being given.

    It is the maximum likelihood estimate of the intercept: Firth's with intercept correction (FLIC
    [2]_), and the re-estimated intercept of a shrunken model.

    Parameters
    ----------
    offset : numpy.ndarray
        Shape (n,), linear predictor without intercept.
    outcome : numpy.ndarray
        Shape (n,), 0 or 1, of both kinds.
    """
    offset, outcome = np.asarray(offset, float), np.asarray(outcome, float)
    reach = float(np.abs(offset).max() + math.log(len(outcome)) + 1)

    def excess(by: float) -> float:
        return float(expit(offset + by).sum() - outcome.sum())

    return float(brentq(excess, -reach, reach, xtol=1e-13, rtol=1e-14))


def flac(design: np.ndarray, outcome: np.ndarray) -> Maximum:
    """Return Firth's fit with added covariate (FLAC [2]_), whose mean risk is the event share.

    Firth's scores are those of a fit to the rows themselves and to each row twice more, once as it
    is and once with the other outcome, weighed by half its leverage; an indicator of the added rows
    takes up the shrinkage of the risks to one half that these would cause.
    """
    firth = maximise(design, outcome, firth=True)
    probability = expit(design @ firth.coefficients)
    weights = probability * (1 - probability)
    spread = np.linalg.solve((design * weights[:, None]).T @ design, design.T)
    leverage = weights * np.einsum("ij,ji->i", design, spread)
    return _weighted_fit(design, np.asarray(outcome, float), leverage)


def _weighted_fit(design: np.ndarray, outcome: np.ndarray, leverage: np.ndarray) -> Maximum:
    import statsmodels.api as sm

    rows = np.vstack([design, design, design])
    added = np.r_[np.zeros(len(design)), np.ones(2 * len(design))]
    fates = np.r_[outcome, outcome, 1 - outcome]
    weights = np.r_[np.ones(len(design)), leverage / 2, leverage / 2]
    model = sm.GLM(
        fates, np.column_stack([rows, added]), family=sm.families.Binomial(), freq_weights=weights
    )
    fit = model.fit(maxiter=100, tol=1e-14)
    keep = slice(0, design.shape[1])
    return Maximum(fit.params[keep], fit.cov_params()[keep, keep], float(fit.llf))
