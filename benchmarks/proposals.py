"""How close proposed masks come to published ones, as docs/readers.md prints it.

``python -m benchmarks.proposals FOLDER``, where FOLDER holds the public test data that tests find
by VERTEBROMICS_TESTDATA: a lumbar CT of 3 mm with body masks (TotalSegmentator) and a vertebra of
1.5 mm with parts of its body (TPTBox). Seeds are the body's centre, and points 4 mm beside it.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from segmentation.propose import propose
from segmentation.regions.compare import compare_masks

#: Labels of the parts that make up a body, and of the vertebra, in TPTBox's files.
BODY_PARTS, TPTBOX_VERTEBRA = (49, 50), 22
#: Label of a body, and what is added to the number of a lumbar level, in TotalSegmentator's files.
TOTALSEG_BODY, TOTALSEG_LUMBAR = 1, 19
#: How far beside the centre a seed is set for the range, in mm.
BESIDE_MM = 4.0


def bodies(folder: Path) -> Iterator[tuple[str, sitk.Image, np.ndarray]]:
    """Yield name, CT and body mask of each public vertebra.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the public test data.
    """

    def read(path: Path) -> sitk.Image:
        return sitk.ReadImage(str(path))

    spine = folder / "totalseg_ct_spine"
    masks = spine / "spine_report"
    image = read(spine / "example_ct.nii.gz")
    body = sitk.GetArrayFromImage(read(masks / "totalseg_vertebrae_body.nii.gz")) == TOTALSEG_BODY
    levels = sitk.GetArrayFromImage(read(masks / "totalseg_vertebrae_pp_refined.nii.gz"))
    for number in range(1, 6):
        yield f"TotalSegmentator L{number}", image, body & (levels == TOTALSEG_LUMBAR + number)
    one = folder / "tptbox_ct_vertebra"
    parts = sitk.GetArrayFromImage(read(one / "sub-ct_seg-subreg_label-22_msk.nii.gz"))
    whole = sitk.GetArrayFromImage(read(one / "sub-ct_seg-vert_label-22_msk.nii.gz"))
    body = np.isin(parts, BODY_PARTS) & (whole == TPTBOX_VERTEBRA)
    yield "TPTBox 22", read(one / "sub-ct_label-22_ct.nii.gz"), body


def seed_of(image: sitk.Image, body: np.ndarray) -> tuple[float, float, float]:
    """Return the centre of a body in mm (LPS), to a tenth."""
    centre = np.argwhere(body).mean(axis=0)[::-1].tolist()
    return tuple(round(v, 1) for v in image.TransformContinuousIndexToPhysicalPoint(centre))


def measure(folder: Path) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| vertebra | seed, mm | Dice | 95% Hausdorff, mm | volume | Dice, seed 4 mm beside |"
    yield "|---|---|---|---|---|---|"
    for name, image, body in bodies(folder):
        seed = seed_of(image, body)
        mask, _ = propose(image, seed)
        found = compare_masks(body, mask, image.GetSpacing(), 1.0)
        beside = []
        for axis, sign in itertools.product(range(3), (-1, 1)):
            moved = [v + sign * BESIDE_MM * (axis == place) for place, v in enumerate(seed)]
            other, _ = propose(image, tuple(moved))
            beside.append(compare_masks(body, other, image.GetSpacing(), 1.0)["dice"])
        yield (
            f"| {name} | {','.join(f'{v:g}' for v in seed)} | {found['dice']:.3f} "
            f"| {found['hausdorff95_mm']:.1f} | {found['volume_difference_percent']:+.0f}% "
            f"| {min(beside):.3f} to {max(beside):.3f} |"
        )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.proposals", description=__doc__)
    arguments.add_argument("folder", type=Path, help="folder of the public test data")
    for line in measure(arguments.parse_args().folder):
        print(line)
