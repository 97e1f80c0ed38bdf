"""Tables of the nested cross-validation of a model."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column
from pipeline.tables.schemas.result import Result


class Nested(Result):
    """One row per repeat and outer fold of the training patients."""

    model = Column(TEXT, "model")
    repeat = Column(COUNT, "repeat, from 0")
    fold = Column(COUNT, "outer fold, from 0")
    n = Column(COUNT, "rows of the outer fold", unit="units")
    events = Column(COUNT, "of them with the outcome", unit="units")
    auroc = Column(NUMBER, "AUROC in the outer fold", null="where the fold has one outcome only")
    brier = Column(NUMBER, "Brier score in the outer fold")
    parameters = Column(TEXT, "the chosen parameters as JSON")
    signature = Column(TEXT, "the chosen columns, joined by `|`")


class NestedPredictions(Result):
    """One row per training patient and repeat: the prediction of the fold that held it out."""

    unit_id = Column(TEXT, "unit")
    patient_id = Column(TEXT, "patient", null="where no table names it")
    outcome = Column(COUNT, "1 with the outcome, 0 without")
    repeat = Column(COUNT, "repeat, from 0")
    fold = Column(COUNT, "outer fold that held the row out, from 0")
    probability = Column(NUMBER, "predicted risk of the outcome", unit="0 to 1")
    threshold = Column(
        NUMBER,
        "threshold of the fold's model, chosen outside the fold",
        unit="0 to 1",
        null="where `search: fixed` gives none",
    )
