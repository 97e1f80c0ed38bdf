"""Extract many scans one after the other, as a job of the cohort does.

``python -m benchmarks.scan_worker PARAMS FOLDER ...``: each folder as `make_scan` wrote it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import SimpleITK as sitk

from pipeline.extraction import extract_masks


def main(params: str, *folders: str) -> None:
    """Extract the masks of every folder's scan with the fast engine."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    for folder in map(Path, folders):
        extract_masks(folder / "ct.nii.gz", sorted(folder.glob("mask_*.nii.gz")), params)


if __name__ == "__main__":
    main(*sys.argv[1:])
