"""Radiomic features of one region, equal to those of PyRadiomics.

From a notebook::

    from pipeline.extraction import extract_features

    features = extract_features("ct.nrrd", "mask.nrrd", "radiomics_params/ge2025.yaml")
    features["original_shape_MeshVolume"]

or from a shell: ``python -m pipeline.extraction ct.nrrd mask.nrrd --params ge2025.yaml``.

PyRadiomics computes in one go; here the work is cut in two where the volume of data drops a
thousandfold, so that a study keeps the small part and need not read the CT again:

1. `load_crop`: normalise over the whole volume, resample, crop to the region and its margin.
2. `features_of_crop`: filter the crop, compute the features.

`extract_features` is one after the other. Both halves call PyRadiomics' own functions on the same
numbers in the same order, so that the cut changes no bit of the result.
"""

from pipeline.extraction.crops import read_crop, write_crop
from pipeline.extraction.engine import (
    Crop,
    crop_to_region,
    extract_features,
    feature_names,
    features_of_crop,
    load_crop,
    normalise_volume,
)
from pipeline.extraction.params import Parameters, load_params

__all__ = [
    "Crop",
    "Parameters",
    "crop_to_region",
    "extract_features",
    "feature_names",
    "features_of_crop",
    "load_crop",
    "load_params",
    "normalise_volume",
    "read_crop",
    "write_crop",
]
