"""A proof's page: the report's blocks, its figures and tables beside it."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.files import whole_file, whole_folder, write_csv
from pipeline.reporting.blocks import Figure, Section, Table
from pipeline.reporting.study_report import render

#: What the page is, above its title.
KIND = "Proof on simulated data"


def write_page(title: str, sections: list[Section], folder: Path) -> None:
    """Write ``report.html``, ``figures/*.svg`` and ``tables/*.csv`` into `folder`."""
    blocks = [block for section in sections for block in section.all_blocks()]
    with whole_folder(folder / "figures") as beside:
        for block in blocks:
            if isinstance(block, Figure):
                (beside / f"{block.name}.svg").write_text(block.svg + "\n", encoding="utf-8")
    with whole_folder(folder / "tables") as beside:
        for block in blocks:
            if isinstance(block, Table):
                write_csv(block.file_table, beside / f"{block.name}.csv")
    with whole_file(folder / "report.html") as beside:
        beside.write_text(render(title, sections, KIND), encoding="utf-8")
