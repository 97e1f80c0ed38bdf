"""The analysis `prediction`: models of the outcome, from features and clinical predictors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.study.analyses.analysis import Analysis
from pipeline.study.model_families import MODEL_FAMILIES
from pipeline.tables.split_designs import OPTIONS as SPLIT
from pipeline.tables.split_designs import holds_out

#: From raw readings and clinical values to the numbers that a model sees.
_CHAIN = (
    *("selection.robustness", "selection.perturbations", "selection.ccc"),
    *("selection.wilcoxon", "selection.mrmr", "selection.clinical", "imputation", "scaling"),
)

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
    "learning_curve": (
        *("learning_curve.shares", "learning_curve.repeats", "learning_curve.search"),
    ),
    "ablate": (
        *("ablation.where", "ablation.search", "ablation.top", "ablation.single"),
        *("ablation.features", "ablation.blocks", "ablation.families", "ablation.steps"),
        *("ablation.seeds", "evaluation.confidence", "evaluation.bootstrap"),
    ),
}
"""Rule of one model -> what its stage reads besides."""

SEARCHING = {
    "nested": "nested",
    "optimism": "optimism",
    "learning_curve": "learning_curve",
    "ablate": "ablation",
}
"""Rule -> the section that says how its repetitions find their parameters."""

SEARCHED = {
    "fixed": (),
    "reduced": ("search.iterations", "search.reduced_iterations", "search.scoring"),
    "full": ("search.iterations", "search.scoring"),
}
"""How parameters are found -> the options that say so."""


def judged_models(models: Sequence[str], declared: str | None) -> list[str]:
    """Return the models of which one is that of the primary analysis: all, where a winner is.

    Parameters
    ----------
    models : sequence of str
        The option `models`.
    declared : str or None
        The option `primary.model`, None where no primary analysis is declared.
    """
    return list(models) if declared is None or declared not in models else [declared]


def control_options(config: Mapping[str, Any]) -> list[str]:
    """Return what the negative controls read besides; how they search they are told themselves."""
    return [name for name in added_value_options(config) if name != "nested.search"]


def added_value_options(config: Mapping[str, Any]) -> list[str]:
    """Return what the added value reads besides: of its model, and of the folds it is judged in."""
    names, declared = [], config["primary"]
    for name in judged_models(config["models"], declared and declared["model"]):
        names += MODEL_FAMILIES[name].own_options()
        names += [f"search.spaces.{name}"] * (name in config["search"]["spaces"])
    nested = declared is not None and declared["part"] == "nested"
    if nested or not holds_out(config["split"]["design"]):
        names += [*READ_BY_MODEL["nested"], "split.folds"]
    return names


PREDICTION = Analysis(
    "prediction",
    "models of the outcome",
    rules=(
        *("split", "select", "stability", "train", "evaluate", "references", "sensitivity"),
        *("added_value", "controls", "nested", "optimism", "learning_curve", "ablate"),
        *("oversampled_split", "site_validation"),
    ),
    reads={
        "split": ("seed", *SPLIT),
        "select": ("seed", "mode", "threads", *_CHAIN, "selection.permutations"),
        "stability": ("seed", "mode", "threads", *_CHAIN, "stability", "evaluation.confidence"),
        "winner": ("mode",),
        "evaluate": (
            *("seed", "mode", "primary", "evaluation.confidence", "evaluation.bootstrap"),
            *("evaluation.decision_curve", "evaluation.subgroups", "unit"),
        ),
        "sample_size": ("mode", "evaluation.expected_r2"),
        "missingness": (),
        "oversampled_split": (
            *("seed", "mode", "threads", *_CHAIN, "oversampling", "oversampled_split"),
            *("split.test_fraction", "split.folds", "search.iterations", "search.scoring"),
            "search.spaces",
        ),
        "site_validation": (
            *("seed", "mode", "threads", *_CHAIN, "oversampling", "site_validation"),
            *("evaluation.confidence", "evaluation.threshold_rule", "evaluation.threshold"),
            *("split.folds", "search.iterations", "search.scoring"),
        ),
        "references": (
            *("seed", "mode", "threads", "unit", *_CHAIN, "oversampling"),
            *("evaluation.confidence", "evaluation.threshold"),
        ),
        "added_value": (
            *(*FITTED, *SEARCHED["reduced"], "primary", "added_value", "evaluation.confidence"),
            *("evaluation.bootstrap", "evaluation.threshold_rule", "evaluation.threshold"),
        ),
        "controls": (
            *(*FITTED, *SEARCHED["reduced"], "unit", "primary", "controls.draws"),
            *("controls.search", "evaluation.confidence"),
            *("evaluation.threshold_rule", "evaluation.threshold"),
        ),
    },
    needs_outcome=True,
)
