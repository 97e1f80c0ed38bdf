"""More minority rows for training: ADASYN, then Tomek links; or SMOTE."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

NEIGHBOURS = 5
"""Neighbours that are looked at, the libraries' default; fewer where the minority is smaller."""

ADASYN_TOMEK, SMOTE = "adasyn_tomek", "smote"
"""Values of the option `oversampling`, beside none."""

SYNTHETIC = -1
"""Origin of a row that was made."""


class Resampled(NamedTuple):
    """Resampled rows.

    Attributes
    ----------
    X : ndarray of shape (n_resampled, n_features)
    y : ndarray of shape (n_resampled,)
    origin : ndarray of int, shape (n_resampled,)
        Row handed in that each row is, `SYNTHETIC` for one that was made.
    why_not : str or None
        Why no row could be added, where that is so.
    """

    X: np.ndarray
    y: np.ndarray
    origin: np.ndarray
    why_not: str | None
    method: str = ADASYN_TOMEK

    @property
    def note(self) -> str | None:
        """The same as a sentence of model.json."""
        name = "SMOTE" if self.method == SMOTE else "ADASYN"
        return f"{name} added no synthetic patients: {self.why_not}." if self.why_not else None


def resample_rows(X: np.ndarray, y: np.ndarray, seed: int, method: str = ADASYN_TOMEK) -> Resampled:
    """Balance training rows: by ADASYN [1]_, then without Tomek links [2]_; or by SMOTE [3]_.

    The result depends on the arguments alone. It harms calibration, since the model learns a
    prevalence that its patients do not have. It never sees a validation or test row.

    Either puts a synthetic row on the line between two real minority rows, which would make
    fractions of levels. So a column of two values, such as the 0/1 codes of a level, takes in each
    synthetic row the value of the real row that it lies nearer to; all such columns of a row
    follow the same real row, so that together they are levels that a patient has. SMOTE-NC [3]_
    fixes levels for the same reason, by a vote of the neighbours, column by column.

    Tomek links are removed from the class that was larger among the rows handed in, and from no
    other. The library would go by the classes after ADASYN, which may have overtaken it.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Selected and scaled training rows.
    y : ndarray of shape (n_rows,)
        Outcome, 0 or 1.
    seed : int
        Seed of the synthetic rows.
    method : {'adasyn_tomek', 'smote'}
        SMOTE makes both classes equal, between near rows of the smaller one, and removes none.

    Returns
    -------
    Resampled
        Where no row could be added, the rows are those handed in and `why_not` says why, for a
        fold with an unlucky geometry shall not end the study. Callers hand the note on to
        model.json.

    References
    ----------
    .. [1] He H, Bai Y, Garcia EA, Li S. ADASYN: adaptive synthetic sampling approach for
       imbalanced learning. IEEE IJCNN 2008:1322-1328.
    .. [2] Tomek I. Two modifications of CNN. IEEE Trans Syst Man Cybern 1976;6:769-772.
    .. [3] Chawla NV, Bowyer KW, Hall LO, Kegelmeyer WP. SMOTE: synthetic minority over-sampling
       technique. J Artif Intell Res 2002;16:321-357.
    """
    as_it_was = Resampled(X, y, np.arange(len(y)), None, method)
    counts = np.bincount(y, minlength=2)
    minority, majority = int(np.argmin(counts)), 1 - int(np.argmin(counts))
    if counts[minority] < 2:
        return as_it_was._replace(why_not="the smaller class has fewer than two")
    if counts[minority] == counts[majority]:
        return as_it_was._replace(why_not="the classes are balanced")
    neighbours = min(NEIGHBOURS, counts[minority] - 1)
    if method == SMOTE:
        from imblearn import over_sampling

        smote = over_sampling.SMOTE(
            sampling_strategy="minority", k_neighbors=neighbours, random_state=seed
        )
        X_more, y_more = smote.fit_resample(X, y)
        X_more[len(y) :] = _with_real_levels(X_more[len(y) :], X)
        origin = np.append(as_it_was.origin, np.full(len(y_more) - len(y), SYNTHETIC))
        return Resampled(X_more, y_more, origin, None, method)
    return _adasyn_tomek(as_it_was, majority, neighbours, seed)


def _adasyn_tomek(given: Resampled, majority: int, neighbours: int, seed: int) -> Resampled:
    from imblearn.over_sampling import ADASYN
    from imblearn.under_sampling import TomekLinks

    X, y = given.X, given.y
    adasyn = ADASYN(sampling_strategy="minority", n_neighbors=neighbours, random_state=seed)
    try:
        X_more, y_more = adasyn.fit_resample(X, y)
    except (ValueError, RuntimeError) as error:
        # The library's two refusals that concern the rows' geometry or balance; others are defects.
        message = str(error)
        if "No samples will be generated" in message:
            return given._replace(why_not="the classes are nearly balanced")
        if "Not any neigbours belong to the majority" in message:
            return given._replace(
                why_not="no patient of the smaller class has a neighbour of the larger"
            )
        raise
    X_more[len(y) :] = _with_real_levels(X_more[len(y) :], X)
    links = TomekLinks(sampling_strategy=[majority])
    X_clean, y_clean = links.fit_resample(X_more, y_more)
    origin = np.append(given.origin, np.full(len(y_more) - len(y), SYNTHETIC))
    return Resampled(X_clean, y_clean, origin[links.sample_indices_], None)


def patients_of(patients: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return the patient of every resampled row, as a number.

    Parameters
    ----------
    patients : ndarray of shape (n_rows,)
        Patient of each row that was handed in.
    origin : ndarray of int, shape (n_resampled,)
        From `resample_rows`. A synthetic row lies between patients and gets a
        number of its own.
    """
    numbers = pd.factorize(patients)[0]
    own = len(numbers) + np.arange(len(origin))
    return np.where(origin == SYNTHETIC, own, numbers[origin])


def _with_real_levels(made: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return synthetic rows in which each column of two values holds the nearer one of them."""
    low, high = X.min(axis=0), X.max(axis=0)
    two_values = ((low == X) | (high == X)).all(axis=0)
    # Nearer to one of two values is the same as nearer to the real row that holds it, in all
    # columns at once: the row lies at one share of the way between its two real rows.
    nearer = np.where(made > (low + high) / 2, high, low)
    return np.where(two_values, nearer, made)
