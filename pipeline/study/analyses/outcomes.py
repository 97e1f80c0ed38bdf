"""The analysis `outcomes`: groups compared by the clinical columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.core.problems import Problems
from pipeline.study.analyses.analysis import Analysis
from pipeline.study.options.analyses import Outcomes


def check_groups(config: Mapping[str, Any], problems: Problems) -> None:
    """Add that nothing says which groups are compared."""
    if config["outcomes"]["by"] is None and config["outcome"] is None:
        problems.add(
            "The analysis `outcomes` needs groups",
            found="neither `outcomes.by` nor `outcome`",
            where="config key outcomes.by",
            remedy="name a clinical column: `outcomes: {by: fracture}`; or define the outcome",
        )


OUTCOMES = Analysis(
    "outcomes",
    "groups compared by the clinical columns",
    rules=("describe_groups",),
    reads={
        "describe_groups": (
            *("unit", "outcomes", "outcome", "eligibility", "features", "evaluation.confidence"),
        ),
    },
    results=(
        *("outcomes/groups.parquet", "outcomes/cells.parquet", "outcomes/effects.parquet"),
        "outcomes/groups.json",
    ),
    options=Outcomes,
    description="how groups are compared, in the analysis outcomes",
    clinical_only=True,
    check=check_groups,
)
