"""Conditions over the columns of a table, as researchers write them in a configuration.

The language is a small part of Python's expressions: ``and or not``, comparisons (also chained),
``in (...)``, ``+ - * /``, parentheses, numbers, quoted text, column names, and ``isnull(column)``.
A column whose name is no plain word stands between backticks. A formula is parsed into a syntax
tree and interpreted node by node; nothing of it is ever executed as code.

A missing value makes the result missing unless the rest decides it (Kleene's three-valued logic):
``False and missing`` is False, ``True or missing`` is True, everything else with a missing value
is missing.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np
import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import listing, suggestion
from pipeline.core.written.spellings import spelling_of
from pipeline.tables.columns import analysis_name

MAX_LENGTH = 2000
"""Characters; a longer formula would only serve to exhaust the parser."""
MAX_DEPTH = 60
"""Parts within parts: signs and parentheses within one another, and terms of a sum."""

LANGUAGE = (
    "use and, or, not, comparisons, in (...), + - * /, isnull(column) and parentheses; a column "
    "whose name is no plain word stands between backticks, `like this`"
)
MOST = 1e300
"""Numbers below it, and what they are multiplied by, can be computed with."""
SHOWN = 160
"""Characters of a formula that an error quotes."""
OWN_WORDS = {"and", "or", "not", "in", "True", "False", "None"}
"""The words of Python that mean something here; others may name columns, as ``class``."""

_NAMES = re.compile(
    r"'[^']*'|\"[^\"]*\"|`(?P<quoted>[^`]+)`|\b(?P<word>"
    + "|".join(sorted(set(keyword.kwlist) - OWN_WORDS))
    + r")\b"
)
"""Texts, which are passed over, and columns whose names Python would not read as such."""

COMPARISONS: dict[type[ast.cmpop], Callable] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}
ARITHMETIC: dict[type[ast.operator], Callable] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


@dataclass(frozen=True)
class _Value:
    """A part of a formula: what kind it is, its values, and the column or literal it stands for."""

    kind: Literal["number", "text", "truth"]
    values: pd.Series
    column: str | None = None
    literal: str | float | None = None

    @classmethod
    def of(cls, literal: object, index: pd.Index) -> _Value:
        """Return a literal of a formula, a text or a number, as a value of every row."""
        if isinstance(literal, str):
            return cls("text", pd.Series(literal, index=index, dtype="string"), literal=literal)
        if isinstance(literal, int | float):
            return cls("number", pd.Series(literal, index=index, dtype="Float64"), literal=literal)
        raise TypeError(f"a formula holds no {type(literal).__name__}")


class Formula:
    """A condition over columns.

    Parameters
    ----------
    text : str
        The formula, such as ``vas_day3 >= 4 and vas_day30 >= 4``.
    where : str
        Where it stands, for errors, such as ``config key outcome.formula``.

    Attributes
    ----------
    columns : tuple of str
        The columns it names, in order of first appearance, by their names inside the project.
    compared : dict of str to tuple
        What it compares a column with by ``==``, ``!=`` and ``in``: texts and numbers by column.

    Raises
    ------
    StudyError
        If the text is not a formula of this language.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [49.0, 70.0, None]})
    >>> Formula("age >= 50").evaluate(table).tolist()
    [False, True, <NA>]
    """

    def __init__(self, text: str, where: str = "a formula") -> None:
        self.text = text
        self.where = where
        self._quoted: dict[str, str] = {}
        if len(text) > MAX_LENGTH:
            raise self._error(
                f"A formula must not be longer than {MAX_LENGTH} characters",
                found=f"{len(text)} characters",
                remedy="make a column of the table of what it works out",
                code="formula-too-long",
            )
        source = _NAMES.sub(self._name_quoted, text.replace("\n", " "))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's, of a backslash in a text
                self._source = source.strip()
                self._tree = ast.parse(self._source, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise self._error(
                "A formula must be a condition over columns",
                remedy="write == for equality; " + LANGUAGE,
                code="formula-not-a-condition",
            ) from None
        if _is_deeper(self._tree, MAX_DEPTH):
            raise self._error(
                f"A formula must not have more than {MAX_DEPTH} parts within one another",
                remedy="leave out signs and parentheses that change nothing, or make a column of "
                "the table of what it works out",
                code="formula-too-deep",
            )
        columns: dict[str, None] = {}
        for node in _in_order(self._tree):
            self._check_node(node)
            if isinstance(node, ast.Name) and node.id != "isnull":
                columns[self._column_name(node)] = None
        self.columns = tuple(columns)
        if not columns:
            raise self._error(
                "A formula must name at least one column", code="formula-without-column"
            )
        self.compared = self._literals()

    def evaluate(
        self, table: pd.DataFrame, levels: Mapping[str, list[str]] | None = None
    ) -> pd.Series:
        """Return the truth of the condition for each row.

        Parameters
        ----------
        table : pandas.DataFrame
            Columns of numbers or of text, None or NaN where missing.
        levels : mapping, optional
            Allowed values of text columns. A comparison with another value is an error, because
            it would be false for every row and nobody would notice.

        Returns
        -------
        pandas.Series
            Nullable booleans on the table's index; ``<NA>`` where the values do not decide.

        Raises
        ------
        StudyError
            For an unknown column, a comparison of text with numbers, or a formula whose result
            is no condition.
        """
        self._check_known(table)
        result = self._value(self._tree, table, levels or {})
        self._want(result, "truth", "The result of a formula")
        return result.values

    def worked_out(
        self, table: pd.DataFrame, levels: Mapping[str, list[str]] | None = None
    ) -> tuple[Literal["number", "text", "truth"], pd.Series]:
        """Return what the formula works out for each row: numbers, or the truth of a condition.

        Parameters
        ----------
        table, levels
            As `evaluate` takes them.

        Returns
        -------
        (str, pandas.Series)
            ``number`` and float64, NaN where a value is missing or was divided by zero; ``truth``
            and nullable booleans; ``text`` of a column of words.

        Examples
        --------
        >>> table = pd.DataFrame({"a": [9.0, 8.0, None], "b": [10.0, 0.0, 4.0]})
        >>> Formula("a / b * 100").worked_out(table)[1].tolist()
        [90.0, nan, nan]
        """
        self._check_known(table)
        with np.errstate(all="ignore"):
            result = self._value(self._tree, table, levels or {})
        if result.kind != "number":
            return result.kind, result.values
        numbers = pd.to_numeric(result.values).astype("float64")
        return "number", numbers.where(np.isfinite(numbers))

    def _check_known(self, table: pd.DataFrame) -> None:
        unknown = [name for name in self.columns if name not in table.columns]
        if unknown:
            raise self._error(
                "A formula must name columns of the clinical table",
                found=listing(unknown),
                remedy=suggestion(unknown[0], table.columns) or f"known: {listing(table.columns)}",
                code="formula-column-unknown",
            )

    def _literals(self) -> dict[str, tuple[str | float, ...]]:
        found: dict[str, dict[str | float, None]] = {}
        for node in _in_order(self._tree):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
                if not isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
                    continue
                for one, other in ((left, right), (right, left)):
                    parts = other.elts if isinstance(other, ast.Tuple | ast.List) else [other]
                    values = [value for value in map(_literal, parts) if value is not None]
                    if isinstance(one, ast.Name) and values:
                        known = found.setdefault(self._column_name(one), {})
                        known.update(dict.fromkeys(values))
        return {name: tuple(values) for name, values in found.items()}

    def _column_name(self, node: ast.Name) -> str:
        return analysis_name(self._quoted.get(node.id, node.id))

    def _name_quoted(self, match: re.Match) -> str:
        column = match["quoted"] or match["word"]
        if column is None:
            return match[0]
        name = f"__quoted_{len(self._quoted)}__"
        self._quoted[name] = column
        return name

    def _error(
        self, rule: str, *, code: str, found: object = None, remedy: str | None = None
    ) -> StudyError:
        where = f"{self.where}, `{_shortened(self.text)}`"
        return StudyError(rule, found=found, where=where, remedy=remedy or LANGUAGE, code=code)

    def _check_node(self, node: ast.AST) -> None:
        """Refuse every kind of syntax that is not on the list."""
        good: bool
        if isinstance(node, ast.Call):
            good = (
                isinstance(node.func, ast.Name)
                and node.func.id == "isnull"
                and len(node.args) == 1
                and not node.keywords
            )
        elif isinstance(node, ast.Constant):
            if node.value in (True, False, None) and type(node.value) not in (int, float):
                raise self._error(
                    "A formula must compare with what the table holds",
                    found=node.value,
                    remedy="in quotes as the table writes it, such as == 'TRUE'; a missing value "
                    "is isnull(column)",
                    code="formula-compares-truth",
                )
            good = type(node.value) in (int, float, str)
            number = node.value if isinstance(node.value, int | float) else None
            written = (ast.get_source_segment(self._source, node) or "") if good else ""
            too_small = number == 0 and re.match("[^eEx]*[1-9]", written)
            if number is not None and (too_small or not abs(number) < MOST):
                raise self._error(
                    f"A number of a formula must be below {MOST:g}, and not as small as to be "
                    "taken for 0",
                    found=_shortened(written),
                    remedy="write the number that is meant",
                    code="formula-number-out-of-bounds",
                )
        elif isinstance(node, ast.Compare):
            pairs = zip(node.ops, node.comparators, strict=True)
            good = all(
                type(op) in COMPARISONS
                or (isinstance(op, ast.In | ast.NotIn) and _is_literal_list(right))
                for op, right in pairs
            )
        else:
            good = (
                isinstance(
                    node,
                    ast.Name
                    | ast.BoolOp
                    | ast.BinOp
                    | ast.UnaryOp
                    | ast.Tuple
                    | ast.List
                    | ast.expr_context
                    | ast.boolop
                    | ast.cmpop
                    | ast.USub
                    | ast.UAdd
                    | ast.Not,
                )
                or type(node) in ARITHMETIC
            )
        if not good:
            raise self._error(
                "A formula must keep to conditions over columns",
                found=type(node).__name__,
                code="formula-syntax-refused",
            )

    def _want(self, value: _Value, kind: str, what: str) -> None:
        if value.kind != kind:
            words = {"truth": "a condition (true or false)", "number": "a number"}
            name = value.column or value.literal or value.kind
            raise self._error(
                f"{what} must be {words[kind]}",
                found=name,
                remedy="compare it with a value, such as `age > 50` or `sex == 'F'`"
                if kind == "truth"
                else LANGUAGE,
                code="formula-part-of-another-kind",
            )

    def _value(self, node: ast.AST, table: pd.DataFrame, levels: Mapping) -> _Value:
        def inner(part: ast.AST) -> _Value:
            return self._value(part, table, levels)

        if isinstance(node, ast.Name):
            value = self._column(node, table)
        elif isinstance(node, ast.Constant):
            value = _Value.of(node.value, table.index)
        elif isinstance(node, ast.Call):
            value = _Value("truth", inner(node.args[0]).values.isna().astype("boolean"))
        elif isinstance(node, ast.UnaryOp):
            value = self._unary(node, inner(node.operand))
        elif isinstance(node, ast.BoolOp):
            parts = [inner(part) for part in node.values]
            for part in parts:
                self._want(part, "truth", "Each side of `and` and `or`")
            truth = parts[0].values
            for part in parts[1:]:
                truth = truth & part.values if isinstance(node.op, ast.And) else truth | part.values
            value = _Value("truth", truth)
        elif isinstance(node, ast.BinOp):
            left, right = inner(node.left), inner(node.right)
            for part in (left, right):
                self._want(part, "number", "Each side of + - * /")
            result = ARITHMETIC[type(node.op)](left.values, right.values)
            numbers = result.to_numpy(dtype="float64", na_value=np.nan)
            # Division by zero has no value, so that the result is missing.
            finite = pd.Series(np.where(np.isfinite(numbers), numbers, np.nan), index=table.index)
            value = _Value("number", finite.astype("Float64"))
        elif isinstance(node, ast.Compare):
            value = self._compare(node, inner, levels)
        else:
            raise self._error(
                "A list may only stand after `in`",
                found=ast.unparse(node),
                remedy=LANGUAGE,
                code="formula-list-misplaced",
            )
        return value

    def _column(self, node: ast.Name, table: pd.DataFrame) -> _Value:
        name = self._column_name(node)
        if name not in table.columns:  # only `isnull` without its parentheses gets here
            raise self._error(
                "`isnull` must be followed by a column in parentheses",
                code="formula-isnull-misused",
            )
        values = table[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            return _Value("number", values.astype("float64").astype("Float64"), column=name)
        return _Value("text", values.astype("string"), column=name)

    def _unary(self, node: ast.UnaryOp, operand: _Value) -> _Value:
        if isinstance(node.op, ast.Not):
            self._want(operand, "truth", "What follows `not`")
            return _Value("truth", ~operand.values)
        self._want(operand, "number", "What follows a sign")
        negative = isinstance(node.op, ast.USub)
        return _Value("number", -operand.values if negative else operand.values)

    def _compare(self, node: ast.Compare, inner: Callable, levels: Mapping) -> _Value:
        truth = None
        left = inner(node.left)
        for op, part in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn) and isinstance(part, ast.Tuple | ast.List):
                found = reduce(
                    operator.or_,
                    (self._pair(ast.Eq(), left, inner(element), levels) for element in part.elts),
                )
                one = ~found if isinstance(op, ast.NotIn) else found
                right = left
            else:
                right = inner(part)
                one = self._pair(op, left, right, levels)
            truth = one if truth is None else truth & one
            left = right
        return _Value("truth", truth)

    def _pair(self, op: ast.cmpop, left: _Value, right: _Value, levels: Mapping) -> pd.Series:
        for one, other in ((left, right), (right, left)):
            if one.kind == "truth":
                raise self._error(
                    "A condition must not be compared",
                    remedy="use and, or, not",
                    code="formula-condition-compared",
                )
            if one.kind == "text" and isinstance(other.literal, int | float):
                # `pfo == 1` where pfo is a category: its level is the text "1".
                text = _Value.of(_as_level(other.literal), other.values.index)
                first, second = (one, text) if one is left else (text, one)
                return self._pair(op, first, second, levels)
        if left.kind != right.kind:
            raise self._error(
                "Numbers must be compared with numbers, and text with text",
                found=f"{left.column or left.literal} and {right.column or right.literal}",
                remedy="compare numbers with numbers, or give the column the type that the "
                "comparison needs, in the dictionary",
                code="formula-kinds-differ",
            )
        if left.kind == "text" and not isinstance(op, ast.Eq | ast.NotEq):
            name = left.column or right.column
            raise self._error(
                "Categories have no order: < <= > >= need numbers",
                found=name,
                remedy=f"give {name} the type ordinal or continuous in the dictionary",
                code="formula-category-ordered",
            )
        for one, other in ((left, right), (right, left)):
            allowed = levels.get(one.column) if one.kind == "text" and one.column else None
            if one.kind == "text" and one.column and isinstance(other.literal, str):
                # TRUE is true, and 1 is 1.0, however the table and the formula write them.
                known = spelling_of(other.literal, allowed or one.values.dropna().unique())
                if known != other.literal:
                    spelled = _Value.of(known, other.values.index)
                    first, second = (one, spelled) if one is left else (spelled, one)
                    return self._pair(op, first, second, levels)
            if allowed is not None and other.literal is not None and other.literal not in allowed:
                raise self._error(
                    f"A value that {one.column} is compared with must be one of its levels",
                    found=other.literal,
                    remedy=suggestion(other.literal, allowed) or f"levels: {listing(allowed)}",
                    code="formula-value-not-a-level",
                )
        return COMPARISONS[type(op)](left.values, right.values).astype("boolean")


def _is_deeper(tree: ast.AST, most: int) -> bool:
    """Tell whether parts lie within one another more than `most` times, without recursion."""
    below, depth = [tree], 0
    while below and depth <= most:
        below = [part for node in below for part in ast.iter_child_nodes(node)]
        depth += 1
    return bool(below)


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]} ... {text[-15:]}"


def _as_level(number: float) -> str:
    """Return a number as a level is written: all its digits, no point behind a whole one."""
    return str(int(number)) if math.isfinite(number) and number == int(number) else repr(number)


def _literal(node: ast.AST) -> str | float | None:
    """Return what a literal says, None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        if isinstance(value, int | float):
            return -value if isinstance(node.op, ast.USub) else value
    return None


def _is_literal_list(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Tuple | ast.List)
        and bool(node.elts)
        and all(isinstance(element, ast.Constant | ast.UnaryOp) for element in node.elts)
    )


def _in_order(tree: ast.AST) -> list[ast.AST]:
    """Return the nodes of `tree` in the order of the text."""
    nodes = list(ast.walk(tree))
    return sorted(nodes, key=lambda node: getattr(node, "col_offset", -1))
