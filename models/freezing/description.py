"""What a frozen model says of itself: model.json, from a study's files and its maker's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from pipeline.core.sections import taken
from pipeline.study.sections.analyses import Regression

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


@dataclass(frozen=True, kw_only=True)
class DescribedOptions:
    """Options that a frozen model tells of its study.

    Attributes
    ----------
    study, title, seed
        Options of these names.
    split : mapping
        The section of this name, as the frozen study has it: the model's card tells it so.
    regression : section
        Its population is used.
    """

    study: str
    title: str | None
    seed: int
    split: Mapping
    regression: Regression = taken(Regression)


def model_facts(
    options: DescribedOptions,
    model: str,
    info: Mapping,
    analysis: Mapping,
    columns: Columns,
    training: pd.DataFrame,
    stored: pd.DataFrame,
    frozen: Frozen,
    refits: Sequence[Refit],
    texts: Texts,
    *,
    images: bool,
) -> dict:
    """Return ``model.json`` but for images, performance and the table's digest.

    Parameters
    ----------
    options : DescribedOptions
        Of the frozen study.
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
    images : bool
        Whether the study starts from images.
    """
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
    title = options.title or options.study
    return {
        "schema": SCHEMA,
        "title": f"{info['label']} of {label}: {title}",
        "intended_use": {
            "purpose": texts.purpose or f"estimate the risk of {label} for one {analysis['unit']}",
            "population": texts.population
            or options.regression.population
            or f"patients as in the study {options.study}; not described further",
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
            "name": options.study,
            "model": model,
            "seed": options.seed,
            "parameters": info["parameters"],
            "split": dict(options.split),
            "analysis_sha256": "0" * 64,
        },
        "made_with": made_with(model, images=images),
        "notes": list(info["notes"]),
    }
