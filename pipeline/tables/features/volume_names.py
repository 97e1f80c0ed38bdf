"""Which feature of a table is the volume of the region, whatever software named it.

References
----------
.. [1] Zwanenburg A, et al. The Image Biomarker Standardization Initiative. Radiology
   2020;295:328-338: volume by mesh (RNU0) and by counting voxels (YEKZ).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: PyRadiomics' names, of any image type and with anything before or behind: by mesh, by voxels,
#: and as versions before 2.0 called it.
_PYRADIOMICS = tuple(
    re.compile(rf"(?:^|_)shape_{feature}(?![A-Za-z])")
    for feature in ("MeshVolume", "VoxelVolume", "Volume")
)

#: Words of a name: it is cut where small letters turn to capitals, and at signs.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_IS_VOLUME = frozenset(("volume", "vol"))

#: Words that may stand beside it: what kind of feature it is, how it is computed, of what, in which
#: unit. Any other word, as of "surface volume ratio" or "zone volume", makes it another feature.
_BESIDE = frozenset(
    (
        *("original", "shape", "shape3d", "3d", "3", "d", "f", "morph", "morphology"),
        *("morphological", "geometry", "geometric", "feature", "features", "ibsi", "rnu", "0"),
        *("yekz", "mesh", "voxel", "voxels", "approx", "approximate", "counting", "count"),
        *("roi", "mask", "region", "lesion", "tumor", "tumour", "gtv", "total", "ct", "of", "the"),
        *("mm", "cm", "ml", "m", "l", "cc", "mm3", "cm3", "vertebra", "vertebral", "body"),
    )
)


def volume_feature(names: Sequence[str]) -> str | None:
    """Return the feature that tells the volume of the region, None where no name does.

    PyRadiomics' volume by mesh goes before that by voxels, and both before names of other software,
    of which the shortest is taken.

    Parameters
    ----------
    names : sequence of str
        Features of a study, without reader.

    Examples
    --------
    >>> volume_feature(["original_shape_VoxelVolume", "original_shape_MeshVolume"])
    'original_shape_MeshVolume'
    >>> volume_feature(["SurfaceVolumeRatio", "MORPHOLOGICAL_Volume(IBSI:RNU0)[mm3]"])
    'MORPHOLOGICAL_Volume(IBSI:RNU0)[mm3]'
    >>> volume_feature(["original_shape_SurfaceVolumeRatio", "zone_volume", "morph_vol_dens_aabb"])
    """
    for pattern in _PYRADIOMICS:
        found = [name for name in names if pattern.search(name)]
        if found:
            return min(found, key=lambda name: (len(name), name))
    found = [name for name in names if _names_a_volume(name)]
    return min(found, key=lambda name: (len(name), name), default=None)


def _names_a_volume(name: str) -> bool:
    words = {word.lower() for word in _WORD.findall(name)}
    return bool(words & _IS_VOLUME) and words <= _IS_VOLUME | _BESIDE
