"""Whose masks a study perturbs, and what that costs, from its configuration alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.core.mode_labels import is_leaking
from pipeline.core.problems import Problems
from pipeline.core.sections import taken
from pipeline.study.sections.perturbing import Perturbations
from pipeline.tables.sites import HandedIn, has

#: Steps that give every repetition an image of its own.
IMAGE_STEPS = ("noise", "translation", "rotation")

#: Seconds of one perturbed extraction of a vertebral body on one core with ge2025.yaml, as
#: docs/robustness.md states them: of the mask alone, and of image and mask.
SECONDS_OF_MASK, SECONDS_OF_IMAGE = 0.07, 0.23

#: Megabytes that one perturbed extraction of 1,223 features takes in the store and in the tables.
MEGABYTES = 0.026


class Cost(NamedTuple):
    """What the perturbations of a study cost.

    Attributes
    ----------
    extractions : int
        Perturbed extractions.
    hours : float
        On one core.
    gigabytes : float
        On the disk.
    """

    extractions: int
    hours: float
    gigabytes: float

    def text(self) -> str:
        """Return the cost as a line."""
        minutes, megabytes = 60 * self.hours, 1000 * self.gigabytes
        time = f"{self.hours:.1f} hours" if minutes >= 60 else f"{minutes:.0f} minutes"
        disk = f"{self.gigabytes:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"
        return f"{self.extractions:,} perturbed extractions, about {time} of one core and {disk}"


@dataclass(frozen=True, kw_only=True)
class PerturbingOptions(HandedIn):
    """Options on which it depends whether a study perturbs images or masks, and how."""

    perturbations: Perturbations = taken(Perturbations)

    @property
    def perturbs(self) -> bool:
        """Whether the study extracts perturbed images or masks."""
        return has(self, "cases") and self.perturbations.repetitions > 0


def check_perturbations(
    repetitions: int, asked: str, mode: str, problems: Problems, *, images: bool
) -> None:
    """Add what keeps a study from perturbing its masks, or from selecting by what survives.

    Parameters
    ----------
    repetitions : int
        The option `perturbations.repetitions`.
    asked : str
        The option `selection.robustness`.
    mode : str
        The option `mode`.
    problems : Problems
        Receives what is wrong.
    images : bool
        Whether the study starts from images.
    """
    if repetitions and not images:
        problems.add(
            "Perturbations need images and masks",
            found="no `cases`",
            where="config key perturbations.repetitions",
            remedy="write `perturbations: {repetitions: 0}`, or start the study from `cases`",
            code="perturbations-without-images",
        )
    if asked != "readers" and not repetitions:
        problems.add(
            "A selection by perturbations needs perturbed extractions",
            found=f"robustness: {asked} with repetitions: 0",
            where="config key selection.robustness",
            remedy="write `perturbations: {repetitions: 30}`, or `robustness: readers`",
            code="robustness-without-perturbations",
        )
    if asked != "readers" and is_leaking(mode):
        problems.add(
            "The published order knows no perturbations",
            found=f"robustness: {asked}",
            where="config key selection.robustness",
            remedy="write `robustness: readers`, or `mode: rigorous`",
            code="robustness-in-published-order",
        )


def perturbed_reader(asked: str | None, model_reader: str | None, readers: Sequence[str]) -> str:
    """Return the reader whose masks are perturbed.

    Parameters
    ----------
    asked, model_reader : str or None
        The options `perturbations.reader` and `model_reader`.
    readers : sequence of str
        Readers of the study, without versions.
    """
    chosen = asked or model_reader
    return chosen if chosen is not None and chosen in readers else sorted(readers)[0]


def cost_of(options: Perturbations, masks: int) -> Cost:
    """Return what the perturbations of a number of masks cost.

    Parameters
    ----------
    options : Perturbations
        The section `perturbations`.
    masks : int
        Masks of the reader who is perturbed.
    """
    extractions = masks * options.repetitions
    of_image = any(step in options.chain for step in IMAGE_STEPS)
    seconds = SECONDS_OF_IMAGE if of_image else SECONDS_OF_MASK
    return Cost(extractions, extractions * seconds / 3600, extractions * MEGABYTES / 1000)
