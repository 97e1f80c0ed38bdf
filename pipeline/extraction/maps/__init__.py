"""Maps: first-order and texture features of the neighbourhood of each voxel of a region.

A map has PyRadiomics' voxel mode as its definition (kernel of a stated radius, masked), and its
values. It does not say how much a voxel contributes to the feature of the region: that is computed
from all voxels at once.
"""

from pipeline.extraction.maps.names import mapped_features, unit_of, why_no_map
from pipeline.extraction.maps.voxelwise import MOST_RADIUS, feature_maps

__all__ = ["MOST_RADIUS", "feature_maps", "mapped_features", "unit_of", "why_no_map"]
