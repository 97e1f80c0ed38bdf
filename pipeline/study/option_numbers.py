"""Numbers that are typed on a command line, held to bounds as those of a configuration are.

An option that a configuration has too takes its bounds, words and remedy from the schema of the
configuration (`config_number`); any other states its bounds where it is defined (`bounded_number`).
Both return what `argparse` calls a type: it turns text into a number, or refuses it by name.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping

from pipeline.core.errors import StudyError
from pipeline.core.written.number_notation import NUMBER, beyond_numbers
from pipeline.study.options.words import schema_of, wanted

#: Keyword of the schema -> whether a number keeps to it.
_KEPT = {
    "minimum": lambda value, bound: value >= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
}

#: What a seed may be, and how many processes may be asked for.
SEED = {"type": "integer", "minimum": 0, "maximum": 4294967295}
PROCESSES = {"type": "integer", "minimum": 1}


def checked_number(value: float, schema: Mapping, where: str) -> float:
    """Return a number that keeps to its schema.

    Parameters
    ----------
    value : float
        The number.
    schema : mapping
        ``type`` (number or integer), bounds (``minimum``, ``exclusiveMaximum``, ...), and where the
        configuration has the option ``description`` and ``remedy``.
    where : str
        Option that holds it.

    Raises
    ------
    StudyError
        If the number is not finite, not whole where it must be, or out of bounds.
    """
    whole = schema.get("type") == "integer"
    fits = math.isfinite(value) and (not whole or float(value).is_integer())
    if fits and all(keeps(value, schema[key]) for key, keeps in _KEPT.items() if key in schema):
        return value
    raise StudyError(
        _rule(schema),
        found=f"{value:g}",
        where=where,
        remedy=_remedy(schema),
        code="option-number-out-of-bounds",
    )


def config_number(key: str) -> Callable[[str], float]:
    """Return an argparse type with the bounds of a configuration's option.

    Parameters
    ----------
    key : str
        The option, such as ``evaluation.confidence``.
    """
    return number_within(schema_of(key))


def number_within(schema: Mapping) -> Callable[[str], float]:
    """Return an argparse type with the bounds of a schema, as `checked_number` takes it."""
    return _Number(schema)


def bounded_number(kind: str = "integer", **bounds: float) -> Callable[[str], float]:
    """Return an argparse type with bounds of its own.

    Parameters
    ----------
    kind : {'integer', 'number'}
        Whether the number is whole.
    **bounds : float
        ``minimum, maximum, exclusiveMinimum, exclusiveMaximum``, as in the schema.
    """
    return _Number({"type": kind, **bounds})


class _Number:
    """Turns the text of an option into a number; its name is what argparse calls it."""

    def __init__(self, schema: Mapping) -> None:
        self.schema = schema
        self.__name__ = schema["type"]

    def __call__(self, text: str) -> float:
        try:
            value = int(text) if self.schema["type"] == "integer" else float(text)
            if NUMBER.fullmatch(text.strip()) and beyond_numbers(text.strip()):
                raise ValueError("beyond the numbers of a computer")
            return checked_number(value, self.schema, "")
        except (ValueError, OverflowError, StudyError):
            raise argparse.ArgumentTypeError(
                f"{_rule(self.schema)}. Found: {text}. Remedy: {_remedy(self.schema)}."
            ) from None


def _remedy(schema: Mapping) -> str:
    return schema.get("remedy") or "write such a number, with a decimal point and no unit"


def _rule(schema: Mapping) -> str:
    about = f" ({schema['description']})" if "description" in schema else ""
    return f"The number{about} must be {wanted(schema)}"
