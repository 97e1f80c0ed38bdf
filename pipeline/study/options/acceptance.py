"""A configuration held to the classes of its options; what is wrong is told in its own words.

pydantic finds what is wrong, and this module says it: which option, what it is, what was found,
what to do. Of an option that accepts several types there is one sentence, not one a type.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.core.problems import Problems, listing, suggestion
from pipeline.study.options.words import expected, remedy, shown, wanted, whole_schema

KEYWORDS = {
    "string_pattern_mismatch": "pattern",
    "string_too_short": "minLength",
    "too_short": "minItems",
    "too_long": "maxItems",
    "unique": "uniqueItems",
}
"""What pydantic calls a broken bound -> the schema's word for it."""

_TEXT = {"type": "string"}

_KEY = "[key]"
"""Where pydantic says that the name of an entry is wrong, and not its value."""


class _Place(NamedTuple):
    """Where a mistake lies: keys down to it, what the schema says there; of a name or a value."""

    path: tuple
    schema: Mapping | None
    is_name: bool = False


def check_options(config: Mapping, problems: Problems) -> None:
    """Add what a configuration says that no option allows: names, types, values, one by one.

    Parameters
    ----------
    config : mapping
        All options, those of a study put over the defaults.
    problems : Problems
        Gets one problem for each option that is wrong.
    """
    from pydantic import ValidationError

    from pipeline.study.options.typed import accepted

    _check_numbers(config, [], problems)
    try:
        accepted().validate_python(config)
    except ValidationError as refused:
        told: dict[tuple, tuple[_Place, str]] = {}
        for error in refused.errors(include_url=False, include_context=False):
            place = _place(error["loc"])
            told.setdefault((*map(str, place.path), place.is_name), (place, error["type"]))
        for _, (place, kind) in sorted(told.items()):
            _tell(place, kind, config, problems)


def _place(loc: Sequence) -> _Place:
    """Follow pydantic's way to a mistake down the schema, as far as that names options."""
    schema: Mapping = whole_schema()
    path: tuple = ()
    for number, part in enumerate(loc):
        names = schema.get("properties")
        if loc[number + 1 : number + 2] == (_KEY,) and names is None:
            return _Place((*path, part), schema.get("propertyNames", _TEXT), is_name=True)
        if names is not None and part not in names:
            return _Place((*path, part), None)
        inner = names[part] if names is not None else schema.get("additionalProperties")
        if inner is None and isinstance(part, int):
            inner = schema.get("items")
        if not isinstance(inner, Mapping):  # the name of one of several types
            break
        schema = inner
        path = (*path, part)
    return _Place(path, schema)


def _tell(place: _Place, kind: str, config: Mapping, problems: Problems) -> None:
    path, schema = place.path, place.schema
    if schema is None:
        known = (_place(path[:-1]).schema or {})["properties"]
        problems.add(
            "Every option must be one of config/default.yaml",
            where=_where(path),
            remedy=suggestion(path[-1], known) or f"known here: {listing(sorted(known), 12)}",
            code="option-unknown",
        )
        return
    if kind == "missing":
        problems.add(
            f"`{path[-1]}` must be given",
            where=_where(path),
            remedy=expected(schema),
            code="option-missing",
        )
        return
    found = path[-1] if place.is_name else _at(config, path)
    if isinstance(found, float) and math.isnan(found):
        return  # told already
    path = path[:-1] if place.is_name else path  # a wrong name is told where the entry stands
    name = path[-1] if path else "configuration"
    problems.add(
        f"`{name}` ({schema.get('description', 'a name')}) must be "
        f"{wanted(schema, _keyword(schema, kind))}",
        found=shown(found),
        where=_where(path),
        remedy=remedy(schema, found),
        code="option-value-invalid",
    )


def _where(path: tuple) -> str:
    return "config key " + (".".join(map(str, path)) or "(top level)")


def _at(config: Mapping, path: tuple) -> object:
    value: object = config
    for part in path:
        value = value[part]  # type: ignore[index]
    return value


def _keyword(schema: Mapping, kind: str) -> str:
    if "anyOf" in schema:
        return "anyOf"
    if kind == "too_short" and "minProperties" in schema:
        return "minProperties"
    return KEYWORDS.get(kind, "")


def _check_numbers(value: object, path: list[str], problems: Problems) -> None:
    """Refuse NaN, which keeps to any bound as far as a schema can tell."""
    parts: Iterable[tuple] = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    for name, part in parts:
        _check_numbers(part, [*path, str(name)], problems)
    if isinstance(value, float) and math.isnan(value):
        problems.add(
            "An option must be a number where it is written as one",
            found=".nan",
            where="config key " + ".".join(path),
            remedy="write a number, or leave the option out for its default",
            code="option-number-not-plain",
        )
