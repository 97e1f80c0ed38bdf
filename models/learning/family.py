"""A family of models as code: how it is built, and what its search may vary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from models.learning.options import FitOptions
from models.learning.spaces import read_values
from pipeline.core.errors import DivergedError, StudyError
from pipeline.core.problems import suggestion
from pipeline.study.model_families import MODEL_FAMILIES, ModelFamily


class Lesson(NamedTuple):
    """What a family that stops early is to learn: a classifier, and what its ``fit`` takes."""

    estimator: BaseEstimator
    X: np.ndarray
    y: np.ndarray
    X_valid: np.ndarray
    y_valid: np.ndarray


def fit_each(lessons: Sequence[Lesson]) -> list[DivergedError | None]:
    """Fit classifiers one after another; return for each why it diverged, None where it did not."""
    errors: list[DivergedError | None] = []
    for estimator, X, y, X_valid, y_valid in lessons:
        try:
            estimator.fit(X, y, X_valid=X_valid, y_valid=y_valid)
        except DivergedError as error:
            errors.append(error)
        else:
            errors.append(None)
    return errors


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes
    ----------
    name : str
        As in the config's ``models``; what else is said of the family stands under this name in
        `pipeline.study.model_families`.
    make : callable
        ``make(parameters, options, seed)`` gives the unfitted classifier.
    phases : tuple of dict
        Search spaces, {parameter: list or scipy distribution}, searched one after another, each
        starting from the best of the one before.
    takes_folds : bool
        Whether ``fit`` takes `folds` of real rows, over which probabilities are learned.
    make_ranking : callable or None
        As `make`, a classifier that ranks rows in the same way but is cheaper to fit; None where
        there is none. A search by AUROC needs no more.
    fit_lessons : callable
        As `fit_each`: fits the classifiers of a family that stops early, many at once where it can.
    weights_of : callable or None
        ``weights_of(classifier)`` gives intercept and weights of the log odds of a fitted one, or
        None where they are no sum over its columns.
    stack_of : callable or None
        ``stack_of(classifier)`` gives a key that is equal for those which `fit_lessons` fits at
        once, and how many it takes; None where that gains nothing.
    further : tuple of str
        Parameters that a configuration may search too, and that the built-in space does not.
    """

    name: str
    make: Callable[[Mapping, FitOptions, int], BaseEstimator]
    phases: tuple[dict, ...]
    takes_folds: bool = False
    make_ranking: Callable[[Mapping, FitOptions, int], BaseEstimator] | None = None
    fit_lessons: Callable[[Sequence[Lesson]], list[DivergedError | None]] = fit_each
    stack_of: Callable[[BaseEstimator], tuple[tuple, int]] | None = None
    further: tuple[str, ...] = ()
    weights_of: Callable[[BaseEstimator], tuple[float, np.ndarray] | None] | None = None

    @property
    def facts(self) -> ModelFamily:
        """What options, rules and report know of the family."""
        return MODEL_FAMILIES[self.name]

    @property
    def label(self) -> str:
        """The family as people write it."""
        return self.facts.label

    @property
    def stops_early(self) -> bool:
        """Whether ``fit`` takes validation rows."""
        return self.facts.stops_early

    def maker(self, *, ranking: bool) -> Callable[[Mapping, FitOptions, int], BaseEstimator]:
        """Return `make`, or `make_ranking` where only ranks are asked for and there is one."""
        return (ranking and self.make_ranking) or self.make

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters that a search may vary."""
        return [*(name for phase in self.phases for name in phase), *self.further]

    def search_phases(self, spaces: Mapping[str, dict]) -> tuple[dict, ...]:
        """Return the search spaces of a study: the built-in ones, or ``search.spaces`` instead.

        A space in `spaces`, the value of that option, replaces the family's whole space: what it
        does not name keeps the classifier's default.
        """
        own = spaces.get(self.name)
        if own is None:
            return self.phases
        unknown = sorted(set(own).difference(self.parameters))
        if unknown:
            raise StudyError(
                f"A search space of {self.name} may vary {', '.join(self.parameters)}",
                found=", ".join(unknown),
                where=f"config key search.spaces.{self.name}",
                remedy=suggestion(unknown[0], self.parameters) or "remove it",
                code="search-parameter-unknown",
            )
        key = f"search.spaces.{self.name}"
        read = {n: read_values(values, f"{key}.{n}") for n, values in own.items()}
        phases = [{n: read[n] for n in phase if n in own} for phase in self.phases]
        phases[-1] |= {n: read[n] for n in self.further if n in own}
        return tuple(phase for phase in phases if phase) or ({},)
