"""What each value of a column counts as where it decides an event, and words that must not decide.

A word that nobody named counts as "no event". So `yes` beside `Yes`, `unknown`, or the mean below a
column of 0 and 1 would change an outcome without a word: they are refused until someone says what
they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.core.written.spellings import (
    CODES,
    NO,
    NUMBER,
    YES,
    means_unknown,
    plain_word,
    says,
    spelled_twice,
    spelling_of,
)
from pipeline.tables.identifying.checks import shown
from pipeline.tables.values.doubtful_words import is_doubtful, near_words, odd_answers, unnamed_yes

BLANK = "(blank)"
SHOWN = 12
"""Values that are listed by name."""
MIN_WHOLE = 0.9
"""Share of whole numbers in a column above which a fraction in it is remarkable."""

LARGE_CODE = 77.0
"""Size from which on a number such as 99 may stand for "not known" on any scale that ends far below
it."""
FAR_BELOW = 5.0
"""Times that such a code is above the largest other value."""

DOUBT = "A word of doubt must not count as {}: the column"
UNNAMED_YES = "A word for yes must not count as {}: the column"
NEAR = "A value that holds a named one must not count otherwise: the column"
"""Rules of a column that decides an outcome."""

FEW_OTHERS = 0.05
"""Share of other numbers beside 1 and 2 up to which they are remarkable."""

Naming = Callable[[Collection[str]], str]


@dataclass(frozen=True)
class Advice:
    """What to write about words that must not count as they do.

    Attributes
    ----------
    naming, denying, leaving : callable
        From words to what to write so that they count as named ones do, as the contrary, and as not
        known.
    """

    naming: Naming
    denying: Naming
    leaving: Naming

    def decide(self, texts: Collection[str], named: Collection[str]) -> str:
        """Return how to decide what each of `texts` is, beside words that are `named` already."""
        return (
            f"if that is meant as the named ones are, {self.naming([*named, *texts])}; if it is "
            f"the contrary, {self.denying(texts)}; if it is not known, {self.leaving(texts)}"
        )


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
    advice: Advice,
    words: Mapping,
    declared: bool = False,
    decides: bool = True,
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
    advice : Advice
        What to write.
    words : mapping
        As for `meanings`.
    declared : bool, optional
        Whether the data dictionary lists the column's values.
    decides : bool, optional
        Whether the column decides the outcome: then words of doubt, and values that hold a named
        one, are wrong too.

    Returns
    -------
    list of StudyError
        Values that differ in case, blanks, or the kind of a sign only; words that mean "not known";
        two words for yes (or for no) that count differently; words in a column that is compared
        with numbers only; and what `decides` adds.
    """
    there = values.dropna().unique()
    named_texts = {spelling_of(str(each), there) for each in named}
    table = meanings(values.dropna(), truth[values.notna()], words)
    of_value = {row.value: row for row in table.itertuples()}
    problems: list[StudyError] = []
    told: set[str] = set()

    def add(rule: str, texts: Collection[str], remedy: str, *, code: str) -> None:
        told.update(texts)
        found = listing(
            (f"{_quoted(t)} {of_value[t].n} ({of_value[t].counts_as})" for t in texts), SHOWN
        )
        problems.append(
            StudyError(f"{rule} {column}", found=found, where=where, remedy=remedy, code=code)
        )

    unnamed = [value for value in of_value if value not in named_texts]
    groups = [g for g in spelled_twice(of_value) if any(each in unnamed for each in g)]
    for group in groups:
        wanted = [each for each in group if each in named_texts]
        remedy = "write each value one way in the table"
        if wanted:
            remedy += f"; or name every spelling that is meant, {advice.naming(group)}"
        add(
            "One value must have one spelling in the column",
            group,
            remedy,
            code="value-spelled-alike",
        )
    unknown = [value for value in unnamed if means_unknown(value)]
    if "+" in map(plain_word, of_value):  # then a minus is its contrary, not a blank
        unknown = [value for value in unknown if plain_word(value) != "-"]

    def decided(texts: Collection[str]) -> str:
        none = all(of_value[each].counts_as == words[False] for each in texts)
        return words[False] if none else "a decided value"

    if unknown:
        add(
            f"A word that says `not known` must not count as {decided(unknown)}: the column",
            unknown,
            advice.leaving(unknown),
            code="word-for-unknown-counts",
        )
    for same in _of_one_meaning(of_value, unnamed, unknown, groups):
        add(
            "Words of one meaning must count as one: the column",
            same,
            "write one word for each in the table; or name all that are meant, "
            f"{advice.naming(same)}",
            code="words-of-one-meaning",
        )
    numbers_only = bool(named) and all(NUMBER.fullmatch(text) for text in named_texts)
    other = [v for v in unnamed if not NUMBER.fullmatch(v) and v not in unknown]
    if numbers_only and other:
        add(
            f"A word must not count as {words[False]} in a column that is compared with numbers:",
            other,
            f"correct the table; or, if it stands for `not known`, {advice.leaving(other)}",
            code="word-among-numbers",
        )
    left = [value for value in unnamed if value not in told] if decides else []
    for rule, texts in _undecided(values, truth, named, left, declared=declared).items():
        if rule == UNNAMED_YES and decided(texts) != words[False]:
            continue
        known = [text for text in of_value if text in named_texts]
        add(
            rule.format(decided(texts)),
            texts,
            advice.decide(texts, known),
            code={
                DOUBT: "word-of-doubt-counts",
                UNNAMED_YES: "word-for-yes-unnamed",
                NEAR: "word-holds-a-named-one",
            }[rule],
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
            advice=advice,
            words=words,
            declared=declared,
            decides=decides,
        )
    return problems


def _of_one_meaning(
    of_value: Mapping,
    unnamed: Collection[str],
    unknown: Collection[str],
    groups: Collection[list[str]],
) -> list[list[str]]:
    """Return words for yes, and for no, of which some are named and count otherwise."""
    found = []
    for kind in (YES, NO):
        same = [value for value in of_value if says(value, kind) and value not in unknown]
        apart = {of_value[value].counts_as for value in same}
        # Formulas treat all values alike that they do not name.
        some_named = 0 < sum(value in unnamed for value in same) < len(same)
        if len(apart) > 1 and some_named and not any(set(same) <= set(g) for g in groups):
            found.append(same)
    return found


def _undecided(
    values: pd.Series,
    truth: pd.Series,
    named: Collection[str | float],
    left: Collection[str],
    *,
    declared: bool,
) -> dict[str, list[str]]:
    """Return the values among `left` that nobody decided, by the rule that they break."""
    there = values.dropna().unique()
    texts = {spelling_of(str(each), there) for each in named}
    doubtful = [value for value in left if is_doubtful(value)]
    found = {DOUBT: doubtful}
    if not (texts and all(NUMBER.fullmatch(text) for text in texts)):
        doubtful += odd_answers([each for each in left if each not in doubtful], texts)
        found[UNNAMED_YES] = unnamed_yes([each for each in left if each not in doubtful], texts)
    if not declared:
        taken = {each for of in found.values() for each in of}
        near = near_words(values, truth, named)
        found[NEAR] = [each for each in near if each in left and each not in taken]
    return {rule: of for rule, of in found.items() if of}


def number_problems(
    values: pd.Series,
    truth: pd.Series,
    named: Collection[float],
    *,
    column: str,
    where: str,
    advice: Advice,
    words: Mapping,
    declared: bool = False,
    decides: bool = True,
) -> list[StudyError]:
    """Return what is wrong with numbers that decide an event, as of ``died == 1`` or ``pain >= 4``.

    Parameters are those of `word_problems`; `values` are numbers, and `named` those that are
    compared for equality.

    Returns
    -------
    list of StudyError
        Fractions among whole numbers, as the mean and the deviation below a column have; codes such
        as 9 and 999 where all others are 0, 1 and 2, or far below; and, where only 1 is named, 2
        and other numbers beside 0 and 1.
    """
    known = values.dropna().astype(float)
    if known.empty:
        return []
    named = {float(each) for each in named}
    problems = []

    def add(rule: str, found: pd.Series, more: str, remedy: str, *, code: str) -> None:
        table = meanings(found, truth[found.index], words)
        text = f"{meanings_text(table)}{more}"
        problems.append(StudyError(rule, found=text, where=where, remedy=remedy, code=code))

    whole = known.map(float.is_integer)
    equal = bool(named) and all(each.is_integer() for each in named)
    found = known[~whole & ~known.isin(named)]
    if equal and len(found) and whole.mean() >= MIN_WHOLE:
        add(
            "Numbers that are compared for equality must be whole, as the others of the "
            f"column {column}",
            found,
            f", of {listing(map(str, found.index), 5)}",
            "remove rows that sum up the table (mean, deviation), or correct the values",
            code="number-not-whole",
        )
    if named and not equal:
        return problems
    codes = _codes(known, named, whole, equal=equal, decides=decides)
    rest = known[whole & ~known.isin(codes)]
    if len(codes):
        add(
            f"A number that may stand for `not known` must not count as a value of {column}",
            codes,
            f" beside {listing(map(shown_value, sorted(set(rest))), SHOWN)}",
            advice.leaving([shown_value(each) for each in sorted(set(codes))]),
            code="number-for-unknown-counts",
        )
    third, beside = _third(rest, named)
    if decides and not declared and len(third):
        texts = [shown_value(each) for each in sorted(set(third))]
        known_texts = [shown_value(each) for each in sorted(named)]
        add(
            f"A third number must not count as {words[False]} beside {beside}: the column {column}",
            third,
            "",
            f"if it is an event too, {advice.naming([*known_texts, *texts])}; if it is none, "
            f"{advice.denying(texts)}; if it is not known, {advice.leaving(texts)}",
            code="number-besides-coding",
        )
    return problems


def _third(known: pd.Series, named: Collection[float]) -> tuple[pd.Series, str]:
    """Return what is neither of the two numbers of a coding, which is the second value.

    0 and 1 are a coding wherever 1 is named. 1 and 2 are one, and 1, 2 and 3 may be grades: only
    few other numbers are remarkable there.
    """
    there = set(known)
    if 1.0 in named and set(named) <= {0.0, 1.0} and {0.0, 1.0} <= there:
        return known[~known.isin((0.0, 1.0))], "0 and 1"
    if len(named) == 1 and set(named) <= {1.0, 2.0} <= there:
        third = known[~known.isin((1.0, 2.0))]
        return third[: len(third) if len(third) <= FEW_OTHERS * len(known) else 0], "1 and 2"
    return known.iloc[:0], ""


def _codes(
    known: pd.Series, named: Collection[float], whole: pd.Series, *, equal: bool, decides: bool
) -> pd.Series:
    """Return the numbers that perhaps stand for "not known"."""
    codes = known[known.isin(CODES - set(named))]
    rest = known[whole & ~known.isin(codes)]
    if len(codes) and rest.nunique() and rest.isin((0.0, 1.0, 2.0)).all():
        return codes if equal or decides else codes[codes.abs() >= LARGE_CODE]
    large = codes[codes.abs() >= LARGE_CODE]
    others = known.drop(large.index)
    if not decides or large.empty or others.empty or (others < 0).any():
        return large.iloc[:0]
    return large[large.abs() >= FAR_BELOW * others.max()]
