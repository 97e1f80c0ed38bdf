"""Write a study's report: one HTML page that needs nothing else, its tables and its figures.

The page opens from a folder without a network. Its tables lie beside it as CSV and its figures as
SVG. The same results give the same bytes: nothing on it depends on when or where it was written.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import yaml
from markupsafe import Markup, escape

from pipeline.core import command
from pipeline.core.files import whole_file, whole_folder, write_csv
from pipeline.core.mode_labels import LABEL, is_leaking
from pipeline.core.pages import page_templates
from pipeline.reporting.analysis_sections import Build, shown_analyses
from pipeline.reporting.blocks import Figure, Note, Points, Section, Table
from pipeline.reporting.cautions.cautions import find_cautions
from pipeline.reporting.leaking import mark_leaking
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.results import Results
from pipeline.reporting.sections.examples import examples_section
from pipeline.reporting.sections.images.concordance import concordance_section
from pipeline.reporting.sections.images.imaging import images_section
from pipeline.reporting.sections.images.readers import agreement_section
from pipeline.reporting.sections.images.robustness import robustness_section
from pipeline.reporting.sections.patients import characteristics_section, flow_section
from pipeline.reporting.sections.provenance import parameter_file, provenance_section
from pipeline.reporting.sections.summary import summary_section

TEMPLATES = Path(__file__).parent / "templates"

#: What the page of a study is, above its title.
KIND = "CT radiomics study report"
CLINICAL_KIND = "Clinical study report"

_PIXELS_PER_POINT = 1.4

#: Where the name of a feature may be broken: behind `_`, and in GreyLevel between y and L.
_BETWEEN_WORDS = re.compile(r"_(?!$)|[a-z](?=[A-Z][a-z])")


def build_sections(results: Results) -> list[Section]:
    """Return all sections of the report, cautions placed where they matter."""
    path = parameter_file(results)
    parameters = yaml.safe_load(path.read_text(encoding="utf-8")) if path else None
    cautions = find_cautions(results, parameters)
    sections = [summary_section(results, cautions)]
    built = [build(results) for build in _builders(results)]
    # An analysis that was not asked for is no gap of the study.
    sections += [section for section in built if section.blocks or section.absent]
    for section in sections:
        notes = [
            Note(caution.text, caution.title, caution.tone)
            for caution in cautions
            if caution.anchor == section.anchor
        ]
        section.blocks[:0] = notes
    if not results.has_features:
        return [section for section in sections if section.blocks]
    return mark_leaking(gather_absent(sections), results)


def _builders(results: Results) -> list[Build]:
    """Return what builds the sections below the summary, in the order of a paper."""
    analyses = shown_analyses(results)
    return [
        *(flow_section, characteristics_section, examples_section),
        *(build for each in analyses for build in each.of_patients),
        *(images_section, agreement_section, concordance_section, robustness_section),
        *(build for each in analyses for build in each.of_features),
        provenance_section,
    ]


def gather_absent(sections: list[Section]) -> list[Section]:
    """Put the sections that hold nothing into one, before the last: their names and reasons."""
    absent = [section for section in sections if section.absent and not section.blocks]
    present = [section for section in sections if section not in absent]
    if absent:
        reasons = Points([(section.title, section.absent) for section in absent])
        present.insert(len(present) - 1, Section("absent", "Not part of this study", [reasons]))
    return present


def render(title: str, sections: list[Section], kind: str = KIND) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    title : str
        Heading of the page.
    sections : list of Section
        Its sections in order.
    kind : str, optional
        What the page is, above its title.
    """
    environment = page_templates(TEMPLATES)
    environment.filters["drawing"] = _labelled
    environment.filters["breakable"] = _breakable
    template = environment.get_template("report.html.j2")
    return template.render(title=title, sections=sections, kind=kind)


def write_report(results: Results, out: str | Path) -> None:
    """Write the page to `out`, and its tables and figures into folders beside it.

    Parameters
    ----------
    results : Results
        The finished run.
    out : path-like
        ``results/<study>/report/report.html``.
    """
    out = Path(out)
    sections = build_sections(results)
    figures, tables = _files_of(sections)
    with whole_folder(out.parent / "figures") as folder:
        for figure in figures:
            (folder / f"{figure.name}.svg").write_text(figure.file_text, encoding="utf-8")
    with whole_folder(out.parent / "tables") as folder:
        for table in tables:
            write_csv(table.file_table, folder / f"{table.name}.csv")
    title = results["title"] or results.study.name
    title = f"{LABEL}: {title}" if is_leaking(results.study.config["mode"]) else title
    kind = KIND if results.has_features else CLINICAL_KIND
    with whole_file(out) as beside:
        beside.write_text(render(title, sections, kind), encoding="utf-8")


def _files_of(sections: list[Section]) -> tuple[list[Figure], list[Table]]:
    figures = [b for section in sections for b in section.all_blocks() if isinstance(b, Figure)]
    tables = [b for section in sections for b in section.all_blocks() if isinstance(b, Table)]
    for blocks in (figures, tables):
        names = [block.name for block in blocks]
        if len(set(names)) < len(names):
            raise ValueError(f"two blocks of one name would share a file: {sorted(names)}")
    return figures, tables


def _labelled(figure: Figure) -> Markup:
    """Return a figure's SVG as one image with a text alternative, for people who hear the page."""
    # A point of a figure is at most so many CSS pixels: small figures stay small on a wide page.
    width = float(figure.svg.split('viewBox="', 1)[1].split()[2]) * _PIXELS_PER_POINT
    described = Markup('<svg role="img" aria-label="{}" style="max-width:{:.0f}px" ').format(
        figure.alt, width
    )
    return Markup(described + Markup(figure.svg.removeprefix("<svg ")))


def _breakable(cell: object) -> Markup:
    """Return a cell of a table in which long names of features may be broken between words."""
    return Markup(_BETWEEN_WORDS.sub(r"\g<0><wbr>", str(escape(cell))))


def main(options: argparse.Namespace) -> None:
    """Read the results, write the page."""
    write_report(read_results(options.study), options.out)


if __name__ == "__main__":
    arguments = command.parser("pipeline.reporting.study_report", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument("--out", required=True, type=Path, help="report.html to write")
    command.run(main, arguments)
