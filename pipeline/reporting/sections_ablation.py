"""Section on ablation: what a model loses without a part of its input."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Figure, Items, Paragraph, Section, Table
from pipeline.reporting.figures import ACCENT, INK, WARM
from pipeline.reporting.figures_models import forest_figure
from pipeline.reporting.results import Ablation, Results
from pipeline.reporting.sections_models import model_labels, notes_of_models
from pipeline.reporting.sections_selection import NO_OUTCOME, feature_names, printed_feature
from pipeline.reporting.wording import NO_VALUE, count, interval, number, plural


def ablation_section(results: Results) -> Section:
    """Build the section on refits without parts of the input."""
    title = "Ablation"
    if results.modelling is None:
        return Section("ablation", title, absent=NO_OUTCOME)
    if not results.modelling.ablation:
        return Section("ablation", title, absent="The configuration asks for no ablation.")
    labels = model_labels(results)
    blocks: list[Block] = [
        Paragraph(
            "What does a model lose without a part of its input? Each step takes features away "
            "before selection and fits everything again, so that others may step in for them. "
            "Which features count as the highest follows from the training rows."
        )
    ]
    notes: dict[str, list[str]] = {}
    for name, ablation in results.modelling.ablation.items():
        blocks += _ablation_blocks(results, name, labels.get(name, name), ablation)
        for note in ablation.info["notes"]:
            notes.setdefault(note, []).append(labels.get(name, name))
    blocks.append(Items(notes_of_models(notes, len(results.modelling.ablation))))
    return Section("ablation", title, blocks)


def _ablation_blocks(results: Results, name: str, label: str, ablation: Ablation) -> list[Block]:
    table, info = ablation.table, ablation.info
    labels = feature_names(results)
    level = f"{100 * results['evaluation.confidence']:g}%"
    done = table[table["auroc"].notna()]
    drawn = pd.DataFrame(
        {
            "label": [_step_label(step) for step in done["step"]],
            "value": done["auroc"],
            "low": done["auroc_low"],
            "high": done["auroc_high"],
        }
    )
    full = done.loc[done["step"] == "full", "auroc"]
    reference = float(full.iloc[0]) if len(full) else 0.5
    colours = [
        INK if step == "full" else ACCENT if step.startswith("top-") else WARM
        for step in done["step"]
    ]
    counts = "TP / FN\nFP / TN"
    rows = [
        {
            "Step": _step_with_feature(row.step, row.removed, labels),
            "Features": count(row.n_features),
            "AUROC": _two_lines(row.auroc, row.auroc_low, row.auroc_high),
            "Change": NO_VALUE
            if row.step == "full"
            else _two_lines(row.delta, row.delta_low, row.delta_high),
            "SD over\nseeds": number(row.auroc_sd),
            "Brier": number(row.brier),
            counts: f"{count(row.tp)} / {count(row.fn)}\n{count(row.fp)} / {count(row.tn)}",
            "Note": row.note if isinstance(row.note, str) else "",
        }
        for row in table.itertuples()
    ]
    shown = pd.DataFrame(rows)
    if not shown["Note"].any():
        shown = shown.drop(columns="Note")
    described = "; ".join(f"{row.label}: {number(row.value)}" for row in drawn.itertuples())
    blocks: list[Block] = []
    if len(drawn):
        blocks.append(
            Figure(
                name=f"ablation-{name}",
                svg=forest_figure(
                    drawn, f"ablation-{name}", "AUROC on the test rows", reference, colours
                ),
                alt=f"AUROC of {label} by ablation step. {described}.",
                caption=f"{label} refitted without parts of its input: AUROC on the test rows "
                f"with {level} intervals. Dashed: with all input.",
            )
        )
    blocks.append(
        Table(
            name=f"ablation-{name}",
            caption=f"Ablation of {label}. Change: AUROC minus that with all input, paired over "
            "the same test rows; all input was refitted too; predictions averaged over "
            f"{plural(_seeds(info), 'seed')}; {plural(int(info['fits']), 'fit')} in all. An "
            "interval of the change that holds 0 means that the test rows cannot tell the step "
            "from no change.",
            shown=shown,
            raw=table,
            numeric=("Features", "AUROC", "Change", "SD over\nseeds", "Brier", counts),
        )
    )
    return blocks


def _two_lines(value: float, low: float, high: float) -> str:
    return interval(value, low, high).replace(" (", "\n(")


def _seeds(info: dict) -> int:
    return len(info["seeds"]) if isinstance(info["seeds"], list) else int(info["seeds"])


def _step_label(step: str) -> str:
    if step == "full":
        return "All input"
    if step.startswith("top-"):
        amount = int(step.removeprefix("top-"))
        return "Without the highest feature" if amount == 1 else f"Without the {amount} highest"
    return f"Without all {step.removeprefix('without-')}" if step.startswith("without-") else step


def _step_with_feature(step: str, removed: object, labels: dict[str, str]) -> str:
    """Return a step's label; of the features removed in turn, over the one that it adds."""
    if not step.startswith("top-") or not isinstance(removed, str) or not removed:
        return _step_label(step)
    return f"{_step_label(step)}\n− {printed_feature(removed.split('|')[-1], labels)}"
