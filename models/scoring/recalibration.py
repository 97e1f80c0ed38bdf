"""Logistic recalibration of risks: which intercept and slope make them mean what they say.

References
----------
.. [1] Steyerberg EW, Borsboom GJ, van Houwelingen HC, et al. Validation and updating of predictive
   logistic regression models. Stat Med 2004;23:2567-2586.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logit

from models.scoring.calibration import LOGIT_MARGIN


class Recalibration(NamedTuple):
    """What recalibrates a risk p: log odds become intercept + slope x logit(p).

    Attributes
    ----------
    intercept, slope : float or None
        None where there is none.
    why : str or None
        Why there is none: one_outcome, constant, separated, falling or not_converged.
    """

    intercept: float | None
    slope: float | None
    why: str | None = None

    @property
    def facts(self) -> dict:
        """The same as JSON: ``kind`` (logistic or none) with its numbers, or why not."""
        if self.why is not None:
            return {"kind": "none", "why": self.why}
        return {"kind": "logistic", "intercept": self.intercept, "slope": self.slope}


def fit_recalibration(outcome: np.ndarray, probability: np.ndarray) -> Recalibration:
    """Fit intercept and slope together, by maximum likelihood [1]_.

    Parameters
    ----------
    outcome : ndarray of shape (n_rows,)
        1 for an event, else 0.
    probability : ndarray of shape (n_rows,)
        Risks of rows that their model has not learned from; nearer to 0 or 1 than 1e-6 they count
        as 1e-6 or 1 - 1e-6.

    Returns
    -------
    Recalibration
        None of it where the rows have one outcome or one risk, where a risk parts the outcomes
        (the slope would be infinite), and where the best slope does not rise: it would turn the
        ranks over.
    """
    import statsmodels.api as sm

    outcome = np.asarray(outcome, float)
    within = np.clip(np.asarray(probability, float), LOGIT_MARGIN, 1 - LOGIT_MARGIN)
    why = None
    if len(np.unique(outcome)) < 2:
        why = "one_outcome"
    elif np.ptp(within) == 0:
        why = "constant"
    else:
        events, others = within[outcome == 1], within[outcome == 0]
        if events.min() >= others.max() or others.min() >= events.max():
            why = "separated"
    if why is not None:
        return Recalibration(None, None, why)
    design = np.column_stack([np.ones(len(outcome)), logit(within)])
    found = sm.GLM(outcome, design, family=sm.families.Binomial()).fit(tol=1e-12)
    if not found.converged:
        return Recalibration(None, None, "not_converged")
    intercept, slope = map(float, found.params)
    return Recalibration(intercept, slope) if slope > 0 else Recalibration(None, None, "falling")
