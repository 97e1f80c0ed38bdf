"""Section on what supports the figures of the held-out patients: estimates, simpler models."""

from __future__ import annotations

from pipeline.reporting.blocks import Block, Section
from pipeline.reporting.parts.comparison_tables import nested_table, references_table
from pipeline.reporting.parts.estimates import estimates_tables
from pipeline.reporting.results import Results
from pipeline.reporting.sections.prediction.models import model_labels
from pipeline.reporting.sections.prediction.selection import NO_OUTCOME


def validation_section(results: Results) -> Section:
    """Build the section that sets other estimates and simpler models beside the figures."""
    title = "Internal validation and simpler models"
    if results.modelling is None:
        return Section("validation", title, absent=NO_OUTCOME)
    labels = model_labels(results)
    level = f"{100 * results['evaluation.confidence']:g}%"
    blocks: list[Block] = [
        *estimates_tables(results, labels),
        *nested_table(results, labels),
        references_table(results, level),
    ]
    return Section("validation", title, blocks)
