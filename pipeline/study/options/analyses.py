"""What is asked of a study's tables besides prediction, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.core.sections import option

Analysis = Literal["prediction", "outcomes"]


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Comparison of groups by the clinical columns."""

    by: str | None = option(
        None,
        "clinical column of the groups",
        "clinical column of the groups, with levels in the dictionary; null: those with and "
        "without `outcome`",
        min_length=1,
    )
    normality: Literal["shapiro", "lilliefors"] = option(
        "shapiro",
        "test of normality of the rule",
        "shapiro | lilliefors: decides between mean and median, never seeing a P of the comparison",
    )
    small_cells: Literal["cochran", "textbook"] = option(
        "cochran",
        "rule of small expected counts",
        "cochran | textbook (n >= 40 and 1 <= E < 5: Yates; below: Fisher)",
    )
    adjust: Literal["none", "holm", "bh"] = option(
        "none",
        "correction of the P values for their number",
        "none | holm | bh (Benjamini and Hochberg): in a column beside them",
    )
