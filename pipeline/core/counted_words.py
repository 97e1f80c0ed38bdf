"""What each value of a column counts as where it decides an event, and words that must not decide.

A word that nobody named counts as "no event". So `yes` beside `Yes`, `unknown`, or the mean below a
column of 0 and 1 would change an outcome without a word: they are refused until someone says what
they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.identifying import shown
from pipeline.core.problems import listing
from pipeline.core.spellings import (
    CODES,
    NO,
    NUMBER,
    YES,
    means_unknown,
    plain_word,
    says,
    spelled_twice,
    spelling_of,
    typed_alike,
)

BLANK = "(blank)"
SHOWN = 12
"""Values that are listed by name."""
MIN_WHOLE = 0.9
"""Share of whole numbers in a column above which a fraction in it is remarkable."""

Naming = Callable[[Collection[str]], str]


def meanings(values: pd.Series, truth: pd.Series, words: Mapping) -> pd.DataFrame:
    """Count the values of a column, and what the rows that hold them count as.

    Parameters
    ----------
    values : pandas.Series
        Text or numbers, None or NaN where missing.
    truth : pandas.Series
        Nullable booleans on the same index.
    words : mapping
        What True, False and None are called, such as ``{True: "event", False: "no event"}``.

    Returns
    -------
    pandas.DataFrame
        One row per value in falling order of rows: ``value`` (text)``, n, counts_as`` (text).
    """
    counts: dict[str, dict[str, int]] = {}
    for value, each in zip(values, truth, strict=True):
        kinds = counts.setdefault(shown_value(value), {})
        kind = words[None] if pd.isna(each) else words[bool(each)]
        kinds[kind] = kinds.get(kind, 0) + 1
    entries = []
    for value, kinds in counts.items():
        several = listing(f"{n} {kind}" for kind, n in kinds.items())
        counts_as = next(iter(kinds)) if len(kinds) == 1 else several
        entries.append({"value": value, "n": sum(kinds.values()), "counts_as": counts_as})
    table = pd.DataFrame(entries, columns=["value", "n", "counts_as"])
    return table.sort_values(["n", "value"], ascending=[False, True], ignore_index=True)


def meanings_text(table: pd.DataFrame) -> str:
    """Return `meanings` as one line: ``'Yes' 43 (event), 'No' 107 (no event)``."""
    return listing(
        (f"{_quoted(row.value)} {row.n} ({row.counts_as})" for row in table.itertuples()), SHOWN
    )


def _quoted(value: str) -> str:
    return value if value == BLANK else f"'{shown(value)}'"


def shown_value(value: object) -> str:
    """Return a value as it is listed: a whole number without point, a blank by its name."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return BLANK
    return f"{value:g}" if isinstance(value, float) else str(value)


def word_problems(
    values: pd.Series,
    truth: pd.Series,
    named: Collection[str | float],
    *,
    column: str,
    where: str,
    naming: Naming,
    leaving: Naming,
    words: Mapping,
) -> list[StudyError]:
    """Return what is wrong with the words of a column that decides an event.

    Parameters
    ----------
    values : pandas.Series
        Text, None where missing.
    truth : pandas.Series
        What each row counts as: nullable booleans on the same index.
    named : collection of str or number
        Values that the formula (or command line) names: whoever names a value knows it.
    column, where : str
        The column and its place, for errors.
    naming, leaving : callable
        From words to what to write so that they count as they should, and as not known.
    words : mapping
        As for `meanings`.

    Returns
    -------
    list of StudyError
        Values that differ in case, blanks, or the kind of a sign only; words that mean "not known";
        two words for yes (or for no) that count differently; words in a column that is compared
        with numbers only.
    """
    there = values.dropna().unique()
    named_texts = {spelling_of(str(each), there) for each in named}
    table = meanings(values.dropna(), truth[values.notna()], words)
    of_value = {row.value: row for row in table.itertuples()}

    def told(texts: Collection[str]) -> str:
        return listing(
            (f"{_quoted(t)} {of_value[t].n} ({of_value[t].counts_as})" for t in texts), SHOWN
        )

    problems = []

    def add(rule: str, texts: Collection[str], remedy: str) -> None:
        problems.append(
            StudyError(f"{rule} {column}", found=told(texts), where=where, remedy=remedy)
        )

    unnamed = [value for value in of_value if value not in named_texts]
    groups = [g for g in spelled_twice(of_value) if any(each in unnamed for each in g)]
    for group in groups:
        wanted = [each for each in group if each in named_texts]
        remedy = "write each value one way in the table"
        if wanted:
            remedy += f"; or name every spelling that is meant, {naming(group)}"
        add("One value must have one spelling in the column", group, remedy)
    unknown = [value for value in unnamed if means_unknown(value)]
    if "+" in map(plain_word, of_value):  # then a minus is its contrary, not a blank
        unknown = [value for value in unknown if plain_word(value) != "-"]
    if unknown:
        decided = (
            words[False]
            if all(of_value[u].counts_as == words[False] for u in unknown)
            else ("a decided value")
        )
        add(
            f"A word that says `not known` must not count as {decided}: the column",
            unknown,
            leaving(unknown),
        )
    for kind in (YES, NO):
        same = [value for value in of_value if says(value, kind) and value not in unknown]
        apart = {of_value[value].counts_as for value in same}
        if len(apart) > 1 and any(value in unnamed for value in same):
            if any(set(same) <= set(group) for group in groups):
                continue
            add(
                "Words of one meaning must count as one: the column",
                same,
                f"write one word for each in the table; or name all that are meant, {naming(same)}",
            )
    numbers_only = bool(named) and all(NUMBER.fullmatch(text) for text in named_texts)
    other = [v for v in unnamed if not NUMBER.fullmatch(v) and v not in unknown]
    if numbers_only and other:
        add(
            f"A word must not count as {words[False]} in a column that is compared with numbers:",
            other,
            f"correct the table; or, if it stands for `not known`, {leaving(other)}",
        )
    numbers = [value for value in of_value if NUMBER.fullmatch(value)]
    if numbers and numbers_only:
        as_numbers = pd.to_numeric(values[values.isin(numbers)])
        problems += number_problems(
            as_numbers,
            truth[as_numbers.index],
            [float(text) for text in named_texts],
            column=column,
            where=where,
            leaving=leaving,
            words=words,
        )
    return problems


def number_problems(
    values: pd.Series,
    truth: pd.Series,
    named: Collection[float],
    *,
    column: str,
    where: str,
    leaving: Naming,
    words: Mapping,
) -> list[StudyError]:
    """Return what is wrong with numbers that are compared for equality, as ``died == 1``.

    Parameters are those of `word_problems`; `values` are numbers.

    Returns
    -------
    list of StudyError
        Fractions among whole numbers, as the mean and the deviation below a column have; and
        codes such as 9 and 999 where all others are 0, 1 and 2.
    """
    known = values.dropna().astype(float)
    if not named or known.empty or not all(float(each).is_integer() for each in named):
        return []
    problems = []
    whole = known.map(float.is_integer)
    found = known[~whole & ~known.isin(named)]
    if len(found) and whole.mean() >= MIN_WHOLE:
        table = meanings(found, truth[found.index], words)
        where_found = listing(map(str, found.index), 5)
        problems.append(
            StudyError(
                "Numbers that are compared for equality must be whole, as the others of the "
                f"column {column}",
                found=f"{meanings_text(table)}, of {where_found}",
                where=where,
                remedy="remove rows that sum up the table (mean, deviation), or correct the values",
            )
        )
    codes = known[known.isin(CODES - {float(each) for each in named})]
    rest = known[whole & ~known.isin(codes)]
    if len(codes) and len(rest) and rest.isin((0.0, 1.0, 2.0)).all():
        table = meanings(codes, truth[codes.index], words)
        problems.append(
            StudyError(
                f"A number that may stand for `not known` must not count as a value of {column}",
                found=f"{meanings_text(table)} beside "
                f"{listing(map(shown_value, sorted(set(rest))))}",
                where=where,
                remedy=leaving(list(table["value"])),
            )
        )
    return problems


def near_words(values: pd.Series, truth: pd.Series, named: Collection[str | float]) -> list[str]:
    """Return values that begin with one that is named, and count as something else.

    Examples
    --------
    >>> values = pd.Series(["Positive", "Positive - focal", "Negative"])
    >>> near_words(values, values == "Positive", ["Positive"])
    ['Positive - focal']
    """
    named_plain = {plain_word(str(each)) for each in named if not NUMBER.fullmatch(str(each))}
    one_way = {value: truth[values == value] for value in typed_alike(values).dropna().unique()}
    counted = {
        plain_word(v): bool(t.iloc[0]) for v, t in one_way.items() if t.notna().all() and len(t)
    }
    near = []
    for value in one_way:
        plain = plain_word(value)
        for word in named_plain - {plain}:
            begins = plain.startswith(word) and not plain[len(word) :][:1].isalnum()
            if begins and plain not in named_plain and counted.get(word) != counted.get(plain):
                near.append(value)
                break
    return near
