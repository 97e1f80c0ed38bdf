"""PyRadiomics parameter files: reading, and errors in the words of who wrote them."""

from __future__ import annotations

import copy
import functools
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import yaml

from pipeline.core.errors import StudyError
from pipeline.core.installed.own_files import own_file
from pipeline.core.written.yaml_keys import read_yaml, yaml_remedy, yaml_words
from pipeline.extraction.parameter_checks import SECTIONS, check_content
from pipeline.tables.files.limits import unreadable

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

#: What PyRadiomics' extractor takes where a parameter file is silent. Its functions, called one by
#: one, would take something else: without an interpolator nothing is resampled.
CROP_DEFAULTS = {"interpolator": "sitkBSpline", "padDistance": 5}

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
        """The settings that decide about the crop (`CROP_SETTINGS`), with `CROP_DEFAULTS`."""
        settings = CROP_DEFAULTS | self.settings
        return {key: settings[key] for key in CROP_SETTINGS if key in settings}


@functools.cache
def library_versions() -> dict[str, str]:
    """Return the installed version of each library that computes features."""
    return {name: version(name) for name in LIBRARIES}


@contextmanager
def schema_warnings_ignored() -> Iterator[None]:
    """Silence pykwalify, which PyRadiomics checks parameters with: its old import, its success."""
    logging.getLogger("pykwalify").setLevel(logging.CRITICAL)
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
        If the file cannot be read, or an entry is unknown, out of its range, or contradicts
        another (`pipeline.extraction.parameter_checks`); all mistakes are told at once.
    """
    if isinstance(params, Parameters):
        return params
    if isinstance(params, dict):
        content, name = copy.deepcopy(params), "parameters"
    else:
        name = Path(params).name
        content = _read(own_file(params))
    check_content(content, name)
    return Parameters(content, name)


def parameter_notes(params: Parameters) -> list[str]:
    """Return what the author of a valid parameter file may not expect, one sentence each.

    Parameters
    ----------
    params : Parameters
        From `load_params`.
    """
    settings = params.settings
    sigmas = (params.content.get("imageType") or {}).get("LoG", {}).get("sigma", ())
    whole = next((sigma for sigma in sigmas if isinstance(sigma, int)), None)
    notes = {
        "removeOutliers cuts normalised values only: with `normalize: false` it has no effect; "
        "write `normalize: true`, or leave removeOutliers out": (
            settings.get("removeOutliers") is not None and not settings.get("normalize")
        ),
        "correctMask has no effect in a study: the masks stage puts every mask onto its CT's grid, "
        "or refuses it": settings.get("correctMask", False),
        "label has no effect in a study: the table of cases names the label, and the masks stage "
        "writes 1": settings.get("label", 1) != 1,
        f"sigma {whole} names its columns log-sigma-{whole}-mm-3D; written as {whole}.0 it is "
        f"log-sigma-{whole}-0-mm-3D, as published": whole is not None,
    }
    return [f"Parameter file {params.name}: {note}." for note, holds in notes.items() if holds]


def _read(path: Path) -> dict:
    try:
        content = read_yaml(path.read_bytes())
    except FileNotFoundError:
        raise StudyError(
            "The PyRadiomics parameter file must exist",
            found=str(path),
            where="config key extraction.params",
            remedy="correct the path; a relative one starts at the working directory, or names a "
            "file of the package's radiomics_params/",
            code="parameter-file-missing",
        ) from None
    except IsADirectoryError:
        raise StudyError(
            "The PyRadiomics parameter file must be a file",
            found="a folder",
            where="config key extraction.params",
            remedy="name the .yaml file in it",
            code="parameter-file-is-a-folder",
        ) from None
    except OSError as error:
        raise unreadable(error, path, "parameter file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(
            "A parameter file must be YAML in UTF-8",
            found=yaml_words(error),
            where=path.name,
            remedy=yaml_remedy(error, _yaml_remedy(path)),
            code="parameter-file-not-yaml",
        ) from None
    if not isinstance(content, dict):
        raise StudyError(
            f"A parameter file must hold the sections {', '.join(SECTIONS)}",
            found="nothing" if content is None else type(content).__name__,
            where=path.name,
            remedy="start from a file of radiomics_params/",
            code="parameter-file-not-sections",
        )
    return content


def _yaml_remedy(path: Path) -> str:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if b"\t" in line[: len(line) - len(line.lstrip())]:
            return f"line {number} is indented by a tab: YAML wants blanks"
    return "save it as UTF-8, and write `name: value`, indented by blanks"
