"""Bring every CT, whatever its format, into one form: Hounsfield units as NRRD in the store.

A scan is a DICOM folder, a NIfTI or a NRRD file. Its voxels and its geometry are taken as they
are: nothing is re-oriented, resampled or clipped, and padding outside the field of view stays. What
identifies a person is never read; of the acquisition only a whitelist of facts goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import CaseError, StudyError
from pipeline.core.files import read_json, write_json, write_table
from pipeline.core.findings import Finding, from_exception, from_json, status_of, to_json
from pipeline.core.fingerprint import code_fingerprint
from pipeline.core.geometry import Geometry
from pipeline.core.sources import content_hash, placed, shown_name, source_files
from pipeline.core.store import Store
from pipeline.core.study import open_study
from pipeline.core.volumes import (
    NRRD_SUFFIXES,
    VOLUME_SUFFIXES,
    check_finite,
    image_hash,
    read_volume,
    volume_suffix,
    write_nrrd,
)
from pipeline.dicom_series import choose_series, read_headers
from pipeline.dicom_volume import read_series

#: Libraries whose version may change a voxel or a header's reading.
LIBRARIES = (
    "nibabel",
    "numpy",
    "pydicom",
    "pylibjpeg",
    "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg",
    "pynrrd",
    "SimpleITK",
)

TEXT = object  # strings or None: pandas' own string type would make every None a pandas.NA
COLUMNS = {
    "scan_id": TEXT,
    "patient_id": TEXT,
    "status": TEXT,
    "findings": TEXT,
    "image": TEXT,
    "source_hash": TEXT,
    "image_hash": TEXT,
    "format": TEXT,
    "size_x": float,
    "size_y": float,
    "size_z": float,
    "spacing_x": float,
    "spacing_y": float,
    "spacing_z": float,
    "hu_min": float,
    "hu_max": float,
    "manufacturer": TEXT,
    "scanner": TEXT,
    "kvp": float,
    "kernel": TEXT,
    "slice_thickness_mm": float,
}


def format_of(path: str | Path) -> str:
    """Return ``DICOM``, ``NRRD`` or ``NIfTI``, or raise where a CT cannot be read from `path`."""
    path = Path(path)
    if path.is_dir():
        return "DICOM"
    suffix = volume_suffix(path)
    if suffix is None or path.name.lower().endswith(".seg.nrrd"):
        raise CaseError(
            f"A CT must be a DICOM folder or a file ending in {', '.join(VOLUME_SUFFIXES)}",
            found="a segmentation (.seg.nrrd)" if suffix else f"name ending '{path.suffix}'",
            remedy="for DICOM name the folder that holds the slices, not one file",
        )
    return "NRRD" if suffix in NRRD_SUFFIXES else "NIfTI"


def load_ct(
    path: str | Path, files: list[Path], series: str | None = None
) -> tuple[sitk.Image, dict, list[Finding]]:
    """Read a CT from its source files.

    Parameters
    ----------
    path : path-like
        DICOM folder, or a NIfTI or NRRD file.
    files : list of pathlib.Path
        `path` itself or the files below it (`pipeline.core.sources.source_files`).
    series : str, optional
        SeriesInstanceUID of the series that is meant, for a DICOM folder.

    Returns
    -------
    image : SimpleITK.Image
        Hounsfield units on the file's own grid, without metadata.
    facts : dict
        What is known of ``manufacturer, scanner, kvp, kernel, slice_thickness_mm``.
    findings : list of Finding
        Warnings.

    Raises
    ------
    CaseError
        If it is no CT of an accepted format, or not one whole, regular volume.
    """
    if format_of(path) == "DICOM":
        slices, chosen = choose_series(read_headers(files), series)
        volume = read_series(slices)
        image = sitk.GetImageFromArray(volume.voxels)
        Geometry.from_affine(volume.affine, image.GetSize()).apply_to(image)
        return image, volume.facts, chosen + volume.findings
    image, findings = read_volume(path)
    return image, {}, findings


def check_extent(
    size: tuple[int, ...], spacing: tuple[float, ...], min_slices: int, max_slice_spacing_mm: float
) -> list[Finding]:
    """Check that a CT has slices enough, close enough.

    A volume that is no DICOM series does not say which axis its slices are stacked along; the
    shortest and the coarsest axis are judged.

    Parameters
    ----------
    size : tuple of int
        Voxels along each axis.
    spacing : tuple of float
        Distance of voxel centres along each axis, in mm.
    min_slices : int
        Fewer voxels along an axis are an error.
    max_slice_spacing_mm : float
        A larger spacing is an error, in mm.
    """
    findings = []
    if min(size) < min_slices:
        findings.append(
            Finding(
                "too-few-slices",
                "error",
                f"The CT has {min(size)} slices; at least {min_slices} are needed",
                "export the whole series",
            )
        )
    if max(spacing) > max_slice_spacing_mm:
        findings.append(
            Finding(
                "slices-too-far-apart",
                "error",
                f"The CT's slices lie {max(spacing):g} mm apart; at most "
                f"{max_slice_spacing_mm:g} mm are accepted",
                "ask for a thinner reconstruction, or raise checks.max_slice_spacing_mm",
            )
        )
    return findings


def ingest_scan(image: str | Path, series: str | None, store: Store, checks: Mapping) -> dict:
    """Bring one CT into the store and describe it.

    Parameters
    ----------
    image : path-like
        DICOM folder, NIfTI or NRRD file.
    series : str or None
        SeriesInstanceUID of the series that is meant.
    store : Store
        Receives ``ct.nrrd`` as kind ``ct``, and reuses what it holds.
    checks : Mapping
        The study's ``checks``: ``min_slices``, ``max_slice_spacing_mm``.

    Returns
    -------
    dict
        A row of `ingest.parquet` without ``scan_id`` and ``patient_id``. ``image`` is missing
        where a finding is an error.
    """
    files = source_files(image)
    file_format = format_of(image)
    source_hash = content_hash(files, store)

    def make(folder: Path) -> None:
        ct, facts, findings = load_ct(image, files, series)
        low, high = check_finite(ct)
        write_nrrd(ct, folder / "ct.nrrd")
        facts |= dict(zip(("size_x", "size_y", "size_z"), ct.GetSize(), strict=True))
        facts |= dict(zip(("spacing_x", "spacing_y", "spacing_z"), ct.GetSpacing(), strict=True))
        facts |= {"hu_min": low, "hu_max": high}
        write_json(
            {"image_hash": image_hash(ct), "facts": facts, "findings": to_json(findings)},
            folder / "ct.json",
        )

    entry = store.get_or_make(
        "ct",
        {
            "source": source_hash,
            "format": file_format,
            "series": series,
            "code": code_fingerprint("pipeline.ingest"),
            "versions": {name: version(name) for name in LIBRARIES},
        },
        make,
    )
    known = read_json(entry / "ct.json")
    facts = known["facts"]
    findings = from_json(known["findings"]) + check_extent(
        tuple(int(facts[f"size_{axis}"]) for axis in "xyz"),
        tuple(facts[f"spacing_{axis}"] for axis in "xyz"),
        checks["min_slices"],
        checks["max_slice_spacing_mm"],
    )
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


def ingest_scans(scans: pd.DataFrame, store: Store, checks: Mapping) -> pd.DataFrame:
    """Ingest every scan; one that fails becomes a row with status ``error``, the others go on.

    Parameters
    ----------
    scans : pandas.DataFrame
        One row per scan: ``scan_id, patient_id, image, series``.
    store : Store
        Receives the volumes.
    checks : Mapping
        The study's ``checks``.

    Returns
    -------
    pandas.DataFrame
        `ingest.parquet` (docs/architecture.md), in the order of `scans`.
    """
    rows = []
    for done, scan in enumerate(scans.to_dict("records"), start=1):
        try:
            row = ingest_scan(scan["image"], scan["series"] or None, store, checks)
        except Exception as error:
            error = placed(error, shown_name(scan["image"]))
            finding = from_exception(error, "ct-failed", scan["scan_id"])
            row = {"status": "error", "findings": to_json([finding])}
        rows.append({"scan_id": scan["scan_id"], "patient_id": scan["patient_id"], **row})
        command.progress("ingest", done, len(scans), scan["scan_id"])
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    texts = [name for name, kind in COLUMNS.items() if kind is TEXT]
    table[texts] = table[texts].where(table[texts].notna(), None)
    return table


def scans_of(cases: pd.DataFrame) -> pd.DataFrame:
    """Return one row per scan of the table of cases: ``scan_id, patient_id, image, series``."""
    scans = cases[["scan_id", "patient_id", "image", "series"]].drop_duplicates()
    doubled = scans["scan_id"][scans["scan_id"].duplicated()].unique()
    if doubled.size:
        raise StudyError(
            "A scan has one patient, one image and one series",
            found=f"different ones for scan {', '.join(sorted(doubled))}",
            where="table `cases`",
        )
    scans = scans.sort_values("scan_id", ignore_index=True).astype(object)
    return scans.where(scans.notna(), None)


def main(options: argparse.Namespace) -> None:
    """Ingest the scans of a batch and write their table."""
    study = open_study(options.study)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(study.config["threads"])
    scans = scans_of(study.select_cases(options.batch, options.scan))
    write_table(ingest_scans(scans, study.store, study.config["checks"]), options.out)


if __name__ == "__main__":
    arguments = command.parser("pipeline.ingest", __doc__)
    command.batch_arguments(arguments)
    arguments.add_argument("--out", required=True, type=Path, help="table to write (.parquet)")
    command.run(main, arguments)
