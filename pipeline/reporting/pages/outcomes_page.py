"""The page of outcomes by group: scales, events per person-time, treated levels."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.pages import page_templates
from pipeline.reporting.pages.table_one_page import TEMPLATES
from pipeline.reporting.parts.outcome_tables import ASSOCIATION, Section


def outcomes_page(title: str, table: str, sections: Sequence[Section], *, compared: bool) -> str:
    """Return the page as HTML that needs nothing else."""
    template = page_templates(TEMPLATES).get_template("outcomes.html.j2")
    lead = [ASSOCIATION] if compared else []
    return template.render(title=title, table=table, lead=lead, sections=sections)
