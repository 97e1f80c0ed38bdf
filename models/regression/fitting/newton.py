"""Newton's steps for a logistic model, by maximum or by Firth's penalised likelihood.

The penalised likelihood is own code, since no library of the lock has it; unpenalised, the same
steps serve resamples by the thousand, where statsmodels would take minutes. What is reported of an
unpenalised model is fitted by statsmodels (`models.regression.fitting.logistic`).

References
----------
.. [1] Firth D. Bias reduction of maximum likelihood estimates. Biometrika 1993;80:27-38.
.. [2] Heinze G, Schemper M. A solution to the problem of separation in logistic regression. Stat
   Med 2002;21:2409-2419.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from pipeline.core.errors import FitError

#: A step this small in every coefficient's standard error ends the search.
_TOLERANCE = 1e-10
_MOST_STEPS = 200
_MOST_HALVINGS = 30


class Maximum(NamedTuple):
    """Where a likelihood is highest.

    Attributes
    ----------
    coefficients : numpy.ndarray
        Shape (p,).
    covariance : numpy.ndarray
        Shape (p, p), inverse of the expected information there, zero for what was held fixed.
    loglik : float
        Log-likelihood, penalised where the fit is.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    loglik: float


def maximise(
    design: np.ndarray,
    outcome: np.ndarray,
    *,
    firth: bool = False,
    fixed: Sequence[int] = (),
    start: np.ndarray | None = None,
) -> Maximum:
    """Maximise the log-likelihood of a logistic model.

    Parameters
    ----------
    design : numpy.ndarray
        Shape (n, p), the column of ones included.
    outcome : numpy.ndarray
        Shape (n,), 0 or 1.
    firth : bool, optional
        Add half the log determinant of the information, Jeffreys' prior [1]_: finite estimates
        under separation.
    fixed : sequence of int, optional
        Coefficients that keep their value of `start`. The penalty is that of the whole design all
        the same, as the profile of the likelihood demands [2]_.
    start : numpy.ndarray, optional
        Shape (p,), where to begin; zeros by default.

    Raises
    ------
    FitError
        If the columns are not independent, or the steps do not end: then the unpenalised maximum
        lies at infinity.
    """
    return _climb(design, outcome, firth=firth, fixed=fixed, start=start)


def maximise_unless_extreme(
    design: np.ndarray, outcome: np.ndarray, extreme: float
) -> Maximum | None:
    """Maximise the log-likelihood as long as no risk on the way comes near to 0 or 1.

    Steps towards a maximum at infinity, as separated outcomes have it, go on for long: they end
    here as soon as they are seen.

    Parameters
    ----------
    design, outcome : numpy.ndarray
        As `maximise` takes them.
    extreme : float
        Distance from 0 and from 1 that a risk must keep.

    Returns
    -------
    Maximum or None
        That of `maximise`; None where a risk came too near.

    Raises
    ------
    FitError
        As `maximise` does.
    """
    return _climb(design, outcome, extreme=extreme)


def _climb(
    design: np.ndarray,
    outcome: np.ndarray,
    *,
    firth: bool = False,
    fixed: Sequence[int] = (),
    start: np.ndarray | None = None,
    extreme: float | None = None,
) -> Maximum | None:
    design, outcome = np.asarray(design, float), np.asarray(outcome, float)
    free = np.array([at for at in range(design.shape[1]) if at not in set(fixed)], dtype=int)
    beta = np.zeros(design.shape[1]) if start is None else np.array(start, float)
    state = _at(beta, design, outcome, firth)
    for _ in range(_MOST_STEPS):
        if not len(free):
            break
        if extreme is not None and min(state[0].min(), 1 - state[0].max()) < extreme:
            return None
        score, information = _score(state, design, outcome, firth)
        # All free is the common case by far, and needs no part of the matrix.
        own = information if len(free) == len(beta) else information[np.ix_(free, free)]
        try:
            step = np.linalg.solve(own, score[free])
        except np.linalg.LinAlgError:
            raise _no_maximum() from None
        size = np.sqrt(np.diag(own)) * np.abs(step)
        for _ in range(_MOST_HALVINGS):
            moved = beta.copy()
            moved[free] += step
            new = _at(moved, design, outcome, firth)
            if new[1] >= state[1] - 1e-12 * abs(state[1]):
                break
            step = step / 2
        beta, state = moved, new
        if size.max() < _TOLERANCE:
            break
    else:
        raise _no_maximum()
    _, information = _score(state, design, outcome, firth)
    covariance = np.zeros_like(information)
    if len(free):
        try:
            covariance[np.ix_(free, free)] = np.linalg.inv(information[np.ix_(free, free)])
        except np.linalg.LinAlgError:
            raise _no_maximum() from None
    if not np.isfinite(covariance).all() or (np.diag(covariance) < 0).any():
        raise _no_maximum()
    if extreme is not None and min(state[0].min(), 1 - state[0].max()) < extreme:
        return None
    return Maximum(beta, covariance, float(state[1]))


def _at(
    beta: np.ndarray, design: np.ndarray, outcome: np.ndarray, firth: bool
) -> tuple[np.ndarray, float]:
    """Return the probabilities and the log-likelihood at given coefficients."""
    eta = design @ beta
    loglik = float(outcome @ eta - np.logaddexp(0, eta).sum())
    probability = expit(eta)
    if firth:
        weights = probability * (1 - probability)
        sign, logdet = np.linalg.slogdet((design * weights[:, None]).T @ design)
        loglik = loglik + logdet / 2 if sign > 0 else -np.inf
    return probability, loglik


def _score(
    state: tuple[np.ndarray, float], design: np.ndarray, outcome: np.ndarray, firth: bool
) -> tuple[np.ndarray, np.ndarray]:
    probability = state[0]
    weights = probability * (1 - probability)
    information = (design * weights[:, None]).T @ design
    residual = outcome - probability
    if firth:
        try:
            spread = np.linalg.solve(information, design.T)
        except np.linalg.LinAlgError:
            raise _no_maximum() from None
        leverage = weights * np.einsum("ij,ji->i", design, spread)
        residual = residual + leverage * (0.5 - probability)
    return design.T @ residual, information


def _no_maximum() -> FitError:
    return FitError(
        "A logistic model must have one set of coefficients that fits best",
        found="none: predictors depend on one another, or separate the outcomes",
        remedy="leave out one of the predictors that say the same, or fit by Firth's method",
        code="likelihood-without-maximum",
    )
