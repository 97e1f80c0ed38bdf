"""The classes of the options as pydantic reads them: what is accepted, and the JSON schema of it.

pydantic costs a tenth of a second, which only the front door and the generator pay.
"""

from __future__ import annotations

from dataclasses import Field, fields
from functools import cache
from typing import Annotated, Any, NotRequired, Required, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import TypedDict

from pipeline.core.sections import NAMED, SECTION, SECTIONS, Rule, default_of, rule_of
from pipeline.study.options.study_options import Options

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def accepted() -> TypeAdapter:
    """Return what accepts a whole configuration: a mapping with the fields of `Options`."""
    return TypeAdapter(_mapping_of(Options))


def json_schema() -> dict:
    """Return the JSON schema of a configuration, with units and reasons as keywords of our own."""
    written = accepted().json_schema(schema_generator=_Words)
    known = written.pop("$defs", {})
    whole = _inlined(written, known)
    _add_defaults(whole, Options)
    return {"$schema": DIALECT, "title": "configuration of a study", **whole}


def _mapping_of(kind: type) -> Any:
    """Return a section's class as a mapping that holds its options and nothing else.

    A study's own file, put over the defaults, is one: numbers keep the way they are written.
    """
    hints = get_type_hints(kind, include_extras=True)
    parts = {one.name: _annotated(one, hints[one.name]) for one in fields(kind)}
    # A class that is made as it runs is none that a checker of types could know.
    make: Any = TypedDict
    made = make(kind.__name__, parts)
    made.__pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=True)
    return made


def _annotated(one: Field, hint: Any) -> Any:
    if (kind := one.metadata.get(SECTION)) is not None:
        hint = _mapping_of(kind) | None if default_of(one) is None else _mapping_of(kind)
    elif (kind := one.metadata.get(SECTIONS)) is not None:
        what = kind.__doc__.rstrip(".")
        item: Any = Annotated[_mapping_of(kind), Rule(what[0].lower() + what[1:])]
        hint = list[item]
    elif (kind := one.metadata.get(NAMED)) is not None:
        (mapping, *_) = get_args(hint)  # Annotated[dict[...], ...] | None
        names: Any = get_args(get_args(mapping)[0])[0]
        item = Annotated[_mapping_of(kind), Rule(kind.__doc__.rstrip("."))]
        hint = dict[names, item] | None
    rule = rule_of(one)
    return (Required if rule.required else NotRequired)[Annotated[hint, rule]]


class _Words(GenerateJsonSchema):
    """Writes a schema as people read it: no titles, values of one list, names of a mapping."""

    def literal_schema(self, schema: Any) -> dict:
        return {"enum": list(schema["expected"])}

    def dict_schema(self, schema: Any) -> dict:
        names = self.generate_inner(schema["keys_schema"])
        values = self.generate_inner(schema["values_schema"])
        if "enum" in names and "description" not in names:
            of_values = {"properties": dict.fromkeys(names["enum"], values)}
            written = {"type": "object", **of_values, "additionalProperties": False}
        else:
            named = {} if names == {"type": "string"} else {"propertyNames": names}
            written = {"type": "object", **named, "additionalProperties": values}
        bounds = {"min_length": "minProperties", "max_length": "maxProperties"}
        return written | {bounds[name]: schema[name] for name in bounds if name in schema}

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False


def _inlined(schema: Any, known: dict) -> Any:
    """Return a schema without references and titles, and with null beside the type it stands by."""
    if isinstance(schema, list):
        return [_inlined(part, known) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = dict(schema)
    if (name := schema.pop("$ref", None)) is not None:
        schema = known[name.rsplit("/", 1)[-1]] | schema
    if isinstance(schema.get("title"), str):
        del schema["title"]
    schema = {key: _inlined(part, known) for key, part in schema.items()}
    return _joined(schema.pop("anyOf")) | schema if "anyOf" in schema else schema


def _joined(parts: list[dict]) -> dict:
    """Join schemas of which one has to hold: types in one list where nothing else differs."""
    inner = [part["anyOf"] if set(part) == {"anyOf"} else [part] for part in parts]
    parts = [each for several in inner for each in several]
    rest = [part for part in parts if part != _NULL]
    null = len(rest) < len(parts)
    if null and len(rest) == 1:
        (only,) = rest
        if "enum" in only:
            return only | {"enum": [*only["enum"], None]}
        return only | {"type": [only["type"], "null"]}
    if all(set(part) <= _PLAIN and isinstance(part.get("type"), str) for part in rest):
        types = [part["type"] for part in parts]
        return {key: value for part in rest for key, value in part.items()} | {"type": types}
    return {"anyOf": parts}


_NULL = {"type": "null"}
_PLAIN = frozenset({"type", "minLength"})
"""Keywords of types that can stand in one list."""


def _add_defaults(schema: dict, kind: type) -> None:
    for one in fields(kind):
        own = schema["properties"][one.name]
        inner = one.metadata.get(SECTION)
        if inner is not None and default_of(one) is not None:
            _add_defaults(own, inner)
        elif not rule_of(one).required:
            own["default"] = default_of(one)
