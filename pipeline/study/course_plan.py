"""What a study asks of its scales, events and levels, as the statistics take it."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.comparison.course.outcome_plan import OutcomePlan, plan_from

ASKED = ("adjust_for", "scales", "events", "levels")
"""Options of the section `outcomes` that make the plan."""


def plan_of(options: Mapping) -> OutcomePlan:
    """Return what the section `outcomes` of a configuration asks for, as the statistics take it.

    Raises
    ------
    StudyError
        If a range does not rise, bands do not end at its end, or deaths are named without times.
    """
    given = {name: options[name] for name in ASKED}
    given["levels"] = None if given["levels"] is None else dict(given["levels"])
    for name in ("scales", "events"):
        given[name] = [{**each} for each in given[name]]
    return plan_from(given, "config key outcomes")
