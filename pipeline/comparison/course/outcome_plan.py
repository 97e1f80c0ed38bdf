"""What a comparison of outcomes is asked: a small file of groups, scales, events and levels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.core.written.yaml_keys import read_yaml

if TYPE_CHECKING:
    from pipeline.comparison.course.paired import Scale

Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScalePlan(_Strict):
    """A scale that was measured before and after, with its unit and range.

    Attributes
    ----------
    label, unit : str
        Name, and what one step is.
    range : tuple of float
        Least and largest value: ODI is 0 to 50 points in some studies, 0 to 100% in others.
    columns : dict of str to str
        Name of each time, from before to last, and its column.
    mcid : float or None
        Least change that matters, in the scale's unit.
    good : {'low', 'high'}
        Which end is the better one.
    bands : dict of str to float
        Largest value of each band, for stacked bars: ``{mild: 3, moderate: 6, severe: 10}``.
    """

    label: Text
    unit: Text
    range: tuple[float, float]
    columns: Annotated[dict[str, str], Field(min_length=2)]
    mcid: Annotated[float, Field(gt=0)] | None = None
    good: Literal["low", "high"] = "low"
    bands: dict[str, float] = {}

    @model_validator(mode="after")
    def _rises(self) -> ScalePlan:
        if self.range[0] >= self.range[1]:
            raise ValueError("a range must rise, such as [0, 10]")
        ends = list(self.bands.values())
        if ends and (ends != sorted(set(ends)) or ends[-1] != self.range[1]):
            raise ValueError("bands must rise and end at the end of the range")
        return self

    def scale(self) -> Scale:
        """Return the scale as the statistics take it."""
        # It loads scipy.stats, and a study is validated at each start of Snakemake.
        from pipeline.comparison.course.paired import Scale

        return Scale(self.label, self.unit, *self.range, self.mcid, self.good == "low")


class EventPlan(_Strict):
    """An event that may happen while a patient is followed.

    Attributes
    ----------
    label : str
        In words.
    event : str
        Column of 0 and 1, or ``adjacent``, ``remote`` or ``refracture`` of the levels.
    followed, unit : str
        Column of the time from the operation to the last follow-up, and its unit.
    time : str or None
        Column of the time of the first event: person-time then ends there.
    count : str or None
        Column of how many such events a patient had.
    died : str or None
        Column of 0 and 1: whether death ended the follow-up.
    """

    label: Text
    event: Text
    followed: Text
    unit: Text
    time: str | None = None
    count: str | None = None
    died: str | None = None

    @model_validator(mode="after")
    def _needs_time(self) -> EventPlan:
        if self.died and not self.time:
            raise ValueError("deaths compete with events whose time is known: name `time` too")
        return self


class LevelsPlan(_Strict):
    """Columns of the treated levels, and of the levels that broke afterwards."""

    treated: Text
    new: str | None = None


class OutcomePlan(_Strict):
    """Everything that is asked.

    Attributes
    ----------
    by : str or None
        Column of the groups; nothing is compared between groups without.
    groups : list of str
        Its values in order, the reference first; others are left out of comparisons. By default
        all, in the order of their kind.
    adjust_for : list of str
        Columns of numbers, or of two values, for which differences are adjusted too.
    """

    by: str | None = None
    groups: list[Text] = []
    adjust_for: list[str] = []
    levels: LevelsPlan | None = None
    scales: list[ScalePlan] = []
    events: list[EventPlan] = []


def read_plan(path: str | Path) -> OutcomePlan:
    """Read and check a plan.

    Raises
    ------
    StudyError
        If the file is missing or no YAML, lacks something (a scale its unit or range), or holds
        what is not known.
    """
    path = Path(path)
    if not path.is_file():
        raise StudyError(
            "The plan of the outcomes must exist",
            where=str(path),
            remedy="give the path of the plan: --plan; docs/outcomes.md shows one",
            code="plan-missing",
        )
    given = read_yaml(path.read_bytes())
    if not isinstance(given, dict) or not (given.get("scales") or given.get("events")):
        raise StudyError(
            "A plan of outcomes must name scales or events",
            where=str(path),
            remedy="begin with the example of docs/outcomes.md",
            code="plan-without-outcomes",
        )
    return plan_from(given, str(path))


def plan_from(given: Mapping, where: str) -> OutcomePlan:
    """Return the plan that keys and values make; `where` they stand is for the error.

    Raises
    ------
    StudyError
        If something is missing, wrong or not known.
    """
    try:
        return OutcomePlan.model_validate(given)
    except ValidationError as error:
        told = [
            f"{'.'.join(map(str, each['loc']))}: {each['msg'][:1].lower()}{each['msg'][1:]}"
            for each in error.errors()
        ]
        raise StudyError(
            "A plan of outcomes must hold what each part needs, and nothing else",
            found=listing(told),
            where=where,
            remedy="write the keys as in docs/outcomes.md; a scale needs label, unit, range and "
            "columns",
            code="plan-part-invalid",
        ) from None
