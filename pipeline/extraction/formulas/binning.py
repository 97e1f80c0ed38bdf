"""The grey values of a region in bins, once for all feature classes of an image.

PyRadiomics bins an image anew for each of its feature classes. Its own function names the edges of
the bins here too; the kernel finds the bin of each voxel by comparing with these very edges.
"""

from __future__ import annotations

import functools

import numpy as np

from pipeline.core.errors import CaseError
from pipeline.extraction.formulas import matrices
from pipeline.extraction.kernels import kernels
from pipeline.extraction.library import radiomics

#: Levels that the kernels count: as many as two bytes number. GLCMs of so many take 400 GB.
MOST_LEVELS = 2**16 - 1


class BinnedImage:
    """One image within one region.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (z, y, x); the region's surroundings, of any number type.
    region : pipeline.extraction.formulas.matrices.Region
        Region on the same grid.
    settings : dict
        PyRadiomics' settings for this image.

    Attributes
    ----------
    grey : numpy.ndarray of float64
        Grey value of each voxel of the region.
    bins : numpy.ndarray of int32
        Bin of each voxel, from 1.
    values : numpy.ndarray of int64
        Bins that occur, rising; the first bin is 1.
    counts : numpy.ndarray of int64
        Voxels in each of them.
    """

    def __init__(self, image: np.ndarray, region: matrices.Region, settings: dict) -> None:
        self.region, self.settings = region, settings
        grey = image.reshape(-1)[region.inside]
        # The edges depend on the lowest and the highest value only, and on their type.
        edges = radiomics().imageoperations.getBinEdges(
            np.array([grey.min(), grey.max()]), **settings
        )
        self.grey = np.ascontiguousarray(grey, dtype=np.float64)
        self.bins = np.empty(len(grey), np.int32)
        kernels().bin_values(self.grey, np.ascontiguousarray(edges, dtype=np.float64), self.bins)
        counts = np.bincount(self.bins)
        self.values = counts.nonzero()[0]
        self.counts = counts[self.values]

    @property
    def levels(self) -> np.ndarray:
        """Place of each voxel's bin in `values`, from 1, as uint16.

        Raises
        ------
        CaseError
            If there are so many grey levels that no memory holds their matrices.
        """
        if len(self.values) > MOST_LEVELS:
            raise CaseError(
                f"A region must have {MOST_LEVELS:,} grey levels at most for its texture matrices",
                found=f"{len(self.values):,}",
                remedy="set a larger binWidth, or a binCount, in the parameter file",
                code="grey-levels-too-many",
            )
        number = np.zeros(self.values[-1] + 1, np.uint16)
        number[self.values] = np.arange(1, len(self.values) + 1)
        return number[self.bins]

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
