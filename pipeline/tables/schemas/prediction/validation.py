"""Tables of a validation (`vertebromics judge --validation`): figures, groups, updates."""

from __future__ import annotations

from pipeline.core.table_schema import (
    COUNT,
    COUNT_OR_BLANK,
    FLAG_OR_BLANK,
    NUMBER,
    TEXT,
    Column,
    Table,
)
from pipeline.core.words import Words
from pipeline.tables.schemas.prediction.evaluation import NOT_ESTIMABLE, UNDEFINED


class ValidationFigures(Table):
    """One row per model and figure."""

    model = Column(TEXT, "model")
    part = Column(TEXT, "rows", values=("validation",))
    metric = Column(
        TEXT,
        "auroc, brier, scaled_brier, oe_ratio, calibration_intercept, calibration_slope, "
        "joint_intercept, ici, e50, e90, emax",
    )
    value = Column(NUMBER, "estimate", null=UNDEFINED)
    low = Column(NUMBER, "lower limit of its interval", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of its interval", null=NOT_ESTIMABLE)
    method = Column(TEXT, "how the interval was obtained", null=NOT_ESTIMABLE)


class ValidationGroups(Table):
    """One row per model, column of groups, group and figure."""

    model = Column(TEXT, "model")
    by = Column(TEXT, "column of the groups")
    group = Column(TEXT, "value of it")
    rows = Column(COUNT, "rows of the group", unit="rows")
    patients = Column(COUNT, "patients of the group", unit="patients")
    events = Column(COUNT, "rows with the event", unit="rows")
    metric = Column(TEXT, "auroc, oe_ratio, calibration_intercept, calibration_slope")
    value = Column(NUMBER, "estimate", null="of a group that is too small")
    low = Column(NUMBER, "lower limit of its interval", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of its interval", null=NOT_ESTIMABLE)
    method = Column(TEXT, "how the interval was obtained, or why there is no value")


NOT_FITTED: Words = "where it was not done, as a refit of trees or networks"


class Updates(Table):
    """One row per model and way of updating it."""

    model = Column(TEXT, "model")
    method = Column(TEXT, "as it is, intercept, intercept and slope, refit")
    intercept = Column(NUMBER, "added to the logit", null="of a refit, or not estimable")
    intercept_low = Column(NUMBER, "lower limit", null="where it is not estimated")
    intercept_high = Column(NUMBER, "upper limit", null="where it is not estimated")
    slope = Column(NUMBER, "the logit is multiplied with it", null="of a refit")
    slope_low = Column(NUMBER, "lower limit", null="where it is not estimated")
    slope_high = Column(NUMBER, "upper limit", null="where it is not estimated")
    brier = Column(NUMBER, "Brier score on the rows of the validation", null=NOT_FITTED)
    brier_corrected = Column(NUMBER, "the same, less the optimism", null=NOT_FITTED)
    log_likelihood = Column(NUMBER, "of the rows, taken for independent", null=NOT_FITTED)
    p_value = Column(NUMBER, "of the test against intercept and slope", null="of the others")
    needed = Column(COUNT_OR_BLANK, "patients that it needs", unit="patients", null="where unknown")
    patients = Column(COUNT_OR_BLANK, "patients here", unit="patients")
    suggested = Column(FLAG_OR_BLANK, "whether the closed test chooses it", null="without a test")
    note = Column(TEXT, "why it was not done, or what to mind", null="where there is nothing")


class FrozenPredictions(Table):
    """One row per judged row of the table: what a frozen model predicts."""

    row = Column(COUNT, "row of the table, as a spreadsheet numbers it")
    outcome = Column(COUNT, "1 with the outcome, 0 without")
    risk = Column(NUMBER, "risk as the study's own model predicts it", unit="0 to 1")
    calibrated = Column(NUMBER, "the same, recalibrated", unit="0 to 1")


VALIDATION: dict[str, type[Table]] = {
    "validation": ValidationFigures,
    "updates": Updates,
    "groups": ValidationGroups,
}
