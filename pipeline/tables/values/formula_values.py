"""What a study's formulas make of its tables: each value, how often, and what it counts as.

Told before anything runs, by validate and at the start of a run, so that a word that nobody thought
of is seen where it would become "no event".
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing
from pipeline.core.written.spellings import NUMBER, spelled_twice, spelling_of
from pipeline.tables.columns import table_name
from pipeline.tables.identifying.checks import shown
from pipeline.tables.split_options import Split
from pipeline.tables.values.counted_words import (
    Advice,
    meanings,
    meanings_text,
    number_problems,
    word_problems,
)
from pipeline.tables.values.doubtful_words import is_doubtful, near_words, neither
from pipeline.tables.values.formula import Formula

logger = logging.getLogger(__name__)

OUTCOME_WORDS = {True: "event", False: "no event", None: "unknown"}
ELIGIBLE_WORDS = {True: "eligible", False: "not eligible", None: "not known"}
FEW = 12
"""Different numbers of a column up to which each is listed with its count."""


def check_values(
    formula: Formula,
    clinical: pd.DataFrame,
    levels: Mapping[str, list[str]],
    problems: Problems,
    *,
    label: str,
    words: Mapping,
    declared: Collection[str] = (),
) -> None:
    """Tell what the values of a formula's columns count as; add those that must not decide.

    Parameters
    ----------
    formula : Formula
        Outcome or eligibility, which `clinical` can evaluate.
    clinical : pandas.DataFrame
        The typed clinical values, one row per unit, indexed by the unit's id.
    levels : mapping
        Declared levels of text columns.
    problems : Problems
        Receives one error per kind of value.
    label : str
        What the formula decides, for the log.
    words : mapping
        What True, False and None are called (`OUTCOME_WORDS`).
    declared : collection of str, optional
        Columns, of numbers too, whose levels the data dictionary lists.
    """
    decides = words is OUTCOME_WORDS
    truth = formula.evaluate(clinical, levels)
    counts = dict.fromkeys(words.values(), 0)
    for value in truth:
        counts[words[None] if pd.isna(value) else words[bool(value)]] += 1
    logger.info(
        "%s, `%s`: %s", label, formula.text, ", ".join(f"{n} {word}" for word, n in counts.items())
    )
    for name in formula.columns:
        values, named = clinical[name], formula.compared.get(name, ())
        numeric = pd.api.types.is_numeric_dtype(values)
        if not numeric or values.nunique() <= FEW:
            told = meanings_text(meanings(values, truth, words))
        else:
            blank = int(values.isna().sum())
            told = f"{values.min():g} to {values.max():g}" + f", {blank} blank" * bool(blank)
        logger.info("  column %s: %s", table_name(name), told)
        where, advice = f"{formula.where}, `{formula.text}`", _advice(name, numeric=numeric)
        given: dict[str, Any] = {
            "column": table_name(name),
            "where": where,
            "advice": advice,
            "words": words,
            "declared": name in declared or name in levels,
            "decides": decides,
        }
        if numeric:
            problems.errors += number_problems(
                values, truth, [each for each in named if not isinstance(each, str)], **given
            )
            continue
        if name not in levels and not _check_named(values, named, label, words, where, problems):
            continue
        problems.errors += word_problems(values, truth, named, **given)
        if decides and name not in levels:
            _warn_of_neither(values, named, table_name(name))
        if not decides and name not in levels:
            _warn_of_near(values, truth, named, table_name(name))


def _advice(name: str, *, numeric: bool) -> Advice:
    """Return what to write into a configuration about values of a column."""
    quoted = _in_formula(name)

    def literal(text: str) -> str:
        return text if numeric else repr(shown(text))

    def naming(texts: Collection[str]) -> str:
        return f"write `{quoted} in ({', '.join(map(literal, texts))})`"

    def denying(texts: Collection[str]) -> str:
        added = "".join(f" and {quoted} != {literal(text)}" for text in texts)
        return f"add `{added.strip()}` to the formula"

    return Advice(naming, denying, lambda texts: f"write `missing_values: {_as_yaml(texts)}`")


def _warn_of_neither(values: pd.Series, named: Collection[str | float], column: str) -> None:
    """Warn of words of an outcome of yes and no that are neither."""
    there = list(values.dropna().unique())
    third = neither(there, {spelling_of(str(each), there) for each in named})
    if third:
        logger.warning(
            "column %s: values that are neither yes nor no count as unnamed ones do: %s. If that "
            "is not meant, name them in the formula, or in `missing_values`.",
            column,
            listing(map(shown, third)),
        )


def _warn_of_near(
    values: pd.Series, truth: pd.Series, named: Collection[str | float], column: str
) -> None:
    """Warn of values of an eligibility that hold a named one, or say a doubt."""
    known = {str(each) for each in named}
    doubtful = [each for each in values.dropna().unique() if is_doubtful(each)]
    found = dict.fromkeys([*near_words(values, truth, named), *doubtful])
    near = [each for each in found if each not in known]
    if near:
        logger.warning(
            "column %s: values that hold a named one, or say a doubt, count otherwise: %s. If that "
            "is not meant, name them in the formula.",
            column,
            listing(map(shown, near)),
        )


def _check_named(
    values: pd.Series,
    named: Collection[str | float],
    label: str,
    words: Mapping,
    where: str,
    problems: Problems,
) -> bool:
    """Add a comparison with values that no row of the table has; tell whether all is well."""
    there = values.dropna().unique()
    absent = [each for each in named if not _held(each, there)]
    if not absent or not len(there):
        return True
    held = listing(sorted(shown(str(each)) for each in there))
    alike = [
        group
        for each in absent
        for group in spelled_twice([*map(str, there), str(each)])
        if str(each) in group
    ]
    if len(absent) == len(named) and words is OUTCOME_WORDS:
        rule = "The outcome must be compared with values that the table holds"
    elif alike:
        rule = "A value that a formula names must be spelled as the table spells it"
    else:
        logger.warning(
            "%s: no row has %s in the column %s (values: %s). Take it out of the formula, or write "
            "it as the table does.",
            label,
            listing(absent),
            table_name(values.name),
            held,
        )
        return True
    problems.add(
        rule,
        code="formula-value-absent"
        if len(absent) == len(named) and words is OUTCOME_WORDS
        else "formula-value-misspelled",
        found=f"{listing(map(repr, absent))}; column {table_name(values.name)} holds {held}",
        where=where,
        remedy=f"write the value as the table does, such as {_in_formula(values.name)} == "
        f"{shown(there[0] if not alike else next(e for e in alike[0] if e in there))!r}",
    )
    return False


def _held(each: str | float, there: Collection[str]) -> bool:
    text = each if isinstance(each, str) else f"{each:g}"
    return spelling_of(text, list(there)) in there


def tell_split(split: Split, clinical: pd.DataFrame) -> None:
    """Tell the values of a split's column with their counts, and which part they are."""
    column, design = split.column, split.design
    if column is None or design not in ("imported", "by_site"):
        return
    values = clinical[column]
    sites = {str(site) for site in split.test_sites}
    held_out = values.map(lambda value: value == "test" or (design == "by_site" and value in sites))
    told = meanings(values, held_out.astype("boolean"), {True: "test", False: "train", None: ""})
    logger.info("split by column %s: %s", table_name(column), meanings_text(told))


def check_sites(column: str, values: pd.Series) -> None:
    """Raise `StudyError` if a split's column spells one site in two ways."""
    groups = spelled_twice(values.dropna())
    if groups:
        raise StudyError(
            "A site must have one spelling in the column of the split",
            found=listing(" and ".join(f"`{shown(each)}`" for each in group) for group in groups),
            where=f"the clinical table, column {table_name(column)}",
            remedy="write each site one way: patients of one site must not stand in both parts",
            code="site-spelled-alike",
        )


def _in_formula(name: str) -> str:
    name = table_name(name)
    return name if name.isidentifier() else f"`{name}`"


def _as_yaml(texts: Collection[str]) -> str:
    """Return words as a list of YAML: quoted, since `-` and `?` are signs of YAML's own."""
    shown = (
        text if NUMBER.fullmatch(text) else "'" + text.replace("'", "''") + "'" for text in texts
    )
    return "[" + ", ".join(shown) + "]"
