"""Table of the stage that compares readers' masks."""

from __future__ import annotations

from pipeline.core.table_schema import NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

EMPTY: Words = "where a surface has no voxel"


class Agreement(Table):
    """One row per case and pair of masks."""

    case_id = Column(TEXT, "case")
    scan_id = Column(TEXT, "scan")
    level = Column(TEXT, "vertebra")
    reader_a = Column(TEXT, "one reader and version")
    reader_b = Column(TEXT, "the other")
    comparison = Column(
        TEXT,
        "two originals, or a reader's original with the latest correction",
        values=("readers", "correction"),
    )
    dice = Column(NUMBER, "Dice coefficient", unit="0 to 1")
    surface_dice = Column(
        NUMBER, "share of both surfaces within the tolerance", unit="0 to 1", null=EMPTY
    )
    hausdorff95_mm = Column(
        NUMBER, "95th percentile of the distances of surfaces", unit="mm", null=EMPTY
    )
    mean_surface_distance_mm = Column(
        NUMBER, "mean distance of the surfaces", unit="mm", null=EMPTY
    )
    volume_a_ml = Column(NUMBER, "volume of the first mask", unit="ml")
    volume_b_ml = Column(NUMBER, "volume of the second mask", unit="ml")
    volume_difference_percent = Column(NUMBER, "(b - a) / mean x 100", unit="%")
