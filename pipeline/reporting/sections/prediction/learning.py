"""Section on the learning curve: whether more patients would help."""

from __future__ import annotations

import pandas as pd

from pipeline.core.fit_status import REASON, is_fitted
from pipeline.reporting.blocks import Block, Figure, Paragraph, Section, Table
from pipeline.reporting.figures.learning import learning_figure
from pipeline.reporting.results import Results
from pipeline.reporting.wording import UNIT, count, number, plural
from pipeline.study.model_families import MODEL_FAMILIES

#: Change of the AUROC over the last step that is small.
_SMALL = 0.01

#: Share of the repeats that must gain for a curve to be called rising.
_MOST = 0.75


def learning_section(results: Results) -> Section:
    """Build the section; it has no block where nobody asked for it."""
    title = "Learning curve"
    if results.modelling is None or not results.modelling.learning:
        return Section("learning-curve", title)
    blocks: list[Block] = []
    for model, curve in results.modelling.learning.items():
        label = MODEL_FAMILIES[model].label
        if not is_fitted(curve.info):
            blocks.append(Paragraph(f"{label}: not drawn. {curve.info[REASON]}"))
            continue
        means, info = mean_curve(curve.table), curve.info
        left_out = int(curve.table["auroc"].isna().sum())
        text = (
            f"{label} learned from growing shares of the training patients, "
            f"{plural(info['repeats'], 'time')}: each time one of {info['parts']} parts judged. "
            f"{_said(curve.table)} {info['search_note']}"
        )
        if left_out:
            text += (
                f" {count(left_out)} of {count(len(curve.table))} shares held too few patients to "
                "be fitted."
            )
        blocks.append(Paragraph(text))
        points = "; ".join(
            f"{count(row.patients)} patients {number(row.auroc, 2, UNIT)}"
            for row in means.itertuples()
        )
        name = f"learning-curve-{model}"
        blocks.append(
            Figure(
                name=name,
                svg=learning_figure(curve.table, means, name),
                alt=f"AUROC of {label} on patients it did not learn from, by the number that it "
                f"learned from: {points}.",
                caption=f"Learning curve of {label}: mean AUROC over the repeats on patients that "
                "it did not learn from (solid) and on its own (dashed); dots are single repeats. "
                "Their scatter is no confidence interval: repeats share patients. The held-out "
                "patients play no role.",
            )
        )
        blocks.append(_table(means, curve.table, name, label))
    return Section("learning-curve", title, blocks)


def mean_curve(table: pd.DataFrame) -> pd.DataFrame:
    """Return the means over the repeats of each share, and the standard deviation of the AUROC."""
    known = table[table["auroc"].notna()]
    means = known.groupby("share", as_index=False).agg(
        patients=("patients", "mean"),
        events=("events", "mean"),
        auroc=("auroc", "mean"),
        spread=("auroc", "std"),
        auroc_own=("auroc_own", "mean"),
        brier=("brier", "mean"),
        repeats=("auroc", "size"),
    )
    return means.round({"patients": 0, "events": 0})


def _said(table: pd.DataFrame) -> str:
    """Say whether the curve still rises in its last step, by the repeats that hold both shares."""
    wide = table.pivot(index="repeat", columns="share", values="auroc")
    wide = wide.dropna(axis=1, how="all")
    if wide.shape[1] < 2:
        return "One share alone could be fitted, which is no curve."
    gains = (wide.iloc[:, -1] - wide.iloc[:, -2]).dropna()
    if gains.empty:
        return "No repeat holds the last two shares."
    mean = gains.mean()
    told = (
        f"In the last step the AUROC changed by {number(mean, 2)} on average "
        f"({number(gains.min(), 2)} to {number(gains.max(), 2)} over the repeats): "
    )
    if mean > _SMALL and (gains > 0).mean() >= _MOST:
        return f"{told}it still rose, so that more patients may help."
    if gains.abs().max() <= 2 * _SMALL:
        return f"{told}it was flat, so that more patients of this kind may help little."
    return f"{told}whether more patients would help is open."


def _table(means: pd.DataFrame, raw: pd.DataFrame, name: str, label: str) -> Table:
    shown = pd.DataFrame(
        [
            {
                "Patients": count(row.patients),
                "Events": count(row.events),
                "AUROC, mean (SD)": f"{number(row.auroc, 3, UNIT)} ({number(row.spread, 3)})",
                "AUROC on its own rows": number(row.auroc_own, 3, UNIT),
                "Brier score": number(row.brier, 3, UNIT),
                "Repeats": count(row.repeats),
            }
            for row in means.itertuples()
        ]
    )
    return Table(
        name=name,
        caption=f"Learning curve of {label}: means over the repeats.",
        shown=shown,
        raw=raw,
        numeric=tuple(shown.columns),
        collapsed="The learning curve in numbers",
    )
