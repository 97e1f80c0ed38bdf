"""Which spellings of a word, a number or an id mean the same, and which words mean "not known".

What people type differs in case, blanks, signs and zeros. Nothing is corrected here: a table that
spells one thing in two ways is refused or named by those who ask, since only its author knows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping

import pandas as pd

from pipeline.core.written.number_notation import NUMBER, beyond_numbers

_PADDED = re.compile(r"[+-]?0[0-9]")
"""Begins with a zero that a number does not need: perhaps a code, such as 007."""
_BLANKS = re.compile(r"[\s\u200b-\u200f\u2060\ufeff\u00ad]+")
"""Blanks of every width, and signs without any width, such as a byte-order mark."""
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_QUOTES = re.compile("[\u2018\u2019\u201a\u201b\u2032\u00b4`\u02bc\uff07]")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[^a-z0-9]+(?=[0-9])")
_SIGNS = re.compile(r"[^\w#]|_")

TRUTH = ("false", "true")
YES = frozenset(
    [
        *("yes", "y", "ja", "j", "oui", "si", "true", "t", "1", "+"),
        *(
            "pos",
            "positive",
            "positiv",
            "event",
            "s\u00ed",
            "s\u00ec",
            "sim",
            "present",
            "vorhanden",
        ),
        *("occurred", "nachgewiesen", "\u0434\u0430", "\u662f", "\u6709", "\u9633\u6027"),
    ]
)
NO = frozenset(
    [
        *("no", "n", "nein", "non", "false", "f", "0", "neg", "negative", "negativ", "noevent"),
        *("none", "kein", "keine", "absent", "n\u00e3o", "\u043d\u0435\u0442", "\u5426"),
        *("\u65e0", "\u9634\u6027"),
    ]
)
"""Words for an event and for none, as `plain_word` writes them."""

UNKNOWN = frozenset(
    (
        *("?", "??", "???", "-", "--", "---", "/", ".", "..", "*", "x", "xx", "xxx"),
        *("unknown", "unk", "unkn", "ukn", "uk", "notknown", "n.k.", "nk"),
        *("na", "n.a.", "n/a", "<na>", "#n/a", "#nv", "nan", "null", "nil", "none?"),
        *("notavailable", "unavailable", "notapplicable", "missing", "missingdata", "nodata"),
        *("notdone", "n.d.", "nd", "notassessed", "notassessable", "notevaluable", "notevaluated"),
        *("notrecorded", "notreported", "notstated", "notspecified", "unspecified", "notmeasured"),
        *("notdetermined", "undetermined", "indeterminate", "unclear", "uncertain", "equivocal"),
        *("pending", "tbd", "tbc", "lost", "losttofollow-up", "losttofollowup", "losttofu"),
        *("ltfu", "lfu", "ltf", "dropout", "drop-out", "withdrawn", "refused", "noanswer"),
        *("unbekannt", "unklar", "fehlt", "fehlend", "keineangabe", "keineangaben", "k.a.", "k.a"),
        *("n.a", "n.d", "n.k", "n.b", "keinedaten", "nichtbeurteilbar", "nichtbewertbar"),
        *("nichtauswertbar", "fraglich", "entfällt", "unsicher"),
        *("ka", "offen", "nichtbekannt", "nichterhoben", "n.b.", "inconnu", "desconocido"),
        *("sconosciuto", "onbekend", "okand"),
    )
)
"""Words that say that a value is not known, as `plain_word` writes them. Those that
`pipeline.tables.dictionary.MISSING` lists are read as blanks before."""

CODES = frozenset(
    [
        *(-1.0, -8.0, -9.0, -88.0, -99.0, -888.0, -999.0, -9999.0, -99999.0),
        *(-7.0, -77.0, -97.0, -98.0, 77.0, 97.0, 98.0, 777.0, 997.0, 998.0),
        *(8.0, 9.0, 88.0, 99.0, 888.0, 999.0, 9999.0, 99999.0),
    ]
)
"""Numbers that stand for "not known" where the others are 0, 1 and 2."""


def plain_word(text: str) -> str:
    """Return a word without what tells spellings apart: case, blanks, kinds of dash and quote.

    Examples
    --------
    >>> plain_word("Positive -focal") == plain_word("positive\u2013focal")
    True
    >>> plain_word("\uff39ES ")
    'yes'
    """
    text = unicodedata.normalize("NFKC", text)
    text = _QUOTES.sub("'", _DASHES.sub("-", text))
    return unicodedata.normalize("NFC", _BLANKS.sub("", text).casefold())


def plain_id(text: str) -> str:
    """Return an id without case, signs, accents of width, and leading zeros of its numbers.

    Signs between two digits stay, as one: 1-23 and 12-3 are different.

    Examples
    --------
    >>> {plain_id(each) for each in ("P007", "p007 ", "P-007", "P_7", "\uff30007")}
    {'p7'}
    >>> plain_id("1-23"), plain_id("12-3"), plain_id("0")
    ('1-23', '12-3', '0')
    """
    text = _BETWEEN_DIGITS.sub("#", plain_word(text))
    bare = _SIGNS.sub("", text)
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", bare).replace("#", "-")


def spelled_twice(values: Iterable[str]) -> list[list[str]]:
    """Return groups of different words of which `plain_word` makes one, each sorted.

    Examples
    --------
    >>> spelled_twice(["Yes", "no", "yes", "Yes", "maybe"])
    [['Yes', 'yes']]
    """
    groups: dict[str, dict[str, None]] = {}
    for value in values:
        groups.setdefault(plain_word(value), {})[value] = None
    return [sorted(group) for group in groups.values() if len(group) > 1]


def ids_spelled_twice(tables: Mapping[str, Iterable[str]]) -> list[list[tuple[str, str]]]:
    """Return ids that differ in spelling only, within a table or between tables.

    Parameters
    ----------
    tables : mapping
        Name of a table to its ids.

    Returns
    -------
    list of list of (str, str)
        Groups of an id and the first table that has it, two or more each.
    """
    first: dict[str, str] = {}
    for name, ids in tables.items():
        for each in dict.fromkeys(ids):
            first.setdefault(each, name)
    groups: dict[str, list[tuple[str, str]]] = {}
    for each, name in first.items():
        groups.setdefault(plain_id(each), []).append((each, name))
    return [sorted(group) for group in groups.values() if len(group) > 1]


def means_unknown(text: str) -> bool:
    """Tell whether a word says that the value is not known.

    Examples
    --------
    >>> means_unknown("Lost to follow-up"), means_unknown("?"), means_unknown("no")
    (True, True, False)
    """
    plain = plain_word(text)
    return plain in UNKNOWN or plain.strip("().[]") in UNKNOWN


def says(text: str, words: Collection[str]) -> bool:
    """Tell whether a word is one of `words` (`YES`, `NO`), with or without a point or brackets.

    Examples
    --------
    >>> says("Pos.", YES), says("(ja)", YES), says("neg.", NO), says("pos.", NO)
    (True, True, True, False)
    """
    plain = plain_word(text)
    return plain in words or plain.strip("().[]") in words


def is_truth(values: Iterable[str]) -> bool:
    """Tell whether words are all TRUE or FALSE, in any case; without words they are not."""
    plain = {plain_word(value) for value in values}
    return bool(plain) and plain <= set(TRUTH)


def plain_number(text: str) -> str:
    """Return a whole number without point and sign, so that 1.0 and 1.00 are 1.

    What is no number, has decimals, or begins with a zero (007) stays as it is.

    Examples
    --------
    >>> plain_number("1.00"), plain_number("+1"), plain_number("0.50"), plain_number("007")
    ('1', '1', '0.50', '007')
    """
    if not NUMBER.fullmatch(text) or _PADDED.match(text):
        return text
    number = float(text)
    if beyond_numbers(text):
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else text


def typed_alike(values: pd.Series) -> pd.Series:
    """Return text in which one value has one spelling: whole numbers, equal decimals and truth.

    Parameters
    ----------
    values : pandas.Series of str or None
        A column as text.

    Returns
    -------
    pandas.Series
        1.0 as 1, 0.50 as 0.5; in a column of nothing but TRUE and FALSE, these in capitals.
        Words stay as they are.
    """
    texts = [each for each in values.unique() if isinstance(each, str)]
    if is_truth(texts):
        told = {text: plain_word(text).upper() for text in texts}
    else:
        told = {text: plain_number(text) for text in texts}
        by_value: dict[float, str] = {}

        def is_plain(text: str) -> bool:
            number = NUMBER.fullmatch(text) and not _PADDED.match(text)
            return bool(number) and not beyond_numbers(text)

        for plain in told.values():
            if is_plain(plain):
                known = by_value.setdefault(float(plain), plain)
                if len(plain) < len(known):
                    by_value[float(plain)] = plain
        for text, plain in told.items():
            if is_plain(plain):
                told[text] = by_value[float(plain)]
    changed = {text: plain for text, plain in told.items() if text != plain}
    return values.replace(changed) if changed else values


def spelling_of(literal: str, known: Collection[str]) -> str:
    """Return how `known` values spell a literal's value: TRUE as true, 1.0 as 1; else as it is.

    Examples
    --------
    >>> spelling_of("TRUE", ["false", "true"]), spelling_of("1", ["0.0", "1.0"])
    ('true', '1.0')
    >>> spelling_of("YES", ["yes", "no"])
    'YES'
    """
    if literal in known:
        return literal
    if is_truth([literal]) and is_truth(known):
        alike = [each for each in known if plain_word(each) == plain_word(literal)]
    elif NUMBER.fullmatch(literal):
        alike = [each for each in known if NUMBER.fullmatch(each) and float(each) == float(literal)]
    else:
        alike = []
    return alike[0] if len(alike) == 1 else literal


def same_words(values: pd.Series, declared: Collection[str | float]) -> pd.Series:
    """Tell which values of a column are among `declared`, whatever their spelling.

    Parameters
    ----------
    values : pandas.Series of str or None
        A column as text.
    declared : collection of str or number
        Words, and numbers: 999 is also 999.0.
    """
    words = {plain_word(str(each)) for each in declared}
    numbers = {float(word) for word in words if NUMBER.fullmatch(word)}

    def among(text: str | None) -> bool:
        if text is None:
            return False
        plain = plain_word(text)
        return plain in words or (bool(NUMBER.fullmatch(plain)) and float(plain) in numbers)

    known = {text: among(text) for text in values.dropna().unique()}
    return values.map(lambda text: known.get(text, False)).astype(bool)
