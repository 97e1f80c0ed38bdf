"""The answer of a frozen model as one page: risk, what it was computed from, what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from deployment.moved_masks import MOVED_MM, SECOND
from deployment.prediction import INTERVAL, MISSING_PREDICTOR, NO_FEATURES, PREDICTED
from models.frozen.card import MOMENTS, WHY_NOT_RECALIBRATED, number, performance_table, seen_of
from models.frozen.model import FrozenModel
from pipeline.core.findings import Finding
from pipeline.core.pages import page_templates

TEMPLATES = Path(__file__).with_name("templates")

NOT_CAUSES = (
    "What the model used is not what causes the outcome: changing a value does not change the "
    "patient's risk in this way."
)
NO_INTERVAL = "The file holds no refits of the model, so that the risk has no interval."
OF_THE_MODEL = (
    "The interval says how far the model's risk moves when the same study is repeated with other "
    "patients. It does not hold the spread of single patients, nor another hospital's share of "
    "events."
)


class Used(NamedTuple):
    """A predictor on the page: name, value, range seen, and what has to be said of it."""

    name: str
    value: str
    seen: str
    note: str


def used_values(model: FrozenModel, values: Mapping, row: Mapping) -> list[Used]:
    """Return the predictors that a risk was computed from.

    Parameters
    ----------
    model : FrozenModel
        The model.
    values : mapping
        Values of one unit.
    row : mapping
        Its row of `deployment.prediction.predict`.
    """
    outside = (row["outside"] or "").split("|")
    used = []
    for one in model.predictors:
        if one.used:
            value = values[one.name]
            missing = pd.isna(value)
            note = "outside the range seen" if one.name in outside else ""
            if missing:
                note = "not known: required" if one.required else "not known: filled in"
            elif one.name in outside and one.levels:
                note = "never seen in training"
            text = "" if missing else str(value) if one.levels else number(float(value))
            used.append(Used(one.title, text, seen_of(one), note))
    return used


def patient_page(
    model: FrozenModel,
    values: Mapping,
    row: Mapping,
    findings: Sequence[Finding] = (),
    scan: Sequence[tuple[str, str, str]] = (),
    moved: Mapping[str, float | None] | None = None,
) -> str:
    """Return the page of one patient.

    Parameters
    ----------
    model : FrozenModel
        The model.
    values : mapping
        Values of the patient's predictors.
    row : mapping
        The row of `deployment.prediction.predict`.
    findings : sequence of Finding
        What the checks said about CT and mask.
    scan : sequence of (str, str, str)
        Facts of the CT: name, value, and what has to be said of it.
    moved : mapping, optional
        Risk with the mask ``eroded`` and ``dilated`` by 1 mm, None where it has no features.
    """
    template = page_templates(TEMPLATES).get_template("patient.html.j2")
    return template.render(
        model=model,
        title=model.facts["title"],
        outcome=model.outcome["label"],
        risk=percent(row["risk"]),
        interval=interval_words(model, row),
        sentences=[*risk_sentences(model, row), *moved_sentences(moved or {})],
        warnings=warnings_of(model, row, findings),
        used=used_values(model, values, row),
        not_causes=NOT_CAUSES,
        scan=scan,
        findings=[each for each in findings if each.severity == "info"],
        worth=performance_table(model.facts["performance"]),
        use=model.facts["intended_use"],
        moment=MOMENTS[model.facts["intended_use"]["moment"]],
        training=model.facts["training"],
        licence=model.facts["licence"],
        digest=model.digest,
    )


def table_page(model: FrozenModel, rows: pd.DataFrame) -> str:
    """Return the page of a table of patients.

    Parameters
    ----------
    model : FrozenModel
        The model.
    rows : pandas.DataFrame
        From `deployment.prediction.predict`.
    """
    template = page_templates(TEMPLATES).get_template("patients.html.j2")
    told = []
    for row in rows.to_dict("records"):
        predicted = row["status"] == PREDICTED
        about = ", ".join((row["about"] or "").split("|"))
        told.append(
            {
                "unit": row["unit_id"],
                "risk": percent(row["risk"]) if predicted else "no risk",
                "interval": interval_words(model, row) if model.refits else "",
                "above": f"{row['above']:.0%}" if predicted else "",
                "note": note_of(row, about),
            }
        )
    return template.render(
        title=model.facts["title"],
        outcome=model.outcome["label"],
        rows=told,
        refits=len(model.refits),
        counts=rows["status"].value_counts().to_dict(),
        sentences=[model.facts["intended_use"]["caution"], NOT_CAUSES, recalibration_words(model)],
        digest=model.digest,
    )


def percent(risk: float | None) -> str:
    """Return a risk in per cent, to a tenth of it."""
    return "" if risk is None or pd.isna(risk) else f"{100 * risk:.1f}%"


def interval_words(model: FrozenModel, row: Mapping) -> str:
    """Return the interval of a risk, empty without refits."""
    if not model.refits or pd.isna(row["low"]):
        return ""
    return f"{percent(row['low'])} to {percent(row['high'])}"


def recalibration_words(model: FrozenModel) -> str:
    """Say whether risks were recalibrated."""
    found = model.facts["recalibration"]
    if found["kind"] == "none":
        return f"Risks are not recalibrated: {WHY_NOT_RECALIBRATED[found['why']]}."
    return (
        f"Risks are recalibrated by {found['rows']} out-of-fold risks of training patients "
        f"with {found['events']} events."
    )


def risk_sentences(model: FrozenModel, row: Mapping) -> list[str]:
    """Return what is said beside the risk of one patient."""
    sentences = [
        f"Higher than about {row['above']:.0%} of the {model.facts['training']['rows']} "
        "out-of-fold risks of the training patients.",
        recalibration_words(model),
    ]
    if model.refits:
        sentences.append(f"{INTERVAL:.0%} interval from {len(model.refits)} refits. {OF_THE_MODEL}")
    else:
        sentences.append(NO_INTERVAL)
    if model.threshold is not None:
        called = "at or above" if row["event"] else "below"
        sentences.append(
            f"Before recalibration the risk is {percent(row['model_risk'])}, {called} the study's "
            f"threshold of {percent(model.threshold)}."
        )
    return sentences


def moved_sentences(moved: Mapping[str, float | None]) -> list[str]:
    """Say how far the risk moves with the mask's boundary, and with another reader's mask."""
    told = [
        f"{name} by {MOVED_MM:g} mm {percent(risk) or 'no risk (too little is left)'}"
        for name, risk in moved.items()
        if name != SECOND
    ]
    sentences = [f"The same with another boundary of the mask: {', '.join(told)}."] if told else []
    if SECOND in moved:
        sentences.append(f"With the second reader's mask: {percent(moved[SECOND])}.")
    return sentences


def warnings_of(model: FrozenModel, row: Mapping, findings: Sequence[Finding] = ()) -> list[str]:
    """Return what a reader of the risk has to know first."""
    titles = {one.name: one.title for one in model.predictors}
    told = [each.sentence for each in findings if each.severity == "warning"]
    if row["outside"]:
        names = ", ".join(titles[name] for name in row["outside"].split("|"))
        told.append(f"Outside what the model has seen: {names}. The risk is an extrapolation.")
    if row["unlike"]:
        likeness = model.facts["likeness"]
        told.append(
            f"Unlike the training patients: the distance is {row['distance']:.1f}, the limit "
            f"{likeness['limit']:.1f}. About 5% of patients of the same population exceed it. Of "
            f"rows with shuffled values it notices {likeness['shuffled']:.0%}, of rows moved by "
            f"two standard deviations {likeness['shifted']:.0%}."
        )
    if row["filled_in"]:
        names = ", ".join(titles[name] for name in row["filled_in"].split("|"))
        told.append(f"Not known, and filled in as in training: {names}.")
    return told


def note_of(row: Mapping, about: str) -> str:
    """Return what is said of a row of a table of patients."""
    if row["reason"] == MISSING_PREDICTOR:
        return f"missing: {about}"
    if row["reason"] == NO_FEATURES:
        return "no features: the preflight of its study says why"
    notes = ["unlike the training patients"] if row["unlike"] else []
    if row["outside"]:
        notes.append(f"outside the range seen: {row['outside'].replace('|', ', ')}")
    if row["filled_in"]:
        notes.append(f"filled in: {row['filled_in'].replace('|', ', ')}")
    return "; ".join(notes)
