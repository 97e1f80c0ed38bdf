"""What is drawn for each repetition: from the study's seed and names, whatever came before.

Each step of a chain draws from a seed of its own, so that the tenth repetition is the same among 10
and among 100, in whichever batch and order its scan comes, and leaving a step out moves no other.
Readers of a case share their draws.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import StudyError
from pipeline.core.seeds import derive_seed
from pipeline.extraction.params import Parameters
from pipeline.extraction.perturbations.grids import Move

#: Steps of a chain, in the order in which they are done.
STEPS = ("noise", "translation", "rotation", "volume", "contour")

#: Steps that change the image as well as the mask.
OF_THE_IMAGE = ("noise", "translation", "rotation")


def check_chain(chain: Collection[str], params: Parameters) -> None:
    """Raise `StudyError` if images are to be perturbed that are not interpolated.

    Parameters
    ----------
    chain : collection of str
        Some of `STEPS`.
    params : Parameters
        Of the extraction.
    """
    steps = [step for step in OF_THE_IMAGE if step in chain]
    settings = params.crop_settings
    interpolator = settings["interpolator"]
    spacing = settings.get("resampledPixelSpacing")
    if steps and (spacing is None or interpolator not in ("sitkBSpline", sitk.sitkBSpline)):
        found = f"interpolator: {interpolator}"
        raise StudyError(
            "Noise, translation and rotation need a grid that images are interpolated to by "
            "B-splines",
            found="no resampledPixelSpacing" if spacing is None else found,
            where="config key perturbations.chain",
            remedy="write `chain: [volume, contour]`, or set resampledPixelSpacing and "
            "`interpolator: sitkBSpline` in the parameter file",
            code="perturbation-without-grid",
        )


class Strength(NamedTuple):
    """Which steps are done, and how far they go.

    Attributes
    ----------
    chain : tuple of str
        Some of `STEPS`.
    translation : float
        Largest shift along each axis, in voxels of the resampled grid.
    rotation : float
        Largest turn, in degrees.
    volume : float
        Largest change of the volume, as a fraction of it.
    """

    chain: tuple[str, ...]
    translation: float = 0.5
    rotation: float = 13.0
    volume: float = 0.05

    @classmethod
    def of(cls, options: Mapping) -> Strength:
        """Return what the section ``perturbations`` of a configuration asks for."""
        return cls(
            tuple(step for step in STEPS if step in options["chain"]),
            options["translation_voxels"],
            options["rotation_degrees"],
            options["volume_fraction"],
        )

    @property
    def moves_image(self) -> bool:
        """Whether each repetition has an image of its own."""
        return any(step in self.chain for step in OF_THE_IMAGE)

    def as_json(self) -> dict:
        """Return what decides about a draw as JSON values: steps that are left out do not."""
        sizes = {name: getattr(self, name) for name in ("translation", "rotation", "volume")}
        return {
            "chain": list(self.chain),
            **{name: size for name, size in sizes.items() if name in self.chain},
        }


class Draw(NamedTuple):
    """One repetition.

    Attributes
    ----------
    repetition : int
        From 1.
    move : Move
        Of the grid.
    noise_seed : int or None
        None where no noise is added.
    volume : float
        Fraction by which the volume changes.
    volume_seed : int
        Of the voxels of the last layer.
    contour_seed : int or None
        None where the outline stays.
    """

    repetition: int
    move: Move = Move()
    noise_seed: int | None = None
    volume: float = 0.0
    volume_seed: int = 0
    contour_seed: int | None = None


def draws_of(
    strength: Strength, repetitions: Sequence[int], seed: int, scan: str, case: str
) -> list[Draw]:
    """Return what is drawn for repetitions of one case.

    Parameters
    ----------
    strength : Strength
        Steps and how far they go; each draw is uniform between the largest and its opposite.
    repetitions : sequence of int
        Numbers of the repetitions.
    seed : int
        The study's.
    scan, case : str
        Their ids.
    """

    def of(repetition: int, step: str) -> int:
        return derive_seed(seed, "perturbations", scan, case, repetition, step)

    def uniform(repetition: int, step: str, largest: float, size: int) -> list[float]:
        if step not in strength.chain:
            return [0.0] * size
        return np.random.default_rng(of(repetition, step)).uniform(-largest, largest, size).tolist()

    found = []
    for number in repetitions:
        shift = uniform(number, "translation", strength.translation, 3)
        (degrees,) = uniform(number, "rotation", strength.rotation, 1)
        (volume,) = uniform(number, "volume", strength.volume, 1)
        found.append(
            Draw(
                number,
                Move((shift[0], shift[1], shift[2]), degrees),
                of(number, "noise") if "noise" in strength.chain else None,
                volume,
                of(number, "rim"),
                of(number, "contour") if "contour" in strength.chain else None,
            )
        )
    return found
