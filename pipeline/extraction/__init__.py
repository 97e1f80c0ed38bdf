"""Radiomic features of one region, equal to those of PyRadiomics.

From a notebook::

    from pipeline.extraction import extract_features

    features = extract_features("ct.nrrd", "mask.nrrd", "radiomics_params/ge2025.yaml")
    features["original_shape_MeshVolume"]

or from a shell: ``vertebromics features ct.nrrd mask.nrrd --params ge2025.yaml``.

PyRadiomics computes in one go; here the work is cut in two where the volume of data drops a
thousandfold, so that a study keeps the small part and need not read the CT again:

1. `open_scan` reads a CT once; its ``crop`` normalises over the whole volume, resamples, and crops
   to one region and its margin.
2. `features_of_crop`: filter the crop, compute the features.

`extract_features` is one after the other. `pipeline.extraction.engine` says who computes.
"""

from pipeline.extraction.crops import Crop, Normalisation, read_crop, write_crop
from pipeline.extraction.engine import (
    DEFAULT_ENGINE,
    ENGINES,
    Extraction,
    extract_features,
    extract_masks,
    features_of_crop,
    load_crop,
    open_scan,
)
from pipeline.extraction.library import feature_names
from pipeline.extraction.params import Parameters, load_params

__all__ = [
    "DEFAULT_ENGINE",
    "ENGINES",
    "Crop",
    "Extraction",
    "Normalisation",
    "Parameters",
    "extract_features",
    "extract_masks",
    "feature_names",
    "features_of_crop",
    "load_crop",
    "load_params",
    "open_scan",
    "read_crop",
    "write_crop",
]
