"""Extract many scans one after the other, as a job of the cohort does.

``python -m benchmarks.scan_worker PARAMS FOLDER ...``: each folder as `make_scan` wrote it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import SimpleITK as sitk

from pipeline.extraction import Parameters, features_of_crop, load_params, open_scan


def extract_scan(image: Path, masks: list[Path], params: Parameters) -> None:
    """Compute the features of all masks of one CT with the fast engine, the CT read once."""
    scan = open_scan(image, params, engine="fast")
    for mask in masks:
        features_of_crop(scan.crop(mask), params, engine="fast")


def main(params: str, *folders: str) -> None:
    """Extract the masks of every folder's scan."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    parameters = load_params(params)
    for folder in map(Path, folders):
        extract_scan(folder / "ct.nii.gz", sorted(folder.glob("mask_*.nii.gz")), parameters)


if __name__ == "__main__":
    main(*sys.argv[1:])
