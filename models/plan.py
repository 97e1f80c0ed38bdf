"""Count the models that a study will fit, from its configuration alone, before anything runs.

The numbers are upper bounds: a step of an ablation that has nothing to remove is not fitted, a
family of features that the study lacks neither, and a parameter space may hold fewer sets than the
search would draw. The logs of the stages state their own number once the tables are known.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from models.learning.options import ProcedureOptions
from models.learning.procedure import Procedure, parameter_sets
from models.repetitions.ablation_steps import ALL, CHAIN_STEPS, FILTERS, threshold_fits
from models.transformers.columns import Columns
from pipeline.core import command
from pipeline.core.sections import part_of, taken
from pipeline.study.analyses.prediction import judged_models
from pipeline.study.config import load_config
from pipeline.study.sections.added_value import AddedValue
from pipeline.study.sections.controls import Controls
from pipeline.study.sections.judging import Ablation, LearningCurve, Nested, Optimism, Primary
from pipeline.study.study import predicts
from pipeline.tables.features.feature_names import FILTER_FAMILIES
from pipeline.tables.split_designs import holds_out

#: Stages that fit models, in the order in which they run.
STAGES = ("train", "added_value", "controls", "nested", "optimism", "learning_curve", "ablate")

#: Of one extraction by the fast engine, of a vertebra (docs/extraction.md).
SECONDS_A_MASK = 0.3


@dataclass(frozen=True, kw_only=True)
class PlanOptions(ProcedureOptions):
    """Options on which the number of fits depends."""

    models: list[str]
    added_value: AddedValue = taken(AddedValue)
    controls: Controls = taken(Controls)
    nested: Nested = taken(Nested)
    optimism: Optimism = taken(Optimism)
    learning_curve: LearningCurve = taken(LearningCurve)
    ablation: Ablation = taken(Ablation)
    primary: Primary | None = taken(Primary)


def planned_fits(options: PlanOptions) -> dict[str, dict[str, int]]:
    """Return how many classifiers each stage fits at most.

    Parameters
    ----------
    options : PlanOptions
        What is read of a study.

    Returns
    -------
    dict of str to dict of str to int
        By stage of `STAGES`, the fits of each of its models.
    """
    nested, optimism, curve = options.nested, options.optimism, options.learning_curve
    dealt, judged = (
        nested.folds * nested.repeats,
        judged_models(options.models, options.primary and options.primary.model),
    )
    return {
        "train": {name: _of_one(name, options, "full") for name in options.models},
        "added_value": {name: _of_added_value(name, options) for name in judged},
        "controls": {name: _of_controls(name, options) for name in judged
                     if options.controls.kinds},
        "nested": {name: dealt * _of_one(name, options, nested.search)
                   for name in nested.models},
        "optimism": {name: 1 + optimism.resamples * _of_one(name, options, optimism.search)
                     for name in optimism.models},
        "learning_curve": {name: len(curve.shares) * curve.repeats
                           * _of_one(name, options, curve.search) for name in curve.models},
        "ablate": {name: _of_ablation(name, options) for name in options.ablation.models},
    }  # fmt: skip


def ablation_steps(options: Ablation) -> int:
    """Return how many steps an ablation has at most, the full model's among them."""
    families, steps = options.families, options.steps
    if steps == ALL:
        steps = list(CHAIN_STEPS)
    if options.where == "signature":
        steps = [name for name in steps if name not in FILTERS]
    families = FILTER_FAMILIES if families == ALL else families
    named = (*options.features, *options.blocks, *families, *steps)
    return 1 + options.top + options.single + len(named)


def _of_one(model: str, options: ProcedureOptions, search: str) -> int:
    """Return the fits of one run of the procedure; its columns do not matter to their number."""
    nothing = Columns(readers=(), model_reader=None, features=(), predictors=())
    parameters = {} if search == "fixed" else None
    return Procedure(model, nothing, options, search, parameters).planned_fits


def _of_added_value(model: str, options: PlanOptions) -> int:
    """Return the fits of the arms: two of them, and three where that of all is fitted again."""
    declared, nested, search = options.primary, options.nested, options.added_value.search
    if declared is None or declared.part != "nested":
        fewer = parameter_sets(search, options.search) < parameter_sets("full", options.search)
        return (3 if search == "reduced" and fewer else 2) * _of_one(model, options, search)
    first = 2 * _of_one(model, options, search) if nested.search == "fixed" else 0
    return first + 3 * nested.folds * nested.repeats * _of_one(model, options, nested.search)


def _of_controls(model: str, options: PlanOptions) -> int:
    """Return the fits of the true features and of each kind and draw, on every judged part."""
    controls, declared, nested = options.controls, options.primary, options.nested
    outer = declared is not None and declared.part == "nested"
    outer = outer or not holds_out(options.split.design)
    parts = nested.folds * nested.repeats if outer else 1
    tables = 1 + len(controls.kinds) * controls.draws
    return tables * parts * _of_one(model, options, controls.search)


def _of_ablation(model: str, options: PlanOptions) -> int:
    asked, split = options.ablation, options.split
    rule = options.evaluation.threshold_rule
    more = asked.seeds - 1 + threshold_fits(rule, asked.search, split.folds)
    # Without test rows every step is repeated in each outer fold.
    outer = 1 if holds_out(split.design) else options.nested.folds
    return outer * ablation_steps(asked) * (_of_one(model, options, asked.search) + more)


def described(options: PlanOptions) -> list[str]:
    """Return the planned fits as lines: a stage, then its models."""
    lines = []
    for stage, models in planned_fits(options).items():
        if models:
            shown = ", ".join(f"{name} {fits:,}" for name, fits in models.items())
            of = f" ({ablation_steps(options.ablation)} steps a model)" if stage == "ablate" else ""
            lines.append(f"{stage}{of}: {shown}")
    controls = options.controls
    if lines and controls.kinds:
        times = len(controls.kinds) * controls.draws
        lines.append(
            f"control_features (no fits): extracts every mask {times} times more, about "
            f"{SECONDS_A_MASK * times:.0f} s a mask with ge2025.yaml"
        )
    return lines


def main(options: argparse.Namespace) -> None:
    """Read the configuration, print the planned fits."""
    config = load_config(options.configfile)
    if predicts(config) and (lines := described(part_of(PlanOptions, config))):
        print("Fits of classifiers that the study asks for, at most:")
        print("\n".join(f"  {line}" for line in lines))


if __name__ == "__main__":
    arguments = command.parser("models.plan", __doc__)
    command.configfile_argument(arguments)
    command.run(main, arguments)
