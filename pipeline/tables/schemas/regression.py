"""Tables of a regression, of a study or of `models.regress`, and of a judged model."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, FLAG, NUMBER, TEXT, Column
from pipeline.core.words import Words
from pipeline.tables.schemas.result import Result

NO_TEST: Words = "where there is no test"
NOT_ESTIMABLE: Words = "where it cannot be estimated"


class OfFigures(Result):
    """What tables behind figures share."""

    part = Column(TEXT, "training (apparent: the rows of the fit) or validation")
    model = Column(TEXT, "as fitted, or rigorous (shrunken)")


class RegressionFlow(Result):
    """One row per step from the table to the rows of the fit."""

    what = Column(TEXT, "rows of the table, a column without a value, or rows left")
    rows = Column(COUNT, "how many", unit="rows")
    part = Column(TEXT, "training or validation")


class Coding(Result):
    """One row per level of a factor: how it enters."""

    predictor = Column(TEXT, "column of the table")
    level = Column(TEXT, "a level of it")
    reference = Column(FLAG, "whether others are compared with it")
    frequency = Column(COUNT, "rows of the fit that have it", unit="rows")
    column = Column(TEXT, "column of the design; empty for the reference", null="of the reference")
    code = Column(TEXT, "the level's row of 0 and 1, as SPSS prints it", null="of the reference")


class Screening(Result):
    """One row per candidate and column of the design, each candidate alone in its model."""

    predictor = Column(TEXT, "candidate, alone in its model")
    column = Column(TEXT, "column of the design", null=NOT_ESTIMABLE)
    b = Column(NUMBER, "coefficient", unit="logit", null=NOT_ESTIMABLE)
    se = Column(NUMBER, "standard error", unit="logit", null=NOT_ESTIMABLE)
    odds_ratio = Column(NUMBER, "odds ratio", null=NOT_ESTIMABLE)
    low = Column(NUMBER, "lower limit of the odds ratio", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of the odds ratio", null=NOT_ESTIMABLE)
    p_value = Column(NUMBER, "P value of this coefficient", null=NOT_ESTIMABLE)
    score = Column(
        NUMBER,
        "score chi-square of the candidate: Pearson's without Yates of a factor",
        null=NOT_ESTIMABLE,
    )
    df = Column(COUNT, "its degrees of freedom")
    score_p = Column(
        NUMBER, "its P value, which screening compares with the threshold", null=NOT_ESTIMABLE
    )
    likelihood_ratio = Column(
        NUMBER, "likelihood ratio chi-square of the candidate", null=NOT_ESTIMABLE
    )
    likelihood_ratio_p = Column(NUMBER, "its P value", null=NOT_ESTIMABLE)
    method = Column(TEXT, "how it was fitted", null=NOT_ESTIMABLE)
    kept = Column(FLAG, "whether screening kept it")


class Coefficients(Result):
    """One row per coefficient, and per joint test of a predictor with several."""

    predictor = Column(TEXT, "column of the table")
    column = Column(
        TEXT,
        "column of the design; empty where a row tests several together",
        null="of joint tests",
    )
    b = Column(NUMBER, "coefficient", unit="logit", null="of joint tests")
    se = Column(NUMBER, "standard error", unit="logit", null="of joint tests")
    wald = Column(
        NUMBER,
        "chi-square: Wald's, or the penalised likelihood ratio (see test)",
        null=NOT_ESTIMABLE,
    )
    df = Column(COUNT, "degrees of freedom")
    p_value = Column(NUMBER, "P value", null=NOT_ESTIMABLE)
    odds_ratio = Column(NUMBER, "odds ratio", null="of joint tests")
    low = Column(NUMBER, "lower limit of the odds ratio", null="of joint tests")
    high = Column(NUMBER, "upper limit of the odds ratio", null="of joint tests")
    test = Column(TEXT, "which test and limits", null="of joint tests")


class Equation(Result):
    """One row per coefficient that risks are computed from."""

    column = Column(TEXT, "column of the design, (intercept) first")
    as_fitted = Column(NUMBER, "coefficient from which risks are computed", unit="logit")
    rigorous = Column(
        NUMBER,
        "the same, shrunken, the intercept estimated anew",
        unit="logit",
        null="where nothing is shrunken",
    )


class Imputed(Result):
    """One row per coefficient, pooled over imputed tables."""

    column = Column(TEXT, "column of the design, (intercept) first")
    b = Column(NUMBER, "pooled coefficient (Rubin's rules)", unit="logit", null=NOT_ESTIMABLE)
    se = Column(NUMBER, "its standard error", unit="logit", null=NOT_ESTIMABLE)
    df = Column(NUMBER, "degrees of freedom after Barnard and Rubin", null=NOT_ESTIMABLE)
    p_value = Column(NUMBER, "P value (t)", null=NOT_ESTIMABLE)
    odds_ratio = Column(NUMBER, "odds ratio", null="of the intercept")
    low = Column(NUMBER, "lower limit of the odds ratio", null="of the intercept")
    high = Column(NUMBER, "upper limit of the odds ratio", null="of the intercept")
    missing_information = Column(
        NUMBER, "share of the variance that the imputation adds", null=NOT_ESTIMABLE
    )
    complete_cases = Column(
        NUMBER, "odds ratio of the complete cases, for comparison", null=NOT_ESTIMABLE
    )


class Collinearity(Result):
    """One row per predictor."""

    predictor = Column(TEXT, "column of the table")
    df = Column(COUNT, "columns of the design")
    vif = Column(
        NUMBER, "(generalised) variance inflation factor, with intercept", null=NOT_ESTIMABLE
    )
    vif_per_df = Column(NUMBER, "vif to the power of 1 / (2 df)", null=NOT_ESTIMABLE)
    vif_of_fit = Column(
        NUMBER, "the same from the covariance of the coefficients", null=NOT_ESTIMABLE
    )


class Linearity(Result):
    """One row per number that enters as a straight line."""

    predictor = Column(TEXT, "a number that enters as a straight line")
    wald = Column(
        NUMBER,
        "Wald chi-square of the bend, with a spline of four knots in its place",
        null=NO_TEST,
    )
    df = Column(COUNT, "degrees of freedom")
    p_value = Column(NUMBER, "P value; none decides anything here", null=NO_TEST)
    note = Column(TEXT, "why there is no test", null="where there is one")


class Interactions(Result):
    """One row per pair of predictors whose interaction was named beforehand."""

    first = Column(TEXT, "a predictor")
    second = Column(TEXT, "another one")
    chi_square = Column(
        NUMBER,
        "likelihood ratio of the products of their columns, alone in the model",
        null=NO_TEST,
    )
    df = Column(COUNT, "degrees of freedom")
    p_value = Column(NUMBER, "P value; the model stays as it was named", null=NO_TEST)
    note = Column(TEXT, "why there is no test", null="where there is one")


class Penalised(Result):
    """One row per column of the design: ridge and lasso beside the fit."""

    column = Column(TEXT, "column of the design, (intercept) first")
    ridge = Column(NUMBER, "coefficient with a ridge penalty chosen by ten folds", unit="logit")
    lasso = Column(
        NUMBER, "the same with a lasso penalty; 0 where it leaves the column out", unit="logit"
    )


class ImputedOptimism(Result):
    """One row per measure of the bootstrap that imputes anew in every resample."""

    measure = Column(TEXT, "c_index, brier, calibration_slope or calibration_intercept")
    apparent = Column(NUMBER, "mean over completed tables", null=NOT_ESTIMABLE)
    optimism = Column(NUMBER, "mean over resamples", null=NOT_ESTIMABLE)
    optimism_se = Column(NUMBER, "its Monte Carlo error", null=NOT_ESTIMABLE)
    corrected = Column(NUMBER, "apparent less optimism", null=NOT_ESTIMABLE)
    resamples = Column(COUNT, "resamples in which the measure is defined", unit="resamples")


class Influence(Result):
    """One row per row of the fit."""

    row = Column(COUNT, "row of the table, as a spreadsheet numbers it")
    cook = Column(NUMBER, "Cook's distance, in the metric of Pregibon", null=NOT_ESTIMABLE)
    leverage = Column(NUMBER, "diagonal of the hat matrix", null=NOT_ESTIMABLE)
    residual = Column(NUMBER, "standardised Pearson residual", null=NOT_ESTIMABLE)
    largest_shift = Column(
        NUMBER,
        "largest change of a coefficient without the row",
        unit="SE of the coefficient",
        null=NOT_ESTIMABLE,
    )
    column = Column(TEXT, "that coefficient", null=NOT_ESTIMABLE)


class FactsOfFit(Result):
    """One row per fact of the fit."""

    what = Column(TEXT, "a fact of the fit")
    value = Column(NUMBER, "its number", null="where it does not apply")
    meaning = Column(TEXT, "in words")


class RocOfPredictors(Result):
    """One row per predictor, and one of the model, for each part."""

    what = Column(TEXT, "a predictor, or the model")
    part = Column(TEXT, "training or validation")
    n = Column(COUNT, "rows", unit="rows")
    events = Column(COUNT, "of them with the event", unit="rows")
    direction = Column(
        TEXT, "which values go with the event; of a factor the levels in order", null=NOT_ESTIMABLE
    )
    auc = Column(NUMBER, "area under the curve", null=NOT_ESTIMABLE)
    se = Column(NUMBER, "DeLong's standard error", null=NOT_ESTIMABLE)
    low = Column(NUMBER, "lower limit of the area", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of the area", null=NOT_ESTIMABLE)
    p_value = Column(NUMBER, "P value of an area of .5 (Wald)", null=NOT_ESTIMABLE)
    cut = Column(TEXT, "Youden's cut", null=NOT_ESTIMABLE)
    sensitivity = Column(NUMBER, "at the cut", unit="0 to 1", null=NOT_ESTIMABLE)
    specificity = Column(NUMBER, "at the cut", unit="0 to 1", null=NOT_ESTIMABLE)
    youden = Column(NUMBER, "Youden's index at the cut", null=NOT_ESTIMABLE)
    cut_chosen_on = Column(TEXT, "rows on which direction and cut were chosen", null=NOT_ESTIMABLE)


class OptimismOfRegression(Result):
    """One row per measure, from resamples of the rows of the fit."""

    measure = Column(TEXT, "c_index, brier, calibration_slope, calibration_intercept")
    apparent = Column(NUMBER, "on the rows of the fit", null=NOT_ESTIMABLE)
    optimism = Column(NUMBER, "mean over resamples", null=NOT_ESTIMABLE)
    optimism_se = Column(NUMBER, "Monte Carlo error of that mean", null=NOT_ESTIMABLE)
    corrected = Column(NUMBER, "apparent less optimism", null=NOT_ESTIMABLE)
    low = Column(NUMBER, "lower limit; see method", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit; see method", null=NOT_ESTIMABLE)
    method = Column(TEXT, "how", null=NOT_ESTIMABLE)
    resamples = Column(COUNT, "resamples in which it is defined")


class SelectedPredictors(Result):
    """One row per candidate of the screening."""

    predictor = Column(TEXT, "candidate")
    share = Column(
        NUMBER,
        "share of the resamples in which screening kept it",
        unit="0 to 1",
        null=NOT_ESTIMABLE,
    )


class MetricsOfRegression(OfFigures):
    """One row per part, model and metric."""

    metric = Column(TEXT, "as in the evaluation of a study")
    value = Column(NUMBER, "estimate", null=NOT_ESTIMABLE)
    low = Column(NUMBER, "lower limit", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit", null=NOT_ESTIMABLE)
    method = Column(TEXT, "how the limits were obtained", null=NOT_ESTIMABLE)


class RocCurve(OfFigures):
    """One row per part, model and point of the curve."""

    fpr = Column(NUMBER, "1 - specificity", unit="0 to 1")
    tpr = Column(NUMBER, "sensitivity", unit="0 to 1")
    threshold = Column(NUMBER, "risk at or above which the event is predicted", null=NOT_ESTIMABLE)


class CalibrationOfRegression(OfFigures):
    """One row per part, model and group of similar risk."""

    predicted = Column(NUMBER, "mean risk of the group", unit="0 to 1")
    observed = Column(NUMBER, "share of events", unit="0 to 1")
    low = Column(NUMBER, "lower limit", unit="0 to 1", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit", unit="0 to 1", null=NOT_ESTIMABLE)
    n = Column(COUNT, "rows of the group", unit="rows")


class CalibrationCurveOfRegression(OfFigures):
    """One row per part, model and point of the smoothed curve."""

    predicted = Column(NUMBER, "risk", unit="0 to 1")
    observed = Column(NUMBER, "smoothed share of events", unit="0 to 1", null=NOT_ESTIMABLE)
    low = Column(NUMBER, "lower limit of the band", unit="0 to 1", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of the band", unit="0 to 1", null=NOT_ESTIMABLE)


class CalibrationTestsOfRegression(OfFigures):
    """One row per part and model."""

    test = Column(TEXT, "Hosmer-Lemeshow")
    statistic = Column(NUMBER, "chi-square", null=NO_TEST)
    df = Column(COUNT, "groups less two on the rows of the fit, groups on others")
    p_value = Column(NUMBER, "P value", null=NO_TEST)
    groups = Column(COUNT, "groups of equally many rows; equal risks stay together")
    fitted_here = Column(FLAG, "whether the model was fitted to these rows")
    note = Column(TEXT, "what limits it", null="where nothing does")


class DecisionCurveOfRegression(OfFigures):
    """One row per part, model and threshold."""

    threshold = Column(NUMBER, "threshold probability", unit="0 to 1")
    net_benefit = Column(NUMBER, "net benefit", null=NOT_ESTIMABLE)
    low = Column(NUMBER, "lower limit", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit", null=NOT_ESTIMABLE)
    gain = Column(NUMBER, "over the better of all and none", null=NOT_ESTIMABLE)
    gain_low = Column(NUMBER, "lower limit", null=NOT_ESTIMABLE)
    gain_high = Column(NUMBER, "upper limit", null=NOT_ESTIMABLE)


class ConfusionOfRegression(OfFigures):
    """One row per part and model: counts at the threshold."""

    tp = Column(COUNT, "events predicted", unit="rows")
    fp = Column(COUNT, "non-events predicted as events", unit="rows")
    fn = Column(COUNT, "events missed", unit="rows")
    tn = Column(COUNT, "non-events predicted as such", unit="rows")
    threshold = Column(
        NUMBER,
        "Youden's cut of the training patients; of a given model --threshold",
        unit="0 to 1",
        null="without one",
    )


class NomogramPoints(Result):
    """One row per tick of an axis of the nomogram."""

    predictor = Column(TEXT, "column of the table")
    label = Column(TEXT, "as printed on the axis", null=NOT_ESTIMABLE)
    unit = Column(TEXT, "as printed on the axis", null="where it has none")
    value = Column(TEXT, "as printed on the axis", null=NOT_ESTIMABLE)
    points = Column(NUMBER, "points of the tick", unit="points", null=NOT_ESTIMABLE)
    per_unit = Column(
        NUMBER, "points that one unit adds", unit="points", null="unless the axis is straight"
    )


class NomogramRisks(Result):
    """One row per tick of the axis of total points."""

    total_points = Column(NUMBER, "points", unit="points")
    linear_predictor = Column(NUMBER, "logit of the risk", unit="logit")
    risk = Column(NUMBER, "risk", unit="0 to 1")


class PredictionsOfModel(Result):
    """One row per row of the table that was handed in (`vertebromics judge --model`)."""

    row = Column(COUNT, "row of the table that was handed in")
    outcome = Column(COUNT, "1 for an event")
    points = Column(NUMBER, "total points", unit="points", null="where ranges are not known")
    linear_predictor = Column(NUMBER, "logit of the risk", unit="logit", null="of points alone")
    risk = Column(NUMBER, "the model's risk", unit="0 to 1", null=NOT_ESTIMABLE)
    low = Column(NUMBER, "lower limit of the model's risk", unit="0 to 1", null=NOT_ESTIMABLE)
    high = Column(NUMBER, "upper limit of the model's risk", unit="0 to 1", null=NOT_ESTIMABLE)


REGRESSION = {
    "flow": RegressionFlow,
    "coding": Coding,
    "screening": Screening,
    "coefficients": Coefficients,
    "equation": Equation,
    "imputed": Imputed,
    "collinearity": Collinearity,
    "linearity": Linearity,
    "interactions": Interactions,
    "penalised": Penalised,
    "imputed_optimism": ImputedOptimism,
    "influence": Influence,
    "model": FactsOfFit,
    "roc": RocOfPredictors,
    "optimism": OptimismOfRegression,
    "selected": SelectedPredictors,
    "metrics": MetricsOfRegression,
    "roc_curve": RocCurve,
    "calibration": CalibrationOfRegression,
    "calibration_curve": CalibrationCurveOfRegression,
    "calibration_tests": CalibrationTestsOfRegression,
    "decision_curve": DecisionCurveOfRegression,
    "confusion": ConfusionOfRegression,
    "nomogram_points": NomogramPoints,
    "nomogram_risks": NomogramRisks,
    "predictions": PredictionsOfModel,
}
