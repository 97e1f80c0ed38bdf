"""Tables of a regression as they are printed: on its own page, and in the report of a study."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.core.mode_labels import RIGOROUS
from pipeline.reporting.blocks import Block, Figure, Section, Table
from pipeline.reporting.figures.nomogram import odds_figure
from pipeline.reporting.wording import NO_VALUE, interval, number, p_value


def worded(facts: Mapping, names: pd.Series) -> pd.Series:
    """Return predictors and columns of a design as people read them; others as they are.

    Parameters
    ----------
    facts : mapping
        ``regression.json``.
    names : pandas.Series of str
        Of a table.
    """
    return names.map(lambda name: facts["labels"].get(name, name))


def rows_section(facts: Mapping, tables: Mapping) -> Section:
    """Return how many rows were fitted, and how categories are coded."""
    flow = tables["flow"]
    without = {f"without {name}": f"without {text}" for name, text in facts["labels"].items()}
    shown = flow.assign(
        what=flow["what"].map(lambda one: without.get(one, one)),
        part=flow["part"].map({"training": "fit", "validation": "validation"}),
    )
    shown = shown.rename(columns={"what": "Rows", "rows": "Number", "part": "Part"})
    blocks: list[Block] = [
        Table(
            "flow",
            "Rows of the table, and those left out since a value is missing (a row may lack "
            "several).",
            shown[["Rows", "Part", "Number"]].astype(str),
            flow,
            ("Number",),
        )
    ]
    coding = tables["coding"]
    if len(coding):
        shown = pd.DataFrame(
            {
                "Predictor": worded(facts, coding["predictor"]),
                "Level": coding["level"],
                "Frequency": coding["frequency"].astype(str),
                "Code": coding["code"],
                "Column in the files": coding["column"].where(coding["column"] != "", "reference"),
            }
        )
        blocks.append(Table("coding", "How categories are coded.", shown, coding, ("Frequency",)))
    return Section("rows", "Rows and coding", blocks)


def screening_section(facts: Mapping, tables: Mapping) -> Section:
    """Return each predictor alone."""
    table = tables["screening"]
    shown = pd.DataFrame(
        {
            "Predictor": worded(facts, table["column"]),
            "B": table["b"].map(number),
            "SE": table["se"].map(number),
            "OR": _ratios(table),
            "P": table["p_value"].map(p_value),
            "Score chi-square": table["score"].map(lambda one: number(one, 2)),
            "df": table["df"].astype(str),
            "P (score)": table["score_p"].map(p_value),
            "Kept": table["kept"].map({True: "yes", False: "no"}),
        }
    )
    threshold = facts["screening"]
    rule = (
        "Predictors were fixed beforehand: all enter, whatever their P value."
        if threshold is None
        else f"Candidates with a P value of the score test up to {threshold:g} enter the model."
    )
    caption = (
        f"Every candidate alone in a logistic model. {rule} The score chi-square of a category is "
        "Pearson's without Yates' correction."
    )
    numeric = ("B", "SE", "OR", "P", "Score chi-square", "df", "P (score)")
    return Section(
        "screening", "Each predictor alone", [Table("screening", caption, shown, table, numeric)]
    )


def coefficients_table(facts: Mapping, tables: Mapping) -> Table:
    """Return the coefficients as fitted, with their tests and odds ratios.

    Parameters
    ----------
    facts : mapping
        ``regression.json``.
    tables : mapping of str to pandas.DataFrame
        As `models.regression.tables` describes them.
    """
    table = tables["coefficients"]
    together = table["column"] == ""
    names = worded(facts, table["predictor"]) + " (together)"
    shown = pd.DataFrame(
        {
            "Predictor": worded(facts, table["column"]).where(~together, names),
            "B": table["b"].map(number),
            "SE": table["se"].map(number),
            "Chi-square": table["wald"].map(lambda one: number(one, 2)),
            "df": table["df"].astype(str),
            "P": table["p_value"].map(p_value),
            "OR": _ratios(table),
        }
    )
    level = f"{100 * facts['confidence']:g}%"
    test = table["test"].iloc[0]
    after = (
        " P values and intervals ignore the screening on the same rows and are too good."
        if facts["screening"] is not None
        else ""
    )
    return Table(
        "coefficients",
        f"Multivariable logistic regression by {facts['method']}; test: {test}; odds ratios "
        f"with {level} limits.{after}",
        shown,
        table,
        ("B", "SE", "Chi-square", "df", "P", "OR"),
    )


def model_section(facts: Mapping, tables: Mapping) -> Section:
    """Return the multivariable model: coefficients, odds ratios, equation."""
    level = f"{100 * facts['confidence']:g}%"
    fitted = tables["coefficients"]
    fitted = fitted.assign(column=worded(facts, fitted["column"]))
    blocks: list[Block] = [
        coefficients_table(facts, tables),
        Figure(
            "odds-ratios",
            odds_figure(fitted),
            "Odds ratios of the multivariable model with their intervals",
            f"Odds ratios with {level} limits, on a logarithmic axis.",
        ),
    ]
    if len(tables["imputed"]):
        blocks.append(_imputed(facts, tables["imputed"], level))
    if len(tables["penalised"]):
        blocks.append(_penalised(facts, tables["penalised"]))
    equation = tables["equation"]
    shown = pd.DataFrame(
        {
            "Predictor": worded(facts, equation["column"]),
            "As fitted": equation["as_fitted"].map(lambda one: number(one, 4)),
            "Rigorous": equation["rigorous"].map(lambda one: number(one, 4)),
        }
    )
    blocks.append(
        Table(
            "equation",
            "Coefficients from which risks are computed: as they came out, and rigorous (shrunken "
            "by the corrected calibration slope, the intercept estimated anew so that the mean "
            "risk is the share of events).",
            shown,
            equation,
            ("As fitted", "Rigorous"),
        )
    )
    return Section("model", "Multivariable model", blocks)


def _penalised(facts: Mapping, table: pd.DataFrame) -> Table:
    shown = pd.DataFrame(
        {
            "Predictor": worded(facts, table["column"]),
            "Ridge": table["ridge"].map(lambda one: number(one, 4)),
            "Lasso": table["lasso"].map(lambda one: number(one, 4)),
        }
    )
    return Table(
        "penalised",
        "Ridge and lasso beside the fit: coefficients (logit, scale of the table) under a penalty "
        "that ten folds of patients choose. They have no P values; with few events the penalty "
        "itself is unsure.",
        shown,
        table,
        ("Ridge", "Lasso"),
    )


def _imputed(facts: Mapping, table: pd.DataFrame, level: str) -> Table:
    shown = pd.DataFrame(
        {
            "Predictor": worded(facts, table["column"]),
            "B": table["b"].map(number),
            "SE": table["se"].map(number),
            "df": table["df"].map(lambda one: number(one, 1)),
            "P": table["p_value"].map(p_value),
            "OR": _ratios(table),
            "OR of complete cases": table["complete_cases"].map(number),
            "Missing information": table["missing_information"].map(lambda one: number(one, 2)),
        }
    )
    return Table(
        "imputed",
        "Multiple imputation of missing predictors by chained equations, the outcome among their "
        f"predictors; pooled by Rubin's rules, {level} limits. It stands beside the complete "
        "cases; the nomogram and the calculator are of the complete cases.",
        shown,
        table,
        tuple(shown.columns[1:]),
    )


def checks_section(facts: Mapping, tables: Mapping) -> Section:
    """Return collinearity, linearity and influence."""
    blocks: list[Block] = []
    table = tables["collinearity"]
    shown = pd.DataFrame(
        {
            "Predictor": worded(facts, table["predictor"]),
            "df": table["df"].astype(str),
            "VIF": table["vif"].map(lambda one: number(one, 2)),
            "VIF^(1/2df)": table["vif_per_df"].map(lambda one: number(one, 2)),
            "VIF of the fit": table["vif_of_fit"].map(lambda one: number(one, 2)),
        }
    )
    blocks.append(
        Table(
            "collinearity",
            "Variance inflation, with intercept; generalised where a predictor has several "
            "columns.",
            shown,
            table,
            tuple(shown.columns[1:]),
        )
    )
    table = tables["linearity"]
    if len(table):
        shown = pd.DataFrame(
            {
                "Predictor": worded(facts, table["predictor"]),
                "Chi-square of the bend": table["wald"].map(lambda one: number(one, 2)),
                "df": table["df"].astype(str),
                "P": table["p_value"].map(p_value),
                "Note": table["note"].where(table["note"] != "", NO_VALUE),
            }
        )
        blocks.append(
            Table(
                "linearity",
                "Does a spline of four knots bend the line? A description: nothing is chosen by "
                "it.",
                shown,
                table,
                ("Chi-square of the bend", "df", "P"),
            )
        )
    if len(tables["interactions"]):
        blocks.append(_interactions(facts, tables["interactions"]))
    table = tables["influence"]
    shown = pd.DataFrame(
        {
            "Row of the table": table["row"].astype(str),
            "Cook's distance": table["cook"].map(number),
            "Leverage": table["leverage"].map(number),
            "Residual": table["residual"].map(lambda one: number(one, 2)),
            "Largest shift (SE)": table["largest_shift"].map(lambda one: number(one, 2)),
            "Of": worded(facts, table["column"]),
        }
    )
    blocks.append(
        Table(
            "influence",
            "The rows that move the coefficients most; look at them, and leave none out for it.",
            shown,
            table,
            tuple(shown.columns[1:5]),
            collapsed="Rows with the largest influence",
        )
    )
    return Section("checks", "Checks of the model", blocks)


def _interactions(facts: Mapping, table: pd.DataFrame) -> Table:
    shown = pd.DataFrame(
        {
            "Interaction": worded(facts, table["first"]) + " x " + worded(facts, table["second"]),
            "Chi-square": table["chi_square"].map(lambda one: number(one, 2)),
            "df": table["df"].astype(str),
            "P": table["p_value"].map(p_value),
            "Note": table["note"].where(table["note"] != "", NO_VALUE),
        }
    )
    return Table(
        "interactions",
        "Interactions that were named beforehand, each added to the model alone (likelihood ratio "
        "of the products). The model stays without them.",
        shown,
        table,
        ("Chi-square", "df", "P"),
    )


def _imputed_optimism(table: pd.DataFrame) -> Table:
    shown = pd.DataFrame(
        {
            "Measure": table["measure"].map(MEASURES),
            "Apparent": table["apparent"].map(number),
            "Optimism": table["optimism"].map(number),
            "Corrected": table["corrected"].map(number),
            "Resamples": table["resamples"].astype(str),
        }
    )
    return Table(
        "imputed_optimism",
        "The same with missing values imputed, anew in every resample: all rows with an outcome.",
        shown,
        table,
        tuple(shown.columns[1:]),
    )


MEASURES = {
    "c_index": "AUROC (C-index)",
    "brier": "Brier score",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration in the large (slope fixed at 1)",
}


def optimism_table(facts: Mapping, tables: Mapping) -> Table:
    """Return apparent figures, their optimism and the corrected ones; parameters as above."""
    table = tables["optimism"]
    shown = pd.DataFrame(
        {
            "Measure": table["measure"].map(MEASURES),
            "Apparent": table["apparent"].map(number),
            "Optimism": table["optimism"].map(number),
            "Corrected": [interval(r.corrected, r.low, r.high) for r in table.itertuples()],
            "How": table["method"],
        }
    )
    repeated = "knots and fit" if facts["screening"] is None else "screening, knots and fit"
    return Table(
        "optimism",
        f"Harrell's bootstrap, {facts['resamples']} resamples of patients in which {repeated} "
        "are repeated. AUROC and C-index are one quantity for a binary outcome. The corrected "
        f"slope is the factor of the {RIGOROUS} model.",
        shown,
        table,
        ("Apparent", "Optimism", "Corrected"),
    )


def optimism_section(facts: Mapping, tables: Mapping) -> Section:
    """Return what the rows of the fit flatter."""
    blocks: list[Block] = [optimism_table(facts, tables)]
    if len(tables["imputed_optimism"]):
        blocks.append(_imputed_optimism(tables["imputed_optimism"]))
    selected = tables["selected"]
    if len(selected):
        shown = pd.DataFrame(
            {
                "Candidate": worded(facts, selected["predictor"]),
                "Kept in": selected["share"].map(lambda one: f"{100 * one:.0f}%"),
            }
        )
        blocks.append(
            Table(
                "selected",
                "How often screening kept each candidate over the resamples.",
                shown,
                selected,
                ("Kept in",),
            )
        )
    return Section("optimism", "Optimism and what rigour changes", blocks)


def _ratios(table: pd.DataFrame) -> list[str]:
    return [interval(row.odds_ratio, row.low, row.high) for row in table.itertuples()]
