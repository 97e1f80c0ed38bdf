"""Bring every reader's mask onto its CT's grid as 0 and 1, and check it.

A mask may be flipped or cropped against its CT, as programs save them; that is undone exactly. A
mask on any other grid is refused: resampling it would move the boundary that a reader drew.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from scipy import ndimage

from pipeline.core import command
from pipeline.core.errors import CaseError
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.core.findings import Finding, from_exception, from_json, status_of, to_json
from pipeline.core.fingerprint import code_fingerprint
from pipeline.core.geometry import Geometry
from pipeline.core.sources import content_hash, placed, shown_name, source_files
from pipeline.core.store import Store
from pipeline.core.study import open_study
from pipeline.core.volumes import image_hash, read_nrrd, volume_suffix, write_nrrd
from segmentation.mask_files import mask_on_grid, pick_segment, read_mask_file

LIBRARIES = ("nibabel", "numpy", "pynrrd", "scipy", "SimpleITK", "slicerio")

#: Components besides the largest are worth a warning when they hold more than this share of the
#: mask: a stray voxel of the brush is not.
STRAY_SHARE = 0.01
#: Enclosed holes are worth a warning when they would add more than this share to the mask.
HOLE_SHARE = 0.01

TEXT = object  # strings or None: pandas' own string type would make every None a pandas.NA
COLUMNS = {
    "case_id": TEXT,
    "scan_id": TEXT,
    "patient_id": TEXT,
    "level": TEXT,
    "reader": TEXT,
    "status": TEXT,
    "findings": TEXT,
    "mask": TEXT,
    "source_hash": TEXT,
    "mask_hash": TEXT,
    "label": TEXT,
    "voxels": float,
    "volume_ml": float,
    "mean_hu": float,
    "components": float,
    "touches_border": object,
}


def describe_mask(mask: np.ndarray, ct: np.ndarray, voxel_volume_ml: float) -> dict:
    """Measure a binary mask.

    Parameters
    ----------
    mask : numpy.ndarray
        0/1, shape (z, y, x), with at least one voxel.
    ct : numpy.ndarray
        Hounsfield units, same shape.
    voxel_volume_ml : float
        Volume of a voxel in ml.

    Returns
    -------
    dict
        ``voxels``; ``volume_ml``; ``mean_hu``; ``components``, counted with voxels that share a
        corner as one; ``stray``, the share of the voxels outside the largest component;
        ``holes``, enclosed background as a share of the mask; ``touches_border``, whether a voxel
        lies on the outermost layer of the volume.
    """
    inside = np.nonzero(mask)
    voxels = len(inside[0])
    low, high = np.min(inside, axis=1), np.max(inside, axis=1)
    box = mask[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))] != 0
    labelled, components = ndimage.label(box, structure=np.ones((3, 3, 3)))
    largest = np.bincount(labelled.ravel())[1:].max()
    # A hole is closed off within the bounding box, since background outside it is connected.
    holes = int(ndimage.binary_fill_holes(np.pad(box, 1)).sum()) - voxels
    return {
        "voxels": voxels,
        "volume_ml": voxels * voxel_volume_ml,
        "mean_hu": float(ct[inside].mean(dtype=np.float64)),
        "components": int(components),
        "stray": 1 - int(largest) / voxels,
        "holes": holes / voxels,
        "touches_border": bool((low == 0).any() or (high == np.array(mask.shape) - 1).any()),
    }


def check_mask(facts: Mapping, min_voxels: int, border_is: str) -> list[Finding]:
    """Judge a mask by its measurements.

    Parameters
    ----------
    facts : Mapping
        As `describe_mask` returns them.
    min_voxels : int
        Fewer voxels are an error.
    border_is : {'warning', 'error'}
        Severity of a mask that the edge of the volume cuts off.
    """
    findings = []
    if facts["voxels"] < min_voxels:
        findings.append(
            Finding(
                "mask-too-small",
                "error",
                f"The mask has {facts['voxels']} voxels; at least {min_voxels} are needed",
                "check that the label is the vertebra's, and draw the whole vertebral body",
            )
        )
    if facts["touches_border"]:
        findings.append(
            Finding(
                "mask-touches-border",
                border_is,
                "The mask touches the edge of the volume: the vertebra is probably cut off",
                "use a scan that shows the whole vertebra, or exclude the case",
            )
        )
    if facts["stray"] > STRAY_SHARE:
        findings.append(
            Finding(
                "mask-in-pieces",
                "warning",
                f"The mask falls into {facts['components']} pieces; {facts['stray']:.1%} of it lie "
                "outside the largest",
                "remove stray voxels (3D Slicer: Islands, keep largest island)",
            )
        )
    if facts["holes"] > HOLE_SHARE:
        findings.append(
            Finding(
                "mask-has-holes",
                "warning",
                f"The mask has enclosed holes of {facts['holes']:.1%} of its volume",
                "fill them if the whole vertebral body is meant",
            )
        )
    return findings


def prepare_mask(
    mask: str | Path, label: str | None, ct: Mapping, store: Store, checks: Mapping
) -> dict:
    """Bring one mask onto its CT's grid, into the store, and describe it.

    Parameters
    ----------
    mask : path-like
        Label map or Slicer segmentation.
    label : str or None
        Number or name of the structure.
    ct : Mapping
        The scan's row of `ingest.parquet`: ``image``, ``image_hash``.
    store : Store
        Receives ``mask.nrrd`` as kind ``mask``, and reuses what it holds.
    checks : Mapping
        The study's ``checks``: ``min_voxels``, ``border_is``.

    Returns
    -------
    dict
        A row of `masks.parquet` without its identifiers.
    """
    source_hash = content_hash(source_files(mask), store)

    def make(folder: Path) -> None:
        held = read_mask_file(mask)
        segment = pick_segment(held, label)
        image = read_nrrd(store.path(ct["image"]))
        geometry = Geometry.of(image)
        binary = mask_on_grid(held, segment, geometry)
        if not binary.any():
            raise CaseError(
                "A mask must not be empty",
                found=f"no voxel of {segment}",
                remedy="draw the vertebra, or correct the label",
            )
        facts = describe_mask(binary, sitk.GetArrayViewFromImage(image), geometry.voxel_volume_ml)
        written = sitk.GetImageFromArray(binary)
        geometry.apply_to(written)
        write_nrrd(written, folder / "mask.nrrd")
        write_json(
            {
                "mask_hash": image_hash(written),
                "label": segment.name or str(segment.value),
                "facts": facts,
                "findings": to_json(held.findings),
            },
            folder / "mask.json",
        )

    entry = store.get_or_make(
        "mask",
        {
            "source": source_hash,
            "format": volume_suffix(mask),
            "label": label,
            "ct": ct["image_hash"],
            "code": code_fingerprint("segmentation.masks"),
            "versions": {name: version(name) for name in LIBRARIES},
        },
        make,
    )
    known = read_json(entry / "mask.json")
    findings = from_json(known["findings"]) + check_mask(
        known["facts"], checks["min_voxels"], checks["border_is"]
    )
    row = {
        "status": status_of(findings),
        "findings": to_json(findings),
        "source_hash": source_hash,
        "mask_hash": known["mask_hash"],
        "label": known["label"],
        **{name: value for name, value in known["facts"].items() if name in COLUMNS},
    }
    if row["status"] != "error":
        row["mask"] = store.relative(entry / "mask.nrrd")
    return row


def prepare_masks(
    cases: pd.DataFrame, ingested: pd.DataFrame, store: Store, checks: Mapping
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

    Returns
    -------
    pandas.DataFrame
        `masks.parquet` (docs/architecture.md), sorted by case and reader.
    """
    scans = ingested.set_index("scan_id").to_dict("index")
    cases = cases.sort_values(["case_id", "reader"]).astype(object)
    rows = []
    for done, case in enumerate(cases.where(cases.notna(), None).to_dict("records"), start=1):
        name = f"{case['case_id']} {case['reader']}"
        ct = scans[case["scan_id"]]
        try:
            if not ct["image"]:
                raise CaseError(
                    "A mask needs a CT that passed its checks",
                    found=f"the CT of scan {case['scan_id']} has errors",
                    remedy="mend the CT first",
                )
            row = prepare_mask(case["mask"], case["label"], ct, store, checks)
        except Exception as error:
            error = placed(error, shown_name(case["mask"]))
            finding = from_exception(error, "ct-failed" if not ct["image"] else "mask-failed", name)
            row = {"status": "error", "findings": to_json([finding])}
        identifiers = ("case_id", "scan_id", "patient_id", "level", "reader")
        rows.append({**{key: case[key] for key in identifiers}, **row})
        command.progress("masks", done, len(cases), name)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    texts = [column for column, kind in COLUMNS.items() if kind is object]
    table[texts] = table[texts].where(table[texts].notna(), None)
    return table


def main(options: argparse.Namespace) -> None:
    """Prepare the masks of a batch and write their table."""
    study = open_study(options.study)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(study.config["threads"])
    cases = study.select_cases(options.batch, options.scan)
    table = prepare_masks(cases, read_table(options.ingest), study.store, study.config["checks"])
    write_table(table, options.out)


if __name__ == "__main__":
    arguments = command.parser("segmentation.masks", __doc__)
    command.batch_arguments(arguments)
    arguments.add_argument(
        "--ingest", required=True, type=Path, help="table of python -m pipeline.ingest"
    )
    arguments.add_argument("--out", required=True, type=Path, help="table to write (.parquet)")
    command.run(main, arguments)
