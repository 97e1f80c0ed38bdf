"""What a study is judged by: its primary analysis, its winner, and how many patients it needed."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Note, Paragraph, Section, Table
from pipeline.reporting.dropped import WHAT, lost_primary
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results, judged, metric
from pipeline.reporting.sections.prediction.selection import NO_OUTCOME
from pipeline.reporting.wording import (
    METRIC_BOUNDS,
    NO_VALUE,
    UNIT,
    count,
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


def sample_size_section(results: Results) -> Section:
    """Build the section on how many patients the study has, and would have needed."""
    title = "Sample size"
    if results.modelling is None:
        return Section("sample-size", title, absent=NO_OUTCOME)
    size = results.modelling.sample_size
    who = "training patient" if holds_out(results["split"]["design"]) else "patient"
    candidates = size["counts"][0]
    rows = [_size_row(entry) for entry in size["counts"]]
    text = (
        f"The models learn from {plural(size['patients'], who)}, "
        f"{count(size['events'])} of them with the rarer outcome. "
    )
    if size["rows"] > size["patients"]:
        text += (
            f"Its {count(size['rows'])} {results['unit']}s are not independent: everything here is "
            "counted in patients, one with any event as one event. "
        )
    if not size["events"]:
        text += "The criteria need patients of both outcomes. "
    if "needed" in candidates:
        enough = candidates["needed"] <= size["patients"]
        text += (
            f"A model with all {plural(candidates['parameters'], 'candidate parameter')} would "
            f"need {count(candidates['needed'])} patients, {count(candidates['needed_events'])} of "
            "them with the rarer outcome"
            + (": the study has enough. " if enough else f"; {_has(size)}. ")
        )
    text += (
        "Selecting predictors does not lower that number, because the selection uses events too. "
        "The lines of the models show how many patients their predictors would need if these had "
        "been fixed beforehand."
    )
    shown = Table(
        name="sample-size",
        caption="Events per parameter, and the minimum sample size by the criteria of Riley et al. "
        "(Stat Med 2019;38:1276-1296; BMJ 2020;368:m441): shrinkage factor of at least 0.9, "
        "optimism in R² of at most 0.05, overall risk estimated to within 0.05; the largest of "
        f"the three is needed. Expected R²: {number(size['nagelkerke'], 2)} of the largest "
        f"possible (Cox-Snell {number(size['r2'])}), an assumption made before the study; share of "
        f"patients with an event {number(size['prevalence'], bounds=UNIT)}. Events are patients of "
        "the rarer outcome.",
        shown=pd.DataFrame(rows),
        raw=pd.DataFrame(size["counts"]),
        numeric=tuple(column for column in rows[0] if column != "Parameters of"),
    )
    return Section("sample-size", title, [Paragraph(text), shown])


def _has(size: dict) -> str:
    """Say how many patients there are, of both kinds."""
    return f"this study has {count(size['patients'])} and {count(size['events'])}"


def _size_row(entry: dict) -> dict[str, str]:
    row = {"Parameters of": entry["label"], "Parameters": count(entry["parameters"])}
    known = "needed" in entry
    row["Events per parameter"] = number(entry["events_per_parameter"], 2) if known else NO_VALUE
    names = {
        "For shrinkage": "shrinkage",
        "For R²": "optimism",
        "For the risk": "risk",
        "Needed patients": "needed",
        "With events": "needed_events",
    }
    return row | {
        printed: count(entry[name]) if known else NO_VALUE for printed, name in names.items()
    }
