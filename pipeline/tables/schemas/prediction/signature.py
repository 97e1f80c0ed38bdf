"""Tables of the signature: correlations of its columns, and components around mRMR."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column
from pipeline.tables.schemas.result import Result

STAGES = ("before mRMR", "after mRMR")


class SignatureCorrelations(Result):
    """One row per pair of columns of the signature, on the rows that it was selected on."""

    first = Column(TEXT, "one column, as the model sees it")
    second = Column(TEXT, "the other")
    rho = Column(NUMBER, "Spearman's rank correlation", null="where a column is constant")


class Components(Result):
    """One row per principal component of the radiomic features, before and after mRMR."""

    stage = Column(TEXT, "features that they are of", values=STAGES)
    component = Column(COUNT, "number of the component, from 1; ten at most")
    share = Column(NUMBER, "share of the variance, every feature counting alike", unit="0 to 1")


class ComponentScores(Result):
    """One row per row that features were selected on, without an id, before and after mRMR."""

    stage = Column(TEXT, "features that they are of", values=STAGES)
    outcome = Column(COUNT, "1 with the outcome, 0 without")
    first = Column(NUMBER, "score on the first component")
    second = Column(NUMBER, "score on the second component")


SIGNATURE = {
    "signature_correlations": SignatureCorrelations,
    "components": Components,
    "component_scores": ComponentScores,
}
"""Name of the file in `tables/` -> its class."""
