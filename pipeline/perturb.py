"""Perturb images and masks, and extract the features of each repetition.

Ten repetitions of a mask are one entry of the store: a larger set keeps what a smaller one
computed, and a killed run loses ten at most.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import SimpleITK as sitk

from pipeline.core import command
from pipeline.core.errors import CaseError
from pipeline.core.files import read_json, read_table, write_json, write_table
from pipeline.core.findings import case_named
from pipeline.core.keeping.store import Store
from pipeline.core.table_schema import types_of
from pipeline.extraction import Parameters, feature_names, load_params, read_crop
from pipeline.extraction.fast import FastScan
from pipeline.extraction.params import library_versions
from pipeline.extraction.perturbations.drawing import Draw, Strength, draws_of
from pipeline.extraction.perturbations.grids import measured_noise, place
from pipeline.extraction.perturbations.repeating import Perturbed, repeat_images, repeat_masks
from pipeline.imaging.stored_volumes import read_nrrd
from pipeline.running.fingerprint import code_fingerprint
from pipeline.study.perturbed_masks import perturbed_reader
from pipeline.study.study import open_study
from pipeline.tables.schemas.features.perturbations import (
    Perturbations,
    PerturbedFeatures,
    StoredRepetitions,
)
from pipeline.tables.schemas.images.ingest import Ingest
from pipeline.tables.schemas.images.masks import Masks
from pipeline.tables.schemas.images.resample import Resample

#: Repetitions of one entry of the store: a divisor of every set.
BLOCK = 10

#: Voxel value of the region in the masks of the store.
REGION = 1

STATUS_COLUMNS = types_of(Perturbations)


class Plan(NamedTuple):
    """What is perturbed, and how.

    Attributes
    ----------
    strength : Strength
        Steps and how far they go.
    repetitions : int
        Of each mask.
    seed : int
        The study's.
    params : Parameters
        Of the extraction.
    engine : str
        One of `pipeline.extraction.ENGINES`.
    """

    strength: Strength
    repetitions: int
    seed: int
    params: Parameters
    engine: str

    def blocks(self) -> Iterator[range]:
        """Yield the numbers of the repetitions of each entry of the store."""
        for first in range(1, self.repetitions + 1, BLOCK):
            yield range(first, first + BLOCK)


def masks_to_perturb(
    resample: pd.DataFrame, ingest: pd.DataFrame, masks: pd.DataFrame, reader: str
) -> pd.DataFrame:
    """Return the crops of one reader's original masks, with the CT and mask that they come from.

    Parameters
    ----------
    resample, ingest, masks : pandas.DataFrame
        Tables of the batch (docs/files.md).
    reader : str
        Whose masks.

    Returns
    -------
    pandas.DataFrame
        One row per crop, by scan and case: ``case_id, scan_id, patient_id, reader, crop, crop_key,
        image, image_hash, mask, mask_hash``.
    """
    rows = resample[(resample["status"] != "error") & (resample["reader"] == reader)]
    key = ["case_id", "reader"]
    rows = rows.merge(masks[[*key, "mask", "mask_hash"]], on=key, validate="one_to_one")
    rows = rows.merge(
        ingest[["scan_id", "image", "image_hash"]], on="scan_id", validate="many_to_one"
    )
    columns = ["case_id", "scan_id", "patient_id", "reader", "crop", "crop_key"]
    columns += ["image", "image_hash", "mask", "mask_hash"]
    return rows[columns].sort_values(["scan_id", "case_id"], ignore_index=True)


def perturb_masks(
    masks: pd.DataFrame, store: Store, plan: Plan
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Perturb every mask; one that cannot be becomes rows with status ``error``.

    Parameters
    ----------
    masks : pandas.DataFrame
        From `masks_to_perturb`.
    store : Store
        Holds crops, CTs and masks, receives the repetitions as kind ``perturbed``.
    plan : Plan
        What is done.

    Returns
    -------
    features : pandas.DataFrame
        `perturbed.parquet` (docs/files.md).
    status : pandas.DataFrame
        `perturbations.parquet`.
    """
    provenance = {
        "params": plan.params.content,
        "engine": plan.engine,
        "code": code_fingerprint("pipeline.extraction.perturbations.repeating"),
        "versions": {**library_versions(), "scipy": version("scipy")},
    }
    # The last CT only is kept, as where crops are made.
    scan = functools.lru_cache(maxsize=1)(
        lambda image: FastScan(read_nrrd(store.path(image)), plan.params)
    )
    names = feature_names(plan.params)
    features, status = [], []
    for done, mask in enumerate(masks.to_dict("records"), start=1):
        name = f"{mask['case_id']} {mask['reader']}"
        known = {column: mask[column] for column in ("case_id", "scan_id", "patient_id", "reader")}
        for numbers in plan.blocks():
            draws = draws_of(plan.strength, numbers, plan.seed, mask["scan_id"], mask["case_id"])
            try:
                with case_named(name):
                    entry = _entry(mask, draws, store, plan, provenance, scan)
                    found = read_table(entry / "repetitions.parquet", StoredRepetitions)
                    seconds = read_json(entry / "perturbed.json")["seconds"] / len(draws)
            except CaseError as error:
                command.logger.warning("%s: %s", name, error)
                why = f"{error.rule}: {error.found}"
                status += [
                    {**known, "repetition": number, "status": "error", "problem": why}
                    for number in numbers
                ]
                continue
            if len(without := found["problem"].dropna()):
                command.logger.warning(
                    "%s: %d of %d repetitions have no features. %s",
                    name, len(without), len(found), without.iloc[0],
                )  # fmt: skip
            for draw, row in zip(draws, found.to_dict("records"), strict=True):
                status.append({**known, **_described(draw, row, seconds, entry.name)})
            usable = found[found["problem"].isna()].reindex(columns=["repetition", *names])
            usable.insert(0, "case_id", mask["case_id"])
            usable.insert(1, "reader", mask["reader"])
            features.append(usable)
        command.progress("perturb", done, len(masks), name)
    columns = ["case_id", "reader", "repetition", *names]
    empty = pd.DataFrame(columns=columns)
    return (
        pd.concat(features, ignore_index=True) if features else empty,
        pd.DataFrame(status, columns=list(STATUS_COLUMNS)).astype(STATUS_COLUMNS),
    )


def _described(draw: Draw, row: dict, seconds: float, key: str) -> dict:
    """Return what was drawn for a repetition, and what became of it."""
    told = {"repetition": draw.repetition, "problem": row["problem"]}
    if row["problem"] is not None:
        return told | {"status": "error"}
    shift_x, shift_y, shift_z = draw.move.shift
    return told | {
        "status": "ok",
        "noise_hu": row["noise_hu"],
        "shift_x": shift_x,
        "shift_y": shift_y,
        "shift_z": shift_z,
        "degrees": draw.move.degrees,
        "volume_change": draw.volume,
        "volume_ratio": row["voxels"] / row["voxels_before"],
        "seconds": seconds,
        "perturbed_key": key,
    }


def _entry(
    mask: dict,
    draws: list[Draw],
    store: Store,
    plan: Plan,
    provenance: dict,
    scan: Callable[[str], FastScan],
) -> Path:
    """Return the entry of the store that holds some repetitions of a mask."""

    def repeated() -> Iterator[Perturbed]:
        if not plan.strength.moves_image:
            crop = read_crop(store.path(mask["crop"]))
            return repeat_masks(crop, draws, plan.params, plan.engine)
        ct = scan(mask["image"])
        placed = place(ct, read_nrrd(store.path(mask["mask"])), REGION)
        noise = measured_noise(ct, placed) if "noise" in plan.strength.chain else 0.0
        return repeat_images(ct, placed, draws, noise, plan.params, plan.engine)

    def make(folder: Path) -> None:
        start = time.perf_counter()
        rows = [
            {
                "repetition": each.draw.repetition,
                "problem": each.problem,
                "noise_hu": each.noise_hu,
                "voxels_before": each.voxels_before,
                "voxels": each.voxels,
                **({} if each.features is None else each.features.to_dict()),
            }
            for each in repeated()
        ]
        table = pd.DataFrame(rows).astype({"problem": object})
        table["problem"] = table["problem"].where(table["problem"].notna(), None)
        write_table(table, folder / "repetitions.parquet", StoredRepetitions)
        write_json({"seconds": round(time.perf_counter() - start, 3)}, folder / "perturbed.json")

    # The crop's own key tells mask-only repetitions all they depend on, but its settings are part
    # of the parameters, too; the names are those that the draws go by.
    depends = {
        "image": mask["image_hash"],
        "mask": mask["mask_hash"],
        "options": {
            **plan.strength.as_json(),
            "seed": plan.seed,
            "first": draws[0].repetition,
            "last": draws[-1].repetition,
        },
        "names": [mask["scan_id"], mask["case_id"]],
        **provenance,
    }
    return store.get_or_make("perturbed", depends, make)


def main(options: argparse.Namespace) -> None:
    """Perturb the masks of a batch and write features and status."""
    study = open_study(options.study)
    config = study.config
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(config["threads"])
    wanted = study.select_cases(options.batch, options.scan)["scan_id"]
    resample = read_table(options.resample, Resample)
    masks = masks_to_perturb(
        resample[resample["scan_id"].isin(wanted)],
        read_table(options.ingest, Ingest),
        read_table(options.masks, Masks),
        perturbed_reader(config["perturbations"]["reader"], config["model_reader"], study.readers),
    )
    plan = Plan(
        Strength.of(config["perturbations"]),
        config["perturbations"]["repetitions"],
        config["seed"],
        load_params(config["extraction"]["params"]),
        config["extraction"]["engine"],
    )
    features, status = perturb_masks(masks, study.store, plan)
    write_table(features, options.out, PerturbedFeatures)
    write_table(status, options.status, Perturbations)


if __name__ == "__main__":
    arguments = command.parser("pipeline.perturb", __doc__)
    command.batch_arguments(arguments)
    for table in ("resample", "ingest", "masks"):
        arguments.add_argument(
            f"--{table}", required=True, type=Path, help=f"the batch's {table}.parquet"
        )
    arguments.add_argument("--out", required=True, type=Path, help="features (.parquet)")
    arguments.add_argument(
        "--status", required=True, type=Path, help="status per repetition (.parquet)"
    )
    command.run(main, arguments)
