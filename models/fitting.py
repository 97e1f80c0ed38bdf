"""Fit one classifier to selected rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedGroupKFold

from models.estimators import family_of
from models.oversampling import adasyn_tomek
from pipeline.core.errors import StudyError
from pipeline.core.modes import is_leaking
from pipeline.core.seeds import derive_seed


@dataclass(frozen=True)
class Fit:
    """A fitted classifier and what has to be said about its fit.

    Attributes
    ----------
    estimator : classifier
        Fitted; ``predict_proba`` takes an ndarray.
    notes : list of str
        Sentences for model.json.
    """

    estimator: BaseEstimator
    notes: list[str] = field(default_factory=list)

    def probability(self, Z: np.ndarray) -> np.ndarray:
        """Return the probability of the event, shape (n_rows,), for selected rows `Z`."""
        # A model without columns predicts the same for all; scikit-learn wants one column to see.
        seen = Z if Z.shape[1] else np.zeros((len(Z), 1))
        return np.asarray(self.estimator.predict_proba(seen))[:, 1].astype(np.float64)


def fit_estimator(
    model: str,
    parameters: Mapping,
    Z: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    config: Mapping,
    seed: int,
) -> Fit:
    """Fit one classifier to selected training rows.

    The rows that early stopping watches are split off first, so that they are real ones; then the
    others are oversampled, if the study does so.

    Parameters
    ----------
    model : str
        Name of the family.
    parameters : mapping
        Values of the family's searched parameters; absent ones keep the classifier's default.
    Z : ndarray of shape (n_rows, n_features)
        Output of the selection chain. Without columns, the event share of `y` is predicted.
    y : ndarray of shape (n_rows,)
        Outcome, 0 or 1.
    groups : ndarray of shape (n_rows,)
        Patient of each row.
    config : mapping
        Resolved configuration.
    seed : int
        Seed of this fit.

    Returns
    -------
    Fit
        The classifier and its notes.
    """
    if Z.shape[1] == 0:
        estimator = DummyClassifier(strategy="prior").fit(np.zeros((len(y), 1)), y)
        return Fit(estimator, ["No feature was selected: the event share is predicted."])
    family = family_of(model)
    estimator = family.make(parameters, config, seed)
    notes, extra = [], {}
    if family.stops_early:
        fraction = config["tabnet"]["validation_fraction"]
        learn, watch = early_stopping_rows(y, groups, fraction, derive_seed(seed, "early stopping"))
        extra = {"X_valid": Z[watch], "y_valid": y[watch]}
        Z, y, groups = Z[learn], y[learn], groups[learn]
    # As published, rows come oversampled (`models.as_published`).
    if config["oversampling"] == "adasyn_tomek" and not is_leaking(config):
        Z, y, note = adasyn_tomek(Z, y, derive_seed(seed, "oversampling"))
        # A synthetic row lies between patients and belongs to none.
        groups = np.arange(len(y))
        notes += [note] if note else []
    if family.takes_groups:
        extra["groups"] = groups
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(Z, y, **extra)
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            notes.append(f"{family.label} did not fully converge.")
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return Fit(estimator, list(dict.fromkeys(notes)))


def early_stopping_rows(
    y: np.ndarray, groups: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split training rows into those to learn from and those that early stopping watches.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Outcome.
    groups : ndarray of shape (n_rows,)
        Patients, kept together.
    fraction : float
        Share of rows to watch, met as nearly as one fold of 1/fraction does.
    seed : int
        Seed of the split.

    Returns
    -------
    learn, watch : ndarray of int
        Row indices.

    Raises
    ------
    StudyError
        If one side would lack an outcome.
    """
    folds = max(2, round(1 / fraction))
    fewest = min(len(np.unique(groups[y == value])) for value in (0, 1))
    if fewest >= 2:
        splitter = StratifiedGroupKFold(min(folds, fewest), shuffle=True, random_state=seed)
        for learn, watch in splitter.split(y, y, groups):
            if len(np.unique(y[learn])) == 2 and len(np.unique(y[watch])) == 2:
                return learn, watch
    raise StudyError(
        "Early stopping needs patients of both outcomes on both sides of its split",
        found=f"{fewest} patients of the rarer outcome among {len(y)} training rows",
        remedy="use fewer folds or more patients, or leave tabnet out of models",
    )
