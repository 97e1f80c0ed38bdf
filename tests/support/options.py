"""The options of a study, one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from pipeline.core.sections import SECTION


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
