"""Names of radiomic features, as PyRadiomics prints them."""

from __future__ import annotations

from typing import NamedTuple


class FeatureName(NamedTuple):
    """Parts of a feature's name.

    Attributes
    ----------
    image_type : str or None
        Filtered image, such as ``original``, ``wavelet-LLH`` or ``log-sigma-1-0-mm-3D``.
    feature_class : str or None
        ``shape``, ``firstorder``, ``glcm``, ``glrlm``, ``glszm``, ``gldm`` or ``ngtdm``.
    feature : str
        Name within the class, such as ``JointEntropy``.
    """

    image_type: str | None
    feature_class: str | None
    feature: str


def parse_feature_name(name: str) -> FeatureName:
    """Split a feature's name into image type, class and feature.

    Parameters
    ----------
    name : str
        ``<image type>_<class>_<feature>``.

    Returns
    -------
    FeatureName
        A name of another form, as in a feature table of a researcher's own, has neither image type
        nor class.

    Examples
    --------
    >>> parse_feature_name("wavelet-LLH_glcm_Idm")
    FeatureName(image_type='wavelet-LLH', feature_class='glcm', feature='Idm')
    """
    parts = name.split("_")
    if len(parts) == 3 and all(parts):
        return FeatureName(*parts)
    return FeatureName(None, None, name)
