"""A configuration that notes which of its options are read."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import pipeline.core.sections
from pipeline.core.sections import NAMED, SECTION, SECTIONS
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


@contextlib.contextmanager
def noting() -> Iterator[None]:
    """Let typed sections that are made of a `Recorded` configuration note what is read, too."""
    with mock.patch.object(pipeline.core.sections, "_made", _made):
        yield


_plain = pipeline.core.sections._made

#: Python's own code that makes a changed copy; 3.13 has a second function for it.
_COPYING = {
    getattr(dataclasses, name).__code__
    for name in ("replace", "_replace")
    if hasattr(dataclasses, name)
}


def _made(kind: type, values: Mapping) -> Any:
    if not isinstance(values, Recorded):
        return _plain(kind, values)
    given = {}
    for one in dataclasses.fields(kind):
        value = dict.__getitem__(values, one.name)
        if isinstance(value, dict) and value:
            value = Recorded(value, values.read, f"{values.outer}{one.name}.")
        inner = one.metadata.get(SECTION)
        if inner is not None and value is not None:
            value = _made(inner, value)
        elif {SECTIONS, NAMED} & set(one.metadata):  # one option, whatever is read inside
            value = pipeline.core.sections._typed(one, dict.__getitem__(values, one.name))
        given[one.name] = value
    return _noting(kind, values.read, values.outer)(**given)


def _noting(kind: type, read: set[str], outer: str) -> type:
    """Return a class of the same sections whose objects, and changed copies, note what is read."""
    names = {one.name for one in dataclasses.fields(kind)}

    def get(self: object, name: str) -> Any:
        value = object.__getattribute__(self, name)
        # A changed copy takes over what it does not change, and reads nothing.
        copied = sys._getframe(1).f_code in _COPYING
        full = f"{outer}{name}"
        if name in names and not copied and (full in KNOWN or not dataclasses.is_dataclass(value)):
            read.add(full)
        return value

    return type(kind.__name__, (kind,), {"__getattribute__": get})
