"""Options of the order in which rows are selected and oversampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.transformers.chain_options import ChainOptions


@dataclass(frozen=True, kw_only=True)
class OrderOptions(ChainOptions):
    """What decides which rows a classifier learns from.

    Attributes
    ----------
    mode : {'rigorous', 'as_published'}
        Order of the steps.
    oversampling : str
        As the configuration names it.
    """

    mode: Literal["rigorous", "as_published"]
    oversampling: Literal["none", "adasyn_tomek", "smote"]
