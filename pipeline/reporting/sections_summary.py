"""The top of the page: the study in plain words, drawn from its own numbers."""

from __future__ import annotations

import pandas as pd

from pipeline.core.concordance import stable_from
from pipeline.reporting.blocks import Block, Facts, Note, Points, Section
from pipeline.reporting.cautions import Caution
from pipeline.reporting.dropped import dropped_notes
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results, metric
from pipeline.reporting.sections_models import model_labels
from pipeline.reporting.sections_primary import primary_sentence
from pipeline.reporting.wording import (
    NO_VALUE,
    count,
    first_lower,
    interval,
    number,
    plural,
    sentence_list,
    share,
)

#: A heading and what is said under it.
Point = tuple[str, str]

_TIMING = {
    "preoperative": "known before the operation",
    "intraoperative": "known by the end of the operation",
    "postoperative": "known after the operation",
}


def summary_section(results: Results, cautions: list[Caution]) -> Section:
    """Build the summary: what was asked, what was found, what limits it."""
    points = [_question(results), *_patients(results), *_readers(results)]
    if results.modelling is not None:
        points += [*_selection(results), *_performance(results), *_ablation(results)]
    blocks: list[Block] = [Facts(_facts(results)), Points(points)]
    if results.modelling is not None:
        modelling = results.modelling
        # What was to be shown and could not be is the first that a reader must know.
        blocks[:0] = dropped_notes(results["primary"], modelling.dropped, modelling.winner["model"])
    warnings = [
        first_lower(caution.title)
        for caution in cautions
        if caution.tone == "warning" and caution.anchor != "summary"
    ]
    if warnings:
        text = f"What limits these results stands in the sections: {sentence_list(warnings)}."
        blocks.append(Note(text, "Read with care"))
    return Section("summary", "Summary", blocks)


def _question(results: Results) -> tuple[str, str]:
    if results.modelling is None:
        return (
            "Scope",
            "This study ends at the features: it has no outcome, so it describes images, contours "
            "and features, and no model is trained.",
        )
    outcome = results.modelling.info["outcome"]
    predictors = results.modelling.info["predictors"]
    offered = ["CT radiomics"] if results.modelling.info["features"] else []
    if predictors:
        offered.append(
            f"{plural(len(predictors), 'clinical predictor')} {_TIMING[results['timing']]}"
        )
    return (
        "Question",
        f"How well do {sentence_list(offered)} tell apart patients with and without "
        f"“{outcome['label']}” ({outcome['formula']})?",
    )


def _patients(results: Results) -> list[Point]:
    steps = results.flow["steps"]
    first, last = steps[0], steps[-1]
    lost = first["patients"] - last["patients"]
    text = f"{count(first['patients'])} entered, {count(last['patients'])} could be used"
    text += f"; {count(lost)} left for the reasons in the flow diagram." if lost else "."
    points = [("Patients", text)]
    if results.modelling is not None:
        split = results.modelling.split
        events = int(split["outcome"].sum())
        test = split[split["part"] == "test"]
        text = (
            f"{count(events)} of {plural(len(split), results['unit'])} "
            f"({share(events, len(split))}) had it. {count(len(split) - len(test))} served to "
            f"build the models; {count(len(test))}, with "
            f"{plural(int(test['outcome'].sum()), 'event')}, were kept aside to test them."
        )
        points.append(("Outcome", text))
    return points


def _readers(results: Results) -> list[Point]:
    points = []
    if results.imaging is not None and len(results.imaging.between_readers):
        dice = results.imaging.between_readers["dice"]
        text = (
            "Contours of two readers overlap with a median Dice coefficient of "
            f"{number(dice.median(), 2)} (1 is identical)."
        )
        points.append(("Contours", text))
    table = results.reproducibility
    if len(table):
        threshold = stable_from(results["selection.ccc.threshold"])
        kept = int((table["ccc"] >= threshold).sum())
        text = (
            f"{count(kept)} of {count(len(table))} come out nearly the same whoever draws the "
            f"contour (CCC of at least {number(threshold, 2)})."
        )
        points.append(("Features", text))
    return points


def _selection(results: Results) -> list[Point]:
    chosen = results.modelling.selection
    chosen = chosen[chosen["selected"].fillna(False).astype(bool)]
    blocks = chosen["block"].value_counts()
    text = (
        f"{plural(int(blocks.get('radiomics', 0)), 'radiomic feature')} and "
        f"{plural(int(blocks.get('clinical', 0)), 'clinical predictor')} were chosen, "
        f"{order_words(results).chosen}."
    )
    return [("Selection", text)]


def _performance(results: Results) -> list[Point]:
    labels = model_labels(results)
    if not labels:
        return [("Primary analysis", primary_sentence(results))]
    # The one model that is singled out is chosen by training rows: picking the best on the test
    # rows would make its own AUROC too good.
    leader = results.modelling.winner["model"]
    auroc = _with_interval(results, leader, "auroc")
    meaning = "the chance that a patient with the outcome is given the higher risk; 0.5 is guessing"
    if len(labels) > 1:
        values = [metric(results, name, "auroc")["value"] for name in labels]
        text = (
            f"On the test rows the AUROC ({meaning}) of the {plural(len(labels), 'model')} lies "
            f"between {number(min(values), 2)} and {number(max(values), 2)}. {labels[leader]}, the "
            f"best in cross-validation of the training rows, reaches {auroc}."
        )
    else:
        text = f"On the test rows {labels[leader]} has an AUROC ({meaning}) of {auroc}."
    if leader in results.modelling.nested:
        supported = number(results.modelling.nested[leader].info["auroc"], 2)
        judged = order_words(results).procedure
        text += f" Nested cross-validation of the training rows puts {judged} at {supported}."
    points = [("Primary analysis", primary_sentence(results)), ("Discrimination", text)]
    comparisons = results.modelling.evaluation.comparisons
    tested = int(comparisons["p_holm"].notna().sum())
    if tested:
        different = int((comparisons["p_holm"] < 0.05).sum())
        text = (
            f"Of {plural(tested, 'pair')} of models, {count(different)} differ in AUROC beyond "
            "what chance explains (P < 0.05 after Holm)."
            if different
            else f"No model can be told from another by AUROC ({plural(tested, 'pair')}, Holm). "
            "That is no proof that they are equal."
        )
        points.append(("Comparison", text))
    slope = metric(results, leader, "calibration_slope")
    if slope is not None and pd.notna(slope["value"]):
        text = (
            "Whether the predicted risks come true: "
            f"{labels[leader]} has a slope of "
            f"{_with_interval(results, leader, 'calibration_slope')}, where 1 is right and less "
            "means that risks are too extreme, and observed over expected events of "
            f"{_with_interval(results, leader, 'oe_ratio')}."
        )
        points.append(("Calibration", text))
    return points


def _with_interval(results: Results, model: str, name: str) -> str:
    row = metric(results, model, name)
    return NO_VALUE if row is None else interval(row["value"], row["low"], row["high"], 2)


def _ablation(results: Results) -> list[Point]:
    labels = model_labels(results)
    sentences = []
    for name, ablation in results.modelling.ablation.items():
        table = ablation.table.set_index("step")
        parts = []
        for block in ("radiomics", "clinical"):
            step = f"without-{block}"
            if step in table.index and pd.notna(table.loc[step, "delta"]):
                row = table.loc[step]
                change = interval(row["delta"], row["delta_low"], row["delta_high"], 2)
                data = "radiomics" if block == "radiomics" else "clinical data"
                parts.append(f"by {change} without {data}")
        if parts:
            sentences.append(
                f"The AUROC of {labels.get(name, name)} changes {sentence_list(parts)}."
            )
    if not sentences:
        return []
    sentences.append("A change whose interval holds 0 cannot be told from none.")
    return [("Ablation", " ".join(sentences))]


def _facts(results: Results) -> list[tuple[str, str, str]]:
    flow = results.flow["steps"][-1]
    facts = [(count(flow["patients"]), "patients", "analysed")]
    if results.modelling is not None:
        split = results.modelling.split
        events = int(split["outcome"].sum())
        facts.append((count(events), "events", f"{share(events, len(split), 1)} of rows"))
    if results.imaging is not None:
        facts.append((count(len(results.imaging.ingest)), "CT scans", "handed in"))
    facts.append((count(len(results.study.readers)), "readers", "of each case"))
    if results.modelling is not None and results.modelling.info["features"]:
        facts.append((count(len(results.modelling.info["features"])), "features", "per reading"))
    elif len(results.reproducibility):
        facts.append((count(len(results.reproducibility)), "features", "per reading"))
    if results.modelling is not None:
        facts.append((count(len(results.modelling.models)), "models", "compared"))
    return facts
