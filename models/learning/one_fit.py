"""Fit one classifier to selected rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedGroupKFold

from models.learning.family import Family, Lesson
from models.learning.family_registry import family_of
from models.learning.options import FitOptions
from models.learning.platt import calibration_folds
from models.transformers.oversampling import resample_rows
from pipeline.core.errors import DivergedError, FitError
from pipeline.core.mode_labels import is_leaking
from pipeline.core.seeds import derive_seed

NOTHING_SELECTED = "No feature was selected: the event share is predicted."


class GivenRows(NamedTuple):
    """Training rows as a fit was handed them.

    Attributes
    ----------
    Z : ndarray of shape (n_rows, n_features)
        Selected rows. They are real, but in ``mode: as_published``, where they come oversampled.
    y : ndarray of shape (n_rows,)
        Their outcome, 0 or 1.
    groups : ndarray of shape (n_rows,)
        Patient of each row.
    """

    Z: np.ndarray
    y: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class FitRows:
    """Rows that a classifier learns from, and real ones that its early stopping watches.

    Neither depends on the classifier's parameters, so that a search makes them once per fold.

    Attributes
    ----------
    Z : ndarray of shape (n_rows, n_features)
        Selected rows, oversampled if the study does so.
    y : ndarray of shape (n_rows,)
        Their outcome, 0 or 1.
    given : GivenRows
        The same rows before they were oversampled.
    oversampling : str
        How the study oversamples here; ``none`` where it does not.
    Z_watch : ndarray of shape (n_watch, n_features) or None
        Rows of other patients, never oversampled; None where the family does not stop early.
    y_watch : ndarray of shape (n_watch,) or None
        Their outcome.
    notes : list of str
        What has to be said about them.
    why_not : str or None
        Why oversampling could add no row, where that is so.
    nothing_selected : bool
        Whether the selection left no column: the event share is then predicted.
    """

    Z: np.ndarray
    y: np.ndarray
    given: GivenRows
    oversampling: str = "none"
    Z_watch: np.ndarray | None = None
    y_watch: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    why_not: str | None = None
    nothing_selected: bool = False


@dataclass(frozen=True)
class Fit:
    """A fitted classifier and what has to be said about its fit.

    Attributes
    ----------
    estimator : classifier
        Fitted; takes ndarrays.
    notes : list of str
        Sentences for model.json.
    ending : {'early_stopped', 'reached_limit'} or None
        What ended a training by epochs: its early stopping, or the largest number of them.
    why_not : str or None
        Why oversampling could add no row to learn from, where that is so.
    """

    estimator: BaseEstimator
    notes: list[str] = field(default_factory=list)
    ending: str | None = None
    why_not: str | None = None

    def probability(self, Z: np.ndarray) -> np.ndarray:
        """Return the probability of the event, shape (n_rows,), for selected rows `Z`."""
        return np.asarray(self.estimator.predict_proba(_seen(Z)))[:, 1].astype(np.float64)

    def ranking(self, Z: np.ndarray) -> np.ndarray:
        """Return values that rank rows as the probability does, shape (n_rows,)."""
        if hasattr(self.estimator, "predict_proba"):
            return self.probability(Z)
        return np.asarray(self.estimator.decision_function(_seen(Z)), dtype=np.float64)


class Wanted(NamedTuple):
    """A fit that is asked for.

    Attributes
    ----------
    parameters : mapping
        Values of the family's searched parameters.
    rows : FitRows
        From `prepare_rows` with the same seed.
    seed : int
        Seed of this fit.
    """

    parameters: Mapping
    rows: FitRows
    seed: int


def _seen(Z: np.ndarray) -> np.ndarray:
    """Return `Z`; a model without columns predicts the same for all, and wants one to see."""
    return Z if Z.shape[1] else np.zeros((len(Z), 1))


def fit_estimator(
    model: str,
    parameters: Mapping,
    Z: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    options: FitOptions,
    seed: int,
) -> Fit:
    """Fit one classifier to selected training rows.

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
    options : FitOptions
        What is read of a study.
    seed : int
        Seed of this fit.

    Returns
    -------
    Fit
        The classifier and its notes.

    Raises
    ------
    FitError
        If the rows are too few for the family, or of one outcome.
    """
    rows = prepare_rows(model, Z, y, groups, options, seed)
    return fit_rows(model, parameters, rows, options, seed)


def prepare_rows(
    model: str, Z: np.ndarray, y: np.ndarray, groups: np.ndarray, options: FitOptions, seed: int
) -> FitRows:
    """Return the rows from which a family learns, for any of its parameters.

    The rows that early stopping watches are split off first, so that they are real ones; then the
    others are oversampled, if the study does so. Parameters are those of `fit_estimator`.
    """
    if Z.shape[1] == 0:
        return FitRows(
            _seen(Z), y, GivenRows(Z, y, groups), nothing_selected=True, notes=[NOTHING_SELECTED]
        )
    Z_watch = y_watch = None
    facts = family_of(model).facts
    if facts.stops_early:
        fraction = facts.watched_share(options)
        learn, watch = early_stopping_rows(y, groups, fraction, derive_seed(seed, "early stopping"))
        Z_watch, y_watch = Z[watch], y[watch]
        Z, y, groups = Z[learn], y[learn], groups[learn]
    notes, given, why_not = [], GivenRows(Z, y, groups), None
    # As published, rows come oversampled (`models.modes.as_published`).
    method = "none" if is_leaking(options.mode) else options.oversampling
    if method != "none":
        drawn = resample_rows(Z, y, derive_seed(seed, "oversampling"), method)
        Z, y, why_not = drawn.X, drawn.y, drawn.why_not
        notes += [drawn.note] if drawn.note else []
    return FitRows(Z, y, given, method, Z_watch, y_watch, notes, why_not)


def fit_rows(
    model: str,
    parameters: Mapping,
    rows: FitRows,
    options: FitOptions,
    seed: int,
    *,
    ranking: bool = False,
) -> Fit:
    """Fit one classifier to prepared rows.

    Parameters
    ----------
    model : str
        Name of the family.
    parameters : mapping
        Values of its searched parameters.
    rows : FitRows
        From `prepare_rows` with the same seed.
    options : FitOptions
        What is read of a study.
    seed : int
        Seed of this fit.
    ranking : bool
        Only ranks will be asked of the classifier: what it computes for probabilities and
        explanations beyond them is left out.
    """
    [fit] = fit_all(model, [Wanted(parameters, rows, seed)], options, ranking=ranking)
    return fit


def fit_all(
    model: str, wanted: Sequence[Wanted], options: FitOptions, *, ranking: bool = False
) -> list[Fit]:
    """Fit as `fit_many` does, and raise the first training that diverges."""
    fits = fit_many(model, wanted, options, ranking=ranking)
    for fit in fits:
        if isinstance(fit, DivergedError):
            raise fit
    return fits


def fit_many(
    model: str, wanted: Sequence[Wanted], options: FitOptions, *, ranking: bool = False
) -> list[Fit | DivergedError]:
    """Fit classifiers of one family to prepared rows, networks many at a time.

    Each is what `fit_rows` gives, bit for bit; a training that diverges is returned as its error.

    Parameters
    ----------
    model, options, ranking
        As for `fit_rows`.
    wanted : sequence of Wanted
        Any rows, parameters and seeds.
    """
    family = family_of(model)
    if family.stops_early:
        return _fit_networks(family, wanted, options, ranking=ranking)
    return [_fit_one(family, each, options, ranking=ranking) for each in wanted]


def _fit_one(family: Family, wanted: Wanted, options: FitOptions, *, ranking: bool) -> Fit:
    parameters, rows, seed = wanted
    if rows.nothing_selected:
        return _event_share(rows)
    _check_outcomes(rows)
    make = family.maker(ranking=ranking)
    estimator = make(parameters, options, seed)
    notes, extra = list(rows.notes), {}
    if family.takes_folds and make is family.make:
        folds = calibration_folds(*rows.given, seed, oversampling=rows.oversampling)
        extra = {"folds": folds}
        notes += [f"Where the probabilities are learned: {f.note}" for f in folds if f.note]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(rows.Z, rows.y, **extra)
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            notes.append(f"{family.label} did not fully converge.")
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return Fit(estimator, list(dict.fromkeys(notes)), None, rows.why_not)


def _fit_networks(
    family: Family, wanted: Sequence[Wanted], options: FitOptions, *, ranking: bool
) -> list[Fit | DivergedError]:
    """Fit networks that early stopping ends, those that can be together at the same time."""
    make = family.maker(ranking=ranking)
    fits: list[Fit | DivergedError] = []
    lessons: dict[int, Lesson] = {}
    for number, (parameters, rows, seed) in enumerate(wanted):
        if rows.nothing_selected:
            fits.append(_event_share(rows))
            continue
        _check_outcomes(rows)
        estimator = make(parameters, options, seed)
        notes = list(dict.fromkeys(rows.notes))
        fits.append(Fit(estimator, notes, None, rows.why_not))
        lessons[number] = Lesson(estimator, rows.Z, rows.y, rows.Z_watch, rows.y_watch)
    errors = family.fit_lessons(list(lessons.values()))
    for number, error in zip(lessons, errors, strict=True):
        if error is None:
            stopped = lessons[number].estimator.stopped_early_
            ending = "early_stopped" if stopped else "reached_limit"
        fits[number] = error or replace(fits[number], ending=ending)
    return fits


def _event_share(rows: FitRows) -> Fit:
    return Fit(DummyClassifier(strategy="prior").fit(rows.Z, rows.y), list(rows.notes))


def _check_outcomes(rows: FitRows) -> None:
    if len(np.unique(rows.y)) != 2:
        raise FitError(
            "A classifier needs rows of both outcomes to learn from",
            found=f"{len(rows.y)} rows of one outcome",
            remedy="use fewer folds, more patients, or no oversampling",
            code="training-one-outcome",
        )


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
    FitError
        If one side would lack an outcome.
    """
    folds = max(2, round(1 / fraction))
    fewest = min(len(np.unique(groups[y == value])) for value in (0, 1))
    if fewest >= 2:
        splitter = StratifiedGroupKFold(min(folds, fewest), shuffle=True, random_state=seed)
        for learn, watch in splitter.split(y, y, groups):
            if len(np.unique(y[learn])) == 2 and len(np.unique(y[watch])) == 2:
                return learn, watch
    raise FitError(
        "Early stopping needs patients of both outcomes on both sides of its split",
        found=f"{fewest} patients of the rarer outcome in {len(y)} rows of training patients",
        remedy="use fewer folds or more patients, or leave tabnet out of models",
        code="early-stopping-too-few",
    )
