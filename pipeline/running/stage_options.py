"""Which options each stage reads: what of a configuration makes its jobs run again.

A rule lists exactly what its stage reads. An option that is read and not listed leaves an old
result under a new configuration; one that is listed and not read costs a job for nothing. A test
runs the stages and holds them to this table.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.core.mode_labels import is_leaking
from pipeline.study.analyses import ANALYSES
from pipeline.study.analyses.prediction import (
    FITTED,
    READ_BY_MODEL,
    SEARCHED,
    SEARCHING,
    added_value_options,
    control_options,
)
from pipeline.study.model_families import MODEL_FAMILIES
from pipeline.tables.handed_in_options import OUTCOME
from pipeline.tables.split_designs import OPTIONS as SPLIT
from pipeline.tables.split_designs import holds_out

#: What ready feature tables call their columns, and which of them are features.
_READY = ("features", "sites", "columns", "not_features", "also_features", "aggregation", "unit")

#: Limits of what a CT has to be; the other checks are of masks.
_OF_CT = ("min_slices", "max_slice_spacing_mm", "max_slice_thickness_mm", "hu_range")

#: What a fit of the selection reads of a harmonisation; covariates come with the analysis table.
_HARMONISER = ("reference", "tiny_site", "min_rows")

READ_BY: dict[str, tuple[str, ...]] = {
    "ingest": ("threads", "pack_volumes", "ingest", *(f"checks.{name}" for name in _OF_CT)),
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
    "control_features": (
        *("threads", "seed", "extraction.engine", "controls.kinds", "controls.draws"),
    ),
    "control_rows": (*OUTCOME, "eligibility", "aggregation", "unit"),
    "perturb": ("threads", "seed", "extraction.engine", "perturbations", "model_reader"),
    "robustness": (*("seed", "perturbations.reader", "model_reader", "selection.perturbations"),),
    "gather": (),
    "gather_ready": _READY,
    "reproducibility": ("evaluation.confidence", "selection.ccc.threshold"),
    "join": (
        *(*_READY, "model_reader", *OUTCOME, "eligibility", "timing", "predictors"),
        *(*SPLIT, "harmonisation.method"),
    ),
    "example_images": ("figures",),
    "flow": (*_READY, *OUTCOME, "eligibility"),
    **{rule: names for each in ANALYSES.values() for rule, names in each.reads.items()},
}
"""Rule -> the options that its stage reads, whatever the model."""


def _read_of_sites(rule: str, config: Mapping) -> list[str]:
    """Return what a stage reads besides of a harmonisation, and of a validation site by site."""
    fits = "scaling" in READ_BY[rule]  # the chain of selection
    if not fits and rule != "join":
        return []
    harmonised = config["harmonisation"]["method"] != "none"
    if rule == "join":
        return ["harmonisation.covariates"] * harmonised
    if rule != "site_validation":
        return [f"harmonisation.{name}" for name in _HARMONISER] * harmonised
    asked, spaces = config["site_validation"]["models"], config["search"]["spaces"]
    more = [name for each in asked for name in MODEL_FAMILIES[each].own_options()]
    more += [f"harmonisation.{name}" for name in _HARMONISER]
    more += ["harmonisation.unseen_site"] * harmonised
    more += [f"search.spaces.{name}" for name in asked if name in spaces]
    more += ["search.reduced_iterations"] * (config["site_validation"]["search"] == "reduced")
    return more


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
    return _asked(_read_by(rule, config, model), rule, config)


def _asked(names: list[str], rule: str, config: Mapping) -> list[str]:
    """Leave out how perturbations filter where the selection does not ask for them."""
    filters = "selection.perturbations"
    if rule == "robustness" or filters not in names:
        return names
    asked = config["selection"]["robustness"] != "readers"
    return names if asked else [name for name in names if name != filters]


def _read_by(rule: str, config: Mapping, model: str | None) -> list[str]:
    if model is None:
        # The order of the published study oversamples before it looks at the folds.
        more = (
            ["assumptions", "oversampling"]
            if rule == "select" and is_leaking(config["mode"])
            else []
        )
        more += _read_of_sites(rule, config)
        if rule == "references" and not holds_out(config["split"]["design"]):
            more += ["nested.folds", "nested.repeats"]
        if rule == "oversampled_split":
            asked = config["oversampled_split"]["models"]
            more += [name for each in asked for name in MODEL_FAMILIES[each].own_options()]
        if rule == "added_value":
            more += added_value_options(config)
        if rule == "controls":
            more += control_options(config)
        return list(dict.fromkeys([*READ_BY[rule], *more]))
    names = [*FITTED, *READ_BY_MODEL[rule], *MODEL_FAMILIES[model].own_options()]
    if config["harmonisation"]["method"] != "none":
        names += [f"harmonisation.{name}" for name in _HARMONISER]
    if rule == "sensitivity":  # parameters are those of the model, and no threshold is chosen
        return names
    search = config[SEARCHING[rule]]["search"] if rule in SEARCHING else "full"
    names += [*SEARCHED[search], "evaluation.threshold_rule", "evaluation.threshold"]
    if rule == "ablate" and search == "fixed" and not holds_out(config["split"]["design"]):
        names += ["split.folds"]  # of the thresholds of each outer fold
    if search != "fixed":
        names += ["split.folds"] * (rule in SEARCHING)
        names += [f"search.spaces.{model}"] * (model in config["search"]["spaces"])
    return names
