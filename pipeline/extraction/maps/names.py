"""Which features have a map, in the order of the kernels, and in which unit their values are."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.core.errors import StudyError
from pipeline.extraction.formulas import cooccurrence, sizes
from pipeline.extraction.library import feature_names
from pipeline.extraction.params import Parameters

FIRST_ORDER = (
    "10Percentile", "90Percentile", "Energy", "Entropy", "InterquartileRange", "Kurtosis",
    "Maximum", "Mean", "MeanAbsoluteDeviation", "Median", "Minimum", "Range",
    "RobustMeanAbsoluteDeviation", "RootMeanSquared", "Skewness", "StandardDeviation",
    "TotalEnergy", "Uniformity", "Variance",
)  # fmt: skip

CLASSES: dict[str, tuple[str | None, ...]] = {
    "firstorder": FIRST_ORDER,
    "glcm": cooccurrence.NAMES,
    "glrlm": sizes.NAMES["glrlm"],
    "glszm": sizes.NAMES["glszm"],
    "gldm": sizes.NAMES["gldm"],
    "ngtdm": ("Busyness", "Coarseness", "Complexity", "Contrast", "Strength"),
}
"""By class, the features of each voxel as the kernels return them; None where a class has none."""

#: First-order features in units of the image's grey values, squared ones, and those without a unit.
GREY = frozenset(FIRST_ORDER) - {"Energy", "Entropy", "Kurtosis", "Skewness", "TotalEnergy"}
GREY -= {"Uniformity", "Variance"}
SQUARED = frozenset({"Energy", "TotalEnergy", "Variance"})

WITHOUT = {
    "shape": "a shape belongs to the whole region and has no value at a voxel",
    "shape2D": "a shape belongs to the whole region and has no value at a voxel",
    "MCC": "PyRadiomics' voxel mode loses this feature wherever one neighbourhood has no pair in a "
    "direction, and rounding decides about it where a direction has one grey level",
}
"""Why a class or feature has no map."""

UNKNOWN = "it is no feature of PyRadiomics that has a value at a voxel"
"""Why a name has no map that is none of a feature."""


class Mapped(NamedTuple):
    """One feature by its parts: ``wavelet-LLH_glcm_Contrast``."""

    image: str
    feature_class: str
    feature: str

    @property
    def name(self) -> str:
        """The feature's full name."""
        return "_".join(self)


def parts_of(name: str) -> Mapped:
    """Return a full feature name in parts; no part but the image's holds an underscore."""
    return Mapped(*name.rsplit("_", 2))


def why_no_map(name: str) -> str | None:
    """Return why a feature has no map, None where it has one."""
    _, feature_class, feature = parts_of(name) if name.count("_") >= 2 else ("", "", "")
    for part in (feature_class, feature):
        if part in WITHOUT:
            return WITHOUT[part]
    if feature in CLASSES.get(feature_class, ()):
        return None
    return UNKNOWN


def mapped_features(names: list[str], params: Parameters) -> list[Mapped]:
    """Return features in parts.

    Parameters
    ----------
    names : list of str
        Full names as PyRadiomics prints them.
    params : Parameters
        Of the extraction.

    Raises
    ------
    StudyError
        If a feature has no map, or the parameter file does not ask for it.
    """
    known = set(feature_names(params))
    for name in names:
        reason = why_no_map(name)
        if reason is None and name not in known:
            reason = "the parameter file does not ask for it"
        if reason is not None:
            raise StudyError(
                "Every feature of --features must have a map",
                found=f"{name}: {reason}",
                where="option --features",
                remedy="name first-order or texture features of the study, such as "
                "original_firstorder_Mean or original_glcm_Contrast",
                code="feature-without-map",
            )
    return [parts_of(name) for name in names]


def unit_of(mapped: Mapped, params: Parameters) -> str:
    """Return the unit of a map's values, for a colour bar."""
    if mapped.feature_class != "firstorder":
        return "no unit"
    grey = "normalised grey values" if params.settings.get("normalize") else "HU"
    if mapped.image != "original":
        grey = f"grey values of the image {mapped.image}"
    if mapped.feature in GREY:
        return grey
    if mapped.feature in SQUARED:
        return f"({grey}) squared" + (" x mm3" if mapped.feature == "TotalEnergy" else "")
    return "bits" if mapped.feature == "Entropy" else "no unit"
