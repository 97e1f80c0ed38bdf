"""Sections of what a study is handed in, and of what it asks of its clinical table."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import Annotated

from pipeline.core.sections import Rule, option

NAME = "^[A-Za-z0-9][A-Za-z0-9_-]*$"

Reader = Annotated[str, Rule("name of a reader", bounds={"pattern": NAME})]
Path = Annotated[str, Rule("path of a reader's feature table", bounds={"min_length": 1})]
Column = Annotated[str, Rule("name of a column", bounds={"min_length": 1})]
Level = Annotated[str, Rule("a level of the data dictionary", bounds={"min_length": 1})]
Spelling = Annotated[
    Annotated[str, Rule(bounds={"min_length": 1})] | float | bool,
    Rule("how a site spells a level; several with `|` between them", accepts="text or a number"),
]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The binary endpoint."""

    name: str = option(
        MISSING, "short name of the outcome", pattern="^[A-Za-z][A-Za-z0-9_-]*$", required=True
    )
    label: str = option(
        "", "the outcome in words, for the report", "its name where it is not given", min_length=1
    )
    definition: str | None = option(
        None,
        "what the outcome means, in the authors' words",
        "such as `back pain of VAS 4 or more on day 3 and day 30`: the report's question",
        min_length=1,
    )
    formula: str = option(
        MISSING,
        "condition over clinical columns",
        required=True,
        remedy="write it as text, such as `formula: vas_day3 >= 4 and vas_day30 >= 4`",
        min_length=1,
    )


OUTCOME = ("outcome.name", "outcome.label", "outcome.formula")
"""What stages read of the outcome; its definition is for people alone, and re-runs none."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition that a unit has to meet."""

    label: str = option(
        MISSING, "the condition in words, for the flow diagram", required=True, min_length=1
    )
    formula: str = option(MISSING, "condition over clinical columns", required=True, min_length=1)


@dataclass(frozen=True, kw_only=True)
class Site:
    """Tables of one site, of a study that has several."""

    cases: str | None = option(
        None,
        "path of the site's table of masks",
        "table that intake wrote for this site",
        min_length=1,
    )
    features: Annotated[dict[Reader, Path], Rule(bounds={"min_length": 1})] | None = option(
        None,
        "one ready feature table per reader of the site, {reader: path}",
        "{reader: path}; every site has the same names of readers",
        remedy="such as `features: {A: a.csv}`",
    )
    clinical: str | None = option(
        None,
        "path of the site's clinical table",
        "one row per unit of this site, with the same columns as at the other sites",
        min_length=1,
    )
    levels: dict[Column, dict[Level, Spelling]] = option(
        {},
        "how the site spells levels, {HPV: {positive: Positive -Strong}}",
        "{HPV: {positive: Positive -Strong | pos}}: how this site spells the levels of a column",
        remedy="such as `levels: {HPV: {positive: Positive -Strong | pos}}`",
    )
