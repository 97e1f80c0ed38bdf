"""Sections of what a study asks of its clinical table."""

from __future__ import annotations

from dataclasses import MISSING, dataclass

from pipeline.core.sections import option


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
