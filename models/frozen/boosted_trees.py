"""XGBoost's own JSON of a binary classifier: checked in every part, then computed by the library.

The library's loader is written for files of its own. So nothing reaches it but what was rebuilt
from values that were checked here: known keys, lists of one length, children that lie behind their
parent and have no other, columns that there are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import cached_property

import numpy as np

from models.frozen.container import read_object, refused
from pipeline.core.errors import StudyError

MOST_TREES, MOST_NODES = 20_000, 2_000_000

#: Lists of a tree for columns of categories, which this project does not use.
_OF_CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
_ROOT = 2147483647
"""Parent of the first node, as the library writes it."""
_LARGEST = float(np.finfo(np.float32).max)
_NUMBER = re.compile(r"\[?[0-9]{1,3}(\.[0-9]{1,20})?(E[+-]?[0-9]{1,3})?\]?")
"""A base score as the library writes it."""


class BoostedTrees:
    """Trees of XGBoost that were checked.

    Parameters
    ----------
    data : bytes
        The library's JSON.
    columns : int
        Columns of the rows.
    where : str
        Name of the member, for errors.

    Raises
    ------
    StudyError
        If it is anything but a binary classifier of trees over these columns.
    """

    def __init__(self, data: bytes, columns: int, where: str) -> None:
        self.columns = columns
        self.checked = _checked(read_object(data, where), columns, where)

    @cached_property
    def _booster(self) -> object:
        from xgboost import Booster

        booster = Booster({"nthread": 1})
        booster.load_model(bytearray(json.dumps(self.checked).encode()))
        return booster

    def risk(self, Z: np.ndarray) -> np.ndarray:
        """Return the risk of each row of `Z`, shape (n_rows, n_columns)."""
        if not len(Z):
            return np.empty(0)
        found = self._booster.inplace_predict(np.ascontiguousarray(Z, dtype=np.float64))
        return np.asarray(found, dtype=np.float64).reshape(-1)


def own_json(booster: object) -> bytes:
    """Return the JSON of a fitted ``xgboost.Booster`` as a member, without names of columns."""
    model = json.loads(bytes(booster.save_raw("json")))
    model["learner"]["feature_names"] = model["learner"]["feature_types"] = []
    model["learner"]["attributes"] = {}
    return json.dumps(model, separators=(",", ":"), allow_nan=False).encode()


def _checked(model: object, columns: int, where: str) -> dict:
    """Return the model, rebuilt from values that were checked."""
    version = _at(model, "version")
    base = _at(model, "learner", "learner_model_param", "base_score")
    average = _at(model, "learner", "learner_model_param", "boost_from_average")
    trees = _at(model, "learner", "gradient_booster", "model", "trees")
    if not (_list_of(version, _whole) and len(version) == 3 and average in ("0", "1")):
        raise _refused("no version, or another way to begin", where)
    if not _is_probability(base):
        raise _refused("a base score that is no probability", where)
    if not isinstance(trees, list) or not 1 <= len(trees) <= MOST_TREES:
        raise _refused(f"no list of 1 to {MOST_TREES:,} trees", where)
    nodes = 0
    checked = []
    for number, tree in enumerate(trees):
        checked.append(_checked_tree(tree, number, columns, where))
        nodes += len(checked[-1]["left_children"])
        if nodes > MOST_NODES:
            raise _refused(f"more than {MOST_NODES:,} nodes", where)
    count = len(trees)
    booster = {
        "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(count)},
        "iteration_indptr": list(range(count + 1)),
        "tree_info": [0] * count,
        "trees": checked,
    }
    learner = {
        "attributes": {},
        "feature_names": [],
        "feature_types": [],
        "gradient_booster": {"model": booster, "name": "gbtree"},
        "learner_model_param": {
            "base_score": base,
            "boost_from_average": average,
            "num_class": "0",
            "num_feature": str(columns),
            "num_target": "1",
        },
        "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}},
    }
    expected = {"learner": learner, "version": version}
    if model != expected:
        raise _refused("other keys or parameters", where)
    return expected


def _checked_tree(tree: object, number: int, columns: int, where: str) -> dict:
    """Return a tree, rebuilt from lists that were checked."""
    what = f"tree {number}"
    lists = {name: _at(tree, name) for name in _OF_NODES}
    size = len(lists["left_children"]) if isinstance(lists["left_children"], list) else 0
    for name, is_one in _OF_NODES.items():
        if not size or not _list_of(lists[name], is_one) or len(lists[name]) != size:
            raise _refused(f"{name} of {what} is no list of {size} values", where)
    if any(lists["split_type"]) or not set(lists["default_left"]) <= {0, 1}:
        raise _refused(f"another kind of split in {what}", where)
    if not all(0 <= index < columns for index in lists["split_indices"]):
        raise _refused(f"a column that there is not, in {what}", where)
    pairs = list(zip(lists["left_children"], lists["right_children"], strict=True))
    if not is_tree(*map(np.array, zip(*pairs, strict=True))):
        raise _refused(f"{what} is no tree: a cycle, a loose end or a child of two parents", where)
    parents = [_ROOT] + [0] * (size - 1)
    for node, children in enumerate(pairs):
        for child in children:
            if child > 0:
                parents[child] = node
    sizes = {"num_deleted": "0", "num_feature": str(columns), "size_leaf_vector": "1"}
    expected = {
        **lists,
        **{name: [] for name in _OF_CATEGORIES},
        "id": number,
        "parents": parents,
        "tree_param": sizes | {"num_nodes": str(size)},
    }
    if tree != expected:
        raise _refused(f"other keys, sizes or parents in {what}", where)
    return expected


def _refused(found: str, where: str) -> StudyError:
    return refused(
        "The trees of XGBoost must be a binary classifier as the version that this software knows "
        "writes it",
        found,
        where,
        code="frozen-trees-unknown",
    )


def _at(value: object, *keys: str) -> object:
    """Return what stands in nested objects, None where anything on the way is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _list_of(value: object, is_one: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and all(map(is_one, value))


def _is_probability(text: object) -> bool:
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        return False
    return 0 < float(text.strip("[]")) < 1


def is_tree(left: np.ndarray, right: np.ndarray) -> bool:
    """Return whether children make one tree of all nodes, in which a child lies behind its parent.

    So every walk ends: a node is never met twice.

    Parameters
    ----------
    left, right : ndarray of int of shape (n_nodes,)
        Children of each node, -1 in both for a leaf.
    """
    inner = left != -1
    if not len(left) or (inner != (right != -1)).any():
        return False
    children = np.concatenate([left[inner], right[inner]])
    parents = np.tile(np.flatnonzero(inner), 2)
    if (children <= parents).any() or (children >= len(left)).any():
        return False
    return bool(np.array_equal(np.sort(children), np.arange(1, len(left))))


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _ROOT


def _number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and abs(value) <= _LARGEST
    )


#: Lists of a tree, one entry a node, and what tells that an entry is one.
_OF_NODES = {
    "base_weights": _number,
    "default_left": _whole,
    "left_children": _whole,
    "loss_changes": _number,
    "parents": _whole,
    "right_children": _whole,
    "split_conditions": _number,
    "split_indices": _whole,
    "split_type": _whole,
    "sum_hessian": _number,
}
