"""A clinical table as the rows of a regression: outcome, typed predictors, complete cases.

Types come from the data dictionary where there is one. Without it they are proposed from the values
and said so: two values or words make a category, all other numbers a continuous predictor.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from models.judging.predictions import read_predictions
from models.regression.fitting.splines import FEWEST_KNOTS, MOST_KNOTS
from models.regression.fitting.terms import Term
from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.written.notation import read_numbers
from pipeline.core.written.spellings import plain_word, same_words, typed_alike
from pipeline.tables.clinical.clinical_table import type_clinical
from pipeline.tables.columns import analysis_name, table_name
from pipeline.tables.dictionary import COLUMNS, MISSING, NUMERIC, read_dictionary
from pipeline.tables.files.sheets import read_sheet
from pipeline.tables.identifying.checks import check_identifying, shown

logger = logging.getLogger("vertebromics")

#: More distinct words than this make no category that a clinical table could estimate.
MOST_LEVELS = 12

#: Share of a column's values that are numbers from which on the others are slips, not words.
_MOSTLY_NUMBERS = 0.8

#: Words for "not there", which a reference level is likely to be.
_ABSENT = ("no", "none", "absent", "false", "negative", "normal", "0", "without", "never")


@dataclass(frozen=True)
class Cohort:
    """Rows of a regression.

    Attributes
    ----------
    rows : pandas.DataFrame
        A column a predictor, numbers as float64 and levels as text; NaN or None where missing.
        The index is the row number that a spreadsheet shows.
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    patients : numpy.ndarray
        Shape (n,), the patient of each row.
    terms : tuple of Term
        Predictors, without what the rows of a fit define.
    left_out : mapping of str to int
        Rows that were left out because the outcome (`(outcome)`) or a predictor has no value; a
        row may lack several. `(rows)` counts each once.
    whole : pandas.DataFrame
        As `rows`, before rows without a predictor's value were left out.
    whole_outcome, whole_patients : numpy.ndarray
        Their outcomes and patients.
    """

    rows: pd.DataFrame
    outcome: np.ndarray
    patients: np.ndarray
    terms: tuple[Term, ...]
    left_out: Mapping[str, int]
    whole: pd.DataFrame
    whole_outcome: np.ndarray
    whole_patients: np.ndarray

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.rows)

    @property
    def events(self) -> int:
        """Rows with the event."""
        return int(self.outcome.sum())

    def part(self, chosen: np.ndarray) -> Cohort:
        """Return the cohort of some of its whole rows, complete cases again."""
        return complete_cohort(
            self.whole[chosen],
            self.whole_outcome[chosen],
            self.whole_patients[chosen],
            self.terms,
            {},
        )


def read_cohort(
    path: str | Path,
    outcome: str,
    predictors: Sequence[str],
    *,
    event: str | Sequence[str] | None = None,
    other: Sequence[str] = (),
    missing: Sequence[str] = (),
    patient: str | None = None,
    dictionary: str | Path | None = None,
    factors: Sequence[str] = (),
    references: Mapping[str, str] | None = None,
    splines: Mapping[str, int] | None = None,
    terms: Sequence[Term] | None = None,
) -> Cohort:
    """Read the rows of a regression.

    Parameters
    ----------
    path : path-like
        A table in any format that `pipeline.tables.files.sheets.read_sheet` reads.
    outcome : str
        Column of the outcome.
    predictors : sequence of str
        Columns of the predictors.
    event, other, missing, patient
        As `models.judging.predictions.read_predictions` takes them.
    dictionary : path-like, optional
        The data dictionary, which gives types, levels, labels, units and timing.
    factors : sequence of str
        Numbers to take as categories.
    references : mapping of str to str, optional
        Level that others are compared with, by predictor.
    splines : mapping of str to int, optional
        Knots of a restricted cubic spline, by predictor.
    terms : sequence of Term, optional
        Predictors of a model that exists: their types and levels are taken, and nothing is
        proposed. `predictors` is then ignored.

    Raises
    ------
    StudyError
        Telling everything that is wrong with table and options.
    """
    path, references, splines = Path(path), references or {}, splines or {}
    predictors = [term.name for term in terms] if terms else list(predictors)
    problems = Problems(f"the table {path}")
    _check_names(outcome, predictors, factors, references, splines, problems)
    problems.raise_if_any()
    sheet = read_sheet(path)
    for name in dict.fromkeys([outcome, *predictors]):
        if name not in sheet:
            problems.add(
                "A column of the regression must be in the table",
                found=name,
                where=f"{path}, header",
                remedy=suggestion(name, sheet.columns) or f"columns: {listing(sheet.columns)}",
                code="regression-column-missing",
            )
    problems.raise_if_any()
    events, _ = read_predictions(
        path, outcome, (), event=event, other=other, missing=missing, patient=patient
    )
    check_identifying(sheet[predictors], path, problems)
    problems.raise_if_any()
    values = sheet[predictors]
    if missing:
        values = values.apply(lambda column: column.where(~same_words(column, missing), None))
    if terms is None:
        described = _described(dictionary, values, factors, problems, path)
        problems.raise_if_any()
    else:
        described = _of_terms(terms)
    typed = _typed(values.loc[events.index], described, path)
    found = tuple(terms) if terms else terms_of(typed, described, factors, references, splines)
    for term in found:
        if term.is_factor and term.name in typed and typed[term.name].dtype.kind == "f":
            typed[term.name] = levels_of_numbers(typed[term.name])
    left_out = {"(outcome)": len(sheet) - len(events)}
    return complete_cohort(
        typed,
        events["outcome"].to_numpy(float),
        events["patient_id"].to_numpy(),
        found,
        left_out,
    )


def ready_to_fit(cohort: Cohort) -> Cohort:
    """Return a cohort whose factors list only the levels that its rows have, and log the others.

    Raises
    ------
    StudyError
        If the outcome or a predictor does not vary among the rows without a missing value.
    """
    problems = Problems("the rows without a missing value")
    left = f"{cohort.n} rows without a missing value"
    if len(np.unique(cohort.outcome)) < 2:
        problems.add(
            "An outcome must have happened in some rows and not in others",
            found=f"{cohort.events} events in {left}",
            where="the rows of the fit",
            remedy="leave out the predictors that many rows lack",
            code="outcome-constant",
        )
    terms = []
    for term in cohort.terms:
        if cohort.rows[term.name].nunique() < 2:
            problems.add(
                "A predictor must have two values at least",
                found=f"one value in {left}",
                where=f"predictor {term.name}",
                remedy="leave it out, or the predictors that many rows lack",
                code="predictor-constant",
            )
        terms.append(_with_seen_levels(term, set(cohort.rows[term.name])))
    problems.raise_if_any()
    return replace(cohort, terms=tuple(terms))


def _with_seen_levels(term: Term, there: set) -> Term:
    if not term.is_factor or there >= set(term.levels):
        return term
    kept = tuple(level for level in term.levels if level in there)
    logger.warning(
        "%s: no row without a missing value has the level %s: it is left out",
        *(term.name, listing(one for one in term.levels if one not in there)),
    )
    return replace(term, levels=kept)


def _check_names(
    outcome: str,
    predictors: Sequence[str],
    factors: Sequence[str],
    references: Mapping[str, str],
    splines: Mapping[str, int],
    problems: Problems,
) -> None:
    if not predictors or len(set(predictors)) < len(predictors):
        problems.add(
            "Each predictor must be named once",
            found=listing(predictors) or "no predictor",
            where="option --predictors",
            remedy="name the columns of the predictors, each once",
            code="predictor-repeated",
        )
    if outcome in predictors:
        problems.add(
            "The outcome must not predict itself",
            found=outcome,
            where="options --outcome, --predictors",
            remedy="take it out of the predictors",
            code="outcome-predicts-itself",
        )
    for option, names in (("factors", factors), ("reference", references), ("splines", splines)):
        for name in names:
            if name not in predictors:
                problems.add(
                    f"--{option} must name a predictor",
                    found=name,
                    where=f"option --{option}",
                    remedy=suggestion(name, predictors) or f"predictors: {listing(predictors)}",
                    code="option-names-no-predictor",
                )
    for name, knots in splines.items():
        if not FEWEST_KNOTS <= knots <= MOST_KNOTS:
            problems.add(
                f"A spline has from {FEWEST_KNOTS} to {MOST_KNOTS} knots",
                found=f"{name}={knots}",
                where="option --splines",
                remedy=f"such as --splines {name}=4",
                code="spline-knots-count",
            )
        if name in factors:
            problems.add(
                "A category has no spline",
                found=name,
                where="options --factors, --splines",
                remedy="name the predictor under one of the two",
                code="spline-of-a-category",
            )


def _described(
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


def _of_terms(terms: Sequence[Term]) -> pd.DataFrame:
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


def _typed(values: pd.DataFrame, described: pd.DataFrame, path: Path) -> pd.DataFrame:
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


def complete_cohort(
    typed: pd.DataFrame,
    outcome: np.ndarray,
    patients: np.ndarray,
    terms: tuple[Term, ...],
    left_out: Mapping[str, int],
) -> Cohort:
    """Return the rows that have a value of every predictor, and how many have not.

    Parameters
    ----------
    typed, outcome, patients, terms
        As `Cohort` has them, of all rows.
    left_out : mapping of str to int
        Rows that were left out before.

    Raises
    ------
    StudyError
        If no row is left.
    """
    names = [term.name for term in terms]
    lacking = typed[names].isna()
    complete = ~lacking.any(axis=1).to_numpy()
    counts = {name: int(lacking[name].sum()) for name in names if lacking[name].any()}
    left_out = {**left_out, **counts}
    left_out["(rows)"] = left_out.get("(outcome)", 0) + int((~complete).sum())
    if not complete.any():
        raise StudyError(
            "Some rows must have a value of every predictor",
            found="none",
            where=listing(f"{name}: {count} missing" for name, count in counts.items()),
            remedy="leave out the predictor that most rows lack",
            code="no-complete-row",
        )
    return Cohort(
        typed[complete],
        outcome[complete],
        patients[complete],
        terms,
        left_out,
        typed,
        outcome,
        patients,
    )
