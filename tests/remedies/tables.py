"""Remedies of the section of docs/bad_inputs.md of this name, by the door that refuses."""

from __future__ import annotations

from tests.remedies import (
    Remedy,
    tables_clinical_sheets,
    tables_described,
    tables_files,
    tables_groups,
    tables_late,
    tables_models,
    tables_people,
    tables_ready,
    tables_regression,
    tables_sites,
    tables_together,
    tables_validation,
    tables_values,
)

PARTS = [
    *(tables_files, tables_values, tables_ready, tables_people, tables_late, tables_groups),
    *(tables_regression, tables_models, tables_clinical_sheets, tables_validation, tables_sites),
    *(tables_described, tables_together),
]
REMEDIES: dict[str, Remedy] = {
    bad_input: remedy for part in PARTS for bad_input, remedy in part.REMEDIES.items()
}
assert len(REMEDIES) == sum(len(part.REMEDIES) for part in PARTS)
