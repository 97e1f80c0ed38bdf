"""How far a risk moves where the mask's boundary is drawn 1 mm further in or out."""

from __future__ import annotations

from collections.abc import Iterator

import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.extraction import Crop, Parameters, features_of_crop

MOVED_MM = 1.0
"""How far the boundary is moved, in mm."""

ERODED, DILATED = "eroded", "dilated"

SECOND = "second reader"
"""Name of the features, and of the risk, with another reader's mask."""


def moved_features(
    crop: Crop, params: Parameters, engine: str
) -> Iterator[tuple[str, dict[str, float] | None]]:
    """Yield the features of a region whose boundary is moved in, and out.

    Parameters
    ----------
    crop : Crop
        Of the mask as it was handed in, on a grid of at most `MOVED_MM`.
    params : Parameters
        Parameters of the extraction.
    engine : str
        One of `pipeline.extraction.ENGINES`.

    Yields
    ------
    name : {'eroded', 'dilated'}
    features : dict of str to float or None
        By name; None where what is left has no features, or the grid is coarser.
    """
    spacing = crop.mask.GetSpacing()
    radius = [round(MOVED_MM / each) for each in spacing]
    for name, change in ((ERODED, sitk.BinaryErode), (DILATED, sitk.BinaryDilate)):
        features = None
        if min(radius) >= 1:
            mask = change(crop.mask, radius, sitk.sitkBall, 0, 1)
            try:
                found = features_of_crop(crop._replace(mask=mask), params, engine=engine)
                features = {key: float(value) for key, value in found.values.items()}
            except CaseError:
                features = None  # too little is left of a small region
        yield name, features
