"""What it costs that the store's files are compared with their digests and flushed to the disk."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks.cohort import Scan
from pipeline.core import files
from pipeline.core.keeping import digests, store
from pipeline.core.keeping.store import Store
from pipeline.extract import extract_crops
from pipeline.extraction import Parameters
from pipeline.extraction.verification import Sources, verify
from pipeline.ingest import ingest_scans
from pipeline.resample import resample_masks
from pipeline.study.config import DEFAULTS, load_yaml
from segmentation.masks import prepare_masks
from segmentation.regions.placement import Reading


class Cost(NamedTuple):
    """CPU seconds of one scan with two masks; of flushing, seconds of waiting.

    Attributes
    ----------
    extraction : float
        Of resample and extract, digests among them.
    digests, flushing : float
        Of digests (making and comparing) and of flushing in these stages.
    verified, verified_digests : float
        Of one mask that plain PyRadiomics computes a second time, and of the digests in it.
    before_digests, before_flushing : float
        Of digests and flushing in ingest and masks, which come before.
    """

    extraction: float
    digests: float
    flushing: float
    verified: float
    verified_digests: float
    before_digests: float
    before_flushing: float

    def in_cohort(self, masks: int, start: float) -> tuple[float, float]:
        """Return CPU seconds a scan and of its digests, as in a study with the default options.

        Parameters
        ----------
        masks : int
            Masks of the scan.
        start : float
            CPU seconds in which the commands of the two stages start, once for each batch.
        """
        options = load_yaml(DEFAULTS)
        drawn = masks * options["extraction"]["verify_fraction"]
        whole = self.extraction + start / options["scans_per_job"] + drawn * self.verified
        return whole, self.digests + drawn * self.verified_digests


def measure(scan: Scan, folder: Path, params: Parameters) -> Cost:
    """Run the stages of one scan in an empty store, each as a job of its own does.

    Parameters
    ----------
    scan : Scan
        CT and masks.
    folder : pathlib.Path
        Folder for the store, which must not exist.
    params : Parameters
        Parameters of the extraction.
    """
    checks = load_yaml(DEFAULTS)["checks"]
    scans = pd.DataFrame(
        {"scan_id": ["S1"], "patient_id": "S1", "image": str(scan.image), "series": None}
    )
    cases = pd.DataFrame(
        {
            "case_id": "S1-L1", "scan_id": "S1", "patient_id": "S1", "level": "L1",
            "reader": [chr(ord("A") + number) for number in range(len(scan.masks))],
            "image": str(scan.image), "series": None, "mask": list(map(str, scan.masks)),
            "label": "1",
        }
    )  # fmt: skip
    with _timed() as before:
        ingested = ingest_scans(scans, Store(folder), checks)
        reading = Reading(convention="none")
        masks = prepare_masks(cases, ingested, Store(folder), checks, reading)
    if not masks["mask"].notna().all():
        raise RuntimeError(f"the masks of the benchmark are refused: {masks['findings'].tolist()}")
    rows = masks.merge(ingested[["scan_id", "image", "image_hash"]], on="scan_id")
    with _timed() as spent:
        started = time.process_time()
        # A job of its own compares what it reads anew.
        crops = resample_masks(rows, Store(folder), params)
        features, status = extract_crops(crops, Store(folder), params)
        seconds = time.process_time() - started
    with _timed() as again:
        started = time.process_time()
        verify(status[:1], features, Sources(ingested, masks), Store(folder), params)
        plain = time.process_time() - started
    if len(features) != len(rows):
        raise RuntimeError("the extraction of the benchmark failed")
    return Cost(
        seconds,
        spent["file_hash"],
        spent["flush"],
        plain,
        again["file_hash"],
        before["file_hash"],
        before["flush"],
    )


@contextmanager
def _timed() -> Iterator[Counter]:
    """Count the CPU seconds of digests and the seconds of flushing while the block runs."""
    spent: Counter = Counter()

    def timed(function: Callable) -> Callable:
        clock = time.perf_counter if function.__name__ == "flush" else time.process_time

        @functools.wraps(function)
        def call(*arguments: object) -> object:
            started = clock()
            try:
                return function(*arguments)
            finally:
                spent[function.__name__] += clock() - started

        return call

    places = [(digests, "file_hash"), (digests, "flush"), (files, "flush"), (store, "flush")]
    kept = [(module, name, getattr(module, name)) for module, name in places]
    try:
        for module, name, function in kept:
            setattr(module, name, timed(function))
        yield spent
    finally:
        for module, name, function in kept:
            setattr(module, name, function)
