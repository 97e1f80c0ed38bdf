"""What perturbed extractions cost, against as many separate extractions.

``make bench-robustness``. On one core, on the same files; what is compared takes turns, and a
ratio is that of the least CPU times. A separate extraction reads CT and mask, crops and extracts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from benchmarks.cohort import Scan, make_scan
from benchmarks.timing import Runs, take_turns
from pipeline.core.keeping.store import Store
from pipeline.extraction import (
    Parameters,
    features_of_crop,
    load_crop,
    load_params,
    open_scan,
    read_crop,
    write_crop,
)
from pipeline.extraction.fast import FastScan
from pipeline.extraction.perturbations.drawing import Strength, draws_of
from pipeline.extraction.perturbations.grids import measured_noise, place
from pipeline.extraction.perturbations.repeating import repeat_images, repeat_masks
from pipeline.imaging.stored_volumes import read_nrrd, write_nrrd
from pipeline.perturb import BLOCK, Plan, perturb_masks

#: What the cohort of the first study would be: one reader's masks.
COHORT_MASKS = 856

MASK_ALONE = Strength(("volume", "contour"))
IMAGE_TOO = Strength(("noise", "translation", "volume", "contour"))

#: Largest ratios that are demanded.
LIMITS = {"mask alone": 0.5, "image and mask": 0.9}


def stored(scan: Scan, folder: Path, params: Parameters) -> dict[str, Path]:
    """Write a scan, a mask and its crop as a study's store holds them; return where they lie."""
    found = {"ct": folder / "ct.nrrd", "mask": folder / "mask.nrrd", "crop": folder / "crop"}
    write_nrrd(sitk.ReadImage(str(scan.image)), found["ct"])
    write_nrrd(sitk.ReadImage(str(scan.masks[0])), found["mask"])
    found["crop"].mkdir()
    write_crop(load_crop(read_nrrd(found["ct"]), read_nrrd(found["mask"]), params), found["crop"])
    return found


def separate(files: dict[str, Path], params: Parameters, times: int) -> None:
    """Extract one mask as many times, each time from its files."""
    for _ in range(times):
        scan = open_scan(read_nrrd(files["ct"]), params)
        features_of_crop(scan.crop(read_nrrd(files["mask"]), 1), params)


def masks_alone(files: dict[str, Path], params: Parameters, times: int) -> None:
    """Perturb the mask and extract, ten masks sharing the filters of a crop."""
    for first in range(1, times + 1, BLOCK):
        numbers = range(first, min(first + BLOCK, times + 1))
        draws = draws_of(MASK_ALONE, numbers, 1, "scan", "case")
        list(repeat_masks(read_crop(files["crop"]), draws, params, "fast"))


def images_too(files: dict[str, Path], params: Parameters, times: int) -> None:
    """Perturb image and mask and extract; the CT is read once."""
    scan = FastScan(read_nrrd(files["ct"]), params)
    for first in range(1, times + 1, BLOCK):
        numbers = range(first, min(first + BLOCK, times + 1))
        placed = place(scan, read_nrrd(files["mask"]), 1)
        noise = measured_noise(scan, placed)
        draws = draws_of(IMAGE_TOO, numbers, 1, "scan", "case")
        list(repeat_images(scan, placed, draws, noise, params, "fast"))


def whole_stage(folder: Path, params: Parameters, scans: int, times: int) -> float:
    """Return the CPU seconds a scan of the stage itself, the store written as in a study.

    Parameters
    ----------
    folder : pathlib.Path
        Receives the scans and the store.
    params : Parameters
        Of the extraction.
    scans : int
        Scans, one mask each.
    times : int
        Repetitions of each mask.
    """
    store, masks = Store(folder / "store"), []
    for number in range(scans):
        scan = make_scan(folder / f"scan{number}", number)
        kept = {}
        for kind, path in (("ct", scan.image), ("mask", scan.masks[0])):
            image = sitk.ReadImage(str(path))
            entry = store.get_or_make(
                kind,
                {"number": number},
                lambda made, kind=kind, image=image: write_nrrd(image, made / f"{kind}.nrrd"),
            )
            kept[kind] = store.relative(entry / f"{kind}.nrrd")
        names = {"case_id": f"c{number}", "scan_id": f"s{number}", "patient_id": f"p{number}"}
        masks.append(
            names
            | {"reader": "A", "crop": None, "crop_key": None}
            | {"image": kept["ct"], "image_hash": str(number)}
            | {"mask": kept["mask"], "mask_hash": str(number)}
        )
    start = time.process_time()
    perturb_masks(pd.DataFrame(masks), store, Plan(IMAGE_TOO, times, 1, params, "fast"))
    return (time.process_time() - start) / scans


def rows(runs: dict[str, Runs], times: int) -> list[str]:
    """Return the rows of the table of docs/robustness.md."""
    apart = min(runs["separate"].cpu)
    lines = [
        f"| {times} extractions of a mask | CPU time | ratio to separate | must be | "
        f"{COHORT_MASKS} masks, one core |",
        "|---|---|---|---|---|",
    ]
    for name, measured in runs.items():
        least = min(measured.cpu)
        hours = least * COHORT_MASKS / 3600
        limit = f"{LIMITS[name]:.1f} at most" if name in LIMITS else "-"
        lines.append(f"| {name} | {least:.1f} s | {least / apart:.2f} | {limit} | {hours:.1f} h |")
    return lines


def main(options: argparse.Namespace) -> int:
    """Measure, print the table, and return whether a ratio is missed."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    params = load_params("radiomics_params/ge2025.yaml")
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        files = stored(make_scan(folder / "scan"), folder, params)
        jobs = {
            "separate": lambda: separate(files, params, options.repetitions),
            "mask alone": lambda: masks_alone(files, params, options.repetitions),
            "image and mask": lambda: images_too(files, params, options.repetitions),
        }
        runs = take_turns(jobs, options.rounds)
        seconds = whole_stage(folder, params, options.scans, options.repetitions)
    print("\n".join(rows(runs, options.repetitions)))
    hours = seconds * COHORT_MASKS / 3600
    print(
        f"The stage with its store, image and mask, {options.scans} scans: {seconds:.1f} s a scan, "
        f"{hours:.1f} h for {COHORT_MASKS} on one core."
    )
    apart = min(runs["separate"].cpu)
    missed = [name for name, limit in LIMITS.items() if min(runs[name].cpu) > limit * apart]
    for name in missed:
        print(f"MISSED: {name}")
    return bool(missed)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--repetitions", type=int, default=30, help="of the mask (default 30)")
    arguments.add_argument("--scans", type=int, default=4, help="of the whole stage (default 4)")
    arguments.add_argument("--rounds", type=int, default=3, help="of each measurement (default 3)")
    raise SystemExit(main(arguments.parse_args()))
