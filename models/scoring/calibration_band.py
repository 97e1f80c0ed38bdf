"""How sure the smoothed calibration curve is: a pointwise band over resampled patients."""

from __future__ import annotations

import numpy as np

from models.scoring.calibration import LOWESS_FRACTION
from models.scoring.intervals import pointwise_limits


def calibration_band(
    outcome: np.ndarray,
    probability: np.ndarray,
    at: np.ndarray,
    weights: np.ndarray,
    confidence: float,
) -> np.ndarray:
    """Return the limits of the calibration curve at given predictions.

    In each resample the curve is fitted anew and evaluated at the same predictions; at the
    ends of their range it is often a local line drawn beyond the resample, and the band widens.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted probability of an event.
    at : numpy.ndarray
        Shape (n_points,), predictions at which the curve is drawn, ascending.
    weights : numpy.ndarray
        Shape (n_resamples, n), how often each unit is in each resample.
    confidence : float
        Level of the band at each point alone; the whole curve leaves it more often.

    Returns
    -------
    numpy.ndarray
        Shape (n_points, 2), lower and upper limit; NaN where the curve is often undefined, as where
        most units share one prediction.
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess

    outcome, probability = np.asarray(outcome, float), np.asarray(probability, float)
    curves = np.empty((len(weights), len(at)))
    for row, times in enumerate(weights):
        y, p = np.repeat(outcome, times), np.repeat(probability, times)
        with np.errstate(invalid="ignore", divide="ignore"):
            curve = lowess(y, p, frac=LOWESS_FRACTION, it=0, xvals=at)
        curves[row] = np.where(np.isfinite(curve), np.clip(curve, 0, 1), np.nan)
    return pointwise_limits(curves, confidence)
