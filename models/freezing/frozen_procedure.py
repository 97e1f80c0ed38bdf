"""A fitted procedure as members of a frozen model's file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.freezing.chain_arrays import write_blocks
from models.freezing.classifier_arrays import write_classifier
from models.frozen.procedure import Procedure, read_procedure
from models.learning.fitted_procedure import FittedModel


class Frozen(NamedTuple):
    """A procedure as members of a file.

    Attributes
    ----------
    facts : dict
        Its description.
    arrays : dict of str to ndarray
        By member.
    trees : dict of str to bytes
        XGBoost's own JSON, by member.
    procedure : Procedure
        The same, read back.
    """

    facts: dict
    arrays: dict[str, np.ndarray]
    trees: dict[str, bytes]
    procedure: Procedure

    @classmethod
    def read(
        cls, facts: dict, name: str, arrays: dict[str, np.ndarray], trees: dict[str, bytes]
    ) -> Frozen:
        """Return members with the procedure that is read back from them."""
        procedure = read_procedure(facts, name, trees, dict(arrays), name)
        return cls(facts, arrays, trees, procedure)


def write_procedure(fitted: FittedModel, name: str) -> Frozen:
    """Write a fitted procedure as plain numbers.

    Parameters
    ----------
    fitted : FittedModel
        Selection and classifier.
    name : str
        ``procedure``, or ``refit0`` and so on: begins the names of members.
    """
    blocks = write_blocks(fitted.chain, fitted.columns)
    classifier = write_classifier(fitted.model, fitted.fit.estimator)
    facts = {"blocks": [block.facts for block in blocks], "classifier": classifier.facts}
    arrays = {
        f"arrays/{name}.block{number}.{path}.npy": values
        for number, block in enumerate(blocks)
        for path, values in block.arrays.items()
    }
    arrays |= {
        f"arrays/{name}.classifier.{path}.npy": values for path, values in classifier.arrays.items()
    }
    trees = {} if classifier.trees is None else {f"trees/{name}.json": classifier.trees}
    return Frozen.read(facts, name, arrays, trees)
