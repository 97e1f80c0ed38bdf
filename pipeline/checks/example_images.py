"""Example images of a study's figures: read, searched for identity, cut and windowed.

What the page shows are pixels alone; no header, text or name of a file leaves its place. They are
searched all the same: a file that still says who the patient is was never made anonymous, so that
nobody can trust its pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.datadict import keyword_for_tag

from pipeline.core.errors import StudyError
from pipeline.core.files import file_hash
from pipeline.core.installed.own_files import own_file
from pipeline.core.problems import Problems, listing
from pipeline.imaging.burned_in import lines_of_letters
from pipeline.imaging.dicom.dicom_identity import of_header
from pipeline.imaging.single_image import (
    SingleImage,
    mask_on,
    read_single_image,
    shown,
    window_of,
)
from pipeline.running.provenance import relative_name
from pipeline.study.example_figures import letters_of
from pipeline.study.sections.example_images import ExampleFigure, Panel
from pipeline.tables.identifying.checks import NOT_SHOWN, says_who
from pipeline.tables.identifying.checks import shown as shown_text
from pipeline.tables.identifying.names import is_pseudonym

#: Kinds of values in a header that every file must have, or that say nothing of a person alone.
_HARMLESS = ("uid",)
_CONTRAST = "ContrastBolus"
_TAG = re.compile(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)")
_BETWEEN = re.compile(r"[\s_.-]+")


@dataclass(frozen=True)
class ShownPanel:
    """A panel as it is drawn.

    Attributes
    ----------
    letter, caption : str
        As the figure has them.
    pixels : numpy.ndarray
        Shape (rows, columns) or (rows, columns, 3), 8 bits.
    mask : numpy.ndarray or None
        Shape (rows, columns), True inside.
    polygon : tuple of tuple of float
        Corners of an outline: pixels from the left and the upper edge of what is drawn.
    spacing : tuple of float or None
        Distance of rows and of columns, mm.
    window : tuple of float or None
        Lowest and highest value that are shown; None where pixels are shown as they are.
    kind, modality : str
        Format of the file, and what a DICOM slice is of.
    image_sha256 : str
        SHA-256 of the image's file.
    mask_sha256 : str or None
        SHA-256 of the mask's file.
    """

    letter: str
    caption: str
    pixels: np.ndarray
    mask: np.ndarray | None
    polygon: tuple[tuple[float, float], ...]
    spacing: tuple[float, float] | None
    window: tuple[float, float] | None
    kind: str
    modality: str
    image_sha256: str
    mask_sha256: str | None


def check_figures(figures: Sequence[ExampleFigure], problems: Problems) -> None:
    """Add everything that forbids a figure of example images."""
    for figure, where in _named(figures):
        letters = letters_of(figure.panels)
        twice = sorted({each for each in letters if letters.count(each) > 1})
        if twice:
            problems.add(
                "Every panel of a figure needs a letter of its own",
                found=listing(twice),
                where=where,
                remedy="give other letters, or leave them all out",
                code="example-letters-twice",
            )
        with problems.step():
            _check_words(figure.title, f"{where}, key title")
    for _, panel, _, where in _panels(figures):
        with problems.step():
            shown_panel(panel, "", where)


def shown_figures(figures: Sequence[ExampleFigure]) -> list[list[ShownPanel]]:
    """Return the panels of each figure as they are drawn, searched once more."""
    found: list[list[ShownPanel]] = [[] for _ in figures]
    for number, panel, letter, where in _panels(figures):
        found[number].append(shown_panel(panel, letter, where))
    return found


def _named(figures: Sequence[ExampleFigure]) -> Iterator[tuple[ExampleFigure, str]]:
    for number, figure in enumerate(figures, start=1):
        yield figure, f"config key figures, figure {number}"


def _panels(figures: Sequence[ExampleFigure]) -> Iterator[tuple[int, Panel, str, str]]:
    for number, (figure, where) in enumerate(_named(figures)):
        for place, (panel, letter) in enumerate(
            zip(figure.panels, letters_of(figure.panels), strict=True), start=1
        ):
            yield number, panel, letter, f"{where}, panel {place}"


def shown_panel(panel: Panel, letter: str, where: str) -> ShownPanel:
    """Return a panel as it is drawn, or refuse its file.

    Parameters
    ----------
    panel : Panel
        Its options.
    letter : str
        Its letter.
    where : str
        What names it in an error.

    Raises
    ------
    StudyError
        If a file is none of the formats, says who the patient is, or letters seem to be burned in.
    """
    at = f"{where}, key image"
    path = own_file(panel.image)
    _check_words(panel.caption, f"{where}, key caption")
    _check_name(path, at)
    image = read_single_image(path, at)
    _check_identity(image, at)
    limits = _limits(panel, image, f"{where}, key window")
    mask, mask_hash = None, None
    if panel.mask is not None:
        mask_path = own_file(panel.mask)
        _check_name(mask_path, f"{where}, key mask")
        mask = mask_on(mask_path, image, f"{where}, key mask") > 0
        mask_hash = file_hash(mask_path)
    inside = _inside(image.pixels.shape, panel.cut, f"{where}, key cut")
    pixels = shown(image, limits)[inside]
    content = file_hash(path)
    if panel.letters != looked_at(content):
        _check_letters(image, pixels, panel, content, at)
    if mask is not None:
        mask = mask[inside]
        _check_outline(bool(mask.any()), "a mask without a voxel in it", f"{where}, key mask")
    polygon = _moved(panel, inside, image.pixels.shape, f"{where}, key polygon")
    return ShownPanel(
        *(letter, panel.caption, pixels, mask, polygon, image.spacing, limits),
        *(image.kind, image.modality, content, mask_hash),
    )


def _limits(panel: Panel, image: SingleImage, where: str) -> tuple[float, float] | None:
    if panel.window is None:
        return window_of(image, None)
    centre, width = map(float, panel.window)
    if not 0 < width < np.inf or not np.isfinite(centre):
        raise StudyError(
            "A window must have a centre and a width above zero",
            found=f"[{centre:g}, {width:g}]",
            where=where,
            remedy="write [centre, width], such as `window: [400, 1800]`",
            code="example-window-width",
        )
    return window_of(image, (centre, width))


def _inside(shape: tuple[int, ...], cut: Sequence[int] | None, where: str) -> tuple[slice, slice]:
    left, top, right, bottom = cut or (0, 0, 0, 0)
    rows, columns = shape[0] - top - bottom, shape[1] - left - right
    if min(rows, columns) < 1:
        raise StudyError(
            "Something must be left of an image after its edges were cut off",
            found=f"{max(rows, 0)} rows and {max(columns, 0)} columns",
            where=where,
            remedy="cut off fewer pixels",
            code="example-cut-everything",
        )
    return slice(top, shape[0] - bottom), slice(left, shape[1] - right)


def _moved(
    panel: Panel, inside: tuple[slice, slice], shape: tuple[int, ...], where: str
) -> tuple[tuple[float, float], ...]:
    """Return the corners of a polygon from the edges of what is left of the image."""
    corners = [(float(x), float(y)) for x, y in panel.polygon or ()]
    rows, columns = inside
    within = all(0 <= x <= shape[1] and 0 <= y <= shape[0] for x, y in corners)
    _check_outline(within, f"a corner outside its {shape[1]} x {shape[0]} pixels", where)
    moved = tuple((x - columns.start, y - rows.start) for x, y in corners)
    width, height = columns.stop - columns.start, rows.stop - rows.start
    left = not moved or any(0 < x < width and 0 < y < height for x, y in moved)
    _check_outline(left, "a polygon whose corners were all cut off", where)
    return moved


def _check_outline(lies_inside: bool, found: str, where: str) -> None:
    if not lies_inside:
        raise StudyError(
            "An outline must lie in the image that it is drawn on",
            found=found,
            where=where,
            remedy="give the outline of this image; a volume must be in the space of the DICOM "
            "slice, and corners count from the left and the upper edge",
            code="example-outline-outside",
        )


def _check_words(text: str, where: str) -> None:
    if says_who(text):
        raise StudyError(
            "A caption must not say who the patient is",
            found="a text that looks like a name, a date or a number of a hospital; it is not "
            "shown",
            where=where,
            remedy="describe the finding; write days from surgery in place of a date",
            code="example-caption-identifies",
        )


def _check_name(path: Path, where: str) -> None:
    """Refuse a path whose parts, as far as the report prints them, name a person."""
    for part in Path(relative_name(path)).parts:
        name = part.partition(".")[0] or part
        spelled = (part, name, _BETWEEN.sub(" ", name).strip())
        if any(shown_text(one) == NOT_SHOWN for one in spelled):
            raise StudyError(
                "The name of an image file must not say who the patient is",
                found="a name that looks like a person's, a date or a number of a hospital; it is "
                "not shown",
                where=where,
                remedy="rename file and folder after what they hold, such as sagittal-before.png",
                code="example-name-identifies",
            )


def _check_identity(image: SingleImage, where: str) -> None:
    if image.header is not None:
        _check_header(image, where)
    if image.texts:
        raise StudyError(
            "A PNG must hold no text beside its pixels, which may say who the patient is",
            found=f"texts: {len(image.texts)}; they are not shown",
            where=where,
            remedy="save the picture without comments, properties and EXIF data, and look whether "
            "its pixels are free of names",
            code="example-text-identifies",
        )


def _check_header(image: SingleImage, where: str) -> None:
    told = {
        name
        for one in of_header(image.header)
        if one.kind not in _HARMLESS
        and not (name := _keyword(one.tag)).startswith(_CONTRAST)
        and not (one.kind in ("id", "name") and is_pseudonym(one.value))
    }
    if told:
        raise StudyError(
            "A DICOM slice must not say who the patient is",
            found=f"values of {listing(sorted(told))}; they are not shown",
            where=where,
            remedy="name the copy that `vertebromics intake` made, or export the slice as PNG and "
            "look whether its pixels are free of names",
            code="example-header-identifies",
        )


def _keyword(tag: str) -> str:
    found = _TAG.fullmatch(tag)
    known = keyword_for_tag((int(found[1], 16), int(found[2], 16))) if found else ""
    return known or ("a private attribute" if found else tag)


def looked_at(content: str) -> str:
    """Return what the option `letters` says of a picture that a person has looked at.

    Parameters
    ----------
    content : str
        SHA-256 of its file: another picture under the same name was not looked at.
    """
    return f"looked_at-{content[:8]}"


def _check_letters(
    image: SingleImage, pixels: np.ndarray, panel: Panel, content: str, where: str
) -> None:
    header = image.header
    stated = str(header.get("BurnedInAnnotation", "")).strip().upper() if header else ""
    captured = image.plane is not None and "SECONDARY" in image.plane.image_type
    lines = lines_of_letters(pixels)
    if stated != "YES" and not captured and not lines:
        return
    found = f"lines of what looks like letters: {lines}"
    if stated == "YES" or captured:
        found = "a header that says so" if stated == "YES" else "a picture that a viewer captured"
    if panel.letters != "refused":
        found += f"; {panel.letters} is of another content of the file"
    raise StudyError(
        "An example image must have no letters in its pixels: they may name the patient",
        found=found,
        where=where,
        remedy="cut them off by `cut: [left, top, right, bottom]`, or write "
        f"`letters: {looked_at(content)}` once a person has looked and they say nothing of the "
        "patient",
        code="example-letters-burned-in",
    )
