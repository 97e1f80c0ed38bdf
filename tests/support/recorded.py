"""A configuration that notes which of its options are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.study.options.study_options import Options
from tests.support.options import every_option

KNOWN = frozenset(name for name, _ in every_option(Options))


class Recorded(dict):
    """A configuration, or a section of one, that adds every option that is read to `read`.

    An option counts as read when its value is taken, and not when the section that holds it is
    handed on. A copy notes what is read of it, too.

    Parameters
    ----------
    values : dict
        Options.
    read : set of str
        Gets the options that are read, with dots; parts of a mapping, too.
    outer : str
        Name of the section, with a dot behind it.
    """

    def __init__(self, values: dict, read: set[str], outer: str = "") -> None:
        super().__init__(values)
        self.read, self.outer = read, outer

    def __getitem__(self, name: str) -> Any:
        value, full = super().__getitem__(name), f"{self.outer}{name}"
        if full in KNOWN or not isinstance(value, dict):
            self.read.add(full)
        if isinstance(value, dict) and value and not isinstance(value, Recorded):
            return Recorded(value, self.read, f"{full}.")
        return value

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 (it is `get` itself)

    def __iter__(self) -> Iterator[str]:
        return iter(list(super().keys()))  # no fast way of C around `__getitem__`

    def values(self) -> list:  # type: ignore[override]
        return [self[name] for name in self]

    def items(self) -> list:  # type: ignore[override]
        return [(name, self[name]) for name in self]

    def pop(self, name: str, *default: Any) -> Any:
        if name in self:
            self[name]
        return super().pop(name, *default)

    def __copy__(self) -> Recorded:
        values = {name: dict.__getitem__(self, name) for name in self}
        return Recorded(values, self.read, self.outer)

    def __or__(self, other: dict) -> dict:
        return dict(self.items()) | other

    def __ror__(self, other: dict) -> dict:
        return other | dict(self.items())
