"""Crops as files that give back every bit: image.nrrd, mask.nrrd and crop.json in one folder."""

from __future__ import annotations

import json
import math
from pathlib import Path

import SimpleITK as sitk

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

    Notes
    -----
    NRRD stores the product of direction and spacing, so that an oblique geometry comes back with
    other last bits. crop.json keeps the geometry exactly, and `read_crop` restores it.
    """
    folder = Path(folder)
    sitk.WriteImage(crop.image, str(folder / "image.nrrd"))
    sitk.WriteImage(crop.mask, str(folder / "mask.nrrd"), useCompression=True)
    facts = {
        "spacing": crop.image.GetSpacing(),
        "origin": crop.image.GetOrigin(),
        "direction": crop.image.GetDirection(),
        "clipped_share": None if math.isnan(crop.clipped_share) else crop.clipped_share,
    }
    (folder / "crop.json").write_text(json.dumps(facts), encoding="utf-8")


def read_crop(folder: str | Path) -> Crop:
    """Read what `write_crop` wrote, equal in every bit.

    Parameters
    ----------
    folder : path-like
        Folder of one crop.
    """
    folder = Path(folder)
    facts = json.loads((folder / "crop.json").read_text(encoding="utf-8"))
    image, mask = (sitk.ReadImage(str(folder / f"{name}.nrrd")) for name in ("image", "mask"))
    for volume in (image, mask):
        volume.SetSpacing(facts["spacing"])
        volume.SetOrigin(facts["origin"])
        volume.SetDirection(facts["direction"])
    share = facts["clipped_share"]
    return Crop(image, mask, math.nan if share is None else share)
