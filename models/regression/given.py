"""A model that is given as a file, judged on a table: a published nomogram on other patients."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.judging.judgement import judge
from models.regression.analysis import JUDGED
from models.regression.checking.roc import COLUMNS, learn_marker, roc_row
from models.regression.cohort import Cohort
from models.regression.publishing.model import RegressionModel
from models.regression.publishing.nomogram import build_nomogram, points_of
from models.scoring.delong import Scale
from pipeline.core.errors import StudyError

#: What the model is called in tables.
NAME = "given model"


def judge_model(
    model: RegressionModel,
    cohort: Cohort,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 2025,
    decision_curve: tuple[float, float] = (0.0, 0.95),
    scale: Scale = "logit",
    threshold: float = 0.5,
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Compute and judge a model on rows that it was not fitted to.

    A model of points alone is judged by its AUROC; Youden's cut of these rows is told as such.

    Returns
    -------
    tables : dict of str to pandas.DataFrame
        By name in `pipeline.tables.schemas.regression.REGRESSION`.
    notes : list of str
        What limits them.
    """
    rows, notes = cohort.rows, []
    count = len(rows)
    unknown = np.full(count, np.nan)
    lp = model.linear_predictor(rows) if model.has_risk else unknown
    risk = model.risk(rows) if model.has_risk else unknown
    low, high = model.interval(rows, confidence)
    try:
        points = points_of(build_nomogram(model), model, rows)
    except StudyError:
        if not model.has_risk:  # then nothing is left to judge
            raise
        points = unknown
    who = {"patient_id": cohort.patients, "outcome": cohort.outcome.astype(int)}
    named = {"probabilities": [NAME]} if model.has_risk else {"scores": [NAME]}
    scores = risk if model.has_risk else points
    judged = judge(
        pd.DataFrame({**who, NAME: scores}),
        **named,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        decision_curve=decision_curve,
        scale=scale,
        threshold=threshold,
    )
    tables = {name: judged[name].assign(part="validation") for name in JUDGED if name in judged}
    if "roc" in tables:
        tables["roc_curve"] = tables.pop("roc")
    marker = learn_marker(NAME, None, pd.Series(scores), cohort.outcome)
    given = (pd.Series(scores), cohort.outcome, cohort.patients, "validation", confidence)
    row = roc_row(marker, *given, chosen_on="these rows: too good for others", scale=scale)
    tables["roc"] = pd.DataFrame([row], columns=list(COLUMNS)).astype(COLUMNS)
    tables["predictions"] = pd.DataFrame(
        {
            "row": rows.index.to_numpy(),
            "outcome": cohort.outcome,
            "points": points,
            "linear_predictor": lp,
            "risk": risk,
            "low": low,
            "high": high,
        }
    )
    outside = []
    for term in model.terms:
        if term.is_factor or term.low is None or term.high is None:
            continue
        beyond = int((~rows[term.name].between(term.low, term.high)).sum())
        if beyond:
            outside.append(f"{term.title}: {beyond}")
    if outside:
        notes.append(
            "Rows outside the range that the model was fitted to, which it was not made for: "
            + "; ".join(outside)
            + "."
        )
    if not model.has_risk:
        notes.append(
            "The model gives points alone. Calibration, decision curve and risks need two anchors "
            "of its risk axis."
        )
    spare = cohort.left_out.get("(rows)", 0)
    if spare:
        notes.append(f"{spare} rows without an outcome or a predictor's value have no risk.")
    return tables, notes
