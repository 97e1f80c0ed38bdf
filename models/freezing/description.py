"""What a frozen model says of itself: model.json, from a study's files and its maker's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from models.freezing.contents import (
    CAUTION,
    latest_timing,
    made_with,
    predictors_of,
    readings_facts,
)
from models.freezing.frozen_procedure import Frozen
from models.freezing.refits import Refit
from models.frozen.model import SCHEMA, recalibrated
from models.scoring.recalibration import fit_recalibration
from models.transformers.columns import Columns
from pipeline.study.study import Study

PERCENTILES = np.linspace(0, 1, 21)


class Texts(NamedTuple):
    """What a person says of a model, None where nobody did.

    Attributes
    ----------
    purpose, population, licence : str or None
        What it is for, whom it was made on, and under which terms it may be used.
    """

    purpose: str | None = None
    population: str | None = None
    licence: str | None = None


def model_facts(
    study: Study,
    model: str,
    info: Mapping,
    analysis: Mapping,
    columns: Columns,
    training: pd.DataFrame,
    stored: pd.DataFrame,
    frozen: Frozen,
    refits: Sequence[Refit],
    texts: Texts,
) -> dict:
    """Return ``model.json`` but for images, performance and the table's digest.

    Parameters
    ----------
    study : Study
        The frozen study.
    model : str
        Family.
    info, analysis : mapping
        ``model.json`` and ``analysis.json`` of the study.
    columns : Columns
        Candidates.
    training : pandas.DataFrame
        Training rows.
    stored : pandas.DataFrame
        Predictions of the study.
    frozen : Frozen
        The procedure.
    refits : sequence of Refit
        The procedure on resamples.
    texts : Texts
        What a person says of it.
    """
    config = study.config
    own = stored[stored["part"] == "oof"]
    outcome, risk = own["outcome"].to_numpy(int), own["probability"].to_numpy(float)
    found = fit_recalibration(outcome, risk)
    recalibration = found.facts
    if found.why is None:
        recalibration |= {"rows": len(own), "events": int(outcome.sum())}
    procedures = [frozen.procedure, *(each.frozen.procedure for each in refits)]
    predictors = predictors_of(columns, analysis, training, procedures)
    label = analysis["outcome"].get("label") or analysis["outcome"]["name"]
    threshold = info["threshold"]
    title = config["title"] or study.name
    return {
        "schema": SCHEMA,
        "title": f"{info['label']} of {label}: {title}",
        "intended_use": {
            "purpose": texts.purpose or f"estimate the risk of {label} for one {analysis['unit']}",
            "population": texts.population
            or config["regression"]["population"]
            or f"patients as in the study {study.name}; not described further",
            "moment": latest_timing(predictors),
            "caution": CAUTION,
        },
        "licence": texts.licence or "none granted: ask whoever made the model",
        "outcome": {
            "name": analysis["outcome"]["name"],
            "label": label,
            "formula": analysis["outcome"]["formula"],
            "unit": analysis["unit"],
        },
        "predictors": predictors,
        "readings": readings_facts(columns),
        "imaging": None,
        "procedure": frozen.facts,
        "refits": [{**each.frozen.facts, "recalibration": each.recalibration} for each in refits],
        "likeness": None,
        "recalibration": recalibration,
        "threshold": {
            "value": threshold if np.isfinite(threshold) else None,
            "rule": info["threshold_rule"],
            "source": info["threshold_source"],
        },
        "training": {
            "rows": len(training),
            "patients": int(training["patient_id"].nunique()),
            "events": int(training["outcome"].sum()),
            "quantiles": np.quantile(recalibrated(recalibration, risk), PERCENTILES).tolist(),
        },
        "performance": [],
        "study": {
            "name": study.name,
            "model": model,
            "seed": config["seed"],
            "parameters": info["parameters"],
            "split": dict(config["split"]),
            "analysis_sha256": "0" * 64,
        },
        "made_with": made_with(model, images=study.cases is not None),
        "notes": list(info["notes"]),
    }
