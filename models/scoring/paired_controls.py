"""AUROCs of controls beside that of the true features, with paired intervals.

The value of a kind of control is the mean over its draws. All draws are judged on the same rows as
the true features, so that the variance of a mean, and of what it loses, follows from their joint
covariance (DeLong's, or that of the mean over outer folds): linear contrasts of its entries.

References
----------
.. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated
   receiver operating characteristic curves. Biometrics 1988;44:837-845.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from models.scoring import delong
from models.scoring.cross_validated import cross_validated_areas

TRUE = "true"


def judged_arms(
    scores: Mapping[str, Sequence[np.ndarray]],
    outcome: np.ndarray,
    folds: np.ndarray,
    patients: np.ndarray,
    confidence: float,
) -> list[dict]:
    """Judge arms, each a mean over its draws, and what each loses against the true features.

    Parameters
    ----------
    scores : mapping of str to sequence of numpy.ndarray
        By arm, predictions of each draw, shape (n_repeats, n); one draw of arms that are not drawn.
        `TRUE` is one of them.
    outcome, patients : numpy.ndarray
        Shape (n,).
    folds : numpy.ndarray
        Shape (n_repeats, n), as `models.scoring.cross_validated.HeldOut` has them; all 0 in one
        repeat for test rows.
    confidence : float
        Level of the intervals.

    Returns
    -------
    list of dict
        By arm ``arm, auroc, auroc_low, auroc_high, draws_low, draws_high, lost, lost_low,
        lost_high, method``; NaN where nothing can be estimated, and of the true features no loss.
    """
    names = [arm for arm, draws in scores.items() for _ in draws]
    stacked = np.array([draw for draws in scores.values() for draw in draws])
    areas, covariance = cross_validated_areas(outcome, stacked, folds, patients)
    weights = {arm: np.array([name == arm for name in names]) / len(scores[arm]) for arm in scores}
    method = (
        "DeLong, paired over the same rows"
        if len(folds) == 1 and not folds.any()
        else ("mean over outer folds, paired over the same rows")
    )
    rows = []
    for arm, weight in weights.items():
        value, variance = float(weight @ areas), float(weight @ covariance @ weight)
        limits = delong.UNDEFINED
        if not math.isnan(variance):
            limits = delong.auroc_interval(value, variance, confidence)
        own = areas[weight > 0]
        row = {
            "arm": arm,
            "auroc": value,
            "auroc_low": limits.low,
            "auroc_high": limits.high,
            "draws_low": float(own.min()) if len(own) > 1 else math.nan,
            "draws_high": float(own.max()) if len(own) > 1 else math.nan,
            "method": method,
        }
        if arm != TRUE:
            against = weights[TRUE] - weight
            lost = float(against @ areas)
            test = delong.wald_test(lost, float(against @ covariance @ against), confidence)
            row |= {"lost": lost, "lost_low": test.low, "lost_high": test.high}
        rows.append(row)
    return rows
