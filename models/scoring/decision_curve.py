"""Net benefit of acting on a prediction, against treating everybody and nobody.

References
----------
.. [1] Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating prediction
   models. Med Decis Making 2006;26:565-574.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.scoring.intervals import pointwise_limits
from pipeline.core.errors import StudyError

#: Distance of neighbouring threshold probabilities.
STEP = 0.01

#: Names of the two strategies that need no model.
STRATEGIES = ("all", "none")


def thresholds(low: float, high: float) -> np.ndarray:
    """Return the threshold probabilities from `low` to `high` in steps of one percent.

    Raises
    ------
    StudyError
        If the range is not within [0, 1): at 1 a false positive costs infinitely much.
    """
    if not 0 <= low < high < 1:
        raise StudyError(
            "The range of the decision curve must rise within 0 and 1, without 1",
            found=[low, high],
            where="config key evaluation.decision_curve",
            remedy="for instance [0.0, 0.95]",
            code="decision-curve-range",
        )
    return np.round(np.arange(low, high + STEP / 2, STEP), 6)


def decision_curve(
    outcome: np.ndarray, probabilities: Mapping[str, np.ndarray], at: np.ndarray
) -> pd.DataFrame:
    """Return the net benefit [1]_ of models, of treating everybody and of treating nobody.

    Computed by the library dcurves. A unit is treated from the threshold upwards.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probabilities : mapping of str to numpy.ndarray
        Predicted probabilities of each model, shape (n,).
    at : numpy.ndarray
        Threshold probabilities.

    Returns
    -------
    pandas.DataFrame
        ``model`` (and ``all``, ``none``)``, threshold, net_benefit``; in units of true positives
        per unit of the sample. Without events, or without non-events, net benefit is NaN.
    """
    from dcurves import dca

    # dcurves looks its columns up by name and adds two of its own; numbered ones cannot clash.
    columns = {f"model_{i}": name for i, name in enumerate(probabilities)}
    units = pd.DataFrame(
        {column: np.asarray(probabilities[name], float) for column, name in columns.items()}
    )
    units["outcome"] = np.asarray(outcome) == 1
    names = {**columns, **{strategy: strategy for strategy in STRATEGIES}}
    if units["outcome"].nunique() < 2:
        grid = pd.MultiIndex.from_product([names.values(), at], names=["model", "threshold"])
        return grid.to_frame(index=False).assign(net_benefit=np.nan)
    curve = dca(data=units, outcome="outcome", modelnames=list(columns), thresholds=at.tolist())
    curve["model"] = curve["model"].map(names)
    return curve[["model", "threshold", "net_benefit"]].reset_index(drop=True)


def resampled_net_benefit(
    outcome: np.ndarray, probability: np.ndarray, at: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the net benefit in each resample, which dcurves would take minutes for.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    probability : numpy.ndarray
        Shape (n,), predicted probability of an event.
    at : numpy.ndarray
        Shape (n_thresholds,).
    weights : numpy.ndarray
        Shape (n_resamples, n), how often each unit counts; ones give that of the sample.

    Returns
    -------
    numpy.ndarray
        Shape (n_resamples, n_thresholds).
    """
    weights = np.asarray(weights, float)
    event = np.asarray(outcome) == 1
    treated = np.asarray(probability, float)[:, None] >= at
    size = weights.sum(axis=1, keepdims=True)
    right = weights @ (event[:, None] & treated) / size
    wrong = weights @ (~event[:, None] & treated) / size
    return right - wrong * at / (1 - at)


def with_intervals(
    curve: pd.DataFrame,
    outcome: np.ndarray,
    probabilities: Mapping[str, np.ndarray],
    weights: np.ndarray,
    confidence: float,
) -> pd.DataFrame:
    """Add limits to a decision curve, and what each model gains over both simple strategies.

    The gain is the net benefit less that of the better of treating all and none; it is paired, from
    the same resamples, since a sample with more events raises all three curves.

    Parameters
    ----------
    curve : pandas.DataFrame
        What `decision_curve` returned.
    outcome, probabilities
        As there.
    weights : numpy.ndarray
        Shape (n_resamples, n), how often each unit is in each resample.
    confidence : float
        Level of the limits at each threshold alone.

    Returns
    -------
    pandas.DataFrame
        ``model, threshold, net_benefit, low, high, gain, gain_low, gain_high``; the gain of the
        strategies, and limits that no resample moves, are NaN.
    """
    at = np.sort(curve["threshold"].unique())
    everybody = np.ones(len(outcome))
    over = {name: np.asarray(p, float) for name, p in probabilities.items()} | {"all": everybody}
    over = {name: resampled_net_benefit(outcome, p, at, weights) for name, p in over.items()}
    simple = np.maximum(over["all"], 0)
    tables = []
    for name, rows in curve.groupby("model", sort=False):
        table = rows.sort_values("threshold").reset_index(drop=True)
        table[["low", "high", "gain", "gain_low", "gain_high"]] = np.nan
        if name in over and table["net_benefit"].notna().all():
            table[["low", "high"]] = pointwise_limits(over[name], confidence)
        if name in probabilities:
            treat_all = curve.loc[curve["model"] == "all"].sort_values("threshold")["net_benefit"]
            table["gain"] = table["net_benefit"] - np.maximum(treat_all.to_numpy(), 0)
            if table["gain"].notna().all():
                table[["gain_low", "gain_high"]] = pointwise_limits(over[name] - simple, confidence)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
