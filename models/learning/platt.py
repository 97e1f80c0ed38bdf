"""Support vector machine whose decision values Platt's sigmoid turns into probabilities.

The sigmoid has to be learned on decision values of rows that the machine has not seen. Synthetic
rows break that: a machine that learned from the relatives of a validation row knows it already, so
that the sigmoid becomes too steep and every risk too extreme. So it is learned on real rows alone,
each judged by a machine that learned from other patients; oversampling is done anew inside what
each of these machines learns from, as it is for the machine that predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import SVC
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from models.transformers.oversampling import resample_rows
from pipeline.core.errors import FitError
from pipeline.core.seeds import derive_seed

PLATT_FOLDS = 5
"""Folds over which the sigmoid is learned; fewer where an outcome has fewer patients."""

FLATTEST = 0.01
"""Least slope of the sigmoid, in log odds per standard deviation of the decision values.

Where the out-of-fold values rank the outcomes the wrong way round, which is chance, the best
sigmoid falls and would turn the machine's ranks over. The flattest one that still rises says nearly
the same (everybody's risk is the share of events) and keeps them.
"""


class CalibrationFold(NamedTuple):
    """What one machine learns from, and the rows whose decision values it gives to the sigmoid.

    Attributes
    ----------
    X_learn, y_learn : ndarray of shape (n_learn, n_features), (n_learn,)
        Rows to learn from, synthetic ones among them if the study oversamples.
    X_valid, y_valid : ndarray of shape (n_valid, n_features), (n_valid,)
        Rows of other patients, as they were handed in.
    note : str or None
        Why no row could be added, where that is so.
    """

    X_learn: np.ndarray
    y_learn: np.ndarray
    X_valid: np.ndarray
    y_valid: np.ndarray
    note: str | None = None


def calibration_folds(
    X: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int, *, oversampling: str = "none"
) -> list[CalibrationFold]:
    """Divide training rows into the folds over which the sigmoid is learned.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Training rows, not oversampled.
    y : ndarray of shape (n_rows,)
        Outcome, two values.
    groups : ndarray of shape (n_rows,)
        Patient of each row; a patient's rows, copies in a resample among them, are never divided.
    seed : int
        Seed of the folds and of synthetic rows.
    oversampling : str
        How what each machine learns from is oversampled, by `models.transformers.oversampling`;
        ``none`` for not at all.

    Raises
    ------
    FitError
        If a machine would learn from one outcome alone.
    """
    fewest = min(len(np.unique(groups[y == value])) for value in np.unique(y))
    folds = []
    if fewest >= 2:
        divide = StratifiedGroupKFold(min(PLATT_FOLDS, fewest), shuffle=True, random_state=seed)
        folds = list(divide.split(X, y, groups))
    if not folds or any(len(np.unique(y[learn])) < 2 for learn, _ in folds):
        raise FitError(
            "The probabilities of a support vector machine need patients of both outcomes in and "
            "outside every fold from which they are learned",
            found=f"{fewest} patients of the rarer outcome in {len(y)} rows of training patients",
            remedy="use more patients, or leave svm out of models",
            code="platt-too-few",
        )
    found = []
    for number, (learn, valid) in enumerate(folds):
        X_learn, y_learn, note = X[learn], y[learn], None
        if oversampling != "none":
            own = derive_seed(seed, "sigmoid", number)
            drawn = resample_rows(X_learn, y_learn, own, oversampling)
            X_learn, y_learn, note = drawn.X, drawn.y, drawn.note
        found.append(CalibrationFold(X_learn, y_learn, X[valid], y[valid], note))
    return found


class PlattSVC(ClassifierMixin, BaseEstimator):
    """Support vector machine with probabilities by Platt scaling [1]_ on out-of-fold values.

    One machine is fitted to all rows; the sigmoid is learned on decision values of folds that keep
    a patient's rows together, as scikit-learn's own ``SVC(probability=True)``, now deprecated,
    does not. Each machine's values are taken in standard deviations of its values over the rows
    that it learned from. The sigmoid never falls: probabilities rank rows as the machine does.

    Parameters
    ----------
    kernel : {'linear', 'rbf'}
        Kernel.
    C : float
        Inverse of the regularisation's strength.
    gamma : float or 'scale'
        Width of the radial kernel.
    seed : int
        Seed of the folds, where none are given.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The outcomes.
    machine_ : sklearn.svm.SVC
        Fitted machine.
    slope_, intercept_ : float
        The sigmoid's: log odds of the second outcome per unit of decision value, and at 0.

    References
    ----------
    .. [1] Platt J. Probabilistic outputs for support vector machines. In: Advances in large
       margin classifiers. MIT Press 1999:61-74.
    """

    def __init__(
        self, kernel: str = "rbf", C: float = 1.0, gamma: float | str = "scale", seed: int = 0
    ) -> None:
        self.kernel = kernel
        self.C = C
        self.gamma = gamma
        self.seed = seed

    def fit(
        self, X: np.ndarray, y: np.ndarray, folds: Sequence[CalibrationFold] | None = None
    ) -> PlattSVC:
        """Fit machine and sigmoid.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            Rows that the machine learns from, synthetic ones among them if the study oversamples.
        y : ndarray of shape (n_rows,)
            Their outcome, two values.
        folds : sequence of CalibrationFold, optional
            From `calibration_folds`; by default `X` is divided, each row a patient of its own.
        """
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) != 2:
            raise ValueError(
                f"Only binary classification is supported: PlattSVC needs 2 classes. "
                f"Found: {len(self.classes_)} class(es)."
            )
        if folds is None:
            folds = calibration_folds(X, y, np.arange(len(y)), self.seed)
        values = []
        for fold in folds:
            machine, centre, spread = self._fit_machine(fold.X_learn, fold.y_learn)
            values.append((machine.decision_function(fold.X_valid) - centre) / spread)
        outcome = np.concatenate([fold.y_valid for fold in folds]) == self.classes_[1]
        slope, intercept = fit_sigmoid(np.concatenate(values), outcome)
        self.machine_, centre, spread = self._fit_machine(X, y)
        self.slope_, self.intercept_ = slope / spread, intercept - slope * centre / spread
        return self

    def _fit_machine(self, X: np.ndarray, y: np.ndarray) -> tuple[SVC, float, float]:
        """Fit a machine; mean and standard deviation of its values over what it learned from.

        Where one outcome is rare and the classes overlap, the best margin holds every row of the
        frequent one, and the solver stops on the way there: such machines rank alike, but the
        spread of their values differs a thousandfold. So values are compared on each machine's own
        scale.
        """
        machine = SVC(kernel=self.kernel, C=self.C, gamma=self.gamma).fit(X, y)
        values = machine.decision_function(X)
        return machine, float(values.mean()), float(values.std()) or 1.0

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities, shape (n_rows, 2), in the order of `classes_`."""
        check_is_fitted(self)
        values = self.machine_.decision_function(validate_data(self, X, reset=False))
        second = expit(self.slope_ * values + self.intercept_)
        return np.column_stack([1 - second, second])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the more probable outcome of each row."""
        check_is_fitted(self)
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def fit_sigmoid(values: np.ndarray, outcome: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept of the log odds of the outcome over decision values.

    Maximum likelihood with Platt's targets, which are a little short of 0 and 1, and a slope of
    at least `FLATTEST`.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Decision values of rows that their machine did not learn from.
    outcome : ndarray of bool, shape (n_rows,)
        Whether the row is an event; both occur.
    """
    events, others = outcome.sum(), (~outcome).sum()
    target = np.where(outcome, (events + 1) / (events + 2), 1 / (others + 2))
    centre, spread = values.mean(), values.std() or 1.0
    scaled = (values - centre) / spread

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        log_odds = weights[0] * scaled + weights[1]
        error = expit(log_odds) - target
        total = np.logaddexp(0, log_odds).sum() - target @ log_odds
        return total, np.array([error @ scaled, error.sum()])

    found = minimize(
        loss,
        [FLATTEST, np.log((events + 1) / (others + 1))],
        jac=True,
        method="L-BFGS-B",
        bounds=[(FLATTEST, None), (None, None)],
        options={"gtol": 1e-8, "ftol": 1e-14},
    )
    slope = float(found.x[0] / spread)
    return slope, float(found.x[1] - slope * centre)
