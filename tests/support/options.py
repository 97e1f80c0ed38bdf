"""The options of a study, one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.core.sections import SECTION, SECTIONS, rule_of
from pipeline.study.options.study_options import Options


def every_option(kind: type, outer: str = "") -> Iterator[tuple[str, dataclasses.Field]]:
    """Yield the name of each option of a class and of its sections, with dots, and its field.

    A section is none; one that a study may lack is.
    """
    for one in dataclasses.fields(kind):
        inner = one.metadata.get(SECTION)
        if inner is None or one.default is None:
            yield outer + one.name, one
        else:
            yield from every_option(inner, f"{outer}{one.name}.")


def typed(config: Mapping | Options, kind: type = Options) -> Any:
    """Return the options of a configuration as typed sections, defaults where it names none.

    Parameters
    ----------
    config : mapping
        A configuration, or a part of one; typed options are returned as they are.
    kind : type
        Class of the section that it is.
    """
    if not isinstance(config, Mapping):
        return config
    known = {one.name: one for one in dataclasses.fields(kind)}
    assert set(config) <= set(known), f"no options: {sorted(set(config) - set(known))}"
    given = {name: _typed(one, config[name]) for name, one in known.items() if name in config}
    needed = {one.name: None for one in known.values() if rule_of(one).required}
    return kind(**needed | given)


def _typed(one: dataclasses.Field, value: Any) -> Any:
    if value is not None and SECTION in one.metadata:
        return typed(value, one.metadata[SECTION])
    if SECTIONS in one.metadata:
        return [typed(each, one.metadata[SECTIONS]) for each in value]
    return value
