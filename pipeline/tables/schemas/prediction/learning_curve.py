"""Table of a model's learning curve."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

TOO_FEW: Words = "where the share held too few patients, see the note"


class LearningCurve(Result):
    """One row per repeat and share of the training patients."""

    model = Column(TEXT, "model")
    repeat = Column(COUNT, "number of the repeat, from 0")
    share = Column(NUMBER, "share of the patients that do not judge", unit="0 to 1")
    patients = Column(COUNT, "patients learned from", unit="patients")
    events = Column(COUNT, "rows with the event among those learned from", unit="rows")
    auroc = Column(NUMBER, "AUROC on the part that judges", null=TOO_FEW)
    auroc_own = Column(NUMBER, "AUROC on the rows learned from", null=TOO_FEW)
    brier = Column(NUMBER, "Brier score on the part that judges", null=TOO_FEW)
    brier_own = Column(NUMBER, "Brier score on the rows learned from", null=TOO_FEW)
    note = Column(TEXT, "why it was not fitted; blank where it was")
