"""Table of the sensitivity analyses of a model."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT_OR_BLANK, NUMBER, TEXT, Column
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

NOT_DONE: Words = "where it was not done, or cannot be estimated"


class Sensitivity(Result):
    """One row per other reader, and one of complete cases, on the rows that judge the models."""

    model = Column(TEXT, "model")
    analysis = Column(
        TEXT,
        "with the features of another reader, or fitted to complete cases",
        values=("other-reader", "complete-cases"),
    )
    reader = Column(TEXT, "the other reader", null="of complete cases")
    training = Column(
        COUNT_OR_BLANK, "rows fitted to", unit="units", null="of other readers, or not done"
    )
    n = Column(COUNT_OR_BLANK, "rows", unit="units", null=NOT_DONE)
    events = Column(COUNT_OR_BLANK, "of them with the outcome", unit="units", null=NOT_DONE)
    auroc = Column(NUMBER, "AUROC of this analysis", null=NOT_DONE)
    auroc_low = Column(NUMBER, "lower limit of its interval", null=NOT_DONE)
    auroc_high = Column(NUMBER, "upper limit of its interval", null=NOT_DONE)
    auroc_main = Column(NUMBER, "AUROC of the model as it is, on the same rows", null=NOT_DONE)
    difference = Column(NUMBER, "this analysis minus the model as it is, paired", null=NOT_DONE)
    difference_low = Column(NUMBER, "lower limit of its interval", null=NOT_DONE)
    difference_high = Column(NUMBER, "upper limit of its interval", null=NOT_DONE)
    method = Column(TEXT, "how the interval was obtained", null=NOT_DONE)
    note = Column(TEXT, "why it was not done; blank where it was")
