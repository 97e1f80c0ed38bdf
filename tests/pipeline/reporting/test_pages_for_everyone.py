"""Pages serve people who cannot see them, tables are copied whole, figures have words instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.regression.publishing.calculator import calculator_page
from models.regression.publishing.model_file import read_model
from pipeline.reporting.blocks import Figure, Pictures, Table
from pipeline.reporting.reading_results import read_results
from pipeline.reporting.study_report import build_sections, write_report
from segmentation.pages.viewer_page import case_page, index_page
from segmentation.viewer import list_cases
from tests.models.regression.test_published import PUBLISHED
from tests.pipeline.test_preflight_pages import SOME, written
from tests.segmentation.test_viewer import NOBODY, case_volume, marked_ct, pair, tables
from tests.support.browser import in_browser, violations


@pytest.fixture(scope="module")
def report(lr_study) -> Path:
    out = lr_study / "report" / "report.html"
    write_report(read_results(lr_study / "study"), out)
    return out


def page_of(name: str, report: Path, folder: Path) -> Path:
    """Return a page of each kind that people open."""
    if name == "report":
        return report
    if name.startswith("preflight"):
        pages = written(folder / "pages", SOME)
        return pages / ("index.html" if name == "preflight" else "cases/c1.html")
    texts = {
        "calculator": lambda: calculator_page(read_model(PUBLISHED / "rong2025.yaml")),
        "viewer": lambda: case_page("c", case_volume(*marked_ct("RAS")), [pair()], NOBODY, "k", 1),
        "list of cases": lambda: index_page("S", list_cases(*tables()), 1.0),
    }
    page = folder / "page.html"
    page.write_text(texts[name](), encoding="utf-8")
    return page


@pytest.mark.parametrize(
    "name", ["report", "preflight", "preflight case", "calculator", "viewer", "list of cases"]
)
def test_axe_finds_nothing(name, report, tmp_path):
    assert violations(page_of(name, report, tmp_path), tmp_path) == []


def test_every_figure_and_picture_has_words_instead(lr_results):
    blocks = [block for section in build_sections(lr_results) for block in section.all_blocks()]
    figures = [block for block in blocks if isinstance(block, Figure)]
    pictures = [one for block in blocks if isinstance(block, Pictures) for one in block.pictures]
    assert len(figures) > 8
    for figure in figures:
        # What is heard says more than what kind of drawing it is.
        assert len(figure.alt.split()) >= 5, figure.name
        assert figure.alt.strip() != figure.caption.strip()
    assert all(picture.alt for picture in pictures)


def test_a_table_is_copied_as_columns_and_as_a_table(report, lr_results, tmp_path):
    """Its button is a real one; what it copies is what the page shows, minus signs as such."""
    act = """
      const held = {};
      // A browser lets only a person copy; the event is the same.
      document.execCommand = (what) => {
        const clipboardData = new DataTransfer();
        const event = new ClipboardEvent(what, { clipboardData, cancelable: true, bubbles: true });
        document.dispatchEvent(event);
        held.text = clipboardData.getData("text/plain");
        held.html = clipboardData.getData("text/html");
        return true;
      };
      const table = document.getElementById("table-characteristics-by-outcome");
      const bar = table.parentNode.previousElementSibling;
      const button = bar.querySelector("button");
      button.click();
      held.said = bar.querySelector("[role=status]").textContent;
      held.type = button.type;
      held.name = button.getAttribute("aria-label");
      const count = (chosen) => document.querySelectorAll(chosen).length;
      held.buttons = [count(".copy button"), count("main .wide > table")];
      held.focusable = button.tabIndex;
      return held;
    """
    held = in_browser(report, act, tmp_path)
    (table,) = [
        block
        for section in build_sections(lr_results)
        for block in section.all_blocks()
        if isinstance(block, Table) and block.name == "characteristics-by-outcome"
    ]
    lines = held["text"].split("\n")
    assert len(lines) == 1 + len(table.shown)
    assert all(line.count("\t") == len(table.shown.columns) - 1 for line in lines)
    first = [str(cell).replace("\u2212", "-").split() for cell in table.shown.iloc[0]]
    assert [cell.split() for cell in lines[1].split("\t")] == first
    assert held["html"].count("<tr>") == len(lines)
    assert "class=" not in held["html"]
    assert "\u2212" not in held["text"]
    assert held["said"] == "Copied"
    assert (held["type"], held["focusable"]) == ("button", 0)
    assert "characteristics-by-outcome" in held["name"]
    assert held["buttons"][0] == held["buttons"][1] > 10
