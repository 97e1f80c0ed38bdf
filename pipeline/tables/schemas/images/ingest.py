"""Table of the stage that reads CT."""

from __future__ import annotations

from pipeline.core.table_schema import NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

UNREAD: Words = "where the CT could not be read"
NOT_TOLD: Words = "where the file does not tell"


class Ingest(Table):
    """One row per scan: what its checks found, where its volume is, facts of the acquisition."""

    scan_id = Column(TEXT, "scan")
    patient_id = Column(TEXT, "patient")
    status = Column(TEXT, "worst finding", values=("ok", "warning", "error"))
    findings = Column(TEXT, "findings as JSON: code, severity, message, remedy")
    image = Column(TEXT, "place of ct.nrrd in the store", null="where a finding is an error")
    source_hash = Column(TEXT, "SHA-256 over the content of the source files", null=UNREAD)
    image_hash = Column(TEXT, "SHA-256 of voxels and geometry", null=UNREAD)
    format = Column(TEXT, "format of the source", null=UNREAD)
    size_x = Column(NUMBER, "voxels along x", unit="voxels", null=UNREAD)
    size_y = Column(NUMBER, "voxels along y", unit="voxels", null=UNREAD)
    size_z = Column(NUMBER, "voxels along z", unit="voxels", null=UNREAD)
    spacing_x = Column(NUMBER, "distance of voxels along x", unit="mm", null=UNREAD)
    spacing_y = Column(NUMBER, "distance of voxels along y", unit="mm", null=UNREAD)
    spacing_z = Column(NUMBER, "distance of voxels along z", unit="mm", null=UNREAD)
    orientation = Column(TEXT, "directions of the index axes x, y, z, such as LPS", null=UNREAD)
    hu_min = Column(NUMBER, "least value of the volume", unit="HU", null=UNREAD)
    hu_max = Column(NUMBER, "greatest value of the volume", unit="HU", null=UNREAD)
    hu_mean = Column(NUMBER, "mean of the volume", unit="HU", null=UNREAD)
    hu_sd = Column(NUMBER, "standard deviation of the volume (n - 1)", unit="HU", null=UNREAD)
    padding_hu = Column(NUMBER, "value that the header calls padding", unit="HU", null=NOT_TOLD)
    padding_share = Column(
        NUMBER, "share of all voxels that are padding", unit="0 to 1", null=NOT_TOLD
    )
    manufacturer = Column(TEXT, "manufacturer of the scanner", null=NOT_TOLD)
    scanner = Column(TEXT, "model of the scanner", null=NOT_TOLD)
    kvp = Column(NUMBER, "tube voltage", unit="kV", null=NOT_TOLD)
    kernel = Column(TEXT, "reconstruction kernel", null=NOT_TOLD)
    slice_thickness_mm = Column(NUMBER, "slice thickness of the header", unit="mm", null=NOT_TOLD)
    tube_current_ma = Column(NUMBER, "tube current, median of the slices", unit="mA", null=NOT_TOLD)
    contrast = Column(
        TEXT, "contrast agent, as the header states", values=("given", "not given"), null=NOT_TOLD
    )
    contrast_phase = Column(
        TEXT,
        "phase of the contrast agent, as the header states",
        values=("native", "arterial", "venous", "delayed"),
        null=NOT_TOLD,
    )
    transfer_syntax = Column(TEXT, "name of the DICOM transfer syntax", null="unless DICOM")
    series_rule = Column(TEXT, "what chose the DICOM series, in words", null="unless DICOM")
