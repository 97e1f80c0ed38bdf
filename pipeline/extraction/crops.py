"""Crops as files that give back every bit: image.nrrd, mask.nrrd and crop.json in one folder."""

from __future__ import annotations

import math
from pathlib import Path

from pipeline.core.files import read_json, write_json
from pipeline.core.volumes import read_nrrd, write_nrrd
from pipeline.extraction.engine import Crop


def write_crop(crop: Crop, folder: str | Path) -> None:
    """Write a crop into an existing folder.

    Parameters
    ----------
    crop : Crop
        From `pipeline.extraction.load_crop`.
    folder : path-like
        Receives image.nrrd (as it is: gzip saves nothing on interpolated float64 values and costs
        twenty times the time), mask.nrrd (uint8) and crop.json.
    """
    folder = Path(folder)
    write_nrrd(crop.image, folder / "image.nrrd", compressed=False)
    write_nrrd(crop.mask, folder / "mask.nrrd")
    share = None if math.isnan(crop.clipped_share) else crop.clipped_share
    write_json({"clipped_share": share}, folder / "crop.json")


def read_crop(folder: str | Path) -> Crop:
    """Read what `write_crop` wrote, equal in every bit.

    Parameters
    ----------
    folder : path-like
        Folder of one crop.
    """
    folder = Path(folder)
    image, mask = (read_nrrd(folder / f"{name}.nrrd") for name in ("image", "mask"))
    share = read_json(folder / "crop.json")["clipped_share"]
    return Crop(image, mask, math.nan if share is None else share)
