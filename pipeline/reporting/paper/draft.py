"""Write the draft of a paper: text, tables, checklists and figures, into one folder.

Everything is made from the files of the run. What only the authors know is asked for in the section
``reporting`` of the configuration, and is a marked gap where it is missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.core import command
from pipeline.core.files import whole_file, whole_folder, write_json
from pipeline.reporting.blocks import Table
from pipeline.reporting.figures.printing import keeping_copies
from pipeline.reporting.paper.checklists import (
    Checklist,
    answers,
    checklists_of,
    left_out,
    metrics_score,
    summary_table,
)
from pipeline.reporting.paper.citations import bibtex, csl_json
from pipeline.reporting.paper.documents import (
    add_table,
    new_document,
    save,
    write_table,
    write_text,
)
from pipeline.reporting.paper.findings import findings
from pipeline.reporting.paper.methods import methods
from pipeline.reporting.paper.passages import Passage
from pipeline.reporting.paper.probast import probast_facts
from pipeline.reporting.paper.workbook import write_workbook
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.results import Results
from pipeline.reporting.study_report import build_sections

#: Rows up to which a table is written as a Word table: longer ones are supplements, in Excel.
LONGEST = 60

#: Column of a checklist -> its share of the page's width.
_COLUMNS = {"No.": 4, "Item": 18, "State": 8, "Answer of the run": 36, "Where": 16, "To do": 18}


def write_draft(results: Results, folder: str | Path) -> None:
    """Write the draft of a paper.

    Parameters
    ----------
    results : Results
        The finished run.
    folder : path-like
        ``results/<study>/paper``; written whole or not at all.
    """
    with whole_folder(folder) as inside:
        _write_text(results, inside)
        with keeping_copies() as copies:
            sections = build_sections(results)
        tables = [
            block
            for section in sections
            for block in section.all_blocks()
            if isinstance(block, Table)
        ]
        _write_tables(tables, inside / "tables", results["notice"])
        for name, files in copies.items():
            place = inside / "figures"
            place.mkdir(exist_ok=True)
            for end, content in files.items():
                (place / f"{name}-{end}").write_bytes(content)
        _write_checklists(results, inside / "checklists")


def _write_text(results: Results, folder: Path) -> None:
    parts = [("Methods", methods(results)), ("Results", findings(results))]
    keys = write_text(folder / "text.docx", parts)
    with whole_file(folder / "text.md") as beside:
        beside.write_text(_markdown(parts), encoding="utf-8")
    with whole_file(folder / "references.bib") as beside:
        beside.write_text(bibtex(keys), encoding="utf-8")
    write_json(csl_json(keys), folder / "references.json")


def _markdown(parts: Sequence[tuple[str, Sequence[Passage]]]) -> str:
    """Return the text for pandoc, which cites by ``[@key]`` from references.bib."""
    lines = []
    for heading, passages in parts:
        lines.append(f"# {heading}\n")
        for title, paragraphs in passages:
            lines += [f"## {title}\n", *(f"{text}\n" for text in paragraphs)]
    return "\n".join([*lines, "# References", ""])


def _write_tables(tables: Sequence[Table], folder: Path, notice: str | None) -> None:
    """Write tables as printed (.docx, but for long ones) and all their numbers (.xlsx).

    Each printed table carries the study's notice: it is pasted elsewhere without the text.
    """
    folder.mkdir()
    for table in tables:
        if len(table.shown) > LONGEST:
            continue
        caption = f"{table.caption} {notice}" if notice else table.caption
        write_table(folder / f"{table.name}.docx", caption, table.shown, table.numeric)
    if tables:
        write_workbook(folder / "tables.xlsx", {table.name: table.file_table for table in tables})


def _write_checklists(results: Results, folder: Path) -> None:
    folder.mkdir()
    sheets = {"overview": summary_table(results)}
    for checklist in checklists_of(results):
        given = answers(results, checklist)
        shown = checklist_table(given)
        document = new_document(wide=True)
        document.add_heading(f"{checklist.name}: {checklist.data['title']}", level=1)
        for line in checklist_notes(results, checklist):
            document.add_paragraph(line)
        add_table(document, shown, widths=list(_COLUMNS.values()))
        save(document, folder / f"{checklist.key}.docx")
        sheets[checklist.data["name"]] = pd.DataFrame(given)
    if facts := probast_facts(results):
        document = new_document(wide=True)
        document.add_heading("Facts for an assessment with PROBAST+AI", level=1)
        document.add_paragraph(
            "Facts by domain, without a judgement: whether a risk of bias is low is the reviewer's "
            f"to say. Not answered here: {left_out()['PROBAST+AI 2025']}."
        )
        table = pd.DataFrame(facts, columns=["Domain", "Fact", "Found in the run", "File"])
        add_table(document, table, widths=[14, 22, 44, 20])
        save(document, folder / "probast_ai_facts.docx")
        sheets["PROBAST+AI facts"] = table
    write_workbook(folder / "checklists.xlsx", sheets)


def checklist_table(given: Sequence) -> pd.DataFrame:
    """Return the answers of a checklist as printed, a line where a section begins."""
    rows, section = [], None
    for answer in given:
        if answer.section != section:
            section = answer.section
            rows.append(dict.fromkeys(_COLUMNS, "") | {"Item": section.upper()})
        where = "\n".join(filter(None, (answer.place, answer.file)))
        rows.append(
            dict(
                zip(
                    _COLUMNS,
                    (answer.no, answer.text, answer.state, answer.value, where, answer.authors),
                    strict=True,
                )
            )
        )
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def checklist_notes(results: Results, checklist: Checklist) -> list[str]:
    """Return what stands above a checklist: source, licence, and the METRICS score as a range."""
    data = checklist.data
    notes = [
        f"Items: {data['source']}. Licence: {data['licence']}. States: answered (by the run), "
        "partly, authors (to write), not done (as the run shows). An answer says what was found, "
        "not that it suffices."
    ]
    if results["notice"]:
        notes.insert(0, str(results["notice"]))
    if checklist.key == "metrics":
        score = metrics_score(results, checklist)
        shown = f"{score.low:.0f}% to {score.high:.0f}%"
        if round(score.low) == round(score.high):
            shown = f"{score.low:.0f}%"
        notes.append(
            f"METRICS score: {shown}. The range is open for the items {', '.join(score.open)}, "
            "which the run cannot answer."
            if score.open
            else f"METRICS score: {shown}."
        )
    return notes


def main(options: argparse.Namespace) -> None:
    """Read the results, write the draft."""
    write_draft(read_results(options.study), options.out)


if __name__ == "__main__":
    arguments = command.parser("pipeline.reporting.paper.draft", __doc__)
    arguments.add_argument("--study", required=True, type=Path, help="folder of the frozen study")
    arguments.add_argument("--out", required=True, type=Path, help="folder to write")
    command.run(main, arguments)
