"""Risks of new patients by a frozen model, with what has to be known beside each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.frozen.model import FrozenModel

PREDICTED, REFUSED = "predicted", "refused"

#: Why a unit gets no risk.
MISSING_PREDICTOR = "missing_predictor"
NO_FEATURES = "no_features"

COLUMNS = {
    "unit_id": object,
    "status": object,
    "reason": object,
    "about": object,
    "risk": float,
    "low": float,
    "high": float,
    "model_risk": float,
    "above": float,
    "event": object,
    "filled_in": object,
    "outside": object,
    "distance": float,
    "unlike": object,
}
"""Columns of the predictions (docs/frozen_models.md)."""

INTERVAL = 0.95
"""Level of the interval of a risk, from the refits of the file."""


def predict(model: FrozenModel, table: pd.DataFrame) -> pd.DataFrame:
    """Predict new patients; those without a value that the model needs get no risk.

    Parameters
    ----------
    model : FrozenModel
        The model.
    table : pandas.DataFrame
        Its predictors, indexed by unit.

    Returns
    -------
    pandas.DataFrame
        One row a unit, in the order of `table`: ``unit_id, status (predicted|refused), reason,
        about`` (the predictors that are missing)``, risk`` (calibrated)``, low, high`` (interval of
        the model's risk over its refits; missing without refits)``, model_risk`` (as the study's
        model predicts it)``, above`` (share of the training rows with a lower risk)``, event``
        (whether model_risk reaches the threshold)``, filled_in`` (predictors without a value)``,
        outside`` (predictors beyond what training held; both joined by '|')``, distance`` (from the
        training rows)``, unlike`` (whether it is beyond the limit; both missing where the model
        cannot tell).
    """
    inputs = model.inputs(table)
    lacking = model.missing_of(inputs)
    names = np.array(list(lacking), dtype=object)
    gaps = np.column_stack([*lacking.values(), np.zeros(len(inputs), bool)]).astype(bool)
    refused = gaps.any(axis=1)
    used = [one.name for one in model.predictors if one.used]
    blank = inputs[used].isna().to_numpy()
    beyond = model.outside(inputs)
    risk = model.risk(inputs)
    calibrated = model.calibrated(risk)
    low, high = interval(model, inputs)
    distance = model.distance(inputs)
    rows = []
    for at, unit in enumerate(inputs.index):
        row = {"unit_id": unit, "status": PREDICTED}
        row["filled_in"] = "|".join(np.array(used, dtype=object)[blank[at]])
        row["outside"] = "|".join(beyond.loc[beyond["row"] == at, "predictor"])
        if refused[at]:
            missing = "|".join(names[gaps[at, :-1]])
            row |= {"status": REFUSED, "reason": MISSING_PREDICTOR, "about": missing}
        else:
            row |= {"risk": calibrated[at], "low": low[at], "high": high[at]}
            row |= {"model_risk": risk[at], "above": share_below(model, calibrated[at])}
            if model.threshold is not None:
                row["event"] = bool(risk[at] >= model.threshold)
        if distance is not None and not np.isnan(distance[at]):
            limit = model.facts["likeness"]["limit"]
            row |= {"distance": distance[at], "unlike": bool(distance[at] > limit)}
        rows.append(row)
    found = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    texts = [name for name, kind in COLUMNS.items() if kind is object]
    found[texts] = found[texts].where(found[texts].notna(), None)
    return found


def interval(model: FrozenModel, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the limits of each row's calibrated risk over the refits, NaN without refits."""
    if not model.refits:
        nothing = np.full(len(table), np.nan)
        return nothing, nothing
    risks = model.refitted(table)
    tail = (1 - INTERVAL) / 2
    low, high = np.quantile(risks, [tail, 1 - tail], axis=0)
    return low, high


def share_below(model: FrozenModel, risk: float) -> float:
    """Return about which share of the training rows had a lower calibrated out-of-fold risk."""
    quantiles = np.asarray(model.facts["training"]["quantiles"])
    return float(np.interp(risk, quantiles, np.linspace(0, 1, len(quantiles))))


def facts_of(model: FrozenModel, row: Mapping) -> dict:
    """Return a prediction as JSON, with the digest of the model that made it.

    Parameters
    ----------
    model : FrozenModel
        The model.
    row : mapping
        A row of `predict`.
    """

    def plain(value: object) -> object:
        missing = value is None or (isinstance(value, float) and np.isnan(value))
        return None if missing else value

    facts = {name: plain(row[name]) for name in COLUMNS}
    for name in ("filled_in", "outside", "about"):
        facts[name] = facts[name].split("|") if facts[name] else []
    return facts | {
        "outcome": model.outcome["label"],
        "calibrated": model.facts["recalibration"]["kind"] != "none",
        "refits": len(model.refits),
        "interval": INTERVAL if model.refits else None,
        "model": model.facts["title"],
        "digest": model.digest,
    }
