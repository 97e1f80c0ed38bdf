"""Two readers' masks of a vertebral body, and the files that their programs save.

Readers differ as people do: a contour that wanders smoothly about the true boundary, a habit of
drawing a little wide or tight, now and then a missed corner, rarely a gross error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from demo.anatomy import LEVELS, Grid, Vertebra, arch_distance, body_distance
from demo.files import bytes_of, write_if_changed

READERS = ("A", "B")

BOUNDARY_SD_MM = 0.38
"""Spread of a contour about the true boundary: a little over half a pixel of 0.7 mm."""

HABIT_SD_MM = 0.10
"""Spread of how wide or tight a reader draws one vertebra as a whole."""

MISSED_CORNER_SHARE = 0.10
GROSS_ERROR_SHARE = 0.025


@dataclass(frozen=True)
class Reading:
    """What one reader did to one vertebra, as truth.json tells it.

    Attributes
    ----------
    missed_corner : bool
        Whether one rim of the body lies outside the mask.
    gross_error : {'disc', 'arch'} or None
        Tissue that was taken in by mistake: part of the disc above, or the pedicles.
    """

    missed_corner: bool
    gross_error: str | None


def draw_reading(rng: np.random.Generator) -> Reading:
    """Draw what goes wrong in one mask; nothing, in most."""
    missed, gross, disc = rng.random(3)
    error = ("disc" if disc < 0.5 else "arch") if gross < GROSS_ERROR_SHARE else None
    return Reading(bool(missed < MISSED_CORNER_SHARE), error)


def read_body(
    vertebra: Vertebra, grid: Grid, reading: Reading, rng: np.random.Generator
) -> np.ndarray:
    """Return one reader's mask of a vertebral body.

    Parameters
    ----------
    vertebra : Vertebra
        The vertebra.
    grid : Grid
        Voxels of the scan.
    reading : Reading
        What goes wrong.
    rng : numpy.random.Generator
        Source of the contour's wandering.

    Returns
    -------
    ndarray of shape `grid.shape`, bool
        True inside; the cortical shell belongs to it.
    """
    mask = np.zeros(grid.shape, dtype=bool)
    box = vertebra.body_box(grid, margin=14.0)
    u, v, w = vertebra.local(grid, box)
    distance, _ = body_distance(vertebra, u, v, w)
    if reading.gross_error == "disc":
        distance = np.minimum(distance, body_distance(vertebra, u, v, w - 5.0)[0])
    if reading.gross_error == "arch":
        pedicles = np.maximum(arch_distance(vertebra, u, v, w), v - vertebra.half[1] - 9)
        distance = np.minimum(distance, pedicles)
    if reading.missed_corner:
        corner = np.array(vertebra.half) * [0.75, 0.75, 0.9] * rng.choice([-1, 1], 3)
        radius = rng.uniform(5, 9)
        away = np.sqrt((u - corner[0]) ** 2 + (v - corner[1]) ** 2 + (w - corner[2]) ** 2)
        distance = np.maximum(distance, np.float32(radius) - away)
    # Contours are drawn slice by slice: they wander along the boundary and from slice to slice.
    wander = gaussian_filter(
        rng.standard_normal(distance.shape, dtype=np.float32), [0.6, 6, 6], mode="wrap"
    )
    wander *= np.float32(BOUNDARY_SD_MM) / wander.std()
    mask[box] = distance + wander + np.float32(rng.normal(0, HABIT_SD_MM)) < 0
    return mask


def label_number(level: str) -> int:
    """Return the number of a vertebra in label maps: C1 = 1 ... T1 = 8 ... L1 = 20 ... L5 = 24."""
    return LEVELS.index(level) + 1


def write_label_map(masks: dict[str, np.ndarray], grid: Grid, path: Path) -> None:
    """Write masks as a label map (.nrrd) on the scan's grid, numbered by `label_number`.

    Parameters
    ----------
    masks : dict of str to ndarray of shape `grid.shape`, bool
        By level.
    grid : Grid
        Voxels of the scan.
    path : pathlib.Path
        File to write.
    """
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for level, mask in masks.items():
        labels[mask] = label_number(level)
    _write(_image(labels, grid, (0, 0, 0)), path)


def write_segmentation(
    masks: dict[str, np.ndarray], grid: Grid, path: Path, *, cropped: bool
) -> None:
    """Write masks as a 3D Slicer segmentation (.seg.nrrd), one segment a level, on one layer.

    Parameters
    ----------
    masks : dict of str to ndarray of shape `grid.shape`, bool
        By level; they do not overlap. An empty mask gives an empty segment.
    grid : Grid
        Voxels of the scan.
    path : pathlib.Path
        File to write.
    cropped : bool
        Whether the file holds the segments' box only, as Slicer saves after
        "Crop to segments", instead of the whole grid.
    """
    names = sorted(masks, key=label_number)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for number, name in enumerate(names, start=1):
        labels[masks[name]] = number
    start = np.zeros(3, dtype=int)
    if cropped and labels.any():
        inside = np.argwhere(labels)
        start = np.maximum(inside.min(axis=0) - 1, 0)
        stop = inside.max(axis=0) + 2
        labels = labels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    image = _image(labels, grid, tuple(start))
    header = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ConversionParameters": "",
        "Segmentation_SourceRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": " ".join(str(i) for i in start[::-1]),
    }
    for index, name in enumerate(names):
        inside = np.argwhere(labels == index + 1)[:, ::-1]
        extent = (
            np.column_stack([inside.min(axis=0), inside.max(axis=0)]).ravel()
            if len(inside)
            else [0, -1, 0, -1, 0, -1]
        )
        header |= {
            f"Segment{index}_ID": f"Segment_{index + 1}",
            f"Segment{index}_Name": name,
            f"Segment{index}_NameAutoGenerated": "0",
            f"Segment{index}_Color": "0.945098 0.839216 0.568627",
            f"Segment{index}_ColorAutoGenerated": "1",
            f"Segment{index}_LabelValue": str(index + 1),
            f"Segment{index}_Layer": "0",
            f"Segment{index}_Extent": " ".join(str(i) for i in extent),
            f"Segment{index}_Tags": "Segmentation.Status:completed|",
        }
    for key, value in header.items():
        image.SetMetaData(key, value)
    _write(image, path)


def _image(labels: np.ndarray, grid: Grid, start: tuple[int, ...]) -> sitk.Image:
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing([float(step) for step in grid.spacing[::-1]])
    corner = [o + s * i for o, s, i in zip(grid.origin, grid.spacing, start, strict=True)]
    image.SetOrigin([float(value) for value in corner[::-1]])
    return image


def _write(image: sitk.Image, path: Path) -> None:
    write_if_changed(
        path, bytes_of(lambda file: sitk.WriteImage(image, str(file), True), path.name)
    )
