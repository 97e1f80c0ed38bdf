"""What a mask looks like on its CT: its outline, one slice of the CT, a small picture of both."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from matplotlib.image import imsave
from pydicom.pixels import pixel_array
from scipy.ndimage import binary_erosion, zoom

from intake.handover.reading.damage import DamagedError, named
from intake.handover.reading.folders import in_utf_8
from intake.handover.reading.sources import Series
from pipeline.core.errors import CaseError
from pipeline.imaging.geometry import occupied_box
from pipeline.imaging.volumes import read_volume, volume_suffix
from segmentation.structures.segments import MaskFile, Segment

#: Edge of a picture in pixels, and mm of the CT around the masks.
PIXELS = 176
MARGIN_MM = 30.0
#: HU from black to white: soft tissue to dense bone.
WINDOW = (-250.0, 1250.0)
#: One colour for each reader, told apart by people who do not see red and green.
COLOURS = ("#ffb000", "#4fc3ff", "#ff6ec7", "#8bff8b", "#ffffff", "#ff7043", "#b39ddb", "#80cbc4")


@dataclass(frozen=True, eq=False)
class Outline:
    """A mask on its CT's grid, cut to what is drawn.

    Attributes
    ----------
    start : tuple of int
        Index (z, y, x) of the first voxel of the cut.
    shape : tuple of int
        Voxels (z, y, x) of the cut.
    bits : bytes
        The cut, packed.
    """

    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    bits: bytes

    @property
    def voxels(self) -> np.ndarray:
        """The cut as bool, shape (z, y, x)."""
        flat = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=int(np.prod(self.shape)))
        return flat.reshape(self.shape).astype(bool)

    @property
    def largest(self) -> int:
        """The slice of the CT on which the mask is largest."""
        return self.start[0] + int(self.voxels.sum(axis=(1, 2)).argmax())

    def plane(self, index: int, shape: tuple[int, int]) -> np.ndarray:
        """Return the mask on one slice of the CT as bool, shape (y, x)."""
        drawn = np.zeros(shape, bool)
        inside = index - self.start[0]
        if 0 <= inside < self.shape[0]:
            y, x = self.start[1:]
            drawn[y : y + self.shape[1], x : x + self.shape[2]] = self.voxels[inside]
        return drawn


def outline_of(mask_file: MaskFile, segment: Segment | None, series: Series) -> Outline | None:
    """Return where a structure lies on its CT; None where it is empty or lies on another grid."""
    if segment is None or series.grid is None:
        return None
    try:
        voxels = mask_file.on_grid(segment, series.grid).voxels
    except CaseError:
        return None
    box = occupied_box(voxels)
    if box is None:
        return None
    cut = voxels[box].astype(bool)
    start = tuple(int(part.start or 0) for part in box)
    return Outline(start, cut.shape, np.packbits(cut).tobytes())


def slice_of(series: Series, index: int) -> np.ndarray | None:
    """Return one slice of a CT in HU, shape (y, x); None where it cannot be read.

    Parameters
    ----------
    series : Series
        A CT with a grid.
    index : int
        Slice along the grid's third axis.
    """
    volume = len(series.files) == 1 and volume_suffix(series.files[0]) is not None
    if not volume and index >= len(series.order):
        return None  # frames in several files
    try:
        if volume:
            with in_utf_8(series.files[0]) as readable:
                image, _ = read_volume(readable)
            return sitk.GetArrayViewFromImage(image)[index].astype(np.float32)
        with named():
            if len(series.files) == 1:
                data = pydicom.dcmread(series.files[0], force=True)
                stored, place = pixel_array(data, index=series.order[index]), data
            else:
                place = pydicom.dcmread(series.files[series.order[index]], force=True)
                stored = pixel_array(place)
            slope, intercept = place.get("RescaleSlope", 1), place.get("RescaleIntercept", 0)
            return stored.astype(np.float32) * float(slope) + float(intercept)
    except (CaseError, DamagedError):
        return None


def picture(hu: np.ndarray, drawn: Mapping[str, np.ndarray], spacing: tuple[float, float]) -> bytes:
    """Return a PNG of a slice with the contour of each reader, cut around them.

    Parameters
    ----------
    hu : numpy.ndarray
        Shape (y, x).
    drawn : Mapping
        Colour (``#rrggbb``) -> bool, shape (y, x); none draws the whole slice.
    spacing : tuple of float
        mm of a pixel along x and y.
    """
    rows, columns = _cut(hu.shape, drawn, spacing)
    cut = hu[rows, columns]
    mm = (cut.shape[0] * spacing[1], cut.shape[1] * spacing[0])
    factors = [PIXELS * one / max(mm) / count for one, count in zip(mm, cut.shape, strict=True)]
    low, high = WINDOW
    grey = np.clip((zoom(cut, factors, order=1) - low) / (high - low), 0, 1)
    colours = np.repeat((grey * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    for colour, mask in drawn.items():
        large = zoom(mask[rows, columns].astype(np.uint8), factors, order=0).astype(bool)
        edge = large & ~binary_erosion(large)
        colours[edge] = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    stream = io.BytesIO()
    imsave(stream, colours, format="png")
    return stream.getvalue()


def _cut(
    shape: tuple[int, ...], drawn: Mapping[str, np.ndarray], spacing: tuple[float, float]
) -> tuple[slice, slice]:
    """Return rows and columns around all masks; the whole slice where nothing is drawn."""
    every = np.any([*drawn.values(), np.zeros(shape, bool)], axis=0)
    if not every.any():
        return slice(None), slice(None)
    found = []
    for axis, mm in ((0, spacing[1]), (1, spacing[0])):
        places = np.flatnonzero(every.any(axis=1 - axis))
        margin = int(np.ceil(MARGIN_MM / mm))
        found.append(slice(max(0, places[0] - margin), places[-1] + margin + 1))
    return found[0], found[1]


def write_picture(path: Path, content: bytes) -> None:
    """Write a picture that only its owner may see."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)
