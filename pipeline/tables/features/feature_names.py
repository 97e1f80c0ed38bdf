"""Names of radiomic features, as PyRadiomics prints them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from pipeline.core.errors import StudyError
from pipeline.core.problems import suggestion

FILTER_FAMILIES = (
    *("shape", "original", "log", "wavelet", "gradient"),
    *("square", "squareroot", "logarithm", "exponential", "lbp"),
)
"""Families of features by the image that they are computed on, in the order of the reports; the
outline of the region (``shape``) stands apart from the grey values of the original image."""

_FILTER = re.compile(r"[a-z]+")
_CLASS = re.compile(r"(^|_)(shape|shape2D|firstorder|glcm|gldm|glrlm|glszm|ngtdm)_[A-Z0-9]")
"""A class and a feature of PyRadiomics in a name that may go on before and behind."""


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


def filter_family(name: str) -> str | None:
    """Return the family of `FILTER_FAMILIES` of a feature, None where its name tells none.

    Parameters
    ----------
    name : str
        As PyRadiomics prints it.

    Examples
    --------
    >>> filter_family("wavelet-LLH_glcm_Idm"), filter_family("log-sigma-1-0-mm-3D_glcm_Idm")
    ('wavelet', 'log')
    >>> filter_family("original_shape_Sphericity"), filter_family("original_glcm_Idm")
    ('shape', 'original')
    """
    parts = parse_feature_name(name)
    if parts.image_type is None:
        return None
    if parts.image_type == "original" and (parts.feature_class or "").startswith("shape"):
        return "shape"
    begins = _FILTER.match(parts.image_type)
    family = begins.group() if begins else None
    return family if family in FILTER_FAMILIES else None


def is_foreign(name: str) -> bool:
    """Tell whether a name is none of PyRadiomics, nor one with something before or behind it.

    Examples
    --------
    >>> is_foreign("CT_original_glcm_Idm_0"), is_foreign("survival_days")
    (False, True)
    """
    return filter_family(name) is None and not _CLASS.search(name)


def foreign_names(names: Sequence[str]) -> list[str]:
    """Return the features that do not bear a name of PyRadiomics among others that do.

    In a table of PyRadiomics' a column of another name may be a time, a grade or a score.

    Examples
    --------
    >>> foreign_names(["original_glcm_Idm", "survival_days"]), foreign_names(["entropy", "size"])
    (['survival_days'], [])
    """
    foreign = [name for name in names if is_foreign(name)]
    # Most of them: the table has names of its own, which say nothing.
    return foreign if 2 * len(foreign) <= len(names) else []


def check_candidates(names: Sequence[str], known: Collection[str]) -> None:
    """Raise `StudyError` unless the `names` of ``ablation.features`` are `known` candidates."""
    for name in names:
        if name not in known:
            raise StudyError(
                "An ablation can only remove candidates of the models",
                found=name,
                where="config key ablation.features",
                remedy=suggestion(name, known)
                or "name features as PyRadiomics or the feature table does, and clinical "
                "predictors by their column",
                code="ablated-feature-unknown",
            )
