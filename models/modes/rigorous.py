"""The order of `mode: rigorous`: whatever is judged had no part in what was learned.

Selection is learned from training rows alone, inside each fold from that fold's; rows are
oversampled where a classifier is fitted (`models.learning.one_fit`), after those that judge it
were split off. Its leaking counterpart is `models.modes.as_published`.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from models.modes.order_options import OrderOptions
from models.modes.rows import FoldData, LearningRows
from models.transformers.chain import chain_notes, selection_chain, signature_of
from models.transformers.columns import Columns
from pipeline.core.command import progress


def rigorous_folds(
    columns: Columns, training: pd.DataFrame, folds: np.ndarray, options: OrderOptions
) -> list[FoldData]:
    """Fit the selection chain once per fold, to the rows outside it, and see both sides through it.

    The parameters are those of `models.modes.mode.transform_folds`.
    """
    X = columns.take(training)
    y = training["outcome"].to_numpy(dtype=int)
    groups = training["patient_id"].to_numpy()
    numbers = np.unique(folds)
    seen, started = [], time.monotonic()
    for done, fold in enumerate(numbers, start=1):
        train, valid = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        chain = selection_chain(columns, options).fit(X.iloc[train], y[train])
        seen.append(
            FoldData(
                int(fold),
                chain.transform(X.iloc[train]).to_numpy(),
                y[train],
                groups[train],
                chain.transform(X.iloc[valid]).to_numpy(),
                y[valid],
                valid,
                signature_of(chain),
                chain_notes(chain),
            )
        )
        left = (time.monotonic() - started) / done * (len(numbers) - done)
        progress("select", done, len(numbers), f"fold {fold}, {left:.0f} s left")
    return seen


def rigorous_rows(columns: Columns, training: pd.DataFrame, options: OrderOptions) -> LearningRows:
    """Fit the selection chain to the training rows, and see them through it.

    The parameters are those of `models.modes.mode.learning_rows`.
    """
    X, y = columns.take(training), training["outcome"].to_numpy(dtype=int)
    chain = selection_chain(columns, options).fit(X, y)
    Z, patients = chain.transform(X).to_numpy(), training["patient_id"].to_numpy()
    return LearningRows(chain, Z, y, patients, chain_notes(chain))
