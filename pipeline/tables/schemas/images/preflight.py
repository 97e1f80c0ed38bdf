"""Table of the verdicts that come before anything slow."""

from __future__ import annotations

from pipeline.core.table_schema import TEXT, Column, Table


class Preflight(Table):
    """One row per case and reader: the verdict on CT and mask; an error goes no further."""

    case_id = Column(TEXT, "case")
    scan_id = Column(TEXT, "scan")
    patient_id = Column(TEXT, "patient")
    level = Column(TEXT, "vertebra")
    reader = Column(TEXT, "reader and version")
    verdict = Column(TEXT, "worst finding on the CT or the mask", values=("ok", "warning", "error"))
    findings = Column(TEXT, "findings as JSON: code, severity, message, remedy, about")
    image_file = Column(TEXT, "name of the CT's file or folder")
    mask_file = Column(TEXT, "name of the mask's file")
