"""Every row of docs/bad_inputs.md has a remedy, and each remedy works (tests/remedies)."""

from __future__ import annotations

import importlib

import pytest

from tests.docs.test_bad_inputs_doc import ROWS

#: Module of tests/remedies for each section of the page.
MODULES = {
    "DICOM": "dicom",
    "Volumes": "volumes",
    "Masks": "masks",
    "Tables": "tables",
    "Configuration": "configuration",
    "Parameter files": "parameter_files",
    "Frozen models": "frozen_models",
    "Too few patients for a model": "too_few_patients",
    "Altered files of frozen models": "altered_models",
    "Shared results": "shared_results",
    "Commands": "commands",
    "Machine": "machine",
    "Steps run by hand, or after an update": "steps_by_hand",
    "Demo and proofs": "demo_and_proofs",
    "Calls in Python": "calls",
}
REMEDIES = {
    section: importlib.import_module(f"tests.remedies.{name}").REMEDIES
    for section, name in MODULES.items()
}


@pytest.mark.parametrize("section", MODULES)
def test_each_row_has_its_remedy(section):
    rows = {row.bad_input for row in ROWS if row.section == section and row.tried}
    assert set(REMEDIES[section]) == rows


def test_every_section_has_a_module():
    """Rows that say `tried: false` are counted in tests/docs/test_bad_inputs_doc.py."""
    assert {row.section for row in ROWS if row.tried} == set(MODULES)


@pytest.mark.parametrize(
    ("section", "bad_input"),
    [(section, bad_input) for section, of in REMEDIES.items() for bad_input in of],
)
def test_remedy(section, bad_input, tmp_path):
    REMEDIES[section][bad_input](tmp_path)
