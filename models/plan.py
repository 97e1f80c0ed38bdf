"""Count the models that a study will fit, from its configuration alone, before anything runs.

The numbers are upper bounds: a step of an ablation that has nothing to remove is not fitted, a
family of features that the study lacks neither, and a parameter space may hold fewer sets than the
search would draw. The logs of the stages state their own number once the tables are known.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from models.learning.procedure import Procedure, parameter_sets
from models.repetitions.ablation_steps import ALL, CHAIN_STEPS, FILTERS, threshold_fits
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.study.analyses.prediction import judged_models
from pipeline.study.config import load_config
from pipeline.study.study import predicts
from pipeline.tables.features.feature_names import FILTER_FAMILIES
from pipeline.tables.split_designs import holds_out

#: Stages that fit models, in the order in which they run.
STAGES = ("train", "added_value", "controls", "nested", "optimism", "learning_curve", "ablate")

#: Of one extraction by the fast engine, of a vertebra (docs/extraction.md).
SECONDS_A_MASK = 0.3


def planned_fits(config: Mapping) -> dict[str, dict[str, int]]:
    """Return how many classifiers each stage fits at most.

    Parameters
    ----------
    config : mapping
        Resolved configuration.

    Returns
    -------
    dict of str to dict of str to int
        By stage of `STAGES`, the fits of each of its models; empty for a study without outcome.
    """
    if not predicts(config):
        return {stage: {} for stage in STAGES}
    nested, optimism = config["nested"], config["optimism"]
    curve = config["learning_curve"]
    dealt = nested["folds"] * nested["repeats"]
    return {
        "train": {name: _of_one(name, config, "full") for name in config["models"]},
        "added_value": {name: _of_added_value(name, config) for name in judged_models(config)},
        "controls": {name: _of_controls(name, config) for name in judged_models(config)
                     if config["controls"]["kinds"]},
        "nested": {name: dealt * _of_one(name, config, nested["search"])
                   for name in nested["models"]},
        "optimism": {name: 1 + optimism["resamples"] * _of_one(name, config, optimism["search"])
                     for name in optimism["models"]},
        "learning_curve": {name: len(curve["shares"]) * curve["repeats"]
                           * _of_one(name, config, curve["search"]) for name in curve["models"]},
        "ablate": {name: _of_ablation(name, config) for name in config["ablation"]["models"]},
    }  # fmt: skip


def ablation_steps(config: Mapping) -> int:
    """Return how many steps an ablation has at most, the full model's among them."""
    options = config["ablation"]
    families, steps = options["families"], options["steps"]
    if steps == ALL:
        steps = list(CHAIN_STEPS)
    if options["where"] == "signature":
        steps = [name for name in steps if name not in FILTERS]
    families = FILTER_FAMILIES if families == ALL else families
    named = (*options["features"], *options["blocks"], *families, *steps)
    return 1 + options["top"] + options["single"] + len(named)


def _of_one(model: str, config: Mapping, search: str) -> int:
    """Return the fits of one run of the procedure; its columns do not matter to their number."""
    nothing = Columns(readers=(), model_reader=None, features=(), predictors=())
    parameters = {} if search == "fixed" else None
    return Procedure(model, nothing, config, search, parameters).planned_fits


def _of_added_value(model: str, config: Mapping) -> int:
    """Return the fits of the arms: two of them, and three where that of all is fitted again."""
    declared, nested = config["primary"], config["nested"]
    search = config["added_value"]["search"]
    if declared is None or declared["part"] != "nested":
        fewer = parameter_sets(search, config) < parameter_sets("full", config)
        return (3 if search == "reduced" and fewer else 2) * _of_one(model, config, search)
    first = 2 * _of_one(model, config, search) if nested["search"] == "fixed" else 0
    return first + 3 * nested["folds"] * nested["repeats"] * _of_one(
        model, config, nested["search"]
    )


def _of_controls(model: str, config: Mapping) -> int:
    """Return the fits of the true features and of each kind and draw, on every judged part."""
    options, declared, nested = config["controls"], config["primary"], config["nested"]
    outer = (declared is not None and declared["part"] == "nested") or not holds_out(
        config["split"]
    )
    parts = nested["folds"] * nested["repeats"] if outer else 1
    tables = 1 + len(options["kinds"]) * options["draws"]
    return tables * parts * _of_one(model, config, options["search"])


def _of_ablation(model: str, config: Mapping) -> int:
    options = config["ablation"]
    rule, folds = config["evaluation"]["threshold_rule"], config["split"]["folds"]
    more = options["seeds"] - 1 + threshold_fits(rule, options["search"], folds)
    # Without test rows every step is repeated in each outer fold.
    outer = 1 if holds_out(config["split"]) else config["nested"]["folds"]
    return outer * ablation_steps(config) * (_of_one(model, config, options["search"]) + more)


def described(config: Mapping) -> list[str]:
    """Return the planned fits as lines: a stage, then its models."""
    lines = []
    for stage, models in planned_fits(config).items():
        if models:
            shown = ", ".join(f"{name} {fits:,}" for name, fits in models.items())
            of = f" ({ablation_steps(config)} steps a model)" if stage == "ablate" else ""
            lines.append(f"{stage}{of}: {shown}")
    options = config["controls"]
    if lines and options["kinds"]:
        times = len(options["kinds"]) * options["draws"]
        lines.append(
            f"control_features (no fits): extracts every mask {times} times more, about "
            f"{SECONDS_A_MASK * times:.0f} s a mask with ge2025.yaml"
        )
    return lines


def main(options: argparse.Namespace) -> None:
    """Read the configuration, print the planned fits."""
    config = load_config(options.configfile)
    if lines := described(config):
        print("Fits of classifiers that the study asks for, at most:")
        print("\n".join(f"  {line}" for line in lines))


if __name__ == "__main__":
    arguments = command.parser("models.plan", __doc__)
    command.configfile_argument(arguments)
    command.run(main, arguments)
