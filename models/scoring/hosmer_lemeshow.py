"""The Hosmer-Lemeshow test, which readers of clinical papers expect, with what it cannot say.

References
----------
.. [1] Hosmer DW, Lemeshow S. Goodness of fit tests for the multiple logistic regression model.
   Commun Stat Theory Methods 1980;9:1043-1069.
.. [2] Hosmer DW, Lemeshow S, Sturdivant RX. Applied Logistic Regression. 3rd ed. Wiley 2013,
   sections 5.2.2 and 5.4.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from models.scoring.calibration import risk_groups

#: Groups of equally many units, as usual.
GROUPS = 10

#: Expected events, or non-events, below which the chi-square approximation of a group is poor.
MIN_EXPECTED = 5

#: Units of a group below which there is no P value: of a group of one patient the test would
#: compare a risk with a single fate.
MIN_GROUP = 5


class GoodnessOfFit(NamedTuple):
    """Result of the test.

    Attributes
    ----------
    statistic, p_value : float
        NaN where undefined; `note` says why.
    df : int
        Degrees of freedom.
    groups : int
        Groups of predicted risk; fewer than asked for where predictions are equal.
    fitted_here : bool
        Whether the predictions come from models fitted to these units, which decides `df`.
    note : str
        What limits the test; empty if nothing does.
    """

    statistic: float
    df: int
    p_value: float
    groups: int
    fitted_here: bool
    note: str


def hosmer_lemeshow(
    outcome: np.ndarray,
    probability: np.ndarray,
    *,
    groups: int = GROUPS,
    fitted_to_these: bool = False,
    independent: bool = True,
) -> GoodnessOfFit:
    """Compare observed with expected events in groups of predicted risk [1]_.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted probability of an event.
    groups : int, optional
        Groups of equally many units; equal predictions stay together.
    fitted_to_these : bool, optional
        Whether the predictions come from a logistic model fitted to these units, which costs two
        degrees of freedom; on units that the model never saw there are as many as groups [2]_.
    independent : bool, optional
        False where patients have several units: there is no P value then.

    Notes
    -----
    With fewer than `MIN_GROUP` units in a group there is no P value either.
    """
    outcome, probability = np.asarray(outcome, float), np.asarray(probability, float)
    group = risk_groups(probability, groups)
    n = np.bincount(group).astype(float)
    observed, expected = np.bincount(group, outcome), np.bincount(group, probability)
    variance = expected * (1 - expected / n)
    found, df = len(n), max(len(n) - 2 * fitted_to_these, 0)

    def result(statistic: float, p_value: float, note: str) -> GoodnessOfFit:
        return GoodnessOfFit(statistic, df, p_value, found, fitted_to_these, note)

    certain = variance <= 0
    if (certain & (np.abs(observed - expected) > 0)).any():
        reason = "undefined: a group of predictions of 0 or 1 that did not come true"
        return result(math.nan, math.nan, reason)
    parts = np.divide((observed - expected) ** 2, variance, np.zeros_like(n), where=~certain)
    statistic = float(parts.sum())
    if not df:
        return result(statistic, math.nan, "no test: too few distinct predictions")
    if not independent:
        return result(statistic, math.nan, "no P value: several cases of one patient are dependent")
    if n.min() < MIN_GROUP:
        held = f"{n.min():.0f}, fewer than {MIN_GROUP}"
        reason = f"no P value: the smallest of {found} groups holds {held}"
        return result(statistic, math.nan, reason)
    sparse = int((np.minimum(expected, n - expected) < MIN_EXPECTED).sum())
    note = f"{sparse} of {found} groups expect fewer than {MIN_EXPECTED} of an outcome"
    p_value = float(stats.chi2.sf(statistic, df))
    return result(statistic, p_value, note if sparse else "")
