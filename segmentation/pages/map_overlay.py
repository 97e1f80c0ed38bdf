"""The maps of a case as its page shows them: a byte a voxel, colours, and what the bar says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import SimpleITK as sitk

from segmentation.pages.viewer_volume import CaseVolume, packed_text

#: Colours from low to high; read alike by the colour-blind and in grey.
COLOURS = "viridis"

#: Bytes of values: 1 to `STEPS`; 0 is where there is no value.
STEPS = 255

#: Share of all shown values beyond each end of the colour bar.
BEYOND = 0.02


@dataclass(frozen=True)
class PageMap:
    """One map on the grid of a page.

    Attributes
    ----------
    name : str
        The feature's full name.
    unit : str
        Of its values.
    low, high : float
        Values at the ends of the colour bar.
    levels : numpy.ndarray
        uint8 of the page's shape (z, y, x): 0 without a value, else 1 at or below `low` to
        `STEPS` at or above `high`.
    """

    name: str
    unit: str
    low: float
    high: float
    levels: np.ndarray


def colour_limits(maps: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the values at the ends of one colour bar for the maps of several cases.

    Parameters
    ----------
    maps : sequence of numpy.ndarray
        Values of any shape; NaN where there is none.

    Returns
    -------
    low, high : float
        Quantiles `BEYOND` from either end; NaN where no map has a value.
    """
    values = np.concatenate([values[np.isfinite(values)] for values in maps])
    if not values.size:
        return np.nan, np.nan
    low, high = np.quantile(values, [BEYOND, 1 - BEYOND])
    return float(low), float(high)


def page_map(
    name: str, unit: str, drawn: sitk.Image, limits: tuple[float, float], volume: CaseVolume
) -> PageMap:
    """Put a map onto the voxels of a page, each by the nearest voxel of the map.

    Parameters
    ----------
    name, unit : str
        Feature, and unit of its values.
    drawn : SimpleITK.Image
        Map on the grid of the resampled CT; NaN outside the region.
    limits : tuple of float
        From `colour_limits`.
    volume : CaseVolume
        What the page shows.
    """
    grid = sitk.Image(volume.levels.shape[::-1], sitk.sitkUInt8)
    grid.SetSpacing(volume.spacing)
    grid.SetOrigin(volume.corner_mm)
    grid.SetDirection(volume.axes.ravel().tolist())
    met = sitk.Resample(drawn, grid, sitk.Transform(), sitk.sitkNearestNeighbor, float("nan"))
    values = sitk.GetArrayViewFromImage(met)
    low, high = limits
    with np.errstate(invalid="ignore"):
        share = (values - low) / (high - low) if high > low else np.where(values > low, 1.0, 0.0)
        steps = 1 + np.rint(np.clip(share, 0, 1) * (STEPS - 1))
    levels = np.where(np.isfinite(values), steps, 0).astype(np.uint8)
    return PageMap(name, unit, low, high, levels)


def colours() -> list[list[int]]:
    """Return red, green and blue, 0 to 255, of the bytes 1 to `STEPS`."""
    shades = matplotlib.colormaps[COLOURS](np.linspace(0, 1, STEPS))[:, :3]
    return np.rint(shades * 255).astype(int).tolist()


def described(maps: Sequence[PageMap]) -> list[dict]:
    """Return what the page's script is told of its maps."""
    return [
        {"name": each.name, "unit": each.unit, "low": each.low, "high": each.high} for each in maps
    ]


def packed(maps: Sequence[PageMap]) -> str:
    """Return the bytes of all maps, one after the other."""
    return packed_text(np.stack([each.levels for each in maps]))
