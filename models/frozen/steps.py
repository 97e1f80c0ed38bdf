"""The learned steps between a table and a classifier, each applied from what was learned.

Each function does what the ``transform`` of its transformer does (`models.transformers`), to 1e-12;
`models.freezing` writes what was learned as the arrays that are taken here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.core.errors import StudyError
from pipeline.core.problems import listing
from pipeline.tables.readers import latest_label

MISSING = "(missing)"
"""Stands for a level in the name of the column that says where a predictor is missing."""

MEAN_OF_READERS = "mean"


@dataclass(frozen=True)
class Input:
    """One column of a table that a block of steps starts from.

    Attributes
    ----------
    column : str
        Its name.
    levels : tuple of str
        Levels, the reference first; empty for a number.
    fill : str or None
        Level that replaces a missing one.
    indicator : bool
        Whether a 0/1 column more says where it is missing.
    """

    column: str
    levels: tuple[str, ...] = ()
    fill: str | None = None
    indicator: bool = False

    @property
    def encoded(self) -> tuple[str, ...]:
        """Names of the columns that stand for it."""
        names = tuple(f"{self.column}={level}" for level in self.levels[1:]) or (self.column,)
        return (*names, f"{self.column}={MISSING}") if self.indicator else names


def readings_of(
    table: pd.DataFrame,
    features: Sequence[str],
    readers: Sequence[str],
    model_reader: str | None,
    corrected: Sequence[str] = (),
) -> pd.DataFrame:
    """Return one value per feature from a study's analysis table, named without reader.

    Parameters
    ----------
    table : pandas.DataFrame
        With columns ``<reader>:<feature>``.
    features : sequence of str
        Features wanted.
    readers : sequence of str
        Readers of the study.
    model_reader : str or None
        Reader whose values are taken, or ``'mean'`` of all; None with one reader.
    corrected : sequence of str
        Readers whose latest masks are taken (``<reader>.latest:<feature>``).

    Raises
    ------
    StudyError
        If a column is missing.
    """
    seen = {reader: latest_label(reader) if reader in corrected else reader for reader in readers}
    if len(seen) > 1 and model_reader != MEAN_OF_READERS:
        seen = {model_reader: seen.get(model_reader, model_reader)}
    wanted = [[f"{prefix}:{feature}" for feature in features] for prefix in seen.values()]
    check_columns(table, [name for names in wanted for name in names])
    values = np.mean([table[names].to_numpy(np.float64) for names in wanted], axis=0)
    if len(wanted) == 1:
        values = table[wanted[0]].to_numpy(np.float64)
    return pd.DataFrame(values, index=table.index, columns=list(features))


def encode(table: pd.DataFrame, inputs: Sequence[Input]) -> np.ndarray:
    """Write inputs as numbers: levels as 0/1 columns, numbers as they are.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a unit, with the columns of `inputs`.
    inputs : sequence of Input
        In the order of the columns.

    Returns
    -------
    ndarray of float64 of shape (n_rows, n_encoded)
        Missing numbers are NaN; a missing level is replaced.

    Raises
    ------
    StudyError
        If a column is missing, a number is infinite or none, or a level is not known.
    """
    check_columns(table, [one.column for one in inputs])
    columns: list[np.ndarray] = []
    for one in inputs:
        values = table[one.column]
        unknown = values.isna().to_numpy()
        if one.levels:
            levels = values.astype(object).where(~unknown, one.fill)
            strange = sorted({str(level) for level in set(levels).difference(one.levels)})
            if strange:
                raise StudyError(
                    "Every level must be one that the model knows",
                    found=listing(strange),
                    where=f"column {one.column}",
                    remedy=f"its levels are {' | '.join(one.levels)}",
                    code="level-unknown-to-model",
                )
            columns += [(levels == level).to_numpy(np.float64) for level in one.levels[1:]]
        else:
            columns.append(_numbers(values, one.column))
        if one.indicator:
            columns.append(unknown.astype(np.float64))
    return np.column_stack(columns) if columns else np.empty((len(table), 0))


def _numbers(values: pd.Series, column: str) -> np.ndarray:
    try:
        numbers = values.to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError):
        raise StudyError(
            "A predictor of the type number must hold numbers",
            found=listing(sorted({str(v) for v in values.dropna() if not _is_number(v)}), 3),
            where=f"column {column}",
            remedy="write a number with a decimal point, or leave the cell blank",
            code="predictor-not-a-number",
        ) from None
    if np.isinf(numbers).any():
        raise StudyError(
            "A number must be finite",
            found="infinity",
            where=f"column {column}",
            remedy="leave the cell blank where the value is not known",
            code="value-infinite",
        )
    return numbers


def _is_number(value: object) -> bool:
    try:
        float(value)
    except (ValueError, TypeError):
        return False
    return True


def fill(values: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Replace missing numbers by one value a column: `arrays` ``fill``, shape (n_columns,)."""
    return np.where(np.isnan(values), arrays["fill"], values)


def nearest(values: np.ndarray, arrays: Mapping[str, np.ndarray], neighbours: int) -> np.ndarray:
    """Replace missing numbers by the mean of the nearest training rows.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Numbers, NaN where missing.
    arrays : mapping
        ``rows`` (n_training, n_columns) and where a training row has a value ``known`` (bool, same
        shape), on the scale (x - ``middle``) / ``spread``.
    neighbours : int
        Rows that are averaged, of those that have a value in the column.
    """
    from sklearn.metrics.pairwise import nan_euclidean_distances

    missing = np.isnan(values)
    rows = np.where(arrays["known"], arrays["rows"], np.nan)
    scaled = (values - arrays["middle"]) / arrays["spread"]
    for row in np.flatnonzero(missing.any(axis=1)):
        distances = nan_euclidean_distances(scaled[row : row + 1], rows)[0]
        for column in np.flatnonzero(missing[row]):
            scaled[row, column] = _of_donors(rows[:, column], distances, neighbours)
    return np.where(missing, scaled * arrays["spread"] + arrays["middle"], values)


def _of_donors(column: np.ndarray, distances: np.ndarray, neighbours: int) -> float:
    donors = ~np.isnan(column)
    if not donors.any():
        return 0.0
    near = donors & ~np.isnan(distances)
    if not near.any():  # nothing in common with any of them
        return float(column[donors].mean())
    # As scikit-learn chooses among equals: it looks at all donors, NaN last.
    at = distances[donors]
    count = min(neighbours, len(at))
    chosen = np.argpartition(at, count - 1)[:count]
    chosen = chosen[~np.isnan(at[chosen])]
    return float(column[donors][chosen].mean())


def round_robin(values: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Replace missing numbers by linear regressions on other columns, in turn.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Numbers, NaN where missing.
    arrays : mapping
        On the scale (x - ``middle``) / ``spread``: ``initial`` (n_columns,) replaces a missing
        value at first. Then step after step column ``target`` (n_steps,) is predicted where it is
        missing: ``intercept`` (n_steps,) and the columns ``source`` with their ``weight``
        (n_terms,), those of step i from ``begin`` (n_steps + 1,) i to i + 1.
    """
    missing = np.isnan(values)
    scaled = (values - arrays["middle"]) / arrays["spread"]
    scaled = np.where(missing, arrays["initial"], scaled)
    begin = arrays["begin"]
    for step, target in enumerate(arrays["target"]):
        rows = missing[:, target]
        if rows.any():
            terms = slice(begin[step], begin[step + 1])
            seen = scaled[np.ix_(rows, arrays["source"][terms])]
            scaled[rows, target] = seen @ arrays["weight"][terms] + arrays["intercept"][step]
    return np.where(missing, scaled * arrays["spread"] + arrays["middle"], values)


def scale(values: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return (x - ``center``) / ``scale`` by column, 0 where the column is ``constant``."""
    scaled = (values - arrays["center"]) / arrays["scale"]
    return np.where(arrays["constant"], 0.0, scaled)


def check_columns(table: pd.DataFrame, names: Sequence[str]) -> None:
    """Raise `StudyError` if a table lacks columns."""
    lacking = [name for name in names if name not in table.columns]
    if lacking:
        raise StudyError(
            "A table for a frozen model must hold every column that it starts from",
            found=f"none called {listing(lacking)}",
            remedy="add the column; where a value is not known, leave its cell blank",
            code="frozen-columns-missing",
        )
