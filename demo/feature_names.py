"""The 1,223 feature names of the published extraction, asked of PyRadiomics itself."""

from __future__ import annotations

from functools import cache
from itertools import product

LOG_SIGMAS_MM = (1, 3, 5)
"""Widths of the Laplacian of Gaussian filter, in mm."""


def image_types() -> list[str]:
    """Return the 13 image types in the order in which PyRadiomics prints them."""
    wavelets = ["".join(bands) for bands in product("LH", repeat=3)]
    # PyRadiomics names the approximation last: LLH ... HHH, then LLL.
    wavelets.append(wavelets.pop(0))
    return [
        "original",
        *(f"log-sigma-{sigma}-0-mm-3D" for sigma in LOG_SIGMAS_MM),
        *(f"wavelet-{bands}" for bands in wavelets),
        "gradient",
    ]


FEATURE_CLASSES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
"""Feature classes of every image type, in the order of radiomics_params/ge2025.yaml."""


@cache
def feature_names() -> tuple[str, ...]:
    """Return the names of 14 shape features and 93 features on each of 13 image types.

    Deprecated features and the two-dimensional shape class are left out, as PyRadiomics leaves
    them out when a class is enabled as a whole.

    Returns
    -------
    tuple of str
        1,223 names such as ``wavelet-LLH_glcm_JointEntropy``.
    """
    from radiomics import getFeatureClasses

    def features_of(name: str) -> list[str]:
        names = getFeatureClasses()[name].getFeatureNames()
        return [feature for feature, deprecated in names.items() if not deprecated]

    return (
        *(f"original_shape_{feature}" for feature in features_of("shape")),
        *(
            f"{image}_{name}_{feature}"
            for image in image_types()
            for name in FEATURE_CLASSES
            for feature in features_of(name)
        ),
    )
