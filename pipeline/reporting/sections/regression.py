"""Section on the regression of the clinical predictors: coefficients, worth, other pages."""

from __future__ import annotations

import pandas as pd

from pipeline.core.mode_labels import LABEL, is_leaking
from pipeline.reporting.blocks import Block, Items, Note, Paragraph, Section, Table
from pipeline.reporting.results import Regression, Results
from pipeline.reporting.wording import count, interval, number, p_value, plural

#: Files beside the report that hold the whole of it.
PAGES = (
    ("regression/regression.html", "All tables and figures"),
    ("regression/calculator.html", "Risk of one patient, without a network"),
)

_MEASURES = {
    "c_index": "AUROC (C-index)",
    "brier": "Brier score",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
}


def regression_section(results: Results) -> Section:
    """Build the section on the regression."""
    title = "Regression and nomogram"
    found = results.regression
    if found is None:
        return Section("regression", title)
    label = f"{LABEL}: " if is_leaking(results.study.config) else ""
    facts = found.tables["model"].set_index("what")["value"]
    text = (
        f"Logistic regression of “{results['outcome.label']}” on "
        f"{plural(found.tables['coefficients']['predictor'].nunique(), 'predictor')}, fitted to "
        f"{count(facts['n'])} rows with {plural(int(facts['events']), 'event')}. "
        f"{found.facts['purpose']}"
    )
    blocks: list[Block] = [
        Paragraph(text),
        Note(
            "Changing a predictor shows other patients, not the effect of a treatment.",
            "Association, not effect",
            "info",
        ),
        _coefficients(found, label),
        _worth(found, label),
    ]
    notes = [*found.facts["notes"]]
    notes += [f"{what}: {path}, beside this report's folder" for path, what in PAGES]
    return Section("regression", title, [*blocks, Items(notes)])


def _coefficients(found: Regression, label: str) -> Table:
    table = found.tables["coefficients"]
    shown = pd.DataFrame(
        [
            {
                "Predictor": row["column"] or f"{row['predictor']} (all levels together)",
                "B": number(row["b"], 3),
                "SE": number(row["se"], 3),
                "Wald": number(row["wald"], 2),
                "df": count(row["df"]),
                "P": p_value(row["p_value"]),
                "OR": interval(row["odds_ratio"], row["low"], row["high"], 2),
            }
            for row in table.fillna({"column": ""}).to_dict("records")
        ]
    )
    return Table(
        name="regression_coefficients",
        caption=f"{label}Coefficients as fitted, with odds ratios and their intervals "
        f"({100 * found.facts['confidence']:g}%).",
        shown=shown,
        raw=table,
        numeric=("B", "SE", "Wald", "df", "P", "OR"),
    )


def _worth(found: Regression, label: str) -> Table:
    table = found.tables["optimism"]
    table = table[table["measure"].isin(_MEASURES)]
    shown = pd.DataFrame(
        [
            {
                "Measure": _MEASURES[row["measure"]],
                "Apparent": number(row["apparent"], 3),
                "Optimism": number(row["optimism"], 3),
                "Corrected": interval(row["corrected"], row["low"], row["high"], 3),
            }
            for row in table.to_dict("records")
        ]
    )
    resamples = int(table["resamples"].max())
    return Table(
        name="regression_optimism",
        caption=f"{label}What the rows of the fit flatter: the whole selection and fit repeated in "
        f"{count(resamples)} bootstrap resamples.",
        shown=shown,
        raw=table,
        numeric=("Apparent", "Optimism", "Corrected"),
    )
