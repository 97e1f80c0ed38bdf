"""What a study is judged by: its primary analysis, and its winner."""

from __future__ import annotations

from pipeline.reporting.blocks import Block, Note, Paragraph
from pipeline.reporting.dropped import WHAT, lost_primary
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results, judged, metric
from pipeline.reporting.wording import (
    METRIC_BOUNDS,
    UNIT,
    interval,
    number,
    plural,
)
from pipeline.reporting.words.nested_words import nested_name
from pipeline.study.metric_registry import METRICS
from pipeline.tables.split_designs import holds_out


def primary_blocks(results: Results) -> list[Block]:
    """Say what the primary analysis is and found, and which model is called best, and why."""
    note = Note(primary_sentence(results), "Primary analysis", "info")
    return [note, _winner(results)] if results.modelling.models else [note]


def primary_sentence(results: Results) -> str:
    """Return the primary analysis in words, or that none was declared."""
    declared = results["primary"]
    if declared is None:
        return (
            "None was declared before the study ran. All results are exploratory, and none "
            "of them may be presented afterwards as the aim of the study."
        )
    modelling = results.modelling
    lost = lost_primary(declared, modelling.dropped, modelling.winner["model"])
    if lost is not None:
        return (
            f"Declared in the configuration, and not made: {lost.label} {WHAT[lost.stage]}. All "
            "results are secondary."
        )
    model = declared["model"]
    folds = "cross-validation of the training patients"
    if not holds_out(results["split"]["design"]):
        folds = "the inner folds"
    chosen = f", chosen by {folds}," if model == "winner" else ""
    model = results.modelling.winner["model"] if model == "winner" else model
    label = results.modelling.models[model].info["label"]
    what = METRICS[declared["metric"]].words
    if declared["part"] == "nested" and holds_out(results["split"]["design"]):
        info = results.modelling.nested[model].info
        value = number(info[declared["metric"]], bounds=METRIC_BOUNDS.get(declared["metric"]))
        where = f"in {nested_name(results['nested.search'])} of the training patients"
        how = "a mean over outer folds, without interval"
    else:
        row = metric(results, model, declared["metric"])
        bounds = METRIC_BOUNDS.get(declared["metric"])
        value = interval(row["value"], row["low"], row["high"], bounds=bounds)
        where, how = judged(results).on, row["method"]
    return (
        f"Declared in the configuration: the {what} of {label}{chosen} {where}. It is {value} "
        f"({how}). All other results are secondary."
    )


def _winner(results: Results) -> Paragraph:
    winner = results.modelling.winner
    if len(winner["candidates"]) == 1:
        return Paragraph(f"One model was trained, {winner['label']}: there was nothing to choose.")
    whose = "training patients" if holds_out(results["split"]["design"]) else "patients"
    return Paragraph(
        f"The “best model” is {winner['label']}: of {plural(len(winner['candidates']), 'model')} "
        f"it had the highest AUROC when the search cross-validated the {whose}, "
        f"{number(winner['cv_auc'], bounds=UNIT)} (optimistic, because it was used to choose). "
        f"{order_words(results).winner}"
    )
