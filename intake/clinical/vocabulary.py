"""Words by which columns and cells of a hospital's sheet are known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml


@cache
def vocabulary(kind: str) -> frozenset[str]:
    """Return the words of a kind in words.yaml."""
    path = Path(__file__).with_name("words.yaml")
    return frozenset(_words(yaml.safe_load(path.read_text(encoding="utf-8"))[kind]))


def _words(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _words(one)
    else:
        yield str(value)
