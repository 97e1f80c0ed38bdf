"""Paragraphs of methods on images, masks and features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from pipeline.reporting.paper.passages import gap, told
from pipeline.reporting.results import Results
from pipeline.reporting.sections.provenance import parameter_file
from pipeline.reporting.wording import count, number, sentence_list
from pipeline.tables.features.feature_names import parse_feature_name

_INTERPOLATORS = {
    "sitkBSpline": "cubic B-splines",
    "sitkLinear": "linear interpolation",
    "sitkNearestNeighbor": "nearest neighbours",
}

_IMAGE_TYPES = {
    "Original": "original",
    "LoG": "Laplacian of Gaussian",
    "Wavelet": "wavelet",
    "Gradient": "gradient",
    "Square": "square",
    "SquareRoot": "square root",
    "Logarithm": "logarithm",
    "Exponential": "exponential",
    "LBP2D": "local binary patterns in 2D",
    "LBP3D": "local binary patterns in 3D",
}


def extraction_parameters(results: Results) -> dict[str, Any] | None:
    """Return the parsed PyRadiomics parameters of a study with images, None for the others."""
    path = parameter_file(results)
    return None if path is None else yaml.safe_load(path.read_text(encoding="utf-8"))


def image_paragraph(results: Results) -> str:
    """Return how images were acquired and contoured."""
    parts = []
    acquired = acquisition_text(results)
    if acquired:
        parts.append(f"CTs were acquired with {acquired}.")
    parts += [
        told(results, "imaging_protocol", "Imaging protocol: {}.", "protocol of the CT"),
        told(results, "contrast", "Contrast medium: {}.", _contrast_missing(results)),
        told(results, "ct_interval", "Time from CT to operation: {}.", "time from CT to operation"),
        told(results, "segmentation", "Segmentation was {}.", "manual or automatic segmentation"),
        told(results, "software", "Software and rules: {}.", "software and rules of segmentation"),
        told(results, "readers", "Readers: {}.", "number and experience of the readers"),
    ]
    return " ".join(parts)


def _contrast_missing(results: Results) -> str:
    """Return what authors have to write of contrast: more where headers are silent."""
    ingest = None if results.imaging is None else results.imaging.ingest
    stated = ingest is not None and "contrast" in ingest and ingest["contrast"].notna().any()
    return "agent, dose and phase of the contrast medium" if stated else "contrast medium and phase"


def acquisition_text(results: Results) -> str:
    """Return what headers stated: scanners, voltages, currents, thicknesses, kernels, contrast.

    Of contrast nothing is said where the authors do: their word goes before the headers'.
    """
    if results.imaging is None:
        return ""
    read = results.imaging.ingest[results.imaging.ingest["status"] != "error"]
    parts = []
    for name, values in (("scanners:", _scanners(read)), ("kernels", _known(read, "kernel"))):
        if values:
            amounts = Counter(values)
            told = sentence_list(f"{value} ({amount})" for value, amount in amounts.most_common(5))
            parts.append(f"{name} {told}")
    for column, name, unit in (
        ("kvp", "tube voltage", "kV"),
        ("tube_current_ma", "tube current", "mA"),
        ("slice_thickness_mm", "slice thickness", "mm"),
        ("spacing_x", "pixel spacing", "mm"),
    ):
        values = read[column].dropna() if column in read else pd.Series(dtype=float)
        if len(values):
            digits = 2 if unit == "mm" else 0
            low, high = number(values.min(), digits), number(values.max(), digits)
            parts.append(f"{name} {low if low == high else f'{low} to {high}'} {unit}")
    if results["reporting"].get("contrast") is None:
        parts += _contrast_of_headers(read)
    return "; ".join(parts)


def _known(read: pd.DataFrame, column: str) -> list[str]:
    return [str(value) for value in read[column].dropna()] if column in read else []


def _scanners(read: pd.DataFrame) -> list[str]:
    """Return manufacturer and model of each scan's scanner, as far as its header states them.

    Neither names a hospital: no other attribute of a scanner, such as its station, is read.
    """
    columns = [name for name in ("manufacturer", "scanner") if name in read]
    return [
        " ".join(str(value) for value in row if pd.notna(value))
        for row in read[columns].itertuples(index=False)
        if any(pd.notna(value) for value in row)
    ]


def _contrast_of_headers(read: pd.DataFrame) -> list[str]:
    """Return in how many scans headers state contrast and phase; nothing where none does."""
    parts = []
    for column, name in (
        ("contrast", "contrast agent by the headers"),
        ("contrast_phase", "phase of contrast by the headers"),
    ):
        if column in read and read[column].notna().any():
            amounts = Counter(read[column].fillna("not stated"))
            told = sentence_list(f"{value} ({amount})" for value, amount in amounts.most_common())
            parts.append(f"{name}: {told}")
    return parts


def extraction_paragraph(results: Results) -> str:
    """Return how features were computed; of ready tables, that this is not known here."""
    parameters = extraction_parameters(results)
    classes = class_counts(results)
    told = ", ".join(f"{amount} {name}" for name, amount in classes.items())
    if parameters is None:
        return (
            f"{count(sum(classes.values()))} features were handed in as ready tables ({told}). "
            + gap("software, version and parameters of the extraction")
        )
    return (
        f"Features followed the definitions of PyRadiomics [@van2017pyradiomics] and, where they "
        f"agree, of the Image Biomarker Standardisation Initiative [@zwanenburg2020ibsi]. "
        f"{preprocessing_text(parameters)} {resampling_text(parameters)} "
        f"{discretisation_text(parameters)} Image types: {image_types_text(parameters)}. "
        f"{count(sum(classes.values()))} features were computed ({told}); all other settings "
        "stand in the parameter file."
    )


def class_counts(results: Results) -> dict[str, int]:
    """Return how many features each class has, by its name in the features' names."""
    if results.modelling is not None and results.modelling.info["features"]:
        names = list(results.modelling.info["features"])
    else:
        names = list(results.reproducibility.get("feature", []))
    parsed = [parse_feature_name(name) for name in names]
    return dict(Counter(part.feature_class or "other" for part in parsed).most_common())


def preprocessing_text(parameters: Mapping[str, Any]) -> str:
    """Say how grey values were normalised."""
    setting = parameters.get("setting", {})
    if not setting.get("normalize"):
        return "Grey values were not normalised: they stayed in HU."
    cut = setting.get("removeOutliers")
    text = (
        "Grey values were normalised over the whole volume to mean 0 and standard deviation "
        f"{number(setting.get('normalizeScale', 1), 0)}"
    )
    return f"{text}, values beyond {cut:g} standard deviations cut." if cut else f"{text}."


def resampling_text(parameters: Mapping[str, Any]) -> str:
    """Say on which grid features were computed."""
    setting = parameters.get("setting", {})
    spacing = setting.get("resampledPixelSpacing")
    if not spacing:
        return "Images were not resampled."
    how = setting.get("interpolator", "sitkBSpline")
    grid = " × ".join(f"{value:g}" for value in spacing)
    return f"Images were resampled to {grid} mm by {_INTERPOLATORS.get(how, how)}."


def discretisation_text(parameters: Mapping[str, Any]) -> str:
    """Say how grey values were binned."""
    setting = parameters.get("setting", {})
    if setting.get("binCount"):
        return f"Grey values were binned into {setting['binCount']} bins."
    width = setting.get("binWidth", 25)
    unit = "" if setting.get("normalize") else " HU"
    return f"Grey values were binned with a width of {width:g}{unit}."


def image_types_text(parameters: Mapping[str, Any]) -> str:
    """Name the image types with their parameters."""
    told = []
    for name, options in parameters.get("imageType", {"Original": {}}).items():
        text = _IMAGE_TYPES.get(name, name)
        given = options or {}
        if name == "LoG" and given.get("sigma"):
            text += f" (sigma {', '.join(f'{value:g}' for value in given['sigma'])} mm)"
        if name == "Wavelet" and given.get("wavelet"):
            text += f" ({given['wavelet']})"
        told.append(text)
    return sentence_list(told)
