"""Section on ablation: what a model loses without a part of its input or of its procedure."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Figure, Folded, Items, Paragraph, Section, Table
from pipeline.reporting.figures.ablation import ablation_figure, ablation_models_figure
from pipeline.reporting.judged_rows import JudgedRows
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Ablation, Results, judged, metric
from pipeline.reporting.sections.prediction.models import model_labels, notes_of_models
from pipeline.reporting.sections.prediction.selection import NO_OUTCOME, feature_names
from pipeline.reporting.wording import (
    NO_VALUE,
    SIGNED,
    UNIT,
    Bounds,
    count,
    interval,
    number,
    plural,
)
from pipeline.reporting.words.ablation_words import (
    GROUPS,
    figure_label,
    group_title,
    parameters_text,
    step_label,
)

#: Steps that mean the same for every model, whatever features it finds important.
_COMPARABLE = ("full", "named", "block", "family", "chain")


def ablation_section(results: Results) -> Section:
    """Build the section on refits without parts of the input or of the procedure."""
    title = "Ablation"
    if results.modelling is None:
        return Section("ablation", title, absent=NO_OUTCOME)
    ablations = results.modelling.ablation
    if not ablations and results["ablation.models"]:
        return Section("ablation", title, absent="No model could be ablated; the summary says why.")
    if not ablations:
        return Section("ablation", title, absent="The configuration asks for no ablation.")
    labels = {name: model_labels(results).get(name, name) for name in ablations}
    blocks: list[Block] = [Paragraph(_introduction(results))]
    if len(ablations) > 1:
        blocks += _models_blocks(results, labels)
    notes: dict[str, list[str]] = {}
    for name, ablation in ablations.items():
        blocks += _ablation_blocks(results, name, labels[name], ablation)
        for note in ablation.info["notes"]:
            notes.setdefault(note, []).append(labels[name])
    blocks.append(Items(notes_of_models(notes, len(ablations))))
    return Section("ablation", title, blocks)


def _introduction(results: Results) -> str:
    way = {
        "before_selection": "Each step takes candidates away before the selection, or leaves out a "
        "step of the procedure, and fits everything again, so that other candidates may replace "
        "what is gone.",
        "signature": "Each step takes columns out of the signature of the full model, or leaves "
        "out a step of the preparation, and fits the classifier again. Nothing steps in for what "
        "is gone.",
    }
    return (
        "What does a model lose without a part of its input or of its procedure? "
        f"{way[results['ablation.where']]} {order_words(results).ablation}"
    )


def _ablation_blocks(results: Results, name: str, label: str, ablation: Ablation) -> list[Block]:
    table, info = ablation.table, ablation.info
    names = feature_names(results)
    how = parameters_text(info)
    level = f"{100 * info['confidence']:g}%"
    done = table[table["auroc"].notna()]
    steps = done[done["kind"] != "full"]
    blocks: list[Block] = []
    if len(steps):
        full = done.iloc[0]
        drawn = pd.DataFrame(
            {
                "group": steps["kind"].map(group_title),
                "step": steps["step"],
                "label": [figure_label(row, names) for row in steps.itertuples()],
                "n_features": steps["n_features"],
                "delta": steps["delta"],
                "delta_low": steps["delta_low"],
                "delta_high": steps["delta_high"],
                "repeats": steps["same_as"] != "",
            }
        )
        described = "; ".join(
            f"{step_label(row, names, detail=False)}: "
            f"{interval(row.delta, row.delta_low, row.delta_high, bounds=SIGNED)}"
            for row in steps.itertuples()
        )
        blocks.append(
            Figure(
                name=f"ablation-{name}",
                svg=ablation_figure(
                    drawn, ablation.seeds, f"ablation-{name}", level, judged(results).on
                ),
                alt=f"Change of the AUROC of {label} by ablation step. {described}.",
                caption=f"{label}: change of the AUROC in each step, against "
                f"{number(full['auroc'], bounds=UNIT)} with all input "
                f"({plural(int(full['n_features']), 'column')}), with {level} intervals."
                f"{_another_fit(results, name, full['auroc'], info['seeds'])} "
                "Left of the dashed line the step does worse. Small dots: fits with single seeds. "
                f"Hollow: the step ends in the same signature as an earlier one. {how}",
            )
        )
    blocks.append(_steps_table(name, label, ablation, names, how, judged(results)))
    remarks = _remarks(table, names)
    if remarks:
        summary = f"{plural(len(remarks), 'remark')} on single steps of {label}"
        blocks.append(Folded(summary, [Items(remarks)]))
    return blocks


def _another_fit(results: Results, name: str, auroc: float, seeds: int) -> str:
    """Say why the model with all input has another AUROC here than where models are compared."""
    row = metric(results, name, "auroc")
    here = number(auroc, bounds=UNIT)
    if row is None or number(row["value"], bounds=UNIT) in (here, NO_VALUE):
        return ""
    refits = f"averaged over {count(seeds)} seeds" if seeds > 1 else "with another seed"
    return (
        f" Here the model was fitted again, {refits}; the fit that the performance section judges "
        f"reached {number(row['value'], bounds=UNIT)}."
    )


def _remarks(table: pd.DataFrame, names: dict[str, str]) -> list[str]:
    """Return what is to be said about single steps, those that were not done first."""
    ordered = table.sort_values("auroc", key=lambda values: values.notna(), kind="stable")
    remarks = []
    for row in ordered.itertuples():
        # The table of the steps tells of equal signatures in words.
        note = row.note.removeprefix(f"Same signature as in step {row.same_as}.").strip()
        if note:
            remarks.append(f"{step_label(row, names, detail=False)}: {note}")
    return remarks


def _steps_table(
    name: str, label: str, ablation: Ablation, names: dict[str, str], how: str, on: JudgedRows
) -> Table:
    """Build the table of one model's steps: discrimination, then the confusion matrix."""
    table = ablation.table
    labels = {row.step: step_label(row, names, detail=False) for row in table.itertuples()}
    rows = [
        {
            "Step": step_label(row, names)
            + (f"\n(signature of: {labels[row.same_as]})" if row.same_as else ""),
            "Features": count(row.n_features),
            "AUROC": _two_lines(row.auroc, row.auroc_low, row.auroc_high, UNIT),
            "Change": NO_VALUE
            if row.kind == "full"
            else _two_lines(row.delta, row.delta_low, row.delta_high),
            "SD over\nseeds": number(row.auroc_sd),
            "Brier": number(row.brier, bounds=UNIT),
            "Thres-\nhold": number(row.threshold, bounds=UNIT),
            "TP\nFN": f"{count(row.tp)}\n{count(row.fn)}",
            "FP\nTN": f"{count(row.fp)}\n{count(row.tn)}",
            "Sens.\nSpec.": "\n".join(
                number(value, bounds=UNIT) for value in (row.sensitivity, row.specificity)
            ),
        }
        for row in table[table["auroc"].notna()].itertuples()
    ]
    columns = ["Step", "Features", "AUROC", "Change", "SD over\nseeds", "Brier"]
    columns += ["Thres-\nhold", "TP\nFN", "FP\nTN", "Sens.\nSpec."]
    shown = pd.DataFrame(rows, columns=columns)
    of = on.units if on.part == "test" else f"{on.units} and outer folds"
    return Table(
        name=f"ablation-{name}",
        caption=f"Ablation of {label} {on.on}. Change: AUROC minus that with all input, "
        f"which was refitted too, paired over the same {of}. If the interval "
        "of the change includes 0, the change may be due to chance. Features are removed in the "
        "order of their importance; lines without several of them are cumulative. TP, "
        "FN, FP, TN: true and false positives and negatives at the threshold of the step. "
        f"{how}",
        shown=shown,
        raw=table,
        numeric=tuple(columns[1:]),
    )


def _models_blocks(results: Results, labels: dict[str, str]) -> list[Block]:
    """Build what sets the models beside each other: the steps that mean the same for all."""
    ablations, names = results.modelling.ablation, feature_names(results)
    joined = pd.concat([ablation.table for ablation in ablations.values()], ignore_index=True)
    kept = joined[joined["kind"].isin(_COMPARABLE) & joined["auroc"].notna()]
    first = kept.drop_duplicates("step").copy()
    # A step that one model could not do stays in the place that the others give it.
    first["order"] = first["kind"].map(list(GROUPS).index)
    first = first.sort_values("order", kind="stable")
    cells = {(row.model, row.step): row for row in kept.itertuples()}
    rows = []
    for step in first.itertuples():
        row = {"Step": step_label(step, names)}
        for name, label in labels.items():
            cell = cells.get((name, step.step))
            if cell is None:
                row[label] = NO_VALUE
            elif step.kind == "full":
                row[label] = _two_lines(cell.auroc, cell.auroc_low, cell.auroc_high, UNIT)
            else:
                row[label] = _two_lines(cell.delta, cell.delta_low, cell.delta_high)
        rows.append(row)
    some = next(iter(ablations.values())).info
    how = parameters_text({**some, "threshold_source": None, "fits": joined_fits(ablations)})
    shown = pd.DataFrame(rows, columns=["Step", *labels.values()])
    blocks: list[Block] = []
    steps = first[first["kind"] != "full"]
    if len(steps):
        drawn = pd.DataFrame(
            {
                "group": steps["kind"].map(group_title),
                "step": steps["step"],
                "label": [figure_label(row, names) for row in steps.itertuples()],
            }
        )
        blocks.append(
            Figure(
                name="ablation-models",
                svg=ablation_models_figure(
                    drawn, kept, labels, "ablation-models", judged(results).on
                ),
                alt="Change of the AUROC by ablation step for each model; the numbers stand in "
                "the table of the same name.",
                caption="Change of the AUROC in the steps that mean the same for every model. "
                f"Left of the dashed line the step does worse. {how}",
            )
        )
    blocks.append(
        Table(
            name="ablation-models",
            caption="Ablation of all models: AUROC with all input, then its change in each step "
            f"that means the same for every model. {how}",
            shown=shown,
            raw=joined,
            numeric=tuple(labels.values()),
        )
    )
    return blocks


def joined_fits(ablations: dict[str, Ablation]) -> int:
    """Return how many classifiers all ablations fitted together."""
    return sum(int(ablation.info["fits"]) for ablation in ablations.values())


def _two_lines(value: float, low: float, high: float, bounds: Bounds = SIGNED) -> str:
    return interval(value, low, high, bounds=bounds).replace(" (", "\n(")
