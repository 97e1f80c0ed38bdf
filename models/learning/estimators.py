"""The model families: how each is built, what its search may vary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from scipy.stats import loguniform
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from models.learning.platt import PlattSVC
from models.learning.spaces import read_values
from models.learning.tabnet import TabNet, resolve_device
from pipeline.core.errors import StudyError
from pipeline.core.problems import suggestion

LIBLINEAR_INTERCEPT = 100.0
"""Scaling of the intercept in liblinear, by which its penalty is divided."""


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes
    ----------
    name : str
        As in the config's ``models``.
    label : str
        As people write it.
    make : callable
        ``make(parameters, config, seed)`` gives the unfitted classifier.
    phases : tuple of dict
        Search spaces, {parameter: list or scipy distribution}, searched one after another, each
        starting from the best of the one before.
    takes_folds : bool
        Whether ``fit`` takes `folds` of real rows, over which probabilities are learned.
    stops_early : bool
        Whether ``fit`` takes validation rows.
    make_ranking : callable or None
        As `make`, a classifier that ranks rows in the same way but is cheaper to fit; None where
        there is none. A search by AUROC needs no more.
    """

    name: str
    label: str
    make: Callable[[Mapping, Mapping, int], BaseEstimator]
    phases: tuple[dict, ...]
    takes_folds: bool = False
    stops_early: bool = False
    make_ranking: Callable[[Mapping, Mapping, int], BaseEstimator] | None = None

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


_L1_RATIO = {"l1": 1.0, "l2": 0.0}


def _make_lr(parameters: Mapping, config: Mapping, seed: int) -> BaseEstimator:
    penalty = parameters.get("penalty", "l2")
    if penalty not in _L1_RATIO:
        raise StudyError(
            "The penalty of lr is l1 or l2", found=penalty, where="config key search.spaces.lr"
        )
    return LogisticRegression(
        C=parameters.get("C", 1.0),
        l1_ratio=_L1_RATIO[penalty],
        # Robust scaling leaves far tails. On them saga stops short of the optimum without a word;
        # liblinear does not, but penalises the intercept, of which this scaling leaves nothing.
        solver="newton-cholesky" if penalty == "l2" else "liblinear",
        intercept_scaling=1.0 if penalty == "l2" else LIBLINEAR_INTERCEPT,
        max_iter=1000,
        tol=1e-6,
        random_state=seed,
    )


def _make_svm(parameters: Mapping, config: Mapping, seed: int) -> BaseEstimator:
    return PlattSVC(**parameters, seed=seed)


def _make_svm_ranking(parameters: Mapping, config: Mapping, seed: int) -> BaseEstimator:
    # The sigmoid is monotone and costs five machines more.
    return SVC(**parameters)


def _make_rf(parameters: Mapping, config: Mapping, seed: int) -> BaseEstimator:
    return RandomForestClassifier(**parameters, n_jobs=config["threads"], random_state=seed)


def _make_xgboost(parameters: Mapping, config: Mapping, seed: int) -> BaseEstimator:
    from xgboost import XGBClassifier

    return XGBClassifier(
        **parameters, n_jobs=config["threads"], random_state=seed, tree_method="hist"
    )


def _make_tabnet(
    parameters: Mapping, config: Mapping, seed: int, *, attention: bool = True
) -> BaseEstimator:
    options = config["tabnet"]
    return TabNet(
        **{**options["start"], **parameters},
        max_epochs=options["max_epochs"],
        patience=options["patience"],
        device=config["device"],
        threads=config["threads"],
        seed=seed,
        attention=attention,
    )


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "lr",
            "Logistic regression",
            _make_lr,
            ({"penalty": ["l1", "l2"], "C": loguniform(1e-2, 1e1)},),
        ),
        Family(
            "svm",
            "Support vector machine",
            _make_svm,
            (
                {
                    "kernel": ["linear", "rbf"],
                    "C": loguniform(1e-2, 1e1),
                    "gamma": loguniform(1e-4, 1e0),
                },
            ),
            takes_folds=True,
            make_ranking=_make_svm_ranking,
        ),
        Family(
            "rf",
            "Random forest",
            _make_rf,
            (
                {
                    "max_depth": [2, 3, 4, 6, 8, None],
                    "n_estimators": [100, 200, 300],
                    "min_samples_leaf": [1, 2, 5, 10, 20],
                },
            ),
        ),
        Family(
            "xgboost",
            "XGBoost",
            _make_xgboost,
            (
                {
                    "learning_rate": loguniform(1e-2, 3e-1),
                    "max_depth": [1, 2, 3, 4, 6],
                    "n_estimators": [50, 100, 200, 400],
                },
            ),
        ),
        Family(
            "tabnet",
            "TabNet",
            _make_tabnet,
            (
                {
                    "n_d": [4, 8, 16, 32],
                    "n_steps": [2, 3, 4, 5],
                    "n_independent": [1, 2, 3],
                    "n_shared": [1, 2, 3],
                    "lambda_sparse": loguniform(1e-5, 1e-2),
                },
                {
                    "learning_rate": loguniform(1e-2, 5e-2),
                    "batch_size": [16, 32, 64, 128],
                    "weight_decay": loguniform(1e-3, 3e-1),
                },
            ),
            stops_early=True,
            make_ranking=partial(_make_tabnet, attention=False),
        ),
    )
}


def family_of(model: str) -> Family:
    """Return the family that the config calls `model`."""
    if model not in FAMILIES:
        raise StudyError(
            f"A model is one of {', '.join(FAMILIES)}", found=model, where="config key models"
        )
    return FAMILIES[model]


def device_of(model: str, device: str) -> str:
    """Return where `model` trains: ``cpu``, or ``cuda`` for TabNet where there is a GPU."""
    return resolve_device(device) if model == "tabnet" else "cpu"
