"""How many patients the validation of a model needs, beside how many it has.

References
----------
.. [1] Riley RD, Debray TPA, Collins GS, et al. Minimum sample size for external validation of a
   clinical prediction model with a binary outcome. Stat Med 2021;40:4230-4251.
.. [2] Newcombe RG. Confidence intervals for an effect size measure based on the Mann-Whitney
   statistic. Part 2. Stat Med 2006;25:559-573.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from pipeline.core.errors import VertebromicsError

#: Widths of 95% intervals that a validation should reach [1]_: observed over expected events, the
#: calibration slope, the AUROC, the standardised net benefit.
WIDTHS = {"oe_ratio": 0.2, "calibration_slope": 0.2, "auroc": 0.1, "net_benefit": 0.2}

#: Standard normal deviate of a 95% interval, rounded as in [1]_.
_Z = 1.96

_MOST = 10**9
"""Patients beyond which a criterion counts as one that nobody meets."""


def needed_for_ratio(prevalence: float, width: float = WIDTHS["oe_ratio"]) -> int:
    """Return the patients for a 95% interval of O/E, around 1, of a given width [1]_.

    Parameters
    ----------
    prevalence : float
        Share of events, between 0 and 1.
    width : float
        Upper less lower limit.
    """
    _check(prevalence, width)
    # exp(z s) - exp(-z s) = width
    error = math.asinh(width / 2) / _Z
    return math.ceil((1 - prevalence) / (prevalence * error**2))


def needed_for_slope(
    linear_predictor: np.ndarray, width: float = WIDTHS["calibration_slope"]
) -> int | None:
    """Return the patients for a 95% interval of the calibration slope, around 1 [1]_.

    Parameters
    ----------
    linear_predictor : numpy.ndarray
        Shape (n,), logits of the risks of patients as they will be validated on; the risks are
        taken for true.
    width : float
        Upper less lower limit.

    Returns
    -------
    int or None
        None where all logits are equal: no number of patients gives a slope.
    """
    lp = np.asarray(linear_predictor, float)
    weight = expit(lp) * expit(-lp)
    own, cross, square = weight.mean(), (weight * lp).mean(), (weight * lp**2).mean()
    information = own * square - cross**2
    if information <= 1e-12:
        return None
    error = width / (2 * _Z)
    return math.ceil(own / (error**2 * information))


def needed_for_auroc(auroc: float, prevalence: float, width: float = WIDTHS["auroc"]) -> int | None:
    """Return the patients for a 95% interval of the AUROC, by Newcombe's error [1]_, [2]_.

    Parameters
    ----------
    auroc : float
        Expected, between 0 and 1.
    prevalence : float
        Share of events.
    width : float
        Upper less lower limit.

    Returns
    -------
    int or None
        None for an AUROC of 0 or 1, which has no such error.
    """
    _check(prevalence, width)
    if not 0 < auroc < 1:
        return None

    def excess(n: float) -> float:
        return 2 * _Z * math.sqrt(auroc_variance(auroc, prevalence, n)) - width

    return math.ceil(brentq(excess, 2, _MOST, xtol=1e-6)) if excess(2) > 0 else 2


def auroc_variance(auroc: float, prevalence: float, n: float) -> float:
    """Return the variance of an AUROC among `n` patients [2]_."""
    half = n / 2 - 1
    inner = 1 + half * (1 - auroc) / (2 - auroc) + half * auroc / (1 + auroc)
    return auroc * (1 - auroc) * inner / (n**2 * prevalence * (1 - prevalence))


def needed_for_net_benefit(
    sensitivity: float,
    specificity: float,
    prevalence: float,
    threshold: float,
    width: float = WIDTHS["net_benefit"],
) -> int:
    """Return the patients for a 95% interval of the standardised net benefit [1]_.

    Parameters
    ----------
    sensitivity, specificity : float
        Expected at the threshold.
    prevalence : float
        Share of events.
    threshold : float
        Risk from which a patient is treated, between 0 and 1.
    width : float
        Upper less lower limit.
    """
    _check(prevalence, width)
    weight = (1 - prevalence) / prevalence * threshold / (1 - threshold)
    variance = (
        sensitivity * (1 - sensitivity) / prevalence
        + weight**2 * specificity * (1 - specificity) / (1 - prevalence)
        + weight**2 * (1 - specificity) ** 2 / (prevalence * (1 - prevalence))
    )
    error = width / (2 * _Z)
    return math.ceil(variance / error**2)


def _check(prevalence: float, width: float) -> None:
    if not 0 < prevalence < 1 or width <= 0:
        raise VertebromicsError(
            "The size of a validation needs a share of events between 0 and 1, and a width above 0",
            found=f"share {prevalence:g}, width {width:g}",
            remedy="name the event as the table writes it, and an interval that has a width",
            code="validation-size-invalid",
        )
