"""Dates in any notation: with points, strokes, month names, in Chinese and Japanese, as numbers."""

from __future__ import annotations

import datetime
import re
import unicodedata
from functools import cache

MISSING_WORDS = frozenset(("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "#N/A", "-", "?"))

MOST = 0.6
"""Share of a column's values that must be dates where the notation might mean something else."""

EXCEL_DAYS = (5000, 73050)
"""Numbers by which spreadsheets count days: 1913 to 2099."""

_YEAR, _TWO = r"(?:1[89]|20|21|24|25)\d\d", r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_WHOLE = re.compile(
    rf"(?<![\d.,-])(?:{_YEAR}\s?(?P<a>[-/._])\s?{_MONTH}\s?(?P=a)\s?{_TWO}"
    rf"|(?:{_TWO}\s?(?P<b>[-/._])\s?{_MONTH}|{_MONTH}\s?(?P<c>[-/._])\s?{_TWO})\s?(?:[-/._])\s?{_YEAR}"
    rf")(?!\d)(?![.,]\d)"
)
_SIGNS = re.compile(
    r"(?:\d{2,4}|[〇零一二三四五六七八九○]{2,4})\s*[年년]\s*(?:\d{1,2}|[一二三四五六七八九十]{1,2})\s*[月월]"
    r"|(?:明治|大正|昭和|平成|令和)\s*(?:元|\d{1,2})\s*[年./-]"
    r"|(?<![A-Za-z])[SH]\d{2}[./]\d{1,2}[./]\d{1,2}(?!\d)"
)
_BLANKS = re.compile(rf"{_TWO}\s+{_TWO}\s+{_YEAR}|{_YEAR}\s+{_MONTH}\s+{_TWO}")
_SHORT = re.compile(
    r"(\d{1,2})\s?([./-])\s?(\d{1,2})\s?\2\s?['’]?(\d{2})(?:\s+\d{1,2}:\d\d(:\d\d)?)?"
)
_OF_MONTH = re.compile(
    rf"{_YEAR}\s?[-/]\s?(0[1-9]|1[0-2])|(0?[1-9]|1[0-2])\s?[-/.]\s?(?:19|20)\d\d"
)
_PLAIN = re.compile(r"[+-]?\d*[.,]?\d*([eE][+-]?\d+)?")
_DIGITS = re.compile(r"\d{8}(\d{4}|\d{6}(\.\d{1,6})?)?")


_WORDS_TOO = ("out", "set", "ago", "gen", "mag", "dic")
"""Months that are other words too: dates only with a year of four digits."""


@cache
def _named() -> tuple[re.Pattern, re.Pattern]:
    """Return dates with the name of a month: with a day, and of a month and a year alone."""
    from pipeline.tables.identifying.words import words

    months = sorted(words("months"), key=len, reverse=True)
    sure = [one for one in months if one not in _WORDS_TOO]
    month = "(?:" + "|".join(map(re.escape, sure)) + r")\.?"
    other = "(?:" + "|".join(_WORDS_TOO) + r")\.?"
    whole = "(?:" + "|".join(re.escape(one) for one in months if len(one) > 3 or one == "may") + ")"
    day = r"(?:0?[1-9]|[12]\d|3[01])(?:\.|st|nd|rd|th|er|o|a|º|ª)?"
    of = r"(?:\s*(?:de|del|di|da|do)\s+|[\s./_-]*)"
    year = rf"(?:{_YEAR}|['’]?\d\d)"
    edge, end = r"(?<![^\W_])", r"(?![^\W_])"
    with_day = re.compile(
        rf"{edge}(?:the\s+)?{day}(?:\s+of\s+|{of}){month}{of},?\s*{year}{end}"
        rf"|{edge}{day}{of}{other}{of},?\s*{_YEAR}{end}"
        rf"|{edge}{month}[\s._-]*{day},?[\s_-]*{year}{end}"
        rf"|{edge}{_YEAR}[\s._-]*{month}[\s._-]*{day}{end}"
    )
    return with_day, re.compile(rf"{edge}{whole}{of}(?:19|20)\d\d{end}")


@cache
def _months() -> dict[str, int]:
    from anyascii import anyascii

    from pipeline.tables.identifying.words import word_lists

    numbers: dict[str, int] = {}
    for number, words in enumerate(word_lists("months"), start=1):
        for word in words:
            numbers.setdefault(word, number)
            numbers.setdefault(anyascii(word).lower(), number)
    return numbers


def month_of(word: str) -> int | None:
    """Return the month that a word means, without accents or romanised, None for other words.

    >>> month_of("Marz"), month_of("avgusta"), month_of("word")
    (3, 8, None)
    """
    return _months().get(word.lower())


def has_date(text: str) -> bool:
    """Return whether a text holds a date that can mean nothing else.

    >>> has_date("10. März 1958"), has_date("1958年3月10日"), has_date("op 3.2.1950, good")
    (True, True, True)
    >>> has_date("12.5"), has_date("1.2.3"), has_date("L1-L2"), has_date("may be 20")
    (False, False, False, False)
    """
    text = unicodedata.normalize("NFKC", text)
    if not any(one.isdigit() or one in "年年年월" for one in text):
        return False
    if _WHOLE.search(text) or _SIGNS.search(text) or _BLANKS.fullmatch(text.strip()):
        return True
    folded = _folded(text)
    return any(pattern.search(folded) for pattern in _named())


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(one for one in decomposed if not unicodedata.combining(one))
    return unicodedata.normalize("NFC", bare)


def date_column(texts: list[str], *, announced: bool) -> bool:
    """Return whether a column holds dates: one that is plainly a date, or most of its values.

    Parameters
    ----------
    texts : list of str
        Values, none missing.
    announced : bool
        Whether the header speaks of a date; numbers that count a spreadsheet's days are dates then.
    """
    if any(map(has_date, texts)):
        return True
    texts = [unicodedata.normalize("NFKC", one).strip() for one in texts]
    enough = announced or len(texts) > 1
    if enough and sum(map(_is_short, texts)) >= MOST * len(texts):
        return True
    if (announced or len(set(texts)) > 2) and all(map(_is_compact, texts)):
        return True
    if (announced or len(set(texts)) > 2) and all(_OF_MONTH.fullmatch(one) for one in texts):
        return True
    return announced and all(_counts_days(one) for one in texts)


def _is_short(text: str) -> bool:
    match = _SHORT.fullmatch(text)
    if match is None:
        return False
    first, second = int(match[1]), int(match[3])
    return 0 < min(first, second) <= 12 and max(first, second) <= 31


def _is_compact(text: str) -> bool:
    """Return whether digits are a calendar day, the year first or last."""
    if not _DIGITS.fullmatch(text.removesuffix(".0")):
        return False
    day = text[:8]
    for year, month, number in (
        (day[:4], day[4:6], day[6:]),
        (day[4:], day[2:4], day[:2]),
        (day[4:], day[:2], day[2:4]),
    ):
        try:
            found = datetime.date(int(year), int(month), int(number))
        except ValueError:
            continue
        if 1900 <= found.year <= 2100:
            return True
    return False


def _counts_days(text: str) -> bool:
    number = re.fullmatch(r"(\d{4,5})(\.\d+)?", text)
    return number is not None and EXCEL_DAYS[0] <= int(number[1]) <= EXCEL_DAYS[1]
