"""Equations of models whose log odds are a sum, on the units of the study's tables."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Table
from pipeline.reporting.results import Results
from pipeline.reporting.sections.prediction.selection import feature_names
from pipeline.reporting.wording import NO_VALUE
from pipeline.reporting.words.feature_meanings import printed_feature

INTERCEPT = "(intercept)"


def equation_tables(results: Results) -> list[Table]:
    """Return a table for each model that has an equation: whoever has it needs no software."""
    labels = feature_names(results)
    return [
        _table(name, model.info["label"], model.info["equation"], labels)
        for name, model in results.modelling.models.items()
        if model.info.get("equation")
    ]


def _table(name: str, label: str, equation: dict, labels: dict[str, str]) -> Table:
    rows = [{"column": INTERCEPT, "coefficient": equation["intercept"], "missing": None}]
    raw = pd.DataFrame([*rows, *equation["terms"]])
    raw = raw.astype({"coefficient": float, "missing": float})
    printed = [INTERCEPT, *(printed_feature(column, labels) for column in raw["column"][1:])]
    return Table(
        name=f"equation-{name}",
        caption=f"Equation of {label}: the log odds of the event are the intercept plus, for each "
        "line, the coefficient times the value in the unit of the study's table; the risk is "
        "1 / (1 + exp(-log odds)). A line for a category counts 1 if the patient has it, else 0. "
        "These are the risks of the "
        "final model, before any recalibration; what it uses is not what causes the outcome.",
        shown=pd.DataFrame(
            {
                "Predictor": printed,
                "Coefficient": [_digits(value) for value in raw["coefficient"]],
                "Value used if missing": [_digits(value) for value in raw["missing"]],
            }
        ),
        raw=raw,
        numeric=("Coefficient", "Value used if missing"),
        collapsed=f"Equation of {label}",
    )


def _digits(value: float) -> str:
    """Return a number with the digits that a risk needs."""
    return NO_VALUE if pd.isna(value) else f"{value:.6g}"
