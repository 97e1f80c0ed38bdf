"""A logistic model as an equation on natural units, which needs no software.

The log odds of the risk are an intercept plus, of each column, a coefficient times its value as the
table holds it: centre and scale of the training rows are worked into both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.frozen.procedure import Procedure

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
        Value that stands for a missing one; None where a level is meant (the 0/1 columns of the
        level that replaces it), or where other columns decide.
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
    """
    facts = procedure.classifier
    if facts["kind"] not in LINEAR:
        return None
    slope, offset = facts.get("slope", 1.0), facts.get("offset", 0.0)
    weights = slope * procedure.arrays["coefficient"]
    intercept = slope * facts["intercept"] + offset
    terms, at = [], 0
    for block in procedure.blocks:
        own = weights[at : at + len(block.kept)]
        at += len(block.kept)
        arrays = {name: block.arrays[name][block.kept] for name in ("center", "scale", "constant")}
        own = np.where(arrays["constant"], 0.0, own / arrays["scale"])
        intercept -= float(own @ arrays["center"])
        numbers = {one.column for one in block.inputs if not one.levels}
        for place, coefficient in zip(block.kept, own, strict=True):
            name = block.encoded[place]
            if coefficient:
                fills = block.impute["kind"] == "fill" and name in numbers
                missing = float(block.arrays["fill"][place]) if fills else None
                terms.append(Term(name, float(coefficient), missing))
    return Equation(float(intercept), tuple(terms))
