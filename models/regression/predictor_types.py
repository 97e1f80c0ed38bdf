"""The type of each predictor of a regression: as the dictionary says, or as its values look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from models.regression.fitting.terms import Term
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.written.number_notation import read_numbers
from pipeline.core.written.spellings import plain_word, typed_alike
from pipeline.tables.clinical.clinical_table import type_clinical
from pipeline.tables.columns import analysis_name, table_name
from pipeline.tables.dictionary import COLUMNS, MISSING, NUMERIC, read_dictionary
from pipeline.tables.identifying.checks import shown

#: More distinct words than this make no category that a clinical table could estimate.
MOST_LEVELS = 12


#: Share of a column's values that are numbers from which on the others are slips, not words.
_MOSTLY_NUMBERS = 0.8


#: Words for "not there", which a reference level is likely to be.
_ABSENT = ("no", "none", "absent", "false", "negative", "normal", "0", "without", "never")


def describe_predictors(
    dictionary: str | Path | None,
    values: pd.DataFrame,
    factors: Sequence[str],
    problems: Problems,
    path: Path,
) -> pd.DataFrame:
    """Return a dictionary's row of each predictor, proposed from the values where none is given."""
    if dictionary is None:
        rows = [_proposed(values[name], name in factors, problems, path) for name in values]
        return _dictionary(rows)
    given = read_dictionary(dictionary)
    given["column"] = given["column"].map(table_name)
    for name in values:
        if name not in set(given["column"]):
            problems.add(
                "Every predictor must be described in the data dictionary",
                found=name,
                where=str(dictionary),
                remedy=suggestion(name, given["column"]) or "add a row for it",
                code="predictor-undescribed",
            )
    chosen = given[given["column"].isin(values.columns)].copy()
    return (
        chosen.set_index("column")
        .loc[[name for name in values if name in set(chosen["column"])]]
        .reset_index()[list(COLUMNS)]
    )


def _proposed(values: pd.Series, factor: bool, problems: Problems, path: Path) -> dict:
    """Return the dictionary's row that a column's values suggest."""
    given = typed_alike(values.where(~values.isin(MISSING), None)).dropna()
    distinct = list(given.unique())
    numbers = read_numbers(given)
    share = 1 - len(numbers.wrong) / max(len(given), 1)
    numeric = not numbers.wrong or (share >= _MOSTLY_NUMBERS and len(distinct) > MOST_LEVELS)
    name = values.name
    if len(distinct) < 2:
        problems.add(
            "A predictor must have two values at least",
            found=f"{shown(distinct[0])} in every row" if distinct else "no value",
            where=f"{path}, column {name}",
            remedy="leave it out",
            code="predictor-constant",
        )
    if numeric and len(distinct) > 2 and not factor:
        return {"column": name, "label": name, "type": "continuous", "role": "predictor"}
    if len(distinct) > MOST_LEVELS:
        problems.add(
            f"A category must have {MOST_LEVELS} levels at most",
            found=f"{len(distinct)} distinct values",
            where=f"{path}, column {name}",
            remedy="join levels that belong together, or leave the column out; a number with a "
            "unit or a comma in its cells is no number yet",
            code="category-of-many-levels",
        )
    levels = _ordered(distinct, numbers.values.dropna() if not numbers.wrong else None, given)
    kind = "binary" if len(levels) == 2 else "categorical"
    row = {"column": name, "label": name, "type": kind, "role": "predictor"}
    return row | {"levels": "|".join(levels)}


def _ordered(distinct: list[str], numbers: pd.Series | None, given: pd.Series) -> list[str]:
    """Return levels in their order: numbers by size, words for `none` first, else by letters."""
    if numbers is not None:
        size = dict(zip(given, numbers, strict=True))
        return sorted(distinct, key=lambda text: size[text])
    return sorted(distinct, key=lambda text: (plain_word(text) not in _ABSENT, text))


def described_by_terms(terms: Sequence[Term]) -> pd.DataFrame:
    """Return the dictionary that a model's predictors are."""
    rows = []
    for term in terms:
        row = {"column": term.name, "label": term.title, "role": "predictor"}
        row |= {"type": "continuous", "unit": term.unit, "timing": term.timing}
        if term.is_factor:
            row["type"] = "binary" if len(term.levels) == 2 else "categorical"
            row["levels"] = "|".join(term.levels)
        rows.append(row)
    return _dictionary(rows)


def _dictionary(rows: Sequence[dict]) -> pd.DataFrame:
    """Return rows with every column of a dictionary, None where they do not have it."""
    whole = [[row.get(name) for name in COLUMNS] for row in rows]
    return pd.DataFrame(whole, columns=list(COLUMNS), dtype=object)


def typed_values(values: pd.DataFrame, described: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the values typed by the dictionary, in the order of the rows."""
    width = len(str(len(values)))
    key = pd.Series([f"R{at:0{width}d}" for at in range(len(values))], index=values.index)
    sheet = values.rename(columns=analysis_name).assign(case_id=key)
    described = described.assign(column=described["column"].map(analysis_name))
    typed = type_clinical(sheet, described, "case_id", path)
    typed = typed.drop(columns="case_id").set_axis(values.index)
    return typed.rename(columns=table_name)


def terms_of(
    typed: pd.DataFrame,
    described: pd.DataFrame,
    factors: Sequence[str],
    references: Mapping[str, str],
    splines: Mapping[str, int],
) -> tuple[Term, ...]:
    """Return the predictors of a regression, as a dictionary and the options describe them.

    Parameters
    ----------
    typed : pandas.DataFrame
        A column a predictor, typed.
    described : pandas.DataFrame
        The dictionary's row of each.
    factors, references, splines
        As `read_cohort` takes them.

    Raises
    ------
    StudyError
        If an option does not fit its predictor.
    """
    problems, terms = Problems("the options of the regression"), []
    for _, entry in described.iterrows():
        name = entry["column"]
        facts = {"label": entry["label"] or name, "unit": entry["unit"], "timing": entry["timing"]}
        facts = {key: value if pd.notna(value) else None for key, value in facts.items()}
        if entry["type"] in NUMERIC and name not in factors:
            if name in references:
                problems.add(
                    "Only a category has a reference",
                    found=f"{name}, a number",
                    where="option --reference",
                    remedy=f"add --factors {name}, or take the reference out",
                    code="reference-of-a-number",
                )
            terms.append(Term(name, "continuous", n_knots=splines.get(name, 0), **facts))
            continue
        if name in splines:
            problems.add(
                "Only a number has a spline",
                found=f"{name}, a category",
                where="option --splines",
                remedy="take it out of --splines",
                code="spline-of-a-category",
            )
        if pd.notna(entry["levels"]) and entry["levels"]:
            levels = [level.strip() for level in entry["levels"].split("|")]
        else:
            seen = typed[name].dropna()
            seen = levels_of_numbers(seen) if seen.dtype.kind == "f" else seen
            levels = sorted(seen.unique(), key=_by_size)
        first = references.get(name, levels[0] if levels else "")
        if first not in levels:
            problems.add(
                "A reference must be a level of its predictor",
                found=f"{name}={shown(first)}",
                where="option --reference",
                remedy=f"levels: {listing(map(shown, levels))}",
                code="reference-not-a-level",
            )
            continue
        ordered = (first, *(level for level in levels if level != first))
        terms.append(Term(name, "factor", levels=ordered, **facts))
    problems.raise_if_any()
    return tuple(terms)


def levels_of_numbers(values: pd.Series) -> pd.Series:
    """Return numbers as the text of levels, None where missing."""
    return values.map(lambda one: None if pd.isna(one) else f"{one:g}").astype(object)


def _by_size(text: str) -> tuple:
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)
