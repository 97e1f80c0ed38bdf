"""The section on how the models were fitted: what the search tried and chose, and at what cost."""

from __future__ import annotations

import json

import pandas as pd

from pipeline.reporting.blocks import Block, Items, Section, Table
from pipeline.reporting.dropped import NO_MODEL
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results
from pipeline.reporting.sections.prediction.equations import equation_tables
from pipeline.reporting.sections.prediction.models import model_labels, notes_of_models
from pipeline.reporting.sections.prediction.selection import NO_OUTCOME
from pipeline.reporting.wording import NO_VALUE, UNIT, count, number, plural
from pipeline.reporting.words.nested_words import nested_name
from pipeline.study.model_families import MODEL_FAMILIES
from pipeline.tables.split_designs import holds_out


def hyperparameters_section(results: Results) -> Section:
    """Build the section on the search: what was tried and chosen, and at what cost."""
    title = "How the models were fitted"
    if results.modelling is None:
        return Section("fitting", title, absent=NO_OUTCOME)
    if not results.modelling.models:
        return Section("fitting", title, absent=NO_MODEL)
    rows, raw = [], []
    notes: dict[str, list[str]] = {}
    for name, model in results.modelling.models.items():
        info = model.info
        rows.append(
            {
                "Model": info["label"],
                "Chosen parameters": "\n".join(
                    f"{key}\u00a0=\u00a0{_setting(value)}"
                    for key, value in info["parameters"].items()
                )
                or NO_VALUE,
                "Cross-validated AUROC (SD)": f"{number(info['cv_auc'], bounds=UNIT)} "
                f"({number(info['cv_auc_sd'])})",
                "Sets tried": count(len(model.search)),
                "Fits": count(info["fits"]),
                "Time": f"{number(info['seconds'], 0)} s",
                "Device": f"{info['device']}, {plural(int(info['threads']), 'thread')}",
            }
        )
        raw.append(
            {
                # Without the seconds: the same study gives the same tables again.
                **{key: info[key] for key in ("model", "cv_auc", "cv_auc_sd", "fits")},
                **{
                    key: info[key]
                    for key in ("device", "threads", "seed", "threshold", "threshold_source")
                },
                "parameters": json.dumps(info["parameters"], sort_keys=True),
                "sets_tried": len(model.search),
                "features": "|".join(info["features"]),
                "name": name,
            }
        )
        for note in info["notes"]:
            notes.setdefault(note, []).append(info["label"])
    folds, labels = results["split.folds"], model_labels(results)
    outer = nested_name(results["nested.search"])
    refitted, says = "all training patients", f"{outer} and the held-out patients show"
    if not holds_out(results["split"]["design"]):
        refitted, says = "all patients", "nested cross-validation shows"
    blocks: list[Block] = [
        Table(
            name="hyperparameters",
            caption="Hyperparameters are settings that a model does not learn, such as the "
            "strength of a penalty or the depth of trees; their names are those of the libraries. "
            f"Randomised search, {results['search.iterations']} settings per "
            f"model{_several_phases(labels)}, "
            f"scored by mean AUROC over {folds} {order_words(results).folds}; then a refit on "
            f"{refitted}. The cross-validated AUROC chose the hyperparameters and is optimistic: "
            f"{says} how good a model is.",
            shown=pd.DataFrame(rows),
            raw=pd.DataFrame(raw).drop(columns="name"),
            numeric=("Cross-validated AUROC (SD)", "Sets tried", "Fits", "Time"),
        ),
        _thresholds_table(results),
        *equation_tables(results),
    ]
    if notes:
        blocks.append(Items(notes_of_models(notes, len(results.modelling.models))))
    return Section("fitting", title, blocks)


def _thresholds_table(results: Results) -> Table:
    """Return from which predicted risk on each model calls an event, and why from there."""
    apart = "Predictions of held-out patients were not used for it."
    if not holds_out(results["split"]["design"]):
        apart = (
            "It is that of the final model; in nested cross-validation every outer fold chose its "
            "own, without the patients that judge it."
        )
    rows = [
        {
            "Model": model.info["label"],
            "Threshold": number(model.info["threshold"], bounds=UNIT),
            "How it was chosen": _sentence(model.info["threshold_source"]),
        }
        for model in results.modelling.models.values()
    ]
    return Table(
        name="thresholds",
        caption=f"Risk threshold at or above which a model predicts the event. {apart}",
        shown=pd.DataFrame(rows),
        numeric=("Threshold",),
    )


def _sentence(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _several_phases(labels: dict[str, str]) -> str:
    """Return, in brackets, which models are searched in several phases, each as long."""
    words = {2: "two", 3: "three"}
    told = [
        f" ({labels[name]}: in each of its {words.get(family.phases, family.phases)} phases)"
        for name, family in MODEL_FAMILIES.items()
        if name in labels and family.phases > 1
    ]
    return "".join(told)


def _setting(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
