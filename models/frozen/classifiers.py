"""Classifiers computed from plain numbers: what each family's ``predict_proba`` gives.

Logistic regression, support vector machine, forest and TabNet are computed here with numpy, so that
no library's own loader reads a stranger's file. XGBoost's trees are its own JSON, which is checked
(`models.frozen.boosted_trees`) before the library computes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from scipy.special import expit

Arrays = Mapping[str, np.ndarray]

#: Scale of the sum of a gated layer and what it adds: the root of 1/2 in single precision, as the
#: networks were trained.
HALF = float(np.sqrt(np.float32(0.5)))


def constant(Z: np.ndarray, facts: Mapping, arrays: Arrays) -> np.ndarray:
    """Return the same risk for every row: nothing was selected."""
    return np.full(len(Z), float(facts["risk"]))


def logistic(Z: np.ndarray, facts: Mapping, arrays: Arrays) -> np.ndarray:
    """Return the risks of a logistic regression: ``coefficient`` (n_columns,) and an intercept."""
    return expit(Z @ arrays["coefficient"] + facts["intercept"])


def linear_machine(Z: np.ndarray, facts: Mapping, arrays: Arrays) -> np.ndarray:
    """Return the risks of a support vector machine with a linear kernel.

    Its decision value is ``coefficient`` (n_columns,) times the row, plus ``intercept``; the
    sigmoid turns ``slope`` times the value, plus ``offset``, into a risk.
    """
    return _sigmoid(Z @ arrays["coefficient"] + facts["intercept"], facts)


def radial_machine(Z: np.ndarray, facts: Mapping, arrays: Arrays) -> np.ndarray:
    """Return the risks of a support vector machine with a radial kernel.

    Its decision value is the sum of ``weight`` (n_vectors,) times exp(-gamma d2), plus
    ``intercept``; d2 is the squared distance to each of ``vectors`` (n_vectors, n_columns).
    """
    vectors = arrays["vectors"]
    squares = (Z**2).sum(axis=1)[:, None] + (vectors**2).sum(axis=1) - 2 * Z @ vectors.T
    kernel = np.exp(-facts["gamma"] * np.maximum(squares, 0.0))
    return _sigmoid(kernel @ arrays["weight"] + facts["intercept"], facts)


def _sigmoid(value: np.ndarray, facts: Mapping) -> np.ndarray:
    return expit(facts["slope"] * value + facts["offset"])


def forest(Z: np.ndarray, facts: Mapping, arrays: Arrays) -> np.ndarray:
    """Return the risks of a random forest: the mean of the leaves' shares of events.

    Tree i has the nodes from ``begin`` (n_trees + 1,) i to i + 1. A row starts at the first of them
    and goes to ``left`` where its ``column``, in single precision, is at most ``threshold``, else
    to ``right``, both counted from the tree's first node; a leaf has -1 there, and ``share``.
    """
    # The library compares single precision with thresholds of double precision.
    Z = Z.astype(np.float32)
    begin = arrays["begin"]
    total = np.zeros(len(Z))
    every = np.arange(len(Z))
    for first, end in pairwise(begin):
        left, right, column, threshold = (
            arrays[name][first:end] for name in ("left", "right", "column", "threshold")
        )
        at = np.zeros(len(Z), dtype=np.int64)
        while (inner := left[at] >= 0).any():
            rows, node = every[inner], at[inner]
            goes_left = Z[rows, column[node]].astype(np.float64) <= threshold[node]
            at[rows] = np.where(goes_left, left[node], right[node])
        total += arrays["share"][first:end][at]
    return total / (len(begin) - 1)


def tabnet(Z: np.ndarray, facts: Mapping, arrays: Arrays) -> np.ndarray:
    """Return the risks of a TabNet [1]_, its batch normalisations folded into the layers.

    ``input_scale`` and ``input_shift`` (n_columns,) normalise a row. A layer is a matrix
    ``<layer>_weight`` (n_out, n_in) and ``<layer>_shift`` (n_out,); ``split0, split1, ...`` come
    before the first step, step s has ``attention<s>`` and ``step<s>_0, step<s>_1, ...``;
    ``final_weight`` (2, n_d) gives the log odds of both outcomes.

    References
    ----------
    .. [1] Arik SO, Pfister T. TabNet: attentive interpretable tabular learning.
       AAAI 2021;35:6679-6687.
    """
    n_d, gamma, steps, gated = (facts[name] for name in ("n_d", "gamma", "steps", "gated"))

    def linear(x: np.ndarray, layer: str) -> np.ndarray:
        return x @ arrays[f"{layer}_weight"].T + arrays[f"{layer}_shift"]

    def glu(x: np.ndarray, layer: str) -> np.ndarray:
        out = linear(x, layer)
        half = out.shape[1] // 2
        return out[:, :half] * expit(out[:, half:])

    def through(x: np.ndarray, name: str) -> np.ndarray:
        out = glu(x, f"{name}0")
        for number in range(1, gated):
            out = (out + glu(out, f"{name}{number}")) * HALF
        return out

    # The networks were trained on single precision.
    x = Z.astype(np.float32).astype(np.float64)
    x = x * arrays["input_scale"] + arrays["input_shift"]
    prior, decision = np.ones_like(x), np.zeros((len(x), n_d))
    attention = through(x, "split")[:, n_d:]
    for step in range(steps):
        mask = sparsemax(linear(attention, f"attention{step}") * prior)
        prior = (gamma - mask) * prior
        out = through(mask * x, f"step{step}_")
        decision += np.maximum(out[:, :n_d], 0.0)
        attention = out[:, n_d:]
    logits = decision @ arrays["final_weight"].T
    return expit(logits[:, 1] - logits[:, 0])


def sparsemax(values: np.ndarray) -> np.ndarray:
    """Return the projection of each row onto the simplex [1]_.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)

    References
    ----------
    .. [1] Martins AFT, Astudillo RF. From softmax to sparsemax. ICML 2016;48:1614-1623.
    """
    ordered = -np.sort(-values, axis=1)
    sums = np.cumsum(ordered, axis=1)
    counts = np.arange(1, values.shape[1] + 1)
    support = (1 + counts * ordered > sums).sum(axis=1)
    threshold = (sums[np.arange(len(values)), support - 1] - 1) / support
    return np.maximum(values - threshold[:, None], 0.0)
