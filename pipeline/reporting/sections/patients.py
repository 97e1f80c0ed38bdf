"""Sections on the patients: their flow into the study, and who they are."""

from __future__ import annotations

import re

import pandas as pd

from pipeline.core.findings import SEVERITIES, from_json
from pipeline.reporting.blocks import Block, Figure, Items, Paragraph, Section, Table
from pipeline.reporting.figures.flow_diagram import flow_diagram
from pipeline.reporting.parts.characteristics import characteristics
from pipeline.reporting.parts.characteristics_rows import columns_of_numbers, printed_rows
from pipeline.reporting.results import Results, region
from pipeline.reporting.wording import count, plural, share
from pipeline.reporting.words.told_by_authors import told_by_authors
from pipeline.tables.split_designs import holds_out

#: Ids named per reason on the page; the table's file holds all of them.
_SHOWN_IDS = 12

_LEVEL = re.compile(r"^([CTLS])(\d+)$")


def flow_section(results: Results) -> Section:
    """Build the flow of patients: diagram, exclusions by reason, findings of the checks."""
    steps = results.flow["steps"]
    excluded = [entry for step in steps for entry in step["excluded"]]
    alt = (
        "; ".join(f"{step['label']}: {plural(step['patients'], 'patient')}" for step in steps)
        + ". "
        + ("Excluded: " if excluded else "None excluded.")
        + "; ".join(
            f"{entry['reason']} ({plural(entry['patients'], 'patient')})" for entry in excluded
        )
    )
    blocks: list[Block] = [
        Figure(
            name="flow",
            svg=flow_diagram(steps, _parts(results)),
            alt=alt,
            caption=f"From what was received to what was analysed.{_case(results)} A patient is "
            "counted under the first reason that applies; a patient with several cases can lose "
            "some and stay.",
            width=700,
        )
    ]
    if excluded:
        blocks.append(_exclusion_table(excluded))
    else:
        blocks.append(Paragraph("Nothing was excluded."))
    if results.imaging is not None:
        blocks += _findings(results)
    return Section("flow", "Flow of patients", blocks)


def _case(results: Results) -> str:
    """Say what a case is, where images were contoured."""
    return "" if results.imaging is None else f" A case is one {region(results)}."


def _parts(results: Results) -> list[tuple[str, str]]:
    if results.modelling is None:
        return []
    split = results.modelling.split
    boxes, parts = [], [("train", "Training patients"), ("test", "Held-out patients")]
    if not holds_out(results["split"]["design"]):
        parts = [("train", f"All train; {results['nested.folds']} outer folds judge")]
    for part, label in parts:
        rows = split[split["part"] == part]
        events = int(rows["outcome"].sum())
        boxes.append(
            (
                f"{label}: {plural(len(rows), _unit(results))}",
                f"{plural(events, 'event')} ({share(events, len(rows), 1)}), "
                f"{plural(rows['patient_id'].nunique(), 'patient')}",
            )
        )
    return boxes


def _exclusion_table(excluded: list[dict]) -> Table:
    raw = pd.DataFrame(
        [
            {
                "reason": entry["reason"],
                "patients": entry["patients"],
                "cases": entry["cases"],
                "ids": "|".join(map(str, entry["ids"])),
            }
            for entry in excluded
        ]
    )
    shown = pd.DataFrame(
        [
            {
                "Reason": entry["reason"],
                "Patients": count(entry["patients"]),
                "Cases": count(entry["cases"]),
                "Who": _some(entry["ids"]),
            }
            for entry in excluded
        ]
    )
    return Table(
        name="exclusions",
        caption="Exclusions and their reasons, with the study's own pseudonymous identifiers.",
        shown=shown,
        raw=raw,
        numeric=("Patients", "Cases"),
        code=("Who",),
    )


def _findings(results: Results) -> list[Block]:
    """List what the checks of files found, worst first."""
    preflight = results.imaging.preflight
    rows = [
        {
            "case_id": row.case_id,
            "reader": row.reader,
            "severity": finding.severity,
            "finding": finding.sentence,
            "remedy": finding.remedy,
        }
        for row in preflight.itertuples()
        for finding in from_json(row.findings)
    ]
    verdicts = preflight["verdict"].value_counts()
    text = (
        f"{plural(len(preflight), 'mask')} {'was' if len(preflight) == 1 else 'were'} checked "
        f"against {'its' if len(preflight) == 1 else 'their'} CT before anything slow ran: "
        f"{count(verdicts.get('ok', 0))} passed without a warning, "
        f"{count(verdicts.get('warning', 0))} with a warning, "
        f"{count(verdicts.get('error', 0))} {'was' if verdicts.get('error', 0) == 1 else 'were'} "
        "refused."
    )
    if not rows:
        return [Paragraph(text)]
    rows.sort(key=lambda row: (SEVERITIES.index(row["severity"]), row["case_id"], row["reader"]))
    raw = pd.DataFrame(rows)
    shown = raw.set_axis(["Case", "Reader", "Severity", "Finding", "Remedy"], axis=1)
    table = Table(
        name="findings",
        caption="Findings of the checks, errors first. An error keeps the mask out; a warning "
        f"does not; an info says what the {region(results)} shows, such as a vacuum cleft.",
        shown=shown,
        raw=raw,
        code=("Case",),
        sortable=True,
        collapsed=f"{plural(len(rows), 'finding')} of the checks",
    )
    return [Paragraph(text), table]


def characteristics_section(results: Results) -> Section:
    """Build table 1: by outcome, and training against held-out patients where there are any."""
    section = Section("characteristics", "Characteristics (table 1)")
    if results.modelling is None:
        reason = "This study has no clinical table with an outcome, so there is nothing to compare."
        return Section(section.anchor, section.title, absent=reason)
    modelling = results.modelling
    units = modelling.units
    if "level" in units:
        # A patient's several levels arrive joined as a dictionary's levels are.
        units = units.assign(level=units["level"].str.replace("|", " and "))
    dictionary = _described(results, units)
    if dictionary.empty:
        return Section(
            section.anchor, section.title, absent="The dictionary names no clinical predictor."
        )
    outcome = modelling.info["outcome"]
    events = units["outcome"].astype(int)
    by_outcome = characteristics(
        units, dictionary, events, [(0, "no event"), (1, "event")], patients=units["patient_id"]
    )
    unit = _unit(results)
    tests = (
        "Numbers: median [first, third quartile], Wilcoxon rank-sum test. Categories: n (%), "
        "Pearson chi-square test without continuity correction. P values are two-sided and "
        "not corrected for multiple testing; † marks a chi-square test with an expected count "
        "below 5, whose P is approximate. Missing values are left out of percentages and tests."
        f"{_named_tests(dictionary)}{_dependence(units, unit)}"
    )
    groups = {
        "no event": f"No event\n(n = {int((events == 0).sum())})",
        "event": f"Event\n(n = {int(events.sum())})",
    }
    blocks: list[Block] = [
        Paragraph(
            f"The models predict the outcome of a {unit}"
            f"{_of_patients(units, unit)}. Event: “{outcome['label']}”, "
            f"{_defined(results, outcome['formula'])}."
        ),
        Table(
            name="characteristics-by-outcome",
            caption=f"Characteristics by outcome. {tests}",
            shown=printed_rows(by_outcome, groups, len(units)),
            raw=by_outcome,
            numeric=columns_of_numbers(groups, len(units)),
        ),
    ]
    blocks += _by_part(results, units, dictionary)
    blocks += told_by_authors(results)
    later = dictionary[~dictionary["column"].isin([*_allowed(results), "level"])]
    if len(later):
        blocks.append(
            Items(
                [
                    f"Reported but not used as predictors, since they are not among those known "
                    f"{results['timing'].removesuffix('ly')}ly that the study allows: "
                    f"{', '.join(later['label'])}."
                ]
            )
        )
    return Section(section.anchor, section.title, blocks)


def _defined(results: Results, formula: str) -> str:
    """Return the outcome's definition in words, where the study has them, with its formula."""
    definition = results["outcome"].get("definition")
    if definition:
        return f"defined as {definition.rstrip('.')} (in the table: {formula})"
    return f"defined as {formula}"


def _by_part(results: Results, units: pd.DataFrame, dictionary: pd.DataFrame) -> list[Block]:
    """Return the table of training against held-out patients; none where nobody was held out."""
    if not holds_out(results["split"]["design"]):
        return []
    part = units["unit_id"].map(results.modelling.split.set_index("unit_id")["part"])
    parts = [("train", "training rows"), ("test", "test rows")]
    by_part = characteristics(units, dictionary, part, parts, patients=units["patient_id"])
    part_labels = {
        "training rows": f"Training\n(n = {int((part == 'train').sum())})",
        "test rows": f"Held out\n(n = {int((part == 'test').sum())})",
    }
    return [
        Table(
            name="characteristics-by-part",
            caption=f"Characteristics of training and held-out patients, same statistics. "
            f"{_held_out(results)}",
            shown=printed_rows(by_part, part_labels, len(units)),
            raw=by_part,
            numeric=columns_of_numbers(part_labels, len(units)),
            collapsed="Training patients (derivation) against held-out patients",
        ),
        _of_training(units[part == "train"], dictionary),
    ]


def _of_training(rows: pd.DataFrame, dictionary: pd.DataFrame) -> Table:
    """Return table 1 of the training patients alone, by outcome: what the models learned from."""
    rows = rows.reset_index(drop=True)
    events = rows["outcome"].astype(int)
    table = characteristics(
        rows, dictionary, events, [(0, "no event"), (1, "event")], patients=rows["patient_id"]
    )
    groups = {
        "no event": f"No event\n(n = {int((events == 0).sum())})",
        "event": f"Event\n(n = {int(events.sum())})",
    }
    return Table(
        name="characteristics-of-training",
        caption="Characteristics of the training patients by outcome, same statistics.",
        shown=printed_rows(table, groups, len(rows)),
        raw=table,
        numeric=columns_of_numbers(groups, len(rows)),
        collapsed="Training patients by outcome",
    )


def _has_clusters(units: pd.DataFrame) -> bool:
    return bool(units["patient_id"].duplicated().any())


def _of_patients(units: pd.DataFrame, unit: str) -> str:
    """Say how many patients the units are of, where that is another number."""
    if not _has_clusters(units):
        return ""
    return f"; {plural(units['patient_id'].nunique(), 'patient')} have {plural(len(units), unit)}"


def _dependence(units: pd.DataFrame, unit: str) -> str:
    """Say how tests take account of patients with several units."""
    if not _has_clusters(units):
        return ""
    return (
        f" A patient's {unit}s are not independent: a variable that is the same in all {unit}s of "
        f"each patient, between groups that are too, is compared with one {unit} per patient (‡); "
        "every other by the generalised score test with patients as clusters (Boos, Am Stat "
        "1992;46:327-333), on the ranks or levels. Medians and counts are of the "
        f"{unit}s."
    )


def _allowed(results: Results) -> list[str]:
    return [entry["column"] for entry in results.modelling.info["predictors"]]


def _described(results: Results, units: pd.DataFrame) -> pd.DataFrame:
    """Return the dictionary's predictors of any timing, and the level of the vertebra."""
    dictionary = results.study.dictionary
    rows = dictionary[dictionary["role"] == "predictor"]
    rows = rows[rows["column"].isin(units.columns)]
    levels = units.get("level")
    if levels is None or levels.dropna().empty or "level" in set(rows["column"]):
        return rows
    level = {
        "column": "level",
        "label": "Vertebral level",
        "type": "categorical",
        "levels": "|".join(sorted(levels.dropna().unique(), key=_anatomical)),
    }
    return pd.concat([rows, pd.DataFrame([level])], ignore_index=True)


def _anatomical(level: str) -> tuple[int, int, str]:
    match = _LEVEL.match(level)
    return ("CTLS".index(match[1]), int(match[2]), level) if match else (9, 0, level)


def _held_out(results: Results) -> str:
    """Say who is held out, and what a difference between the parts means."""
    split = results["split"]
    column = split["column"]
    if split["design"] == "imported":
        declared = {
            "random": "as drawn at random, so that differences are chance.",
            "temporal": "as earlier and later patients, so that a difference is a change over "
            "time, which the models have to bridge.",
            "site": "as patients of other sites, so that a difference is one between sites, which "
            "the models have to bridge.",
        }.get(split.get("declared"))
        how = f", declared {declared}" if declared else "; how they were made is not declared."
        return f"The parts were imported (column {column}){how}"
    if split["design"] == "by_site":
        sites = ", ".join(map(str, split["test_sites"]))
        return (
            f"Held out by site: {sites} (column {column}). A difference between the parts is one "
            "between sites, which the models have to bridge."
        )
    fraction = share(split["test_fraction"], 1)
    if split["design"] == "temporal":
        begin = split["test_from"]
        who = f"the last {fraction} of the patients" if begin is None else f"from {begin:g} on"
        return (
            f"Held out by time: {who} (column {column}). A difference between the parts is a "
            "change over time, which the models have to bridge."
        )
    return (
        f"{fraction} of the patients were held out at random, stratified by outcome: differences "
        "are due to chance; a small P value means an unlucky draw."
    )


def _named_tests(dictionary: pd.DataFrame) -> str:
    """Say that the dictionary names tests, where it does."""
    if "test" not in dictionary or not dictionary["test"].notna().any():
        return ""
    return " Tests that differ were named beforehand, in the data dictionary."


def _some(ids: list) -> str:
    shown = ", ".join(map(str, ids[:_SHOWN_IDS]))
    more = len(ids) - _SHOWN_IDS
    return f"{shown} and {more} more" if more > 0 else shown


def _unit(results: Results) -> str:
    return results["unit"]
