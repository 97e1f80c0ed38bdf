"""An updated regression model: the old one kept inside it, and what was changed said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit, logit

from models.regression.publishing.model import RegressionModel
from models.regression.publishing.model_file import model_facts
from models.validation.recalibration import Recalibration


def updated_model(
    model: RegressionModel, update: Recalibration, *, validation: str, rows: int, events: int
) -> RegressionModel:
    """Return a model whose logits are a + b x those of another.

    Parameters
    ----------
    model : RegressionModel
        The model as it is; it gives risks.
    update : Recalibration
        a and b, with their covariance.
    validation : str
        Kind of the validation that the update was estimated in.
    rows, events : int
        What it was estimated on.

    Returns
    -------
    RegressionModel
        With the old one whole in `updated`. The covariance joins that of the old coefficients and
        that of the update, which are of different patients. The old model's figures are not its
        own: it has none until it is validated.
    """
    a, b = update.intercept, update.slope
    changes: dict = {}
    if model.coefficients is not None:
        start = np.eye(len(model.coefficients))[0]
        changes["coefficients"] = a * start + b * model.coefficients
        if model.covariance is not None:
            of_update = np.column_stack([start, model.coefficients])
            changes["covariance"] = (
                b**2 * model.covariance + of_update @ update.covariance @ of_update.T
            )
    else:
        changes["anchors"] = tuple(
            (points, float(expit(a + b * logit(risk)))) for points, risk in model.anchors
        )
    if model.lp_range is not None:
        changes["lp_range"] = tuple(sorted(a + b * end for end in model.lp_range))
    told = {
        "method": update.method,
        "intercept": float(a),
        "slope": float(b),
        "validation": validation,
        "rows": int(rows),
        "events": int(events),
        "original": model_facts(model),
    }
    title = f"{model.title} (updated: {update.method})"
    return replace(model, title=title, worth=(), updated=told, **changes)
