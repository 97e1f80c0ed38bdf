"""Table of the simplest predictions."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT_OR_BLANK, NUMBER, TEXT, Column
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

NO_DATA: Words = "where the study has no data for it"


class References(Result):
    """One row per simple prediction, on the rows that judge the models."""

    reference = Column(
        TEXT,
        "what it predicts from",
        values=("intercept", "level", "volume", "hu", "bmd", "clinical", "radiomics"),
    )
    label = Column(TEXT, "the same in words")
    n_features = Column(COUNT_OR_BLANK, "columns of its signature", null=NO_DATA)
    auroc = Column(NUMBER, "AUROC", null=NO_DATA)
    auroc_low = Column(NUMBER, "lower limit of its interval", null=NO_DATA)
    auroc_high = Column(NUMBER, "upper limit of its interval", null=NO_DATA)
    brier = Column(NUMBER, "Brier score", null=NO_DATA)
    scaled_brier = Column(NUMBER, "scaled Brier score", null=NO_DATA)
    note = Column(TEXT, "why there are no numbers", null="where there are")
