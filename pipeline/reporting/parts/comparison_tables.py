"""Tables that set models beside one another, their procedure, and simpler predictions."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Paragraph, Table
from pipeline.reporting.judged_rows import JudgedRows
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results, metric
from pipeline.reporting.results import judged as judged_by
from pipeline.reporting.wording import (
    METRIC_BOUNDS,
    NO_VALUE,
    SIGNED,
    UNIT,
    count,
    first_upper,
    interval,
    number,
    p_value,
    plural,
    sentence_list,
)
from pipeline.reporting.words.nested_words import nested_name, nested_searches
from pipeline.tables.split_designs import holds_out


def comparison_table(
    comparisons: pd.DataFrame, labels: dict[str, str], level: str, judged: JudgedRows
) -> Block:
    """Build the table of the models' pairwise differences."""
    if comparisons.empty:
        return Paragraph("One model was trained, so there is no comparison between models.")
    rows = [
        {
            "Comparison": f"{labels.get(row.model_a, row.model_a)} − "
            f"{labels.get(row.model_b, row.model_b)}",
            "Difference in AUROC": difference(row.auc_difference, row.low, row.high),
            "P": p_value(row.p_value),
            "P (Holm)": p_value(row.p_holm),
            "Only one correct": f"{count(row.only_a_right)} : {count(row.only_b_right)}",
            "P (McNemar, Holm)": p_value(row.mcnemar_p_holm),
        }
        for row in comparisons.itertuples()
    ]
    families = set(comparisons["family"])
    over = "all pairs"
    if families != {"all"}:
        over = "the pairs with the model of the primary analysis, and apart from them the others"
    how = sentence_list(sorted(set(comparisons.get("method", pd.Series(["paired DeLong test"])))))
    return Table(
        name="comparisons",
        caption=f"Pairwise differences in AUROC {judged.on} ({how}; {level} intervals, P "
        f"values also adjusted after Holm over {over}). Only one correct: {judged.units} that the "
        "first : the second model alone classifies correctly, each at its own threshold, with "
        "McNemar's exact test, which assumes independent "
        f"{judged.units}.{_not_estimable(comparisons)}"
        f"{' Decisions:' + judged.of_one_repeat if judged.of_one_repeat else ''}",
        shown=pd.DataFrame(rows),
        raw=comparisons,
        numeric=(
            *("Difference in AUROC", "P", "P (Holm)"),
            *("Only one correct", "P (McNemar, Holm)"),
        ),
        collapsed=f"{plural(len(rows), 'pairwise comparison')}; "
        f"{_below(comparisons['p_holm'])} with P < 0.05 after Holm",
    )


def _not_estimable(comparisons: pd.DataFrame) -> str:
    """Explain a difference without an interval, where there is one."""
    known = comparisons["auc_difference"].notna()
    if not (known & comparisons["low"].isna()).any():
        return ""
    return (
        " A difference without an interval is not estimable: its variance among these patients is "
        "0, which says nothing about the next patients."
    )


def nested_table(results: Results, labels: dict[str, str]) -> list[Block]:
    """Set nested cross-validation beside the held-out patients: a gap between them needs an answer.

    Without a hold-out it is the primary analysis, and stands beside the inner folds alone.
    """
    nested, has_test = results.modelling.nested, holds_out(results["split"]["design"])
    if not nested:
        return []
    rows = []
    name_of, searched = nested_name(results["nested.search"]), results.modelling.models
    for name, entry in nested.items():
        info, test = entry.info, metric(results, name, "auroc")
        rows.append(
            {
                "Model": labels[name],
                first_upper(name_of): number(info["auroc"], 3, UNIT),
                "SD over folds": number(info["auroc_sd"], 3),
                **_repeats(info),
                "Folds of the search": number(searched[name].info["cv_auc"], 3, UNIT),
                **_beside(test, judged_by(results).column if has_test else None),
                "Fits": count(info["fits"]),
            }
        )
    infos = [entry.info for entry in nested.values()]
    folds, repeats = infos[0]["folds"], infos[0]["repeats"]
    words = order_words(results)
    of = "the training patients" if has_test else "all patients"
    gap = "are optimistic."
    if has_test:
        gap = (
            f"are optimistic; an AUROC on the held-out patients far above that of {name_of} comes "
            f"from {words.excess}."
        )
    return [
        Table(
            name="nested",
            caption=f"{_repeated(results, of)}: mean over {folds} outer folds, "
            f"{plural(repeats, 'repeat')}. {infos[0]['search_note']} {words.tested} The "
            "spread over folds is no standard error. The folds of the search chose the "
            f"hyperparameters and {gap} Fits: how many fits of the model this took.",
            shown=pd.DataFrame(rows),
            raw=pd.concat([entry.table for entry in nested.values()], ignore_index=True),
            numeric=tuple(column for column in rows[0] if column != "Model"),
        )
    ]


def _repeated(results: Results, of: str) -> str:
    """Say which steps the outer folds repeat, as the beginning of a sentence."""
    if nested_searches(results["nested.search"]):
        return (
            "AUROC of the whole procedure (selection, search, fit) by nested cross-validation of "
            f"{of}"
        )
    return (
        f"AUROC by cross-validation of {of}, with selection and fit repeated in every fold but not "
        "the search for hyperparameters (nested.search: fixed)"
    )


def _beside(test: pd.Series, held_out: str | None) -> dict[str, str]:
    """Return the figure that stands beside the nested one, or the latter's interval."""
    if held_out:
        return {held_out: interval(test["value"], test["low"], test["high"], bounds=UNIT)}
    low, high = (number(test[name], 3, UNIT) for name in ("low", "high"))
    return {"Interval": f"{low} to {high}" if pd.notna(test["low"]) else NO_VALUE}


def _repeats(info: dict) -> dict[str, str]:
    """Return the range of the repeats' means, as a column; nothing where there is one repeat."""
    if info["repeats"] == 1:
        return {}
    low, high = (number(info[name], 3, UNIT) for name in ("auroc_low", "auroc_high"))
    return {"Means of the repeats": f"{low} to {high}"}


def references_table(results: Results, level: str) -> Table:
    """Build the table of the simplest predictions on the patients that judge the models."""
    table = results.modelling.references
    where = f"on the same {judged_by(results).column.lower()}"
    if not holds_out(results["split"]["design"]):
        where = "on the same outer folds, each fitted outside the fold that judges it"
    rows = [
        {
            "Prediction from": row.label,
            "Columns": count(row.n_features) if not row.note else NO_VALUE,
            "AUROC": interval(row.auroc, row.auroc_low, row.auroc_high, bounds=UNIT)
            if not row.note
            else row.note,
            "Brier": number(row.brier, bounds=METRIC_BOUNDS["brier"]),
            "Scaled Brier": number(row.scaled_brier, bounds=METRIC_BOUNDS["scaled_brier"]),
        }
        for row in table.itertuples()
    ]
    return Table(
        name="references",
        caption=f"What simpler predictions reach {where} ({level} intervals): "
        "logistic regression with scikit-learn's default ridge penalty, nothing searched; clinical "
        "and radiomic candidates pass the same selection as in the models, level and volume enter "
        "as they are. Columns: those that enter the prediction; a category may have several. A "
        "model that does no better has learned no more.",
        shown=pd.DataFrame(rows),
        raw=table,
        numeric=("Columns", "AUROC", "Brier", "Scaled Brier"),
    )


def difference(value: float, low: float, high: float) -> str:
    """Return a difference with its interval, or that there is none to be had."""
    text = interval(value, low, high, bounds=SIGNED)
    return f"{text}, not estimable" if pd.notna(value) and pd.isna(low) else text


def _below(p: pd.Series) -> str:
    amount = int((p < 0.05).sum())
    return count(amount) if amount else "none"
