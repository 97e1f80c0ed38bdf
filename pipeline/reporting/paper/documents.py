"""Word files of the draft: running text, and tables in the three-line style."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.core.files import whole_file
from pipeline.reporting.paper.citations import cited_keys, numbered, printed_work
from pipeline.reporting.paper.passages import GAP, Passage

if TYPE_CHECKING:
    from docx.document import Document
    from docx.table import _Cell

FONT = "Times New Roman"

#: Width of a rule in eighths of a point: above and below the table, and below its head.
_OUTER, _INNER = 12, 6

#: Columns from which a page is laid across.
_WIDE = 6

#: Characters of a cell from which columns are as wide as what they hold; least that a column gets.
_LONG_CELL, _SHORT_CELL = 36, 12

#: A file says nothing of who wrote it and when.
_WRITTEN = datetime.datetime(2000, 1, 1)


def new_document(*, wide: bool = False) -> Document:
    """Return an empty document in the font of manuscripts, laid across the page if `wide`."""
    from docx import Document as open_document
    from docx.enum.section import WD_ORIENT
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt

    document = open_document()
    style = document.styles["Normal"]
    style.font.name, style.font.size = FONT, Pt(11)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), FONT)
    for level in (1, 2):
        heading = document.styles[f"Heading {level}"]
        heading.font.name, heading.font.size = FONT, Pt(14 - level)
        heading.font.color.rgb = None
        heading.element.rPr.rFonts.set(qn("w:asciiTheme"), FONT)
        heading.element.rPr.rFonts.set(qn("w:hAnsiTheme"), FONT)
    page = document.sections[0]
    page.page_width, page.page_height = Cm(21), Cm(29.7)
    if wide:
        page.orientation = WD_ORIENT.LANDSCAPE
        page.page_width, page.page_height = page.page_height, page.page_width
    for side in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
        setattr(page, side, Cm(2))
    about = document.core_properties
    about.author, about.title, about.comments = "", "", ""
    about.created = about.modified = _WRITTEN
    return document


def save(document: Document, path: str | Path) -> None:
    """Write a document whole or not at all."""
    with whole_file(path) as beside:
        document.save(str(beside))


def add_text(document: Document, passages: Iterable[Passage], keys: Sequence[str]) -> None:
    """Add headed paragraphs, citations numbered, gaps of the authors highlighted."""
    for heading, paragraphs in passages:
        document.add_heading(heading, level=2)
        for text in paragraphs:
            _add_marked(document.add_paragraph(), numbered(text, list(keys)))


def _add_marked(paragraph: Any, text: str) -> None:
    """Add text to a paragraph, what the authors have to write in yellow."""
    from docx.enum.text import WD_COLOR_INDEX

    rest = text
    while GAP in rest:
        before, _, behind = rest.partition(GAP)
        inside, _, rest = behind.partition("]")
        paragraph.add_run(before)
        run = paragraph.add_run(f"{GAP}{inside}]")
        run.font.highlight_color = WD_COLOR_INDEX.YELLOW
    paragraph.add_run(rest)


def write_text(path: str | Path, parts: Sequence[tuple[str, Sequence[Passage]]]) -> list[str]:
    """Write the text of the draft, and return the keys of what it cites in their order.

    Parameters
    ----------
    path : path-like
        The .docx to write.
    parts : sequence of (str, sequence of Passage)
        Heading of each part (methods, results), and its passages.
    """
    keys = cited_keys(text for _, passages in parts for _, some in passages for text in some)
    document = new_document()
    for heading, passages in parts:
        document.add_heading(heading, level=1)
        add_text(document, passages, keys)
    if keys:
        document.add_heading("References", level=1)
        for place, key in enumerate(keys, start=1):
            document.add_paragraph(f"{place}. {printed_work(key)}")
    save(document, path)
    return keys


def write_table(
    path: str | Path,
    caption: str,
    shown: pd.DataFrame,
    numeric: Sequence[str] = (),
    widths: Sequence[float] | None = None,
) -> None:
    """Write a table in the three-line style, its caption above.

    Parameters
    ----------
    path : path-like
        The .docx to write.
    caption : str
        What is shown and how.
    shown : pandas.DataFrame
        Cells as printed; a line break in a cell stays one.
    numeric : sequence of str
        Columns set flush right.
    widths : sequence of float, optional
        Share of the page's width of each column; by default equal, or by what the columns hold
        where a cell is long.
    """
    document = new_document(wide=len(shown.columns) >= _WIDE)
    document.add_paragraph(caption)
    add_table(document, shown, numeric, widths or _by_content(shown))
    save(document, path)


def add_table(
    document: Document,
    shown: pd.DataFrame,
    numeric: Sequence[str] = (),
    widths: Sequence[float] | None = None,
) -> None:
    """Add a table in the three-line style; its head is repeated on every page."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    names = [str(name) for name in shown.columns]
    table = document.add_table(rows=1 + len(shown), cols=len(names))
    table.autofit = widths is None
    cells = [names, *shown.astype(object).where(shown.notna(), "").astype(str).to_numpy().tolist()]
    for number, (row, line) in enumerate(zip(table.rows, cells, strict=True)):
        for place, (cell, text) in enumerate(zip(row.cells, line, strict=True)):
            _fill(cell, text, bold=number == 0)
            if names[place] in numeric:
                cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    if widths is not None:
        _set_widths(document, table, widths)
    for row in table.rows:  # a row stays on one page
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    head = table.rows[0]
    again = OxmlElement("w:tblHeader")
    again.set(qn("w:val"), "true")
    head._tr.get_or_add_trPr().append(again)
    for cell in head.cells:
        _rule(cell, top=_OUTER, bottom=_INNER)
    for cell in table.rows[-1].cells:
        _rule(cell, bottom=_OUTER, **({"top": _OUTER} if len(shown) == 0 else {}))


def _by_content(shown: pd.DataFrame) -> list[float] | None:
    """Return widths by the longest line of each column, None where all are short.

    Word spreads columns by itself, LibreOffice makes them equal, and a sentence then stands in a
    column of a word's width.
    """
    longest = [
        max(
            len(line) for cell in (name, *shown[name].astype(str)) for line in str(cell).split("\n")
        )
        for name in shown.columns
    ]
    if max(longest, default=0) <= _LONG_CELL:
        return None
    return [float(min(max(length, _SHORT_CELL), _LONG_CELL)) for length in longest]


def _set_widths(document: Document, table: Any, widths: Sequence[float]) -> None:
    page = document.sections[0]
    whole = page.page_width - page.left_margin - page.right_margin
    for column, width in zip(table.columns, widths, strict=True):
        column.width = int(whole * width / sum(widths))
    for row in table.rows:
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = int(whole * width / sum(widths))


def _fill(cell: _Cell, text: str, *, bold: bool) -> None:
    from docx.shared import Pt

    paragraph = cell.paragraphs[0]
    run = paragraph.add_run(text)
    run.bold, run.font.size = bold, Pt(9)
    paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(1.5)


def _rule(cell: _Cell, **edges: int) -> None:
    """Draw rules at the edges of a cell, in eighths of a point."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    borders = OxmlElement("w:tcBorders")
    for edge in ("top", "bottom"):
        if edge in edges:
            line = OxmlElement(f"w:{edge}")
            line.set(qn("w:val"), "single")
            line.set(qn("w:sz"), str(edges[edge]))
            line.set(qn("w:color"), "000000")
            borders.append(line)
    cell._tc.get_or_add_tcPr().append(borders)
