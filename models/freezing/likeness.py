"""How unlike the training patients somebody may be before a risk is an extrapolation.

The distance is Mahalanobis' over the columns that the classifier sees, with a shrunken covariance
[1]_. Its limit comes from patients who were left out one at a time, so that about 5% of patients of
the same population exceed it [2]_.

References
----------
.. [1] Ledoit O, Wolf M. A well-conditioned estimator for large-dimensional covariance matrices.
   J Multivar Anal 2004;88:365-411.
.. [2] Lei J, G'Sell M, Rinaldo A, Tibshirani RJ, Wasserman L. Distribution-free predictive
   inference for regression. J Am Stat Assoc 2018;113:1094-1111.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from models.frozen.model import LIKENESS_SHARE, distances

SHIFT = 2.0
"""Standard deviations by which columns are moved, to try what the limit notices."""


class Likeness(NamedTuple):
    """What a frozen model carries to tell who is unlike its training patients.

    Attributes
    ----------
    facts : dict
        ``limit`` of the distance; the shares of the left-out patients (``left_out``), of rows whose
        columns are shuffled (``shuffled``) and of rows moved by `SHIFT` (``shifted``) beyond it.
    center : ndarray of shape (n_columns,)
    precision : ndarray of shape (n_columns, n_columns)
    """

    facts: dict
    center: np.ndarray
    precision: np.ndarray


def learn_likeness(Z: np.ndarray, patients: np.ndarray, seed: int) -> Likeness | None:
    """Learn the distance and its limit from the training rows.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_columns)
        Training rows as the classifier sees them.
    patients : ndarray of shape (n_rows,)
        Whose rows are left out together.
    seed : int
        Of the rows that try the limit.

    Returns
    -------
    Likeness or None
        None without columns, or where there are too few patients for a limit (below 20).
    """
    groups = np.unique(patients)
    if not Z.shape[1] or len(groups) * LIKENESS_SHARE < 1:
        return None
    left_out = np.empty(len(Z))
    for group in groups:
        own = patients == group
        left_out[own] = distances(Z[own], *_shape(Z[~own]))
    # One distance a patient: the largest of his rows.
    each = np.array([left_out[patients == group].max() for group in groups])
    rank = math.ceil((len(each) + 1) * (1 - LIKENESS_SHARE))
    limit = float(np.sort(each)[min(rank, len(each)) - 1])
    center, precision = _shape(Z)
    random = np.random.default_rng(seed)
    shuffled = np.column_stack([random.permutation(column) for column in Z.T])
    shifted = Z + SHIFT * Z.std(axis=0)
    facts = {"limit": limit, "left_out": float((each > limit).mean())}
    for name, rows in (("shuffled", shuffled), ("shifted", shifted)):
        facts[name] = float((distances(rows, center, precision) > limit).mean())
    return Likeness(facts, center, precision)


def _shape(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.covariance import LedoitWolf

    found = LedoitWolf().fit(Z)
    return found.location_, found.precision_
