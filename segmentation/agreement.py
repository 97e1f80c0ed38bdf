"""Compare the readers of every case in numbers, and draw their contours on the CT."""

from __future__ import annotations

import argparse
import functools
import itertools
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.files import read_json, read_table, whole_folder, write_json, write_table
from pipeline.core.keeping.store import Store
from pipeline.core.table_schema import types_of
from pipeline.imaging.geometry import Geometry
from pipeline.imaging.stored_volumes import StoredVolume
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.study import open_study
from pipeline.tables.readers import is_original, originals_first, reader_label, split_label
from pipeline.tables.schemas.images.agreement import Agreement
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from segmentation.pages.pictures import box_around, write_picture
from segmentation.regions.compare import compare_masks

LIBRARIES = ("matplotlib", "numpy", "scipy", "SimpleITK")

#: What a row compares: the originals of two readers, or a reader's original and correction.
BETWEEN_READERS, CORRECTION = "readers", "correction"

COLUMNS = types_of(Agreement)


@functools.cache
def _code() -> str:
    """Return the fingerprint of the code that this process runs: it is looked up once."""
    return code_fingerprint("segmentation.agreement")


@functools.cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


def pairs_of(labels: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return which masks of a case are compared.

    Parameters
    ----------
    labels : sequence of str
        Readers and versions (`pipeline.tables.readers`) that have a mask.

    Returns
    -------
    list of tuple
        ``(reader_a, reader_b, comparison)``: every pair of readers' originals (``readers``), and
        each corrected reader's original with the latest version (``correction``).
    """
    first = sorted(label for label in labels if is_original(label))
    pairs = [(a, b, BETWEEN_READERS) for a, b in itertools.combinations(first, 2)]
    for reader in first:
        versions = [split_label(label)[1] for label in labels if split_label(label)[0] == reader]
        if max(versions) > 1:
            pairs.append((reader, reader_label(reader, max(versions)), CORRECTION))
    return pairs


def compare_case(masks: pd.DataFrame, ct: dict, store: Store, tolerance_mm: float) -> Path:
    """Compare the readers of one case, and draw the case.

    Parameters
    ----------
    masks : pandas.DataFrame
        The case's rows of `masks.parquet` that hold a mask, sorted by reader.
    ct : dict
        The scan's row of `ingest.parquet`.
    store : Store
        Holds CT and masks, and keeps the result as kind ``agreement``.
    tolerance_mm : float
        Tolerance of the surface Dice, in mm.

    Returns
    -------
    pathlib.Path
        Entry with ``pairs.json`` (one dict per pair) and ``picture.png``.
    """
    case = masks.iloc[0]
    hashes = dict(zip(masks["reader"], masks["mask_hash"], strict=True))

    def make(folder: Path) -> None:
        volume = StoredVolume(store.path(ct["image"]))
        geometry, spacing = volume.geometry, volume.geometry.spacing
        drawn = {
            reader: StoredVolume(store.path(mask)).slices()
            for reader, mask in zip(masks["reader"], masks["mask"], strict=True)
        }
        # Nothing outside of what is shown differs, and of the CT no more is read.
        box = box_around(drawn.values(), spacing)
        read = {reader: _part(mask, box, geometry) for reader, mask in drawn.items()}
        image = _part(volume.slices(box[0].start, box[0].stop), box, geometry)
        pairs = [
            {
                "reader_a": a,
                "reader_b": b,
                "comparison": comparison,
                **compare_masks(
                    sitk.GetArrayViewFromImage(read[a]),
                    sitk.GetArrayViewFromImage(read[b]),
                    spacing,
                    tolerance_mm,
                ),
            }
            for a, b, comparison in pairs_of(list(read))
        ]
        write_json(pairs, folder / "pairs.json")
        write_picture(image, read, f"{case['case_id']} ({case['level']})", folder / "picture.png")

    return store.get_or_make(
        "agreement",
        {
            "case": [case["case_id"], case["level"]],
            "ct": ct["image_hash"],
            "masks": hashes,
            "tolerance_mm": tolerance_mm,
            "code": _code,
            "versions": _versions,
        },
        make,
    )


def _part(voxels: np.ndarray, box: tuple[slice, ...], geometry: Geometry) -> sitk.Image:
    """Return the box of a volume; where it lies does not matter here, only how it is turned."""
    image = sitk.GetImageFromArray(voxels[box])
    image.SetSpacing(geometry.spacing)
    image.SetDirection(geometry.direction)
    return image


def compare_cases(
    masks: pd.DataFrame,
    ingested: pd.DataFrame,
    store: Store,
    pictures: Path,
    tolerance_mm: float,
) -> pd.DataFrame:
    """Compare the readers of all cases and fill the folder of pictures.

    Parameters
    ----------
    masks : pandas.DataFrame
        `masks.parquet`; rows without a mask are left out.
    ingested : pandas.DataFrame
        `ingest.parquet` of their scans.
    store : Store
        Holds CTs and masks, keeps results.
    pictures : pathlib.Path
        Existing folder that receives ``<case_id>.png`` for each case with a mask.
    tolerance_mm : float
        Tolerance of the surface Dice, in mm.

    Returns
    -------
    pandas.DataFrame
        `agreement.parquet` (docs/files.md): one row per case and pair of masks.
    """
    scans = ingested.set_index("scan_id").to_dict("index")
    # Originals first: a reader has the same colour everywhere, corrected or not.
    usable = originals_first(masks[masks["mask"].notna()])
    groups = list(usable.groupby("case_id", sort=True))
    rows = []
    for done, (case_id, group) in enumerate(groups, start=1):
        case = group.iloc[0]
        entry = compare_case(group, scans[case["scan_id"]], store, tolerance_mm)
        shutil.copyfile(entry / "picture.png", pictures / f"{case_id}.png")
        identifiers = {key: case[key] for key in ("case_id", "scan_id", "level")}
        rows += [{**identifiers, **pair} for pair in read_json(entry / "pairs.json")]
        command.progress("agreement", done, len(groups), case_id)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def main(options: argparse.Namespace) -> None:
    """Compare the readers of a batch; write their table and the folder of pictures."""
    study = open_study(options.study)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(study.config["threads"])
    chosen = study.select_cases(options.batch, options.scan)["case_id"]
    masks = read_table(options.masks, Masks)
    masks = masks[masks["case_id"].isin(chosen)]
    tolerance_mm = study.config["agreement"]["surface_tolerance_mm"]
    with whole_folder(options.pictures) as pictures:
        table = compare_cases(
            masks, read_table(options.ingest, Ingest), study.store, pictures, tolerance_mm
        )
    write_table(table, options.out, Agreement)


if __name__ == "__main__":
    arguments = command.parser("segmentation.agreement", __doc__)
    command.batch_arguments(arguments)
    for stage in ("ingest", "masks"):
        arguments.add_argument(
            f"--{stage}", required=True, type=Path, help=f"table {stage}.parquet"
        )
    arguments.add_argument("--out", required=True, type=Path, help="table to write (.parquet)")
    arguments.add_argument("--pictures", required=True, type=Path, help="folder to write")
    command.run(main, arguments)
