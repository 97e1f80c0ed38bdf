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
