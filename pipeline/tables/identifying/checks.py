"""What looks as if it identified a person: a table's headers and cells, in many languages.

These detectors hold nobody's identity, so that every stage may use them; the search for known
identities is that of `intake.identity`. A column is known by the words of its header or by its
values: names, dates, hospital numbers, addresses. Values are never quoted in an error.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pandas as pd

from pipeline.core.problems import Problems
from pipeline.tables.identifying.dates import MISSING_WORDS, date_column, has_date
from pipeline.tables.identifying.names import (
    MIN_DIGITS,
    STUDY_WORDS,
    are_names,
    are_numbers,
    are_phones,
    is_name,
    is_pair,
    is_pseudonym,
)
from pipeline.tables.identifying.words import WORDS, fold, words

LONGEST_PHRASE = 4
"""Words of a header that are looked up together."""

WHAT = {
    "name": "names",
    "birth": "dates of birth",
    "id": "hospital numbers",
    "contact": "addresses or telephone numbers",
    "date": "dates",
    "uid": "UIDs",
}
"""In words, by kind."""

NOT_SHOWN = "(not shown, since it may name a person)"

_MAIL = re.compile(r"[^\s@]+@[^\s@]+\.[a-z]{2,}", re.IGNORECASE)
_UID = re.compile(r"(?<![\d.])[0-2](\.(0|[1-9]\d*)){5,}(?![\d.])")
_CARETS = re.compile(r"[^\W\d_]+[^^]*\^[^^]*[^\W\d_]")
_BRACKETS = re.compile(r"[(\[{<].*?[)\]}>]")
_PERSON = ("patients", "patienten", "patient", "paciente", "paziente", "pat", "pt")
_PAUSE = re.compile(r"[,;:()\[\]]")
_CAPITALISED = re.compile(r"[^\W\d_a-z][\w.'’-]*(?:\s+[^\W\d_a-z][\w.'’-]*)+")
_LONG = re.compile(rf"[0-9]{{{MIN_DIGITS},}}")


def header_kind(header: str) -> str | None:
    """Return what a column's header says that its values are, whatever they look like.

    Returns
    -------
    str or None
        ``name, birth, id`` or ``contact``.

    Examples
    --------
    >>> header_kind("Name, Vorname"), header_kind("geb. am"), header_kind("住院号")
    ('name', 'birth', 'id')
    >>> header_kind("name_of_implant"), header_kind("surgeon"), header_kind("birth_weight")
    (None, None, None)
    """
    kinds = [header, _BRACKETS.sub(" ", header)]
    return next((kind for one in dict.fromkeys(kinds) if (kind := _kind_of_words(one))), None)


def _kind_of_words(header: str) -> str | None:
    parts = fold(header).split()
    if not parts:
        return None
    if not words("things").isdisjoint(parts) and parts[0] not in ("pat", "patient", "patients"):
        return None
    runs = {
        " ".join(parts[at:end]): (at, end)
        for at in range(len(parts))
        for end in range(at + 1, min(at + LONGEST_PHRASE, len(parts)) + 1)
    }
    for kind in ("birth", "name", "id", "contact"):
        whole, anywhere, signs = _phrases(kind)
        if " ".join(parts) in whole or _without_person("".join(parts)) in _glued(kind):
            return kind
        found = runs.keys() & (whole if kind == "contact" else anywhere)
        if kind == "contact":
            # `phone_interview` and `street_drugs` are no addresses: nothing else may stand beside.
            found = {one for one in found if _is_all(parts, *runs[one])}
        if found:
            return kind
        if not header.isascii() and any(one in "".join(parts) for one in signs):
            return kind
    return None


def _is_all(parts: list[str], at: int, end: int) -> bool:
    return words("beside").issuperset(parts[:at] + parts[end:])


def _without_person(glued: str) -> str | None:
    """Return what is left of a header in one word without the word for a patient, if it has one."""
    for one in _PERSON:
        if glued.startswith(one) and len(glued) > len(one) + 2:
            return glued.removeprefix(one)
        if glued.endswith(one) and len(glued) > len(one) + 2:
            return glued.removesuffix(one)
    return None


@cache
def _glued(kind: str) -> frozenset[str]:
    """Return the phrases of a kind without blanks, and the bare words for a name."""
    found = {one.replace(" ", "") for one in words(kind)}
    return frozenset(found | ({"name", "names"} if kind == "name" else set()))


@cache
def _phrases(kind: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the phrases that are a whole header, that stand in one as words, and as signs.

    A short word of letters is a whole header only; Chinese and its like have no blanks.
    """
    every = words(kind)
    signs = {one for one in every if len(one) > 1 and all(_is_sign(sign) for sign in one)}
    anywhere = {one for one in every - signs if len(one) > 4 or " " in one}
    return frozenset(every), frozenset(anywhere), frozenset(signs)


def _is_sign(one: str) -> bool:
    return "\u0e00" <= one <= "\u0eff" or "\u2e80" <= one <= "\ud7ff"


def column_kind(header: str, values: Iterable[str | None]) -> str | None:
    """Return what a column says of a person, by its header and its values.

    Parameters
    ----------
    header : str
        As the table has it.
    values : iterable of str or None
        Its cells.

    Returns
    -------
    str or None
        A key of `WHAT`.
    """
    texts = [one for one in values if one is not None and one.strip() not in MISSING_WORDS]
    if not texts:
        return None
    return header_kind(header) or _kind_of_values(fold(header), texts)


def _kind_of_values(folded: str, texts: list[str]) -> str | None:
    """Return what values say, the surest signs first; `folded` is the header."""
    distinct = list(dict.fromkeys(texts))
    signs = {
        "uid": lambda: any(map(_UID.search, distinct)),
        "date": lambda: date_column(distinct, announced=_announces_date(folded)),
        "contact": lambda: any(map(_MAIL.search, distinct)) or are_phones(texts, distinct),
        "name": lambda: (
            any(map(_is_surely_personal, distinct)) or are_names(texts, distinct, folded)
        ),
        "id": lambda: are_numbers(texts, distinct, folded),
    }
    return next((kind for kind, shows in signs.items() if shows()), None)


def _announces_date(folded: str) -> bool:
    own = set(folded.split()) | {folded}
    return bool(own & words("date")) and not own & words("span")


def _is_surely_personal(text: str) -> bool:
    """Return whether a single cell is a name in DICOM's spelling, a title with a name, a mail."""
    if _MAIL.search(text) or _CARETS.fullmatch(text.strip()):
        return True
    parts = text.strip().split()
    titled = len(parts) > 1 and fold(parts[0]) in words("titles")
    return titled and parts[-1][:1].isupper() and parts[-1].isalpha()


def shown_id(value: object) -> str:
    """Return an id for an error or a log: quoted where it is plainly a code.

    >>> shown_id("P001 "), shown_id(None)
    ('P001 ', 'a blank cell')
    """
    if value is None or not str(value).strip():
        return "a blank cell"
    text = str(value)
    return text if is_pseudonym(text.strip()) else NOT_SHOWN


def shown_path(value: object) -> str:
    """Return a path for an error or a log, its parts that are no plain codes as ``***``.

    >>> shown_path("images/P001-ct1/0001.dcm"), shown_path("images/Synthetica/a.nii.gz")
    ('images/P001-ct1/0001.dcm', 'images/***/a.nii.gz')
    """
    parts = re.split(r"([/\\])", str(value))
    return "".join(part if _is_plain_part(part) else "***" for part in parts)


def _is_plain_part(part: str) -> bool:
    return is_pseudonym(part) or all(
        len(one) <= 2 or one.lower() in STUDY_WORDS for one in WORDS.findall(part)
    )


def shown(value: object) -> str:
    """Return a cell for an error or a log, unless it looks like a name, a date or a number.

    >>> shown("femal"), shown("12,5"), shown("Synthetica^Canary") == NOT_SHOWN
    ('femal', '12,5', True)
    """
    text = str(value)
    stripped = text.strip()
    personal = (
        _is_surely_personal(stripped)
        or has_date(stripped)
        or is_name(stripped)
        or is_pair(stripped)
        or _UID.search(stripped)
        or (_LONG.search(stripped) and not _is_plain_number(stripped))
    )
    return NOT_SHOWN if personal else text


def says_who(sentence: str) -> bool:
    """Return whether a sentence seems to name a person, a day or a number of a hospital.

    Two capitalised words are a name where one of them is a known given name, or a title.

    >>> says_who("L1 of Maria Synthetica, seen 3.2.1950"), says_who("Wedge fracture, Genant 2")
    (True, False)
    """
    text = sentence.strip()
    if _is_surely_personal(text) or is_name(text) or has_date(text) or _UID.search(text):
        return True
    if _MAIL.search(text) or _LONG.search(text) or any(map(_CARETS.search, text.split())):
        return True
    runs = (run.split() for part in _PAUSE.split(text) for run in _CAPITALISED.findall(part))
    return any(
        is_name(pair) or _is_surely_personal(pair)
        for words_ in runs
        for pair in map(" ".join, itertools.pairwise(words_))
    )


def _is_plain_number(text: str) -> bool:
    """Return whether digits are a measurement: with decimals, an exponent or a sign."""
    return re.fullmatch(r"[+-]?\d+[.,]\d+([eE][+-]?\d+)?|[+-]\d+|\d+[eE][+-]?\d+", text) is not None


def check_headers(
    names: Iterable[str], path: object, problems: Problems, *, own: Iterable[str] = ()
) -> None:
    """Add every column whose header alone says that it identifies, but for `own`."""
    own = set(own)
    for name in names:
        kind = None if name in own else header_kind(name)
        if kind is not None:
            _refuse(name, kind, "by its header", path, problems)


def _refuse(name: str, kind: str, why: str, path: object, problems: Problems) -> None:
    if header_kind(name):
        way_out = "give it another name"
    elif kind == "id":
        way_out = "name it after what its numbers are, such as lot_number or volume_mm3"
    else:
        way_out = "list its values as levels in the data dictionary, or write codes such as A1, B2"
    problems.add(
        "A table of a study must not say who the patients are",
        found=f"a column of {WHAT[kind]}, {why}",
        where=f"{path}, column {name if header_kind(name) else shown(name)}",
        remedy="remove the column from the table, and its row from the data dictionary if it has "
        f"one; pseudonyms are enough. If it says nothing of a person, {way_out}",
        code="column-identifies-patients",
    )


def check_identifying(
    sheet: pd.DataFrame,
    path: object,
    problems: Problems,
    *,
    own: Iterable[str] = (),
    levels: Mapping[str, Iterable[str]] | None = None,
    dates: bool = True,
) -> None:
    """Add every column of a table that looks as if it identified a person.

    Parameters
    ----------
    sheet : pandas.DataFrame
        Text, as `pipeline.tables.files.sheets.read_sheet` returns it.
    path : path-like
        The table's file, for errors.
    problems : Problems
        Receives a problem for each such column; values are counted and never quoted.
    own : iterable of str
        Columns that have checks of their own: ids, dates that a command needs.
    levels : mapping, optional
        Column -> levels that the data dictionary lists: values of a closed list are no names.
    dates : bool, default=True
        Whether dates are refused.
    """
    from pipeline.tables.files.sheets import rows_text

    own, levels = set(own), levels or {}
    for name in sheet.columns:
        if name in own:
            continue
        cells = sheet[name].dropna().astype(str)
        listed = set(levels.get(name, ()))
        kind = column_kind(name, cells[~cells.isin(listed)] if listed else cells)
        if kind is None or (kind == "date" and not dates):
            continue
        if kind != "date":
            why = "by its header" if header_kind(name) else f"by its {len(cells)} values"
            _refuse(name, kind, why, path, problems)
            continue
        rows = cells.index[cells.map(has_date)]
        problems.add(
            "A table of a study must not hold dates, which lead to a person",
            found=f"{len(rows) or len(cells)} dates",
            where=f"{path}, {rows_text(rows if len(rows) else cells.index)}, column {shown(name)}",
            remedy="remove the column, or write days from the operation (or an age) in place of "
            "each date",
            code="column-holds-dates",
        )


def check_levels(dictionary: pd.DataFrame, path: str | Path, problems: Problems) -> None:
    """Add the rows of a data dictionary whose levels are names or dates: reports print levels."""
    from pipeline.tables.files.sheets import cell

    for row, text in dictionary["levels"].dropna().items():
        levels = [one.strip() for one in text.split("|")]
        if any(has_date(one) or _is_surely_personal(one) for one in levels):
            problems.add(
                "The levels of a column must not be names of people, nor dates",
                found=f"{len(levels)} levels, which are not shown",
                where=cell(path, row, "levels"),
                remedy="code them in both tables, such as A|B|C, or remove the column",
                code="levels-identify-people",
            )
