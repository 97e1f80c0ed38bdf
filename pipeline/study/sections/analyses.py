"""What is asked of a study's tables besides prediction, and how."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import Annotated, Literal

from pipeline.core.sections import Rule, option, optional_section, sections

Column = Annotated[str, Rule("name of a clinical column", bounds={"min_length": 1})]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A scale that was measured several times."""

    label: str = option(MISSING, "the scale in words", required=True, min_length=1)
    unit: str = option(MISSING, "what one step is", required=True, min_length=1)
    range: list[float] = option(
        MISSING,
        "least and largest value that it can have",
        "ODI is 0 to 50 points in some studies, 0 to 100 in others",
        unit="as the column",
        required=True,
        remedy="such as `range: [0, 10]`",
        min_length=2,
        max_length=2,
    )
    columns: Annotated[dict[str, Column], Rule(bounds={"min_length": 2})] = option(
        MISSING,
        "name of each time and its column, from before to last",
        required=True,
        remedy="such as `columns: {before: vas_pre, 1 month: vas_1m}`",
        replaced=True,
    )
    mcid: float | None = option(
        None, "least change that matters to a patient", unit="as the column", gt=0
    )
    good: Literal["low", "high"] = option("low", "which end is the better one")
    bands: dict[str, float] = option(
        {},
        "largest value of each band, for stacked bars",
        unit="as the column",
        replaced=True,
    )


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event that may happen while a patient is followed."""

    label: str = option(MISSING, "the event in words", required=True, min_length=1)
    event: str = option(
        MISSING,
        "column that says whether it happened, or adjacent, remote or refracture of the levels",
        required=True,
        min_length=1,
    )
    followed: str = option(
        MISSING, "column of the time to the last follow-up", required=True, min_length=1
    )
    unit: str = option(MISSING, "unit of that time", required=True, min_length=1)
    time: str | None = option(
        None, "column of the time of the first event, which ends its person-time", min_length=1
    )
    count: str | None = option(None, "column of how many such events there were", min_length=1)
    died: str | None = option(
        None, "column that says whether death ended the follow-up", min_length=1
    )


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Columns of vertebral levels, such as T12, L1 in a cell."""

    treated: str = option(MISSING, "column of the treated levels", required=True, min_length=1)
    new: str | None = option(None, "column of the levels that broke afterwards", min_length=1)


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
    adjust_for: list[Column] = option(
        [],
        "columns for which differences of scales and ratios of rates are adjusted",
        "numbers, or columns of two levels: [age, sex]; scales and rates are compared crude, too",
        unique=True,
    )
    scales: list[Scale] = sections(
        Scale,
        "scales measured several times, a list of {label, unit, range, columns, ...}",
        "list of {label, unit, range, columns: {before: vas_pre, last: vas_1m}, mcid, good, bands}",
    )
    events: list[Event] = sections(
        Event,
        "events per person-time, a list of {label, event, followed, unit, ...}",
        "list of {label, event, followed, unit, time, count, died}; adjacent, remote, refracture "
        "follow from `levels`",
    )
    levels: Levels | None = optional_section(
        Levels,
        "columns of the treated levels and of those that broke afterwards, {treated, new}",
        "{treated, new}: cells such as T12, L1 or T12-L2; null: none",
        remedy="such as `levels: {treated: treated, new: new_fractures}`",
    )
    figures: list[Annotated[Literal["groups", "correlations"], Rule("a figure")]] = option(
        [],
        "figures of the clinical columns",
        "groups (every compared column by group) | correlations (Pearson's, with the outcome)",
        unique=True,
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
    interactions: list[Annotated[list[Column], Rule(bounds={"min_length": 2, "max_length": 2})]] = (
        option(
            [],
            "pairs of predictors whose interaction is tested, [[age, sex]]",
            "[[age, sex]]: named beforehand; each is tested by the likelihood ratio, and the model "
            "stays as it is",
            remedy="such as `interactions: [[age, sex]]`",
        )
    )
    penalised: bool = option(
        False,
        "whether ridge and lasso stand beside the fit",
        "true: ridge and lasso coefficients beside, their penalty chosen by ten folds of patients",
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
