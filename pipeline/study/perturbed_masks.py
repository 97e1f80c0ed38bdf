"""Whose masks a study perturbs, and what that costs, from its configuration alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.core.mode_labels import is_leaking
from pipeline.core.problems import Problems
from pipeline.tables.sites import has

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


def perturbs(config: Mapping[str, Any]) -> bool:
    """Return whether a study extracts perturbed images or masks."""
    return has(config, "cases") and config["perturbations"]["repetitions"] > 0


def check_perturbations(config: dict, problems: Problems) -> None:
    """Add what keeps a study from perturbing its masks, or from selecting by what survives."""
    repetitions, asked = config["perturbations"]["repetitions"], config["selection"]["robustness"]
    if repetitions and not has(config, "cases"):
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
    if asked != "readers" and is_leaking(config["mode"]):
        problems.add(
            "The published order knows no perturbations",
            found=f"robustness: {asked}",
            where="config key selection.robustness",
            remedy="write `robustness: readers`, or `mode: rigorous`",
            code="robustness-in-published-order",
        )


def perturbed_reader(config: Mapping[str, Any], readers: Sequence[str]) -> str:
    """Return the reader whose masks are perturbed.

    Parameters
    ----------
    config : mapping
        Read are ``perturbations.reader`` and ``model_reader``.
    readers : sequence of str
        Readers of the study, without versions.
    """
    chosen = config["perturbations"]["reader"] or config["model_reader"]
    return chosen if chosen in readers else sorted(readers)[0]


def cost_of(config: Mapping[str, Any], masks: int) -> Cost:
    """Return what the perturbations of a number of masks cost.

    Parameters
    ----------
    config : mapping
        Its section ``perturbations``.
    masks : int
        Masks of the reader who is perturbed.
    """
    options = config["perturbations"]
    extractions = masks * options["repetitions"]
    of_image = any(step in options["chain"] for step in IMAGE_STEPS)
    seconds = SECONDS_OF_IMAGE if of_image else SECONDS_OF_MASK
    return Cost(extractions, extractions * seconds / 3600, extractions * MEGABYTES / 1000)
