"""The analysis `regression`: logistic, of clinical predictors, with nomogram and calculator."""

from __future__ import annotations

from pipeline.study.analyses.analysis import Analysis
from pipeline.study.sections.analyses import Regression
from pipeline.tables.handed_in_options import OUTCOME
from pipeline.tables.split_designs import OPTIONS as SPLIT

REGRESSION = Analysis(
    "regression",
    "logistic, of clinical predictors, with nomogram and calculator",
    rules=("regress",),
    reads={
        "regress": (
            *("seed", "mode", "title", "unit", "regression", *OUTCOME, "eligibility", "timing"),
            *("predictors", "features", "sites", "evaluation.confidence"),
            "evaluation.decision_curve",
            *(name for name in SPLIT if name != "split.folds"),
        ),
    },
    results=("regression",),
    options=Regression,
    description="how the analysis regression is done",
    reason="of the `predictors` up to `timing`; a split by a column parts fit and validation",
    clinical_only=True,
    needs_outcome=True,
)
