"""Options of a selection chain."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.sections import taken
from pipeline.study.sections.selecting import Imputation, Scaling, Selection
from pipeline.study.sections.sites import Harmonisation


@dataclass(frozen=True, kw_only=True)
class ChainOptions:
    """What a selection chain is built from.

    Attributes
    ----------
    seed : int
        Seed of the study, from which that of resampled patients derives.
    selection, imputation, harmonisation, scaling : section
        The configuration's sections of these names.
    """

    seed: int
    selection: Selection = taken(Selection)
    imputation: Imputation = taken(Imputation)
    harmonisation: Harmonisation = taken(Harmonisation)
    scaling: Scaling = taken(Scaling)
