"""Normalise each CT, resample it around every mask, and keep the crops in the store.

A CT is read and normalised once for all its masks, and only if a crop is missing.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import CaseError, StudyError
from pipeline.core.files import read_table, write_table
from pipeline.core.findings import Finding, case_named, from_exception, status_of, to_json
from pipeline.core.keeping.store import Store
from pipeline.core.table_schema import types_of
from pipeline.extraction import (
    DEFAULT_ENGINE,
    Crop,
    Parameters,
    load_params,
    open_scan,
    read_crop,
    write_crop,
)
from pipeline.extraction.params import library_versions
from pipeline.imaging.stored_volumes import read_nrrd
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.study import open_study
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.preflight import Preflight
from pipeline.tables.schemas.images.resample import Resample

#: Share of a region's voxels at the limits of the normalisation above which a warning is due: the
#: histogram then ends in a spike, and texture within the spike is lost.
CLIPPED_SHARE_WARNING = 0.01

#: Voxel value of the region in the masks of the store.
REGION = 1

COLUMNS = types_of(Resample)


def check_clipping(share: float, params: Parameters) -> list[Finding]:
    """Warn where the normalisation cuts off a noticeable share of the region's grey values.

    Parameters
    ----------
    share : float
        `Crop.clipped_share`: from 0 to 1, NaN where the parameters cut nothing.
    params : Parameters
        Parameters of the extraction, for the limits.

    Returns
    -------
    list of Finding
        One warning above `CLIPPED_SHARE_WARNING`, else none.
    """
    if not share > CLIPPED_SHARE_WARNING:
        return []
    return [
        Finding(
            "clipped-by-normalisation",
            "warning",
            f"{share:.1%} of the region's voxels lie more than "
            f"{params.settings['removeOutliers']:g} standard deviations from the mean of the "
            "whole volume and were set to this limit",
            "a field of view that holds little air or fat does this: compare such scans with "
            "others in their features' values, or reconstruct a larger field of view",
        )
    ]


def select_masks(
    cases: pd.DataFrame, ingest: pd.DataFrame, masks: pd.DataFrame, preflight: pd.DataFrame
) -> pd.DataFrame:
    """Return the masks that passed all checks, with what the store knows of them and their CT.

    Parameters
    ----------
    cases : pandas.DataFrame
        The study's rows to process: ``case_id, reader``.
    ingest, masks, preflight : pandas.DataFrame
        Tables of the stages before (docs/files.md), of the same scans or more.

    Returns
    -------
    pandas.DataFrame
        One row per case x reader without an error, sorted by scan, case and reader: ``case_id,
        scan_id, patient_id, level, reader, image, image_hash, mask, mask_hash``.

    Raises
    ------
    StudyError
        If a case is missing from the preflight table.
    """
    key = ["case_id", "reader"]
    rows = cases[key].merge(preflight, on=key, how="left", validate="one_to_one")
    unknown = rows[rows["verdict"].isna()]
    if len(unknown):
        names = ", ".join(" ".join(pair) for pair in unknown[key].head(5).to_numpy())
        raise StudyError(
            "Every mask of the batch needs a verdict of the preflight",
            found=f"{len(unknown)} without: {names}",
            where="preflight.parquet",
            remedy="run the stages in their order: ingest, masks, preflight, resample",
            code="mask-without-verdict",
        )
    rows = rows[rows["verdict"] != "error"]
    rows = rows.merge(masks[[*key, "mask", "mask_hash"]], on=key, validate="one_to_one")
    rows = rows.merge(
        ingest[["scan_id", "image", "image_hash"]], on="scan_id", validate="many_to_one"
    )
    columns = ["case_id", "scan_id", "patient_id", "level", "reader"]
    columns += ["image", "image_hash", "mask", "mask_hash"]
    return rows[columns].sort_values(["scan_id", *key], ignore_index=True)


def describe(crop: Crop) -> dict:
    """Return what `resample.parquet` says of a crop, beside where it lies.

    Parameters
    ----------
    crop : Crop
        From the store.

    Returns
    -------
    dict
        ``clipped_share``; ``image_mean_hu, image_sd_hu, clip_low_hu, clip_high_hu`` of the whole
        CT, missing where nothing is normalised or cut; ``engine, engine_reason``.
    """
    row = {
        "clipped_share": crop.clipped_share,
        "engine": crop.engine,
        "engine_reason": crop.reason,
    }
    if crop.normalisation is not None:
        row |= {
            "image_mean_hu": crop.normalisation.mean,
            "image_sd_hu": crop.normalisation.sd,
            "clip_low_hu": crop.normalisation.clip_low,
            "clip_high_hu": crop.normalisation.clip_high,
        }
    return row


def resample_masks(
    masks: pd.DataFrame, store: Store, params: Parameters, engine: str = DEFAULT_ENGINE
) -> pd.DataFrame:
    """Crop every mask; one that fails becomes a row with status ``error``, the others go on.

    Parameters
    ----------
    masks : pandas.DataFrame
        From `select_masks`.
    store : Store
        Holds the CTs and masks, receives the crops as kind ``crop``, and reuses what it holds.
    params : Parameters
        Parameters of the extraction.
    engine : str, optional
        One of `pipeline.extraction.ENGINES`.

    Returns
    -------
    pandas.DataFrame
        `resample.parquet` (docs/files.md), in the order of `masks`.
    """
    provenance = {
        "params": params.crop_settings,
        "engine": engine,
        "code": functools.cache(functools.partial(code_fingerprint, "pipeline.extraction")),
        "versions": library_versions,
    }
    rows = []
    # The last volume only is kept: a normalised CT of 500 slices takes a gigabyte.
    scan = functools.lru_cache(maxsize=1)(
        lambda image: open_scan(read_nrrd(store.path(image)), params, engine=engine)
    )
    for done, mask in enumerate(masks.to_dict("records"), start=1):
        name = f"{mask['case_id']} {mask['reader']}"
        row = {key: mask[key] for key in ("case_id", "scan_id", "patient_id", "level", "reader")}
        try:

            def make(folder: Path, mask: dict = mask) -> None:
                region = read_nrrd(store.path(mask["mask"]))
                write_crop(scan(mask["image"]).crop(region, REGION), folder)

            with case_named(name):
                entry = store.get_or_make(
                    "crop",
                    {"image": mask["image_hash"], "mask": mask["mask_hash"], **provenance},
                    make,
                )
                crop = read_crop(entry)
            findings = check_clipping(crop.clipped_share, params)
            row |= {"crop": store.relative(entry), "crop_key": entry.name, **describe(crop)}
        except CaseError as error:
            findings = [from_exception(error, "resample-failed", name)]
        rows.append({**row, "status": status_of(findings), "findings": to_json(findings)})
        command.progress("resample", done, len(masks), name)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def main(options: argparse.Namespace) -> None:
    """Resample the masks of a batch and write their table."""
    study = open_study(options.study)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(study.config["threads"])
    params = load_params(study.config["extraction"]["params"])
    masks = select_masks(
        study.select_cases(options.batch, options.scan),
        read_table(options.ingest, Ingest),
        read_table(options.masks, Masks),
        read_table(options.preflight, Preflight),
    )
    engine = study.config["extraction"]["engine"]
    write_table(resample_masks(masks, study.store, params, engine), options.out, Resample)


if __name__ == "__main__":
    arguments = command.parser("pipeline.resample", __doc__)
    command.batch_arguments(arguments)
    for table in ("ingest", "masks", "preflight"):
        arguments.add_argument(
            f"--{table}", required=True, type=Path, help=f"the batch's {table}.parquet"
        )
    arguments.add_argument("--out", required=True, type=Path, help="table to write (.parquet)")
    command.run(main, arguments)
