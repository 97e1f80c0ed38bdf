"""Search spaces: what a configuration may write, and the parameter sets drawn from them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.model_selection import ParameterSampler

from pipeline.core.errors import StudyError

DIGITS = 4
"""Significant digits of a drawn parameter: enough to search, few enough to print."""

RANGES = ("uniform", "log_uniform")
"""Ranges that a configuration may write instead of a list: ``{log_uniform: [0.01, 10]}``."""


def read_values(values: object, where: str) -> object:
    """Return what a configuration allows a parameter: a list of values, or a distribution.

    Parameters
    ----------
    values : object
        A list, a single value, or a mapping of one of `RANGES` to its two ends.
    where : str
        Config key of the parameter, for the error.

    Raises
    ------
    StudyError
        If a range is not one of `RANGES` with a lower and a higher number (both above zero for
        ``log_uniform``), or if a list is empty.
    """
    if isinstance(values, Mapping):
        return _read_range(values, where)
    if not isinstance(values, list | tuple):
        return [values]
    if not values:
        raise StudyError(
            "A searched parameter needs at least one value",
            found="an empty list",
            where=f"config key {where}",
            remedy="list its values, or remove it to keep the default",
            code="searched-values-empty",
        )
    return list(values)


def _read_range(values: Mapping, where: str) -> object:
    name, ends = next(iter(values.items())) if len(values) == 1 else (None, None)
    numbers = (
        isinstance(ends, list | tuple)
        and len(ends) == 2
        and all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
    )
    if name in RANGES and numbers:
        low, high = map(float, ends)
        if name == "uniform" and low < high:
            return uniform(low, high - low)
        if name == "log_uniform" and 0 < low < high:
            return loguniform(low, high)
    raise StudyError(
        "A searched range must have a lower and a higher end, for log_uniform above zero",
        found=dict(values),
        where=f"config key {where}",
        remedy="write a list of values, {uniform: [low, high]} or {log_uniform: [low, high]}",
        code="searched-range-invalid",
    )


def plan_phases(phases: tuple[dict, ...], iterations: int) -> list[tuple[dict, int]]:
    """Return the phases of a search, each with the number of parameter sets to draw.

    Every phase draws `iterations` sets; one whose space holds fewer draws all of them.
    """
    plan = []
    for space in phases:
        count = iterations
        if all(isinstance(values, list) for values in space.values()):
            count = min(count, int(np.prod([len(values) for values in space.values()])))
        plan.append((space, count))
    return plan


def draw_parameters(space: Mapping, count: int, seed: int) -> list[dict]:
    """Draw up to `count` different parameter sets from a space, as JSON values.

    Parameters
    ----------
    space : mapping
        {parameter: list of values, or scipy distribution}; an empty one gives one empty set.
    count : int
        Sets to draw.
    seed : int
        Seed of the draw.
    """
    if not space:
        return [{}]
    sets = {}
    for drawn in ParameterSampler(dict(space), count, random_state=seed):
        values = {name: _plain(drawn[name]) for name in space}
        sets.setdefault(json.dumps(values), values)
    return list(sets.values())


def _plain(value: object) -> object:
    """Return a drawn value as JSON can hold it, a drawn float with few digits."""
    value = value.item() if isinstance(value, np.generic) else value
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
