"""What a study of any size asks of a machine: its dry run, jobs, files, disk and hours.

``python -m benchmarks.scale --scans 10000``. The tables are simulated, and so are the files that
they name: empty, since a dry run only looks at their sizes and times. What a scan costs is measured
on a few of real size (512 x 512 x 120, two masks), taken through all stages of imaging; hours, disk
and files of the study are multiples of that. Nothing but the dry run is done at the study's size,
and modelling, whose hours depend on the study's search, is not part of the hours.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml

from benchmarks.cohort import READERS, make_scan
from benchmarks.timing import ROOT
from demo import cohort
from pipeline.core import command
from pipeline.study.option_numbers import bounded_number
from pipeline.tables.registered import write_marker

PREVALENCE = 0.12
"""Share of events, as in the published study."""


IMAGING = ("ingest", "masks", "agreement", "preflight_batch", "resample", "extract")
"""Rules of a batch."""


class Took(NamedTuple):
    """What a run of Snakemake took, its jobs included, and what it said."""

    cpu: float
    wall: float
    megabytes: float
    said: str


class Costs(NamedTuple):
    """What imaging costs, as measured on a few scans.

    Attributes
    ----------
    cpu : float
        CPU seconds a scan.
    megabytes, files : float
        Of a scan: its entries of the store, and its pictures.
    batch_megabytes, batch_files : float
        Of a batch: its tables, and what Snakemake notes of each.
    """

    cpu: float
    megabytes: float
    files: float
    batch_megabytes: float
    batch_files: float


def make_study(folder: Path, scans: int, slices: int, real: bool = False) -> Path:
    """Write the tables of a study, and its files without any content.

    Parameters
    ----------
    folder : pathlib.Path
        Is made if it does not exist.
    scans : int
        One of each patient, one vertebra in each, one mask of each reader.
    slices : int
        DICOM files of a scan; with 0 a scan is one NIfTI file.
    real : bool
        Whether the NIfTI files have content: a CT and masks of real size.

    Returns
    -------
    pathlib.Path
        The study's configuration.
    """
    rng = np.random.default_rng(scans)
    names = [f"P{number:05d}" for number in range(scans)]
    rows = []
    for number, name in enumerate(names):
        if real:
            image, masks = _real_files(folder, name, number)
        else:
            image, masks = _empty_files(folder, name, slices)
        rows += [
            {
                "patient_id": name, "scan_id": f"{name}-CT", "case_id": f"{name}-L1", "level": "L1",
                "reader": reader, "image": image.as_posix(), "mask": mask.as_posix(), "label": 1,
            }
            for reader, mask in masks.items()
        ]  # fmt: skip
    cases = pd.DataFrame(rows)
    cases.to_csv(folder / "cases.csv", index=False)
    write_marker(folder, "demo", cases)
    config = {
        "study": "scale",
        "results": str(folder / "results"),
        "cases": str(folder / "cases.csv"),
        "model_reader": "A",
    }
    if not real:
        config |= _outcome(folder, names, rng)
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def _real_files(folder: Path, name: str, seed: int) -> tuple[Path, dict[str, Path]]:
    scan = make_scan(folder / name, seed)
    masks = dict(zip(READERS, scan.masks, strict=True))
    return scan.image.relative_to(folder), {r: m.relative_to(folder) for r, m in masks.items()}


def _empty_files(folder: Path, name: str, slices: int) -> tuple[Path, dict[str, Path]]:
    image = Path("ct", name if slices else f"{name}.nii.gz")
    files = [image / f"{number:04d}.dcm" for number in range(slices)] or [image]
    masks = {reader: Path(f"mask_{reader}", f"{name}.nii.gz") for reader in READERS}
    for path in (files[0], *masks.values()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    for path in (*files, *masks.values()):
        (folder / path).touch()
    return image, masks


def _outcome(folder: Path, names: list[str], rng: np.random.Generator) -> dict:
    """Write a clinical table and its dictionary; return the options that name them."""
    patients = cohort.draw_patients(len(names), rng)
    outcome, _ = cohort.draw_outcome(cohort.clinical_logit(patients), PREVALENCE, rng)
    clinical = cohort.lose_values(cohort.add_follow_up(patients, outcome, rng), rng)
    clinical.insert(0, "patient_id", names)
    clinical.to_csv(folder / "clinical.csv", index=False)
    cohort.dictionary(("patient_id", "Patient")).to_csv(folder / "dictionary.csv", index=False)
    formula = {"name": "rbp", "label": "Residual back pain", "formula": cohort.OUTCOME_FORMULA}
    return {
        "clinical": str(folder / "clinical.csv"),
        "dictionary": str(folder / "dictionary.csv"),
        "outcome": formula,
    }


def snakemake(config: Path, *options: str) -> Took:
    """Run Snakemake on a study and return what it took.

    Parameters
    ----------
    config : pathlib.Path
        The study's configuration.
    *options : str
        Of Snakemake's command line.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    call = [sys.executable, "-m", "snakemake", *options, "--configfile", str(config)]
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(call, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    if process.returncode:
        raise RuntimeError(said)
    wall = time.perf_counter() - began
    return Took(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024, said)


def planned(said: str) -> dict[str, int]:
    """Return the jobs of each rule that a dry run plans, targets aside."""
    _, _, stats = said.rpartition("Job stats:")
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", stats, re.M)}
    return {rule: count for rule, count in jobs.items() if rule not in ("all", "total")}


def measure_costs(folder: Path, scans: int) -> Costs:
    """Take scans of real size through imaging and return what one of them costs.

    The CPU time is that of the whole run of one batch, Python's starts and Snakemake's jobs among
    it, without what Snakemake spends on the study's tables. One mask is computed a second time.
    """
    config = make_study(folder, scans, 0, real=True)
    options = ("features", "--cores", "1", "--config", f"scans_per_job={scans}")
    before = _size(ROOT / ".snakemake" / "metadata")
    start = snakemake(config, *options, "-n", "--quiet", "rules").cpu
    took = snakemake(config, *options).cpu
    noted = _size(ROOT / ".snakemake" / "metadata") - before
    store = _size(folder / "results" / "store")
    pictures = _size(folder / "results" / "scale" / "batches" / "b0" / "pictures")
    rest = _size(folder / "results" / "scale")
    return Costs(
        (took - start) / scans,
        (store["bytes"] + pictures["bytes"]) / scans / 1e6,
        (store["files"] + pictures["files"]) / scans,
        (rest["bytes"] - pictures["bytes"]) / 1e6,
        rest["files"] - pictures["files"] + noted["files"],
    )


def _size(folder: Path) -> Counter:
    """Return files and bytes below a folder."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return Counter(files=len(sizes), bytes=sum(sizes))


def main(options: argparse.Namespace) -> None:
    """Print the dry run, the jobs, and what is to be expected of the study."""
    with tempfile.TemporaryDirectory(prefix="scale-", dir=options.folder) as place:
        config = make_study(Path(place, "study"), options.scans, options.slices)
        dry = snakemake(config, "-n", "--quiet", "rules")
        jobs = planned(dry.said)
        batches = jobs["ingest"]
        named = options.scans * ((options.slices or 1) + len(READERS))
        print(f"{options.scans} scans of {len(READERS)} readers, {named} files named in the table")
        print(f"dry run: {dry.cpu:.1f} s CPU, {dry.wall:.1f} s, {dry.megabytes:.0f} MB of memory")
        of_batches = sum(jobs[rule] for rule in IMAGING)
        print(
            f"jobs: {sum(jobs.values())}, {of_batches} of them of {batches} batches; grouped by "
            f"batch {batches + sum(jobs.values()) - of_batches} submissions"
        )
        if not options.measured:
            return
        costs = measure_costs(Path(place, "scans"), options.measured)
    hours = costs.cpu * options.scans / 3600
    print(f"a scan, measured on {options.measured}: {costs.cpu:.1f} s CPU, "
          f"{costs.megabytes:.1f} MB and {costs.files:.1f} files of the store")  # fmt: skip
    print(f"a batch: {costs.batch_megabytes:.1f} MB and {costs.batch_files:.0f} files beside it")
    disk = (costs.megabytes * options.scans + costs.batch_megabytes * batches) / 1e3
    files = costs.files * options.scans + costs.batch_files * batches
    print(f"the study, as multiples of these: {hours:.1f} hours of one core, {disk:.0f} GB, "
          f"{files:.0f} files; modelling comes on top")  # fmt: skip


if __name__ == "__main__":
    arguments = command.parser("benchmarks.scale", __doc__)
    arguments.add_argument(
        "--scans", type=bounded_number(minimum=1), default=10_000, help="scans (10000)"
    )
    arguments.add_argument(
        "--slices",
        type=bounded_number(minimum=0),
        default=0,
        help="DICOM files of a scan; 0, the default, is one NIfTI file",
    )
    arguments.add_argument(
        "--measured",
        type=bounded_number(minimum=0),
        default=8,
        help="scans of real size to measure; 0: the dry run alone (8, some minutes)",
    )
    arguments.add_argument("--folder", type=Path, help="where files are made (the temporary one)")
    main(arguments.parse_args())
