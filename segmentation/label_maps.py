"""Label maps (NRRD, NIfTI): one volume of numbers, each number a structure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.core.geometry import Geometry, map_grid, place_on_grid
from pipeline.core.volumes import read_volume
from segmentation.segments import MaskFile, PlacedMask, Segment


@dataclass(frozen=True)
class LabelLayers(MaskFile):
    """Label numbers on one grid, on one or several layers so that structures may overlap.

    Attributes
    ----------
    layers : numpy.ndarray
        Label numbers, shape (layer, z, y, x).
    geometry : Geometry
        Grid of the layers.
    """

    layers: np.ndarray
    geometry: Geometry
    segments: list[Segment]
    findings: list[Finding]

    def is_empty(self, segment: Segment) -> bool:
        """Return whether no voxel has the number of `segment`."""
        return not (self.layers[segment.layer] == segment.value).any()

    def on_grid(self, segment: Segment, target: Geometry) -> PlacedMask:
        """Map the layer onto the CT's grid (`MaskFile.on_grid`)."""
        binary = (self.layers[segment.layer] == segment.value).astype(np.uint8)
        placed = place_on_grid(binary, self.geometry, target)
        return PlacedMask(placed, map_grid(self.geometry, target).reoriented)

    def fits(self, segment: Segment, target: Geometry) -> bool:
        """Return whether `segment` lies on the grid `target`, without mapping it in vain."""
        return map_grid(self.geometry, target) is not None and super().fits(segment, target)


def read_label_map(path: str | Path) -> LabelLayers:
    """Read a label map.

    Parameters
    ----------
    path : path-like
        NRRD or NIfTI file.

    Raises
    ------
    CaseError
        If the file is damaged or holds no label numbers.
    """
    image, findings = read_volume(path)
    labels = sitk.GetArrayFromImage(image)
    if labels.dtype.kind == "f":
        # Some programs save label maps as floating point; only whole numbers are labels.
        whole = np.isfinite(labels).all() and (labels == np.rint(labels)).all()
        if not whole:
            raise CaseError(
                "A mask must hold label numbers",
                found=f"fractions from {np.nanmin(labels):g} to {np.nanmax(labels):g}",
                remedy="export a label map, not an image or a probability map",
            )
        labels = labels.astype(np.int64)
    values = np.unique(labels)
    segments = [Segment(None, int(value)) for value in values[values != 0]]
    return LabelLayers(labels[np.newaxis], Geometry.of(image), segments, findings)
