"""Section on the regression of the clinical predictors: coefficients, worth, other pages."""

from __future__ import annotations

from dataclasses import replace

from pipeline.core.mode_labels import LABEL, WORD, is_leaking
from pipeline.reporting.blocks import Block, Figure, Items, Note, Paragraph, Section, Table
from pipeline.reporting.figures.nomogram import nomogram_figure
from pipeline.reporting.parts.regression_tables import coefficients_table, optimism_table
from pipeline.reporting.results import Results
from pipeline.reporting.wording import plural

#: What the tables call the constant.
INTERCEPT = "(intercept)"

#: Files beside the report that hold the whole of it.
PAGES = (
    ("regression/regression.html", "All tables and figures"),
    ("regression/calculator.html", "Risk of one patient, without a network"),
)


def regression_section(results: Results) -> Section:
    """Build the section on the regression."""
    title = "Regression and nomogram"
    found = results.regression
    if found is None:
        return Section("regression", title)
    label = f"{LABEL}: " if is_leaking(results.study.config["mode"]) else ""
    title += f" ({WORD})" if label else ""
    facts = found.tables["model"].set_index("what")["value"]
    fitted = set(found.tables["coefficients"]["predictor"]) - {INTERCEPT}
    text = (
        f"Logistic regression of “{results['outcome.label']}” on "
        f"{plural(len(fitted), 'predictor')}, fitted to "
        f"{plural(int(facts['n']), results['unit'])} with {plural(int(facts['events']), 'event')}. "
        f"{found.facts['purpose']}"
    )
    blocks: list[Block] = [
        Paragraph(text),
        Note(
            "Changing a predictor shows other patients, not the effect of a treatment.",
            "Association, not effect",
            "info",
        ),
        _labelled(coefficients_table(found.facts, found.tables), label),
        _nomogram(results, label),
        _labelled(optimism_table(found.facts, found.tables), label),
    ]
    notes = [*found.facts["notes"]]
    notes += [f"{what}: {path}, beside this report's folder" for path, what in PAGES]
    return Section("regression", title, [*blocks, Items(notes)])


def _nomogram(results: Results, label: str) -> Figure:
    facts = results.regression.facts
    drawing = results.facts("regression/nomogram.json")
    return Figure(
        "regression_nomogram",
        nomogram_figure(drawing, facts["title"]),
        "Nomogram: an axis a predictor, points above, total points and risk below",
        f"{label}Nomogram. Read the points of each value on the upper axis, add them, and read the "
        f"risk below the total. {facts['purpose']}",
        width=760,
    )


def _labelled(table: Table, label: str) -> Table:
    """Return a table of the regression under a name of its own among those of the report."""
    return replace(table, name=f"regression_{table.name}", caption=f"{label}{table.caption}")
