"""The analysis `outcomes`: groups compared by the clinical columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.comparison.course.new_fractures import KINDS
from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.study.analyses.analysis import Analysis
from pipeline.study.sections.analyses import Outcomes
from pipeline.tables.handed_in_options import OUTCOME


def check_groups(config: Mapping[str, Any], problems: Problems) -> None:
    """Add that nothing says which groups are compared."""
    if config["outcomes"]["by"] is None and config["outcome"] is None:
        problems.add(
            "The analysis `outcomes` needs groups",
            found="neither `outcomes.by` nor `outcome`",
            where="config key outcomes.by",
            remedy="name a clinical column: `outcomes: {by: fracture}`; or define the outcome",
            code="outcomes-without-groups",
        )

    check_plan(config["outcomes"], problems)


def check_plan(outcomes: Mapping[str, Any], problems: Problems) -> None:
    """Add what is wrong with scales, events and levels, beyond the types of their options."""
    from pipeline.study.course_plan import plan_of

    try:
        plan = plan_of(outcomes)
    except StudyError as error:
        problems.errors.append(error)
        return
    derived = [each.label for each in plan.events if each.event in KINDS]
    if derived and not (plan.levels and plan.levels.new):
        problems.add(
            "Fractures of adjacent and remote levels follow from the levels, treated and new",
            found=listing(derived),
            where="config key outcomes.levels",
            remedy="such as `levels: {treated: treated, new: new_fractures}`; or name a column of "
            "the event",
            code="outcomes-derived-event",
        )


def has_course(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the folder of scales, events, figures and readings, where a study asks for any."""
    options = config["outcomes"]
    asked = [options[name] for name in ("scales", "events", "levels", "figures")]
    return ("outcomes/course",) if any(asked) or config["readings"] else ()


OUTCOMES = Analysis(
    "outcomes",
    "groups compared by the clinical columns",
    rules=("describe_groups", "describe_course"),
    reads={
        "describe_groups": (
            *("unit", *OUTCOME, "eligibility", "features", "sites", "evaluation.confidence"),
            *(f"outcomes.{name}" for name in ("by", "normality", "small_cells", "adjust")),
        ),
        "describe_course": (
            *(
                "unit",
                *OUTCOME,
                "eligibility",
                "features",
                "sites",
                "evaluation.confidence",
                "readings",
                "reading_ties",
                "reading_consensus",
            ),
            *(f"outcomes.{name}" for name in ("by", "adjust_for", "scales", "events", "levels")),
            "outcomes.figures",
        ),
    },
    results=(
        *("outcomes/groups.parquet", "outcomes/cells.parquet", "outcomes/effects.parquet"),
        "outcomes/groups.json",
    ),
    options=Outcomes,
    description="how groups are compared, in the analysis outcomes",
    clinical_only=True,
    check=check_groups,
    asked=has_course,
)
