"""Tables of a regression: their columns, types and meaning, checked as they are written.

docs/regression.md prints what stands here; a test holds the page to it.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from pipeline.core.errors import ProgramError
from pipeline.core.files import write_table

_OF_FIGURES = {
    "part": (object, "training (apparent: the rows of the fit) or validation"),
    "model": (object, "as fitted, or rigorous (shrunken)"),
}

#: Table -> column -> type and meaning.
TABLES: dict[str, dict[str, tuple[type | str, str]]] = {
    "flow": {
        "what": (object, "rows of the table, a column without a value, or rows left"),
        "rows": ("int64", "how many"),
        "part": (object, "training or validation"),
    },
    "coding": {
        "predictor": (object, "column of the table"),
        "level": (object, "a level of it"),
        "reference": (bool, "whether others are compared with it"),
        "frequency": ("int64", "rows of the fit that have it"),
        "column": (object, "column of the design; empty for the reference"),
        "code": (object, "the level's row of 0 and 1, as SPSS prints it"),
    },
    "screening": {
        "predictor": (object, "candidate, alone in its model"),
        "column": (object, "column of the design"),
        **dict.fromkeys(("b", "se"), (float, "coefficient and its standard error, logit")),
        **dict.fromkeys(("odds_ratio", "low", "high"), (float, "odds ratio and its limits")),
        "p_value": (float, "of this coefficient"),
        "score": (float, "score chi-square of the candidate: Pearson's without Yates of a factor"),
        "df": ("int64", "its degrees of freedom"),
        "score_p": (float, "its P value, which screening compares with the threshold"),
        "likelihood_ratio": (float, "likelihood ratio chi-square of the candidate"),
        "likelihood_ratio_p": (float, "its P value"),
        "method": (object, "how it was fitted"),
        "kept": (bool, "whether screening kept it"),
    },
    "coefficients": {
        "predictor": (object, "column of the table"),
        "column": (object, "column of the design; empty where a row tests several together"),
        "b": (float, "coefficient, logit"),
        "se": (float, "standard error"),
        "wald": (float, "chi-square: Wald's, or the penalised likelihood ratio (see test)"),
        "df": ("int64", "degrees of freedom"),
        "p_value": (float, "P value"),
        **dict.fromkeys(("odds_ratio", "low", "high"), (float, "odds ratio and its limits")),
        "test": (object, "which test and limits"),
    },
    "equation": {
        "column": (object, "column of the design, (intercept) first"),
        "as_fitted": (float, "coefficient from which risks are computed, logit"),
        "rigorous": (float, "the same, shrunken, the intercept estimated anew"),
    },
    "imputed": {
        "column": (object, "column of the design, (intercept) first"),
        **dict.fromkeys(("b", "se"), (float, "pooled by Rubin's rules, logit")),
        "df": (float, "degrees of freedom after Barnard and Rubin"),
        "p_value": (float, "P value (t)"),
        **dict.fromkeys(("odds_ratio", "low", "high"), (float, "odds ratio and its limits")),
        "missing_information": (float, "share of the variance that the imputation adds"),
        "complete_cases": (float, "odds ratio of the complete cases, for comparison"),
    },
    "collinearity": {
        "predictor": (object, "column of the table"),
        "df": ("int64", "columns of the design"),
        "vif": (float, "(generalised) variance inflation factor, with intercept"),
        "vif_per_df": (float, "vif to the power of 1 / (2 df)"),
        "vif_of_fit": (float, "the same from the covariance of the coefficients"),
    },
    "linearity": {
        "predictor": (object, "a number that enters as a straight line"),
        "wald": (float, "Wald chi-square of the bend, with a spline of four knots in its place"),
        "df": ("int64", "degrees of freedom"),
        "p_value": (float, "P value; none decides anything here"),
        "note": (object, "why there is no test"),
    },
    "influence": {
        "row": ("int64", "row of the table, as a spreadsheet numbers it"),
        "cook": (float, "Cook's distance, in the metric of Pregibon"),
        "leverage": (float, "diagonal of the hat matrix"),
        "residual": (float, "standardised Pearson residual"),
        "largest_shift": (float, "largest change of a coefficient without the row, in its SE"),
        "column": (object, "that coefficient"),
    },
    "model": {
        "what": (object, "a fact of the fit"),
        "value": (float, "its number"),
        "meaning": (object, "in words"),
    },
    "roc": {
        "what": (object, "a predictor, or the model"),
        "part": (object, "training or validation"),
        **dict.fromkeys(("n", "events"), ("int64", "rows and events")),
        "direction": (object, "which values go with the event; of a factor the levels in order"),
        **dict.fromkeys(("auc", "se", "low", "high"), (float, "area, DeLong's error, limits")),
        "p_value": (float, "of an area of .5 (Wald)"),
        "cut": (object, "Youden's cut"),
        **dict.fromkeys(("sensitivity", "specificity", "youden"), (float, "at the cut")),
        "cut_chosen_on": (object, "rows on which direction and cut were chosen"),
    },
    "optimism": {
        "measure": (object, "c_index, brier, calibration_slope, calibration_intercept"),
        "apparent": (float, "on the rows of the fit"),
        "optimism": (float, "mean over resamples"),
        "optimism_se": (float, "Monte Carlo error of that mean"),
        "corrected": (float, "apparent less optimism"),
        **dict.fromkeys(("low", "high"), (float, "limits; see method")),
        "method": (object, "how"),
        "resamples": ("int64", "resamples in which it is defined"),
    },
    "selected": {
        "predictor": (object, "candidate"),
        "share": (float, "share of the resamples in which screening kept it"),
    },
    "metrics": {
        **_OF_FIGURES,
        "metric": (object, "as in the evaluation of a study"),
        **dict.fromkeys(("value", "low", "high"), (float, "estimate and limits")),
        "method": (object, "how the limits were obtained"),
    },
    "roc_curve": {
        **_OF_FIGURES,
        **dict.fromkeys(("fpr", "tpr", "threshold"), (float, "points of the curve")),
    },
    "calibration": {
        **_OF_FIGURES,
        **dict.fromkeys(("predicted", "observed", "low", "high"), (float, "of a group of risk")),
        "n": ("int64", "rows of the group"),
    },
    "calibration_curve": {
        **_OF_FIGURES,
        **dict.fromkeys(("predicted", "observed", "low", "high"), (float, "smoothed, with band")),
    },
    "calibration_tests": {
        **_OF_FIGURES,
        "test": (object, "Hosmer-Lemeshow"),
        "statistic": (float, "chi-square"),
        "df": ("int64", "groups less two on the rows of the fit, groups on others"),
        "p_value": (float, "P value"),
        "groups": ("int64", "groups of equally many rows; equal risks stay together"),
        "fitted_here": (bool, "whether the model was fitted to these rows"),
        "note": (object, "what limits it"),
    },
    "decision_curve": {
        **_OF_FIGURES,
        "threshold": (float, "threshold probability"),
        **dict.fromkeys(("net_benefit", "low", "high"), (float, "net benefit and limits")),
        **dict.fromkeys(
            ("gain", "gain_low", "gain_high"), (float, "over the better of all and none")
        ),
    },
    "confusion": {
        **_OF_FIGURES,
        **dict.fromkeys(("tp", "fp", "fn", "tn"), ("int64", "counts at the threshold")),
        "threshold": (float, "Youden's cut of the training rows; of a given model --threshold"),
    },
    "nomogram_points": {
        "predictor": (object, "column of the table"),
        **dict.fromkeys(("label", "unit", "value"), (object, "as printed on the axis")),
        "points": (float, "points of the tick"),
        "per_unit": (float, "points that one unit adds, where the axis is straight"),
    },
    "nomogram_risks": {
        "total_points": (float, "points"),
        "linear_predictor": (float, "logit of the risk"),
        "risk": (float, "risk"),
    },
    "predictions": {
        "row": ("int64", "row of the table that was handed in"),
        "outcome": ("int64", "1 for an event"),
        "points": (float, "total points; none where ranges are not known"),
        "linear_predictor": (float, "logit of the risk; none of points alone"),
        "risk": (float, "the model's risk"),
        **dict.fromkeys(("low", "high"), (float, "limits of the model's risk")),
    },
}


def checked(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns and types of its schema.

    Raises
    ------
    ProgramError
        If a column is missing or spare, or does not have its type.
    """
    columns = TABLES[name]
    if set(table.columns) != set(columns):
        raise ProgramError(
            f"The table {name} must have the columns of its schema",
            found=f"{sorted(set(table.columns) ^ set(columns))} missing or spare",
        )
    return table[list(columns)].astype({column: kind for column, (kind, _) in columns.items()})


def write_tables(tables: dict[str, pd.DataFrame], folder: str | Path, mode: str | None) -> None:
    """Write tables as Parquet and CSV, with a column `mode` where they leak.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        By name in `TABLES`.
    folder : path-like
        Where to.
    mode : str or None
        Label of leaking results, or None.
    """
    for name, table in tables.items():
        found = checked(name, table)
        if mode:
            found = found.assign(mode=mode)
        write_table(found, Path(folder) / f"{name}.parquet", csv=True)


def facts_table(facts: dict[str, float]) -> pd.DataFrame:
    """Return facts of a fit as rows of the table `model`."""
    meanings = {
        "n": "rows of the fit",
        "events": "of them with the event",
        "candidates": "candidate predictors",
        "candidate_df": "their degrees of freedom, dummies and bends of splines counted",
        "events_per_df": "rows of the rarer outcome per candidate degree of freedom",
        "df": "degrees of freedom of the model",
        "loglik": "log-likelihood (penalised after Firth's method)",
        "chi_square": "likelihood ratio against the intercept",
        "p_value": "its P value; too small where predictors were screened on the same rows",
        "nagelkerke": "Nagelkerke's R2; none after Firth's method",
        "aic": "Akaike's criterion",
        "shrinkage": "corrected calibration slope, with which the rigorous model is shrunken",
        "resamples": "resamples of the bootstrap",
        "screening_p": "largest P value that screening kept; none where predictors were fixed",
    }
    rows = [[name, facts.get(name, math.nan), text] for name, text in meanings.items()]
    return pd.DataFrame(rows, columns=["what", "value", "meaning"])
