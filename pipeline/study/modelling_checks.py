"""What the options of a prediction demand of one another: split, harmonisation, models, primary."""

from __future__ import annotations

from pipeline.core.mode_labels import is_leaking
from pipeline.core.problems import Problems, listing
from pipeline.tables.split_designs import holds_out


def check_split(split: dict, problems: Problems) -> None:
    """Add what a design of the split lacks, or names in vain."""
    rules = {
        "imported": "An imported split needs the clinical column that holds 'train' or 'test'",
        "temporal": "A temporal split needs the clinical column of relative days or of the order "
        "of enrolment",
        "by_site": "A split by site needs the clinical column that names the site",
    }
    if split["design"] in rules and split["column"] is None:
        problems.add(
            rules[split["design"]],
            where="config key split.column",
            remedy="name the column, with role `split` in the dictionary",
            code="split-column-unnamed",
        )
    if split["declared"] is not None and split["design"] != "imported":
        problems.add(
            "Only of an imported split is it declared how it parts the patients",
            found=f"declared: {split['declared']} with design: {split['design']}",
            where="config key split.declared",
            remedy="remove it; the design says it already",
            code="split-declared-not-imported",
        )
    if split["design"] == "by_site" and not split["test_sites"]:
        problems.add(
            "A split by site needs the sites to hold out",
            where="config key split.test_sites",
            remedy="list at least one, as the column spells it",
            code="split-sites-unnamed",
        )


def check_harmonisation(config: dict, problems: Problems) -> None:
    """Add what keeps features from being harmonised as the configuration asks."""
    options, split = config["harmonisation"], config["split"]
    if options["method"] == "none":
        return
    if config["clinical_only"] or "prediction" not in config["analyses"]:
        problems.add(
            "What is harmonised between sites are the radiomic features of a prediction",
            found=f"method: {options['method']} in a study without them",
            where="config key harmonisation.method",
            remedy="write `harmonisation: {method: none}`",
            code="harmonisation-without-features",
        )
    if is_leaking(config["mode"]):
        problems.add(
            "The published order knows no harmonisation between sites",
            found="mode: as_published",
            where="config key harmonisation.method",
            remedy="write `mode: rigorous`, or `harmonisation: {method: none}`",
            code="harmonisation-as-published",
        )
    if split["design"] == "by_site":
        problems.add(
            "Features of a site that is held out cannot be harmonised: it has no training patient",
            found=f"design: by_site with method: {options['method']}",
            where="config key harmonisation.method",
            remedy="write `harmonisation: {method: none}`, which validates on another hospital as "
            "it is, or another `split.design`, and `site_validation` (docs/sites.md)",
            code="harmonisation-of-held-out-site",
        )


def check_no_hold_out(config: dict, problems: Problems) -> None:
    """Add what leaves a study without test rows without honest figures."""
    nested, ablation = config["nested"], config["ablation"]
    missing = [] if nested["models"] == "all" else config["models"]
    missing = [name for name in missing if name not in nested["models"]]
    if missing:
        problems.add(
            "Without held-out patients every model must be judged by nested cross-validation",
            found=f"not {listing(missing)}",
            where="config key nested.models",
            remedy="write `nested: {models: all}`, or hold patients out by another `split.design`",
            code="no-hold-out-models-not-nested",
        )
    if nested["search"] == "fixed":
        problems.add(
            "Without held-out patients every outer fold must search its own parameters: those of "
            "the final model have seen every patient",
            found="fixed",
            where="config key nested.search",
            remedy="write `nested: {search: reduced}` or `full`",
            code="no-hold-out-nested-fixed",
        )
    if ablation["models"] and ablation["where"] == "signature":
        problems.add(
            "Without held-out patients an ablation must remove before the selection: the signature "
            "of the final model has seen every patient",
            found="signature",
            where="config key ablation.where",
            remedy="write `ablation: {where: before_selection}`, or `ablation: {models: []}`",
            code="no-hold-out-ablation-signature",
        )


def check_repeated_models(config: dict, problems: Problems) -> None:
    """Add the models that a stage is to repeat and the study does not train."""
    asked = {"ablated": "ablation", "cross-validated": "nested", "resampled": "optimism"}
    asked["oversampled before the split"] = "oversampled_split"
    asked["validated site by site"] = "site_validation"
    asked["given a learning curve"] = "learning_curve"
    if config["oversampled_split"]["models"] and config["oversampling"] == "none":
        problems.add(
            "Oversampling before the split can be shown of a study that oversamples only",
            found="oversampling: none",
            where="config key oversampled_split.models",
            remedy="write `oversampling: smote`, or `oversampled_split: {models: []}`",
            code="oversampled-split-without-oversampling",
        )
    for what, section in asked.items():
        names = config[section]["models"]
        if isinstance(names, str):
            continue
        extra = [name for name in names if name not in config["models"]]
        if not extra:
            continue
        problems.add(
            f"A model can only be {what} if it is trained",
            found=listing(extra),
            where=f"config key {section}.models",
            remedy=f"take from `models`: {listing(config['models'])}, or add it there",
            code="model-not-trained",
        )


def check_published_order(config: dict, problems: Problems) -> None:
    """Add the options that have no meaning beside `mode: as_published` in a prediction."""
    if not is_leaking(config["mode"]) or "prediction" not in config["analyses"]:
        return
    split, rule = config["split"], config["evaluation"]["threshold_rule"]
    if split["design"] not in ("holdout", "imported") or split["declared"] in ("temporal", "site"):
        declared = f", declared: {split['declared']}" if split["declared"] else ""
        problems.add(
            "The published order divides patients 7:3 and has no part held out by time or site",
            found=f"split.design: {split['design']}{declared}",
            where="config key mode",
            remedy="write `mode: rigorous`, or take the design holdout, or imported as drawn at "
            "random",
            code="as-published-split",
        )
    if rule != "fixed":
        problems.add(
            "The published order calls an event at a fixed threshold: out-of-fold predictions "
            "that know synthetic relatives cannot choose one",
            found=rule,
            where="config key evaluation.threshold_rule",
            remedy="write `protocol: ge2025`, or `threshold_rule: fixed`",
            code="as-published-threshold",
        )
    if config["selection"]["ccc"]["within_level"]:
        problems.add(
            "The published order measures agreement over all vertebral levels together",
            found="true",
            where="config key selection.ccc.within_level",
            remedy="write false, or `mode: rigorous`",
            code="as-published-within-level",
        )
    repeated = {"nested": "Nested cross-validation", "optimism": "The correction for optimism"}
    for section, what in repeated.items():
        if config[section]["models"] and config[section]["search"] == "fixed":
            problems.add(
                f"{what} must search its own parameters beside `mode: as_published`: those of the "
                "final model have seen every row",
                found="fixed",
                where=f"config key {section}.search",
                remedy="write `search: reduced` or `search: full`, or `models: []`",
                code="as-published-search-fixed",
            )


def check_primary(config: dict, problems: Problems) -> None:
    """Add what keeps the primary analysis that a study declares from being made."""
    declared = config["primary"]
    if declared is None:
        return
    if config["outcome"] is None or "prediction" not in config["analyses"]:
        problems.add(
            "A primary analysis needs an outcome",
            where="config key outcome",
            remedy="state the outcome, or remove `primary`",
            code="primary-without-outcome",
        )
    model, nested = declared["model"], config["nested"]["models"]
    if model not in [*config["models"], "winner"]:
        problems.add(
            "The primary analysis must be that of a model that is trained",
            found=model,
            where="config key primary.model",
            remedy=f"take from `models`: {listing(config['models'])}, or write winner",
            code="primary-model-not-trained",
        )
    if not holds_out(config["split"]["design"]):
        if declared.get("part", "nested") == "test":
            problems.add(
                "Without held-out patients the primary analysis must be one by nested "
                "cross-validation",
                found="part: test",
                where="config key primary.part",
                remedy="write `part: nested`, or hold patients out by another `split.design`",
                code="no-hold-out-primary",
            )
        return
    if declared.get("part") != "nested":
        return
    judged = config["models"] if nested == "all" else nested
    if model not in judged and (model != "winner" or set(judged) != set(config["models"])):
        problems.add(
            "A primary analysis by nested cross-validation needs it for its model",
            found=model,
            where="config key nested.models",
            remedy="add the model there; for winner write `nested: {models: all}`",
            code="primary-model-not-nested",
        )
    if declared.get("metric", "auroc") not in ("auroc", "brier"):
        problems.add(
            "Nested cross-validation gives the metrics auroc and brier",
            found=declared["metric"],
            where="config key primary.metric",
            remedy="write one of them, or `part: test`",
            code="primary-metric-not-nested",
        )
