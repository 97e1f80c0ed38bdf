"""Bring every reader's mask onto its CT's grid as 0 and 1, and check it.

A mask may be flipped or cropped against its CT, as programs save them; that is undone exactly. A
mask on any other grid is refused: resampling it would move the boundary that a reader drew.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import CaseError
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.core.findings import (
    Finding,
    case_named,
    from_exception,
    from_json,
    status_of,
    to_json,
)
from pipeline.core.keeping.store import Store
from pipeline.core.table_schema import TEXT, types_of
from pipeline.imaging.sources import content_hash, placed, shown_name, source_files
from pipeline.imaging.stored_volumes import StoredVolume, write_nrrd
from pipeline.imaging.volumes import image_hash, volume_suffix
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.study import open_study
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from segmentation.regions.placement import DEFAULTS, Case, Reading, place_mask
from segmentation.regions.reference_series import Candidate, other_scans
from segmentation.regions.region_checks import check_region
from segmentation.regions.region_facts import describe_region, slices_around
from segmentation.structures.label_tables import tables_beside
from segmentation.structures.level_names import levels_of_file

LIBRARIES = (
    "highdicom",
    "nibabel",
    "numpy",
    "pydicom",
    "pyjpegls",
    "pylibjpeg",
    "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg",
    "pynrrd",
    "scipy",
    "SimpleITK",
    "slicerio",
)

COLUMNS = types_of(Masks)


@functools.cache
def _code() -> str:
    """Return the fingerprint of the code that this process runs: it is looked up once."""
    return code_fingerprint("segmentation.masks")


@functools.cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


def prepare_mask(
    case: Case,
    ct: Mapping,
    store: Store,
    checks: Mapping,
    reading: Reading = DEFAULTS,
    others: Iterable[Candidate] = (),
) -> dict:
    """Bring one mask onto its CT's grid, into the store, and describe it.

    Parameters
    ----------
    case : Case
        Row of the table of cases.
    ct : Mapping
        The scan's row of `ingest.parquet`: ``image``, ``image_hash``, ``source_hash``.
    store : Store
        Receives ``mask.nrrd`` as kind ``mask``, and reuses what it holds.
    checks : Mapping
        The study's ``checks``: ``min_voxels``, ``border_is``, ``region``.
    reading : Reading, optional
        The study's ``masks``.
    others : iterable of Candidate, optional
        Other scans of the patient; looked at only where the mask does not fit.

    Returns
    -------
    dict
        A row of `masks.parquet` without its identifiers.
    """
    source_hash = content_hash(source_files(case.mask), store)

    def make(folder: Path) -> None:
        volume = _ct(str(store.path(ct["image"])))
        geometry = volume.geometry
        placed, segment, findings = place_mask(case, geometry, reading, others)
        binary = placed.voxels
        hu = volume.slices(*slices_around(binary, geometry))
        facts = describe_region(binary, hu, geometry)
        written = sitk.GetImageFromArray(binary)
        geometry.apply_to(written)
        write_nrrd(written, folder / "mask.nrrd")
        write_json(
            {
                "mask_hash": image_hash(written),
                "label": segment.name or str(segment.value),
                "reoriented": placed.reoriented,
                "facts": facts,
                "findings": to_json(findings),
            },
            folder / "mask.json",
        )

    entry = store.get_or_make(
        "mask",
        {
            "source": source_hash,
            "format": volume_suffix(case.mask),
            "label": case.label,
            "level": case.level,
            "tables": list(tables_beside(Path(case.mask))) if volume_suffix(case.mask) else [],
            "reading": asdict(reading),
            "ct": [ct["image_hash"], ct.get("source_hash")],
            "code": _code,
            "versions": _versions,
        },
        make,
    )
    known = read_json(entry / "mask.json")
    findings = [
        *from_json(known["findings"]),
        *check_file_name(case.mask, case.level),
        *check_region(known["facts"], case.level, checks),
    ]
    row = {
        "status": status_of(findings),
        "findings": to_json(findings),
        "source_hash": source_hash,
        "mask_hash": known["mask_hash"],
        "label": known["label"],
        "reoriented": known["reoriented"],
        **{name: value for name, value in known["facts"].items() if name in COLUMNS},
    }
    if row["status"] != "error":
        row["mask"] = store.relative(entry / "mask.nrrd")
    return row


#: A scan's masks follow each other: its CT is read once for all of them, as far as they reach.
_ct = functools.lru_cache(maxsize=1)(StoredVolume)


def check_file_name(mask: str | Path, level: str) -> list[Finding]:
    """Return a warning where the name of a mask's file speaks of another level than its case."""
    levels = levels_of_file(mask)
    if not levels or level in levels:
        return []
    return [
        Finding(
            "file-of-another-level",
            "warning",
            f"The name of the mask's file speaks of {' and '.join(sorted(levels))}, but the case "
            f"is {level}",
            "correct column `mask` or column `level`",
        )
    ]


def prepare_masks(
    cases: pd.DataFrame,
    ingested: pd.DataFrame,
    store: Store,
    checks: Mapping,
    reading: Reading = DEFAULTS,
    of_study: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Prepare every mask; one that fails becomes a row with status ``error``, the others go on.

    Parameters
    ----------
    cases : pandas.DataFrame
        Rows of the table of cases.
    ingested : pandas.DataFrame
        `ingest.parquet` of their scans.
    store : Store
        Holds the CTs, receives the masks.
    checks : Mapping
        The study's ``checks``.
    reading : Reading, optional
        The study's ``masks``.
    of_study : pandas.DataFrame, optional
        The whole table of cases, `cases` by default: a mask that does not fit its CT may lie on
        another scan of the patient.

    Returns
    -------
    pandas.DataFrame
        `masks.parquet` (docs/files.md), sorted by case and reader.
    """
    scans = ingested.set_index("scan_id").to_dict("index")
    of_study = cases if of_study is None else of_study
    cases = cases.sort_values(["case_id", "reader"]).astype(object)
    rows = []
    for done, case in enumerate(cases.where(cases.notna(), None).to_dict("records"), start=1):
        name, file = f"{case['case_id']} {case['reader']}", shown_name(case["mask"])
        ct = scans[case["scan_id"]]
        try:
            if not ct["image"]:
                raise CaseError(
                    "A mask needs a CT that passed its checks",
                    found=f"the CT of scan {case['scan_id']} has errors",
                    remedy="mend the CT first",
                    code="ct-has-errors",
                )
            with case_named(name, file):
                row = prepare_mask(
                    Case(**{key: case[key] for key in ("mask", "label", "level", "image")}),
                    ct,
                    store,
                    checks,
                    reading,
                    other_scans(of_study, case["patient_id"], case["scan_id"]),
                )
        except (CaseError, OSError) as error:
            code = "mask-failed" if ct["image"] else "ct-failed"
            finding = from_exception(placed(error, file), code, name)
            row = {"status": "error", "findings": to_json([finding])}
        identifiers = ("case_id", "scan_id", "patient_id", "level", "reader")
        rows.append({**{key: case[key] for key in identifiers}, **row})
        command.progress("masks", done, len(cases), name)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    texts = [column for column, kind in COLUMNS.items() if kind == TEXT.stored]
    table[texts] = table[texts].where(table[texts].notna(), None)
    return table


def main(options: argparse.Namespace) -> None:
    """Prepare the masks of a batch and write their table."""
    study = open_study(options.study)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(study.config["threads"])
    cases = study.select_cases(options.batch, options.scan)
    table = prepare_masks(
        cases,
        read_table(options.ingest, Ingest),
        study.store,
        study.config["checks"],
        Reading(**study.config["masks"]),
        study.cases,
    )
    write_table(table, options.out, Masks)


if __name__ == "__main__":
    arguments = command.parser("segmentation.masks", __doc__)
    command.batch_arguments(arguments)
    arguments.add_argument(
        "--ingest", required=True, type=Path, help="table of python -m pipeline.ingest"
    )
    arguments.add_argument("--out", required=True, type=Path, help="table to write (.parquet)")
    command.run(main, arguments)
