"""How scans of those with and without the event were acquired: a difference may mislead."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Table
from pipeline.reporting.parts.characteristics import characteristics
from pipeline.reporting.parts.characteristics_rows import columns_of_numbers, printed_rows
from pipeline.reporting.results import Results
from pipeline.tables.subgroup_columns import acquisition_of_units

#: Facts of the headers: label, type as in a data dictionary, unit.
_FACTS = {
    "manufacturer": ("Manufacturer", "categorical", ""),
    "scanner": ("Scanner", "categorical", ""),
    "kernel": ("Reconstruction kernel", "categorical", ""),
    "kvp": ("Tube voltage", "categorical", "kV"),
    "tube_current_ma": ("Tube current", "continuous", "mA"),
    "contrast": ("Contrast agent, by the header", "categorical", ""),
    "contrast_phase": ("Phase, by the header", "categorical", ""),
    "slice_thickness_mm": ("Slice thickness", "continuous", "mm"),
    "spacing_x": ("Pixel spacing in the slice", "continuous", "mm"),
    "spacing_z": ("Spacing between slices", "continuous", "mm"),
    "days_before": ("CT before the operation (negative: after it)", "continuous", "days"),
}


def acquisition_by_outcome(results: Results) -> list[Block]:
    """Build the table of acquisition by outcome; none without an outcome or any known fact.

    Parameters
    ----------
    results : Results
        A finished run with images.
    """
    if results.modelling is None:
        return []
    cases, units = results.study.cases, results.modelling.units.reset_index(drop=True)
    ingest = results.imaging.ingest
    if "days_from_surgery" in cases:
        days = cases.drop_duplicates("scan_id").set_index("scan_id")["days_from_surgery"]
        ingest = ingest.assign(days_before=-ingest["scan_id"].map(days).astype(float))
    facts = acquisition_of_units(ingest, cases, f"{results['unit']}_id", list(_FACTS))
    facts = facts.reindex(units["unit_id"]).reset_index(drop=True)
    facts["kvp"] = facts["kvp"].map(lambda value: f"{value:g}", na_action="ignore")
    dictionary = pd.DataFrame(
        [
            {"column": name, "label": label, "type": kind, "unit": unit, "levels": None}
            for name, (label, kind, unit) in _FACTS.items()
            if name in facts and facts[name].notna().any()
        ]
    )
    if dictionary.empty:
        return []
    events = units["outcome"].astype(int)
    table = characteristics(
        facts, dictionary, events, [(0, "no event"), (1, "event")], patients=units["patient_id"]
    )
    groups = {
        "no event": f"No event\n(n = {int((events == 0).sum())})",
        "event": f"Event\n(n = {int(events.sum())})",
    }
    return [
        Table(
            name="acquisition-by-outcome",
            caption=f"How the CTs of {results['unit']}s with and without the event were acquired, "
            "statistics as in table 1. If they differ, a model may learn the scanner in place of "
            "the patient.",
            shown=printed_rows(table, groups, len(units)),
            raw=table,
            numeric=columns_of_numbers(groups, len(units)),
            collapsed="Acquisition by outcome",
        )
    ]
