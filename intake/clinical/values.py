"""How cells of a sheet are written in the study: one spelling a word, numbers without their unit.

Nothing is corrected that could mean two things; what is changed is counted and listed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import pandas as pd

from intake.clinical.agreement import is_sex, sex_of
from intake.clinical.vocabulary import vocabulary
from intake.handover.pairing.mask_paths import level_of
from pipeline.core.written.number_notation import is_number, read_numbers
from pipeline.core.written.spellings import NO, YES, means_unknown, plain_word
from pipeline.tables.dictionary import MISSING

LONGEST_LEVEL = 80
"""Characters from which on a cell is text and no level."""

MOST_LEVELS = 20
"""Different words from which on a column is no category that a table could show."""

_WITH_UNIT = re.compile(r"([+-]?\d[\d.,]*)\s*([^\d\s.,+-][^\s]*)")
_OF_SCALE = re.compile(r"(\d+(?:[.,]\d+)?)\s*/\s*(10|50|100)")

MOSTLY_NUMBERS = 0.7
"""Share of a column's known cells that are numbers, from which on it is one of numbers."""


@dataclass(frozen=True)
class Tidy:
    """A column as the study writes it.

    Attributes
    ----------
    values : pandas.Series
        Text or None.
    unit : str
        What stood behind its numbers, or nothing.
    changes : tuple of str
        What was changed, in words, with counts.
    """

    values: pd.Series
    unit: str = ""
    changes: tuple[str, ...] = ()


def is_unknown(text: str) -> bool:
    """Return whether a cell says that the value is not known."""
    return text in MISSING or means_unknown(text)


def are_numbers(values: pd.Series) -> bool:
    """Return whether a column is one of numbers, whatever words stand among them."""
    known = [text for text in values.dropna() if not is_unknown(text)]
    numbers = sum(is_number(text) for text in known)
    return bool(known) and numbers >= MOSTLY_NUMBERS * len(known)


def free_text(values: pd.Series) -> str:
    """Return why a column is free text, nothing where it is not.

    >>> free_text(pd.Series(["L1", "L2", "L1"]))
    ''
    """
    known = [text for text in values.dropna() if not is_unknown(text)]
    words = [text for text in known if not is_number(text)]
    if len(words) < 0.3 * len(known) or not words:
        long = [text for text in words if len(text) > LONGEST_LEVEL]
        return "a cell holds a long text" if long else ""
    different = {plain_word(text) for text in known}
    many, rows = len(different), len(known)
    long = max(map(len, words)) > LONGEST_LEVEL
    sentences = sum(len(text.split()) for text in words) / len(words) >= 3
    if long or many > MOST_LEVELS or (many >= 5 and many > 0.5 * rows and sentences) or (
        many >= 8 and many > 0.8 * rows
    ):  # fmt: skip
        return f"free text: {many} different texts in {rows} rows"
    return ""


def tidy(values: pd.Series, header: str) -> Tidy:
    """Return a column as the study writes it.

    Parameters
    ----------
    values : pandas.Series of str or None
        Its cells.
    header : str
        Its name.
    """
    if is_sex(header):
        return _sexes(values)
    levels = _levels(values)
    if levels is not None:
        return levels
    scaled = _without_scale(values)
    if scaled is not None:
        return scaled
    plain = _without_unit(values)
    if are_numbers(plain.values):
        return plain
    return _spelled(values)


def _sexes(values: pd.Series) -> Tidy:
    words = {"M": "male", "F": "female"}
    read = values.map(lambda text: words.get(sex_of(text), text), na_action="ignore")
    read = read.astype(object).where(values.notna(), None)
    changed = int((read != values)[values.notna()].sum())
    return Tidy(read, changes=("written as female and male",) if changed else ())


def _levels(values: pd.Series) -> Tidy | None:
    """Return vertebrae as the project spells them: LWK1 as L1, Th12 as T12."""
    known = [text for text in values.dropna() if not is_unknown(text)]
    named = {text: _levels_of(text) for text in known}
    if not known or sum(named[text] is not None for text in known) < MOSTLY_NUMBERS * len(known):
        return None
    read = values.map(lambda text: named.get(text) or text, na_action="ignore")
    read = read.astype(object).where(values.notna(), None)
    changed = int((read != values)[values.notna()].sum())
    change = f"{changed} vertebrae in the project's spelling, such as L1 for LWK1"
    return Tidy(read, changes=(change,) if changed else ())


def _levels_of(text: str) -> str | None:
    """Return the vertebrae that a cell names, one behind the other; None where it names none."""
    apart = re.split(r"\s*[,;+/&]\s*|\s+und\s+|\s+and\s+", text.strip())
    parts = [level_of(re.sub(r"[ .]", "", one)) for one in apart]
    return ", ".join(parts) if all(parts) else None


def _without_scale(values: pd.Series) -> Tidy | None:
    """Return 5/10 as 5 where all such cells have one highest value."""
    found = {row: _OF_SCALE.fullmatch(text) for row, text in values.dropna().items()}
    scaled = {row: match for row, match in found.items() if match}
    if len({match[2] for match in scaled.values()}) != 1:
        return None
    rest = [
        values[row] for row, match in found.items() if not match and not is_unknown(values[row])
    ]
    highest = next(iter(scaled.values()))[2]
    if not all(map(is_number, rest)):
        return None
    read = values.copy()
    for row, match in scaled.items():
        read[row] = match[1]
    return Tidy(read, f"of {highest}", (f"{len(scaled)} cells such as 5/{highest}: written as 5",))


def _without_unit(values: pd.Series) -> Tidy:
    """Return numbers without the unit behind them, where one unit stands in the column."""
    units: Counter[str] = Counter()
    read = values.copy()
    for row, text in values.dropna().items():
        match = _WITH_UNIT.fullmatch(text)
        if match and match[2].casefold() in vocabulary("units"):
            units[match[2]] += 1
            read[row] = match[1]
    if len({unit.casefold() for unit in units}) != 1 or not _alike(values, read):
        return Tidy(values)
    ((unit, _),) = units.most_common(1)
    return Tidy(
        read, unit, (f"{units.total()} cells with `{unit}` behind the number: unit removed",)
    )


def _alike(values: pd.Series, read: pd.Series) -> bool:
    """Return whether numbers with a unit are of the size of those without: 1.62 m beside 162."""
    with_unit = read[values != read].dropna()
    bare = values[values == read].dropna()
    numbers = read_numbers(bare[bare.map(is_number).astype(bool)]).values.dropna().abs()
    stated = read_numbers(with_unit).values.dropna().abs()
    if numbers.empty or stated.empty or numbers.max() == 0:
        return True
    return bool(stated.max() <= 10 * numbers.max() and stated.min() >= 0.1 * numbers.min())


def _spelled(values: pd.Series) -> Tidy:
    """Return words in one spelling each: that of most cells; words for yes and no are one too."""
    counts = Counter(values.dropna())
    groups: dict[str, Counter[str]] = {}
    known = [text for text in counts if not is_unknown(text)]
    plain = {text: plain_word(text) for text in counts}
    meant = {plain[text] for text in known}
    answers = meant <= YES | NO and len(meant) > 2
    for text, number in counts.items():
        word = plain[text]
        if answers and text in known:
            word = "yes" if word in YES else "no"
        groups.setdefault(word, Counter())[text] += number
    told = {}
    for spelled in groups.values():
        best = max(spelled, key=lambda text: (spelled[text], len(text)))
        told |= dict.fromkeys(spelled, best)
    changed = {text: best for text, best in told.items() if text != best}
    if not changed:
        return Tidy(values)
    read = values.map(lambda text: told.get(text, text), na_action="ignore")
    read = read.astype(object).where(values.notna(), None)
    cells = sum(counts[text] for text in changed)
    pairs = ", ".join(f"`{text}` as `{best}`" for text, best in list(changed.items())[:4])
    return Tidy(read, changes=(f"{cells} cells in another spelling: {pairs}",))
