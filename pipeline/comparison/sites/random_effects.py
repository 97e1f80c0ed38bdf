"""Random-effects meta-analysis: one figure of several sites, and how much the sites differ.

Each site gives an estimate and its variance (of an AUROC on the logit scale:
`logit_with_variance`). The sites' true values are taken to be normal around a mean, with variance
tau2. The interval of the mean is Hartung's and Knapp's, since with few sites the usual one is too
narrow [3]_ [4]_; the prediction interval says where a new site's true value is to be expected [5]_.

References
----------
.. [1] DerSimonian R, Laird N. Meta-analysis in clinical trials. Control Clin Trials 1986;7:177-188.
.. [2] Viechtbauer W. Bias and efficiency of meta-analytic variance estimators in the random-effects
   model. J Educ Behav Stat 2005;30:261-293 (restricted maximum likelihood).
.. [3] Hartung J, Knapp G. A refined method for the meta-analysis of controlled clinical trials with
   binary outcome. Stat Med 2001;20:3875-3889.
.. [4] IntHout J, Ioannidis JPA, Borm GF. The Hartung-Knapp-Sidik-Jonkman method for random effects
   meta-analysis is straightforward and considerably outperforms the standard DerSimonian-Laird
   method. BMC Med Res Methodol 2014;14:25.
.. [5] Higgins JPT, Thompson SG, Spiegelhalter DJ. A re-evaluation of random-effects meta-analysis.
   J R Stat Soc A 2009;172:137-159 (t with k - 2 degrees of freedom).
.. [6] Higgins JPT, Thompson SG. Quantifying heterogeneity in a meta-analysis. Stat Med
   2002;21:1539-1558.
.. [7] Debray TPA, et al. A guide to systematic review and meta-analysis of prediction model
   performance. BMJ 2017;356:i6460 (logit of the AUROC, log of observed by expected).
.. [8] Knapp G, Hartung J. Improved tests for a random effects meta-regression with a single
   covariate. Stat Med 2003;22:2693-2710 (a factor of at least 1).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtri, stdtrit

Method = Literal["reml", "dersimonian-laird"]

SITES_OF_A_PREDICTION = 3
"""Sites from which on there is a prediction interval: its t has k - 2 degrees of freedom."""


class Pooled(NamedTuple):
    """A figure of several sites on the scale of its estimates, limits of the level asked for."""

    sites: int
    estimate: float
    standard_error: float
    low: float
    high: float
    predicted_low: float
    predicted_high: float
    tau2: float
    i2: float
    q: float
    method: str


def pool(
    estimates: ArrayLike,
    variances: ArrayLike,
    method: Method = "reml",
    *,
    hartung_knapp: bool = True,
    never_narrower: bool = False,
    confidence: float = 0.95,
) -> Pooled:
    """Return the mean of several sites' figures, its interval, and where a new site's would lie.

    Parameters
    ----------
    estimates : array-like of shape (k,)
        Finite figures of k >= 2 sites, on a scale where they are roughly normal.
    variances : array-like of shape (k,)
        Their sampling variances, each above 0.
    method : {"reml", "dersimonian-laird"}
        How tau2 is estimated [2]_ [1]_.
    hartung_knapp : bool, default=True
        The standard error from the sites' weighted spread, with Student's t of k - 1 degrees [3]_.
        False: the usual one, with the normal distribution.
    never_narrower : bool, default=False
        With `hartung_knapp`: the standard error is never below the usual one [8]_. With two or
        three sites that agree by chance, the plain interval can be far too narrow.
    confidence : float, default=0.95
        Level of both intervals, between 0 and 1.

    Returns
    -------
    Pooled
        `i2` (0 to 1) is the share of the variance that lies between sites [6]_; `q` is Cochran's
        statistic, with k - 1 degrees of freedom. The prediction interval has k - 2 degrees of
        freedom [5]_ and is NaN for two sites.

    Raises
    ------
    ValueError
        Where there are fewer than two sites, or a value that no meta-analysis takes.
    """
    y, v = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    if y.ndim != 1 or y.shape != v.shape or len(y) < 2:
        raise ValueError(f"Two sites or more, one variance each; found {y.shape} and {v.shape}")
    if not (np.isfinite(y).all() and np.isfinite(v).all() and (v > 0).all()):
        raise ValueError(f"Estimates must be finite and variances above 0; found {y}, {v}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, found {confidence}")
    if method not in ("reml", "dersimonian-laird"):
        raise ValueError(f"method must be reml or dersimonian-laird, found {method}")
    k, upper = len(y), 0.5 + confidence / 2
    tau2 = _reml(y, v) if method == "reml" else _dersimonian_laird(y, v)
    weights = 1 / (v + tau2)
    mean = float(weights @ y / weights.sum())
    error = math.sqrt(1 / weights.sum())
    reach = float(ndtri(upper))
    if hartung_knapp:
        factor = math.sqrt(float(weights @ (y - mean) ** 2) / (k - 1))
        error *= max(1.0, factor) if never_narrower else factor
        reach = float(stdtrit(k - 1, upper))
    spread = math.nan
    if k >= SITES_OF_A_PREDICTION:
        spread = float(stdtrit(k - 2, upper)) * math.sqrt(tau2 + error**2)
    return Pooled(
        k,
        mean,
        error,
        mean - reach * error,
        mean + reach * error,
        mean - spread,
        mean + spread,
        tau2,
        tau2 / (tau2 + _typical_variance(v)),
        _cochran_q(y, v),
        method,
    )


def logit_with_variance(value: float, standard_error: float) -> tuple[float, float]:
    """Return the logit of a figure such as an AUROC and its variance, by the delta method [7]_.

    Parameters
    ----------
    value : float
        Between 0 and 1, both excluded.
    standard_error : float
        Of the value itself, for an AUROC DeLong's.
    """
    if not 0 < value < 1:
        raise ValueError(f"The logit needs a value between 0 and 1, found {value}")
    slope = 1 / (value * (1 - value))
    return math.log(value / (1 - value)), (standard_error * slope) ** 2


def log_ratio_with_variance(observed: float, expected: float, n: int) -> tuple[float, float]:
    """Return the log of observed by expected events, and (1 - observed / n) / observed [7]_.

    Parameters
    ----------
    observed : float
        Events, above 0.
    expected : float
        Sum of the predicted risks, above 0.
    n : int
        Patients.
    """
    if not (0 < observed <= n and expected > 0):
        raise ValueError(f"Events must lie above 0, found {observed} and {expected} of {n}")
    return math.log(observed / expected), (1 - observed / n) / observed


def _cochran_q(y: np.ndarray, v: np.ndarray) -> float:
    """Return the weighted squared distances from the mean without any tau2."""
    mean = (y / v).sum() / (1 / v).sum()
    return float(((y - mean) ** 2 / v).sum())


def _typical_variance(v: np.ndarray) -> float:
    """Return the variance that a typical site has within itself [6]_."""
    w = 1 / v
    return float((len(v) - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum()))


def _dersimonian_laird(y: np.ndarray, v: np.ndarray) -> float:
    """Return the moment estimate of tau2, at least 0 [1]_."""
    w = 1 / v
    return max(0.0, (_cochran_q(y, v) - (len(y) - 1)) / float(w.sum() - (w**2).sum() / w.sum()))


def _reml(y: np.ndarray, v: np.ndarray) -> float:
    """Return the tau2 of the greatest restricted likelihood, at least 0 [2]_.

    The likelihood can have several peaks. Its slope is looked at over a grid, each change from
    rising to falling is narrowed down, and the highest peak (or 0) is taken.
    """

    def slope(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = w @ y / w.sum()
        return float((w**2) @ (y - mean) ** 2 - w.sum() + (w**2).sum() / w.sum())

    def likelihood(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = w @ y / w.sum()
        return float(0.5 * (np.log(w).sum() - math.log(w.sum()) - w @ (y - mean) ** 2))

    # above the squared range of the estimates the likelihood only falls
    top = max(float(np.ptp(y)) ** 2, float(v.min()) * 1e-6)
    grid = np.concatenate([[0.0], np.geomspace(min(float(v.min()), top) * 1e-6, top, 400)])
    slopes = np.array([slope(t) for t in grid])
    rises = np.flatnonzero((slopes[:-1] > 0) & (slopes[1:] <= 0))
    peaks = [0.0] + [brentq(slope, grid[i], grid[i + 1], xtol=1e-14, rtol=1e-13) for i in rises]
    return float(max(peaks, key=likelihood))
