"""Predictors of a regression and the columns that a model makes of them.

A continuous predictor is one column, one with a spline as many as knots less one, a categorical
one a column for each level but the first, its reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from models.regression.fitting.splines import default_knots, spline_basis
from pipeline.core.errors import FitError, StudyError
from pipeline.core.problems import listing
from pipeline.tables.identifying.checks import shown

#: As many distinct values or fewer make a continuous predictor's axis discrete (rms: n.unique).
DISCRETE = 10

Kind = Literal["continuous", "factor"]


@dataclass(frozen=True)
class Term:
    """A predictor of a model.

    Attributes
    ----------
    name : str
        Column of the table.
    label : str
        As people read it.
    kind : {'continuous', 'factor'}
        A number, or a category.
    unit : str or None
        Unit of the numbers in the table.
    scale : float
        What a number of the table is multiplied with before it enters: 0.01 where a table holds
        per cent and the model a fraction.
    timing : str or None
        ``preoperative``, ``intraoperative``, ``postoperative``, or None where nobody said.
    levels : tuple of str
        Levels of a factor, the reference first.
    n_knots : int
        Knots of a spline wished for; 0 for a straight line.
    knots : tuple of float
        Knots of a spline, in the unit of the table times `scale`.
    low, high : float or None
        Range seen where the model was fitted, in the unit of the table.
    values : tuple of float
        Distinct values seen, if at most `DISCRETE`; otherwise empty.
    counts : tuple of int
        How often each level was seen.
    """

    name: str
    kind: Kind
    label: str = ""
    unit: str | None = None
    scale: float = 1.0
    timing: str | None = None
    levels: tuple[str, ...] = ()
    n_knots: int = 0
    knots: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None
    values: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def is_factor(self) -> bool:
        """Whether the predictor is a category."""
        return self.kind == "factor"

    @property
    def title(self) -> str:
        """Label, or the name where there is none."""
        return self.label or self.name

    @property
    def df(self) -> int:
        """Columns that a model makes of it, as far as known before a fit."""
        if self.is_factor:
            return len(self.levels) - 1
        return max(len(self.knots), self.n_knots) - 1 if (self.knots or self.n_knots) else 1

    @property
    def columns(self) -> list[str]:
        """Names of its columns: ``grade=2``; ``age``, ``age'`` and so on of a spline."""
        if self.is_factor:
            return [f"{self.name}={level}" for level in self.levels[1:]]
        return [self.name + "'" * at for at in range(self.df)]

    def design(self, values: pd.Series | np.ndarray) -> np.ndarray:
        """Return the columns of given values.

        Parameters
        ----------
        values : pandas.Series or numpy.ndarray
            Shape (n,): numbers as the table has them, or levels as text; NaN or None where missing.

        Returns
        -------
        numpy.ndarray
            Shape (n, df); rows of a missing value are NaN.

        Raises
        ------
        StudyError
            If a level is none of the model's.
        """
        if self.is_factor:
            return self._dummies(pd.Series(np.asarray(values, object)))
        numbers = np.asarray(values, float) * self.scale
        return spline_basis(numbers, self.knots) if self.knots else numbers[:, None]

    def seen(self, values: pd.Series) -> Term:
        """Return the term as rows define it: its range, its values or counts, and its knots."""
        if self.is_factor:
            counts = tuple(int((values == level).sum()) for level in self.levels)
            return replace(self, counts=counts)
        distinct = np.unique(values.to_numpy(float))
        knots = self.knots
        if self.n_knots:
            try:
                knots = default_knots(values.to_numpy(float) * self.scale, self.n_knots)
            except FitError as error:
                raise FitError(
                    error.rule,
                    found=error.found,
                    where=f"predictor {self.name}",
                    remedy=error.remedy,
                    code=error.code,
                ) from None
        few = tuple(float(one) for one in distinct) if len(distinct) <= DISCRETE else ()
        low, high = float(distinct[0]), float(distinct[-1])
        return replace(self, knots=knots, low=low, high=high, values=few)

    def _dummies(self, values: pd.Series) -> np.ndarray:
        missing = values.isna().to_numpy()
        strange = sorted({str(one) for one in values[~missing]} - set(self.levels))
        if strange:
            raise StudyError(
                f"A value of {self.name} must be one of the model's levels "
                + "|".join(self.levels),
                found=listing(map(shown, strange)),
                where=f"predictor {self.name}",
                remedy="write the level as the model does, or leave the cell blank",
                code="level-unknown-to-model",
            )
        columns = np.column_stack([(values == level).to_numpy(float) for level in self.levels[1:]])
        columns[missing] = np.nan
        return columns


def design_matrix(terms: Sequence[Term], rows: pd.DataFrame) -> np.ndarray:
    """Return the columns of all terms, a column of ones first: shape (n, 1 + p)."""
    parts = [term.design(rows[term.name]) for term in terms]
    return np.column_stack([np.ones(len(rows)), *parts])


def column_names(terms: Sequence[Term]) -> list[str]:
    """Return the names of all columns behind the intercept."""
    return [name for term in terms for name in term.columns]


def term_slices(terms: Sequence[Term]) -> dict[str, slice]:
    """Return where each term's columns lie in the design, the intercept being column 0."""
    slices, start = {}, 1
    for term in terms:
        slices[term.name] = slice(start, start + term.df)
        start += term.df
    return slices


def labels_of(terms: Sequence[Term]) -> dict[str, str]:
    """Return predictors and columns of a design as people read them.

    Returns
    -------
    dict of str to str
        Name of each predictor and of each of its columns -> words: a number with its unit, a level
        against its reference (``Cleft: yes against no``), a bend of a spline by its mark.
    """
    labels: dict[str, str] = {}
    for term in terms:
        labels[term.name] = term.title
        if term.is_factor:
            reference, *levels = term.levels
            for column, level in zip(term.columns, levels, strict=True):
                labels[column] = f"{term.title}: {level} against {reference}"
            continue
        first, *bends = term.columns
        labels[first] = f"{term.title}, {term.unit}" if term.unit else term.title
        labels |= {bend: term.title + bend.removeprefix(term.name) for bend in bends}
    return labels


def coding_table(terms: Sequence[Term]) -> pd.DataFrame:
    """Return how categories are coded: a row a level, a column a number of the design.

    Returns
    -------
    pandas.DataFrame
        ``predictor, level, reference`` (bool)``, frequency, column`` (of the design, empty for the
        reference)``, code`` (what SPSS prints: the level's row of 0 and 1).
    """
    rows = []
    for term in terms:
        if not term.is_factor:
            continue
        counts = term.counts or (None,) * len(term.levels)
        for at, (level, count) in enumerate(zip(term.levels, counts, strict=True)):
            code = " ".join("1" if at == one else "0" for one in range(1, len(term.levels)))
            column = "" if at == 0 else term.columns[at - 1]
            rows.append([term.name, level, at == 0, count, column, code])
    columns = ["predictor", "level", "reference", "frequency", "column", "code"]
    return pd.DataFrame(rows, columns=columns)


def require_columns(terms: Sequence[Term], rows: pd.DataFrame | Mapping, where: str) -> None:
    """Raise `StudyError` unless a table has the column of every term."""
    lacking = [term.name for term in terms if term.name not in rows]
    if lacking:
        raise StudyError(
            "A table must have the column of every predictor of the model",
            found=f"no column {listing(lacking)}",
            where=where,
            remedy="add the columns, under the names that the model gives its predictors",
            code="model-columns-missing",
        )
