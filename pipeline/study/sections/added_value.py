"""Section of what radiomics adds to clinical data."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.sections import option
from pipeline.study.sections.fitting import Repetition


@dataclass(frozen=True, kw_only=True)
class AddedValue:
    """The model of the primary analysis, fitted to clinical, radiomic and all candidates."""

    search: Repetition = option(
        "full",
        "how parameters are found in an arm",
        "full: as the final model, which then is the arm of all candidates; it takes as "
        "long as training that model twice more | reduced | fixed (parameters of the final "
        "model, which favour it)",
    )
    risk: float | None = option(
        None,
        "predicted risk from which a patient would be treated",
        "predicted risk from which a patient would be treated, at which net benefit is stated; "
        "null: the share of events among the training patients",
        unit="probability",
        gt=0,
        lt=1,
    )
