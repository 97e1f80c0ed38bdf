"""What looks as if it identified a person: a table's headers and cells, in many languages.

These detectors hold nobody's identity, so that every stage may use them; the search for known
identities is that of `pipeline.privacy`. A column is known by the words of its header or by its
values: names, dates, hospital numbers, addresses. Values are never quoted in an error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from pipeline.core.identifying_dates import MISSING_WORDS, date_column, has_date
from pipeline.core.problems import Problems

MOSTLY = 0.7
"""Share of a column's values that must look like names for the column to be one of names."""

MIN_DISTINCT, MIN_SHARE_DISTINCT = 3, 0.5
"""Different values, and their share of the rows, from which on a column may say who is who: levels
of a category are fewer, and repeat."""

MIN_PAIRS, MIN_SHARE_PAIRS = 8, 0.9
"""The same where nothing but two capitalised words speaks for names, as of products and sites."""

LONGEST_PHRASE = 4
"""Words of a header that are looked up together."""

MIN_DIGITS = 6
"""Digits of a hospital's number; the ids of a study are shorter, as P001."""

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

_LETTERS = str.maketrans("øłđıßæœðþ", "oldisaodt")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORDS = re.compile(r"[^\W_]+")
_MAIL = re.compile(r"[^\s@]+@[^\s@]+\.[a-z]{2,}", re.IGNORECASE)
_UID = re.compile(r"(?<![\d.])[0-2](\.(0|[1-9]\d*)){5,}(?![\d.])")
_CARETS = re.compile(r"[^\W\d_]+[^^]*\^[^^]*[^\W\d_]")
_NAME_WORD = r"[^\W\d_a-z][^\W\d_]*(?:['’ʼ´`\-][^\W\d_]+)*\.?"
_PREFIX = (
    r"(?:(?:von|van|zu|zum|zur|de|der|den|del|della|di|da|dos|du|la|le|el|al|bin|ibn|ter|ten)\s+)*"
)
_COMMA_NAME = re.compile(
    rf"{_PREFIX}{_NAME_WORD}(\s{_NAME_WORD})?\s*[,;]\s*{_NAME_WORD}(\s{_NAME_WORD})*"
    r"(\s*\([^()]*\))?"  # a year or an id behind the name
)
_TWO_NAMES = re.compile(rf"{_NAME_WORD}(\s+{_PREFIX}{_NAME_WORD}){{1,3}}")
_NUMBER_ID = re.compile(
    rf"[A-Za-z]{{0,5}}[-_ /.]?[0-9]{{{MIN_DIGITS},14}}([-_ /.]?[A-Za-z]|[-_ /][0-9A-Za-z]{{1,4}})?"
)
_TWO_LETTERS = re.compile(r"[^\W\d_]{2}|[\u3400-\u9fff가-힣]")
_CODE = re.compile(r"[A-Za-z]+|[0-9]+|[-_ ./|]+")
_LONG = re.compile(rf"[0-9]{{{MIN_DIGITS},}}")


@cache
def words(kind: str) -> frozenset[str]:
    """Return the words of `kind` in identifying_words.yaml, folded."""
    mark = " " if kind == "chinese" else ","
    lines = _file_of_words()[kind]
    return frozenset(fold(one) for line in lines for one in str(line).split(mark) if one)


@cache
def _file_of_words() -> Mapping[str, list]:
    path = Path(__file__).with_name("identifying_words.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def word_lists(kind: str) -> list[list[str]]:
    """Return the lists of `kind` in identifying_words.yaml, in their order, folded."""
    return [[fold(one) for one in str(line).split(",")] for line in _file_of_words()[kind]]


def fold(text: str) -> str:
    """Return a text in small letters without accents, its words parted by one blank.

    >>> fold("Geb.-Datum"), fold("PatientBirthDate"), fold("Née le")
    ('geb datum', 'patient birth date', 'nee le')
    """
    apart = _CAMEL.sub(" ", unicodedata.normalize("NFC", text))
    decomposed = unicodedata.normalize("NFKD", apart.casefold().translate(_LETTERS))
    bare = unicodedata.normalize(
        "NFC", "".join(one for one in decomposed if not unicodedata.combining(one))
    )
    return " ".join(_WORDS.findall(bare))


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
    parts = fold(header).split()
    if not words("things").isdisjoint(parts) and parts[0] not in ("pat", "patient", "patients"):
        return None
    runs = {
        " ".join(parts[at:end])
        for at in range(len(parts))
        for end in range(at + 1, min(at + LONGEST_PHRASE, len(parts)) + 1)
    }
    for kind in ("birth", "name", "id", "contact"):
        whole, anywhere, signs = _phrases(kind)
        if " ".join(parts) in whole or not runs.isdisjoint(anywhere):
            return kind
        if not header.isascii() and any(one in "".join(parts) for one in signs):
            return kind
    return None


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
        "contact": lambda: any(map(_MAIL.search, distinct)),
        "name": lambda: (
            any(map(_is_surely_personal, distinct))
            or _are_names(texts, distinct, asked=folded in words("maybe_name"))
        ),
        "id": lambda: _are_numbers(texts, distinct, asked=folded in words("maybe_id")),
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


def _are_names(texts: list[str], distinct: list[str], *, asked: bool) -> bool:
    """Return whether most values are names, and tell rows apart as names do and levels do not."""
    share = len(distinct) / len(texts)
    if asked and share >= MIN_SHARE_DISTINCT:
        lettered = sum(bool(_TWO_LETTERS.search(one)) and not is_pseudonym(one) for one in distinct)
        return lettered >= MOSTLY * len(distinct)
    if len(distinct) < MIN_DISTINCT or share < MIN_SHARE_DISTINCT:
        return False
    if sum(map(_is_name, distinct)) >= MOSTLY * len(distinct):
        return True
    pairs = sum(_is_name(one) or _is_pair(one) for one in distinct)
    many = len(distinct) >= MIN_PAIRS and share >= MIN_SHARE_PAIRS
    return many and pairs >= MOSTLY * len(distinct)


def _is_name(text: str) -> bool:
    """Return whether a cell has the shape of a person's name, and of hardly anything else."""
    text = unicodedata.normalize("NFC", text.strip())
    if _COMMA_NAME.fullmatch(text):
        return words("medical").isdisjoint(fold(text).split())
    bare = text.replace(" ", "")
    if 2 <= len(bare) <= 4 and all(
        "\u3400" <= one <= "\u9fff" or "가" <= one <= "힣" for one in bare
    ):
        return bare[0] in words("chinese") or bare[:2] in words("chinese")
    parts = fold(text).split()
    alone = 0 < len(parts) <= 4 and all(one.isalpha() for one in parts)
    return alone and any(one in words("given") for one in parts)


def _is_pair(text: str) -> bool:
    """Return whether a cell is two to four capitalised words that are none of a study."""
    text = unicodedata.normalize("NFC", text.strip())
    parts = fold(text).split()
    return (
        _TWO_NAMES.fullmatch(text) is not None
        and all(len(one) > 1 for one in parts)
        and not any(one in STUDY_WORDS or one in words("medical") for one in parts)
    )


def _are_numbers(texts: list[str], distinct: list[str], *, asked: bool) -> bool:
    """Return whether values are a hospital's numbers: as long, with letters or leading zeros.

    Below a header that may mean an id, plain numbers of this length are enough.
    """
    enough = 1 if asked else MIN_DISTINCT
    if len(distinct) < enough or len(distinct) < MIN_SHARE_DISTINCT * len(texts):
        return False
    if not all(_NUMBER_ID.fullmatch(one.strip()) for one in distinct):
        return False
    plain = [one for one in distinct if one.isdigit() and not one.startswith("0")]
    return asked or len(plain) < len(distinct)


def is_pseudonym(text: str) -> bool:
    """Return whether an id is so plainly a code that an error may quote it.

    Letters are few, or words of studies; numbers are shorter than a hospital's.

    >>> is_pseudonym("P001"), is_pseudonym("sub-07_L1")
    (True, True)
    >>> is_pseudonym("Synthetica"), is_pseudonym("0073194")
    (False, False)
    """
    if not text.isascii() or has_date(text) or len(text) > 40:
        return False
    parts = _CODE.findall(text)
    if "".join(parts) != text:
        return False
    letters = [part.lower() for part in parts if part.isalpha()]
    digits = [part for part in parts if part.isdigit()]
    if not digits:
        return all(len(one) == 1 or one in STUDY_WORDS for one in letters)
    return (
        all(len(one) < MIN_DIGITS for one in digits)
        and sum(map(len, digits)) < 2 * MIN_DIGITS
        and all(len(one) <= 2 or one in STUDY_WORDS for one in letters)
    )


STUDY_WORDS = frozenset(
    """
    pat patient patients case cases sub subj subject scan reader rater observer site center ct mri
    ser series img image images mask masks vertebra level study unit crlm lipo lidc idri ispy tcga
    demo example row nii gz nrrd seg dcm csv mm group type class grade
    none missing
    """.split()  # noqa: SIM905
)


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
        len(one) <= 2 or one.lower() in STUDY_WORDS for one in _WORDS.findall(part)
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
        or _is_name(stripped)
        or _is_pair(stripped)
        or _UID.search(stripped)
        or (_LONG.search(stripped) and not _is_plain_number(stripped))
    )
    return NOT_SHOWN if personal else text


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
    problems.add(
        "A table of a study must not say who the patients are",
        found=f"a column of {WHAT[kind]}, {why}",
        where=f"{path}, column {name if header_kind(name) else shown(name)}",
        remedy="remove the column from the table, and its row from the data dictionary if it has "
        "one; pseudonyms are enough",
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
        Text, as `pipeline.core.sheets.read_sheet` returns it.
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
    from pipeline.core.sheets import rows_text

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
        )


def check_levels(dictionary: pd.DataFrame, path: object, problems: Problems) -> None:
    """Add the rows of a data dictionary whose levels are names or dates: reports print levels."""
    from pipeline.core.sheets import cell

    for row, text in dictionary["levels"].dropna().items():
        levels = [one.strip() for one in text.split("|")]
        if any(has_date(one) or _is_surely_personal(one) for one in levels):
            problems.add(
                "The levels of a column must not be names of people, nor dates",
                found=f"{len(levels)} levels, which are not shown",
                where=cell(path, row, "levels"),
                remedy="code them in both tables, such as A|B|C, or remove the column",
            )
