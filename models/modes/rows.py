"""Rows seen through a selection chain, as classifiers learn from them and are judged on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline

from models.transformers.chain import signature_of


@dataclass(frozen=True)
class FoldData:
    """One inner fold, seen through a fitted selection chain.

    Attributes
    ----------
    fold : int
        Its number.
    Z_train, y_train, groups_train : ndarray
        Selected training rows (n_train, n_selected), their outcome and patients.
    Z_valid, y_valid : ndarray
        Selected validation rows (n_valid, n_selected) and their outcome.
    valid : ndarray of int
        Positions in the training table of the first rows of `Z_valid`. Rows beyond these are
        synthetic, which only ``mode: as_published`` has here.
    signature : list of str
        Selected columns.
    notes : list of str
        What the chain has to say.
    """

    fold: int
    Z_train: np.ndarray
    y_train: np.ndarray
    groups_train: np.ndarray
    Z_valid: np.ndarray
    y_valid: np.ndarray
    valid: np.ndarray
    signature: list[str]
    notes: list[str]


@dataclass(frozen=True)
class LearningRows:
    """Rows that a final fit learns from.

    Attributes
    ----------
    chain : Pipeline
        Fitted selection chain.
    Z, y, groups : ndarray
        Selected rows (n_rows, n_selected), their outcome and patients.
    notes : list of str
        What has to be said about them.
    why_not : str or None
        Why oversampling could add no row to them, where it comes before the folds.
    """

    chain: Pipeline
    Z: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    notes: list[str]
    why_not: str | None = None

    @property
    def signature(self) -> list[str]:
        """Selected columns."""
        return signature_of(self.chain)
