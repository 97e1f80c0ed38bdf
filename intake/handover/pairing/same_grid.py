"""Masks whose grid is also that of another patient's CT: the voxels say on which one they lie.

Grids of two patients are rarely the same, but where they are, the grid proves nothing. A mask is
drawn along the edge of a bone: on its own CT it is denser inside of its edge than outside; on
another patient's CT less so.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from intake.handover.pairing.matching import Row
from intake.handover.reading.outlines import Outline, slice_of
from intake.handover.reading.sources import Handover, Series
from pipeline.imaging.geometry import Geometry

#: Voxels on either side of an edge that are compared.
EDGE = 2
#: HU by which the edge must be sharper on another CT, and standard errors of the difference: the
#: edge of an osteoporotic vertebra in fat or muscle is 60 HU or more; noise must not ask.
SHARPER, ERRORS = 25.0, 4.0
#: Other patients of one grid that are looked at; data sets cut to one size may have hundreds.
MOST = 40
#: Voxels of which a mean says something.
FEWEST = 8

QUESTION = (
    "its grid is also that of another patient's CT, on which its edge lies along the bone better: "
    "is it of this patient?"
)


def ask_about_same_grids(rows: list[Row], handover: Handover) -> list[Row]:
    """Return the rows, with a question where a mask seems to lie on another patient's CT.

    Parameters
    ----------
    rows : list of Row
        Matched masks with their outlines.
    handover : Handover
        All CTs.
    """
    alike: dict[tuple, list[Series]] = defaultdict(list)
    for one in handover.series:
        if one.grid is not None:
            alike[_key(one.grid)].append(one)
    slices: dict[tuple[str, str, int], np.ndarray | None] = {}

    def edge(series: Series, outline: Outline) -> tuple[float, float] | None:
        key = (series.patient, series.uid, outline.largest)
        if key not in slices:
            if len(slices) > 2 * MOST:
                slices.clear()
            slices[key] = slice_of(series, outline.largest)
        hu = slices[key]
        return None if hu is None else sharpness(hu, outline.plane(outline.largest, hu.shape))

    found = []
    for row in rows:
        others = [] if row.outline is None or row.series.grid is None else [
            one for one in alike[_key(row.series.grid)] if one.patient != row.series.patient
        ][:MOST]  # fmt: skip
        own = edge(row.series, row.outline) if others else None
        there = [value for one in others if own and (value := edge(one, row.outline))]
        asked = own and any(_sharper(one, own) for one in there)
        note = "; ".join(filter(None, (row.note, QUESTION if asked else "")))
        found.append(replace(row, note=note))
    return found


def sharpness(hu: np.ndarray, drawn: np.ndarray) -> tuple[float, float] | None:
    """Return by how many HU a mask is denser just inside of its edge than outside, and its error.

    Parameters
    ----------
    hu : numpy.ndarray
        Shape (y, x).
    drawn : numpy.ndarray
        bool, shape (y, x).

    Returns
    -------
    (float, float) or None
        Difference and its standard error, HU; None where there are too few voxels.
    """
    inside = hu[drawn & ~binary_erosion(drawn, iterations=EDGE)]
    outside = hu[binary_dilation(drawn, iterations=EDGE) & ~drawn]
    if inside.size < FEWEST or outside.size < FEWEST:
        return None
    error = np.sqrt(inside.var(ddof=1) / inside.size + outside.var(ddof=1) / outside.size)
    return float(inside.mean() - outside.mean()), float(error)


def _sharper(other: tuple[float, float], own: tuple[float, float]) -> bool:
    return other[0] - own[0] > max(SHARPER, ERRORS * float(np.hypot(other[1], own[1])))


def _key(grid: Geometry) -> tuple:
    numbers = (*grid.origin, *grid.spacing, *grid.direction)
    return (*grid.size, *(round(float(one), 2) for one in numbers))
