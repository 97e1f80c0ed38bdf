"""ADASYN, then Tomek links: more minority rows for training, and fewer ambiguous majority rows."""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 5
"""Neighbours that ADASYN looks at, the library's default; fewer where the minority is smaller."""


def adasyn_tomek(
    X: np.ndarray, y: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Balance training rows by ADASYN [1]_, then remove majority rows of Tomek links [2]_.

    It harms calibration, since the model learns a prevalence that its patients do not have; and
    codes of levels become fractions. It never sees a validation or test row.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Selected and scaled training rows.
    y : ndarray of shape (n_rows,)
        Outcome, 0 or 1.
    seed : int
        Seed of the synthetic rows.

    Returns
    -------
    X : ndarray of shape (n_resampled, n_features)
    y : ndarray of shape (n_resampled,)
    note : str or None
        Why no row could be added, where that is so; then the rows are those handed in, for a
        fold with an unlucky geometry shall not end the study. Callers hand the note on to
        model.json.

    References
    ----------
    .. [1] He H, Bai Y, Garcia EA, Li S. ADASYN: adaptive synthetic sampling approach for
       imbalanced learning. IEEE IJCNN 2008:1322-1328.
    .. [2] Tomek I. Two modifications of CNN. IEEE Trans Syst Man Cybern 1976;6:769-772.
    """
    from imblearn.over_sampling import ADASYN
    from imblearn.under_sampling import TomekLinks

    minority = int(min(np.sum(y == 0), np.sum(y == 1)))
    if minority < 2:
        return X, y, "ADASYN added no rows: the smaller class has fewer than two."
    neighbours = min(NEIGHBOURS, minority - 1)
    try:
        resampled = ADASYN(n_neighbors=neighbours, random_state=seed).fit_resample(X, y)
    except (ValueError, RuntimeError) as error:
        # The library's two refusals that concern the rows' geometry or balance; others are defects.
        message = str(error)
        if "No samples will be generated" in message:
            return X, y, "ADASYN added no rows: the classes are nearly balanced."
        if "Not any neigbours belong to the majority" in message:
            return X, y, "ADASYN added no rows: no minority row has a majority neighbour."
        raise
    X_clean, y_clean = TomekLinks().fit_resample(*resampled)
    return X_clean, y_clean, None
