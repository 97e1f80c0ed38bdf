"""Do predicted probabilities mean what they say: intercept, slope, ratio, curve, bins.

References
----------
.. [1] Cox DR. Two further applications of a model for binary regression. Biometrika
   1958;45:562-565.
.. [2] Van Calster B, et al. A calibration hierarchy for risk models was defined. J Clin Epidemiol
   2016;74:167-176.
.. [3] Debray TPA, et al. A guide to systematic review and meta-analysis of prediction model
   performance. BMJ 2017;356:i6460, appendix 7.
.. [4] Austin PC, Steyerberg EW. The Integrated Calibration Index (ICI) and related metrics for
   quantifying the calibration of logistic regression models. Stat Med 2019;38:4051-4065.
.. [5] Cleveland WS. Robust locally weighted regression and smoothing scatterplots. J Am Stat Assoc
   1979;74:829-836.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit, logit

from models.scoring.intervals import Estimate, wilson_interval

#: Predictions nearer to 0 or 1 have no usable logit (forests vote 0 of 100) and are moved here for
#: the intercept and the slope; the estimate's method says how many.
LOGIT_MARGIN = 1e-6

#: Share of the units in each local fit of the calibration curve; R's `lowess` default.
LOWESS_FRACTION = 2 / 3

#: Fewer units make no calibration curve: two thirds of them would be a dozen points.
MIN_UNITS_CURVE = 20

#: Units per bin aimed at, and the largest number of bins.
UNITS_PER_BIN, MAX_BINS = 20, 10

WALD = "Wald"
WALD_CLUSTERED = "Wald, cluster-robust by patient"


def calibration_intercept(
    outcome: np.ndarray,
    probability: np.ndarray,
    confidence: float,
    patients: np.ndarray | None = None,
) -> Estimate:
    """Return calibration-in-the-large [1]_: the intercept of a logistic model with offset logit(p).

    0 is ideal; below 0 the predictions are too high on average.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted probability of an event.
    confidence : float
        Level of the interval, such as 0.95.
    patients : numpy.ndarray, optional
        Shape (n,), the patient of each unit, where patients have several: the standard error is
        then robust to their dependence.
    """
    outcome = np.asarray(outcome, float)
    if len(np.unique(outcome)) < 2:
        return Estimate.undefined("one class only")
    design = np.ones((len(outcome), 1))
    return _recalibrate(outcome, probability, design, confidence, patients, as_offset=True)


def calibration_slope(
    outcome: np.ndarray,
    probability: np.ndarray,
    confidence: float,
    patients: np.ndarray | None = None,
) -> Estimate:
    """Return the slope of a logistic model of the outcome on logit(p) [1]_.

    1 is ideal; below 1 the predictions are too extreme, as after overfitting. Parameters are those
    of `calibration_intercept`. Undefined for a constant prediction, and where the prediction
    separates the classes, so that the slope grows without limit.
    """
    outcome = np.asarray(outcome, float)
    probability = np.asarray(probability, float)
    if len(np.unique(outcome)) < 2:
        return Estimate.undefined("one class only")
    clipped = _clipped(probability)
    if np.ptp(clipped) == 0:
        return Estimate.undefined("constant prediction")
    events, others = clipped[outcome == 1], clipped[outcome == 0]
    if events.min() >= others.max() or others.min() >= events.max():
        return Estimate.undefined("the prediction separates the classes")
    design = np.column_stack([logit(clipped), np.ones(len(outcome))])
    return _recalibrate(outcome, probability, design, confidence, patients, as_offset=False)


def observed_expected_ratio(
    outcome: np.ndarray, probability: np.ndarray, confidence: float
) -> Estimate:
    """Return observed events over expected, with its interval on the log scale [3]_.

    1 is ideal; below 1 the predictions are too high on average. Parameters are those of
    `calibration_intercept`; units must be independent.
    """
    observed = float(np.sum(outcome))
    expected = float(np.sum(probability))
    if expected == 0:
        return Estimate.undefined("no event expected")
    ratio = observed / expected
    if observed == 0:
        return Estimate(ratio, math.nan, math.nan, "no interval: no event observed")
    error = math.sqrt((1 - observed / len(outcome)) / observed)
    factor = math.exp(_z(confidence) * error)
    # No more events can happen than there are units.
    most = len(outcome) / expected
    cut = "" if ratio * factor <= most else ", cut where every unit has the event"
    low, high = ratio / factor, min(ratio * factor, most)
    return Estimate(ratio, low, high, f"Wald on the log scale{cut}")


def integrated_calibration_index(outcome: np.ndarray, probability: np.ndarray) -> float:
    """Return the mean absolute distance of the predictions from the calibration curve [4]_.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted probability of an event.

    Returns
    -------
    float
        On the scale of a probability, 0 being ideal; NaN below `MIN_UNITS_CURVE` units.
    """
    probability = np.asarray(probability, float)
    if len(probability) < MIN_UNITS_CURVE:
        return math.nan
    predicted, observed = smooth(np.asarray(outcome, float), probability)
    at_units = observed[np.searchsorted(predicted, probability)]
    return float(np.mean(np.abs(at_units - probability)))


def calibration_curve(
    outcome: np.ndarray, probability: np.ndarray, n_points: int = 101
) -> pd.DataFrame:
    """Return the smoothed share of events over the predicted probability (LOWESS [5]_).

    Without the robustness iterations, which take the events of a rare outcome for outliers.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted probability of an event.
    n_points : int, optional
        Points over the range of the predictions; nothing is drawn beyond it.

    Returns
    -------
    pandas.DataFrame
        ``predicted, observed``; no row below `MIN_UNITS_CURVE` units.
    """
    probability = np.asarray(probability, float)
    if len(probability) < MIN_UNITS_CURVE:
        return pd.DataFrame({"predicted": [], "observed": []}, dtype=float)
    predicted, observed = smooth(np.asarray(outcome, float), probability)
    at = np.linspace(predicted[0], predicted[-1], n_points if len(predicted) > 1 else 1)
    return pd.DataFrame({"predicted": at, "observed": np.interp(at, predicted, observed)})


def calibration_bins(
    outcome: np.ndarray, probability: np.ndarray, confidence: float, *, independent: bool = True
) -> pd.DataFrame:
    """Return the share of events in bins of equally many units, by predicted probability.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted probability of an event.
    confidence : float
        Level of Wilson's intervals.
    independent : bool, optional
        False where patients have several units: Wilson's interval would be too narrow, and the
        limits are NaN.

    Returns
    -------
    pandas.DataFrame
        ``predicted`` (mean), ``observed`` (share), ``low, high, n``. At most ten bins, fewer in a
        small sample so that each holds about twenty units, and where many predictions are equal:
        these stay in one bin.
    """
    n_bins = int(np.clip(len(probability) // UNITS_PER_BIN, 2, MAX_BINS))
    units = pd.DataFrame({"y": np.asarray(outcome, float), "p": np.asarray(probability, float)})
    units["bin"] = risk_groups(units["p"].to_numpy(), n_bins)
    bins = units.groupby("bin").agg(
        predicted=("p", "mean"), observed=("y", "mean"), events=("y", "sum"), n=("y", "size")
    )
    limits = [
        wilson_interval(int(row.events), int(row.n), confidence) if independent else (math.nan,) * 2
        for row in bins.itertuples()
    ]
    bins["low"], bins["high"] = zip(*limits, strict=True)
    return bins[["predicted", "observed", "low", "high", "n"]].reset_index(drop=True)


def smooth(outcome: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct predictions and the smoothed share of events at each (LOWESS [5]_).

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted probability of an event.

    Returns
    -------
    predicted, observed : numpy.ndarray
        Shape (n_distinct,), ascending.
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess

    predicted, which = np.unique(probability, return_inverse=True)
    # Where two thirds of the units share one prediction, the neighbourhood has no width and LOWESS
    # divides zero by zero; its limit there is the share of events among the units that share it.
    among_equal = np.bincount(which, outcome) / np.bincount(which)
    if len(predicted) == 1:
        return predicted, among_equal
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = lowess(outcome, probability, frac=LOWESS_FRACTION, it=0, xvals=predicted)
    observed = np.where(np.isfinite(observed), observed, among_equal)
    return predicted, np.clip(observed, 0, 1)


def risk_groups(probability: np.ndarray, n_groups: int) -> np.ndarray:
    """Deal units to groups of equally many, by predicted probability.

    Parameters
    ----------
    probability : numpy.ndarray
        Shape (n,).
    n_groups : int
        Groups aimed at; there are fewer where many predictions are equal, which stay together.

    Returns
    -------
    numpy.ndarray
        Shape (n,), the group of each unit from 0 without gaps, lowest predictions first.
    """
    ranks = stats.rankdata(probability)
    # Equal predictions have equal ranks, so that cuts between ranks never part them.
    cuts = np.unique(np.quantile(ranks, np.arange(1, n_groups) / n_groups))
    return np.unique(np.searchsorted(cuts, ranks), return_inverse=True)[1]


def _recalibrate(
    outcome: np.ndarray,
    probability: np.ndarray,
    design: np.ndarray,
    confidence: float,
    patients: np.ndarray | None,
    *,
    as_offset: bool,
) -> Estimate:
    """Fit a logistic recalibration and return its first coefficient."""
    import statsmodels.api as sm

    clipped = _clipped(probability)
    offset = logit(clipped)
    how: dict[str, Any] = {"start_params": [_shift(outcome, offset)]} if as_offset else {}
    model = sm.GLM(
        outcome, design, family=sm.families.Binomial(), offset=offset if as_offset else None
    )
    if patients is not None:
        groups = np.unique(np.asarray(patients), return_inverse=True)[1]
        how |= {"cov_type": "cluster", "cov_kwds": {"groups": groups}}
    fit = model.fit(**how)
    if not fit.converged:
        return Estimate.undefined("the logistic recalibration did not converge")
    value, error = float(fit.params[0]), float(fit.bse[0])
    half = _z(confidence) * error
    method = WALD if patients is None else WALD_CLUSTERED
    moved = int((clipped != np.asarray(probability, float)).sum())
    if moved:
        method += f"; {moved} predictions moved to {LOGIT_MARGIN:g} from 0 or 1"
    return Estimate(value, value - half, value + half, method)


def _shift(outcome: np.ndarray, offset: np.ndarray) -> float:
    """Return the shift on the logit scale by which the predictions sum up to the events.

    It is the maximum of the likelihood. Newton's steps, from elsewhere, run away where predictions
    are close to 0 and 1.
    """
    reach = float(np.abs(offset).max() + np.log(len(outcome)) + 1)
    return brentq(lambda by: expit(offset + by).sum() - outcome.sum(), -reach, reach, xtol=1e-12)


def _clipped(probability: np.ndarray) -> np.ndarray:
    return np.clip(np.asarray(probability, float), LOGIT_MARGIN, 1 - LOGIT_MARGIN)


def _z(confidence: float) -> float:
    return float(stats.norm.ppf(0.5 + confidence / 2))
