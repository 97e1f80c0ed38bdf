"""Section on what the results rest on: missing values, complete cases, the other reader."""

from __future__ import annotations

import pandas as pd

from pipeline.reporting.blocks import Block, Paragraph, Section, Table
from pipeline.reporting.leaking import order_words
from pipeline.reporting.parts.comparison_tables import difference
from pipeline.reporting.results import Results, judged
from pipeline.reporting.sections.prediction.selection import FILLED, NO_OUTCOME
from pipeline.reporting.wording import UNIT, count, interval, number, p_value, share


def sensitivity_section(results: Results) -> Section:
    """Build the section on missing values and the sensitivity analyses."""
    title = "Missing values and sensitivity"
    if results.modelling is None:
        return Section("sensitivity", title, absent=NO_OUTCOME)
    table = results.modelling.missingness
    gaps = table[table["missing"] > 0]
    blocks: list[Block] = [_missing_text(results, gaps)]
    if len(gaps):
        blocks.append(_missing_table(gaps, results["unit"]))
    if len(results.modelling.sensitivity):
        blocks.append(_analyses(results))
    return Section("sensitivity", title, blocks)


def _missing_text(results: Results, gaps: pd.DataFrame) -> Paragraph:
    if gaps.empty:
        return Paragraph("No candidate of the models has a missing value.")
    options = results["imputation"]
    text = (
        f"Numbers that are missing become {FILLED[options['method']]}, categories the most "
        f"frequent one, {order_words(results).imputation}."
    )
    if options["indicators"]:
        text += " An extra column tells the models where a clinical predictor was missing."
    return Paragraph(text)


def _missing_table(gaps: pd.DataFrame, unit: str) -> Table:
    shown = pd.DataFrame(
        {
            "Candidate": gaps["label"],
            "Missing": [
                f"{count(r.missing)} ({share(r.missing, r.n, 1)})" for r in gaps.itertuples()
            ],
            "With the event": [_of(r.events_missing, r.events) for r in gaps.itertuples()],
            "Without": [_of(r.non_events_missing, r.non_events) for r in gaps.itertuples()],
            "P": [p_value(value) for value in gaps["p_value"]],
        }
    )
    return Table(
        name="missingness",
        caption="Missing values by outcome, over the whole study; candidates without any are left "
        f"out. P: Fisher's exact test, none where patients have several {unit}s. If "
        "missing values are associated with the outcome, they are not missing completely at "
        "random, and imputing them may bias the results.",
        shown=shown,
        raw=gaps,
        numeric=("Missing", "With the event", "Without", "P"),
    )


def _of(part: int, whole: int) -> str:
    return f"{count(part)} of {count(whole)} ({share(part, whole, 1)})"


def _analyses(results: Results) -> Table:
    table, models = results.modelling.sensitivity, results.modelling.models
    on, rows = judged(results), []
    for row in table.itertuples():
        what = f"Reader {row.reader}" if pd.notna(row.reader) else "Another reader"
        if row.analysis == "complete-cases":
            what = "Complete cases"
        rows.append(
            {
                "Model": models[row.model].info["label"],
                "Analysis": what,
                on.column: count(row.n),
                "Events": count(row.events),
                "AUROC": row.note
                or interval(row.auroc, row.auroc_low, row.auroc_high, bounds=UNIT),
                "Model as it is": number(row.auroc_main, bounds=UNIT),
                "Difference": difference(row.difference, row.difference_low, row.difference_high),
            }
        )
    level = f"{100 * results['evaluation.confidence']:g}%"
    return Table(
        name="sensitivity",
        caption=f"Sensitivity analyses {on.on} ({level} intervals, paired). Another "
        "reader: the same model predicts from what this reader measured. Complete cases: fitted "
        "again, with the same parameters, to training patients without any missing value, and "
        f"judged on those of {on.rows} without one. The model as it is "
        f"predicts the same {results['unit']}s; the difference is the analysis minus "
        f"it.{_of_first(results)}",
        shown=pd.DataFrame(rows),
        raw=table,
        numeric=(on.column, "Events", "AUROC", "Model as it is", "Difference"),
    )


def _of_first(results: Results) -> str:
    """Say which models they are, where nobody was held out."""
    if judged(results).part == "test":
        return ""
    return (
        " They are those of the outer folds of nested cross-validation, the first time that these "
        "were dealt, each with the parameters that it found."
    )
