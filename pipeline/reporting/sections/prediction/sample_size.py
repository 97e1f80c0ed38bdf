"""How many patients a study has, and how many it would have needed."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Paragraph, Section, Table
from pipeline.reporting.results import Results
from pipeline.reporting.sections.prediction.selection import NO_OUTCOME
from pipeline.reporting.wording import NO_VALUE, UNIT, count, number, plural
from pipeline.tables.split_designs import holds_out


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
        "(Stat Med 2019;38:1276-1296; BMJ 2020;368:m441): effects that hold in new "
        "patients to 90% (shrinkage factor of at least 0.9), an explained variation (R²) that is "
        "smaller there by at most 0.05 (optimism), overall risk estimated to within 0.05; the "
        "largest of the three is needed. Expected explained variation: "
        f"{number(size['nagelkerke'], 2)} of the largest possible (R² of Cox and Snell: "
        f"{number(size['r2'])}), an assumption made before the study; share of "
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
