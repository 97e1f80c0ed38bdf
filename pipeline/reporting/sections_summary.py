"""The top of the page: the study in plain words, drawn from its own numbers."""

from __future__ import annotations

from pipeline.reporting.blocks import Block, Facts, Items, Paragraph, Section
from pipeline.reporting.cautions import Caution
from pipeline.reporting.results import Results
from pipeline.reporting.sections_models import metric, model_labels
from pipeline.reporting.wording import (
    count,
    interval,
    number,
    plural,
    sentence_list,
    share,
)

_TIMING = {
    "preoperative": "known before the operation",
    "intraoperative": "known by the end of the operation",
    "postoperative": "known after the operation",
}


def summary_section(results: Results, cautions: list[Caution]) -> Section:
    """Build the summary: what was asked, what was found, what limits it."""
    sentences = [_question(results), *_patients(results), *_readers(results)]
    if results.modelling is not None:
        sentences += [*_selection(results), *_performance(results), *_ablation(results)]
    blocks: list[Block] = [Facts(_facts(results)), Items([text for text in sentences if text])]
    warnings = [caution.title.lower() for caution in cautions if caution.tone == "warning"]
    if warnings:
        blocks.append(
            Paragraph(
                f"Read with care, for reasons given in their sections: {sentence_list(warnings)}."
            )
        )
    return Section("summary", "Summary", blocks)


def _question(results: Results) -> str:
    if results.modelling is None:
        return (
            "This study ends at the features: it has no outcome, so it describes images, contours "
            "and features, and no model is trained."
        )
    outcome = results.modelling.info["outcome"]
    predictors = results.modelling.info["predictors"]
    offered = ["CT radiomics"] if results.modelling.info["features"] else []
    if predictors:
        offered.append(
            f"{plural(len(predictors), 'clinical predictor')} {_TIMING[results['timing']]}"
        )
    return (
        f"Question: how well do {sentence_list(offered)} tell apart patients with and without "
        f"{outcome['label']} ({outcome['formula']})?"
    )


def _patients(results: Results) -> list[str]:
    steps = results.flow["steps"]
    first, last = steps[0], steps[-1]
    lost = first["patients"] - last["patients"]
    sentences = [
        f"Patients: {count(first['patients'])} entered, {count(last['patients'])} could be used"
        + (f"; {count(lost)} left for the reasons in the flow diagram." if lost else ".")
    ]
    if results.modelling is not None:
        split = results.modelling.split
        events = int(split["outcome"].sum())
        test = split[split["part"] == "test"]
        test_events = int(test["outcome"].sum())
        sentences.append(
            f"Outcome: {count(events)} of {plural(len(split), results['unit'])} "
            f"({share(events, len(split))}) had it. {count(len(split) - len(test))} served to "
            f"build the models, {count(len(test))} (with {plural(test_events, 'event')}) "
            "were kept aside to test them."
        )
    return sentences


def _readers(results: Results) -> list[str]:
    sentences = []
    if results.imaging is not None and len(results.imaging.agreement):
        dice = results.imaging.agreement["dice"]
        sentences.append(
            "Contours: readers overlap with a median Dice coefficient of "
            f"{number(dice.median(), 2)} (1 is identical)."
        )
    table = results.reproducibility
    if len(table):
        threshold = results["selection.ccc.threshold"]
        kept = int((table["ccc"] >= threshold).sum())
        sentences.append(
            f"Features: {count(kept)} of {count(len(table))} come out nearly the same whoever "
            f"draws (CCC of at least {number(threshold, 2)})."
        )
    return sentences


def _selection(results: Results) -> list[str]:
    chosen = results.modelling.selection
    chosen = chosen[chosen["selected"].fillna(False).astype(bool)]
    blocks = chosen["block"].value_counts()
    return [
        f"Selection: {plural(int(blocks.get('radiomics', 0)), 'radiomic feature')} and "
        f"{plural(int(blocks.get('clinical', 0)), 'clinical predictor')} were chosen on the "
        "training rows."
    ]


def _performance(results: Results) -> list[str]:
    labels = model_labels(results)
    models = results.modelling.models
    # The one model that is singled out is chosen by training rows: picking the best on the test
    # rows would make its own AUROC too good.
    leader = max(models, key=lambda name: (models[name].info["cv_auc"] or 0.0, name))
    auroc = metric(results, leader, "auroc")
    values = [metric(results, name, "auroc")["value"] for name in labels]
    sentences = [
        f"Discrimination: on the test rows the AUROC (the chance that a patient with the outcome "
        f"is given the higher risk; 0.5 is guessing) of the {plural(len(labels), 'model')} lies "
        f"between {number(min(values), 2)} and {number(max(values), 2)}. {labels[leader]}, the "
        f"best in cross-validation of the training rows, reaches "
        f"{interval(auroc['value'], auroc['low'], auroc['high'], 2)}."
        if len(labels) > 1
        else f"Discrimination: on the test rows {labels[leader]} has an AUROC (the chance that a "
        "patient with the outcome is given the higher risk; 0.5 is guessing) of "
        f"{interval(auroc['value'], auroc['low'], auroc['high'], 2)}."
    ]
    comparisons = results.modelling.evaluation.comparisons
    tested = comparisons["p_holm"].notna()
    if tested.any():
        different = int((comparisons["p_holm"] < 0.05).sum())
        pairs = plural(int(tested.sum()), "pair")
        sentences.append(
            f"Comparison: of {pairs} of models, {count(different)} differ in AUROC beyond what "
            "chance explains (P < 0.05 after Holm)."
            if different
            else f"Comparison: no model can be told from another by AUROC ({pairs}, Holm). That "
            "is no proof that they are equal."
        )
    slope = metric(results, leader, "calibration_slope")
    ratio = metric(results, leader, "oe_ratio")
    if slope is not None and ratio is not None and slope["value"] == slope["value"]:
        sentences.append(
            f"Calibration of {labels[leader]}: slope "
            f"{interval(slope['value'], slope['low'], slope['high'], 2)} (1 is right; below it, "
            "predictions are too extreme); observed over expected events "
            f"{interval(ratio['value'], ratio['low'], ratio['high'], 2)}."
        )
    return sentences


def _ablation(results: Results) -> list[str]:
    labels = model_labels(results)
    sentences = []
    for name, ablation in results.modelling.ablation.items():
        table = ablation.table.set_index("step")
        parts = []
        for block in ("radiomics", "clinical"):
            step = f"without-{block}"
            if step in table.index and table.loc[step, "delta"] == table.loc[step, "delta"]:
                row = table.loc[step]
                change = interval(row["delta"], row["delta_low"], row["delta_high"], 2)
                parts.append(f"by {change} without {block}")
        if parts:
            sentences.append(
                f"Ablation: the AUROC of {labels.get(name, name)} changes {sentence_list(parts)}."
            )
    return sentences


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
