"""Typed options with one of them changed: made anew along the way to it, and nowhere else."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

Typed = TypeVar("Typed")


def with_option(options: Typed, key: str, value: object) -> Typed:
    """Return options in which one has another value; the given ones stay as they are.

    Parameters
    ----------
    options : dataclass
        A section, or what somebody reads of a study (`pipeline.core.sections.part_of`).
    key : str
        The option, with dots: ``search.iterations``.
    value : object
        Its value.

    Raises
    ------
    KeyError
        If there is no such option.
    """
    outer, _, rest = key.partition(".")
    held: Any = options
    if outer not in {one.name for one in fields(held)}:
        raise KeyError(key)
    new = with_option(getattr(held, outer), rest, value) if rest else value
    changed: Typed = replace(held, **{outer: new})
    return changed
