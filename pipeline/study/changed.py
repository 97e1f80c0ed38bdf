"""A configuration with one option changed: copied along the way to it, and nowhere else."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


def with_option(config: Mapping, key: str, value: object) -> Any:
    """Return a configuration in which one option has another value; the given one stays as it is.

    Parameters
    ----------
    config : mapping
        Resolved configuration.
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
    changed = copy.copy(config)
    new = with_option(config[outer], rest, value) if rest else value
    if outer not in config:
        raise KeyError(key)
    changed[outer] = new  # type: ignore[index]
    return changed
