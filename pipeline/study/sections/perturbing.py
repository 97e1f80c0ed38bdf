"""Section of what is perturbed in images and masks, to see which features survive it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pipeline.core.sections import Rule, option

Step = Annotated[
    Literal["noise", "translation", "rotation", "volume", "contour"], Rule("a step of the chain")
]


@dataclass(frozen=True, kw_only=True)
class Perturbations:
    """Images and masks changed a little, and extracted again."""

    repetitions: Literal[0, 10, 30, 100] = option(
        0,
        "how often each mask is perturbed and extracted again; 0 switches it off",
        "0 | 10 | 30 | 100: perturbed extractions of each mask; `vertebromics run -n` tells hours "
        "and disk before. 30 tell an ICC of 0.9 from one of 0.8 in 50 patients; a larger set keeps "
        "what a smaller one computed",
        unit="repetitions",
        remedy="write one of 0, 10, 30, 100",
    )
    chain: list[Step] = option(
        ["noise", "translation", "volume", "contour"],
        "what is changed in each repetition, one after the other",
        "noise (as much again as the CT has) | translation and rotation of the grid that is "
        "resampled to | volume (grown or shrunk) | contour (drawn anew along supervoxels): these "
        "four were best of 18 chains (Zwanenburg 2019); volume and contour alone leave the image, "
        "and cost a third",
        min_length=1,
        unique=True,
        remedy="take from noise, translation, rotation, volume, contour",
    )
    translation_voxels: float = option(
        0.5,
        "largest shift of the grid along each axis",
        "a shift is drawn evenly up to this, in either direction; half a voxel is every place that "
        "a grid can have",
        unit="voxels of the resampled grid",
        gt=0,
        le=1,
    )
    rotation_degrees: float = option(
        13.0,
        "largest turn of the grid in the axial plane",
        "drawn evenly in either direction",
        unit="degrees",
        gt=0,
        le=45,
    )
    volume_fraction: float = option(
        0.05,
        "largest change of a mask's volume",
        "drawn evenly, larger or smaller; 0.05 moves the surface of a vertebral body by 0.3 mm. "
        "Vertebrae differ less in volume than tumours do: at 0.15 volume itself is not robust",
        unit="share of the volume",
        gt=0,
        le=0.5,
    )
    reader: str | None = option(
        None,
        "reader whose masks are perturbed",
        "null: `model_reader`, or with `mean` the first reader by name",
        min_length=1,
        remedy="put a reader named by a number in quotes",
    )
