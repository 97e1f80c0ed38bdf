"""Remedies of figures of example images: rows of Configuration."""

from __future__ import annotations

import functools
from pathlib import Path

from pipeline.checks.example_images import check_figures, shown_figures
from pipeline.core.problems import Problems
from pipeline.study.example_figures import figures_of
from tests.remedies import Remedy, refused
from tests.support.example_pictures import REFUSED, figure_with, write_pictures

SECTION = "Configuration"

#: By bad input: its name in `REFUSED`.
NAMES = {
    "An example image that is not there": "no such file",
    "An example image that is no PNG and no DICOM slice": "a JPEG",
    "An example image that is cut short": "a cut file",
    "An example image of too many pixels": "too many pixels",
    "An example image of several slices in one DICOM file": "several slices in a file",
    "An example image that is a DICOM slice with colours": "a palette",
    "A mask of another size than its example image": "a mask of another size",
    "A mask of an example image whose place cannot be known": "a volume beside a PNG",
    "An empty mask of an example image": "an empty mask",
    "A mask that lies outside its example image": "a volume elsewhere",
    "A corner of a polygon that lies outside its example image": "a corner outside",
    "A polygon that was cut off with the edges of its example image": "a polygon that was cut off",
    "An example image with a window without width": "a window without width",
    "An example image of which everything is cut off": "everything cut off",
    "A caption of an example image that names a person": "a name in the caption",
    "A caption of an example image that holds a date": "a day in the caption",
    "An example image in a file that is named after a person": "a name of a file",
    "An example image with a comment in its PNG file": "a comment",
    "An example image with EXIF data in its PNG file": "EXIF data",
    "An example image with the header of a patient": "a header",
    "An example image with letters in its pixels": "letters",
    "An example image that states letters in its pixels": "letters that the header states",
    "An example image that a viewer captured": "a capture of a viewer",
}

#: By code: what the remedy says.
SAYS = {
    "example-image-missing": "correct its path",
    "example-image-format": "export the image as PNG",
    "example-image-damaged": "export or copy the image again",
    "example-image-large": "cut out what the figure shows",
    "example-image-slices": "export the slice that is shown by itself",
    "example-image-colours": "export it as PNG",
    "example-mask-size": "export image and mask alike",
    "example-mask-format": "export the mask as PNG of the image's size",
    "example-outline-outside": "give the outline of this image",
    "example-window-width": "`window: .400, 1800.`",
    "example-cut-everything": "cut off fewer pixels",
    "example-caption-identifies": "describe the finding; write days from surgery",
    "example-name-identifies": "rename file and folder",
    "example-text-identifies": "save the picture without comments",
    "example-header-identifies": "the copy that `vertebromics intake` made",
    "example-letters-burned-in": "cut them off by `cut.*`letters: looked_at-",
}


def _checked(figures: list[dict]) -> None:
    problems = Problems("the study")
    check_figures(figures_of(figures), problems)
    problems.raise_if_any()


def panel(name: str, folder: Path) -> None:
    write_pictures(folder)
    case = REFUSED[NAMES[name]]
    refused(SECTION, name, lambda: _checked([figure_with(folder, **case.bad)]), SAYS[case.code])
    _checked([figure_with(folder, **case.good)])


def letters(folder: Path) -> None:
    name = "Two panels of a figure of example images with one letter"
    write_pictures(folder)
    figure = figure_with(folder)
    figure["panels"] = [figure["panels"][0] | {"letter": "A"}] * 2
    refused(SECTION, name, lambda: _checked([figure]), "give other letters, or leave them all out")
    figure["panels"] = [{**each, "letter": None} for each in figure["panels"]]
    _checked([figure])
    assert [one.letter for one in shown_figures(figures_of([figure]))[0]] == ["A", "B"]


REMEDIES: dict[str, Remedy] = {
    **{name: functools.partial(panel, name) for name in NAMES},
    "Two panels of a figure of example images with one letter": letters,
}
