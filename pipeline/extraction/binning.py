"""The grey values of a region in bins, once for all feature classes of an image.

PyRadiomics bins an image anew for each of its feature classes. Its own function names the edges of
the bins here too; the kernel finds the bin of each voxel by comparing with these very edges.
"""

from __future__ import annotations

import functools

import numpy as np

from pipeline.extraction import matrices
from pipeline.extraction.kernels import kernels
from pipeline.extraction.library import radiomics


class BinnedImage:
    """One image within one region.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (z, y, x); the region's surroundings, of any number type.
    region : pipeline.extraction.matrices.Region
        Region on the same grid.
    settings : dict
        PyRadiomics' settings for this image.

    Attributes
    ----------
    grey : numpy.ndarray of float64
        Grey value of each voxel of the region.
    values : numpy.ndarray of int64
        Bins that occur, rising; the first bin is 1.
    counts : numpy.ndarray of int64
        Voxels in each of them.
    levels : numpy.ndarray of int32
        Place of each voxel's bin in `values`, from 1.
    """

    def __init__(self, image: np.ndarray, region: matrices.Region, settings: dict) -> None:
        self.region, self.settings = region, settings
        grey = image.reshape(-1)[region.inside]
        # The edges depend on the lowest and the highest value only, and on their type.
        edges = radiomics().imageoperations.getBinEdges(
            np.array([grey.min(), grey.max()]), **settings
        )
        self.grey = np.ascontiguousarray(grey, dtype=np.float64)
        bins = np.empty(len(grey), np.int32)
        kernels().bin_values(self.grey, np.ascontiguousarray(edges, dtype=np.float64), bins)
        counts = np.bincount(bins)
        self.values = np.flatnonzero(counts)
        self.counts = counts[self.values]
        number = np.zeros(len(counts), np.int32)
        number[self.values] = np.arange(1, len(self.values) + 1)
        self.levels = number[bins]

    @functools.cached_property
    def layout(self) -> matrices.Layout:
        """Neighbours in the region by these settings."""
        return self.region.layout(self.settings)

    @functools.cached_property
    def matrices(self) -> matrices.Matrices:
        """All texture matrices."""
        return matrices.count(
            self.layout,
            self.levels,
            self.values,
            float(self.settings.get("gldm_a", 0)),
        )
