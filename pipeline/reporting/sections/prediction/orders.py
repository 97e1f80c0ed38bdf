"""Section on oversampling before the split: what that order gives, on the outcome and on chance."""

from __future__ import annotations

import pandas as pd

from pipeline.core.mode_labels import WORD
from pipeline.reporting.blocks import Block, Note, Section, Table
from pipeline.reporting.results import Results
from pipeline.reporting.wording import UNIT, number, plural
from pipeline.study.metric_registry import METRICS
from pipeline.study.model_families import MODEL_FAMILIES

BEFORE, AFTER = "before the split", "after the split"
OBSERVED, PERMUTED = "observed", "permuted"

#: The group with the outcome first, then figures over both groups.
SHOWN = ("precision", "sensitivity", "f1", "weighted_precision", "weighted_recall", "weighted_f1")
SHOWN += ("accuracy", "specificity", "auroc")


def orders_section(results: Results) -> Section:
    """Build the section; it has no block where nobody asked for it."""
    title = f"Oversampling before the split ({WORD})"
    orders = None if results.modelling is None else results.modelling.orders
    if orders is None:
        return Section("orders", title)
    blocks: list[Block] = [
        Note(
            "Here all patients are oversampled first and divided afterwards, as some published "
            "studies did. A synthetic patient lies between two real ones, so that held-out "
            "patients are relatives of training patients. No result of this order says how the "
            "model would do on other patients. The right order divides first; it stands beside it.",
            WORD,
        )
    ]
    for model in results.study.config["oversampled_split"]["models"]:
        rows = orders.table[orders.table["model"] == model]
        blocks.append(_table(model, rows, orders.info))
        blocks.append(Note(_by_chance(rows, orders.info), "What the order finds by chance", "info"))
    return Section("orders", title, blocks)


def _table(model: str, rows: pd.DataFrame, info: dict) -> Table:
    heads = {
        (OBSERVED, BEFORE): f"Oversampled first ({WORD})",
        (PERMUTED, BEFORE): f"Oversampled first, outcome permuted ({WORD})",
        (OBSERVED, AFTER): "Split first",
        (PERMUTED, AFTER): "Split first, outcome permuted",
    }
    lines = []
    for name in SHOWN:
        line = {"Metric": METRICS[name].label}
        for (outcome, order), head in heads.items():
            values = rows.loc[(rows["outcome"] == outcome) & (rows["order"] == order), name]
            line[head] = _spread(values) if outcome == PERMUTED else number(values.iloc[0], 3, UNIT)
        lines.append(line)
    counts = {"Metric": "Held-out patients, of these synthetic"}
    matrix = {"Metric": "True positives, false negatives; false positives, true negatives"}
    for (outcome, order), head in heads.items():
        row = rows[(rows["outcome"] == outcome) & (rows["order"] == order)].iloc[0]
        counts[head] = f"{row['rows']}, {row['synthetic']}"
        if outcome == OBSERVED:
            matrix[head] = f"{row['tp']}, {row['fn']}; {row['fp']}, {row['tn']}"
        else:
            matrix[head] = ""
    label = MODEL_FAMILIES[model].label
    return Table(
        name=f"orders-{model}",
        caption=f"{label}, {info['oversampling'].upper()}, "
        f"{100 * info['test_fraction']:g}% held-out patients, at a threshold of 0.5, with the "
        "parameters that a search in the leaking order chose. Precision, recall and F1 of those "
        "with the outcome come first; weighted values are means over both groups. Permuted: mean "
        f"and range over {plural(info['permutations'], 'permutation')} of the outcome among the "
        "patients.",
        shown=pd.DataFrame([*lines, matrix, counts]),
        raw=rows,
        numeric=tuple(heads.values()),
    )


def _spread(values: pd.Series) -> str:
    known = values.dropna()
    if known.empty:
        return "not defined"
    low, high = (number(each, 2, UNIT) for each in (known.min(), known.max()))
    return f"{number(known.mean(), 3, UNIT)}\n{low} to {high}"


def _by_chance(rows: pd.DataFrame, info: dict) -> str:
    permuted = rows[rows["outcome"] == PERMUTED]
    means = permuted.groupby("order")[["accuracy", "auroc", "f1"]].mean()
    leak, right = means.loc[BEFORE], means.loc[AFTER]
    return (
        "A permuted outcome cannot be predicted: a true AUROC is 0.5. Oversampled first, the model "
        f"nevertheless reaches a mean accuracy of {number(leak['accuracy'], 2, UNIT)}, an AUROC of "
        f"{number(leak['auroc'], 2, UNIT)} and an F1 score of {number(leak['f1'], 2, UNIT)} "
        f"({WORD}); with the split first an AUROC of {number(right['auroc'], 2, UNIT)} and an F1 "
        f"score of {number(right['f1'], 2, UNIT)}. The accuracy of the right order is mostly the "
        "share of the larger group."
    )
