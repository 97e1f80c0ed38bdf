"""Areas under ROC curves where patients have several units: Obuchowski's variance.

Own code, since no kept Python library offers it. With one unit per patient it is DeLong's.

References
----------
.. [1] Obuchowski NA. Nonparametric analysis of clustered ROC curve data. Biometrics
   1997;53:567-578.
"""

from __future__ import annotations

import numpy as np

from models.scoring.delong import delong_covariance, placements
from models.scoring.intervals import has_clusters
from pipeline.core.errors import VertebromicsError


def clustered_covariance(
    outcome: np.ndarray, scores: np.ndarray, patients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUROCs of several models, and their covariance with patients as clusters [1]_.

    Each patient contributes the sum of the placements of its events and that of its non-events,
    less what they would sum to if the patient were average. Patients are independent; their units
    may depend on one another in any way, and a patient may have both events and non-events.

    Parameters
    ----------
    outcome : numpy.ndarray
        Shape (n,), 1 for an event and 0 otherwise.
    scores : numpy.ndarray
        Shape (k, n), one row per model.
    patients : numpy.ndarray
        Shape (n,), the patient of each unit.

    Returns
    -------
    auroc : numpy.ndarray
        Shape (k,), over all pairs of units, as without clusters.
    covariance : numpy.ndarray
        Shape (k, k).

    Raises
    ------
    VertebromicsError
        If fewer than two patients have an event, or fewer than two a non-event.
    """
    outcome = np.asarray(outcome)
    scores = np.atleast_2d(np.asarray(scores, float))
    _, patient = np.unique(np.asarray(patients), return_inverse=True)
    of_event, of_other = patient[outcome == 1], patient[outcome == 0]
    with_events, with_others = len(np.unique(of_event)), len(np.unique(of_other))
    if min(with_events, with_others) < 2:
        raise VertebromicsError(
            "Obuchowski's variance needs two patients with an event and two with a non-event",
            found=f"{with_events} with an event, {with_others} with a non-event",
            code="obuchowski-too-few",
        )
    n_patients = patient.max() + 1
    events, others = len(of_event), len(of_other)
    placed = [placements(outcome, score) for score in scores]
    auroc = np.array([below.mean() for below, _ in placed])
    # Shape (k, n_patients): what a patient's events, and its non-events, add to each area.
    by_events, by_others = (
        np.array(
            [
                np.bincount(owner, pair[side] - area, n_patients)
                for pair, area in zip(placed, auroc, strict=True)
            ]
        )
        for side, owner in enumerate((of_event, of_other))
    )
    both = by_events @ by_others.T
    covariance = (
        with_events / (with_events - 1) * (by_events @ by_events.T) / events**2
        + with_others / (with_others - 1) * (by_others @ by_others.T) / others**2
        + n_patients / (n_patients - 1) * (both + both.T) / (events * others)
    )
    return auroc, covariance


def areas_with_covariance(
    outcome: np.ndarray, scores: np.ndarray, patients: np.ndarray
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return areas and covariance after DeLong or, where patients have several units, Obuchowski.

    Parameters are those of `clustered_covariance`; `enough_patients` must hold.

    Returns
    -------
    auroc : numpy.ndarray
        Shape (k,).
    covariance : numpy.ndarray
        Shape (k, k).
    method : {'DeLong', 'Obuchowski'}
        Whose variance it is.
    """
    if has_clusters(patients):
        return *clustered_covariance(outcome, scores, patients), "Obuchowski"
    return *delong_covariance(outcome, scores), "DeLong"


def enough_patients(outcome: np.ndarray, patients: np.ndarray) -> bool:
    """Tell whether two patients have an event and two a non-event, as a variance needs."""
    outcome, patients = np.asarray(outcome), np.asarray(patients)
    return min(len(np.unique(patients[outcome == value])) for value in (0, 1)) >= 2
