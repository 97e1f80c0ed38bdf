"""Tables of the evaluation of all models; all but the metrics are of the rows that judge them.

These are the held-out patients, or without a hold-out those that outer folds held out.
"""

from __future__ import annotations

from pipeline.core.table_schema import ANY_NUMBER, COUNT, FLAG, NUMBER, TEXT, Column, Table
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

UNDEFINED: Words = "where it is not defined"
NOT_ESTIMABLE: Words = "where it cannot be estimated, see the method"
DEPENDENT: Words = "where patients have several units"


class Metrics(Result):
    """One row per model, part and metric."""

    model = Column(TEXT, "model")
    part = Column(
        TEXT,
        "rows: out of the folds, test, or (without a hold-out) of outer folds",
        values=("oof", "test", "nested"),
    )
    metric = Column(
        TEXT,
        "auroc, auprc, brier, scaled_brier, calibration_intercept, calibration_slope, ici, "
        "oe_ratio, accuracy, sensitivity, specificity, precision, npv, f1, kappa, mcc, "
        "weighted_precision, weighted_recall, weighted_f1",
    )
    value = Column(NUMBER, "estimate", null=UNDEFINED)
    low = Column(NUMBER, "lower limit of its interval", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of its interval", null=NOT_ESTIMABLE)
    method = Column(TEXT, "how the interval was obtained", null=NOT_ESTIMABLE)


class AurocComparisons(Result):
    """One row per pair of models, by AUROC alone."""

    model_a = Column(TEXT, "one model")
    model_b = Column(TEXT, "the other")
    auc_difference = Column(NUMBER, "AUROC of a minus that of b", null=NOT_ESTIMABLE)
    low = Column(NUMBER, "lower limit of its interval, within -1 and 1", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of its interval, within -1 and 1", null=NOT_ESTIMABLE)
    p_value = Column(NUMBER, "P value of the difference", null=NOT_ESTIMABLE)
    p_holm = Column(NUMBER, "the same, adjusted after Holm within the family", null=NOT_ESTIMABLE)
    family = Column(
        TEXT,
        "pairs within which Holm adjusts: all, or with a primary analysis primary and secondary",
        values=("all", "primary", "secondary"),
    )
    method = Column(TEXT, "paired DeLong, or Obuchowski where patients have several units")


class Comparisons(AurocComparisons):
    """One row per pair of models."""

    only_a_right = Column(COUNT, "units that only a classifies right", unit="units")
    only_b_right = Column(COUNT, "units that only b classifies right", unit="units")
    mcnemar_p = Column(NUMBER, "P value of McNemar's exact test", null=DEPENDENT)
    mcnemar_p_holm = Column(NUMBER, "the same, adjusted after Holm", null=DEPENDENT)


class Roc(Result):
    """One row per model and point of its ROC curve."""

    model = Column(TEXT, "model")
    fpr = Column(NUMBER, "1 - specificity", unit="0 to 1")
    tpr = Column(NUMBER, "sensitivity", unit="0 to 1")
    threshold = Column(
        NUMBER,
        "risk at or above which the event is predicted; infinite at (0, 0)",
        null="of a mean over outer folds",
    )


class Calibration(Result):
    """One row per model and group of similar predicted risk."""

    model = Column(TEXT, "model")
    predicted = Column(NUMBER, "mean predicted risk", unit="0 to 1")
    observed = Column(NUMBER, "share of events", unit="0 to 1")
    low = Column(NUMBER, "lower limit of the share", unit="0 to 1", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of the share", unit="0 to 1", null=NOT_ESTIMABLE)
    n = Column(COUNT, "units of the group", unit="units")


class CalibrationCurve(Result):
    """One row per model and point of its smoothed calibration curve (LOWESS)."""

    model = Column(TEXT, "model")
    predicted = Column(NUMBER, "predicted risk", unit="0 to 1")
    observed = Column(NUMBER, "smoothed share of events", unit="0 to 1", null=UNDEFINED)
    low = Column(NUMBER, "lower limit of the pointwise band", unit="0 to 1", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of the pointwise band", unit="0 to 1", null=NOT_ESTIMABLE)


class CalibrationTests(Result):
    """One row per model: the test of Hosmer and Lemeshow."""

    model = Column(TEXT, "model")
    test = Column(TEXT, "Hosmer-Lemeshow")
    statistic = Column(NUMBER, "chi-square", null=NOT_ESTIMABLE)
    df = Column(COUNT, "degrees of freedom")
    p_value = Column(NUMBER, "P value", null=NOT_ESTIMABLE)
    groups = Column(COUNT, "groups of equal size; equal risks stay together")
    fitted_here = Column(FLAG, "whether the model was fitted to these rows")
    note = Column(TEXT, "what limits the test", null="where nothing does")


class DecisionCurve(Result):
    """One row per model (and for `all` and `none`) and threshold."""

    model = Column(TEXT, "model, `all` (treat all) or `none` (treat none)")
    threshold = Column(NUMBER, "threshold probability", unit="0 to 1")
    net_benefit = Column(NUMBER, "net benefit", null=UNDEFINED)
    low = Column(NUMBER, "lower limit of its interval", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of its interval", null=NOT_ESTIMABLE)
    gain = Column(NUMBER, "net benefit above the better of all and none", null=NOT_ESTIMABLE)
    gain_low = Column(NUMBER, "lower limit of its interval", null=NOT_ESTIMABLE)
    gain_high = Column(NUMBER, "upper limit of its interval", null=NOT_ESTIMABLE)


class Confusion(Result):
    """One row per model: counts at its threshold."""

    model = Column(TEXT, "model")
    tp = Column(COUNT, "events predicted", unit="units")
    fp = Column(COUNT, "non-events predicted as events", unit="units")
    fn = Column(COUNT, "events missed", unit="units")
    tn = Column(COUNT, "non-events predicted as such", unit="units")
    threshold = Column(
        NUMBER,
        "risk at or above which the event is predicted; the mean of outer folds",
        unit="0 to 1",
        null="where `search: fixed` gives none",
    )


class JudgedComparisons(AurocComparisons):
    """One row per pair of what is judged (`vertebromics judge`); scores have no threshold."""

    only_a_right = Column(ANY_NUMBER, "rows", null="of scores", optional="of probabilities")
    only_b_right = Column(ANY_NUMBER, "rows", null="of scores", optional="of probabilities")
    mcnemar_p = Column(NUMBER, "P value", null=DEPENDENT, optional="of probabilities")
    mcnemar_p_holm = Column(NUMBER, "adjusted", null=DEPENDENT, optional="of probabilities")


EVALUATION: dict[str, type[Table]] = {
    "metrics": Metrics,
    "comparisons": Comparisons,
    "roc": Roc,
    "calibration": Calibration,
    "calibration_curve": CalibrationCurve,
    "calibration_tests": CalibrationTests,
    "decision_curve": DecisionCurve,
    "confusion": Confusion,
}

JUDGED = EVALUATION | {"comparisons": JudgedComparisons}
