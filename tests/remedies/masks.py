"""Remedies of the section of docs/bad_inputs.md of this name."""

from __future__ import annotations

from tests.remedies import (
    Remedy,
    masks_at_intake,
    masks_in_files,
    masks_in_stages,
    masks_noted,
    masks_of_dicom,
    masks_on_ct,
)

REMEDIES: dict[str, Remedy] = {
    **masks_in_files.REMEDIES,
    **masks_of_dicom.REMEDIES,
    **masks_on_ct.REMEDIES,
    **masks_at_intake.REMEDIES,
    **masks_noted.REMEDIES,
    **masks_in_stages.REMEDIES,
}
