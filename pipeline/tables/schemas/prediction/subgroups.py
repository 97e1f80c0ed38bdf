"""Table of a study's models in groups of patients and scans."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column
from pipeline.tables.schemas.prediction.evaluation import NOT_ESTIMABLE
from pipeline.tables.schemas.result import Result


class Subgroups(Result):
    """One row per model, column of groups, group and figure, on the rows that judge the models."""

    model = Column(TEXT, "model")
    by = Column(TEXT, "column of the groups")
    group = Column(TEXT, "value of it, or range of its numbers")
    rows = Column(COUNT, "rows of the group", unit="rows")
    patients = Column(COUNT, "patients of the group", unit="patients")
    events = Column(COUNT, "rows with the event", unit="rows")
    metric = Column(TEXT, "auroc, oe_ratio, calibration_intercept, calibration_slope")
    value = Column(NUMBER, "estimate", null="of a group that is too small, or not estimable")
    low = Column(NUMBER, "lower limit of its interval", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of its interval", null=NOT_ESTIMABLE)
    method = Column(TEXT, "how the interval was obtained, or why there is no value")
