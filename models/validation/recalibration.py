"""What a model's risks need on other patients: another intercept, another slope, or nothing.

The logit of the risk is taken for a + b x logit(p). An update by the intercept alone keeps b at 1;
one by both re-fits it. Of the three models (as it is, intercept, both) each lies within the next,
so that likelihood-ratio tests choose among them, from the widest on [1]_.

References
----------
.. [1] Vergouwe Y, Nieboer D, Oostenbrink R, et al. A closed testing procedure to select an
   appropriate method for updating prediction models. Stat Med 2017;36:4529-4539.
.. [2] Steyerberg EW, Borsboom GJJM, van Houwelingen HC, et al. Validation and updating of
   predictive logistic regression models: a study on sample size and shrinkage. Stat Med
   2004;23:2567-2586.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from models.scoring.calibration import LOGIT_MARGIN
from models.scoring.intervals import Interval, has_clusters
from pipeline.core.errors import StudyError

AS_IS, INTERCEPT, SLOPE = "as it is", "intercept", "intercept and slope"
"""The three models, from the narrowest."""

METHODS = (AS_IS, INTERCEPT, SLOPE)


@dataclass(frozen=True)
class Recalibration:
    """One update of a model's risks.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    intercept, slope : float
        a and b.
    covariance : numpy.ndarray
        Shape (2, 2), of both; zero for what is not estimated. Robust to several rows of a patient.
    log_likelihood : float
        On the rows that it was estimated on, as if these were independent.
    """

    method: str
    intercept: float
    slope: float
    covariance: np.ndarray
    log_likelihood: float

    def risk(self, probability: np.ndarray) -> np.ndarray:
        """Return the updated risks, shape (n,); risks of 0 and 1 are moved as for the slope."""
        return expit(self.intercept + self.slope * logit(clipped(probability)))

    def limits(self, confidence: float) -> tuple[Interval, Interval]:
        """Return the Wald limits of intercept and slope; NaN for what is not estimated."""
        z = float(stats.norm.ppf(0.5 + confidence / 2))
        errors = np.sqrt(np.diag(self.covariance))
        return tuple(
            Interval(value - z * error, value + z * error)
            if error > 0
            else Interval(math.nan, math.nan)
            for value, error in zip((self.intercept, self.slope), errors, strict=True)
        )


def clipped(probability: np.ndarray) -> np.ndarray:
    """Return risks that have a usable logit, as the calibration slope takes them."""
    return np.clip(np.asarray(probability, float), LOGIT_MARGIN, 1 - LOGIT_MARGIN)


def recalibrate(
    outcome: np.ndarray,
    probability: np.ndarray,
    patients: np.ndarray,
    method: str,
) -> Recalibration:
    """Estimate one update on the rows of a validation.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), risks of the model as it is.
    patients : numpy.ndarray
        Shape (n,), the patient of each row.
    method : str
        One of `METHODS`.

    Raises
    ------
    StudyError
        If the outcome has one value, or the slope cannot be estimated: all risks are equal, or
        they separate events from others.
    """
    import statsmodels.api as sm

    outcome, lp = np.asarray(outcome, float), logit(clipped(probability))
    if len(np.unique(outcome)) < 2:
        raise StudyError(
            "An update needs rows with the event and without",
            found=f"{int(outcome.sum())} events among {len(outcome)} rows",
            remedy="validate on patients of both outcomes",
            code="update-one-outcome",
        )
    if method == AS_IS:
        return Recalibration(AS_IS, 0.0, 1.0, np.zeros((2, 2)), _log_likelihood(outcome, lp))
    with_slope = method == SLOPE
    if with_slope and _inestimable(outcome, lp):
        raise StudyError(
            "A calibration slope needs risks that differ and do not separate the outcomes",
            found=_inestimable(outcome, lp),
            remedy="update by the intercept alone, or add patients",
            code="calibration-slope-inestimable",
        )
    design = np.column_stack([np.ones(len(lp)), lp]) if with_slope else np.ones((len(lp), 1))
    # From the intercept at which the mean risk is the share of events, Newton cannot run away.
    start = [_shift(outcome, lp), 1.0] if with_slope else [_shift(outcome, lp)]
    model = sm.GLM(
        outcome, design, family=sm.families.Binomial(), offset=None if with_slope else lp
    )
    how = {"start_params": start}
    if has_clusters(patients):
        groups = np.unique(np.asarray(patients), return_inverse=True)[1]
        how |= {"cov_type": "cluster", "cov_kwds": {"groups": groups}}
    fit = model.fit(**how)
    covariance = np.zeros((2, 2))
    size = design.shape[1]
    covariance[:size, :size] = fit.cov_params()
    intercept, slope = float(fit.params[0]), float(fit.params[1]) if with_slope else 1.0
    return Recalibration(
        method, intercept, slope, covariance, _log_likelihood(outcome, intercept + slope * lp)
    )


def closed_test(updates: dict[str, Recalibration], level: float = 0.05) -> tuple[str, list[dict]]:
    """Choose the least update that the rows do not speak against [1]_.

    The widest is compared with each narrower one; the narrowest that does not fit significantly
    worse is chosen. It is a suggestion: with few events a needed update is easily missed.

    Parameters
    ----------
    updates : dict of str to Recalibration
        All of `METHODS`.
    level : float
        P value below which a narrower model fits worse.

    Returns
    -------
    chosen : str
        One of `METHODS`.
    tests : list of dict
        ``narrower, wider, statistic, df, p_value``.
    """
    tests, chosen = [], SLOPE
    widest = updates[SLOPE]
    for df, narrower in ((2, AS_IS), (1, INTERCEPT)):
        statistic = max(0.0, 2 * (widest.log_likelihood - updates[narrower].log_likelihood))
        p_value = float(stats.chi2.sf(statistic, df))
        tests.append({"narrower": narrower, "wider": SLOPE, "statistic": statistic, "df": df,
                      "p_value": p_value})  # fmt: skip
        if p_value >= level and chosen == SLOPE:
            chosen = narrower
    return chosen, tests


def _inestimable(outcome: np.ndarray, lp: np.ndarray) -> str:
    """Return why a slope has no estimate, empty where it has one."""
    if np.ptp(lp) == 0:
        return "all risks are equal"
    events, others = lp[outcome == 1], lp[outcome == 0]
    if events.min() >= others.max() or others.min() >= events.max():
        return "the risks separate the outcomes"
    return ""


def _log_likelihood(outcome: np.ndarray, lp: np.ndarray) -> float:
    # log p = -log(1 + exp(-lp)), without overflow.
    return float(
        -(np.logaddexp(0, -lp)[outcome == 1].sum() + np.logaddexp(0, lp)[outcome == 0].sum())
    )


def _shift(outcome: np.ndarray, lp: np.ndarray) -> float:
    from scipy.optimize import brentq

    reach = float(np.abs(lp).max() + math.log(len(outcome)) + 1)
    return brentq(lambda by: expit(lp + by).sum() - outcome.sum(), -reach, reach, xtol=1e-12)
