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
from models.regression.predictor_types import (
    describe_predictors,
    described_by_terms,
    levels_of_numbers,
    terms_of,
    typed_values,
)
from pipeline.core.errors import StudyError
from pipeline.core.problems import Problems, listing, suggestion
from pipeline.core.written.spellings import same_words
from pipeline.tables.files.sheets import read_sheet
from pipeline.tables.identifying.checks import check_identifying

logger = logging.getLogger("vertebromics")


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
        described = describe_predictors(dictionary, values, factors, problems, path)
        problems.raise_if_any()
    else:
        described = described_by_terms(terms)
    typed = typed_values(values.loc[events.index], described, path)
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
