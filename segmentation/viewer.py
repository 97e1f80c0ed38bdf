"""Write a page per case to scroll through with all readers' contours, and the list of cases.

The list is ordered by disagreement, for adjudication. A page is written again only when what it
shows has changed; what is no longer a case of the study goes.
"""

from __future__ import annotations

import argparse
import itertools
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import StudyError
from pipeline.core.files import json_hash, read_table, whole_file
from pipeline.core.keeping.store import Store
from pipeline.imaging.stored_volumes import read_nrrd
from pipeline.running.fingerprint import code_fingerprint, files_fingerprint
from pipeline.study.option_numbers import PROCESSES, number_within
from pipeline.study.study import open_study
from pipeline.tables.readers import is_original, originals, originals_first
from pipeline.tables.schemas.images.agreement import Agreement
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from segmentation.pages.viewer_page import TEMPLATES, Neighbours, case_page, index_page
from segmentation.pages.viewer_volume import MOST_MASKS, case_volume

logger = logging.getLogger("vertebromics")

INDEX = "index.html"
#: A page's key stands within so many bytes of its start.
_HEAD_BYTES = 400


def list_cases(masks: pd.DataFrame, agreement: pd.DataFrame) -> list[dict]:
    """Return the cases in the order in which their readers' masks should be looked at.

    Parameters
    ----------
    masks : pandas.DataFrame
        `masks.parquet`: ``case_id, level, reader, mask``.
    agreement : pandas.DataFrame
        `agreement.parquet`.

    Returns
    -------
    list of dict
        ``case_id, level, readers, corrected, page, note`` and the measures of the pair of readers
        that agrees least, None where there is none. Least surface Dice first, then least Dice;
        cases that two readers have not drawn come last.
    """
    measures = ["surface_dice", "dice", "hausdorff95_mm", "mean_surface_distance_mm"]
    measures.append("volume_difference_percent")
    between = agreement[agreement["comparison"] == "readers"]
    between = between.sort_values(["surface_dice", "dice", "case_id"], kind="stable")
    worst = between.drop_duplicates("case_id").set_index("case_id")
    rows = []
    for case_id, group in masks.sort_values(["case_id", "reader"]).groupby("case_id", sort=True):
        usable = group[group["mask"].notna()]
        lost = sorted(set(group["reader"]) - set(usable["reader"]))
        notes = [f"mask of {', '.join(lost)} not usable"] * bool(lost)
        hidden = len(usable) - MOST_MASKS
        notes += [f"{hidden} masks beyond {MOST_MASKS} not shown"] * (hidden > 0)
        row = {
            "case_id": case_id,
            "level": group["level"].iloc[0],
            "readers": ", ".join(originals(group["reader"])),
            "corrected": ", ".join(label for label in group["reader"] if not is_original(label)),
            "page": f"{case_id}.html" if len(usable) else None,
            "note": "; ".join(notes),
            **dict.fromkeys(measures),
        }
        if case_id in worst.index:
            pair = worst.loc[case_id]
            row |= {name: float(pair[name]) for name in measures}
            if len(originals(group["reader"])) > 2:
                row["readers"] = f"{pair['reader_a']}, {pair['reader_b']}"
        rows.append(row)
    last = (2.0, 2.0)

    def order(row: dict) -> tuple:
        compared = row["dice"] is not None
        return (*((row["surface_dice"], row["dice"]) if compared else last), row["case_id"])

    return sorted(rows, key=order)


def write_pages(
    rows: Sequence[dict],
    masks: pd.DataFrame,
    ingested: pd.DataFrame,
    agreement: pd.DataFrame,
    store: Store,
    folder: Path,
    tolerance_mm: float,
    processes: int = 1,
) -> int:
    """Write the pages of all cases that have a mask; return how many were written anew.

    Parameters
    ----------
    rows : sequence of dict
        As `list_cases` returns them.
    masks, ingested, agreement : pandas.DataFrame
        The study's tables.
    store : Store
        Holds CTs and masks.
    folder : pathlib.Path
        Receives ``<case_id>.html``; pages of other cases are removed.
    tolerance_mm : float
        Tolerance of the surface Dice, in mm.
    processes : int, default=1
        Scans drawn at once; a CT is read once for all of its cases.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = [row["case_id"] for row in rows if row["page"]]
    kept = {INDEX, *(f"{case_id}.html" for case_id in listed)}
    for path in folder.glob("*.html"):
        if path.name not in kept:
            path.unlink()
    around = dict(
        zip(listed, map(Neighbours, [None, *listed[:-1]], [*listed[1:], None]), strict=True)
    )
    # Originals first: a reader has the same colour on every page, corrected or not.
    # Originals first: a reader has the same colour everywhere, corrected or not.
    usable = originals_first(masks[masks["mask"].notna()])
    pairs = dict(list(agreement.groupby("case_id")))
    scans = ingested.set_index("scan_id").to_dict("index")
    program = [code_fingerprint("segmentation.viewer"), files_fingerprint(TEMPLATES.iterdir())]
    jobs = []
    for scan_id, of_scan in usable.groupby("scan_id", sort=True):
        cases = []
        for case_id, group in of_scan.groupby("case_id", sort=True):
            case = {
                "case_id": case_id,
                "level": group["level"].iloc[0],
                "masks": group[["reader", "mask"]].head(MOST_MASKS).to_dict("records"),
                "pairs": pairs[case_id].to_dict("records") if case_id in pairs else [],
            }
            content = [case["case_id"], case["level"], case["pairs"], asdict(around[case_id])]
            drawn = group[["reader", "mask_hash"]].to_numpy().tolist()
            image = scans[scan_id]["image_hash"]
            case["key"] = json_hash([content, image, drawn, program, tolerance_mm])
            if _key_of(folder / f"{case_id}.html") != case["key"]:
                cases.append(case)
        if cases:
            jobs.append((scans[scan_id]["image"], cases))
    draw = partial(_draw_scan, store=store, folder=folder, around=around, tolerance_mm=tolerance_mm)
    total, done = sum(len(cases) for _, cases in jobs), 0
    for drawn in _each(draw, jobs, processes):
        for case_id in drawn:
            done += 1
            command.progress("viewer", done, total, case_id)
    return total


def _each(draw, jobs: list, processes: int) -> Iterator[list[str]]:
    """Yield what `draw` makes of each job, several at once if asked."""
    if processes < 2 or len(jobs) < 2:
        yield from itertools.starmap(draw, jobs)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(draw, *zip(*jobs, strict=True))


def _draw_scan(
    image: str,
    cases: list[dict],
    store: Store,
    folder: Path,
    around: dict[str, Neighbours],
    tolerance_mm: float,
) -> list[str]:
    """Write the pages of one scan's cases and return their ids."""
    ct = read_nrrd(store.path(image))
    for case in cases:
        drawn = {row["reader"]: read_nrrd(store.path(row["mask"])) for row in case["masks"]}
        page = case_page(
            f"{case['case_id']} ({case['level']})",
            case_volume(ct, drawn),
            [pair for pair in case["pairs"] if {pair["reader_a"], pair["reader_b"]} <= set(drawn)],
            around[case["case_id"]],
            case["key"],
            tolerance_mm,
        )
        with whole_file(folder / f"{case['case_id']}.html") as beside:
            beside.write_text(page, encoding="utf-8")
    return [case["case_id"] for case in cases]


def _key_of(page: Path) -> str | None:
    """Return the key in the head of a page, None where there is no page."""
    if not page.exists():
        return None
    with open(page, encoding="utf-8") as stream:
        _, mark, rest = stream.read(_HEAD_BYTES).partition('<meta name="key" content="')
    return rest.partition('"')[0] if mark else None


def main(options: argparse.Namespace) -> None:
    """Write the pages and the list of a study."""
    study = open_study(options.study)
    if options.processes < 1:
        raise StudyError(
            "At least one process must draw",
            found=options.processes,
            where="option --processes",
            remedy="write 1 or more",
            code="processes-too-few",
        )
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    masks, agreement = read_table(options.masks, Masks), read_table(options.agreement, Agreement)
    rows = list_cases(masks, agreement)
    tolerance_mm = study.config["agreement"]["surface_tolerance_mm"]
    written = write_pages(
        rows,
        masks,
        read_table(options.ingest, Ingest),
        agreement,
        study.store,
        options.out.parent,
        tolerance_mm,
        options.processes,
    )
    with whole_file(options.out) as beside:
        title = study.config["title"] or study.name
        beside.write_text(index_page(title, rows, tolerance_mm), encoding="utf-8")
    logger.info("%d pages written, %d in all", written, sum(bool(row["page"]) for row in rows))


if __name__ == "__main__":
    arguments = command.parser("segmentation.viewer", __doc__)
    arguments.add_argument(
        "--study", required=True, type=Path, help="folder written by python -m pipeline.validate"
    )
    for stage in ("ingest", "masks", "agreement"):
        arguments.add_argument(
            f"--{stage}", required=True, type=Path, help=f"the study's table {stage}.parquet"
        )
    arguments.add_argument(
        "--out", required=True, type=Path, help="list to write (index.html), pages beside it"
    )
    arguments.add_argument(
        "--processes", type=number_within(PROCESSES), default=1, help="scans drawn at once (1)"
    )
    command.run(main, arguments)
