"""A family of models as code: how it is built, and what its search may vary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sklearn.base import BaseEstimator

from models.learning.spaces import read_values
from pipeline.core.errors import StudyError
from pipeline.core.problems import suggestion
from pipeline.study.model_families import MODEL_FAMILIES, ModelFamily


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes
    ----------
    name : str
        As in the config's ``models``; what else is said of the family stands under this name in
        `pipeline.study.model_families`.
    make : callable
        ``make(parameters, config, seed)`` gives the unfitted classifier.
    phases : tuple of dict
        Search spaces, {parameter: list or scipy distribution}, searched one after another, each
        starting from the best of the one before.
    takes_folds : bool
        Whether ``fit`` takes `folds` of real rows, over which probabilities are learned.
    make_ranking : callable or None
        As `make`, a classifier that ranks rows in the same way but is cheaper to fit; None where
        there is none. A search by AUROC needs no more.
    """

    name: str
    make: Callable[[Mapping, Mapping, int], BaseEstimator]
    phases: tuple[dict, ...]
    takes_folds: bool = False
    make_ranking: Callable[[Mapping, Mapping, int], BaseEstimator] | None = None

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

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters that a search may vary."""
        return [name for phase in self.phases for name in phase]

    def search_phases(self, config: Mapping) -> tuple[dict, ...]:
        """Return the search spaces of a study: the built-in ones, or ``search.spaces`` instead.

        A space in the config replaces the family's whole space: what it does not name keeps the
        classifier's default.
        """
        own = config["search"]["spaces"].get(self.name)
        if own is None:
            return self.phases
        unknown = sorted(set(own).difference(self.parameters))
        if unknown:
            raise StudyError(
                f"A search space of {self.name} may vary {', '.join(self.parameters)}",
                found=", ".join(unknown),
                where=f"config key search.spaces.{self.name}",
                remedy=suggestion(unknown[0], self.parameters) or "remove it",
            )
        key = f"search.spaces.{self.name}"
        read = {n: read_values(values, f"{key}.{n}") for n, values in own.items()}
        phases = [{n: read[n] for n in phase if n in own} for phase in self.phases]
        return tuple(phase for phase in phases if phase) or ({},)
