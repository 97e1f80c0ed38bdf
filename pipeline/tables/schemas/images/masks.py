"""Table of the stage that reads masks."""

from __future__ import annotations

from pipeline.core.table_schema import FLAG_AS_OBJECT, NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

UNREAD: Words = "where the mask could not be read"
NO_BONE: Words = "where it cannot be measured"


class Masks(Table):
    """One row per case and reader: what the checks found, where the mask is, what it encloses."""

    case_id = Column(TEXT, "case")
    scan_id = Column(TEXT, "scan")
    patient_id = Column(TEXT, "patient")
    level = Column(TEXT, "vertebra")
    reader = Column(TEXT, "reader and version")
    status = Column(TEXT, "worst finding", values=("ok", "warning", "error"))
    findings = Column(TEXT, "findings as JSON: code, severity, message, remedy")
    mask = Column(
        TEXT,
        "place of mask.nrrd in the store: 0 and 1 on the grid of the CT",
        null="where a finding is an error",
    )
    source_hash = Column(TEXT, "SHA-256 over the content of the source file", null=UNREAD)
    mask_hash = Column(TEXT, "SHA-256 of the mask on the CT's grid", null=UNREAD)
    label = Column(TEXT, "label number or segment name that was taken", null=UNREAD)
    reoriented = Column(
        FLAG_AS_OBJECT,
        "whether the mask's axes ran in other directions than the CT's: plain PyRadiomics on the "
        "file as handed in then gives other values",
        null=UNREAD,
    )
    voxels = Column(NUMBER, "size of the region", unit="voxels", null=UNREAD)
    volume_ml = Column(NUMBER, "volume of the region", unit="ml", null=UNREAD)
    mean_hu = Column(NUMBER, "mean of the CT in the region", unit="HU", null=UNREAD)
    tissue_hu = Column(NUMBER, "mean without gas and dense material", unit="HU", null=NO_BONE)
    gas_share = Column(NUMBER, "share of voxels below -200 HU", unit="0 to 1", null=UNREAD)
    dense_share = Column(NUMBER, "share of voxels above 1,500 HU", unit="0 to 1", null=UNREAD)
    slices = Column(
        NUMBER, "fewest layers of voxels along an axis of the grid", unit="layers", null=UNREAD
    )
    components = Column(NUMBER, "separate parts of the region", unit="parts", null=UNREAD)
    stray_share = Column(
        NUMBER, "share of voxels outside the largest part", unit="0 to 1", null=UNREAD
    )
    holes_share = Column(NUMBER, "share of enclosed holes", unit="0 to 1", null=UNREAD)
    touches_border = Column(FLAG_AS_OBJECT, "whether it reaches the edge of the CT", null=UNREAD)
    posterior_elements = Column(
        FLAG_AS_OBJECT, "whether pedicles or arch are in it, not the body alone", null=UNREAD
    )
    extent_x_mm = Column(NUMBER, "extent along x (left-right)", unit="mm", null=UNREAD)
    extent_y_mm = Column(NUMBER, "extent along y (front-back)", unit="mm", null=UNREAD)
    extent_z_mm = Column(NUMBER, "extent along z (head-foot)", unit="mm", null=UNREAD)
    centre_x_mm = Column(NUMBER, "centre, x to the left (LPS)", unit="mm", null=UNREAD)
    centre_y_mm = Column(NUMBER, "centre, y to the back (LPS)", unit="mm", null=UNREAD)
    centre_z_mm = Column(NUMBER, "centre, z to the head (LPS)", unit="mm", null=UNREAD)
    edge_hu = Column(NUMBER, "CT inside minus outside of the boundary", unit="HU", null=NO_BONE)
    offset_mm = Column(
        NUMBER,
        "distance to where the mask would fit the edge of bone best",
        unit="mm",
        null=NO_BONE,
    )
