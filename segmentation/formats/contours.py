"""Closed contours to pixels, by pixel centre.

A pixel belongs to a region if its centre lies inside an odd number of the region's contours: a
contour inside another one is a hole, and one inside the hole is an island (exclusive or). This is
the rule of the Image Biomarker Standardisation Initiative [1]_, which leaves open what becomes of a
centre that lies on a contour. DICOM [2]_ counts points on a contour as inside, which would make
holes smaller and give a pixel between two adjoining regions to both. Here edges are half-open: a
centre on the edge at the region's lower row or column belongs to it, one on the edge at the higher
row or column does not, so that every pixel belongs to one side.

References
----------
.. [1] Zwanenburg A. et al., Image biomarker standardisation initiative, reference manual
   (arXiv:1612.07003), section on segmentation masks and regions of interest.
.. [2] DICOM PS3.3, C.8.8.6.3, representing inner and outer contours.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

#: Coordinates are rounded to this many decimals of a pixel before centres are compared with
#: edges: the way from millimetres to pixels leaves errors of 1e-10, which must not decide about
#: contours that were drawn exactly through pixel centres.
SNAP_DECIMALS = 6


def fill(contours: Iterable[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels whose centres lie inside an odd number of contours.

    Parameters
    ----------
    contours : iterable of numpy.ndarray
        Vertices (column, row) in pixels, shape (n, 2); the centre of the first pixel is (0, 0).
        The last vertex is joined to the first.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    numpy.ndarray
        bool, shape (row, column). What lies outside the image is cut off.
    """
    rows, columns = shape
    crossings = np.zeros((rows, columns + 1), np.int64)
    for contour in contours:
        vertices = np.round(np.asarray(contour, dtype=float), SNAP_DECIMALS)
        for start, end in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
            # Always from the lower row to the higher, so that adjoining contours, which run along
            # their common edge in opposite directions, round alike.
            (x0, y0), (x1, y1) = (start, end) if start[1] < end[1] else (end, start)
            # A horizontal edge crosses no row: its ends belong to its neighbours.
            crossed = np.arange(max(0, int(np.ceil(y0))), min(rows, int(np.ceil(y1))))
            if crossed.size:
                places = x0 + (crossed - y0) * ((x1 - x0) / (y1 - y0))
                first = np.ceil(np.round(places, SNAP_DECIMALS)).clip(0, columns).astype(int)
                crossings[crossed, first] += 1
    return (np.cumsum(crossings, axis=1) % 2 == 1)[:, :columns]
