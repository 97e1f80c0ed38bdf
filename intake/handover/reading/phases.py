"""Several phases, or two slice thicknesses, under one SeriesInstanceUID: taken apart by rule.

A scanner may store the phases of an examination, or one sequential acquisition of thick and thin
slices, under one SeriesInstanceUID. Their slices make no regular stack together. They are taken
apart by what their headers say, and only where every part is a regular stack then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from intake.handover.reading.sources import Image, Series, stack

#: Slices of a part that can be a volume.
FEWEST_SLICES = 3

#: What takes a series apart, in this order, and how a part is called.
RULES: tuple[tuple[str, Callable[[Image], object], Callable[[object], str]], ...] = (
    ("acquisition", lambda image: image.acquisition, lambda value: f"acquisition {value}"),
    ("phase", lambda image: image.temporal, lambda value: f"phase {value}"),
    ("contrast", lambda image: image.contrast, lambda v: "contrast" if v else "native"),
    ("thickness", lambda image: image.thickness, lambda value: f"{value:g} mm thick"),
)

#: What --phase may say besides the name of a part.
CHOICES = ("ask", "native", "contrast", "first", "last", "thinnest")


def parts_of(images: list[Image]) -> dict[str, list[Image]]:
    """Return the parts of a series by name; one without a name where nothing takes it apart.

    Parameters
    ----------
    images : list of Image
        Files of one SeriesInstanceUID and patient.
    """
    if len(images) < 2 * FEWEST_SLICES or _regular(images):
        return {"": images}
    for _, value_of, called in RULES:
        groups: dict[object, list[Image]] = defaultdict(list)
        for image in images:
            groups[value_of(image)].append(image)
        if len(groups) < 2 or None in groups or min(map(len, groups.values())) < FEWEST_SLICES:
            continue
        if all(_regular(group) for group in groups.values()):
            return {called(value): groups[value] for value in sorted(groups, key=_order)}
    return {"": images}


def of_phase(series: list[Series], phase: str) -> list[Series]:
    """Return those of several series that a phase means; all where it means none or does not ask.

    Parameters
    ----------
    series : list of Series
        Series of one patient on whose grid a mask lies, in order of date and number.
    phase : str
        One of `CHOICES`, or the name of a part such as ``acquisition 2``.
    """
    if phase == "ask" or not all(one.part for one in series):
        return series
    if phase in ("first", "last"):
        return [series[0 if phase == "first" else -1]]
    if phase == "thinnest":
        return series  # the grid tells thicknesses apart
    if phase in ("native", "contrast"):
        return [one for one in series if one.contrast is (phase == "contrast")] or series
    return [one for one in series if one.part == phase] or series


def contrast_of(images: list[Image]) -> bool | None:
    """Return whether the slices say that contrast was given; None where they differ."""
    told = {image.contrast for image in images}
    return told.pop() if len(told) == 1 else None


def _regular(images: list[Image]) -> bool:
    return stack([place for image in images for place in image.places]) is not None


def _order(value: object) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, (int, float)) else (0.0, str(value))
