"""The analysis `prediction`: models of the outcome, from features and clinical predictors."""

from __future__ import annotations

from pipeline.study.analyses.analysis import Analysis
from pipeline.tables.split_designs import OPTIONS as SPLIT

#: From raw readings and clinical values to the numbers that a model sees.
_CHAIN = ("selection.ccc", "selection.wilcoxon", "selection.mrmr", "selection.clinical")
_CHAIN += ("imputation", "scaling")

FITTED = ("seed", "mode", "threads", *_CHAIN, "oversampling")
"""What every fit of a model depends on."""

READ_BY_MODEL: dict[str, tuple[str, ...]] = {
    "train": (
        *("interpretation.permutations", "interpretation.shap"),
        *("interpretation.shap_rows", "interpretation.shap_background"),
    ),
    "sensitivity": ("evaluation.confidence",),
    "nested": ("nested.folds", "nested.repeats", "nested.search"),
    "optimism": ("optimism.resamples", "optimism.search"),
    "ablate": (
        *("ablation.where", "ablation.search", "ablation.top", "ablation.single"),
        *("ablation.features", "ablation.blocks", "ablation.families", "ablation.steps"),
        *("ablation.seeds", "evaluation.confidence", "evaluation.bootstrap"),
    ),
}
"""Rule of one model -> what its stage reads besides."""

SEARCHING = {"nested": "nested", "optimism": "optimism", "ablate": "ablation"}
"""Rule -> the section that says how its repetitions find their parameters."""

SEARCHED = {
    "fixed": (),
    "reduced": ("search.iterations", "search.reduced_iterations", "search.scoring"),
    "full": ("search.iterations", "search.scoring"),
}
"""How parameters are found -> the options that say so."""

PREDICTION = Analysis(
    "prediction",
    "models of the outcome",
    rules=(
        *("split", "select", "stability", "train", "evaluate", "references", "sensitivity"),
        *("nested", "optimism", "ablate", "oversampled_split"),
    ),
    reads={
        "split": ("seed", *SPLIT),
        "select": ("seed", "mode", "threads", *_CHAIN, "selection.permutations"),
        "stability": ("seed", "mode", "threads", *_CHAIN, "stability", "evaluation.confidence"),
        "winner": ("mode",),
        "evaluate": (
            *("seed", "mode", "primary", "evaluation.confidence", "evaluation.bootstrap"),
            *("evaluation.decision_curve",),
        ),
        "sample_size": ("mode", "evaluation.expected_r2"),
        "missingness": (),
        "oversampled_split": (
            *("seed", "mode", "threads", *_CHAIN, "oversampling", "oversampled_split"),
            *("split.test_fraction", "split.folds", "search.iterations", "search.scoring"),
            "search.spaces",
        ),
        "references": (
            *("seed", "mode", "threads", *_CHAIN, "oversampling"),
            *("evaluation.confidence", "evaluation.threshold"),
        ),
    },
    needs_outcome=True,
)
