"""Parameter files of the matrix, as the dictionaries that YAML would give.

Each departs from one of two bases in one respect: ``published`` (the project's ge2025.yaml) and
``hu`` (grey values stay HU). The few image types and filters keep the stored table small.
"""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]

#: 14 features of shape and 93 others; shape2D asks for force2D.
CLASSES = dict.fromkeys(("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"))

ORIGINAL: dict = {"Original": {}}
FILTERED: dict = {"Original": {}, "LoG": {"sigma": [2.0]}}


def _parameters(image_types: dict | None = None, classes: dict | None = None, **setting) -> dict:
    content = {
        "imageType": image_types or ORIGINAL,
        "featureClass": classes or CLASSES,
        "setting": {"binWidth": 25, "label": 1, **setting},
    }
    if setting.get("binWidth", 1) is None:  # PyRadiomics takes no null for what it does not ask
        del content["setting"]["binWidth"]
    return content


def _hu(image_types: dict | None = None, classes: dict | None = None, **setting) -> dict:
    return _parameters(
        image_types, classes, **{"resampledPixelSpacing": [1, 1, 1], "padDistance": 5, **setting}
    )


def _scores(image_types: dict | None = None, **setting) -> dict:
    normal = {"normalize": True, "normalizeScale": 100, "removeOutliers": 3}
    return _hu(image_types, **{**normal, **setting})


def _wavelet(**options) -> dict:
    return _scores({"Wavelet": options})


#: Steps of the preparation, of which each combination has a parameter file; a CT that has the
#: spacing that is asked for is cut out without interpolation.
STEPS: dict[str, dict] = {
    f"{grey}, {grid}": {**greys, **grids}
    for grey, greys in {
        "HU": {},
        "scores": {"normalize": True, "normalizeScale": 100},
        "cut scores": {"normalize": True, "normalizeScale": 100, "removeOutliers": 1.5},
    }.items()
    for grid, grids in {
        "as it is": {},
        "cropped": {"preCrop": True, "padDistance": 3},
        "1 mm": {"resampledPixelSpacing": [1, 1, 1], "padDistance": 5},
        "its own spacing": {"resampledPixelSpacing": [0.8, 0.8, 3], "padDistance": 2},
    }.items()
}

PARAMETERS: dict[str, dict] = {
    **{
        name: _parameters(classes={"firstorder": None, "glcm": None}, **steps)
        for name, steps in STEPS.items()
    },
    "published": yaml.safe_load(
        (ROOT / "radiomics_params" / "ge2025.yaml").read_text(encoding="utf-8")
    ),
    "hu": _hu(FILTERED),
    "hu with wavelets": _hu({**FILTERED, "Wavelet": {"wavelet": "haar"}, "Gradient": {}}),
    "nothing said": {},
    "additional info": _hu(additionalInfo=True),
    # Grey values.
    "scores without scale": _scores(normalizeScale=1, binWidth=0.2),
    "scores without limits": _hu(FILTERED, normalize=True, normalizeScale=100),
    "scores cut at 1": _scores(FILTERED, removeOutliers=1),
    "bin width 5": _hu(FILTERED, binWidth=5),
    "bin width 0.7": _scores(FILTERED, normalizeScale=10, binWidth=0.7),
    "bin width 100": _hu(binWidth=100),
    "16 bins": _hu(FILTERED, binWidth=None, binCount=16),
    "64 bins": _scores(FILTERED, binWidth=None, binCount=64),
    "shifted": _hu(voxelArrayShift=1000),
    "resegmented": _hu(FILTERED, resegmentRange=[-50, 300]),
    "resegmented to nothing": _hu(resegmentRange=[5000, 6000]),
    "resegmented by maximum": _hu(resegmentRange=[0.3], resegmentMode="relative"),
    "resegmented by sigma": _hu(
        FILTERED, resegmentRange=[-1.5, 2], resegmentMode="sigma", resegmentShape=True
    ),
    # Filters.
    "LoG 0.6 and 4.5": _hu({"LoG": {"sigma": [0.6, 4.5]}}),
    "LoG normalised": _scores({"LoG": {"sigma": [1.5, 2.5]}}),
    "LoG 40": _hu({"Original": {}, "LoG": {"sigma": [40.0]}}),
    "wavelet haar": _wavelet(wavelet="haar"),
    "wavelet db2": _wavelet(wavelet="db2"),
    "wavelet sym4": _wavelet(wavelet="sym4"),
    "wavelet bior1.3": _wavelet(wavelet="bior1.3"),
    "wavelet two levels": _wavelet(wavelet="haar", level=2),
    "wavelet second level": _wavelet(wavelet="coif1", start_level=1),
    "gradient per voxel": _hu({"Gradient": {"gradientUseSpacing": False}}),
    "gradient": _hu({"Gradient": {}}, resampledPixelSpacing=[2, 2, 2]),
    "pointwise": _hu({"Square": {}, "SquareRoot": {}, "Logarithm": {}, "Exponential": {}}),
    "pointwise normalised": _scores(
        {"Square": {}, "SquareRoot": {}, "Logarithm": {}, "Exponential": {}}
    ),
    "filter with its own bins": _hu(
        {"Original": {}, "LoG": {"sigma": [2.0], "binWidth": 10}, "Gradient": {"binCount": 20}}
    ),
    "LBP2D": _hu({"LBP2D": {}}),
    "LBP3D": _hu({"LBP3D": {}}),
    # Grid.
    "not resampled": _scores(FILTERED, resampledPixelSpacing=None),
    "not resampled, cropped": _hu(
        FILTERED, resampledPixelSpacing=None, preCrop=True, padDistance=3
    ),
    "2 mm": _scores(FILTERED, resampledPixelSpacing=[2, 2, 2]),
    "0.6 mm": _hu(resampledPixelSpacing=[0.6, 0.6, 0.6]),
    "2 mm in plane": _hu(FILTERED, resampledPixelSpacing=[2, 2, 0]),
    "linear": _hu(interpolator="sitkLinear"),
    "nearest": _hu(interpolator="sitkNearestNeighbor"),
    "Lanczos": _hu(interpolator="sitkLanczosWindowedSinc"),
    "no margin": _scores(FILTERED, padDistance=0),
    "wide margin": _scores(FILTERED, padDistance=14),
    "mask corrected": _parameters(correctMask=True),
    "mask not corrected": _parameters(),
    # Matrices.
    "weighting manhattan": _hu(weightingNorm="manhattan"),
    "weighting euclidean": _hu(weightingNorm="euclidean", resampledPixelSpacing=[1, 1, 2]),
    "weighting infinity": _hu(weightingNorm="infinity"),
    "no weighting": _hu(weightingNorm="no_weighting"),
    "distances 1 and 2": _hu(FILTERED, distances=[1, 2]),
    "distance 3": _hu(distances=[3]),
    "dependence within 1": _hu(gldm_a=1),
    "dependence within 3": _scores(gldm_a=3),
    "one-sided GLCM": _hu(FILTERED, symmetricalGLCM=False),
    "slices along z": _hu(FILTERED, force2D=True, force2Ddimension=0),
    "slices along y": _hu(force2D=True, force2Ddimension=1),
    "slices along x": _scores(force2D=True, force2Ddimension=2),
    "shape2D": _hu(
        classes={"shape2D": None, "firstorder": None, "glcm": None}, force2D=True,
        resampledPixelSpacing=None,
    ),
    # Choice of features, limits of the region.
    "few features": _scores(FILTERED) | {
        "featureClass": {
            "glcm": ["Imc1", "MCC", "Contrast"], "firstorder": ["Variance", "Mean"],
            "ngtdm": ["Coarseness"], "shape": ["Maximum3DDiameter"],
        }
    },
    "lines allowed": _parameters(minimumROIDimensions=1),
    "volumes only": _parameters(minimumROIDimensions=3),
    "more than 5000 voxels": _hu(minimumROISize=5000),
}  # fmt: skip
