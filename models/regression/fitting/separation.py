"""Separation: predictors that part the outcomes, so that a coefficient grows without limit.

References
----------
.. [1] Konis K. Linear programming algorithms for detecting separated data in binary logistic
   regression models. DPhil thesis, University of Oxford 2007.
.. [2] Albert A, Anderson JA. On the existence of maximum likelihood estimates in logistic
   regression models. Biometrika 1984;71:1-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from pipeline.core.errors import FitError, ProgramError
from pipeline.core.problems import listing

#: A direction that moves no linear predictor by more is none.
_TOLERANCE = 1e-7


class Separation(NamedTuple):
    """What separates the outcomes.

    Attributes
    ----------
    kind : {'none', 'quasi-complete', 'complete'}
        Complete where a linear predictor ranks every event above every other row [2]_;
        quasi-complete where some rows of both kinds tie.
    columns : tuple of str
        Columns whose coefficients have no finite maximum likelihood estimate.
    """

    kind: Literal["none", "quasi-complete", "complete"]
    columns: tuple[str, ...]


def find_separation(design: np.ndarray, outcome: np.ndarray, names: Sequence[str]) -> Separation:
    """Look for separation by linear programs [1]_, and name what it leaves without an estimate.

    Parameters
    ----------
    design : numpy.ndarray
        Shape (n, 1 + p), a column of ones first.
    outcome : numpy.ndarray
        Shape (n,), 0 or 1.
    names : sequence of str
        Names of the p columns behind the first.
    """
    sides = _sides(design, outcome)
    if not _parted(sides):
        return Separation("none", ())
    # How far the nearest row can lie on its side: where all reach farthest, one may lie at 0.
    nearest = _furthest(
        np.column_stack([sides, -np.ones(len(sides))]),
        np.r_[np.zeros(sides.shape[1]), 1.0],
        [*[(-1, 1)] * sides.shape[1], (0, None)],
    )[-1]
    endless = []
    for at, name in enumerate(names, 1):
        unit = np.zeros(design.shape[1])
        unit[at] = 1
        if any(abs(_furthest(sides, sign * unit)[at]) > _TOLERANCE for sign in (1, -1)):
            endless.append(name)
    return Separation("complete" if nearest > _TOLERANCE else "quasi-complete", tuple(endless))


def is_separated(design: np.ndarray, outcome: np.ndarray) -> bool:
    """Return whether the outcomes are separated, by one linear program; parameters as above."""
    return _parted(_sides(design, outcome))


def _parted(sides: np.ndarray) -> bool:
    direction = _furthest(sides, sides.sum(axis=0))
    return (sides @ direction).sum() > _TOLERANCE * len(sides)


def _sides(design: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return the scaled rows, each once, turned so that a predictor is positive on its own side."""
    scale = np.abs(design).max(axis=0)
    signs = np.where(np.asarray(outcome) == 1, 1.0, -1.0)
    return np.unique(design / np.where(scale > 0, scale, 1) * signs[:, None], axis=0)


def _furthest(sides: np.ndarray, objective: np.ndarray, bounds: object = (-1, 1)) -> np.ndarray:
    """Return the direction that goes farthest and leaves no row on the other side."""
    from scipy.optimize import linprog

    found = linprog(-objective, A_ub=-sides, b_ub=np.zeros(len(sides)), bounds=bounds)
    if found.status != 0:
        raise ProgramError(
            "A linear program that has a solution must be solved",
            found=found,
            code="linear-program-unsolved",
        )
    return found.x


def require_independent(design: np.ndarray, names: Sequence[str]) -> None:
    """Raise `FitError` if a column of the design is a sum of others, and name it.

    Parameters
    ----------
    design : numpy.ndarray
        Shape (n, 1 + p), a column of ones first.
    names : sequence of str
        Names of the p columns behind the first.
    """
    spread = np.sqrt((design**2).sum(axis=0))
    scaled = design / np.where(spread > 0, spread, 1)
    rank, spare = 0, []
    for at in range(design.shape[1]):
        new = np.linalg.matrix_rank(scaled[:, : at + 1], tol=1e-9 * np.sqrt(at + 1))
        if new == rank:
            spare.append(names[at - 1])
        rank = new
    if spare:
        raise FitError(
            "Each predictor must say something that those before it do not",
            found=f"{listing(spare)}: constant, or a sum of the columns before",
            where="the rows that the model is fitted to",
            remedy="leave such a predictor out, or join levels that hold no row",
            code="predictor-redundant",
        )
