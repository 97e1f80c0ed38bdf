"""Table of missing values by outcome."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column, Table


class Missingness(Table):
    """One row per clinical predictor, and one per reader's features."""

    predictor = Column(TEXT, "column, or `<reader>:` for the features of a reader")
    label = Column(TEXT, "what reports call it")
    n = Column(COUNT, "units", unit="units")
    missing = Column(COUNT, "units without a value, of features: of any", unit="units")
    events = Column(COUNT, "units with the outcome", unit="units")
    events_missing = Column(COUNT, "of them without a value", unit="units")
    non_events = Column(COUNT, "units without the outcome", unit="units")
    non_events_missing = Column(COUNT, "of them without a value", unit="units")
    p_value = Column(
        NUMBER,
        "Fisher's exact test of missing against outcome",
        null="where nothing or everything is missing, or patients have several units",
    )
