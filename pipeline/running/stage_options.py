"""Which options each stage reads: what of a configuration makes its jobs run again.

A rule lists exactly what its stage reads. An option that is read and not listed leaves an old
result under a new configuration; one that is listed and not read costs a job for nothing. A test
runs the stages and holds them to this table.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.core.mode_labels import is_leaking
from pipeline.tables.split_designs import OPTIONS as SPLIT

#: What ready feature tables call their columns, and which of them are features.
_READY = ("features", "columns", "not_features", "also_features", "aggregation", "unit")

#: From raw readings and clinical values to the numbers that a model sees.
_CHAIN = ("selection.ccc", "selection.wilcoxon", "selection.mrmr", "selection.clinical")
_CHAIN += ("imputation", "scaling")

#: Limits of what a CT has to be; the other checks are of masks.
_OF_CT = ("min_slices", "max_slice_spacing_mm", "max_slice_thickness_mm", "hu_range")

READ_BY: dict[str, tuple[str, ...]] = {
    "ingest": ("threads", "ingest", *(f"checks.{name}" for name in _OF_CT)),
    "masks": ("threads", "masks", "checks.min_voxels", "checks.border_is", "checks.region"),
    "agreement": ("threads", "agreement"),
    "reader_pages": ("agreement", "title"),
    "preflight_batch": ("preflight", "timing", "unit"),
    "preflight_study": (),
    "preflight_pages": ("on_bad_case",),
    "gate": ("on_bad_case",),
    "resample": ("threads", "extraction.engine"),
    "extract": (
        *("threads", "seed", "on_bad_case", "extraction.engine", "extraction.verify_fraction"),
    ),
    "verification": ("seed",),
    "gather": (),
    "gather_ready": _READY,
    "reproducibility": ("evaluation.confidence", "selection.ccc.threshold"),
    "join": (
        *(*_READY, "model_reader", "outcome", "eligibility", "timing", "predictors"),
        *SPLIT,
    ),
    "flow": (*_READY, "outcome", "eligibility"),
    "describe_groups": (
        *("unit", "outcomes", "outcome", "eligibility", "features", "evaluation.confidence"),
    ),
    "regress": (
        *("seed", "mode", "title", "unit", "regression", "outcome", "eligibility", "timing"),
        *("predictors", "features", "evaluation.confidence", "evaluation.decision_curve"),
        *(name for name in SPLIT if name != "split.folds"),
    ),
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
    "references": (
        *("seed", "mode", "threads", *_CHAIN, "oversampling"),
        *("evaluation.confidence", "evaluation.threshold"),
    ),
}
"""Rule -> the options that its stage reads, whatever the model."""

FITTED = ("seed", "mode", "threads", *_CHAIN, "oversampling")
"""What every fit of a model depends on."""

READ_BY_MODEL: dict[str, tuple[str, ...]] = {
    "train": ("interpretation",),
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

_SECTION = {"nested": "nested", "optimism": "optimism", "ablate": "ablation"}
"""Rule -> the section that says how its repetitions find their parameters."""

_SEARCHED = {
    "fixed": (),
    "reduced": ("search.iterations", "search.reduced_iterations", "search.scoring"),
    "full": ("search.iterations", "search.scoring"),
}


def read_by(rule: str, config: Mapping, model: str | None = None) -> list[str]:
    """Return the options that make a rule's jobs run again, with dots.

    Parameters
    ----------
    rule : str
        Name of the rule.
    config : mapping
        Resolved configuration: how a rule searches decides what else its stage reads.
    model : str, optional
        Of a rule of one model, which.

    Raises
    ------
    KeyError
        If no such rule is known.
    """
    if model is None:
        # The order of the published study oversamples before it looks at the folds.
        more = ["assumptions", "oversampling"] if rule == "select" and is_leaking(config) else []
        return [*READ_BY[rule], *more]
    names = [*FITTED, *READ_BY_MODEL[rule]]
    if model == "tabnet":
        names += ["tabnet", "device"]
    if rule == "sensitivity":  # parameters are those of the model, and no threshold is chosen
        return names
    search = config[_SECTION[rule]]["search"] if rule in _SECTION else "full"
    names += [*_SEARCHED[search], "evaluation.threshold_rule", "evaluation.threshold"]
    if search != "fixed":
        names += ["split.folds"] * (rule in _SECTION)
        names += [f"search.spaces.{model}"] * (model in config["search"]["spaces"])
    return names
