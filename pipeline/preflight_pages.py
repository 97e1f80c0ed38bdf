"""Pages that say, file by file, what must be mended before anything slow runs.

A folder that opens from a disk, without network: the masks in pages of a few hundred, worst first;
one page per case with its picture; and the whole table as a script, which the pages read when a
person filters.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from jinja2 import Environment

from pipeline.core import command
from pipeline.core.files import read_table, whole_folder
from pipeline.core.findings import SEVERITIES, from_json
from pipeline.core.pages import page_templates
from pipeline.study.study import open_study
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.preflight import Preflight

TEMPLATES = Path(__file__).parent / "checks" / "templates"
#: Masks on one page: a few screens, and less than half a megabyte.
ROWS_PER_PAGE = 200
VERDICTS = ("error", "warning", "ok")

#: Facts of `masks.parquet` that a case's page shows: column, heading, format.
FACTS = (
    ("volume_ml", "volume, ml", "{:.1f}"),
    ("tissue_hu", "mean HU", "{:.0f}"),
    ("extent_x_mm", "left-right, mm", "{:.0f}"),
    ("extent_y_mm", "front-back, mm", "{:.0f}"),
    ("extent_z_mm", "head-foot, mm", "{:.0f}"),
    ("gas_share", "gas", "{:.1%}"),
    ("dense_share", "above 1,500 HU", "{:.1%}"),
)


def rows_of(verdicts: pd.DataFrame) -> list[dict]:
    """Return the rows of the pages, what must be mended first.

    Parameters
    ----------
    verdicts : pandas.DataFrame
        The study's `preflight.parquet`.

    Returns
    -------
    list of dict
        ``case_id, level, reader, verdict, findings``; each finding with ``code, severity, message,
        remedy`` and the ``file`` that it is about. Masks with the same fault lie together.
    """
    rows = []
    for row in verdicts.to_dict("records"):
        findings = [
            {
                "code": one.code,
                "severity": one.severity,
                "message": one.sentence,
                "remedy": one.remedy,
                "file": row["image_file" if one.about == "ct" else "mask_file"],
            }
            for one in from_json(row["findings"])
        ]
        findings.sort(key=lambda one: SEVERITIES.index(one["severity"]))
        names = ("case_id", "level", "reader", "verdict", "mask_file")
        rows.append({**{name: row[name] for name in names}, "findings": findings})

    def place(row: dict) -> tuple:
        first = row["findings"][0]["code"] if row["findings"] else ""
        return VERDICTS.index(row["verdict"]), not first, first, row["case_id"], row["reader"]

    return sorted(rows, key=place)


def counts_of(rows: Sequence[Mapping]) -> list[dict]:
    """Return how many masks every kind of finding concerns, worst first."""
    counted = Counter(
        kind
        for row in rows
        for kind in {(finding["severity"], finding["code"]) for finding in row["findings"]}
    )
    kinds = sorted(counted, key=lambda kind: (SEVERITIES.index(kind[0]), -counted[kind], kind[1]))
    return [
        {"severity": severity, "code": code, "masks": counted[severity, code]}
        for severity, code in kinds
    ]


def table_script(rows: Sequence[Mapping]) -> str:
    """Return all rows as a script, since a page from a disk may load scripts but no data."""
    shared: dict[str, int] = {}

    def number(text: str) -> int:
        return shared.setdefault(text, len(shared))

    packed = [
        [
            row["verdict"],
            row["case_id"],
            row["level"],
            row["reader"],
            row["mask_file"],
            [
                [
                    one["severity"],
                    number(one["code"]),
                    number(one["message"]),
                    number(one["remedy"]),
                    "" if one["file"] == row["mask_file"] else one["file"],
                ]
                for one in row["findings"]
            ],
        ]
        for row in rows
    ]
    texts = json.dumps([list(shared), packed], separators=(",", ":"))
    return f"window.preflight.receive(...{texts});\n"


def write_pages(
    verdicts: pd.DataFrame,
    masks: pd.DataFrame,
    pictures: Iterable[Path],
    folder: Path,
    *,
    study: str,
    stops: bool,
) -> None:
    """Write the pages of a study into an empty folder.

    Parameters
    ----------
    verdicts : pandas.DataFrame
        The study's `preflight.parquet`.
    masks : pandas.DataFrame
        Its gathered `masks.parquet`, for the facts on the cases' pages.
    pictures : iterable of pathlib.Path
        Folders with ``<case_id>.png``; a case whose masks cannot be read has none.
    folder : pathlib.Path
        Receives ``index.html``, ``page-2.html`` and so on, ``cases/``, ``pictures/``.
    study : str
        Name of the study.
    stops : bool
        Whether errors stop the study.
    """
    environment = page_templates(TEMPLATES)
    drawn = _take_pictures(pictures, set(verdicts["case_id"]), folder / "pictures")
    for name in ("preflight.css", "preflight.js"):
        shutil.copyfile(TEMPLATES / name, folder / name)
    rows = rows_of(verdicts)
    (folder / "rows.js").write_text(table_script(rows), encoding="utf-8")
    pages = max(math.ceil(len(rows) / ROWS_PER_PAGE), 1)
    shared = {
        "study": study,
        "stops": stops,
        "total": len(rows),
        "verdicts": Counter(row["verdict"] for row in rows),
        "kinds": counts_of(rows),
        "readers": sorted({row["reader"] for row in rows}),
        "files": [page_name(number) for number in range(1, pages + 1)],
    }
    page = environment.get_template("list.html.j2")
    for number in range(1, pages + 1):
        part = rows[(number - 1) * ROWS_PER_PAGE : number * ROWS_PER_PAGE]
        text = page.render(**shared, number=number, rows=part)
        (folder / page_name(number)).write_text(text, encoding="utf-8")
    _write_cases(environment, rows, masks, drawn, folder / "cases", study)


def page_name(number: int) -> str:
    """Return the file name of a page of the list, counted from 1."""
    return "index.html" if number == 1 else f"page-{number}.html"


def _write_cases(
    environment: Environment,
    rows: Sequence[Mapping],
    masks: pd.DataFrame,
    drawn: set[str],
    folder: Path,
    study: str,
) -> None:
    facts = {
        (row["case_id"], row["reader"]): [
            "" if pd.isna(row[column]) else form.format(row[column]) for column, _, form in FACTS
        ]
        for row in masks.to_dict("records")
    }
    by_case: dict[str, list[Mapping]] = {}
    for row in rows:
        by_case.setdefault(row["case_id"], []).append(row)
    folder.mkdir()
    template = environment.get_template("case.html.j2")
    order = list(by_case)
    for place, (case_id, of_case) in enumerate(by_case.items()):
        readers = sorted(of_case, key=lambda row: row["reader"])
        text = template.render(
            study=study,
            case_id=case_id,
            level=readers[0]["level"],
            readers=readers,
            headings=[heading for _, heading, _ in FACTS],
            facts=facts,
            has_picture=case_id in drawn,
            before=order[place - 1] if place else None,
            after=order[place + 1] if place + 1 < len(order) else None,
        )
        (folder / f"{case_id}.html").write_text(text, encoding="utf-8")


def _take_pictures(folders: Iterable[Path], cases: set[str], target: Path) -> set[str]:
    """Link or copy the pictures of the study's cases, and return the cases that have one."""
    target.mkdir()
    drawn = set()
    for folder in folders:
        for picture in sorted(folder.glob("*.png")):
            if picture.stem not in cases:
                continue
            try:
                os.link(picture, target / picture.name)
            except OSError:  # another disk, or one that knows no links
                shutil.copyfile(picture, target / picture.name)
            drawn.add(picture.stem)
    return drawn


def main(options: argparse.Namespace) -> None:
    """Write the study's pages."""
    study = open_study(options.study)
    with whole_folder(options.out) as folder:
        write_pages(
            read_table(options.table, Preflight),
            read_table(options.masks, Masks),
            study.batch_files(options.batches, "pictures") if options.batches else [],
            folder,
            study=study.name,
            stops=study.config["on_bad_case"] == "stop",
        )


if __name__ == "__main__":
    arguments = command.parser("pipeline.preflight_pages", __doc__)
    arguments.add_argument(
        "--study", required=True, type=Path, help="folder written by python -m pipeline.validate"
    )
    arguments.add_argument(
        "--table", required=True, type=Path, help="the study's table preflight.parquet"
    )
    arguments.add_argument(
        "--masks", required=True, type=Path, help="the study's table masks.parquet"
    )
    arguments.add_argument(
        "--batches", type=Path, help="results of the batches, whose pictures the pages show"
    )
    arguments.add_argument("--out", required=True, type=Path, help="folder to write")
    command.run(main, arguments)
