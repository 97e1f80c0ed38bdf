"""Tables as classes: each column with its type, unit, whether it may be blank, and its meaning.

A class of `Table` is written once; a stage makes its rows of it (`types_of`), `write_table` and
`read_table` of `pipeline.core.files` hold a table to it, and the page of columns is made of it.

The classes are plain data and the checks a few lines of our own: every job of a run loads them,
and pandera takes longer to import than many a job takes to work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Kind:
    """A type of column.

    Attributes
    ----------
    name : str
        What people call it.
    stored : str
        The type that pandas is given for it.
    accepted : frozenset of str
        Types of pandas that hold nothing else.
    values : frozenset of str
        What `pandas.api.types.infer_dtype` may say of a column of objects; None is no value.
    blank : bool
        Whether a column of the type can have a row without a value.
    """

    name: str
    stored: str
    accepted: frozenset[str]
    values: frozenset[str] = frozenset()
    blank: bool = True


TEXT = Kind("text", "object", frozenset({"string", "str"}), frozenset({"string"}))
"""Strings or None: pandas' own type of strings would make every None a pandas.NA."""
NUMBER = Kind("number", "float64", frozenset({"float64"}))
COUNT = Kind("whole number", "int64", frozenset({"int64"}), blank=False)
FLAG = Kind("true or false", "bool", frozenset({"bool"}), blank=False)
COUNT_OR_BLANK = Kind("whole number", "Int64", frozenset({"Int64", "int64"}))
FLAG_OR_BLANK = Kind("true or false", "boolean", frozenset({"boolean", "bool"}))
FLAG_AS_OBJECT = Kind("true or false", "object", frozenset({"bool"}), frozenset({"boolean"}))
ANY_NUMBER = Kind(
    "number",
    "float64",
    frozenset({"float64", "int64", "Int64"}),
    frozenset({"floating", "integer", "mixed-integer-float"}),
)
"""A number that is whole in one table and not in another, as a count with and without blanks."""
CELL = Kind("text or number", "object", frozenset({"float64", "string", "str", "object"}))
"""Of a column of the researcher's own, whose type the data dictionary tells."""


@dataclass(frozen=True)
class Column:
    """A column, or many of one pattern of names.

    Attributes
    ----------
    kind : Kind
        Its type; with the name, all that a result depends on.
    meaning : str
        What it is, in a few words; with `unit` and `null` it makes the page of columns.
    unit : str
        Unit of a number.
    null : str
        When it has no value, in a few words; blank where it always has one.
    values : tuple of str
        All words that it may hold.
    pattern : str
        Regular expression of the names of many columns of this type; the attribute's name then
        says what they are.
    named : str
        How such names are written in documents, such as ``<reader>:<feature>``.
    optional : str
        When a table has the column, in a few words; blank where it always has it.
    """

    kind: Kind
    meaning: str
    unit: str = ""
    null: str = ""
    values: tuple[str, ...] = ()
    pattern: str = ""
    named: str = ""
    optional: str = ""


class Table:
    """A table: the docstring says what a row is, each `Column` among the attributes a column.

    Columns of a base class come first, but for optional ones.
    """


def columns_of(schema: type[Table]) -> dict[str, Column]:
    """Return a table's columns by name; those of a pattern by the attribute's.

    Optional columns come last.
    """
    found: dict[str, Column] = {}
    for base in reversed(schema.__mro__):
        own = {name: each for name, each in vars(base).items() if isinstance(each, Column)}
        found |= own
    return dict(sorted(found.items(), key=lambda each: bool(each[1].optional)))


def types_of(schema: type[Table]) -> dict[str, Any]:
    """Return column -> type of pandas of the columns that a table always has.

    Examples
    --------
    >>> class Lengths(Table):
    ...     case_id = Column(TEXT, "case")
    ...     length = Column(NUMBER, "along the axis", unit="mm")
    >>> types_of(Lengths)
    {'case_id': 'object', 'length': 'float64'}
    """
    return {
        name: each.kind.stored
        for name, each in columns_of(schema).items()
        if not each.pattern and not each.optional
    }


def differences(table: pd.DataFrame, schema: type[Table], *, spare: bool = False) -> Iterator[str]:
    """Yield what of a table is not as its class says, a few words each.

    A table without rows is held to the names of its columns alone, a column without any value to
    whether it may be blank: pandas knows no type of what is not there.

    Parameters
    ----------
    table : pandas.DataFrame
        What is written, or was read.
    schema : type
        Its class.
    spare : bool, optional
        Whether columns that the class does not know are let pass.
    """
    columns = columns_of(schema)
    patterns = {re.compile(each.pattern): each for each in columns.values() if each.pattern}
    one = {name: each for name, each in columns.items() if not each.pattern}
    present = list(table.columns)
    for name, each in one.items():
        if name not in table.columns and not each.optional:
            yield f"no column {name}"
    for name, count in _repeated(present).items():
        yield f"{count} columns {name}"
    for at, (name, type_) in enumerate(zip(present, table.dtypes, strict=True)):
        described = one.get(name) or _of_pattern(str(name), patterns)
        if described is None:
            if not spare:
                yield f"a column {name} that it does not have"
        elif described.values or not described.null or str(type_) not in described.kind.accepted:
            yield from _wrong(table.iloc[:, at], str(name), described)


def _repeated(names: list) -> dict[str, int]:
    if len(set(names)) == len(names):
        return {}
    return {name: names.count(name) for name in dict.fromkeys(names) if names.count(name) > 1}


def _of_pattern(name: str, patterns: Mapping[re.Pattern, Column]) -> Column | None:
    return next((each for known, each in patterns.items() if known.fullmatch(name)), None)


def _wrong(values: pd.Series, name: str, column: Column) -> Iterator[str]:
    """Yield what is wrong with the values of a column."""
    if not len(values):
        return
    kind, type_ = column.kind, str(values.dtype)
    if type_ not in kind.accepted and not _holds(values, kind):
        yield f"{name} of type {type_}, not {kind.name}"
        return
    if kind.blank and not column.null and values.isna().any():
        yield f"{name} without a value in {int(values.isna().sum())} rows"
    if column.values:
        others = sorted(set(values.dropna().unique()).difference(column.values))
        if others:
            yield f"{name} with {len(others)} words that are none of {'|'.join(column.values)}"


def _holds(values: pd.Series, kind: Kind) -> bool:
    """Return whether a column of objects holds values of one kind alone, or none."""
    from pandas.api.types import infer_dtype

    if values.dtype != object:
        return bool(kind.blank and values.isna().all())
    return infer_dtype(values, skipna=True) in kind.values | {"empty"}
