"""Table of the two orders of oversampling and splitting."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

UNDEFINED: Words = "where it is not defined"


class Orders(Table):
    """One row per model, order and outcome, on the held-out patients at a threshold of 0.5."""

    model = Column(TEXT, "model")
    order = Column(TEXT, "when rows are oversampled: before the split leaks")
    outcome = Column(TEXT, "outcome as observed, or dealt anew", values=("observed", "permuted"))
    draw = Column(COUNT, "number of the permuted outcome; 0 where observed or of the first")
    mode = Column(TEXT, "whether the order leaks")
    measures = Column(
        NUMBER,
        "metrics at a threshold of 0.5, and the AUROC",
        null=UNDEFINED,
        pattern="[a-z0-9_]+",
        named="<metric>",
    )
    tp = Column(COUNT, "events predicted", unit="rows")
    fp = Column(COUNT, "non-events predicted as events", unit="rows")
    fn = Column(COUNT, "events missed", unit="rows")
    tn = Column(COUNT, "non-events predicted as such", unit="rows")
    rows = Column(COUNT, "rows of held-out patients", unit="rows")
    synthetic = Column(COUNT, "of them synthetic", unit="rows")
