"""All repetitions of one mask: what they share is done once.

Where only the mask changes, the crop of the study is taken as it lies in the store: its filters are
computed once, and each perturbed mask takes its features of them. Where the image changes too, the
CT is read and summed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.extraction.checks import check_extent
from pipeline.extraction.crops import Crop
from pipeline.extraction.engine import features_of_masks
from pipeline.extraction.fast import FastScan
from pipeline.extraction.params import Parameters
from pipeline.extraction.perturbations.drawing import Draw
from pipeline.extraction.perturbations.grids import Placed, moved_crop
from pipeline.extraction.perturbations.outlines import (
    changed_volume,
    new_outline,
    supervoxels,
)


class Perturbed(NamedTuple):
    """One repetition of one mask.

    Attributes
    ----------
    draw : Draw
        What was drawn.
    noise_hu : float
        Standard deviation of the noise that was added; 0 without.
    voxels_before, voxels : int
        Voxels of the region on the grid, before its volume and outline were changed, and after; 0
        where they could not be changed.
    features : pandas.Series or None
        By name; None where the perturbed region has none.
    problem : str or None
        Why it has none.
    """

    draw: Draw
    noise_hu: float
    voxels_before: int
    voxels: int
    features: pd.Series | None
    problem: str | None


def repeat_masks(
    crop: Crop, draws: Sequence[Draw], params: Parameters, engine: str
) -> Iterator[Perturbed]:
    """Yield repetitions that change the mask alone.

    Parameters
    ----------
    crop : Crop
        The study's.
    draws : sequence of Draw
        Without moves and noise.
    params : Parameters
        Of the extraction.
    engine : str
        One of `pipeline.extraction.ENGINES`.
    """
    image, inside = sitk.GetArrayViewFromImage(crop.image), _inside(crop)
    parts = None
    # As the repetitions with noise do it: a volume drawn anew first, then the outline of that.
    masks: list[np.ndarray] = []
    for draw in draws:
        mask = changed_volume(inside, draw.volume, draw.volume_seed)
        if draw.contour_seed is not None:
            if parts is None:
                parts = supervoxels(image, inside, crop.image.GetSpacing())
            mask = new_outline(mask, parts, draw.contour_seed)
        masks.append(mask)
    problems = [_problem(crop, mask, params) for mask in masks]
    usable = [
        _on_grid(mask, crop.mask) for mask, why in zip(masks, problems, strict=True) if why is None
    ]
    found = iter(features_of_masks(crop.image, usable, params, engine=engine))
    before = int(inside.sum())
    for draw, mask, why in zip(draws, masks, problems, strict=True):
        values = next(found) if why is None else None
        yield Perturbed(draw, 0.0, before, int(mask.sum()), values, why)


def repeat_images(
    scan: FastScan,
    placed: Placed,
    draws: Sequence[Draw],
    noise: float,
    params: Parameters,
    engine: str,
) -> Iterator[Perturbed]:
    """Yield repetitions that change the image too.

    Parameters
    ----------
    scan : FastScan
        The CT, read once.
    placed : Placed
        The region.
    draws : sequence of Draw
        What is drawn.
    noise : float
        Noise of the CT, in HU.
    params, engine
        As in `repeat_masks`.
    """
    for draw in draws:
        level = noise if draw.noise_seed is not None else 0.0
        try:
            crop = moved_crop(scan, placed, draw.move, level, draw.noise_seed or 0)
            inside = _inside(crop)
            mask = changed_volume(inside, draw.volume, draw.volume_seed)
            if draw.contour_seed is not None:
                parts = supervoxels(
                    sitk.GetArrayViewFromImage(crop.image), inside, crop.image.GetSpacing()
                )
                mask = new_outline(mask, parts, draw.contour_seed)
        except CaseError as error:
            # A small region that one shift loses is there after another.
            yield Perturbed(draw, level, 0, 0, None, _words(error))
            continue
        why = _problem(crop, mask, params)
        values = None
        if why is None:
            (values,) = features_of_masks(
                crop.image, [_on_grid(mask, crop.mask)], params, engine=engine
            )
        yield Perturbed(draw, level, int(inside.sum()), int(mask.sum()), values, why)


def _inside(crop: Crop) -> np.ndarray:
    return sitk.GetArrayViewFromImage(crop.mask) != 0


def _on_grid(mask: np.ndarray, like: sitk.Image) -> sitk.Image:
    made = sitk.GetImageFromArray(mask.astype(np.uint8))
    made.CopyInformation(like)
    return made


def _problem(crop: Crop, mask: np.ndarray, params: Parameters) -> str | None:
    """Return why a perturbed mask can have no features, None where it can."""
    try:
        check_extent(_on_grid(mask, crop.mask), params)
    except CaseError as error:
        return _words(error)
    return None


def _words(error: CaseError) -> str:
    return f"{error.rule}: {error.found}"
