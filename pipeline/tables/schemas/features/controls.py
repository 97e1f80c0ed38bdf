"""Tables of the negative controls."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, COUNT_OR_BLANK, NUMBER, TEXT, Column, Table
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

KINDS = ("shuffled_inside", "sampled_inside", "shuffled_outside", "sampled_outside")

NOT_FITTED: Words = "where the arm could not be fitted"
OF_TRUE: Words = "of the true features themselves"


class ControlFeatures(Table):
    """One row per case, reader, kind of control and draw."""

    case_id = Column(TEXT, "case")
    reader = Column(TEXT, "reader and version")
    kind = Column(TEXT, "how voxels were mixed", values=KINDS)
    draw = Column(COUNT, "number of the draw, from 0")
    features = Column(
        NUMBER,
        "a feature of the mixed voxels, under the name that PyRadiomics prints",
        unit="of the feature",
        null="where it is not defined, or the extraction failed",
        pattern=".+",
        named="<feature>",
    )


class ControlRows(Table):
    """One row per unit, kind of control and draw, laid out as the analysis table."""

    kind = Column(TEXT, "how voxels were mixed", values=KINDS)
    draw = Column(COUNT, "number of the draw, from 0")
    unit_id = Column(TEXT, "unit")
    features = Column(
        NUMBER,
        "feature of the mixed voxels of a reader's mask",
        unit="of the feature",
        null="where it is not defined, or the extraction failed",
        pattern="[^:]+:.+",
        named="<reader>:<feature>",
    )


class Controls(Result):
    """One row per arm: the true features, those of mixed voxels, and the simplest predictions."""

    arm = Column(TEXT, "what it was fitted to", values=("true", *KINDS, "shape", "volume", "hu"))
    draws = Column(COUNT_OR_BLANK, "draws that could be fitted", null=OF_TRUE)
    n_features = Column(
        NUMBER, "columns of the signature, mean over draws and folds", null=NOT_FITTED
    )
    n = Column(COUNT_OR_BLANK, "rows that judge it", unit="units", null=NOT_FITTED)
    events = Column(COUNT_OR_BLANK, "of them with the outcome", unit="units", null=NOT_FITTED)
    auroc = Column(NUMBER, "AUROC, mean over draws", null=NOT_FITTED)
    auroc_low = Column(NUMBER, "lower limit of its interval", null=NOT_FITTED)
    auroc_high = Column(NUMBER, "upper limit of its interval", null=NOT_FITTED)
    draws_low = Column(NUMBER, "least AUROC of a draw", null="of arms without draws")
    draws_high = Column(NUMBER, "greatest AUROC of a draw", null="of arms without draws")
    lost = Column(NUMBER, "AUROC of the true features less this one", null=OF_TRUE)
    lost_low = Column(NUMBER, "lower limit of its interval, paired", null=OF_TRUE)
    lost_high = Column(NUMBER, "upper limit of its interval, paired", null=OF_TRUE)
    method = Column(TEXT, "how intervals were obtained", null=NOT_FITTED)
    note = Column(TEXT, "why it has no numbers; blank where it has", null="where it has")
