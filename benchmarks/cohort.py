"""A scan of the size of a real one, with the masks of two readers, made from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

#: Voxels (x, y, z) and spacing (mm) of the scan: an abdomen CT as most of the cohort has it.
SIZE = (512, 512, 120)
SPACING = (0.7, 0.7, 2.5)

#: Half axes in mm of the vertebral body and of the second reader's opinion of it. The first mask
#: holds about 24,000 voxels.
READERS = {"A": (21.0, 19.0, 17.5), "B": (20.0, 19.5, 16.0)}


class Scan(NamedTuple):
    """Files of one scan."""

    image: Path
    masks: list[Path]


def make_scan(folder: Path, seed: int = 0) -> Scan:
    """Write one scan and its masks into `folder` as .nii.gz.

    Parameters
    ----------
    folder : pathlib.Path
        Is made if it does not exist.
    seed : int
        Of the noise and of the vertebra's place.

    Returns
    -------
    Scan
        CT in HU (int16) and one mask (uint8, region 1) per reader of `READERS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values, masks = drawn_scan(seed)
    image = _write(values, folder / "ct.nii.gz")
    written = [_write(mask, folder / f"mask_{reader}.nii.gz") for reader, mask in masks.items()]
    return Scan(image, written)


def drawn_scan(seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw one scan and its masks.

    Parameters
    ----------
    seed : int
        Of the noise and of the vertebra's place.

    Returns
    -------
    hu : numpy.ndarray
        int16, shape (z, y, x) of `SIZE`.
    masks : dict
        Reader of `READERS` to its mask (uint8, region 1), same shape.
    """
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[tuple(slice(n) for n in SIZE[::-1])]
    # Distances in mm from the middle of the field of view.
    x, y, z = ((i - n / 2) * mm for i, n, mm in zip((x, y, z), SIZE, SPACING, strict=True))
    values = np.full(SIZE[::-1], -1000, np.int16)
    body = (x / 165) ** 2 + (y / 120) ** 2 < 1
    values += np.where(body, np.int16(1040), np.int16(0))
    place = (rng.uniform(-3, 3), 45 + rng.uniform(-3, 3), rng.uniform(-20, 20))
    distance = {
        reader: sum(
            ((axis - middle) / half) ** 4
            for axis, middle, half in zip((x, y, z), place, axes, strict=True)
        )
        for reader, axes in READERS.items()
    }
    bone = distance["A"] < 1
    shell = bone & (distance["A"] > 0.6)
    values += np.where(bone, np.int16(140), np.int16(0)) + np.where(shell, np.int16(250), 0)
    # Trabeculae vary over a few voxels, quantum noise from voxel to voxel.
    coarse = rng.normal(0, 60, (SIZE[2], SIZE[1] // 4, SIZE[0] // 4))
    values += np.where(bone, coarse.repeat(4, 1).repeat(4, 2), 0).astype(np.int16)
    values += rng.normal(0, 12, values.shape).astype(np.int16)
    masks = {reader: (inside < 1).astype(np.uint8) for reader, inside in distance.items()}
    return values, masks


def _write(values: np.ndarray, path: Path) -> Path:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, path, useCompression=True)
    return path
