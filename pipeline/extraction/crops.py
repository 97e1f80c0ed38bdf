"""The surroundings of one region: what the engines hand from loading to features, and its files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import SimpleITK as sitk

from pipeline.core.files import read_json, write_json
from pipeline.imaging.stored_volumes import read_nrrd, write_nrrd


class Normalisation(NamedTuple):
    """What the normalisation of a volume rests on, all in HU.

    Attributes
    ----------
    mean, sd : float
        Mean and standard deviation (n - 1) over all voxels of the volume.
    clip_low, clip_high : float or None
        Grey values beyond which voxels were set to the limit (``removeOutliers``); None where
        nothing is cut.
    """

    mean: float
    sd: float
    clip_low: float | None
    clip_high: float | None

    @classmethod
    def of(cls, mean: float, sd: float, outliers: float | None) -> Normalisation:
        """Return the statistics with the limits that `outliers` standard deviations make."""
        if outliers is None:
            return cls(mean, sd, None, None)
        return cls(mean, sd, mean - outliers * sd, mean + outliers * sd)


class Crop(NamedTuple):
    """The surroundings of one region, normalised and resampled.

    Attributes
    ----------
    image : SimpleITK.Image
        Normalised grey values; float64 where the parameters normalise, else of the CT's type.
    mask : SimpleITK.Image
        Region on the same grid, uint8: 1 inside, 0 outside.
    clipped_share : float
        Share of the region's voxels, on the mask's own grid before resampling, whose grey value
        was cut at the limits of the normalisation (``removeOutliers``); NaN where nothing is cut.
    normalisation : Normalisation or None
        Statistics of the whole volume; None where the parameters do not normalise.
    engine : str
        Engine that made the crop: ``fast`` or ``pyradiomics``.
    reason : str or None
        Why the engine asked for handed the crop to PyRadiomics; None where it did not.
    """

    image: sitk.Image
    mask: sitk.Image
    clipped_share: float
    normalisation: Normalisation | None = None
    engine: str = "pyradiomics"
    reason: str | None = None


def write_crop(crop: Crop, folder: str | Path) -> None:
    """Write a crop into an existing folder, so that it comes back equal in every bit.

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
    described = {
        "clipped_share": None if math.isnan(crop.clipped_share) else crop.clipped_share,
        "normalisation": crop.normalisation and crop.normalisation._asdict(),
        "engine": crop.engine,
        "reason": crop.reason,
    }
    write_json(described, folder / "crop.json")


def read_crop(folder: str | Path) -> Crop:
    """Read what `write_crop` wrote, equal in every bit.

    Parameters
    ----------
    folder : path-like
        Folder of one crop.
    """
    folder = Path(folder)
    image, mask = (read_nrrd(folder / f"{name}.nrrd") for name in ("image", "mask"))
    described = read_json(folder / "crop.json")
    share, normalisation = described["clipped_share"], described["normalisation"]
    return Crop(
        image,
        mask,
        math.nan if share is None else share,
        normalisation and Normalisation(**normalisation),
        described["engine"],
        described["reason"],
    )
