"""The section on what the models rely on: attention, permutation and SHAP side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.reporting.blocks import Block, Figure, Section, Table
from pipeline.reporting.dropped import NO_MODEL
from pipeline.reporting.figures.importance import importance_figure
from pipeline.reporting.results import Results
from pipeline.reporting.sections.prediction.selection import NO_OUTCOME, feature_names
from pipeline.reporting.wording import NO_VALUE, SIGNED, UNIT, number, plural
from pipeline.reporting.words.feature_meanings import printed_feature

_MEASURES = {"attention": "attention", "permutation": "permutation", "shap": "SHAP"}


def importance_section(results: Results) -> Section:
    """Build the section on what the models rely on."""
    title = "Importance of features"
    if results.modelling is None:
        return Section("importance", title, absent=NO_OUTCOME)
    models = results.modelling.models
    if not models:
        return Section("importance", title, absent=NO_MODEL)
    ordered = {
        name: model.importance.sort_values(
            ["importance", "feature"], ascending=[False, True], kind="stable", ignore_index=True
        )
        for name, model in models.items()
        if len(model.importance)
    }
    if not ordered:
        reason = "No model uses any feature: the selection kept none."
        return Section("importance", title, absent=reason)
    labels, printed = feature_names(results), {name: models[name].info["label"] for name in ordered}
    top = {
        name: _drawn(table).assign(
            feature=[printed_feature(feature, labels) for feature in table["feature"]]
        )[: results["interpretation.top"]]
        for name, table in ordered.items()
    }
    leaders = "; ".join(
        f"{printed[name]}: {table['feature'].iloc[0]}" for name, table in top.items()
    )
    most = max(len(table) for table in top.values())
    attended = any(table["attention"].notna().any() for table in ordered.values())
    has_shap = any(table["shap"].notna().any() for table in ordered.values())
    options = results["interpretation"]
    times = plural(options["permutations"], "time")
    permuted = f"the loss of AUROC when the feature is permuted ({times})"
    blocks: list[Block] = [
        Figure(
            name="importance",
            svg=importance_figure(top, printed),
            alt=f"Bars of the most important features per model, {most} at most. First of each: "
            f"{leaders}.",
            caption=f"The most important features of each model, {most} at most, as shares of the "
            "whole (teal: radiomics, orange: clinical). Bars: "
            + (
                f"TabNet's attention weights; for the other models {permuted}. Circles: the "
                "share by permutation, where bars are attention"
                if attended
                else permuted
            )
            + (
                f"; diamonds: the share by SHAP, from {options['shap_rows']} training patients at "
                f"most against a background of {options['shap_background']}"
                if has_shap
                else ""
            )
            + ". All are measured on the training patients. Importance shows what a model uses, "
            "not what causes the outcome; correlated features share importance or hide one "
            "another.",
        ),
        _agreement(ordered, printed),
        _whole_table(ordered, printed, labels),
    ]
    return Section("importance", title, [block for block in blocks if block is not None])


def shares(values: pd.Series) -> pd.Series:
    """Return values as shares of their sum, negative ones as 0; null where the sum is 0."""
    positive = values.clip(lower=0)
    return positive / positive.sum() if positive.sum() > 0 else positive * np.nan


def _drawn(table: pd.DataFrame) -> pd.DataFrame:
    """Return what a panel draws: bars, and marks where a measure is not the bars' own."""
    drawn = table[["feature", "block", "importance"]].copy()
    if table["attention"].notna().any():
        drawn["permutation"] = shares(table["permutation"])
    if table["shap"].notna().any():
        drawn["shap"] = shares(table["shap"])
    return drawn


def _agreement(ordered: dict[str, pd.DataFrame], printed: dict[str, str]) -> Table | None:
    """Return how alike the measures rank a model's features; None where no model has two."""
    rows = []
    for name, table in ordered.items():
        present = [column for column in _MEASURES if table[column].notna().any()]
        for index, first in enumerate(present):
            for second in present[index + 1 :]:
                varies = table[first].nunique() > 1 and table[second].nunique() > 1
                rho = table[first].corr(table[second], method="spearman") if varies else np.nan
                rows.append(
                    {
                        "model": name,
                        "measures": f"{_MEASURES[first]}, {_MEASURES[second]}",
                        "features": len(table),
                        "spearman": rho,
                    }
                )
    if not rows:
        return None
    raw = pd.DataFrame(rows)
    shown = pd.DataFrame(
        {
            "Model": raw["model"].map(printed),
            "Measures": raw["measures"],
            "Features": raw["features"].astype(str),
            "Rank correlation": [number(value, 2, SIGNED) for value in raw["spearman"]],
        }
    )
    return Table(
        name="importance-agreement",
        caption="How alike two measures rank the features of a model (Spearman's correlation; "
        "1: the same order). Where they disagree, no single ranking should be quoted.",
        shown=shown,
        raw=raw,
        numeric=("Features", "Rank correlation"),
    )


def _whole_table(
    ordered: dict[str, pd.DataFrame], printed: dict[str, str], labels: dict[str, str]
) -> Table:
    full = pd.concat([t.assign(model=name) for name, t in ordered.items()], ignore_index=True)
    full = full[["model", *full.columns.drop("model")]]
    shown = {
        "Model": full["model"].map(printed),
        "Feature": [printed_feature(name, labels) for name in full["feature"]],
        "Type": full["block"],
        "Importance": [number(value, bounds=UNIT) for value in full["importance"]],
        "Attention": [number(value, bounds=UNIT) for value in full["attention"]],
        "Permutation (SD)": [
            f"{number(mean)} ({number(sd)})" if pd.notna(mean) else NO_VALUE
            for mean, sd in zip(full["permutation"], full["permutation_sd"], strict=True)
        ],
        "Mean |SHAP|": [number(value) for value in full["shap"]],
    }
    for column, heading in (("attention", "Attention"), ("shap", "Mean |SHAP|")):
        if full[column].isna().all():
            del shown[heading]
    return Table(
        name="importance",
        caption="Importance of every feature of every model: its share, and the measures: "
        "attention (share), loss of AUROC when permuted (mean and SD over the permutations), and "
        "mean absolute SHAP (Shapley additive explanation) value (in units of predicted "
        "probability) where it was asked for.",
        shown=pd.DataFrame(shown),
        raw=full,
        numeric=tuple(name for name in shown if name not in ("Model", "Feature", "Type")),
        sortable=True,
        collapsed="All importances as a table",
    )
