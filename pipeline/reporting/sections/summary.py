"""The top of the page: the study in plain words, drawn from its own numbers."""

from __future__ import annotations

import pandas as pd

from pipeline.comparison.agreement.concordance import stable_from
from pipeline.core.mode_labels import is_leaking
from pipeline.reporting.blocks import Block, Facts, Note, Points, Section
from pipeline.reporting.cautions.cautions import Caution
from pipeline.reporting.cautions.few_events import judged_events
from pipeline.reporting.dropped import dropped_notes
from pipeline.reporting.leaking import learned_oversampled
from pipeline.reporting.parts.primary_analysis import primary_sentence
from pipeline.reporting.results import Results, measured_unit, metric, region
from pipeline.reporting.sections.clinical_summary import group_points, regression_points
from pipeline.reporting.sections.prediction.models import model_labels
from pipeline.reporting.validation_kind import validation_kind
from pipeline.reporting.wording import (
    UNIT,
    count,
    first_lower,
    first_upper,
    interval,
    number,
    plural,
    sentence_list,
    share,
)
from pipeline.reporting.words.added_value_words import (
    CHANCE,
    added_value_sentences,
    arms_sentence,
    baselines_sentence,
)
from pipeline.reporting.words.calibration_words import calibration_sentence
from pipeline.reporting.words.group_words import called_groups
from pipeline.tables.split_designs import holds_out

_LIMITATIONS = 3
"""Limitations that the summary names."""

#: A heading and what is said under it.
Point = tuple[str, str]

_TIMING = {
    "preoperative": "known before the operation",
    "intraoperative": "known by the end of the operation",
    "postoperative": "known after the operation",
}


def summary_section(results: Results, cautions: list[Caution]) -> Section:
    """Build the summary: what was asked, what was found, what limits it.

    Of a study that predicts it answers the question first, in some 260 words; what a section
    says in detail is not said here.
    """
    points = [_question(results), *_answer(results), *_patients(results)]
    if results.modelling is None:
        points += _readers(results)
        if results.regression is not None:
            points += regression_points(results)
        elif results.groups is not None:
            points += group_points(results)
    else:
        points += _findings(results)
    blocks: list[Block] = [Facts(_facts(results)), Points(points)]
    if results.modelling is not None:
        modelling = results.modelling
        # What was to be shown and could not be is the first that a reader must know.
        blocks[:0] = dropped_notes(results["primary"], modelling.dropped, modelling.winner["model"])
    if text := _limitations(cautions):
        blocks.append(Note(text, "Main limitations"))
    return Section("summary", "Summary", blocks)


def _limitations(cautions: list[Caution]) -> str:
    """Return the main limitations, those of the figures of performance first."""
    warnings = [
        caution for caution in cautions if caution.tone == "warning" and caution.anchor != "summary"
    ]
    if not warnings:
        return ""
    ranked = sorted(warnings, key=lambda caution: caution.anchor != "performance")
    shown = "; ".join(first_lower(caution.title) for caution in ranked[:_LIMITATIONS])
    more = len(ranked) - _LIMITATIONS
    rest = f"; and {count(more)} more in the sections below" if more > 0 else ""
    return f"{first_upper(shown)}{rest}."


def _question(results: Results) -> tuple[str, str]:
    if results.modelling is None and results.regression is not None:
        return (
            "Question",
            f"Which clinical predictors go with “{results['outcome.label']}”, and what risk do "
            "they give a patient?",
        )
    if results.modelling is None and results.groups is not None:
        groups = results.groups.info
        names = sentence_list(
            f"{each['name']}: {count(each['units'])}" for each in groups["groups"]
        )
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
    meaning = results["outcome"].get("definition") or outcome["formula"]
    return (
        "Question",
        f"How well {do} {sentence_list(offered)} distinguish {results['unit']}s with and without "
        f"“{outcome['label']}” ({meaning.rstrip('.')})?",
    )


def _patients(results: Results) -> list[Point]:
    steps = results.flow["steps"]
    first, last = steps[0], steps[-1]
    lost = first["patients"] - last["patients"]
    text = f"{plural(first['patients'], 'patient')} entered"
    text += f", {count(last['patients'])} analysed"
    text += f", {count(lost)} excluded (see the flow diagram)." if lost else "."
    points = [("Patients", text)]
    if results.modelling is not None:
        split = results.modelling.split
        events = int(split["outcome"].sum())
        test = split[split["part"] == "test"]
        tested = int(test["outcome"].sum())
        unit = results["unit"]
        text = (
            f"{count(events)} of {plural(len(split), unit)} "
            f"({share(events, len(split), 1)}) had the outcome (an event). "
        )
        text += (
            f"Training: {count(len(split) - len(test))} "
            f"({plural(events - tested, 'event')}); held out to test: {count(len(test))} "
            f"({plural(tested, 'event')})."
            if holds_out(results["split"]["design"])
            else f"All {unit}s built the final models; each was predicted by models that had not "
            "learned from it."
        )
        points.append(("Outcome", text))
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


def _answer(results: Results) -> list[Point]:
    """Return the answer to the question: what the leading model reaches, and what that shows."""
    if results.modelling is None:
        return []
    if not results.modelling.models:
        return [("Answer", "None: no model could be fitted.")]
    model = leading_model(results)
    row = metric(results, model, "auroc")
    events, judged_units = judged_events(results)
    held_out = holds_out(results["split"]["design"])
    who = plural(judged_units, f"held-out {results['unit']}" if held_out else results["unit"])
    where = who if held_out else f"nested cross-validation of {who}"
    best = ", the best in cross-validation," if model == results.modelling.winner["model"] else ""
    best = best if len(results.modelling.models) > 1 else ""
    level = f"{100 * results['evaluation.confidence']:g}% CI "
    value = interval(row["value"], row["low"], row["high"], 2, UNIT).replace("(", f"({level}")
    text = (
        f"{where} ({plural(events, 'event')}), {model_labels(results)[model]}{best} had an AUROC "
        f"of {value}: so often it ranks a {results['unit']} with the outcome above one without; "
        "0.5 is chance, 1 perfect."
    )
    if is_leaking(results["mode"]):
        return [("Answer", f"In {text} This order of steps says nothing about new patients.")]
    return [("Answer", f"{_against_chance(row)}: in {text}")]


def _against_chance(row: pd.Series) -> str:
    """Say what the interval of an AUROC shows against 0.5, the AUROC of chance."""
    if pd.isna(row["low"]) or pd.isna(row["high"]):
        return "Unclear, since there is no interval"
    if row["low"] > CHANCE:
        return "Better than chance"
    if row["high"] < CHANCE:
        return "Worse than chance"
    return "Not shown to be better than chance"


def _findings(results: Results) -> list[Point]:
    """Return what was found: primary analysis, added value, baselines, calibration, validation."""
    if not results.modelling.models:
        return [("Primary analysis", primary_sentence(results))]
    points = [("Primary analysis", _primary(results))]
    if results.modelling.added_value.compared:
        text = arms_sentence(results, where=results.modelling.added_value.info["part"] == "nested")
        text += f" {added_value_sentences(results, scores=False)}"
        points.append(("Added value of radiomics", text.strip()))
    if text := baselines_sentence(results):
        features = results.modelling.info["features"]
        points.append(("Without radiomics" if features else "Simpler predictions", text))
    model = leading_model(results)
    if text := calibration_sentence(results, model, brief=True):
        points.append(("Calibration", f"{model_labels(results)[model]}: {text}."))
    kind = validation_kind(results["split"])
    points.append(("Validation", f"{kind.name}."))
    points.append(("Not for", _not_for(results)))
    return points


def _primary(results: Results) -> str:
    """Return the primary analysis in short, or that there is none."""
    if results["primary"] is not None:
        return primary_sentence(results).removesuffix(" All other results are secondary.")
    return "None was declared beforehand: all results are exploratory."


def leading_model(results: Results) -> str:
    """Return the model of the primary analysis, the winner where none was declared or fitted."""
    declared = results["primary"]
    model = None if declared is None else declared["model"]
    fitted = results.modelling.models
    return model if model in fitted else results.modelling.winner["model"]


def _not_for(results: Results) -> str:
    """Return what the model must not be used for."""
    text = "Decisions on single patients: no other hospital has tested the model"
    if validation_kind(results["split"]).name.startswith("Geographical"):
        text = "Decisions on single patients: sites of this study alone have tested the model"
    if learned_oversampled(results, leading_model(results)):
        text += ", and after oversampling its risks are scores"
    text = f"Treatment effects. {text}."
    told = results["reporting"]["not_for"]
    return f"{first_upper(told.rstrip('.'))}. {text}" if told else text


def _facts(results: Results) -> list[tuple[str, str, str]]:
    flow = results.flow["steps"][-1]
    facts = [(count(flow["patients"]), _noun(flow["patients"], "patient"), "analysed")]
    if results.modelling is None and results.groups is not None:
        info = results.groups.info
        called = called_groups(info["label"], [each["name"] for each in info["groups"]])
        facts += [
            (count(each["units"]), f"{results['unit']}s", name)
            for name, each in zip(called, info["groups"], strict=True)
        ]
    if results.modelling is not None:
        split = results.modelling.split
        events = int(split["outcome"].sum())
        of_rows = f"{share(events, len(split), 1)} of {results['unit']}s"
        facts.append((count(events), _noun(events, "event"), of_rows))
    if results.imaging is not None:
        scans = len(results.imaging.ingest)
        facts.append((count(scans), _noun(scans, "CT scan"), "received"))
    readers = len(results.study.readers)
    if readers:
        unit = measured_unit(results) if results.imaging is None else region(results)
        facts.append((count(readers), _noun(readers, "reader"), f"of each {unit}"))
    each = "per mask" if results.imaging is not None else f"per {results['unit']}"
    if results.modelling is not None and results.modelling.info["features"]:
        facts.append((count(len(results.modelling.info["features"])), "features", each))
    elif len(results.reproducibility):
        facts.append((count(len(results.reproducibility)), "features", each))
    if results.modelling is not None:
        models = len(results.modelling.models)
        facts.append(
            (count(models), _noun(models, "model"), "compared" if models > 1 else "judged")
        )
    return facts


def _noun(amount: int, singular: str) -> str:
    return singular if amount == 1 else f"{singular}s"
