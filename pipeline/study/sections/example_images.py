"""Sections of figures of example images: panels of image files with letters, contours, captions."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import Annotated

from pipeline.core.sections import Rule, option, sections

Edge = Annotated[int, Rule("pixels cut off an edge", bounds={"ge": 0})]
Grey = Annotated[float, Rule("centre or width of a window")]
Place = Annotated[float, Rule("pixels from the left or the upper edge", bounds={"ge": 0})]
Corner = Annotated[
    list[Place],
    Rule(
        "corner of a polygon, [pixels from the left, pixels from the top]",
        bounds={"min_length": 2, "max_length": 2},
    ),
]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One image of a figure."""

    image: str = option(
        MISSING,
        "path of a PNG or of one DICOM slice",
        "PNG, or one slice as DICOM",
        required=True,
        min_length=1,
    )
    caption: str = option(MISSING, "what the image shows", required=True, min_length=1)
    letter: str | None = option(
        None,
        "letter in the corner",
        "A, B, C in their order where null",
        pattern="^[A-Za-z0-9]{1,2}$",
    )
    mask: str | None = option(
        None,
        "path of a mask, the outline of which is drawn",
        "PNG of the image's size, or for a DICOM slice a NIfTI or NRRD volume in its space",
        min_length=1,
    )
    polygon: Annotated[list[Corner], Rule(bounds={"min_length": 3})] | None = option(
        None,
        "corners of an outline that is drawn, [[x, y], ...]",
        "[[x, y], ...] from the left and the upper edge of the image, before `cut`",
        unit="pixels",
        remedy="such as `polygon: [[120, 80], [180, 80], [180, 130]]`",
    )
    window: Annotated[list[Grey], Rule(bounds={"min_length": 2, "max_length": 2})] | None = option(
        None,
        "centre and width of the grey values that are shown",
        "[centre, width]; null: [400, 1800] HU of a CT, PNG of 8 bits as they are, otherwise all "
        "values but the hundredth part at each end",
        unit="as stored: HU of a CT",
        remedy="such as `window: [400, 1800]`",
    )
    cut: Annotated[list[Edge], Rule(bounds={"min_length": 4, "max_length": 4})] | None = option(
        None,
        "pixels cut off the left, top, right and bottom edge",
        "[left, top, right, bottom]; cut off before letters are looked for",
        unit="pixels",
        remedy="such as `cut: [0, 40, 0, 0]`",
    )
    letters: str = option(
        "refused",
        "what holds where lines of letters seem to be in the pixels",
        "refused, or looked_at with the first eight digits of the file's SHA-256: a person has "
        "looked at this very picture, and its letters say nothing of the patient",
        pattern="^(refused|looked_at-[0-9a-f]{8})$",
        remedy="leave it out: where letters are found, the error says what to write, such as "
        "looked_at-1f0e5a93",
    )


@dataclass(frozen=True, kw_only=True)
class ExampleFigure:
    """A figure of example images."""

    title: str = option(MISSING, "what the figure shows", required=True, min_length=1)
    columns: int = option(
        3, "panels side by side", "at most so many panels side by side", unit="panels", ge=1, le=4
    )
    panels: list[Panel] = sections(
        Panel,
        "images of the figure, a list of {image, caption, mask, ...}",
        "list of {image, caption, letter, mask, polygon, window, cut, letters}",
        remedy="such as `panels: [{image: before.png, caption: before surgery}]`",
        required=True,
        bounds={"min_length": 1, "max_length": 12},
    )
