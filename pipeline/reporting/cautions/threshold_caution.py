"""A fixed threshold that lies beside the predicted risks, found in the confusion matrices."""

from __future__ import annotations

from pipeline.reporting.cautions.caution import Caution
from pipeline.reporting.results import Results
from pipeline.reporting.wording import number, sentence_list, share

LEAST = 0.1
"""Sensitivity, and specificity, below which a threshold lies beside nearly all risks."""


def fixed_threshold(results: Results) -> Caution | None:
    """Tell where a fixed threshold meets risks of another scale.

    Every row is on one side of it, or nearly all events are below it, or nearly all others above.

    Parameters
    ----------
    results : Results
        The finished run of a study with models.
    """
    if results["evaluation.threshold_rule"] != "fixed":
        return None
    labels = {name: model.info["label"] for name, model in results.modelling.models.items()}
    parts = []
    for row in results.modelling.evaluation.confusion.itertuples():
        if row.model in labels and (found := _beside(row)):
            parts.append(f"{labels[row.model]} ({found})")
    if not parts:
        return None
    split = results.modelling.split
    events = share(split["outcome"].sum(), len(split))
    text = (
        f"The threshold was fixed at {number(results['evaluation.threshold'], 2)}, but predicted "
        f"risks are of another scale: {sentence_list(parts)}. {events} of all rows have the event. "
        "Sensitivity, specificity and confusion matrix of these models say little; a rule of "
        "`evaluation.threshold_rule` chooses a threshold of their scale."
    )
    return Caution("Fixed threshold beside the risks", text, "performance")


def _beside(row: object) -> str:
    """Say how a threshold lies beside the risks, by the counts of one model; blank where not."""
    events, others = row.tp + row.fn, row.fp + row.tn
    if row.tp + row.fp == 0:
        return "every risk below it"
    if row.fn + row.tn == 0:
        return "every risk above it"
    if events and row.tp / events < LEAST:
        return f"{row.fn} of {events} events below it"
    if others and row.tn / others < LEAST:
        return f"{row.fp} of {others} without the event above it"
    return ""
