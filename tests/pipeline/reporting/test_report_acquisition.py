"""Acquisition by outcome, table 1 of the training rows, and what only authors know."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.reporting.blocks import Points, Table
from pipeline.reporting.paper.image_methods import image_paragraph
from pipeline.reporting.parts.acquisition import acquisition_by_outcome
from pipeline.reporting.sections.patients import characteristics_section
from pipeline.reporting.words.told_by_authors import told_by_authors


@pytest.fixture
def imaged(lr_results):
    """Return the small study as if each unit came from a CT: events had the sharp kernel."""
    units = lr_results.modelling.units
    cases = pd.DataFrame({"case_id": units["unit_id"], "patient_id": units["patient_id"]})
    cases["scan_id"] = [f"scan {at}" for at in range(len(cases))]
    cases["days_from_surgery"] = -np.arange(len(cases), dtype=float)
    ingest = pd.DataFrame({"scan_id": cases["scan_id"], "kvp": 120.0, "scanner": None})
    ingest["tube_current_ma"] = 200.0
    ingest["contrast"] = np.where(units["outcome"] == 1, "given", None)
    ingest["kernel"] = np.where(units["outcome"] == 1, "B60", "B30")
    ingest["spacing_z"] = 3.0 + 1e-14 * np.arange(len(units))
    ingest["slice_thickness_mm"] = np.linspace(1, 3, len(units))
    study = replace(lr_results.study, cases=cases)
    return replace(lr_results, study=study, imaging=SimpleNamespace(ingest=ingest))


def test_a_kernel_that_goes_with_the_event_is_seen(imaged):
    (table,) = acquisition_by_outcome(imaged)
    raw = table.file_table.set_index(["variable", "level"])
    events = int(imaged.modelling.units["outcome"].sum())
    assert raw.loc[("Reconstruction kernel", "B60"), "event"] == f"{events} (100.0%)"
    assert raw.loc[("Reconstruction kernel", "B60"), "no event"] == "0 (0.0%)"
    head = table.file_table[table.file_table["level"].isna()].set_index("variable")
    assert head.loc["Reconstruction kernel", "p"] < 1e-6
    # What no header states is no row; tube voltage is counted, thickness measured.
    assert "Scanner" not in head.index
    assert head.loc["Tube voltage", "summary"] == "n (%)"
    assert raw.loc[("Contrast agent, by the header", "given"), "event"] == f"{events} (100.0%)"
    assert "Phase, by the header" not in head.index
    assert head.loc["Tube current", "summary"] == "median [Q1, Q3]"
    assert head.loc["Slice thickness", "summary"] == "median [Q1, Q3]"
    assert "CT before the operation (negative: after it)" in head.index
    before = head.loc["CT before the operation (negative: after it)", "overall"]
    assert float(before.split(" ")[0]) == np.median(np.arange(len(imaged.modelling.units)))
    # What differs by rounding alone is tested as little as what does not differ.
    assert head.loc["Spacing between slices", "overall"] == "3.00 [3.00, 3.00]"
    assert np.isnan(head.loc["Spacing between slices", "p"])
    assert not np.isnan(head.loc["Slice thickness", "p"])


def test_without_models_there_is_no_such_table(imaged):
    assert acquisition_by_outcome(replace(imaged, modelling=None)) == []


def test_table_1_of_the_training_rows_counts_them_alone(lr_results):
    tables = {
        block.name: block
        for block in characteristics_section(lr_results).all_blocks()
        if isinstance(block, Table)
    }
    own = tables["characteristics-of-training"]
    split = lr_results.modelling.split
    training = split[split["part"] == "train"]
    assert f"All\n(n = {len(training)})" in own.shown.columns
    assert f"Event\n(n = {training['outcome'].sum()})" in own.shown.columns
    assert "derivation" in tables["characteristics-by-part"].collapsed.lower()


def test_what_authors_say_is_shown_and_what_they_do_not_is_named(imaged):
    options = imaged.study.config["reporting"] | {
        "analgesics": "celecoxib for 7 days",
        "outcome_window": "day 3 and day 30",
        "ct_interval": "within a week",
    }
    config = imaged.study.config | {"reporting": options}
    told = replace(imaged, study=replace(imaged.study, config=config))
    (points,) = told_by_authors(told)
    assert isinstance(points, Points)
    said = dict(points.points)
    assert said["Analgesics"] == "Celecoxib for 7 days."
    # The table of cases knows better than the words.
    middle = -imaged.study.cases["days_from_surgery"].median()
    assert said["Time from CT to operation"].startswith(f"Median {middle:.0f} days before")
    assert "blinding of readers" in said["Not yet stated by the authors"].lower()
    assert "analgesics" not in said["Not yet stated by the authors"].lower()


def test_a_study_that_says_nothing_has_no_empty_list(lr_results):
    assert told_by_authors(lr_results) == []


def test_the_methods_say_contrast_by_the_headers_unless_authors_do(imaged):
    ingest = imaged.imaging.ingest.assign(status="ok", contrast_phase=None)
    ingest.loc[0, ["contrast", "contrast_phase"]] = "given", "venous"
    given = int((ingest["contrast"] == "given").sum())
    headers = replace(imaged, imaging=SimpleNamespace(ingest=ingest))
    text = image_paragraph(headers)
    assert f"not stated ({len(ingest) - given}) and given ({given})" in text
    assert (
        f"phase of contrast by the headers: not stated ({len(ingest) - 1}) and venous (1)" in text
    )
    assert "tube current 200 mA" in text
    assert "[Authors: agent, dose and phase of the contrast medium.]" in text
    options = imaged.study.config["reporting"] | {"contrast": "iohexol, portal venous phase"}
    config = imaged.study.config | {"reporting": options}
    told = replace(headers, study=replace(imaged.study, config=config))
    text = image_paragraph(told)
    assert "Contrast medium: iohexol, portal venous phase." in text
    assert "by the headers" not in text
    assert "agent, dose" not in text


def test_tables_of_before_without_contrast_are_shown_as_they_were(imaged):
    old = imaged.imaging.ingest.drop(columns=["contrast", "tube_current_ma"]).assign(status="ok")
    results = replace(imaged, imaging=SimpleNamespace(ingest=old))
    (table,) = acquisition_by_outcome(results)
    assert "Tube current" not in set(table.file_table["variable"])
    assert "[Authors: contrast medium and phase.]" in image_paragraph(results)
