"""Table of the stage that normalises and resamples crops."""

from __future__ import annotations

from pipeline.core.table_schema import NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

NO_CROP: Words = "where there is no crop"
NOT_CUT: Words = "where nothing is normalised or cut"


class Resample(Table):
    """One row per case and reader that passed the preflight."""

    case_id = Column(TEXT, "case")
    scan_id = Column(TEXT, "scan")
    patient_id = Column(TEXT, "patient")
    level = Column(TEXT, "vertebra")
    reader = Column(TEXT, "reader and version")
    status = Column(TEXT, "worst finding", values=("ok", "warning", "error"))
    findings = Column(TEXT, "findings as JSON: code, severity, message, remedy")
    crop = Column(
        TEXT,
        "place in the store of image.nrrd (float64), mask.nrrd and crop.json",
        null=NO_CROP,
    )
    crop_key = Column(TEXT, "key of that entry", null=NO_CROP)
    clipped_share = Column(
        NUMBER,
        "share of the region's voxels at the clipping limits of the normalisation",
        unit="0 to 1",
        null=NOT_CUT,
    )
    image_mean_hu = Column(NUMBER, "mean of the whole CT", unit="HU", null=NOT_CUT)
    image_sd_hu = Column(NUMBER, "standard deviation of the whole CT", unit="HU", null=NOT_CUT)
    clip_low_hu = Column(NUMBER, "lower clipping limit", unit="HU", null=NOT_CUT)
    clip_high_hu = Column(NUMBER, "upper clipping limit", unit="HU", null=NOT_CUT)
    engine = Column(TEXT, "who made the crop", null=NO_CROP, values=("fast", "pyradiomics"))
    engine_reason = Column(
        TEXT, "why the fast engine handed the case to PyRadiomics", null="where it did not"
    )
