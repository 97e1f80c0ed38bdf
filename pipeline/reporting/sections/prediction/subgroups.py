"""Section on how a model does in groups of patients and scans: AUROC and observed over expected."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Figure, Paragraph, Section, Table
from pipeline.reporting.cautions.few_events import at_figure
from pipeline.reporting.figures.subgroups import subgroups_figure
from pipeline.reporting.judged_rows import JudgedRows
from pipeline.reporting.results import Results, judged
from pipeline.reporting.wording import METRIC_BOUNDS, NO_VALUE, UNIT, count, interval, number
from pipeline.tables.subgroup_columns import LEVEL, order_of_groups

FEWEST = 10
"""Rows with the event, and without, below which the stage gives no figure (a test holds it)."""

#: How columns that no dictionary names are written.
_LABELS = {
    LEVEL: "Vertebral level",
    "manufacturer": "Manufacturer",
    "scanner": "Scanner",
    "kernel": "Reconstruction kernel",
    "kvp": "Tube voltage, kV",
    "slice_thickness_mm": "Slice thickness, mm",
}


def subgroups_section(results: Results) -> Section:
    """Build the section; it has no block where no column makes groups."""
    title = "Performance in subgroups"
    if results.modelling is None or results.modelling.subgroups.empty:
        return Section("subgroups", title)
    table, on = results.modelling.subgroups, judged(results)
    winner = results.modelling.winner
    own = table[table["model"] == winner["model"]]
    if own.empty:
        return Section("subgroups", title)
    level = f"{100 * results['evaluation.confidence']:g}%"
    rows = group_rows(own, column_labels(results))
    small = rows["too_small"].sum()
    text = (
        f"{winner['label']} {on.on}, in groups of patients and scans. A group needs {FEWEST} "
        f"{results['unit']}s with and {FEWEST} without the event for an estimate. "
    )
    if small == len(rows):
        text += "No group has them, so that none is estimated."
    else:
        text += (
            "The groups are too small to compare: intervals that overlap do not show that the "
            "model does equally well."
        )
        are = "is" if small == 1 else "are"
        text += f" {count(small)} of {count(len(rows))} groups {are} smaller." if small else ""
    blocks: list[Block] = [Paragraph(text)]
    shown = rows[~rows["too_small"]]
    if len(shown):
        told = "; ".join(
            f"{row.column}, {row.group}: {interval(row.auroc, row.auroc_low, row.auroc_high)}"
            for row in shown.itertuples()
        )
        blocks.append(
            Figure(
                name="subgroups",
                svg=subgroups_figure(shown),
                alt=f"AUROC of {winner['label']} with intervals by group. {told}.",
                caption=f"{winner['label']} {on.on}: AUROC, and observed over expected events "
                f"(O/E) on a scale of ratios, with {level} intervals by group. Dashed: 0.5 (no "
                f"discrimination) and 1 (as many events as predicted).{at_figure(results)}",
            )
        )
    blocks.append(_table(rows, table, winner["label"], level, on))
    return Section("subgroups", title, blocks)


def column_labels(results: Results) -> dict[str, str]:
    """Return how the columns of groups are written."""
    dictionary = results.study.dictionary
    return _LABELS | dict(zip(dictionary["column"], dictionary["label"], strict=True))


def group_rows(own: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """Return one row per group of one model.

    Parameters
    ----------
    own : pandas.DataFrame
        Rows of ``subgroups.parquet`` of one model.
    labels : dict of str to str
        How columns are written.

    Returns
    -------
    pandas.DataFrame
        ``column, group, rows, events, auroc, auroc_low, auroc_high, oe, oe_low, oe_high,
        too_small``, columns in their order and groups in theirs.
    """
    lines = []
    for by, of_column in own.groupby("by", sort=False):
        groups = dict(list(of_column.groupby("group")))
        for group in order_of_groups(by, list(groups)):
            found = groups[group].set_index("metric")
            first = found.iloc[0]
            line = {"column": labels.get(by, by), "group": group}
            line |= {"rows": first["rows"], "events": first["events"]}
            for name, metric in (("auroc", "auroc"), ("oe", "oe_ratio")):
                line |= {
                    name + end: found.loc[metric, of]
                    for end, of in (("", "value"), ("_low", "low"), ("_high", "high"))
                }
            events, rows = int(first["events"]), int(first["rows"])
            lines.append(line | {"too_small": min(events, rows - events) < FEWEST})
    return pd.DataFrame(lines)


def _table(rows: pd.DataFrame, raw: pd.DataFrame, label: str, level: str, on: JudgedRows) -> Table:
    lines = []
    for row in rows.itertuples():
        small = "too few" if row.too_small else NO_VALUE
        area = interval(row.auroc, row.auroc_low, row.auroc_high, 2, UNIT)
        ratio = interval(row.oe, row.oe_low, row.oe_high, 2, METRIC_BOUNDS.get("oe_ratio"))
        lines.append(
            {
                "Group": f"{row.column}: {row.group}",
                on.units.capitalize(): count(row.rows),
                "Events": f"{count(row.events)} ({number(100 * row.events / row.rows, 0)}%)",
                f"AUROC ({level} interval)": small if pd.isna(row.auroc) else area,
                f"O/E ({level} interval)": small if pd.isna(row.oe) else ratio,
            }
        )
    shown = pd.DataFrame(lines)
    return Table(
        name="subgroups",
        caption=f"{label} {on.on} by group: AUROC, and observed over expected events (O/E: above "
        "1, more events than predicted). Intervals are not corrected for the number of groups. The "
        "file has all models, with calibration intercept and slope, and the method of each "
        "interval.",
        shown=shown,
        raw=raw,
        numeric=tuple(shown.columns[1:]),
    )
