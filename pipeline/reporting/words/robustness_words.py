"""Words about perturbed extractions that several pages share."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.reporting.wording import number

#: Step of a chain -> what it does, in a few words, in the order in which steps are done.
PERTURBED_STEPS = {
    "noise": "noise",
    "translation": "translation",
    "rotation": "rotation",
    "volume": "growth or shrinkage of the volume",
    "contour": "randomisation of the contour",
}


def perturbed_words(limits: Mapping) -> str:
    """Say in words what the filter by perturbations asks, or that it is off."""
    if limits["threshold"] is None:
        return "no filter by perturbations (off)"
    bound = "lower limit of the ICC" if limits["bound"] == "lower" else "ICC"
    return f"{bound} between perturbed extractions of at least {number(limits['threshold'], 2)}"
