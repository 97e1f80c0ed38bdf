"""How many events judge the models, and what a figure says where they are few."""

from __future__ import annotations

from pipeline.reporting.results import Results, judged
from pipeline.reporting.wording import count, plural

MIN_TEST_EVENTS = 100
"""Events, and non-events, that a test of a model should hold (Vergouwe et al., J Clin Epidemiol
2005;58:475-483; Collins et al., Stat Med 2016;35:214-226)."""


def judged_events(results: Results) -> tuple[int, int]:
    """Return the events and the units that judge the models."""
    split = results.modelling.split
    rows = split[split["part"] == "test"] if judged(results).part == "test" else split
    return int(rows["outcome"].sum()), len(rows)


def at_figure(results: Results) -> str:
    """Return the caution that stands below a figure of the models where events are few.

    It stands at the figure itself, since a figure is what is copied and shown alone; blank where
    there are enough.
    """
    events, rows = judged_events(results)
    others = rows - events
    if min(events, others) >= MIN_TEST_EVENTS:
        return ""
    return (
        f" Few events: {plural(events, 'event')} and {plural(others, 'non-event')}, where "
        f"{count(MIN_TEST_EVENTS)} of each are advised: chance alone moves these curves and values."
    )
