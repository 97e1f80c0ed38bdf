"""The published parameter file, and what people hear who write their own."""

from __future__ import annotations

import collections
import copy
import re

import pytest
import yaml

from pipeline.core.errors import StudyError
from pipeline.core.feature_names import parse_feature_name
from pipeline.extraction import feature_names, load_params
from pipeline.extraction.params import CROP_SETTINGS, library_versions


@pytest.fixture(scope="module")
def published(repository):
    return load_params(repository / "radiomics_params" / "ge2025.yaml")


def edited(params, section: str, **changes) -> dict:
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
    other = load_params(edited(published, "setting", binWidth=10, label=7))
    assert other.crop_settings == published.crop_settings
    assert other != published


def test_library_versions_are_those_installed():
    import numpy
    import SimpleITK

    versions = library_versions()
    assert versions["numpy"] == numpy.__version__
    assert versions["SimpleITK"] == SimpleITK.Version_VersionString()
    assert versions["pyradiomics"] == "3.0.1"


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("setting", {"binWdth": 25}, "setting. Found: binWdth.*perhaps binWidth is meant"),
        ("imageType", {"Log": {}}, "image type. Found: Log.*perhaps LoG is meant"),
        ("imageType", {"Sobel": {}}, "image type. Found: Sobel.*choose from.*Gradient"),
        ("imageType", {"Wavelet": None}, r"Wavelet must be followed.*write `Wavelet: \{\}`"),
        ("imageType", {"LoG": {"sigmas": [1]}}, "setting of the image type LoG.*sigma is meant"),
        ("featureClass", {"GLCM": None}, "feature class. Found: GLCM.*perhaps glcm is meant"),
        ("featureClass", {"glcm": ["Idd"]}, "feature of the class glcm. Found: Idd"),
        ("featureClass", {"glcm": "Id"}, "glcm must be followed by a list"),
        ("setting", {"binWidth": -1}, "must accept every value.*binWidth"),
        ("setting", {"binWidth": "wide"}, "must accept every value.*wide"),
        ("setting", {"interpolator": "cubic"}, "must accept every value.*cubic"),
        ("setting", {"resampledPixelSpacing": [1, 1]}, r"three numbers.*Found: \[1, 1\]"),
    ],
)
def test_a_wrong_entry_is_named_with_a_remedy(published, section, changes, message):
    with pytest.raises(StudyError, match=message) as caught:
        load_params(edited(published, section, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("settings: {}", "no such section. Found: settings.*perhaps setting is meant"),
        ("voxelSetting: {}", "not for feature maps"),
        ("- setting", "must hold the sections.*Found: list"),
        ("setting: [a]", "section setting must hold names"),
        ("setting: {a: [", "must be YAML"),
        ("", "must hold the sections.*Found: NoneType"),
    ],
)
def test_another_form_of_file_is_refused(tmp_path, content, message):
    path = tmp_path / "p.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StudyError, match=message) as caught:
        load_params(path)
    assert "In: p.yaml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"must exist.*none\.yaml.*extraction\.params"):
        load_params(tmp_path / "none.yaml")


@pytest.mark.filterwarnings("ignore:Please import `map_coordinates`:DeprecationWarning")
@pytest.mark.parametrize("image_type", ["LoG", "LBP3D"])
def test_an_image_type_that_yields_no_image_is_refused(published, image_type):
    params = load_params(edited(published, "imageType", **{image_type: {}}))
    with pytest.raises(StudyError, match=f"must yield an image. Found: {image_type}"):
        feature_names(params)


def test_sections_left_out_mean_pyradiomics_defaults():
    # PyRadiomics: the original image, and all classes, of which shape2D needs force2D.
    params = load_params({"setting": {}, "featureClass": {"shape": None, "ngtdm": ["Busyness"]}})
    names = feature_names(params)
    assert len(names) == 15
    assert names[-1] == "original_ngtdm_Busyness"


def test_the_file_is_readable_yaml_without_surprises(repository):
    # 1e-6 would be a string in YAML 1.1.
    path = repository / "radiomics_params" / "ge2025.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))["setting"]
    assert settings["geometryTolerance"] == 1e-6
