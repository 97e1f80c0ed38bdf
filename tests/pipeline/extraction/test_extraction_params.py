"""The published parameter file, and what people hear who write their own."""

from __future__ import annotations

import collections
import copy
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import yaml

from pipeline.core.errors import StudyError
from pipeline.extraction import extract_features, feature_names, load_params
from pipeline.extraction.parameter_checks import DEPRECATED
from pipeline.extraction.params import (
    CROP_DEFAULTS,
    CROP_SETTINGS,
    library_versions,
    parameter_notes,
    schema_warnings_ignored,
)
from pipeline.extraction.setting_rules import settings_rules
from pipeline.tables.features.feature_names import parse_feature_name
from tests.support.refusals import refusal


@pytest.fixture(scope="module")
def published(repository):
    return load_params(repository / "radiomics_params" / "ge2025.yaml")


def edited(params, section: str, changes: dict) -> dict:
    content = copy.deepcopy(params.content)
    content[section].update(changes)
    return content


def test_the_published_extraction_has_1223_features(published):
    names = [parse_feature_name(name) for name in feature_names(published)]
    assert len(set(names)) == 1223
    classes = collections.Counter(name.feature_class for name in names)
    assert classes == {
        "shape": 14,
        **{name: 13 * count for name, count in {
            "firstorder": 18, "glcm": 24, "glrlm": 16, "glszm": 16, "gldm": 14, "ngtdm": 5
        }.items()},
    }  # fmt: skip
    per_image = collections.Counter(n.image_type for n in names if n.feature_class != "shape")
    sigmas = {f"log-sigma-{sigma}-0-mm-3D": 93 for sigma in (1, 3, 5)}
    bands = {f"wavelet-{x}{y}{z}": 93 for x in "LH" for y in "LH" for z in "LH"}
    assert per_image == {"original": 93, "gradient": 93, **sigmas, **bands}


def test_the_published_extraction_leaves_no_setting_to_pyradiomics(published, repository):
    # What PyRadiomics would fill in is written out, with a reason behind each line.
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    defaults = RadiomicsFeatureExtractor._getDefaultSettings()
    assert set(defaults) <= set(published.settings)
    text = (repository / "radiomics_params" / "ge2025.yaml").read_text(encoding="utf-8")
    assignments = [line for line in text.splitlines() if re.match(r"\s+\w+:", line)]
    assert [line for line in assignments if "#" not in line and "Original" not in line] == []


def test_settings_of_the_paper(published):
    stated = {
        "normalize": True, "normalizeScale": 100, "removeOutliers": 3, "binWidth": 25,
        "resampledPixelSpacing": [1, 1, 1],
    }  # fmt: skip
    assert stated.items() <= published.settings.items()
    assert published.content["imageType"]["LoG"] == {"sigma": [1.0, 3.0, 5.0]}


def test_a_comment_changes_nothing(tmp_path, published, repository):
    text = (repository / "radiomics_params" / "ge2025.yaml").read_text(encoding="utf-8")
    path = tmp_path / "other-name.yaml"
    path.write_text("# another comment\n" + text.replace("# paper", "# ours"), encoding="utf-8")
    assert load_params(path) == published


def test_parameters_pass_through(published):
    assert load_params(published) is published
    assert load_params(published.content) == published


def test_only_the_settings_of_the_crop_decide_about_the_crop(published):
    assert set(published.crop_settings) == set(CROP_SETTINGS)
    other = load_params(edited(published, "setting", {"binWidth": 10, "label": 7}))
    assert other.crop_settings == published.crop_settings
    assert other != published


def test_a_crop_is_resampled_where_the_file_is_silent_about_the_interpolator():
    silent = load_params({"setting": {"resampledPixelSpacing": [1, 1, 1]}})
    assert silent.crop_settings["interpolator"] == "sitkBSpline"
    assert silent.crop_settings["padDistance"] == 5
    stated = load_params({"setting": {"interpolator": "sitkLinear", "padDistance": 3}})
    assert stated.crop_settings == {"interpolator": "sitkLinear", "padDistance": 3}


def test_what_a_file_leaves_out_is_taken_from_pyradiomics():
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    defaults = RadiomicsFeatureExtractor._getDefaultSettings()
    assert {name: defaults[name] for name in CROP_DEFAULTS} == CROP_DEFAULTS
    sparse = {"setting": {"resampledPixelSpacing": [1, 1, 2]}, "featureClass": {"firstorder": None}}
    noise = np.random.default_rng(0).normal(0, 100, (14, 16, 18))
    region = np.pad(np.ones((8, 10, 12), np.uint8), 3)
    ct, mask = sitk.GetImageFromArray(noise), sitk.GetImageFromArray(region)
    for image in (ct, mask):
        image.SetSpacing((0.8, 0.8, 1.6))
    with schema_warnings_ignored():
        plain = RadiomicsFeatureExtractor(copy.deepcopy(sparse)).execute(ct, mask)
    for name, value in extract_features(ct, mask, sparse).items():
        assert value == pytest.approx(float(plain[name]), rel=1e-9), name


def test_library_versions_are_those_installed():
    import numpy
    import SimpleITK

    versions = library_versions()
    assert versions["numpy"] == numpy.__version__
    assert versions["SimpleITK"] == SimpleITK.Version_VersionString()
    assert versions["pyradiomics"] == "3.0.1"


#: What people write, and what they are told: section, its changes, words of the answer.
WRONG = {
    "a misspelt setting": (
        "setting",
        {"binWdth": 25},
        "pyradiomics-name-unknown",
        "no such setting. Found: binWdth.*perhaps binWidth",
    ),
    "a name that is a number": (
        "setting",
        {1: 25},
        "pyradiomics-name-unknown",
        "no such setting. Found: 1",
    ),
    "a misspelt image type": (
        "imageType",
        {"Log": {}},
        "pyradiomics-name-unknown",
        "image type. Found: Log.*perhaps LoG",
    ),
    "another image type": (
        "imageType",
        {"Sobel": {}},
        "pyradiomics-name-unknown",
        "image type. Found: Sobel.*choose from.*Gradient",
    ),
    "an image type without settings": (
        "imageType",
        {"Wavelet": None},
        "image-type-without-settings",
        r"Wavelet must be followed.*`Wavelet: \{\}`",
    ),
    "a misspelt setting of a filter": (
        "imageType",
        {"LoG": {"sigmas": [1]}},
        "pyradiomics-name-unknown",
        "setting of the image type LoG.*sigma is",
    ),
    "LoG without sigma": ("imageType", {"LoG": {}}, "log-without-sigma", ""),
    "a sigma of zero": (
        "imageType",
        {"LoG": {"sigma": [0, 1.0]}},
        "setting-invalid",
        r"`sigma` must be.*above 0, none twice. Found: \[0, 1",
    ),
    "a negative sigma": (
        "imageType",
        {"LoG": {"sigma": [-1.0]}},
        "setting-invalid",
        r"`sigma` must be.*Found: \[-1.0\]",
    ),
    "one sigma without a list": (
        "imageType",
        {"LoG": {"sigma": 3.0}},
        "setting-invalid",
        r"`sigma` must be.*as a list: \[3.0\]",
    ),
    "no sigma in the list": (
        "imageType",
        {"LoG": {"sigma": []}},
        "setting-invalid",
        r"`sigma` must be.*Found: \[\]",
    ),
    "one sigma twice": (
        "imageType",
        {"LoG": {"sigma": [1, 1.0]}},
        "setting-invalid",
        "`sigma` must be.*none twice",
    ),
    "a misspelt wavelet": (
        "imageType",
        {"Wavelet": {"wavelet": "coif-1"}},
        "setting-invalid",
        "discrete wavelet.*perhaps coif1",
    ),
    "a continuous wavelet": (
        "imageType",
        {"Wavelet": {"wavelet": "mexh"}},
        "setting-invalid",
        "discrete wavelet.*Found: mexh",
    ),
    "no wavelet level": (
        "imageType",
        {"Wavelet": {"level": 0}},
        "setting-invalid",
        "`level` must be a whole number of at least 1",
    ),
    "padding below a filter": (
        "imageType",
        {"LoG": {"sigma": [5.0], "padDistance": 20}},
        "setting-misplaced",
        "Found: padDistance",
    ),
    "a class in capitals": (
        "featureClass",
        {"GLCM": None},
        "pyradiomics-name-unknown",
        "feature class. Found: GLCM.*perhaps glcm",
    ),
    "an unknown class": (
        "featureClass",
        {"texture": None},
        "pyradiomics-name-unknown",
        "feature class. Found: texture.*choose from",
    ),
    "an unknown feature": (
        "featureClass",
        {"glcm": ["Idd"]},
        "pyradiomics-name-unknown",
        "feature of the class glcm. Found: Idd",
    ),
    "features that are no list": (
        "featureClass",
        {"glcm": "Id"},
        "feature-class-without-list",
        "glcm must be followed by a list",
    ),
    "an empty list of features": (
        "featureClass",
        {"glcm": []},
        "feature-class-without-list",
        "glcm must be followed.*Found: an empty list",
    ),
    "a deprecated feature": (
        "featureClass",
        {"glcm": ["Homogeneity2"]},
        "feature-deprecated",
        "Found: Homogeneity2.*take Idm",
    ),
    "a feature named twice": (
        "featureClass",
        {"glcm": ["Id", "Id"]},
        "feature-named-twice",
        "Found: Id",
    ),
    "shape2D in three dimensions": (
        "featureClass",
        {"shape2D": None},
        "shape2d-in-3d",
        "",
    ),
    "a negative bin width": (
        "setting",
        {"binWidth": -1},
        "setting-invalid",
        "`binWidth` must be a number above 0. Found: -1",
    ),
    "a bin width in words": (
        "setting",
        {"binWidth": "wide"},
        "setting-invalid",
        "`binWidth` must be.*Found: wide",
    ),
    "a bin width with a comma": (
        "setting",
        {"binWidth": "0,5"},
        "setting-invalid",
        "`binWidth` must be.*write 0.5, with a point",
    ),
    "a bin width in quotes": (
        "setting",
        {"binWidth": "25"},
        "setting-invalid",
        "`binWidth` must be.*write 25, .*without quotes",
    ),
    "an endless bin width": (
        "setting",
        {"binWidth": float("inf")},
        "setting-invalid",
        "`binWidth` must be.*Found: inf",
    ),
    "true for a bin width": (
        "setting",
        {"binWidth": True},
        "setting-invalid",
        "`binWidth` must be.*Found: True",
    ),
    "no bin width": (
        "setting",
        {"binWidth": None},
        "setting-invalid",
        r"`binWidth` must be.*Found: nothing \(null\)",
    ),
    "bin width and bin count": (
        "setting",
        {"binCount": 32},
        "bin-width-and-count",
        "",
    ),
    "a bin count of zero": (
        "setting",
        {"binCount": 0},
        "setting-invalid",
        "`binCount` must be a whole number of at least 1, or null",
    ),
    "one bin for everything": (
        "setting",
        {"normalizeScale": 1},
        "bins-too-wide",
        "from -3 to 3.*normalizeScale to 100",
    ),
    "a number with exponent": (
        "setting",
        {"geometryTolerance": "1e-6"},
        "setting-invalid",
        "`geometryTolerance` must be.*write 1.0e-6",
    ),
    "a yes in quotes": (
        "setting",
        {"normalize": "yes"},
        "setting-invalid",
        "`normalize` must be true or false. Found: yes.*without quotes",
    ),
    "one for true": (
        "setting",
        {"normalize": 1},
        "setting-invalid",
        "`normalize` must be true or false. Found: 1",
    ),
    "outliers of zero SD": (
        "setting",
        {"removeOutliers": 0},
        "setting-invalid",
        "`removeOutliers` must be.*above 0, or null",
    ),
    "a negative scale": (
        "setting",
        {"normalizeScale": -100},
        "setting-invalid",
        "`normalizeScale` must be a number above 0",
    ),
    "a spacing of two numbers": (
        "setting",
        {"resampledPixelSpacing": [1, 1]},
        "setting-invalid",
        r"three numbers in mm.*Found: \[1, 1\]",
    ),
    "a spacing of one number": (
        "setting",
        {"resampledPixelSpacing": 1},
        "setting-invalid",
        r"three numbers in mm.*as a list: \[1\]",
    ),
    "a negative spacing": (
        "setting",
        {"resampledPixelSpacing": [1, 1, -1]},
        "setting-invalid",
        "three numbers in mm",
    ),
    "an unknown interpolator": (
        "setting",
        {"interpolator": "cubic"},
        "setting-invalid",
        "`interpolator` must be one of.*Found: cubic",
    ),
    "an interpolator without prefix": (
        "setting",
        {"interpolator": "bspline"},
        "setting-invalid",
        "perhaps sitkBSpline is meant",
    ),
    "an interpolator by number": (
        "setting",
        {"interpolator": 3},
        "setting-invalid",
        "`interpolator` must be one of.*Found: 3",
    ),
    "resampling without interpolator": (
        "setting",
        {"interpolator": None},
        "interpolator-missing",
        "",
    ),
    "half a voxel of padding": (
        "setting",
        {"padDistance": 2.5},
        "setting-invalid",
        "`padDistance` must be a whole number of voxels",
    ),
    "padding with a point": (
        "setting",
        {"padDistance": 5.0},
        "setting-invalid",
        "`padDistance` must be.*write 5, without a point",
    ),
    "negative padding": (
        "setting",
        {"padDistance": -5},
        "setting-invalid",
        "`padDistance` must be.*Found: -5",
    ),
    "a distance of zero": (
        "setting",
        {"distances": [0]},
        "setting-invalid",
        "`distances` must be a list of whole numbers",
    ),
    "a weighting that is none": (
        "setting",
        {"weightingNorm": "euclid"},
        "setting-invalid",
        "`weightingNorm` must be.*perhaps euclidean",
    ),
    "a range upside down": (
        "setting",
        {"resegmentRange": [300, -100]},
        "setting-invalid",
        "a lower and a higher one",
    ),
    "a range of three": (
        "setting",
        {"resegmentRange": [1, 2, 3]},
        "setting-invalid",
        "a lower and a higher one",
    ),
    "an unknown resegmentation": (
        "setting",
        {"resegmentMode": "sd"},
        "setting-invalid",
        "`resegmentMode` must be one of absolute",
    ),
    "a label of zero": (
        "setting",
        {"label": 0},
        "setting-invalid",
        "`label` must be a whole number of at least 1",
    ),
    "a label by name": (
        "setting",
        {"label": "L1"},
        "setting-invalid",
        "`label` must be.*Found: L1",
    ),
    "four dimensions": (
        "setting",
        {"minimumROIDimensions": 4},
        "setting-invalid",
        "`minimumROIDimensions` must be 1, 2 or 3",
    ),
    "no voxel is enough": (
        "setting",
        {"minimumROISize": 0},
        "setting-invalid",
        "`minimumROISize` must be.*or null for none",
    ),
    "a fourth axis": (
        "setting",
        {"force2Ddimension": 3},
        "setting-invalid",
        r"`force2Ddimension` must be 0 \(z\)",
    ),
    "a dependence below zero": (
        "setting",
        {"gldm_a": -1},
        "setting-invalid",
        "`gldm_a` must be a whole number of at least 0",
    ),
    "a shift that is no whole number": (
        "setting",
        {"voxelArrayShift": 0.5},
        "setting-invalid",
        "`voxelArrayShift` must be a whole number",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_entry_is_named_with_a_remedy(published, name):
    section, changes, code, message = WRONG[name]
    with refusal(code, StudyError, match=message) as caught:
        load_params(edited(published, section, changes))
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_told_at_once(published):
    content = edited(published, "setting", {"binWidth": -1, "padDistance": "5"})
    content["imageType"]["Log"] = {}
    with refusal(
        "setting-invalid", StudyError, match="There are 3 problems in the parameter file"
    ) as caught:
        load_params(content)
    assert [word in str(caught.value) for word in ("binWidth", "padDistance", "Log")] == [True] * 3


WRONG_FILES = {
    "another name of a section": (
        "settings: {}",
        "pyradiomics-name-unknown",
        "no such section. Found: settings.*perhaps setting is meant",
    ),
    "feature maps": ("voxelSetting: {}", "voxel-setting-refused", ""),
    "a setting outside its section": (
        "binWidth: 25",
        "setting-outside-section",
        "Found: binWidth",
    ),
    "a list": ("- setting", "parameter-file-not-sections", "Found: list"),
    "a list in a section": (
        "setting: [a]",
        "section-not-a-mapping",
        "section setting must hold names",
    ),
    "a section without content": (
        "imageType:\nsetting: {}",
        "section-not-a-mapping",
        "imageType must hold names.*Found: nothing",
    ),
    "a section that names nothing": (
        "imageType: {}",
        "section-empty",
        "section imageType must name something",
    ),
    "no YAML": ("setting: {a: [", "parameter-file-not-yaml", ""),
    "a tab": ("setting:\n\tbinWidth: 25", "parameter-file-not-yaml", "line 2 is indented by a tab"),
    "a setting twice": (
        "setting:\n  binWidth: 25\n  binWidth: 10",
        "parameter-file-not-yaml",
        "'binWidth' is given twice",
    ),
    "two documents": (
        "setting: {}\n---\nsetting: {}",
        "parameter-file-not-yaml",
        "single document",
    ),
    "an object of Python": ("setting: !!python/object:os.system {}", "parameter-file-not-yaml", ""),
    "nothing": ("", "parameter-file-not-sections", "Found: nothing"),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_another_form_of_file_is_refused(tmp_path, name):
    content, code, message = WRONG_FILES[name]
    path = tmp_path / "p.yaml"
    path.write_text(content, encoding="utf-8")
    with refusal(code, StudyError, match=message) as caught:
        load_params(path)
    assert "In: p.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_encoding_and_a_folder_are_refused(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_bytes("setting: {}  # Größe".encode("cp1252"))
    with refusal("parameter-file-not-yaml", StudyError):
        load_params(path)
    with refusal(
        "parameter-file-is-a-folder",
        StudyError,
        match=r"must be a file. Found: a folder.*extraction\.params",
    ):
        load_params(tmp_path)


#: Values that a careless hand may write.
ODD = [None, True, 0, 1, 2, 3, 5, 25, -1, 0.5, 1e-6, float("nan"), "1", "x", "sigma", "db2", "mexh",
       "euclidean", "sitkLinear", "uniform", [], {}, [1], [0], [1, 1], [1, 2], [2, 1], [1, 1, 1],
       [0.5, 1.5, 0], [1, "x"], [True]]  # fmt: skip


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
def test_what_is_accepted_here_is_accepted_by_pyradiomics():
    # PyRadiomics checks the file again as a job starts: nothing may get so far and fail there.
    import logging

    import pykwalify.core
    from radiomics import getParameterValidationFiles

    logging.getLogger("pykwalify").setLevel(logging.CRITICAL)
    schema, functions = getParameterValidationFiles()
    known = yaml.safe_load(Path(schema).read_text(encoding="utf-8"))["mapping"]["setting"][
        "mapping"
    ]
    assert set(settings_rules()) == set(known)
    accepted = 0
    for name in known:
        content = {
            "setting": {},
            "imageType": {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [1.0]}},
        }
        for value in ODD:
            content["setting"] = {name: value}
            try:
                load_params(content)
            except StudyError:
                continue
            accepted += 1
            pykwalify.core.Core(
                source_data=copy.deepcopy(content), schema_files=[schema], extensions=[functions]
            ).validate()
    assert accepted > 3 * len(known)


def test_every_deprecated_feature_has_a_successor():
    from radiomics import getFeatureClasses

    deprecated = {
        feature
        for one in getFeatureClasses().values()
        for feature, given_up in one.getFeatureNames().items()
        if given_up
    }
    assert deprecated == set(DEPRECATED)


@pytest.mark.parametrize(
    ("section", "changes", "words"),
    [
        ("setting", {"normalize": False}, "removeOutliers cuts normalised values only"),
        ("setting", {"correctMask": True}, "correctMask has no effect in a study"),
        ("setting", {"label": 22}, "label has no effect in a study"),
        ("imageType", {"LoG": {"sigma": [1, 3.0]}}, "log-sigma-1-mm-3D; written as 1.0"),
    ],
)
def test_what_is_valid_but_perhaps_not_meant_is_noted(published, section, changes, words):
    assert parameter_notes(published) == []
    (note,) = parameter_notes(load_params(edited(published, section, changes)))
    assert words in note


def test_a_missing_file_is_named(tmp_path):
    with refusal(
        "parameter-file-missing", StudyError, match=r"must exist.*none\.yaml.*extraction\.params"
    ):
        load_params(tmp_path / "none.yaml")


@pytest.mark.filterwarnings("ignore:Please import `map_coordinates`:DeprecationWarning")
@pytest.mark.parametrize("image_type", ["LBP2D", "LBP3D"])
def test_an_image_type_that_yields_no_image_is_refused(published, image_type):
    params = load_params(edited(published, "imageType", {image_type: {}}))
    with refusal("image-type-without-image", StudyError, match=f"Found: {image_type}"):
        feature_names(params)


def test_sections_left_out_mean_pyradiomics_defaults():
    # PyRadiomics: the original image, and all classes, of which shape2D needs force2D.
    assert len(feature_names(load_params({"setting": {}}))) == 107
    assert len(feature_names(load_params({"setting": {"force2D": True}}))) == 116
    params = load_params({"setting": {}, "featureClass": {"shape": None, "ngtdm": ["Busyness"]}})
    names = feature_names(params)
    assert len(names) == 15
    assert names[-1] == "original_ngtdm_Busyness"


def test_the_file_is_readable_yaml_without_surprises(repository):
    # 1e-6 would be a string in YAML 1.1.
    path = repository / "radiomics_params" / "ge2025.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))["setting"]
    assert settings["geometryTolerance"] == 1e-6
