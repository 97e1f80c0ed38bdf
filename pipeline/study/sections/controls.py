"""Section of the negative controls: features of the same scans whose voxels were mixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pipeline.core.sections import Rule, option
from pipeline.study.sections.fitting import Repetition

Kind = Annotated[
    Literal["shuffled_inside", "sampled_inside", "shuffled_outside", "sampled_outside"],
    Rule("a kind of control"),
]


@dataclass(frozen=True, kw_only=True)
class Controls:
    """Negative controls: how much is texture, how much shape, volume and density."""

    kinds: list[Kind] = option(
        [],
        "how voxels are mixed",
        "[] for none | shuffled_inside (the mask's voxels change places: shape and histogram stay) "
        "| sampled_inside (drawn with replacement from them) | shuffled_outside, sampled_outside "
        "(the same around the mask). Each kind extracts every mask `draws` times and fits the "
        "radiomic arm as often: 4 kinds x 5 draws of 856 scans and two readers take about 3 h of "
        "one core (0.3 s a mask), 0.4 GB on disk, and 20 searches of one family",
        remedy="write `controls: {kinds: [shuffled_inside, sampled_inside]}`, or [] for none",
        unique=True,
    )
    draws: int = option(
        5,
        "draws of each kind",
        "draws of each kind; each has a seed of its own, fixed by scan, case, reader and number",
        unit="draws",
        ge=5,
        le=100,
    )
    search: Repetition = option(
        "reduced",
        "how parameters are found for each draw, and for the true features beside them",
        "fixed (parameters of the final model, which favour the true features) | reduced | full",
    )
