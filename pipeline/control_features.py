"""Compute the features of every mask after its CT's voxels were mixed: negative controls.

A CT is read and normalised once for all its masks, kinds and draws, and only if an entry of the
store is missing.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import CaseError
from pipeline.core.files import read_table, write_table
from pipeline.core.findings import case_named
from pipeline.core.keeping.store import Store
from pipeline.core.seeds import derive_seed
from pipeline.extraction import (
    DEFAULT_ENGINE,
    Parameters,
    feature_names,
    features_of_crop,
    load_params,
    open_scan,
)
from pipeline.extraction.controls import ControlledScan
from pipeline.extraction.params import library_versions
from pipeline.imaging.stored_volumes import read_nrrd
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.study import open_study
from pipeline.tables.schemas.features.controls import ControlFeatures
from pipeline.tables.schemas.features.extraction import Extraction, StoredFeatures
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks

#: Voxel value of the region in the masks of the store.
REGION = 1

KEYS = ["case_id", "reader", "kind", "draw"]


def masks_with_features(
    extraction: pd.DataFrame, ingest: pd.DataFrame, masks: pd.DataFrame
) -> pd.DataFrame:
    """Return the masks that have features, with what the store knows of them and their CT.

    Parameters
    ----------
    extraction, ingest, masks : pandas.DataFrame
        The batch's tables (docs/files.md).

    Returns
    -------
    pandas.DataFrame
        ``case_id, scan_id, reader, image, image_hash, mask, mask_hash``, sorted by scan, case and
        reader.
    """
    key = ["case_id", "reader"]
    rows = extraction.loc[extraction["status"] != "error", [*key, "scan_id"]]
    rows = rows.merge(masks[[*key, "mask", "mask_hash"]], on=key, validate="one_to_one")
    known = ingest[["scan_id", "image", "image_hash"]]
    rows = rows.merge(known, on="scan_id", validate="many_to_one")
    return rows.sort_values(["scan_id", *key], ignore_index=True)


def control_features(
    masks: pd.DataFrame,
    store: Store,
    params: Parameters,
    options: Mapping,
    seed: int,
    engine: str = DEFAULT_ENGINE,
) -> pd.DataFrame:
    """Extract every mask once a kind and draw.

    Parameters
    ----------
    masks : pandas.DataFrame
        From `masks_with_features`.
    store : Store
        Holds CTs and masks, receives features as kind ``control``, and reuses what it holds.
    params : Parameters
        Of the extraction.
    options : mapping
        Section ``controls``: ``kinds, draws``.
    seed : int
        The study's seed.
    engine : str, optional
        One of `pipeline.extraction.ENGINES`.

    Returns
    -------
    pandas.DataFrame
        `control_features.parquet`: ``case_id, reader, kind, draw`` and a column a feature; a row
        whose extraction failed is there, without values, and the log says why.
    """
    names = feature_names(params)
    provenance = {
        "params": params.content,
        "engine": engine,
        "code": code_fingerprint("pipeline.extraction.controls"),
        "features": code_fingerprint("pipeline.extraction"),
        "versions": library_versions(),
    }

    @functools.lru_cache(maxsize=1)
    def scan(image: str) -> ControlledScan:
        return ControlledScan(open_scan(read_nrrd(store.path(image)), params, engine=engine))

    keys, vectors = [], []
    for done, row in enumerate(masks.to_dict("records"), start=1):
        name = f"{row['case_id']} {row['reader']}"
        for kind in options["kinds"]:
            for draw in range(options["draws"]):
                drawn = derive_seed(
                    seed, "control", row["scan_id"], row["case_id"], row["reader"], kind, draw
                )

                def make(folder: Path, row: dict = row, kind: str = kind, seed: int = drawn):
                    mask = read_nrrd(store.path(row["mask"]))
                    crop = scan(row["image"]).crop(mask, REGION, kind, seed)
                    values = features_of_crop(crop, params, engine=engine).values
                    table = values.rename("value").rename_axis("feature").reset_index()
                    write_table(table, folder / "features.parquet", StoredFeatures)

                depends = {
                    "image": row["image_hash"],
                    "mask": row["mask_hash"],
                    "kind": kind,
                    "seed": drawn,
                    **provenance,
                }
                vector = np.full(len(names), np.nan)
                try:
                    with case_named(f"{name}, {kind} {draw}"):
                        entry = store.get_or_make("control", depends, make)
                        stored = read_table(entry / "features.parquet", StoredFeatures)
                        vector = stored.set_index("feature")["value"].reindex(names).to_numpy()
                except CaseError as error:
                    command.logger.warning("%s, %s %d: %s", name, kind, draw, error)
                keys.append((row["case_id"], row["reader"], kind, draw))
                vectors.append(vector)
        command.progress("control_features", done, len(masks), name)
    front = pd.DataFrame(keys, columns=KEYS).astype({"draw": "int64"})
    values = np.array(vectors).reshape(-1, len(names))
    return pd.concat([front, pd.DataFrame(values, columns=names, dtype=float)], axis=1)


def main(options: argparse.Namespace) -> None:
    """Extract the controls of a batch and write their table."""
    study = open_study(options.study)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(study.config["threads"])
    wanted = study.select_cases(options.batch, options.scan)["scan_id"]
    extraction = read_table(options.extraction, Extraction)
    masks = masks_with_features(
        extraction[extraction["scan_id"].isin(wanted)],
        read_table(options.ingest, Ingest),
        read_table(options.masks, Masks),
    )
    table = control_features(
        masks,
        study.store,
        load_params(study.config["extraction"]["params"]),
        study.config["controls"],
        study.config["seed"],
        study.config["extraction"]["engine"],
    )
    write_table(table, options.out, ControlFeatures)


if __name__ == "__main__":
    arguments = command.parser("pipeline.control_features", __doc__)
    command.batch_arguments(arguments)
    for each in ("extraction", "ingest", "masks"):
        arguments.add_argument(
            f"--{each}", required=True, type=Path, help=f"the batch's {each}.parquet"
        )
    arguments.add_argument("--out", required=True, type=Path, help="table to write (.parquet)")
    command.run(main, arguments)
