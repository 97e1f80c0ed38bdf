"""Numbers as people and programs write them in a table, read where they can mean one thing only.

A column is judged as a whole: one cell such as ``12,345,678`` proves that the column's commas
separate thousands, and one such as ``0,415`` or ``31,2`` that they are decimal. What nothing proves
(``1,250`` in every cell), and what is more than a number (a unit, a percentage), is left for a
person to decide.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""A number with a decimal point, as a cell may hold it."""
COMMA_NUMBER = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")
MOST_SIGNS = 400
"""Characters of a number: those of the smallest one, 4.9e-324, written without an exponent."""

TOO_FAR = (
    "a computer's numbers reach from 4.9e-324 to 1.8e308: correct the number, or write 0 (or leave "
    "the cell blank) if that is meant"
)

Sign = Literal["decimal", "thousands", "either", "both"]
CONTRADICTIONS = {("decimal", "decimal"), ("decimal", "either"), ("thousands", "thousands")}
"""What commas and points cannot both mean in a column."""

_PLAIN_SIGNS = re.compile(r"[0-9eE+\-. ]*")
_COMMA_SIGNS = re.compile(r"[0-9eE+\-, ]*")
_PARTS = re.compile(r"([+-]?)([0-9.,]*[0-9.,])([eEdD][+-]?[0-9]+)?")
_WRAPPED = re.compile(
    r"(?:(?:np|numpy|torch|jnp|tf)\.)?(?:float|float16|float32|float64|float128|longdouble|"
    r"u?int|u?int8|u?int16|u?int32|u?int64|array|tensor)"
    r"\(\s*([^\s(),]+)\s*(?:,\s*dtype\s*=\s*['\"]?[\w.]+['\"]?\s*)?\)"
)
"""A number as ``repr`` writes one of numpy's: its text is the number's, with a name around it."""
_GROUPED = re.compile(r"([+-]?[0-9]{1,3})((?P<sign>[ '])[0-9]{3}(?:(?P=sign)[0-9]{3})*)(?![0-9])")
_MINUS = dict.fromkeys("\u2212\ufe63\uff0d\u2010\u2011\u2012\u2013", "-")
_BLANKS = "\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
_SIGNS = str.maketrans(
    {
        **_MINUS,
        **dict.fromkeys("\u2019\u02bc\u066c\u2018`\u00b4", "'"),
        **dict.fromkeys(_BLANKS, " "),
        **dict.fromkeys("\u200e\u200f\u061c\u2066\u2067\u2068\u2069\u200b\ufeff\u2060", None),
        **{"\u066b": ".", "\uff0e": ".", "\uff0c": ",", "\uff0b": "+"},
        **{"\uff25": "E", "\uff45": "e", "\uff24": "D", "\uff44": "d"},
    }
)
"""Minus signs and dashes, separators of thousands, blanks and marks of direction, as ASCII."""


@dataclass(frozen=True)
class Numbers:
    """What a column of text holds.

    Attributes
    ----------
    values : pandas.Series
        float64 on the column's index; NaN where the cell is blank or no number.
    wrong : dict
        Row to what to do about a cell that is no number.
    read_as : dict of str to float
        Cells in another notation than a program's, one of each kind, and what they are read as.
    decimal_comma : bool
        Whether a cell proves that the column's commas are decimal.
    undecided : bool
        Whether nothing tells what the column's commas mean.
    """

    values: pd.Series
    wrong: Mapping[int, str]
    read_as: Mapping[str, float]
    decimal_comma: bool = False
    undecided: bool = False

    def over(self, index: pd.Index) -> Numbers:
        """Return the same numbers on a longer index, NaN where there was none."""
        return replace(self, values=self.values.reindex(index))


@dataclass(frozen=True)
class _Cell:
    """A number in pieces: sign, digits with separators, exponent; and what its signs prove."""

    sign: str
    body: str
    exponent: str
    comma: Sign | None
    point: Sign | None


def read_numbers(texts: pd.Series, *, decimal_comma: bool = False) -> Numbers:
    """Read a column of text as numbers.

    Parameters
    ----------
    texts : pandas.Series
        Text or None; words that mean a missing value are taken out before.
    decimal_comma : bool, optional
        Whether other columns of the table prove that its commas are decimal: then they are here,
        where nothing proves the contrary.

    Returns
    -------
    Numbers
        The numbers, and which cells are none.
    """
    given = texts.dropna()
    commas = _comma_column(given, decimal_comma)
    plain = plain_numbers(given if commas is None else commas)
    if plain is not None:
        read_as = {} if commas is None else _first_comma(given, plain)
        return Numbers(plain.reindex(texts.index), {}, read_as, commas is not None)
    cells = {row: _cell(text) for row, text in given.items()}
    known = [one for one in cells.values() if one is not None]
    comma, point = _meaning([one.comma for one in known]), _meaning([one.point for one in known])
    proven = comma == "decimal"
    if comma == "either" and decimal_comma and point != "decimal":
        comma = "decimal"
    if (comma, point) in CONTRADICTIONS:
        comma, point = "both", ("both" if point == "thousands" else point)
    values: dict = {}
    wrong: dict = {}
    kinds: dict = {}
    for row, text in given.items():
        one = cells[row]
        plain_text = None if one is None else _plain(one, comma, point)
        if plain_text is None or beyond_numbers(plain_text):
            wrong[row] = _remedy(text, one, comma) if plain_text is None else TOO_FAR
            continue
        number = float(plain_text)
        values[row] = number
        if point == "thousands" or not NUMBER.fullmatch(text):
            kinds.setdefault(_kind(text), (text, number))
    numbers = pd.Series(values, index=None if values else [], dtype="float64")
    return Numbers(
        numbers.reindex(texts.index), wrong, dict(kinds.values()), proven, comma == "either"
    )


def is_number(text: str) -> bool:
    """Tell whether a cell by itself is a number in some notation, whatever its commas mean."""
    return _cell(text) is not None


def beyond_numbers(text: str) -> bool:
    """Tell whether a number is too large or too small for a computer, which takes it for another.

    Parameters
    ----------
    text : str
        A number with a decimal point (`NUMBER`).

    Examples
    --------
    >>> beyond_numbers("1e400"), beyond_numbers("1e-400"), beyond_numbers("0.0e-400")
    (True, True, False)
    """
    number = float(text)
    return math.isinf(number) or (number == 0 and re.match("[^eE]*[1-9]", text) is not None)


def has_comma(text: str) -> bool:
    """Tell whether a cell holds a number with one comma, of decimals or of thousands."""
    return len(text) <= MOST_SIGNS and bool(COMMA_NUMBER.fullmatch(text))


def _comma_column(given: pd.Series, decimal_comma: bool) -> pd.Series | None:
    """Return a column whose commas are decimal, as German tables hold it, with points at once."""
    signs = " ".join(given)
    if "," not in signs or not _COMMA_SIGNS.fullmatch(signs):
        return None
    proven = any("," in text and not _groups(text.lstrip("+-"), ",") for text in given)
    return given.str.replace(",", ".", regex=False) if proven or decimal_comma else None


def _first_comma(given: pd.Series, plain: pd.Series) -> dict[str, float]:
    at = next(row for row, text in given.items() if "," in text)
    return {given[at]: plain[at]}


def plain_numbers(given: pd.Series) -> pd.Series | None:
    """Return a column that only holds numbers as programs write them, which most do, at once."""
    if not _PLAIN_SIGNS.fullmatch(" ".join(given)):
        return None
    try:
        # Of these signs, Python's own conversion takes numbers only, and is exact.
        values = [float(text) if len(text) <= MOST_SIGNS else math.inf for text in given]
    except ValueError:
        return None
    if not all(map(math.isfinite, values)):
        return None
    zeros = (text for text, value in zip(given, values, strict=True) if value == 0)
    if any(map(beyond_numbers, zeros)):
        return None
    return pd.Series(values, index=given.index, dtype="float64")


def _cell(text: str) -> _Cell | None:
    """Return a number in pieces, or None if a cell is none."""
    if len(text) > MOST_SIGNS:
        return None
    parts, grouped = _parts(_ascii(text))
    if parts is None:
        return None
    sign, body, exponent = parts
    comma: Sign | None = None
    point: Sign | None = None
    commas, points = body.count(","), body.count(".")
    alone = not grouped and not exponent
    if commas and points:
        first = "," if body.rindex(".") > body.rindex(",") else "."
        whole = body.rpartition("." if first == "," else ",")[0]
        if not alone or not _groups(whole, first):
            return None
        comma, point = ("thousands", "decimal") if first == "," else ("decimal", "thousands")
    elif commas + points > 1:
        if not alone or not _groups(body, "," if commas else "."):
            return None
        comma, point = ("thousands" if commas else None), ("thousands" if points else None)
    elif commas:
        comma = "either" if alone and _groups(body, ",") else "decimal"
    elif points:
        point = "either" if alone and _groups(body, ".") else "decimal"
    return _Cell(sign, body, exponent, comma, point)


def _parts(text: str) -> tuple[tuple[str, str, str] | None, bool]:
    """Return sign, digits with their signs, and exponent; and whether blanks parted thousands."""
    wrapped = _WRAPPED.fullmatch(text)
    listed = re.fullmatch(r"\[\s*([^\s\[\],]+)\s*\]", wrapped[1] if wrapped else text)
    if found := listed or wrapped:
        inside = found[1]
        if not NUMBER.fullmatch(inside):
            return None, False
        text = inside
    grouped = _GROUPED.match(text)
    if grouped:
        text = grouped[1] + re.sub("[ ']", "", grouped[2]) + text[grouped.end() :]
    found = _PARTS.fullmatch(text)
    if not found or not re.search("[0-9]", found[2]):
        return None, False
    exponent = (found[3] or "").lower()
    if exponent.startswith("d") and not re.search("[.,]", found[2]):
        return None, False  # such as a code 2D4; Fortran writes a point
    return (found[1], found[2], exponent.replace("d", "e")), bool(grouped)


def _ascii(text: str) -> str:
    """Return a text with the digits and signs of other scripts and printers as those of ASCII."""
    if text.isascii():
        return text
    text = text.translate(_SIGNS)
    return "".join(
        str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text
    ).strip()


def _groups(whole: str, sign: str) -> bool:
    """Tell whether digits stand in groups of three, as thousands do: 1,250, but not 0,415."""
    return bool(re.fullmatch(rf"[1-9][0-9]{{0,2}}({re.escape(sign)}[0-9]{{3}})+", whole))


def _meaning(each: list[Sign | None]) -> Sign | None:
    """Return what a sign means in a column: what a cell proves holds for all."""
    found = set(each) - {None}
    if {"decimal", "thousands"} <= found:
        return "both"
    return next((one for one in ("decimal", "thousands", "either") if one in found), None)


def _digits(one: _Cell, comma: Sign | None, point: Sign | None) -> tuple[str, str, str]:
    body = one.body
    if point == "thousands":
        body = body.replace(".", "")
    if comma == "thousands":
        body = body.replace(",", "")
    return one.sign, body.replace(",", "."), one.exponent


def _plain(one: _Cell, comma: Sign | None, point: Sign | None) -> str | None:
    """Return the number as programs write it, None where nothing tells what its signs mean."""
    if one.comma is not None and comma in ("either", "both"):
        return None
    if one.point is not None and point == "both":
        return None
    return "".join(_digits(one, comma, point))


def _remedy(text: str, one: _Cell | None, comma: Sign | None) -> str:
    if len(text) > MOST_SIGNS:
        return f"a number has at most {MOST_SIGNS} characters; write it with an exponent"
    if one is not None and one.comma is not None and comma in ("either", "both"):
        # Only a comma between groups of three can mean either; other cells mean one number.
        plain = "".join(_digits(one, one.comma, one.point))
        ways = f"{text.replace(',', '.')} or {text.replace(',', '')}, whichever"
        return f"write {ways if one.comma == 'either' else f'{plain}, if that'} is meant"
    if one is not None and one.point is not None:
        return "the column's points separate thousands in one cell and decimals in another"
    if re.match(r"[<>\u2264\u2265]", text):
        return "a value beyond the limit of detection needs a number, or a column of its own"
    if re.fullmatch(r"[^%]*[0-9]\s*%", text):
        return "write a number without the percent sign, in one way in the whole column"
    return "write a number without unit, with a point, or leave the cell blank"


def _kind(text: str) -> str:
    """Return a notation: a cell with every run of digits as one."""
    return re.sub(r"\d+", "0", text)
