"""Parameter files, checked entry by entry and each entry against the others.

PyRadiomics checks a parameter file too, as it starts; its verdict names a path in a schema, stops
at the first mistake, and lets some pass that end in an error after hours or change nothing of what
the writer meant. Here all mistakes are told at once, with the remedy, before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.core.problems import Problems
from pipeline.extraction.setting_rules import nearest, settings_rules, slip

SECTIONS = ("setting", "imageType", "featureClass")

#: What stands for a deprecated feature, by the formulas of PyRadiomics' documentation.
DEPRECATED = {
    "StandardDeviation": "Variance, of which it is the root",
    "Compactness1": "Sphericity, from which it follows",
    "Compactness2": "Sphericity, whose cube it is",
    "SphericalDisproportion": "Sphericity, whose inverse it is",
    "Dissimilarity": "DifferenceAverage, which is the same",
    "Homogeneity1": "Id, which is the same",
    "Homogeneity2": "Idm, which is the same",
    "SumVariance": "ClusterTendency, which is the same",
    "GrayLevelNonUniformityNormalized": "firstorder Uniformity, which is the same",
    "DependencePercentage": "nothing: it is always 1",
}

#: Settings that PyRadiomics has used up before it filters: below an image type they change nothing.
BEFORE_FILTERS = frozenset(
    {
        "additionalInfo",
        "correctMask",
        "geometryTolerance",
        "interpolator",
        "label",
        "label_channel",
        "minimumROIDimensions",
        "minimumROISize",
        "normalize",
        "normalizeScale",
        "padDistance",
        "preCrop",
        "removeOutliers",
        "resampledPixelSpacing",
        "resegmentMode",
        "resegmentRange",
        "resegmentShape",
    }
)

#: PyRadiomics' own default of the bin width.
DEFAULT_BIN_WIDTH = 25


def check_content(content: Mapping, name: str) -> None:
    """Check a parameter file, entry by entry and each against the others.

    Parameters
    ----------
    content : Mapping
        What the file holds.
    name : str
        Name of the file, for messages.

    Raises
    ------
    StudyError
        Telling everything that is wrong.
    """
    problems = Problems(f"the parameter file {name}")
    _check_sections(content, name, problems)
    problems.raise_if_any()
    settings = content.get("setting") or {}
    _check_settings(settings, f"{name}, setting", "setting", problems)
    for image_type, options in (content.get("imageType") or {}).items():
        _check_image_type(image_type, options, name, problems)
    for feature_class, features in (content.get("featureClass") or {}).items():
        _check_feature_class(feature_class, features, name, problems)
    if not problems:
        _check_combinations(content, name, problems)
    problems.raise_if_any()


def _check_sections(content: Mapping, name: str, problems: Problems) -> None:
    for section, entries in content.items():
        if section in settings_rules():
            problems.add(
                "A setting must stand below `setting:`",
                found=section,
                where=name,
                remedy=f"write `setting:` and, indented below it, `{section}: ...`",
                code="setting-outside-section",
            )
        elif section == "voxelSetting":
            problems.add(
                "A parameter file must ask for one value per region, not for feature maps",
                found=section,
                where=name,
                remedy="leave the section voxelSetting out",
                code="voxel-setting-refused",
            )
        elif not _is_known("section", section, SECTIONS, name, problems):
            continue
        elif not isinstance(entries, dict) and not (entries is None and section == "setting"):
            problems.add(
                f"The section {section} must hold names, each followed by a colon",
                found="nothing" if entries is None else type(entries).__name__,
                where=name,
                remedy=f"leave {section} out for PyRadiomics' defaults"
                if entries is None
                else "write `name: value` in each line",
                code="section-not-a-mapping",
            )
        elif not entries and section != "setting":
            problems.add(
                f"The section {section} must name something",
                found="an empty section",
                where=name,
                remedy="leave it out for PyRadiomics' defaults",
                code="section-empty",
            )


def _check_settings(settings: Mapping, where: str, what: str, problems: Problems) -> None:
    rules = settings_rules()
    for key, value in settings.items():
        if not _is_known(what, key, rules, where, problems):
            continue
        rule = rules[key]
        if value is None and rule.off:
            continue
        if not rule.holds(value):
            off = ", or null for none" if rule.off else ""
            problems.add(
                f"`{key}` must be {rule.words}{off}",
                found="nothing (null)" if value is None else value,
                where=where,
                remedy=slip(value, rule) or _instead(key),
                code="setting-invalid",
            )


def _instead(key: str) -> str:
    """Return what to do about a wrong value of a setting that no slip explains."""
    if key == "sigma":
        return "write such a list, such as [1.0, 3.0, 5.0]"
    return f"write such a value, or leave {key} out for PyRadiomics' default"


def _check_image_type(image_type: str, options: object, name: str, problems: Problems) -> None:
    from radiomics import getImageTypes

    if not _is_known("image type", image_type, getImageTypes(), name, problems):
        return
    if not isinstance(options, dict):
        problems.add(
            f"The image type {image_type} must be followed by its settings",
            found="nothing" if options is None else options,
            where=name,
            remedy=f"write `{image_type}: {{}}` for none",
            code="image-type-without-settings",
        )
        return
    where = f"{name}, imageType {image_type}"
    _check_settings(options, where, f"setting of the image type {image_type}", problems)
    early = [key for key in options if key in BEFORE_FILTERS]
    if early:
        problems.add(
            "A setting that acts before the filters must stand below `setting:`",
            found=", ".join(early),
            where=where,
            remedy="move it there, where it holds for all image types; here PyRadiomics would not "
            "look at it",
            code="setting-misplaced",
        )


def _check_feature_class(
    feature_class: str, features: object, name: str, problems: Problems
) -> None:
    from radiomics import getFeatureClasses

    classes = getFeatureClasses()
    if not _is_known("feature class", feature_class, classes, name, problems):
        return
    where = f"{name}, featureClass {feature_class}"
    if features is None:
        return
    if not isinstance(features, list) or not features:
        problems.add(
            f"The feature class {feature_class} must be followed by a list of features",
            found="an empty list" if features == [] else features,
            where=name,
            remedy="write nothing behind the colon for all features",
            code="feature-class-without-list",
        )
        return
    known = classes[feature_class].getFeatureNames()
    for feature in features:
        what = f"feature of the class {feature_class}"
        if _is_known(what, feature, known, where, problems) and known[feature]:
            problems.add(
                "A feature must not be one that PyRadiomics has given up",
                found=feature,
                where=where,
                remedy=f"take {DEPRECATED.get(feature, 'it out')}",
                code="feature-deprecated",
            )
    doubled = sorted({str(one) for one in features if features.count(one) > 1})
    if doubled:
        problems.add(
            "A feature must be named once",
            found=", ".join(doubled),
            where=where,
            remedy="remove the second",
            code="feature-named-twice",
        )


def _check_combinations(content: Mapping, name: str, problems: Problems) -> None:
    """Add what is right by itself but not beside the rest."""
    settings = content.get("setting") or {}
    classes = content.get("featureClass") or {}
    if settings.get("binWidth") is not None and settings.get("binCount") is not None:
        problems.add(
            "Grey values must be binned by `binWidth` or by `binCount`, not by both",
            found=f"binWidth {settings['binWidth']} and binCount {settings['binCount']}",
            where=f"{name}, setting",
            remedy="remove one of them; PyRadiomics would take binCount without a word",
            code="bin-width-and-count",
        )
    if settings.get("resampledPixelSpacing") and settings.get("interpolator", "") is None:
        problems.add(
            "Resampling needs an `interpolator`",
            found="null beside resampledPixelSpacing",
            where=f"{name}, setting",
            remedy="write `interpolator: sitkBSpline`; PyRadiomics would not resample at all",
            code="interpolator-missing",
        )
    log = (content.get("imageType") or {}).get("LoG")
    if log is not None and "sigma" not in {*log, *settings}:
        problems.add(
            "LoG must be given its `sigma`",
            found="none",
            where=f"{name}, imageType LoG",
            remedy="write `LoG: {sigma: [1.0, 3.0, 5.0]}`, in mm",
            code="log-without-sigma",
        )
    if "shape2D" in classes and not settings.get("force2D", False):
        problems.add(
            "The class shape2D needs `force2D: true`",
            found="a three-dimensional extraction",
            where=name,
            remedy="take `shape` in its place for a vertebra: shape2D is of single slices",
            code="shape2d-in-3d",
        )
    _check_bins_after_normalisation(settings, name, problems)


def _check_bins_after_normalisation(settings: Mapping, name: str, problems: Problems) -> None:
    """Refuse bins so wide that all normalised grey values fall into one or two."""
    if not settings.get("normalize") or settings.get("binCount") is not None:
        return
    reach = settings.get("normalizeScale", 1) * (settings.get("removeOutliers") or 3)
    width = settings.get("binWidth", DEFAULT_BIN_WIDTH)
    if width >= reach:
        problems.add(
            "Bins must be narrower than the normalised grey values reach",
            found=f"binWidth {width:g}, and values that reach from {-reach:g} to {reach:g}",
            where=f"{name}, setting",
            remedy="set normalizeScale to 100, as published, or a smaller binWidth: one bin has "
            "no texture",
            code="bins-too-wide",
        )


def _is_known(
    what: str, name: object, known: Iterable[str], where: str, problems: Problems
) -> bool:
    """Return whether PyRadiomics knows a name; if not, add which one was probably meant."""
    known = list(known)
    if name in known:
        return True
    problems.add(
        f"PyRadiomics knows no such {what}",
        found=name,
        where=where,
        remedy=nearest(name, known) or f"choose from {', '.join(known)}",
        code="pyradiomics-name-unknown",
    )
    return False
