"""PyRadiomics parameter files: reading, and errors in the words of who wrote them."""

from __future__ import annotations

import copy
import difflib
import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import yaml

from pipeline.core.errors import StudyError

SECTIONS = ("setting", "imageType", "featureClass")

#: Settings that decide about the crop. Only these are handed to PyRadiomics while it loads and
#: resamples, so that no other one can change a crop; a crop is kept while they stay as they are.
CROP_SETTINGS = (
    "normalize",
    "normalizeScale",
    "removeOutliers",
    "resampledPixelSpacing",
    "interpolator",
    "padDistance",
    "preCrop",
    "correctMask",
    "geometryTolerance",
    "minimumROIDimensions",
    "minimumROISize",
)

#: Libraries whose version may move a value.
LIBRARIES = ("pyradiomics", "SimpleITK", "numpy", "PyWavelets")


@dataclass(frozen=True)
class Parameters:
    """A valid parameter file.

    Attributes
    ----------
    content : dict
        The file as YAML reads it, so that a comment changes nothing: ``setting``, ``imageType``
        and ``featureClass``.
    name : str
        Name of the file, for messages.
    """

    content: dict
    name: str = field(default="parameters", compare=False)

    @property
    def settings(self) -> dict:
        """The section ``setting``."""
        return self.content.get("setting") or {}

    @property
    def crop_settings(self) -> dict:
        """The settings that decide about the crop (`CROP_SETTINGS`)."""
        return {key: self.settings[key] for key in CROP_SETTINGS if key in self.settings}


def library_versions() -> dict[str, str]:
    """Return the installed version of each library that computes features."""
    return {name: version(name) for name in LIBRARIES}


@contextmanager
def schema_warnings_ignored() -> Iterator[None]:
    """Silence pykwalify, which PyRadiomics checks parameters with, about its own old import."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r"the load_module\(\) method", category=DeprecationWarning
        )
        yield


def load_params(params: str | os.PathLike | dict | Parameters) -> Parameters:
    """Read and validate a PyRadiomics parameter file.

    Parameters
    ----------
    params : path-like, dict or Parameters
        YAML file with the sections ``setting``, ``imageType`` and ``featureClass``, its content,
        or what this function returned before.

    Returns
    -------
    params : Parameters
        PyRadiomics' default holds for what the file leaves out.

    Raises
    ------
    StudyError
        If the file cannot be read, or a section, setting, image type, feature class or feature is
        unknown, or a value is out of its range. All of PyRadiomics' own rules are checked.
    """
    if isinstance(params, Parameters):
        return params
    if isinstance(params, dict):
        content, name = copy.deepcopy(params), "parameters"
    else:
        name = Path(params).name
        content = _read(Path(params))
    _check_names(content, name)
    _check_values(content, name)
    return Parameters(content, name)


def _read(path: Path) -> dict:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            "The PyRadiomics parameter file must exist",
            found=str(path),
            where="config key extraction.params",
            remedy="a relative path starts at the working directory",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(
            "A parameter file must be YAML in UTF-8",
            found=" ".join(str(error).split()),
            where=path.name,
        ) from None
    if not isinstance(content, dict):
        raise StudyError(
            f"A parameter file must hold the sections {', '.join(SECTIONS)}",
            found=type(content).__name__,
            where=path.name,
        )
    return content


def _check_names(content: dict, name: str) -> None:
    """Refuse every name that PyRadiomics does not know, and say which one was probably meant."""
    from radiomics import getFeatureClasses, getImageTypes, getParameterValidationFiles

    schema = yaml.safe_load(Path(getParameterValidationFiles()[0]).read_text(encoding="utf-8"))
    known_settings = schema["mapping"]["setting"]["mapping"]
    if "voxelSetting" in content:
        raise StudyError(
            "A parameter file must ask for one value per region, not for feature maps",
            found="voxelSetting",
            where=name,
            remedy="leave the section voxelSetting out",
        )
    _known("section", content, SECTIONS, name)
    for section in SECTIONS:
        if not isinstance(content.get(section) or {}, dict):
            raise StudyError(
                f"The section {section} must hold names, each followed by a colon",
                found=type(content[section]).__name__,
                where=name,
            )
    _known("setting", content.get("setting") or {}, known_settings, name)
    image_types = content.get("imageType") or {}
    _known("image type", image_types, getImageTypes(), name)
    for image_type, settings in image_types.items():
        if not isinstance(settings, dict):
            raise StudyError(
                f"The image type {image_type} must be followed by its settings",
                found=settings,
                where=name,
                remedy=f"write `{image_type}: {{}}` for none",
            )
        _known(f"setting of the image type {image_type}", settings, known_settings, name)
    classes = content.get("featureClass") or {}
    _known("feature class", classes, getFeatureClasses(), name)
    for feature_class, features in classes.items():
        if features is not None and not isinstance(features, list):
            raise StudyError(
                f"The feature class {feature_class} must be followed by a list of features",
                found=features,
                where=name,
                remedy="write nothing behind the colon for all features",
            )
        known = getFeatureClasses()[feature_class].getFeatureNames()
        _known(f"feature of the class {feature_class}", features or (), known, name)


def _known(what: str, names: Iterable, known: Iterable[str], where: str) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            spellings = {str(one).lower(): one for one in known}
            close = difflib.get_close_matches(str(name).lower(), spellings, n=1, cutoff=0.6)
            raise StudyError(
                f"PyRadiomics knows no such {what}",
                found=name,
                where=where,
                remedy=f"perhaps {spellings[close[0]]} is meant"
                if close
                else f"choose from {', '.join(known)}",
            )


def _check_values(content: dict, name: str) -> None:
    """Let PyRadiomics check types and ranges, and repeat its verdict as one line."""
    import pykwalify.core
    import pykwalify.errors
    from radiomics import getParameterValidationFiles

    logging.getLogger("pykwalify").setLevel(logging.CRITICAL)
    schema, functions = getParameterValidationFiles()
    try:
        with schema_warnings_ignored():
            pykwalify.core.Core(
                source_data=copy.deepcopy(content), schema_files=[schema], extensions=[functions]
            ).validate()
    except (pykwalify.errors.PyKwalifyException, ValueError, TypeError) as error:
        raise StudyError(
            "PyRadiomics must accept every value of the parameter file",
            found=" ".join(str(getattr(error, "msg", error)).split()),
            where=name,
        ) from None
    spacing = (content.get("setting") or {}).get("resampledPixelSpacing")
    if spacing is not None and len(spacing) != 3:
        raise StudyError(
            "resampledPixelSpacing must be three numbers in mm (x, y, z)",
            found=spacing,
            where=name,
        )
