"""What is said of options: what each accepts, and what to do about a wrong value.

Read from `config/schema.json`, which is made from the classes, so that a command that only takes a
number with an option's bounds need not load pydantic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

from pipeline.core.installed.own_files import OWN_FILES
from pipeline.core.problems import suggestion

SCHEMA = OWN_FILES / "config" / "schema.json"


@cache
def whole_schema() -> dict:
    """Return the JSON schema of a configuration."""
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def schema_of(key: str) -> dict:
    """Return what the schema says of one option.

    Parameters
    ----------
    key : str
        The option, nested ones as ``evaluation.confidence``.
    """
    schema = whole_schema()
    for part in key.split("."):
        schema = schema["properties"][part]
    return schema


def wanted(schema: Mapping, keyword: str = "") -> str:
    """Return in words what `schema` accepts, its `keyword` having refused the value."""
    if "enum" in schema:
        return "one of " + ", ".join(map(shown, schema["enum"]))
    special = {
        "pattern": f"text of the pattern {schema.get('pattern')}",
        "anyOf": schema.get("accepts", ""),
        "uniqueItems": "a list that names nothing twice",
        "minItems": f"a list of {_count(schema)} entries",
        "maxItems": f"a list of {_count(schema)} entries",
        "minProperties": "given, and not be empty",
        "minLength": "given, and not be empty",
    }
    if keyword in special:
        return special[keyword]
    words = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "array": "a list",
        "object": "a mapping",
        "null": "null",
        "boolean": "true or false",
    }
    types = schema.get("type", "string")
    kinds = " or ".join(words[name] for name in ([types] if isinstance(types, str) else types))
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    limits = [f"{word} {schema[key]}" for key, word in bounds.items() if key in schema]
    return " ".join([kinds, " and ".join(limits)]).strip()


def remedy(schema: Mapping, value: object) -> str:
    """Return what to do about a wrong value of an option."""
    if "remedy" in schema:
        return schema["remedy"]
    if isinstance(value, str):
        known = [one for one in schema.get("enum", ()) if isinstance(one, str)]
        if near := suggestion(value, known):
            return near
    default = schema.get("default")
    if default is None or isinstance(default, dict):
        return "write such a value"
    return f"write such a value, or leave the option out for its default, {shown(default)}"


def expected(schema: Mapping) -> str:
    """Return what to do about an option that is missing."""
    return schema.get("remedy") or f"state {schema['description']}"


def shown(value: object) -> str:
    """Return a value as an error quotes it."""
    text = "null" if value is None else str(value)
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= 80 else text[:77] + "..."


def _count(schema: Mapping) -> str:
    low, high = schema.get("minItems"), schema.get("maxItems")
    return str(low) if low == high else f"at least {low}"
