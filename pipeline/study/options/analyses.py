"""What is asked of a study's tables besides prediction, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pipeline.core.sections import Rule, option


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Comparison of groups by the clinical columns."""

    by: str | None = option(
        None,
        "clinical column of the groups",
        "clinical column of the groups, with levels in the dictionary; null: those with and "
        "without `outcome`",
        min_length=1,
    )
    normality: Literal["shapiro", "lilliefors"] = option(
        "shapiro",
        "test of normality of the rule",
        "shapiro | lilliefors: decides between mean and median, never seeing a P of the comparison",
    )
    small_cells: Literal["cochran", "textbook"] = option(
        "cochran",
        "rule of small expected counts",
        "cochran | textbook (n >= 40 and 1 <= E < 5: Yates; below: Fisher)",
    )
    adjust: Literal["none", "holm", "bh"] = option(
        "none",
        "correction of the P values for their number",
        "none | holm | bh (Benjamini and Hochberg): in a column beside them",
    )


Knots = Annotated[int, Rule("knots of a restricted cubic spline", bounds={"ge": 3, "le": 7})]
Level = Annotated[str, Rule("a level of the column", bounds={"min_length": 1})]


@dataclass(frozen=True, kw_only=True)
class Regression:
    """Logistic regression of the outcome on the clinical predictors, and its nomogram."""

    screening: float | None = option(
        None,
        "largest P value of a candidate alone that enters the model",
        "P value of the score test up to which a candidate enters; null: all predictors, named "
        "beforehand, since screening on the rows of the fit flatters what it keeps",
        unit="P value",
        gt=0,
        le=1,
    )
    method: Literal["auto", "ml", "firth"] = option(
        "auto",
        "how coefficients are estimated",
        "auto | ml | firth: maximum likelihood; Firth where the outcomes are separated, or always",
    )
    risks: Literal["flic", "flac"] = option(
        "flic",
        "how risks are computed after Firth's method",
        "flic | flac: after Firth, so that the mean risk is the share of events",
    )
    resamples: int = option(
        1000,
        "resamples of the bootstrap",
        "of the whole selection and fit: optimism and shrinkage",
        unit="resamples",
        ge=100,
    )
    impute: int = option(
        0,
        "completed tables of a multiple imputation",
        "0: complete cases alone; else 20 or more tables, whose pooled coefficients stand beside",
        unit="tables",
        ge=0,
    )
    factors: list[str] = option(
        [],
        "predictors of numbers that enter as categories",
        "columns of numbers that enter as categories: [asa]",
        unique=True,
    )
    references: dict[str, Level] = option(
        {},
        "level that the others are compared with, {sex: female}",
        "{sex: female}: level that others are compared with; the first of the dictionary where "
        "none is named",
        replaced=True,
    )
    splines: dict[str, Knots] = option(
        {},
        "knots of a restricted cubic spline, {age: 4}",
        "{age: 4}: knots of a restricted cubic spline; other numbers enter as straight lines",
        replaced=True,
    )
    day: str | None = option(
        None,
        "when the outcome is looked at, in words",
        "such as `day 30 after surgery`; stands on the first line of the calculator",
        min_length=1,
    )
    population: str | None = option(
        None,
        "for whom the model is, in words",
        "such as `adults with one osteoporotic fracture`; stands there too",
        min_length=1,
    )
