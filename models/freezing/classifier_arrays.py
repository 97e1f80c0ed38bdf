"""Fitted classifiers of each family as the kinds of `models.frozen.classifiers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier

from models.freezing.chain_arrays import Arrays
from models.frozen.boosted_trees import own_json
from pipeline.core.errors import StudyError


class WrittenClassifier(NamedTuple):
    """A classifier: its JSON, its arrays by name, and XGBoost's own JSON where it is one."""

    facts: dict
    arrays: Arrays
    trees: bytes | None = None


def write_classifier(model: str, estimator: BaseEstimator) -> WrittenClassifier:
    """Return a fitted classifier as plain numbers.

    Parameters
    ----------
    model : str
        Name of its family.
    estimator : classifier
        As `models.learning.one_fit.Fit` holds it.

    Raises
    ------
    StudyError
        If there is no frozen form of the family.
    """
    if isinstance(estimator, DummyClassifier):
        return WrittenClassifier({"kind": "constant", "risk": float(estimator.class_prior_[1])}, {})
    if model not in WRITERS:
        raise StudyError(
            f"A model that is frozen is one of {', '.join(WRITERS)}",
            found=model,
            where="option --model",
            remedy="write how it is computed from plain numbers (CONTRIBUTING.md)",
            code="freeze-model-unknown",
        )
    return WRITERS[model](estimator)


def holds_patients(facts: dict) -> list[str]:
    """Return which parts of a frozen procedure are rows of training patients, in words.

    Parameters
    ----------
    facts : dict
        A procedure, as the schema describes it.
    """
    found = []
    if facts["classifier"]["kind"] == "radial_machine":
        found.append("the support vectors of its radial kernel")
    if any(block["impute"]["kind"] == "nearest" for block in facts["blocks"]):
        found.append("the rows from which its imputation takes the nearest ones")
    return found


def _logistic(estimator: BaseEstimator) -> WrittenClassifier:
    facts = {"kind": "logistic", "intercept": float(estimator.intercept_[0])}
    return WrittenClassifier(facts, {"coefficient": _floats(estimator.coef_[0])})


def _machine(estimator: BaseEstimator) -> WrittenClassifier:
    machine = estimator.machine_
    facts = {
        "intercept": float(machine.intercept_[0]),
        "slope": float(estimator.slope_),
        "offset": float(estimator.intercept_),
    }
    if machine.kernel == "linear":
        return WrittenClassifier(
            {"kind": "linear_machine", **facts}, {"coefficient": _floats(machine.coef_[0])}
        )
    facts |= {"kind": "radial_machine", "gamma": float(machine._gamma)}
    arrays = {
        "vectors": _floats(machine.support_vectors_),
        "weight": _floats(machine.dual_coef_[0]),
    }
    return WrittenClassifier(facts, arrays)


def _forest(estimator: BaseEstimator) -> WrittenClassifier:
    trees = [each.tree_ for each in estimator.estimators_]
    leaf = [tree.children_left < 0 for tree in trees]
    arrays = {
        "begin": np.cumsum([0, *(tree.node_count for tree in trees)]).astype(np.int32),
        "left": np.concatenate([tree.children_left for tree in trees]).astype(np.int32),
        "right": np.concatenate([tree.children_right for tree in trees]).astype(np.int32),
        "column": np.concatenate(
            [np.where(end, 0, tree.feature) for tree, end in zip(trees, leaf, strict=True)]
        ).astype(np.int32),
        "threshold": _floats(
            np.concatenate(
                [np.where(end, 0.0, tree.threshold) for tree, end in zip(trees, leaf, strict=True)]
            )
        ),
        "share": _floats(np.concatenate([tree.value[:, 0, 1] for tree in trees])),
    }
    return WrittenClassifier({"kind": "forest"}, arrays)


def _boosted(estimator: BaseEstimator) -> WrittenClassifier:
    return WrittenClassifier({"kind": "boosted_trees"}, {}, own_json(estimator.get_booster()))


def _tabnet(estimator: BaseEstimator) -> WrittenClassifier:
    """Fold each batch normalisation, at its running statistics, into the layer before it."""
    from models.learning.stacked_network import wiring_of

    network = estimator.network_.network
    wiring = wiring_of(network)
    state = {name: value.double().cpu().numpy() for name, value in network.state_dict().items()}
    norms = {name: one for name, one in network.named_modules() if hasattr(one, "running_var")}

    def norm(name: str) -> tuple[np.ndarray, np.ndarray]:
        spread = np.sqrt(state[f"{name}.running_var"] + norms[name].eps)
        factor = state[f"{name}.weight"] / spread
        return factor, state[f"{name}.bias"] - state[f"{name}.running_mean"] * factor

    arrays = dict(zip(("input_scale", "input_shift"), norm(wiring.norm), strict=True))
    layers = {f"split{k}": layer for k, layer in enumerate(wiring.splitter)}
    for step, (attention, gated) in enumerate(
        zip(wiring.attentions, wiring.transformers, strict=True)
    ):
        layers[f"attention{step}"] = attention
        layers |= {f"step{step}_{k}": layer for k, layer in enumerate(gated)}
    for name, layer in layers.items():
        factor, shift = norm(layer.norm)
        arrays[f"{name}_weight"] = factor[:, None] * state[layer.weight]
        arrays[f"{name}_shift"] = shift
    arrays["final_weight"] = state[wiring.final]
    facts = {
        "kind": "tabnet",
        "n_d": int(wiring.n_d),
        "n_a": int(arrays["attention0_weight"].shape[1]),
        "steps": len(wiring.attentions),
        "gated": len(wiring.splitter),
        "gamma": float(wiring.gamma),
    }
    return WrittenClassifier(facts, {name: _floats(values) for name, values in arrays.items()})


#: How each family is written, under its name in the registry of families.
WRITERS: dict[str, Callable[[BaseEstimator], WrittenClassifier]] = {
    "lr": _logistic,
    "svm": _machine,
    "rf": _forest,
    "xgboost": _boosted,
    "tabnet": _tabnet,
}


def _floats(values: object) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64)
