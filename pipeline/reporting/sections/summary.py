"""The top of the page: the study in plain words, drawn from its own numbers."""

from __future__ import annotations

import pandas as pd

from pipeline.comparison.concordance import stable_from
from pipeline.reporting.blocks import Block, Facts, Note, Points, Section
from pipeline.reporting.calibration_words import calibration_sentence
from pipeline.reporting.cautions import Caution
from pipeline.reporting.dropped import dropped_notes
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results, judged, measured_unit, metric
from pipeline.reporting.sections.models import model_labels
from pipeline.reporting.sections.primary import primary_sentence
from pipeline.reporting.validation_kind import validation_text
from pipeline.reporting.wording import (
    METRIC_BOUNDS,
    NO_VALUE,
    SIGNED,
    UNIT,
    count,
    first_lower,
    interval,
    number,
    plural,
    sentence_list,
    share,
)
from pipeline.tables.split_designs import holds_out

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
        text = f"Main limitations (details in the sections below): {sentence_list(warnings)}."
        blocks.append(Note(text, "Read with care"))
    return Section("summary", "Summary", blocks)


def _question(results: Results) -> tuple[str, str]:
    if results.modelling is None and results.regression is not None:
        return (
            "Question",
            f"Which clinical predictors go with “{results['outcome.label']}”, and what risk do "
            "they give a patient?",
        )
    if results.modelling is None and results.groups is not None:
        groups = results.groups.info
        names = sentence_list(f"“{each['name']}”" for each in groups["groups"])
        return (
            "Question",
            f"In what do {results['unit']}s differ by “{groups['label']}” ({names})? No model is "
            "trained.",
        )
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
    do = "do" if len(offered) > 1 or len(predictors) > 1 else "does"
    return (
        "Question",
        f"How well {do} {sentence_list(offered)} tell apart {results['unit']}s with and without "
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
            f"({share(events, len(split))}) had it. "
        )
        if holds_out(results["split"]):
            text += (
                f"{count(len(split) - len(test))} served to "
                f"build the models; {count(len(test))}, with "
                f"{plural(int(test['outcome'].sum()), 'event')}, were kept aside to test them."
            )
        else:
            text += (
                "All of them served to build the final models; each was judged by models that had "
                "not learned from it."
            )
        points.append(("Outcome", text))
        points.append(("Validation", validation_text(results.study.config)))
    return points


def _readers(results: Results) -> list[Point]:
    points = []
    if results.imaging is not None and len(results.imaging.between_readers):
        pairs = results.imaging.between_readers
        several = len(pairs[["reader_a", "reader_b"]].drop_duplicates())
        over = f", over {count(several)} pairs of readers" if several > 1 else ""
        text = (
            "Contours of two readers overlap with a median Dice coefficient of "
            f"{number(pairs['dice'].median(), 2, UNIT)} (1 is identical){over}."
        )
        points.append(("Contours", text))
    table = results.reproducibility
    if len(table):
        threshold = stable_from(results["selection.ccc.threshold"])
        kept = int((table["ccc"] >= threshold).sum())
        readers = int(table["readers"].max())
        whose = "" if readers == 2 else f", by the two of {count(readers)} readers that agree least"
        text = (
            f"{count(kept)} of {count(len(table))} come out nearly the same whoever draws the "
            f"contour (CCC of at least {number(threshold, 2)}{whose})."
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
    # The one model that is singled out is chosen by inner folds: picking the best on the rows that
    # judge it would make its own AUROC too good.
    leader = results.modelling.winner["model"]
    auroc = _with_interval(results, leader, "auroc")
    meaning = (
        f"the chance that of two {results['unit']}s the one with the outcome is given the higher "
        "risk; 0.5 is guessing"
    )
    test_rows, on = holds_out(results["split"]), judged(results).on
    where = on[:1].upper() + on[1:]
    inner = "cross-validation of the training rows" if test_rows else "the inner folds"
    if len(labels) > 1:
        values = [metric(results, name, "auroc")["value"] for name in labels]
        low, high = (number(value, 2, UNIT) for value in (min(values), max(values)))
        text = (
            f"{where} the AUROC ({meaning}) of the {plural(len(labels), 'model')} lies "
            f"between {low} and {high}. {labels[leader]}, the best in "
            f"{inner}, reaches {auroc}."
        )
    else:
        text = f"{where} {labels[leader]} has an AUROC ({meaning}) of {auroc}."
    if leader in results.modelling.nested and test_rows:
        supported = number(results.modelling.nested[leader].info["auroc"], 2, UNIT)
        whose = order_words(results).procedure
        text += f" Nested cross-validation of the training rows puts {whose} at {supported}."
    points = [("Primary analysis", primary_sentence(results)), ("Discrimination", text)]
    comparisons = results.modelling.evaluation.comparisons
    tested = int(comparisons["p_holm"].notna().sum())
    if tested:
        different = int((comparisons["p_holm"] < 0.05).sum())
        text = (
            f"Of {plural(tested, 'pair')} of models, {count(different)} "
            f"{'differs' if different == 1 else 'differ'} in AUROC beyond "
            "what chance explains (P < 0.05 after Holm)."
            if different
            else f"No two models differed significantly in AUROC ({plural(tested, 'pair')}, Holm). "
            "That is no proof that they are equal."
        )
        points.append(("Comparison", text))
    elif len(comparisons):
        text = f"The differences in AUROC between the models are not estimable {on}."
        points.append(("Comparison", text))
    calibration = calibration_sentence(results, leader)
    if calibration is not None:
        text = f"Whether the predicted risks of {labels[leader]} come true: {calibration}."
        points.append(("Calibration", text))
    return points


def _with_interval(results: Results, model: str, name: str) -> str:
    row = metric(results, model, name)
    if row is None:
        return NO_VALUE
    return interval(row["value"], row["low"], row["high"], 2, METRIC_BOUNDS.get(name))


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
                change = interval(row["delta"], row["delta_low"], row["delta_high"], 2, SIGNED)
                data = "radiomics" if block == "radiomics" else "clinical data"
                parts.append(f"by {change} without {data}")
        if parts:
            sentences.append(
                f"The AUROC of {labels.get(name, name)} changes {sentence_list(parts)}."
            )
    if not sentences:
        return []
    sentences.append("If the interval includes 0, the change may be due to chance.")
    return [("Ablation", " ".join(sentences))]


def _facts(results: Results) -> list[tuple[str, str, str]]:
    flow = results.flow["steps"][-1]
    facts = [(count(flow["patients"]), _noun(flow["patients"], "patient"), "analysed")]
    if results.modelling is None and results.groups is not None:
        info = results.groups.info
        facts += [(count(each["units"]), each["name"], info["label"]) for each in info["groups"]]
    if results.modelling is not None:
        split = results.modelling.split
        events = int(split["outcome"].sum())
        of_rows = f"{share(events, len(split), 1)} of {results['unit']}s"
        facts.append((count(events), _noun(events, "event"), of_rows))
    if results.imaging is not None:
        scans = len(results.imaging.ingest)
        facts.append((count(scans), _noun(scans, "CT scan"), "handed in"))
    readers = len(results.study.readers)
    if readers:
        unit = f"of each {measured_unit(results)}"
        facts.append((count(readers), _noun(readers, "reader"), unit))
    if results.modelling is not None and results.modelling.info["features"]:
        facts.append((count(len(results.modelling.info["features"])), "features", "per reading"))
    elif len(results.reproducibility):
        facts.append((count(len(results.reproducibility)), "features", "per reading"))
    if results.modelling is not None:
        models = len(results.modelling.models)
        facts.append(
            (count(models), _noun(models, "model"), "compared" if models > 1 else "judged")
        )
    return facts


def _noun(amount: int, singular: str) -> str:
    return singular if amount == 1 else f"{singular}s"
