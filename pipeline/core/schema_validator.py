"""JSON Schema as this project means it: a pattern is the whole of a text.

In Python ``$`` also matches before a line break at the end, so that a name with one would pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any


@cache
def _validator_class() -> type:
    # jsonschema costs a tenth of a second, which only the front door pays.
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def pattern(_validator: object, wanted: str, value: object, _schema: object) -> Iterator:
        if isinstance(value, str) and not re.fullmatch(wanted, value):
            yield ValidationError(f"{value!r} does not match {wanted!r}")

    return extend(Draft202012Validator, {"pattern": pattern})


def schema_validator(schema: dict) -> Any:
    """Return a validator of `schema`, whose patterns describe whole texts."""
    return _validator_class()(schema)
