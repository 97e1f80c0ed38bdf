"""Table of how stable the selection is."""

from __future__ import annotations

from pipeline.core.table_schema import FLAG, NUMBER, TEXT, Column
from pipeline.tables.schemas.result import Result


class SelectionStability(Result):
    """One row per candidate."""

    feature = Column(TEXT, "feature, or clinical predictor")
    block = Column(TEXT, "block of candidates", values=("radiomics", "clinical"))
    frequency = Column(NUMBER, "share of the subsamples that chose it", unit="0 to 1")
    frequency_permuted = Column(
        NUMBER,
        "the same under permuted outcomes, their mean",
        unit="0 to 1",
        null="without permuted outcomes",
    )
    selected = Column(FLAG, "chosen by all training patients, in the rigorous order in either mode")
