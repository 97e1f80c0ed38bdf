"""A fixed threshold that lies beside the predicted risks, found in the confusion matrices."""

from __future__ import annotations

from pipeline.reporting.caution import Caution
from pipeline.reporting.results import Results
from pipeline.reporting.wording import number, sentence_list, share


def fixed_threshold(results: Results) -> Caution | None:
    """Tell where a fixed threshold meets risks of another scale: every row is on one side of it.

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
        none_above, none_below = row.tp + row.fp == 0, row.fn + row.tn == 0
        if none_above or none_below:
            parts.append(
                f"{labels[row.model]} (every risk {'below' if none_above else 'above'} it)"
            )
    if not parts:
        return None
    split = results.modelling.split
    events = share(split["outcome"].sum(), len(split))
    text = (
        f"The threshold was fixed at {number(results['evaluation.threshold'], 2)}, but predicted "
        f"risks are of another scale: {sentence_list(parts)}. {events} of all rows have the event. "
        "Sensitivity, specificity and confusion matrix of these models say nothing; a rule of "
        "`evaluation.threshold_rule` chooses a threshold of their scale."
    )
    return Caution("Fixed threshold beside the risks", text, "performance")
