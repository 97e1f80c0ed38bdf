"""Tables of the stage that extracts features and computes some a second time."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

FAILED: Words = "where there are no features"


class Extraction(Table):
    """One row per case and reader that passed the preflight: how its extraction went."""

    case_id = Column(TEXT, "case")
    scan_id = Column(TEXT, "scan")
    patient_id = Column(TEXT, "patient")
    level = Column(TEXT, "vertebra")
    reader = Column(TEXT, "reader and version")
    status = Column(TEXT, "worst finding of both stages", values=("ok", "warning", "error"))
    findings = Column(TEXT, "findings of resampling and extraction as JSON")
    engine = Column(TEXT, "who computed the features", null=FAILED, values=("fast", "pyradiomics"))
    engine_reason = Column(
        TEXT, "why the fast engine handed the case to PyRadiomics", null="where it did not"
    )
    seconds = Column(NUMBER, "time of the computation when it was done", unit="s", null=FAILED)
    features_key = Column(TEXT, "key of the features in the store", null=FAILED)


class Verification(Table):
    """One row per case and reader that was computed a second time by plain PyRadiomics."""

    case_id = Column(TEXT, "case")
    reader = Column(TEXT, "reader and version")
    engine = Column(TEXT, "who computed the features first", values=("fast", "pyradiomics"))
    features = Column(COUNT, "features compared")
    max_relative_difference = Column(
        NUMBER, "largest relative difference", unit="relative", null="where none can be computed"
    )
    feature = Column(TEXT, "that feature, or what is wrong in words", null="where all are equal")
    seconds_engine = Column(NUMBER, "time from crop to features", unit="s", null="where unknown")
    seconds_plain = Column(
        NUMBER, "time from CT and mask to features by PyRadiomics", unit="s", null="where unknown"
    )
    status = Column(
        TEXT,
        "whether both agree; one that does not has an error in `extraction` and no features",
        values=("equal", "different"),
    )


class StoredFeatures(Table):
    """One row per feature of one case and reader (in the store)."""

    feature = Column(TEXT, "name as PyRadiomics prints it")
    value = Column(NUMBER, "its value", null="where it is not defined")
