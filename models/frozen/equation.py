"""A frozen logistic model as an equation on natural units, which needs no software."""

from __future__ import annotations

from typing import NamedTuple

from models.frozen.natural_units import natural_units
from models.frozen.procedure import Procedure
from models.frozen.steps import MISSING

LINEAR = ("logistic", "linear_machine")


class Term(NamedTuple):
    """One column of an equation.

    Attributes
    ----------
    column : str
        A number's column; ``<column>=<level>`` is 1 for that level, else 0.
    coefficient : float
        Change of the log odds per unit.
    missing : float or None
        Value of the column where it is missing; None where other columns decide.
    """

    column: str
    coefficient: float
    missing: float | None


class Equation(NamedTuple):
    """log(risk / (1 - risk)) = intercept + sum of coefficient times value.

    Attributes
    ----------
    intercept : float
        Log odds where every column is 0.
    terms : tuple of Term
        Columns whose coefficient is not 0.
    """

    intercept: float
    terms: tuple[Term, ...]


def equation_of(procedure: Procedure) -> Equation | None:
    """Return the equation of a procedure; None where its risk is no such sum.

    Parameters
    ----------
    procedure : Procedure
        A logistic regression, or a support vector machine with a linear kernel and its sigmoid.
        With harmonised features it has another sum for each site, and none is given.
    """
    facts = procedure.classifier
    if facts["kind"] not in LINEAR or procedure.harmonisations:
        return None
    slope = facts.get("slope", 1.0)
    weights = slope * procedure.arrays["coefficient"]
    intercept = slope * facts["intercept"] + facts.get("offset", 0.0)
    terms, at = [], 0
    for block in procedure.blocks:
        own = weights[at : at + len(block.kept)]
        at += len(block.kept)
        learned = [block.arrays[name][block.kept] for name in ("center", "scale", "constant")]
        intercept, coefficients = natural_units(intercept, own, *learned)
        names = block.encoded
        missing = _when_missing(block)
        terms += [
            Term(names[place], float(coefficient), missing[names[place]])
            for place, coefficient in zip(block.kept, coefficients, strict=True)
            if coefficient
        ]
    return Equation(intercept, tuple(terms))


def _when_missing(block: object) -> dict[str, float | None]:
    """Return the value of each encoded column where its input is missing."""
    found: dict[str, float | None] = {}
    fill = block.arrays.get("fill")
    for one in block.inputs:
        for name in one.encoded:
            if name == f"{one.column}={MISSING}":
                found[name] = 1.0
            elif one.levels:
                found[name] = float(name == f"{one.column}={one.fill}")
            else:
                found[name] = None if fill is None else float(fill[len(found)])
    return found
