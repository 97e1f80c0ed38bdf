"""Tables that every model starts from: one row per unit, and its part of the split."""

from __future__ import annotations

from pipeline.core.table_schema import CELL, COUNT, NUMBER, TEXT, Column, Table


class Analysis(Table):
    """One row per unit: outcome, clinical columns and every reader's features."""

    unit_id = Column(TEXT, "unit: the patient, or the case with `unit: case`")
    patient_id = Column(TEXT, "patient", null="where no table names it")
    outcome = Column(COUNT, "1 with the outcome, 0 without")
    level = Column(TEXT, "vertebra, several joined by `|`", null="where unknown")
    features = Column(
        NUMBER,
        "feature of a reader's original mask; `<reader>.latest:<feature>`, of readers with "
        "corrected masks, is what models see",
        unit="of the feature",
        null="where not measured",
        pattern="[^:]+:.+",
        named="<reader>:<feature>",
    )
    clinical = Column(
        CELL,
        "every clinical column, as in the clinical table",
        null="where a value is missing",
        pattern="[^:]+",
        named="<column of the dictionary>",
    )


class Split(Table):
    """One row per unit: the part that it belongs to."""

    unit_id = Column(TEXT, "unit")
    patient_id = Column(TEXT, "patient", null="where no table names it")
    outcome = Column(COUNT, "1 with the outcome, 0 without")
    part = Column(TEXT, "part of the split", values=("train", "test"))
    fold = Column(
        COUNT, "fold in which a training patient is validated, from 0; -1 for held-out patients"
    )
