"""Bring every CT, whatever its format, into one form: Hounsfield units as NRRD in the store.

A scan is a DICOM folder, a NIfTI or a NRRD file. Its voxels and its geometry are taken as they
are: nothing is re-oriented, resampled or clipped, and padding outside the field of view stays,
unless the section `ingest` of the configuration asks for it. What identifies a person is never
kept; of the acquisition only a whitelist of facts goes on.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import CaseError, StudyError
from pipeline.core.files import read_json, write_json, write_table
from pipeline.core.findings import case_named, from_exception, from_json, status_of, to_json
from pipeline.core.keeping.store import Store
from pipeline.core.problems import listing
from pipeline.core.table_schema import TEXT, types_of
from pipeline.imaging.ct_checks import check_ct, mean_and_sd
from pipeline.imaging.ct_options import CtChecks, CtOptions
from pipeline.imaging.read_ct import format_of, read_ct
from pipeline.imaging.sources import content_hash, placed, shown_name, source_files
from pipeline.imaging.stored_volumes import write_nrrd
from pipeline.imaging.volumes import image_hash
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.study import open_study
from pipeline.tables.schemas.images.ingest import Ingest

#: Libraries whose version may change a voxel or a header's reading.
LIBRARIES = (
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
)

COLUMNS = types_of(Ingest)


@functools.cache
def _code() -> str:
    """Return the fingerprint of the code that this process runs: it is looked up once."""
    return code_fingerprint("pipeline.ingest")


@functools.cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


def ingest_scan(
    image: str | Path,
    series: str | None,
    store: Store,
    checks: Mapping,
    options: CtOptions | None = None,
    *,
    packed: bool = False,
) -> dict:
    """Bring one CT into the store and describe it.

    Parameters
    ----------
    image : path-like
        DICOM folder, NIfTI or NRRD file.
    series : str or None
        SeriesInstanceUID or SeriesDescription of the series that is meant.
    store : Store
        Receives ``ct.nrrd`` as kind ``ct``, and reuses what it holds.
    checks : Mapping
        The study's ``checks`` (`pipeline.imaging.ct_options.CtChecks`).
    options : CtOptions, optional
        The study's ``ingest``.
    packed : bool, optional
        The study's ``pack_volumes``; an entry that lies there already stays as it is.

    Returns
    -------
    dict
        A row of `ingest.parquet` without ``scan_id`` and ``patient_id``. ``image`` is missing
        where a finding is an error.
    """
    options = options or CtOptions()
    limits = CtChecks.of(checks)
    files = source_files(image)
    file_format = format_of(image)
    source_hash = content_hash(files, store)

    def make(folder: Path) -> None:
        ct = read_ct(image, series, options, files)
        mean, deviation = mean_and_sd(ct.image)
        facts = ct.facts | {"hu_mean": mean, "hu_sd": deviation}
        write_nrrd(ct.image, folder / "ct.nrrd", compressed=packed)
        write_json(
            {
                "image_hash": image_hash(ct.image),
                "facts": facts,
                "lowest": ct.lowest,
                "findings": to_json(ct.findings),
            },
            folder / "ct.json",
        )

    entry = store.get_or_make(
        "ct",
        {
            "source": source_hash,
            "format": file_format,
            "series": series,
            "options": asdict(options),
            "code": _code,
            "versions": _versions,
        },
        make,
    )
    known = read_json(entry / "ct.json")
    facts = known["facts"]
    findings = check_ct(facts, known["lowest"], limits, from_json(known["findings"]))
    row = {
        "status": status_of(findings),
        "findings": to_json(findings),
        "source_hash": source_hash,
        "image_hash": known["image_hash"],
        "format": file_format,
        **facts,
    }
    if row["status"] != "error":
        row["image"] = store.relative(entry / "ct.nrrd")
    return row


def ingest_scans(
    scans: pd.DataFrame,
    store: Store,
    checks: Mapping,
    options: CtOptions | None = None,
    *,
    packed: bool = False,
) -> pd.DataFrame:
    """Ingest every scan; one that fails becomes a row with status ``error``, the others go on.

    Parameters
    ----------
    scans : pandas.DataFrame
        One row per scan: ``scan_id, patient_id, image, series``.
    store : Store
        Receives the volumes.
    checks : Mapping
        The study's ``checks``.
    options : CtOptions, optional
        The study's ``ingest``.
    packed : bool, optional
        The study's ``pack_volumes``.

    Returns
    -------
    pandas.DataFrame
        `ingest.parquet` (docs/files.md), in the order of `scans`.
    """
    rows = []
    for done, scan in enumerate(scans.to_dict("records"), start=1):
        file = shown_name(scan["image"])
        try:
            with case_named(scan["scan_id"], file):
                row = ingest_scan(
                    scan["image"], scan["series"] or None, store, checks, options, packed=packed
                )
        except (CaseError, OSError) as error:
            finding = from_exception(placed(error, file), "ct-failed", scan["scan_id"])
            row = {"status": "error", "findings": to_json([finding])}
        rows.append({"scan_id": scan["scan_id"], "patient_id": scan["patient_id"], **row})
        command.progress("ingest", done, len(scans), scan["scan_id"])
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    texts = [name for name, kind in COLUMNS.items() if kind == TEXT.stored]
    table[texts] = table[texts].where(table[texts].notna(), None)
    return table


def scans_of(cases: pd.DataFrame) -> pd.DataFrame:
    """Return one row per scan of the table of cases: ``scan_id, patient_id, image, series``."""
    scans = cases[["scan_id", "patient_id", "image", "series"]].drop_duplicates()
    doubled = scans["scan_id"][scans["scan_id"].duplicated()].unique()
    if doubled.size:
        raise StudyError(
            "A scan has one patient, one image and one series",
            found=f"different ones for scan {listing(sorted(doubled))}",
            where="table `cases`",
            remedy="give each scan one patient_id, one image and one series in the table of masks",
            code="scan-ambiguous",
        )
    scans = scans.sort_values("scan_id", ignore_index=True).astype(object)
    return scans.where(scans.notna(), None)


def main(options: argparse.Namespace) -> None:
    """Ingest the scans of a batch and write their table."""
    study = open_study(options.study)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(study.config["threads"])
    scans = scans_of(study.select_cases(options.batch, options.scan))
    table = ingest_scans(
        scans,
        study.store,
        study.config["checks"],
        CtOptions(**study.config["ingest"]),
        packed=study.config["pack_volumes"],
    )
    write_table(table, options.out, Ingest)


if __name__ == "__main__":
    arguments = command.parser("pipeline.ingest", __doc__)
    command.batch_arguments(arguments)
    arguments.add_argument("--out", required=True, type=Path, help="table to write (.parquet)")
    command.run(main, arguments)
