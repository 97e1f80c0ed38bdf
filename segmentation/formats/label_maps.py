"""Label maps (NRRD, NIfTI): one volume of numbers, each number a structure.

A table of names in the header or beside the file names them (`label_tables`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from pipeline.core.errors import CaseError
from pipeline.core.findings import Finding
from pipeline.imaging.geometry import Geometry, map_grid, occupied_box, place_on_grid
from pipeline.imaging.volume_headers import StoredAs
from pipeline.imaging.volumes import read_stored
from segmentation.structures.label_tables import names_of
from segmentation.structures.segments import MaskFile, PlacedMask, Segment

#: Largest distance of a label from a whole number: what rounding leaves where a label map was
#: saved with a slope and 16 bits.
LABEL_TOLERANCE = 1e-3


@dataclass(frozen=True)
class LabelLayers(MaskFile):
    """Label numbers on one grid, on one or several layers so that structures may overlap.

    Attributes
    ----------
    layers : numpy.ndarray
        Label numbers, shape (layer, z, y, x).
    geometry : Geometry
        Grid of the layers.
    disputed : Mapping
        Number -> the different names that tables of names give it.
    named_in_header : frozenset of int
        Numbers that the header names; the names of others lie in a table beside the file.
    """

    layers: np.ndarray
    geometry: Geometry
    segments: list[Segment]
    findings: list[Finding]
    disputed: Mapping[int, list[str]] = field(default_factory=dict)
    numbered: bool = False
    named_in_header: frozenset[int] = frozenset()

    def check(self, segment: Segment) -> None:
        """Refuse a label to which tables give different names."""
        if segment.value in self.disputed:
            names = " and ".join(f"'{name}'" for name in self.disputed[segment.value])
            raise CaseError(
                "The tables of a label map's names must agree",
                found=f"label {segment.value} is called {names}",
                remedy="remove the table that is wrong from the mask's folder, or export the label "
                "map again",
                code="label-names-disagree",
            )

    def is_empty(self, segment: Segment) -> bool:
        """Return whether no voxel has the number of `segment`."""
        return not (self.layers[segment.layer] == segment.value).any()

    def on_grid(self, segment: Segment, target: Geometry) -> PlacedMask:
        """Map the layer onto the CT's grid (`MaskFile.on_grid`)."""
        binary = (self.layers[segment.layer] == segment.value).view(np.uint8)
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
    image, findings, stored = read_stored(path)
    labels = whole_labels(sitk.GetArrayFromImage(image), stored)
    box = occupied_box(labels)
    values = np.unique(labels[box]) if box else np.array([], labels.dtype)
    known = names_of(path)
    segments = [Segment(known.names.get(value), value) for value in values.tolist() if value]
    return LabelLayers(
        labels[np.newaxis],
        Geometry.of(image),
        segments,
        findings + known.findings,
        known.disputed,
        numbered=True,
        named_in_header=frozenset(known.in_header),
    )


def whole_labels(labels: np.ndarray, stored: StoredAs | None = None) -> np.ndarray:
    """Return label numbers as integers.

    Some programs save label maps as floating point, or save them again with a slope by which
    stored integers are multiplied: 31 is then 30.9998.

    Parameters
    ----------
    labels : numpy.ndarray
        What a library read.
    stored : StoredAs, optional
        How the file writes them: whether there is a slope.

    Raises
    ------
    CaseError
        If a value lies farther than `LABEL_TOLERANCE` from a whole number, or is none.
    """
    if labels.dtype.kind != "f":
        return labels
    whole = np.rint(labels)
    if np.isfinite(labels).all() and (np.abs(labels - whole) <= LABEL_TOLERANCE).all():
        return whole.astype(np.int64)
    finite = labels[np.isfinite(labels)]
    values = f"from {finite.min():g} to {finite.max():g}" if finite.size else "none finite"
    if finite.size < labels.size:
        values += f", {labels.size - finite.size} voxels that are no number"
    slope = None if stored is None else stored.slope
    if slope in (None, 1):
        raise CaseError(
            "A mask must hold label numbers",
            found=f"fractions {values}",
            remedy="export a label map, not an image or a probability map",
            code="label-map-fractional",
        )
    off = np.abs(finite - np.rint(finite)).max() if finite.size else 0.0
    raise CaseError(
        "A mask must hold label numbers",
        found=f"fractions {values}, up to {off:.2g} from a whole number: the header multiplies "
        f"stored numbers by scl_slope {slope:g}",
        remedy="save the label map again as whole numbers without a slope (scl_slope 1, scl_inter "
        "0), from the program that drew it",
        code="label-map-fractional",
    )
