"""Which of the two orders a study follows: the one place that decides.

`rigorous` learns everything from rows that are not judged; `as_published` replays the order of
the published study, which selects on everyone, and leaks. Both give the same kinds of objects, so
that search, fit, evaluation and ablation need not know which it was. In the published order the
candidates carry everyone's rows (`Columns.everyone`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from models.modes.as_published import published_folds, published_rows
from models.modes.order_options import OrderOptions
from models.modes.rigorous import rigorous_folds, rigorous_rows
from models.modes.rows import FoldData, LearningRows
from models.transformers.columns import Columns
from pipeline.core.errors import StudyError
from pipeline.core.mode_labels import AS_PUBLISHED, is_leaking


def candidates_in_mode(columns: Columns, table: pd.DataFrame, mode: str) -> Columns:
    """Return the candidates with everyone's rows where the study's mode selects on them.

    Parameters
    ----------
    columns : Columns
        Candidates of the study.
    table : pandas.DataFrame
        Analysis table, training and test rows.
    mode : {'rigorous', 'as_published'}
        Order of the steps.
    """
    return replace(columns, everyone=table) if mode == AS_PUBLISHED else columns


def transform_folds(
    columns: Columns, training: pd.DataFrame, folds: np.ndarray, options: OrderOptions
) -> list[FoldData]:
    """See both sides of every inner fold through a fitted selection chain.

    The chain does not depend on a model's parameters, so that one fit serves the whole search.

    Parameters
    ----------
    columns : Columns
        Candidates.
    training : pandas.DataFrame
        Training rows of the analysis table: ``unit_id, patient_id, outcome`` and the candidates.
    folds : ndarray of shape (n_rows,)
        Fold in which each training row is validated.
    options : OrderOptions
        What is read of a study.

    Raises
    ------
    StudyError
        If ``mode: as_published`` has no rows of everyone, or the other mode has some.
    """
    order = published_folds if _selects_on_everyone(columns, options) else rigorous_folds
    return order(columns, training, folds, options)


def learning_rows(columns: Columns, training: pd.DataFrame, options: OrderOptions) -> LearningRows:
    """See the rows that a final fit learns from through a fitted selection chain.

    Parameters
    ----------
    columns : Columns
        Candidates.
    training : pandas.DataFrame
        Training rows of the analysis table.
    options : OrderOptions
        What is read of a study.

    Raises
    ------
    StudyError
        If ``mode: as_published`` has no rows of everyone, or the other mode has some.
    """
    order = published_rows if _selects_on_everyone(columns, options) else rigorous_rows
    return order(columns, training, options)


def selection_rows(columns: Columns, training: pd.DataFrame) -> pd.DataFrame:
    """Return the rows from which the radiomic features are selected."""
    return training if columns.everyone is None else columns.everyone


def _selects_on_everyone(columns: Columns, options: OrderOptions) -> bool:
    if is_leaking(options.mode) != (columns.everyone is not None):
        raise StudyError(
            "With `mode: as_published`, and only then, the candidates carry everyone's rows",
            found="rows of everyone" if columns.everyone is not None else "training rows alone",
            where=f"mode: {options.mode}",
            remedy="take the candidates from candidates_in_mode, or give the other mode",
            code="as-published-rows-of-everyone",
        )
    return columns.everyone is not None
